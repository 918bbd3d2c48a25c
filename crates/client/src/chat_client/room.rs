//! One of the rooms of this person: its timeline, its outboxes, and how each socket follows it.

use super::{
    SocketId,
    excerpt::Asked,
    following::{Followers, Following},
    outboxes::Outboxes,
    reading::RoomReadState,
    sockets::backoff,
};
use crate::{
    rows::{Note, Row},
    timeline::{Applied, Timeline, Unfit},
    typing::Typing,
};
use protocol::{
    domain::{Cursor, Entry, ProducerId, RoomRef, UserId},
    frames::{ClientFrame, ErrorCode, JoinedHow, Page, Person, Reading},
};

/// Entries kept of a room whose end is in view; cut back to the smaller number now and then rather than with each entry.
const WINDOW_MAX: usize = 400;
const WINDOW: usize = 300;
const NOTES_MAX: usize = 50;
/// No answer for this long while a message waits for one means that the socket is worth nothing, however lively it looks.
const ANSWER_WAIT_MS: u64 = 30_000;
/// An acknowledged message that the log does not show after this long may be lost: the log is asked.
const UNSHOWN_MS: u64 = 5_000;
/// The try whose longest wait, half a second, every later join has too.
const JOIN_TRY: u32 = 1;
/// After this many doubts in a row the cursor itself is in doubt, and the room starts over from its newest page.
const DOUBTS_MAX: u32 = 2;

/// Who is reading, and how.
pub(super) struct Viewer {
    pub me: UserId,
    /// The room is on screen.
    pub open: bool,
    /// New entries come into view, so the oldest may go.
    pub at_bottom: bool,
    /// They can be read as they come.
    pub reading: bool,
    pub now: u64,
}

pub(super) struct FollowedRoom {
    pub which: RoomRef,
    /// `None` until the first page came.
    pub timeline: Option<Timeline>,
    /// What is shown instead of the timeline, which has entries between the two or is not here yet.
    pub excerpt: Option<Timeline>,
    pub outboxes: Outboxes,
    pub count: usize,
    pub people: Vec<Person>,
    /// Who was here before the socket broke, and has not been seen since: until then their coming back is no arrival.
    pub missed: Vec<(UserId, u64)>,
    pub notes: Vec<Note>,
    pub marks: RoomReadState,
    pub typing: Typing,
    pub trouble: Option<ErrorCode>,
    pub leaving: bool,
    pub following: Followers,
    pub history: Option<Asked>,
    /// Times in a row that the live tail did not fit the timeline.
    doubts: u32,
    /// Refusals in a row to be waited out, and the end of the wait.
    waits: u32,
    resend_at: Option<u64>,
    /// Outboxes were adopted whose acknowledgements may be of another log than the next join shows.
    adopted: bool,
    /// The oldest number under way, and since when it is.
    awaited: Option<(ProducerId, u64, u64)>,
    /// The oldest acknowledged message that the log does not show yet, and since when.
    unshown: Option<(ProducerId, u64, u64)>,
}

impl FollowedRoom {
    pub fn new(which: RoomRef, p: ProducerId, reading: Reading) -> Self {
        Self {
            which,
            timeline: None,
            excerpt: None,
            outboxes: Outboxes::new(p),
            count: 0,
            people: Vec::new(),
            missed: Vec::new(),
            notes: Vec::new(),
            marks: RoomReadState::new(reading),
            typing: Typing::default(),
            trouble: None,
            leaving: false,
            following: Followers::default(),
            history: None,
            doubts: 0,
            waits: 0,
            resend_at: None,
            adopted: false,
            awaited: None,
            unshown: None,
        }
    }

    /// The frame that makes a socket follow this room, or stop following it for good.
    pub fn join(&self) -> ClientFrame {
        let room = self.which.key.clone();
        if self.leaving {
            return ClientFrame::Leave { room };
        }
        let trusted = self.timeline.as_ref().filter(|_| self.doubts < DOUBTS_MAX);
        ClientFrame::Join { room, cursor: trusted.map(Timeline::cursor) }
    }

    /// Takes in one live entry.
    pub fn take_entry(&mut self, entry: Entry, reader: &Viewer) -> Applied {
        let Some(timeline) = &mut self.timeline else { return Applied::Duplicate };
        let by = entry.by;
        let applied = timeline.apply(entry);
        if applied == Applied::Appended {
            self.doubts = 0;
            self.typing.wrote(by, reader.now);
            self.took(1, reader);
        }
        applied
    }

    /// Takes in the page that a join or a reset came with.
    ///
    /// # Errors
    /// It does not fit, though it should.
    pub fn take_page(&mut self, how: JoinedHow, page: Page, reader: &Viewer, note_id: u64) -> Result<(), Unfit> {
        let Some(timeline) = &mut self.timeline else {
            let timeline = Timeline::newest(page)?;
            self.timeline = Some(timeline);
            self.took(0, reader);
            self.saw_own(reader.me, usize::MAX);
            return Ok(());
        };
        // Whatever the server calls it: a page that reaches the end of what is here and continues it leaves no hole. A
        // reset is told on both sockets while one takes over from the other, and the second finds it done. One that ends
        // earlier says that the rest is gone.
        let continues = how == JoinedHow::Resumed || page.cursor.seq >= timeline.cursor().seq;
        match if continues { timeline.resume(page.clone()) } else { Err(Unfit) } {
            Ok(fresh) => {
                if how == JoinedHow::Reset {
                    self.outboxes.reset(timeline);
                }
                self.took(fresh, reader);
            }
            Err(Unfit) if how == JoinedHow::Resumed => return Err(Unfit),
            Err(Unfit) => {
                let before = timeline.cursor();
                timeline.reset(page)?;
                let (after, first) = (timeline.cursor(), timeline.first_seq());
                let lost = how == JoinedHow::Reset || after.epoch != before.epoch || after.seq <= before.seq;
                self.outboxes.reset(timeline);
                self.history = None;
                self.notes.clear();
                if lost {
                    self.excerpt = None;
                    self.marks.unread.lost(timeline, reader.me);
                } else {
                    self.marks.unread.jumped(after.seq - before.seq, timeline, reader.me);
                }
                self.note(first - 1, Row::Gap { id: note_id, reset: lost });
                self.saw_own(reader.me, usize::MAX);
            }
        }
        Ok(())
    }

    /// The socket follows the room from here on.
    pub fn joined(&mut self, socket: SocketId, reached: u64) {
        self.following.set(socket, Following::Joined { reached });
        self.relieved();
        if let Some(timeline) = self.timeline.as_ref().filter(|_| std::mem::take(&mut self.adopted)) {
            self.outboxes.doubt_unconfirmed(timeline);
        }
        self.resend_at = None;
        self.outboxes.resume();
    }

    /// The live tail did not fit: the room is to be joined again, later if that did not help before.
    pub fn doubt(&mut self, socket: SocketId, now: u64, spread: u64) {
        self.doubts += 1;
        if self.doubts > DOUBTS_MAX {
            self.following.set(socket, Following::Later(now + backoff(self.doubts, spread)));
        } else {
            self.following.remove(socket);
        }
    }

    /// Waits with joining again. Not longer and longer: it costs little on a socket that is there, and within a second of the
    /// store's return everything is to be shown again.
    pub fn join_later(&mut self, socket: SocketId, now: u64, spread: u64) {
        self.waits += 1;
        self.following.set(socket, Following::Later(now + backoff(self.waits.min(JOIN_TRY), spread)));
    }

    /// Waits with sending again, longer each time in a row.
    pub fn send_later(&mut self, now: u64, spread: u64) {
        if self.resend_at.is_none() {
            self.waits += 1;
            self.resend_at = Some(now + backoff(self.waits, spread));
        }
    }

    /// Something worked.
    pub fn relieved(&mut self) {
        self.waits = 0;
        self.trouble = None;
    }

    /// Another socket is the one to send on, or none: nothing that was under way will be answered. What only the old one
    /// delivered may have vanished from the log unbeknown to the new one, which has to check.
    pub fn handed_over(&mut self, to: Option<SocketId>) {
        if let Some((socket, Following::Joined { reached })) = to.and_then(|to| Some((to, self.following.get(to)?)))
            && self.timeline.as_ref().is_some_and(|timeline| reached < timeline.cursor().seq)
        {
            self.following.remove(socket);
        }
        self.outboxes.disconnected();
        self.marks.disconnected();
        (self.history, self.resend_at, self.awaited) = (None, None, None);
    }

    /// Ends the waits that are over.
    pub fn tick(&mut self, now: u64) {
        self.following.tick(now);
        self.marks.tick(now);
        self.typing.tick(now);
        if self.resend_at.take_if(|at| now >= *at).is_some() {
            self.outboxes.resume();
        }
        if self.unshown.is_some_and(|(.., since)| now >= since + UNSHOWN_MS) {
            self.unshown = None;
            self.outboxes.ask_for_unshown();
        }
    }

    /// Notes what is under way now.
    pub fn watch(&mut self, now: u64) {
        let unshown = self.outboxes.unshown();
        if unshown != self.unshown.map(|(p, n, _)| (p, n)) {
            self.unshown = unshown.map(|(p, n)| (p, n, now));
        }
        let awaited = self.outboxes.awaited();
        if awaited != self.awaited.map(|(p, n, _)| (p, n)) {
            self.awaited = awaited.map(|(p, n)| (p, n, now));
        }
    }

    /// When it is clear that nothing is answered any more; `answered`: when anything was, of whatever room. A server that
    /// is slow on purpose, or with another room, still answers something.
    pub fn stuck_at(&self, answered: u64) -> Option<u64> {
        self.awaited.map(|(_, _, since)| since.max(answered) + ANSWER_WAIT_MS)
    }

    pub fn next_wake(&self, answered: u64) -> Option<u64> {
        let answer = self.stuck_at(answered);
        let unshown = self.unshown.map(|(_, _, since)| since + UNSHOWN_MS);
        let signals = self.marks.next_wake().into_iter().chain(self.typing.next_wake());
        self.following.next_wake().into_iter().chain(self.resend_at).chain(answer).chain(unshown).chain(signals).min()
    }

    /// The last `fresh` entries are new.
    fn took(&mut self, fresh: usize, reader: &Viewer) {
        let Some(timeline) = &self.timeline else { return };
        let was = self.marks.unread.count();
        self.marks.unread.grew(fresh, timeline, reader.me);
        if reader.reading && was == 0 {
            self.marks.be_patient(reader.now);
        }
        self.saw_own(reader.me, fresh);
        let may_trim = !reader.open || reader.at_bottom || self.excerpt.is_some();
        if let Some(timeline) = self.timeline.as_mut().filter(|it| may_trim && it.entries().len() > WINDOW_MAX) {
            timeline.trim_front(WINDOW);
        }
        self.meet();
    }

    /// Looks for what was just adopted in what is shown already.
    pub fn look_for_adopted(&mut self, me: UserId) {
        self.adopted = true;
        self.saw_own(me, usize::MAX);
    }

    /// Own messages among the last `fresh` entries are answered.
    fn saw_own(&mut self, me: UserId, fresh: usize) {
        let Some(timeline) = &self.timeline else { return };
        let mut answered = false;
        for entry in timeline.entries().rev().take(fresh).filter(|entry| entry.by == me) {
            answered |= self.outboxes.seen(entry.p, entry.n, entry.cursor());
        }
        self.outboxes.shown_in(timeline);
        // The acknowledgement that follows finds nothing to do any more.
        if answered {
            self.relieved();
        }
    }

    pub fn acked(&mut self, p: ProducerId, n: u64, at: Cursor) {
        if self.outboxes.acked(p, n, at) {
            self.relieved();
        }
        if let Some(timeline) = &self.timeline {
            self.outboxes.shown_in(timeline);
        }
    }

    pub fn note(&mut self, after_seq: u64, row: Row) {
        if self.notes.len() >= NOTES_MAX {
            self.notes.remove(0);
        }
        self.notes.push(Note { after_seq, row });
    }
}

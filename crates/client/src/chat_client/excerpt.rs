//! A part of a room's log shown apart from its end: around a message that somebody was sent the address of, or further back.
//! It grows at both ends. Where it meets the timeline, which goes on behind it, the two become one.

use super::{ChatClient, FollowedRoom, SocketId};
use crate::{rows::Row, state::Older, timeline::Timeline};
use protocol::frames::{ClientFrame, PAGE_ENTRIES, Page};

/// Entries that a timeline is not made longer than to count what is unread.
const COUNTED_MAX: usize = 300;
/// How many entries an address shows after its own.
const AFTER: u64 = 25;

/// A page of history that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    before: u64,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// Older entries for the timeline.
    Older,
    /// The same, though nobody asked to see them.
    Count,
    /// What comes before the excerpt.
    Above,
    /// What comes after it.
    Below,
    /// An excerpt around this entry.
    Around(u64),
}

impl FollowedRoom {
    /// The entries on screen.
    pub fn shown(&self) -> Option<&Timeline> {
        self.excerpt.as_ref().or(self.timeline.as_ref())
    }

    pub fn older(&self) -> Older {
        let above = if self.excerpt.is_some() { What::Above } else { What::Older };
        match self.shown() {
            Some(_) if self.history.is_some_and(|asked| asked.what == above) => Older::Loading,
            Some(shown) if shown.older() => Older::Yes,
            Some(_) => Older::No,
            // The first page is on its way.
            None => Older::Loading,
        }
    }

    pub fn ask_above(&mut self, socket: SocketId) -> Option<ClientFrame> {
        let shown = self.shown().filter(|shown| shown.older())?;
        let what = if self.excerpt.is_some() { What::Above } else { What::Older };
        self.ask(socket, Asked { before: shown.first_seq(), what })
    }

    pub fn ask_below(&mut self, socket: SocketId) -> Option<ClientFrame> {
        let next = self.excerpt.as_ref()?.cursor().seq + 1;
        // No further than to where the timeline begins.
        let before = (next + PAGE_ENTRIES as u64).min(self.timeline.as_ref()?.first_seq().max(next + 1));
        self.ask(socket, Asked { before, what: What::Below })
    }

    pub fn ask_around(&mut self, socket: SocketId, seq: u64) -> Option<ClientFrame> {
        self.ask(socket, Asked { before: seq.checked_add(AFTER + 1)?, what: What::Around(seq) })
    }

    /// Older entries for the timeline, whatever is shown.
    pub fn ask_to_count(&mut self, socket: SocketId) -> Option<ClientFrame> {
        let timeline = self.timeline.as_ref()?;
        let may_grow = timeline.older() && timeline.entries().len() < COUNTED_MAX;
        let before = timeline.first_seq();
        if may_grow { self.ask(socket, Asked { before, what: What::Count }) } else { None }
    }

    /// There is one answer under way at a time.
    fn ask(&mut self, socket: SocketId, asked: Asked) -> Option<ClientFrame> {
        let epoch = self.timeline.as_ref()?.cursor().epoch;
        if self.history.is_some() || !self.following.has_joined(socket) {
            return None;
        }
        self.history = Some(asked);
        Some(ClientFrame::History { room: self.which.key.clone(), epoch, before: asked.before })
    }

    /// Takes in a page of history; `Err` if it contradicts the timeline. Returns the entry that it was asked for, if it has
    /// it.
    pub fn take_history(&mut self, before: u64, page: Page) -> Result<Option<u64>, crate::timeline::Unfit> {
        let Some(Asked { what, .. }) = self.history.take_if(|asked| asked.before == before) else { return Ok(None) };
        match what {
            What::Older | What::Count => return self.take_older(before, page).map(|()| None),
            What::Above | What::Below => {
                // It was taken off the screen since.
                let Some(excerpt) = &mut self.excerpt else { return Ok(None) };
                let fits = if what == What::Below {
                    excerpt.resume(page).is_ok()
                } else {
                    excerpt.first_seq() != before || excerpt.prepend(page).is_ok()
                };
                if !fits {
                    self.excerpt = None;
                }
            }
            What::Around(seq) => {
                let has = page.entries.iter().any(|entry| entry.seq == seq && entry.text().is_some());
                if let Some(excerpt) = has.then(|| Timeline::newest(page).ok()).flatten() {
                    self.excerpt = Some(excerpt);
                    self.meet();
                    return Ok(Some(seq));
                }
            }
        }
        self.meet();
        Ok(None)
    }

    fn take_older(&mut self, before: u64, page: Page) -> Result<(), crate::timeline::Unfit> {
        // Trimmed or reset since it was asked for: nobody is waiting for it any more.
        let Some(timeline) = self.timeline.as_mut().filter(|timeline| timeline.first_seq() == before) else {
            return Ok(());
        };
        timeline.prepend(page)?;
        self.filled(before);
        self.meet();
        Ok(())
    }

    /// There are entries before this one now: nothing was skipped here.
    fn filled(&mut self, before: u64) {
        let jump = |row: &Row| matches!(row, Row::Gap { reset: false, .. });
        self.notes.retain(|note| note.after_seq + 1 != before || !jump(&note.row));
    }

    /// The page will not come. `true` if somebody waits for it.
    pub fn forget_history(&mut self) -> bool {
        self.history.take().is_some_and(|asked| asked.what != What::Count)
    }

    /// Makes one of excerpt and timeline where they meet. An excerpt of another log goes.
    pub fn meet(&mut self) {
        let Some(timeline) = &mut self.timeline else { return };
        let first = timeline.first_seq();
        let same_log = |excerpt: &Timeline| excerpt.cursor().epoch == timeline.cursor().epoch;
        if let Some(excerpt) = self.excerpt.take_if(|excerpt| !same_log(excerpt) || timeline.meets(excerpt))
            && timeline.join(&excerpt).is_ok_and(|added| added > 0)
        {
            self.filled(first);
        }
    }

    /// Shows the end of the room again. `false` if it is shown already.
    pub fn drop_excerpt(&mut self) -> bool {
        self.history.take_if(|asked| !matches!(asked.what, What::Older | What::Count));
        self.excerpt.take().is_some()
    }
}

impl ChatClient {
    /// Asks for the page above the first row of the open room.
    pub fn load_older(&mut self) {
        self.ask_for(FollowedRoom::ask_above);
    }

    /// Asks for the page below the last row of the open room, if the room goes on there.
    pub fn load_newer(&mut self) {
        self.ask_for(FollowedRoom::ask_below);
    }

    /// Shows the end of the open room.
    pub fn to_newest(&mut self) {
        self.target = None;
        if let Some(i) = self.index(&self.open) {
            self.changed.rows |= self.rooms[i].drop_excerpt();
        }
    }

    /// Shows a message of the open room, with those around it; `false` if that cannot be done now.
    pub fn show(&mut self, seq: u64) -> bool {
        let Some(i) = self.index(&self.open) else { return false };
        let room = &mut self.rooms[i];
        let here = |run: Option<&Timeline>| run.is_some_and(|run| (run.first_seq()..=run.cursor().seq).contains(&seq));
        if !here(room.shown()) {
            if !here(room.timeline.as_ref()) {
                return self.ask_for(|room, socket| room.ask_around(socket, seq));
            }
            self.changed.rows |= room.drop_excerpt();
        }
        self.target = Some(seq);
        true
    }

    /// The message that is highlighted.
    pub fn target(&self) -> Option<u64> {
        self.target
    }

    /// Whether the open room goes on below its last row.
    pub fn newer(&self) -> bool {
        self.current().is_some_and(|room| room.excerpt.is_some())
    }

    fn ask_for(&mut self, ask: impl FnOnce(&mut FollowedRoom, SocketId) -> Option<ClientFrame>) -> bool {
        let (Some(socket), Some(i)) = (self.sockets.primary(), self.index(&self.open)) else { return false };
        let Some(frame) = ask(&mut self.rooms[i], socket) else { return false };
        self.transmit(socket, frame);
        true
    }
}

//! What may be missed: how far the socket's person has read, and who is typing.

use super::{
    reply::{self, Frame},
    request::Done,
    subscription::Subscription,
};
use crate::{
    chat::Chat,
    hub::{room::Room, wake::Wake},
};
use app::{
    domain::{RoomKey, UserId},
    protocol::{Person, ReadMark, ServerFrame, TYPING_EVERY_MS},
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Between two writes of marks for one socket, and after one that the store did not take.
const PACE: Duration = Duration::from_millis(200);
const RETRY: Duration = Duration::from_secs(1);
const TYPING_EVERY: Duration = Duration::from_millis(TYPING_EVERY_MS);

/// What a client was told of a room, and said of it.
pub struct Signals {
    /// The mark the client knows of.
    mark: Option<ReadMark>,
    /// The room's typists up to which nothing is left to tell.
    seen_typing: u64,
    /// When its person was last said to be typing.
    typed: Option<Instant>,
}

impl Signals {
    pub fn new(room: &Room, mark: Option<ReadMark>) -> Self {
        Self { mark, seen_typing: room.typing_version(), typed: None }
    }

    /// Whether it may be said now that its person is typing: not more often than once in a while.
    pub fn may_type(&mut self, now: Instant) -> bool {
        let may = self.typed.is_none_or(|typed| now - typed >= TYPING_EVERY);
        if may {
            self.typed = Some(now);
        }
        may
    }

    /// Whether a mark is news to the client; once.
    fn rises_to(&mut self, mark: ReadMark) -> bool {
        let rises = rises(self.mark, mark);
        if rises {
            self.mark = Some(mark);
        }
        rises
    }

    /// The log was set back, and how far it was read may have been with it: whatever the store knows is news again.
    pub fn set_back(&mut self) {
        self.mark = None;
    }

    fn typing_news(&mut self, room: &Room, me: UserId) -> Option<Utf8Bytes> {
        let version = room.typing_version();
        if version == self.seen_typing {
            return None;
        }
        self.seen_typing = version;
        room.typists()?.frame_for(me, room.key())
    }
}

fn rises(known: Option<ReadMark>, mark: ReadMark) -> bool {
    known.is_none_or(|known| known.epoch != mark.epoch || known.seq < mark.seq)
}

/// What there is to tell: marks, except of rooms whose join is under way, and typists.
pub fn news(
    rooms: &mut [Subscription],
    wake: &Wake,
    me: UserId,
    is_joining: impl Fn(&RoomKey) -> bool,
) -> Vec<Utf8Bytes> {
    let mut news = Vec::new();
    for (key, mark) in wake.take_marks(is_joining) {
        let joined = rooms.iter_mut().find(|joined| *joined.room.key() == key);
        if joined.is_some_and(|joined| joined.signals.rises_to(mark)) {
            let frame: Frame = ServerFrame::Read { room: key, mark };
            news.push(reply::encode(&frame));
        }
    }
    news.extend(rooms.iter_mut().filter_map(|joined| joined.signals.typing_news(&joined.room, me)));
    news
}

/// Marks on their way from the client to the store: of each room the latest, and one write at a time, so that a client that
/// sends many costs no more than one that sends few.
pub struct Marks {
    wanted: Vec<(RoomKey, ReadMark)>,
    under_way: bool,
    not_before: Instant,
}

/// What to ask the store next.
pub enum Errand {
    Raise(RoomKey, ReadMark),
    /// How far its person has read in all rooms of the socket.
    Ask,
}

impl Marks {
    pub fn new() -> Self {
        Self { wanted: Vec::new(), under_way: false, not_before: Instant::now() }
    }

    pub fn want(&mut self, room: RoomKey, mark: ReadMark) {
        match self.wanted.iter_mut().find(|(other, _)| *other == room) {
            Some((_, known)) if rises(Some(*known), mark) => *known = mark,
            Some(_) => {}
            None => self.wanted.push((room, mark)),
        }
    }

    /// The room is left.
    pub fn forget(&mut self, room: &RoomKey) {
        self.wanted.retain(|(other, _)| other != room);
    }

    /// When there will be something to do.
    pub fn next_at(&self, wake: &Wake) -> Option<Instant> {
        let some = !self.wanted.is_empty() || wake.marks_missed.load(Ordering::Acquire);
        (some && !self.under_way).then_some(self.not_before)
    }

    /// What to do now, unless the session does not `count` at present.
    pub fn next(&mut self, now: Instant, wake: &Wake, counts: impl FnOnce() -> bool) -> Option<Errand> {
        if self.next_at(wake)? > now {
            return None;
        }
        if !counts() {
            self.not_before = now + RETRY;
            return None;
        }
        self.under_way = true;
        self.not_before = now + PACE;
        if wake.marks_missed.swap(false, Ordering::AcqRel) {
            return Some(Errand::Ask);
        }
        let (room, mark) = self.wanted.remove(0);
        Some(Errand::Raise(room, mark))
    }

    /// An errand is done, or has to be done again.
    pub fn done(&mut self, again: Option<Errand>, now: Instant, wake: &Wake, is_joined: impl FnOnce(&RoomKey) -> bool) {
        self.under_way = false;
        if again.is_some() {
            self.not_before = now + RETRY;
        }
        match again {
            Some(Errand::Raise(room, mark)) if is_joined(&room) => self.want(room, mark),
            Some(Errand::Ask) => wake.marks_missed.store(true, Ordering::Release),
            Some(Errand::Raise(..)) | None => {}
        }
    }

    /// What is still to be stored when the socket ends.
    pub fn rest(&mut self) -> Vec<(RoomKey, ReadMark)> {
        std::mem::take(&mut self.wanted)
    }
}

pub async fn raise(chat: Arc<Chat>, me: UserId, room: RoomKey, mark: ReadMark) -> Done {
    Done::Marks(match chat.raise_mark(me, &room, mark).await {
        Ok(()) => None,
        Err(error) => {
            tracing::debug!(%error, "how far somebody has read was not stored; trying again");
            Some(Errand::Raise(room, mark))
        }
    })
}

/// Has the socket told of every mark as the store knows it.
pub async fn ask(chat: Arc<Chat>, me: UserId, wake: Arc<Wake>, rooms: Vec<RoomKey>) -> Done {
    Done::Marks(match chat.marks(me, rooms).await {
        Ok(marks) => {
            for (room, mark) in marks {
                wake.mark(&room, mark);
            }
            None
        }
        Err(error) => {
            tracing::debug!(%error, "cannot ask how far somebody has read; trying again");
            Some(Errand::Ask)
        }
    })
}

pub async fn typing(chat: Arc<Chat>, me: Person, room: RoomKey) -> Done {
    if let Err(error) = chat.typing(&me, &room).await {
        tracing::debug!(%error, "nobody was told that somebody is typing");
    }
    Done::Nothing
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::domain::{Epoch, RoomName};

    fn key(name: &str) -> RoomKey {
        RoomName::parse(name).unwrap().key()
    }

    fn mark(seq: u64) -> ReadMark {
        ReadMark { epoch: Epoch(7), seq }
    }

    fn raised(errand: Option<Errand>) -> Option<(RoomKey, u64)> {
        match errand {
            Some(Errand::Raise(room, mark)) => Some((room, mark.seq)),
            Some(Errand::Ask) => panic!("nothing to ask"),
            None => None,
        }
    }

    /// Marks of a client, its clock, and what was asked of the store.
    struct Case(Marks, Wake, Instant);

    impl Case {
        fn new() -> Self {
            let marks = Marks::new();
            let now = marks.not_before;
            Self(marks, Wake::default(), now)
        }

        fn next(&mut self, counts: bool) -> Option<Errand> {
            let Self(marks, wake, now) = self;
            marks.next(*now, wake, || counts)
        }

        fn done(&mut self, again: Option<Errand>, joined: bool) {
            let Self(marks, wake, now) = self;
            marks.done(again, *now, wake, |_| joined);
        }
    }

    #[test]
    fn typing_is_said_once_in_a_while() {
        let (mut signals, start) = (Signals { mark: None, seen_typing: 0, typed: None }, Instant::now());
        let said: Vec<_> = (0..5_000).filter(|&ms| signals.may_type(start + Duration::from_millis(ms))).collect();
        assert_eq!(said, [0, 1_000, 2_000, 3_000, 4_000]);
    }

    #[test]
    fn a_log_that_went_back_makes_a_lower_mark_news() {
        let mut signals = Signals { mark: Some(mark(100)), seen_typing: 0, typed: None };
        assert!(!signals.rises_to(mark(85)));
        signals.set_back();
        assert!(signals.rises_to(mark(85)));
        assert!(!signals.rises_to(mark(85)), "once");
    }

    #[test]
    fn of_many_marks_the_latest_is_written_one_at_a_time() {
        let mut case = Case::new();
        for seq in 1..=1_000 {
            case.0.want(key("a"), mark(seq));
            case.0.want(key("b"), mark(1_001 - seq));
        }
        assert_eq!(raised(case.next(true)), Some((key("a"), 1_000)));
        assert_eq!(case.0.next_at(&case.1), None, "one at a time");
        assert_eq!(raised(case.next(true)), None);
        case.done(None, true);
        assert_eq!(raised(case.next(true)), None, "not at once");
        case.2 += PACE;
        assert_eq!(raised(case.next(true)), Some((key("b"), 1_000)));
        case.done(None, true);
        assert_eq!(case.0.next_at(&case.1), None, "nothing is left to do");
    }

    #[test]
    fn what_the_store_did_not_take_is_written_again_unless_the_room_was_left() {
        let mut case = Case::new();
        case.0.want(key("a"), mark(5));
        let errand = case.next(true);
        case.0.want(key("a"), mark(3));
        case.done(errand, true);
        assert_eq!(raised(case.next(true)), None, "not at once");
        case.2 += RETRY;
        let errand = case.next(true);
        assert!(matches!(&errand, Some(Errand::Raise(_, ReadMark { seq: 5, .. }))), "the furthest");
        case.done(errand, false);
        case.2 += RETRY;
        assert_eq!(raised(case.next(true)), None);
    }

    #[test]
    fn what_may_have_been_missed_is_asked_for_until_there_is_an_answer() {
        let mut case = Case::new();
        case.1.miss_marks();
        for _ in 0..2 {
            let errand = case.next(true);
            assert!(matches!(errand, Some(Errand::Ask)));
            case.done(errand, true);
            case.2 += RETRY;
        }
        assert!(matches!(case.next(true), Some(Errand::Ask)));
        case.done(None, true);
        assert_eq!(case.0.next_at(&case.1), None);
    }

    #[test]
    fn nothing_is_written_for_a_session_that_does_not_count() {
        let mut case = Case::new();
        case.0.want(key("a"), mark(5));
        assert_eq!(raised(case.next(false)), None);
        assert_eq!(case.0.next_at(&case.1), Some(case.2 + RETRY));
        case.2 += RETRY;
        assert_eq!(raised(case.next(true)), Some((key("a"), 5)));
    }
}

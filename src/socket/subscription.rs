//! One room of one socket: where its reader is, and what is new for it.

use super::signals::Signals;
use crate::{
    chat::access::RoomAccess,
    hub::{ring::Take, room::Room},
};
use app::domain::Cursor;
use std::sync::Arc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

pub struct Subscription {
    /// Tells this join from an earlier one of the same room on the same socket.
    pub token: u64,
    pub access: RoomAccess,
    pub room: Arc<Room>,
    pub cursor: Cursor,
    /// The state of the ring up to which nothing is left to take.
    pub seen_log: u64,
    /// The start of the ring that the cursor is known to agree with.
    pub seen_generation: u64,
    pub seen_presence: u64,
    /// Whether the socket counts for its person's presence.
    pub present: bool,
    /// The log is being read for it; the ring has to wait.
    pub reading: bool,
    /// When it began: what was heard of before is no news that is late.
    pub since: Instant,
    pub signals: Signals,
}

impl Subscription {
    /// Takes frames from the ring, if it changed since the last time. `Behind` and `Diverged` mean that the log has to be
    /// asked what follows the cursor. With what is timed, and new to this reader, comes when it was heard of.
    pub fn take(&mut self, max_bytes: usize, mut sink: impl FnMut(Utf8Bytes, Option<Instant>)) -> Option<Take> {
        let version = self.room.log_version();
        if self.reading || version == self.seen_log {
            return None;
        }
        let generation = self.room.generation();
        let since = self.since;
        let mut take = self.room.take(self.cursor, max_bytes, |frame, heard: Option<Instant>| {
            sink(frame, heard.filter(|heard| *heard > since));
        });
        if take == Take::Ahead && generation != self.seen_generation {
            // The ring was started anew at an earlier place: the log may have been set back beyond this reader.
            take = Take::Behind;
        } else if take == Take::Ahead {
            self.room.reader_is_ahead();
        }
        self.seen_generation = generation;
        match take {
            Take::Upto { cursor, more } => {
                self.cursor = cursor;
                if !more {
                    self.seen_log = version;
                }
            }
            Take::Nothing | Take::Ahead | Take::Behind | Take::Diverged => self.seen_log = version,
        }
        Some(take)
    }

    /// The frame that says who is here, if it changed.
    pub fn presence_news(&mut self) -> Option<Utf8Bytes> {
        let version = self.room.presence_version();
        if version == self.seen_presence {
            return None;
        }
        self.seen_presence = version;
        let frame = self.room.view().frame.clone();
        (!frame.is_empty()).then_some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::room::Budget;
    use app::{
        domain::{EntryId, Epoch, RoomName, RoomRef, UserId, UserName},
        protocol::Person,
    };

    fn cursor(seq: u64) -> Cursor {
        Cursor { epoch: Epoch(7), seq, id: EntryId(seq * 11) }
    }

    fn reader(room: &Arc<Room>, seq: u64) -> Subscription {
        let person = Person { id: UserId(1), name: UserName::parse("p").unwrap() };
        let (room, seen_generation, signals) = (room.clone(), room.generation(), Signals::new(room, None));
        Subscription {
            token: 1,
            access: RoomAccess::entered(person, room.room.clone()),
            room,
            cursor: cursor(seq),
            seen_log: 0,
            seen_generation,
            seen_presence: 0,
            present: true,
            reading: false,
            since: Instant::now(),
            signals,
        }
    }

    fn room(top: u64) -> Arc<Room> {
        let name = RoomName::parse("a").unwrap();
        let room = Room::new(RoomRef { key: name.key(), name }, Arc::new(Budget::new(1024 * 1024)), 1);
        room.seed(cursor(top));
        Arc::new(room)
    }

    #[test]
    fn a_reader_ahead_of_a_ring_that_was_set_back_asks_the_log() {
        let room = room(100);
        let mut reader = reader(&room, 100);
        assert_eq!(reader.take(1, |_, _| {}), Some(Take::Nothing));
        room.seed(cursor(95));
        assert_eq!(reader.take(1, |_, _| {}), Some(Take::Behind));
    }

    #[test]
    fn a_reader_who_read_ahead_of_the_ring_waits_for_it() {
        let room = room(100);
        let mut reader = reader(&room, 103);
        assert_eq!(reader.take(1, |_, _| {}), Some(Take::Ahead));
        assert_eq!(reader.take(1, |_, _| {}), None, "until the ring changes");
    }

    #[test]
    fn a_reader_beyond_the_end_of_ring_and_log_asks_the_log() {
        let room = room(100);
        let mut reader = reader(&room, 103);
        assert_eq!(reader.take(1, |_, _| {}), Some(Take::Ahead));
        room.settle();
        assert_eq!(reader.take(1, |_, _| {}), Some(Take::Behind));
        room.settle();
        assert_eq!(reader.take(1, |_, _| {}), None, "once");
    }
}

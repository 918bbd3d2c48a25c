//! How far people have read: the port, and what its implementations share.

use super::StoreError;
use app::{
    domain::{Cursor, RoomKey, UserId},
    protocol::{ReadMark, Reading, UNREAD_MAX},
};
use async_trait::async_trait;
use serde::Deserialize;

/// Entries after a mark that are looked at for unread messages: between them may be more of the reader's own than anybody
/// would write without reading.
pub(super) const UNREAD_SCAN: usize = 1_024;
/// Bytes of them. Beyond, more may be unread than was counted, as with as many entries: nobody pays for what is read here.
pub(super) const UNREAD_BYTES: usize = 256 * 1024;

/// How far people have read. A mark belongs to a membership: it begins at the log's end when somebody becomes a member of a
/// room, and goes with the membership.
#[async_trait]
pub trait Reads: Send + Sync {
    /// Raises a member's mark, not beyond the log's end. The mark now, if it rose; then it is also reported to every
    /// instance's sink. A mark of another epoch than the log's changes nothing.
    async fn raise_mark(&self, user: UserId, room: &RoomKey, mark: ReadMark) -> Result<Option<ReadMark>, StoreError>;
    /// The marks of a person in these rooms; none where they are no member.
    async fn marks(&self, user: UserId, rooms: &[RoomKey]) -> Result<Vec<Option<ReadMark>>, StoreError>;
    /// [`marks`](Self::marks), and how much others wrote between each and the seq given with the room: who has a page of the
    /// room counts on from there.
    async fn readings(&self, user: UserId, places: &[(RoomKey, u64)]) -> Result<Vec<Reading>, StoreError>;
}

/// A stored mark in the log as it is now: at its start if the log was started anew, at its end if it was set back.
pub(super) fn standing(stored: ReadMark, top: Cursor) -> ReadMark {
    let seq = if stored.epoch == top.epoch { stored.seq.min(top.seq) } else { 0 };
    ReadMark { epoch: top.epoch, seq }
}

/// Entries read at a time at least: as many of the longest ones are about [`UNREAD_BYTES`].
const CHUNK_MIN: usize = 16;

/// Counts unread messages entry by entry.
pub(super) struct UnreadCount {
    me: UserId,
    seen: usize,
    bytes: usize,
    count: usize,
}

impl UnreadCount {
    pub fn of(me: UserId) -> Self {
        Self { me, seen: 0, bytes: 0, count: 0 }
    }

    /// Says whether to go on with the next entry.
    pub fn add(&mut self, entry: &str) -> bool {
        self.seen += 1;
        self.bytes += entry.len();
        self.count += usize::from(is_message_of_another(entry, self.me));
        self.count < UNREAD_MAX && self.seen < UNREAD_SCAN && self.bytes < UNREAD_BYTES
    }

    /// How many entries to read next, if they are about as long as those so far: at most `most`.
    pub fn next(&self, most: usize) -> usize {
        let size = self.bytes.checked_div(self.seen).unwrap_or(UNREAD_BYTES / CHUNK_MIN).max(1);
        (UNREAD_BYTES.saturating_sub(self.bytes) / size).clamp(CHUNK_MIN, most)
    }

    pub fn count(&self) -> usize {
        self.count
    }
}

/// Reads only who wrote an entry, and what kind it is, without copying its text.
fn is_message_of_another(entry: &str, me: UserId) -> bool {
    #[derive(Deserialize)]
    struct Sent {
        by: UserId,
        body: Kind,
    }
    #[derive(Deserialize)]
    struct Kind {
        kind: String,
    }
    serde_json::from_str(entry).is_ok_and(|Sent { by, body }| by != me && body.kind == "message")
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::domain::{EntryId, Epoch};

    const ME: UserId = UserId(9);

    fn entry(by: u64, kind: &str) -> String {
        let by = UserId(by);
        format!(
            r#"{{"epoch":"00000000000000aa","by":"{by}","name":"지우","body":{{"kind":"{kind}","text":"\"by\""}}}}"#
        )
    }

    #[test]
    fn only_messages_of_others_are_unread() {
        for (by, kind, counts) in [(1, "message", true), (9, "message", false), (1, "poll", false)] {
            assert_eq!(is_message_of_another(&entry(by, kind), ME), counts, "{by} {kind}");
        }
        assert!(!is_message_of_another("no entry", ME));
    }

    #[test]
    fn counting_ends_when_enough_was_counted_or_looked_at() {
        let mut unread = UnreadCount::of(ME);
        assert_eq!((1..9_999).find(|_| !unread.add(&entry(1, "message"))), Some(UNREAD_MAX));
        assert_eq!(unread.count(), UNREAD_MAX);
        let mut unread = UnreadCount::of(ME);
        assert_eq!((1..9_999).find(|_| !unread.add(&entry(9, "message"))), Some(UNREAD_SCAN));
        assert_eq!(unread.count(), 0);
        let long = entry(9, &"x".repeat(16 * 1024));
        let mut unread = UnreadCount::of(ME);
        assert_eq!((1..9_999).find(|_| !unread.add(&long)), Some(UNREAD_BYTES / (16 * 1024)));
    }

    #[test]
    fn as_much_is_read_at_a_time_as_may_be_looked_at() {
        let mut unread = UnreadCount::of(ME);
        assert_eq!(unread.next(128), 16);
        unread.add(&entry(9, "message"));
        assert_eq!(unread.next(128), 128);
        for _ in 0..4 {
            unread.add(&entry(9, &"x".repeat(16 * 1024)));
        }
        assert_eq!(unread.next(128), 16);
    }

    #[test]
    fn a_mark_stands_in_the_log_as_it_is_now() {
        let top = Cursor { epoch: Epoch(7), seq: 5, id: EntryId(50) };
        let stands = |epoch, seq| standing(ReadMark { epoch: Epoch(epoch), seq }, top);
        assert_eq!(
            [stands(7, 3), stands(7, 9), stands(8, 3)].map(|mark| (mark.epoch, mark.seq)),
            [(Epoch(7), 3), (Epoch(7), 5), (Epoch(7), 0)]
        );
    }
}

//! How far members have read.

use super::{
    Memory,
    live::Event,
    log::place,
    state::{Room, Turn},
};
use app::{
    domain::{RoomKey, UserId},
    protocol::{ReadMark, Reading, UNREAD_MAX},
};
use async_trait::async_trait;
use hubbub::engine::{Reads, StoreError};

/// Entries, and bytes of them, that are looked at for unread messages.
const UNREAD_SCAN: usize = 1_024;
const UNREAD_BYTES: usize = 256 * 1024;

#[async_trait]
impl Reads for Memory {
    async fn raise_mark(&self, user: UserId, room: &RoomKey, mark: ReadMark) -> Result<Option<ReadMark>, StoreError> {
        let room = room.clone();
        self.ask(move |turn| turn.raise_mark(user, room, mark)).await
    }

    async fn marks(&self, user: UserId, rooms: &[RoomKey]) -> Result<Vec<Option<ReadMark>>, StoreError> {
        let rooms = rooms.to_vec();
        self.ask(move |turn| rooms.iter().map(|room| turn.mark(user, room).map(|(mark, _)| mark)).collect()).await
    }

    async fn readings(&self, user: UserId, places: &[(RoomKey, u64)]) -> Result<Vec<Reading>, StoreError> {
        let places = places.to_vec();
        self.ask(move |turn| places.iter().map(|(room, to)| turn.reading(user, room, *to)).collect()).await
    }
}

impl Turn<'_> {
    fn raise_mark(&mut self, user: UserId, key: RoomKey, mark: ReadMark) -> Option<ReadMark> {
        let top = self.room(&key)?.top();
        let mark = ReadMark { epoch: mark.epoch, seq: mark.seq.min(top.seq) };
        let member = self.state.members.get_mut(&user)?.iter_mut().find(|member| member.room == key)?;
        if mark.epoch != top.epoch || (member.mark.epoch == mark.epoch && member.mark.seq >= mark.seq) {
            return None;
        }
        member.mark = mark;
        self.tell(Event::Read(user, key, mark));
        Some(mark)
    }

    /// A member's mark in the log as it is now: at its start if the log was started anew, at its end if it was set back.
    fn mark(&self, user: UserId, key: &RoomKey) -> Option<(ReadMark, &Room)> {
        let room = self.room(key)?;
        let stored = self.state.members.get(&user)?.iter().find(|member| member.room == *key)?.mark;
        let top = room.top();
        let seq = if stored.epoch == top.epoch { stored.seq.min(top.seq) } else { 0 };
        Some((ReadMark { epoch: top.epoch, seq }, room))
    }

    fn reading(&self, user: UserId, key: &RoomKey, to: u64) -> Reading {
        let Some((mark, room)) = self.mark(user, key) else { return Reading::default() };
        let (mut unread, mut bytes) = (0, 0);
        for kept in room.log.iter().take(place(to)).skip(place(mark.seq)).take(UNREAD_SCAN) {
            unread += usize::from(kept.entry.by != user && kept.entry.text().is_some());
            bytes += kept.record.json.len();
            if unread == UNREAD_MAX || bytes >= UNREAD_BYTES {
                break;
            }
        }
        Reading { mark: Some(mark), unread }
    }
}

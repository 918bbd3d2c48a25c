//! Reading the rooms' logs.

use super::{
    Memory,
    state::{Kept, Room, Turn},
    ways::Kind,
};
use app::domain::{Cursor, Epoch, RoomKey};
use async_trait::async_trait;
use hubbub::engine::{After, AppendError, Appended, Draft, NoTop, Record, RecordPage, RoomLog, StoreError};

#[async_trait]
impl RoomLog for Memory {
    async fn append(&self, draft: Draft) -> Result<Appended, AppendError> {
        self.line.ask(Kind::Append, move |turn| turn.append(&draft)).await?
    }

    async fn read_after(&self, room: &RoomKey, cursor: Cursor, limit: usize) -> Result<After, StoreError> {
        let room = room.clone();
        self.ask(move |turn| turn.room(&room).map_or(After::Reset, |room| room.after(cursor, limit))).await
    }

    async fn newest(&self, room: &RoomKey, limit: usize) -> Result<Option<RecordPage>, StoreError> {
        let room = room.clone();
        self.ask(move |turn| turn.room(&room).map(|room| room.page(room.log.len(), limit))).await
    }

    async fn read_before(
        &self,
        room: &RoomKey,
        epoch: Epoch,
        before: u64,
        limit: usize,
    ) -> Result<Option<RecordPage>, StoreError> {
        let room = room.clone();
        self.ask(move |turn| {
            let room = turn.room(&room).filter(|room| room.epoch == epoch)?;
            Some(room.page(place(before.saturating_sub(1)).min(room.log.len()), limit))
        })
        .await
    }

    async fn top(&self, room: &RoomKey) -> Result<Option<Cursor>, StoreError> {
        let room = room.clone();
        self.ask(move |turn| turn.room(&room).map(Room::top)).await
    }

    async fn tops(&self, rooms: &[RoomKey]) -> Result<Vec<Result<Option<Cursor>, NoTop>>, StoreError> {
        let rooms = rooms.to_vec();
        self.ask(move |turn| rooms.iter().map(|room| Ok(turn.room(room).map(Room::top))).collect()).await
    }
}

impl Turn<'_> {
    pub fn room(&self, key: &RoomKey) -> Option<&Room> {
        self.state.rooms.get(key)
    }
}

impl Room {
    pub fn top(&self) -> Cursor {
        self.cursor(self.log.len())
    }

    /// The place after so many entries.
    fn cursor(&self, count: usize) -> Cursor {
        let last = count.checked_sub(1).map(|last| self.log[last].record.cursor());
        last.unwrap_or(Cursor::origin(self.epoch))
    }

    fn after(&self, cursor: Cursor, limit: usize) -> After {
        let from = place(cursor.seq);
        if from > self.log.len() || self.cursor(from) != cursor {
            return After::Reset;
        }
        After::Entries { records: records(self.log.iter().skip(from).take(limit)), top: self.top() }
    }

    /// At most `limit` entries, of the first `end`.
    fn page(&self, end: usize, limit: usize) -> RecordPage {
        let start = end.saturating_sub(limit);
        RecordPage { records: records(&self.log[start..end]), cursor: self.cursor(end), older: start > 0 }
    }
}

fn records<'a>(kept: impl IntoIterator<Item = &'a Kept>) -> Vec<Record> {
    kept.into_iter().map(|kept| kept.record.clone()).collect()
}

/// A seq as a number of entries.
pub fn place(seq: u64) -> usize {
    usize::try_from(seq).unwrap_or(usize::MAX)
}

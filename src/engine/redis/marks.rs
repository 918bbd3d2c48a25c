//! How far members have read. A person's marks are in one hash beside the list of their rooms; a room's log may be on
//! another node of a Cluster, so what a mark is checked against is read before.

use super::{Redis, control::Word, directory::MEMBERS_KEPT, script::RAISE_MARK};
use crate::engine::{
    NoTop, Reads, RoomLog, StoreError,
    reads::{UNREAD_SCAN, UnreadCount, standing},
};
use app::{
    domain::{Cursor, RoomKey, UserId},
    protocol::{ReadMark, Reading},
};
use async_trait::async_trait;
use fred::{bytes_utils::Str, prelude::HashesInterface};
use futures_util::future::try_join_all;
use std::slice;

/// Entries read at most at a time to count unread ones, and rooms in which that is done at a time.
const CHUNK: usize = 128;
const COUNTED_AT_ONCE: usize = 8;

#[async_trait]
impl Reads for Redis {
    async fn raise_mark(&self, user: UserId, room: &RoomKey, mark: ReadMark) -> Result<Option<ReadMark>, StoreError> {
        let Some(top) = self.end_of(room).await?.filter(|top| top.epoch == mark.epoch) else { return Ok(None) };
        let mark = ReadMark { epoch: mark.epoch, seq: mark.seq.min(top.seq) };
        let tag = self.keys.room(room).into_tag();
        let kept = MEMBERS_KEPT.as_secs().to_string();
        let args = vec![tag.into(), mark.epoch.to_string().into(), mark.seq.to_string().into(), kept.into()];
        let rose: bool = RAISE_MARK.run(&self.client, self.keys.of_member(user), args).await?;
        if !rose {
            return Ok(None);
        }
        self.subscriptions.report_read(user, room, mark);
        self.tell_others(&Word::Read(user, room.clone(), mark)).await;
        Ok(Some(mark))
    }

    async fn marks(&self, user: UserId, rooms: &[RoomKey]) -> Result<Vec<Option<ReadMark>>, StoreError> {
        let placed = self.marks_and_tops(user, rooms).await?;
        Ok(placed.into_iter().map(|placed| placed.map(|(mark, _)| mark)).collect())
    }

    async fn readings(&self, user: UserId, places: &[(RoomKey, u64)]) -> Result<Vec<Reading>, StoreError> {
        let rooms: Vec<_> = places.iter().map(|(room, _)| room.clone()).collect();
        let placed = self.marks_and_tops(user, &rooms).await?;
        let mut readings = Vec::with_capacity(places.len());
        for (places, placed) in places.chunks(COUNTED_AT_ONCE).zip(placed.chunks(COUNTED_AT_ONCE)) {
            let some = places.iter().zip(placed).map(|((room, to), placed)| self.reading(user, room, *to, *placed));
            readings.extend(try_join_all(some).await?);
        }
        Ok(readings)
    }
}

impl Redis {
    /// What a mark is at the log's end, as it is stored.
    pub(super) async fn mark_at_the_end(&self, room: &RoomKey) -> Result<String, StoreError> {
        let top = self.end_of(room).await?;
        Ok(top.map(|Cursor { epoch, seq, .. }| format!("{epoch} {seq}")).unwrap_or_default())
    }

    /// The same for a mark that says less of the log as it is now.
    pub(super) async fn mark_not_after(&self, room: &RoomKey, read: ReadMark) -> Result<String, StoreError> {
        let top = self.end_of(room).await?;
        let seq = |top: Cursor| if read.epoch == top.epoch { read.seq.min(top.seq) } else { top.seq };
        Ok(top.map(|top| format!("{} {}", top.epoch, seq(top))).unwrap_or_default())
    }

    async fn end_of(&self, room: &RoomKey) -> Result<Option<Cursor>, StoreError> {
        Ok(self.tops(slice::from_ref(room)).await?.pop().transpose()?.flatten())
    }

    /// A member's marks as they stand in the logs, and where the logs end.
    async fn marks_and_tops(
        &self,
        user: UserId,
        rooms: &[RoomKey],
    ) -> Result<Vec<Option<(ReadMark, Cursor)>>, StoreError> {
        if rooms.is_empty() {
            return Ok(Vec::new());
        }
        let tags: Vec<String> = rooms.iter().map(|room| self.keys.room(room).into_tag()).collect();
        let marks = async {
            let marks: Vec<Option<Str>> = self.client.hmget(self.keys.marks(user), tags).await?;
            Ok(marks)
        };
        let (marks, tops) = tokio::try_join!(marks, self.tops(rooms))?;
        let place = |(mark, top): (Option<Str>, Result<Option<Cursor>, NoTop>)| {
            // Of a log that cannot be read nothing is told, so that the person's other rooms are.
            let top = top.ok().flatten()?;
            Some((standing(stored_mark(&mark?)?, top), top))
        };
        Ok(marks.into_iter().zip(tops).map(place).collect())
    }

    async fn reading(
        &self,
        user: UserId,
        room: &RoomKey,
        to: u64,
        placed: Option<(ReadMark, Cursor)>,
    ) -> Result<Reading, StoreError> {
        let Some((mark, top)) = placed else { return Ok(Reading::default()) };
        let unread = self.count_unread(user, room, mark, top.seq.min(to)).await?;
        Ok(Reading { mark: Some(mark), unread })
    }

    /// In steps, since others wrote most of what follows a mark, as a rule: then the first one tells.
    async fn count_unread(&self, user: UserId, room: &RoomKey, mark: ReadMark, to: u64) -> Result<usize, StoreError> {
        let mut unread = UnreadCount::of(user);
        let last = to.min(mark.seq.saturating_add(UNREAD_SCAN as u64));
        let mut from = mark.seq + 1;
        while from <= last {
            let to = last.min(from + unread.next(CHUNK) as u64 - 1);
            if !self.entries(room, from, to).await?.iter().all(|entry| unread.add(entry)) {
                break;
            }
            from = to + 1;
        }
        Ok(unread.count())
    }

    /// Not checked to be a run: it is only counted.
    async fn entries(&self, room: &RoomKey, from: u64, to: u64) -> Result<Vec<Str>, StoreError> {
        let args =
            vec!["XRANGE".into(), format!("{from}-0").into(), format!("{to}-0").into(), CHUNK.to_string().into()];
        let mut answer = self.read_log(room, args).await?;
        answer.drain(..answer.len().min(3));
        Ok(answer)
    }
}

/// A mark as it stands in a hash: its epoch and seq.
pub(super) fn stored_mark(text: &str) -> Option<ReadMark> {
    let (epoch, seq) = text.split_once(' ')?;
    Some(ReadMark { epoch: epoch.parse().ok()?, seq: seq.parse().ok()? })
}

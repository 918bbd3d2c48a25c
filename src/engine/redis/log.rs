//! The rooms' logs.

use super::{
    Redis,
    cluster::is_away,
    keys::RoomKeys,
    script::{MEND, READ},
};
use crate::engine::{
    After, AppendError, Appended, Damaged, Draft, NoTop, Record, RecordPage, RoomLog, StoreError, random_id,
};
use app::domain::{Cursor, EntryId, Epoch, RoomKey, RoomName};
use async_trait::async_trait;
use fred::{
    bytes_utils::Str,
    prelude::{HashesInterface, StreamsInterface, Value},
};
use futures_util::future::try_join_all;
use serde::Deserialize;
use std::sync::Arc;
use tracing::warn;

/// What scripts answer where meta and log do not fit.
pub const MISFIT: &str = "misfit";

#[async_trait]
impl RoomLog for Redis {
    async fn append(&self, draft: Draft) -> Result<Appended, AppendError> {
        self.append_in_turn(draft).await
    }

    async fn read_after(&self, room: &RoomKey, cursor: Cursor, limit: usize) -> Result<After, StoreError> {
        let from = format!("{}-0", cursor.seq.max(1));
        // With the cursor's own entry; before the first entry there is none.
        let count = limit + usize::from(cursor.seq > 0);
        let Some((top, mut records)) = self.read(room, "XRANGE", &from, "+", count).await? else {
            return Ok(After::Reset);
        };
        if cursor.epoch != top.epoch || cursor.seq > top.seq {
            return Ok(After::Reset);
        }
        if cursor.seq == 0 {
            if cursor.id != EntryId(0) {
                return Ok(After::Reset);
            }
        } else if count > 0 {
            if records.first().is_none_or(|own| own.cursor() != cursor) {
                return Ok(After::Reset);
            }
            records.remove(0);
        }
        // An operator may have trimmed or repaired the stream: what does not follow must not be shown as if it did.
        if records.first().is_some_and(|next| next.seq != cursor.seq + 1 || next.prev != cursor.id) {
            return Ok(After::Reset);
        }
        if records.len() < limit && records.last().map_or(cursor, Record::cursor) != top {
            return Ok(After::Reset);
        }
        Ok(After::Entries { records, top })
    }

    async fn newest(&self, room: &RoomKey, limit: usize) -> Result<Option<RecordPage>, StoreError> {
        let read = self.read(room, "XREVRANGE", "+", "-", limit + 1).await?;
        let Some((top, records)) = read else { return Ok(None) };
        if records.last().map_or(Cursor::origin(top.epoch), Record::cursor) != top {
            return Err(damaged(&self.keys.room(room)).into());
        }
        Ok(Some(page(top.epoch, records, limit)))
    }

    async fn read_before(
        &self,
        room: &RoomKey,
        epoch: Epoch,
        before: u64,
        limit: usize,
    ) -> Result<Option<RecordPage>, StoreError> {
        let to = format!("{}-0", before.saturating_sub(1));
        let read = self.read(room, "XREVRANGE", &to, "-", limit + 1).await?;
        let Some((top, mut records)) = read.filter(|(top, _)| top.epoch == epoch) else { return Ok(None) };
        if records.last().is_some_and(|last| last.seq + 1 != before && last.cursor() != top) {
            // There is a hole in between.
            records.clear();
        }
        Ok(Some(page(top.epoch, records, limit)))
    }

    async fn top(&self, room: &RoomKey) -> Result<Option<Cursor>, StoreError> {
        Ok(self.read(room, "XRANGE", "-", "+", 0).await?.map(|(top, _)| top))
    }

    async fn tops(&self, rooms: &[RoomKey]) -> Result<Vec<Result<Option<Cursor>, NoTop>>, StoreError> {
        // Queued together, they travel together; in a Cluster to several nodes.
        let read = |room| async move {
            match self.top_of(room).await {
                Ok(top) => Ok(Ok(top)),
                // It is for whoever reads it, and does not keep the others from being looked at.
                Err(NotRead::Damaged(damaged)) => Ok(Err(damaged.into())),
                Err(NotRead::Store(error)) if is_away(&error.0) => Ok(Err(NoTop::Away)),
                Err(NotRead::Store(error)) => Err(error),
            }
        };
        try_join_all(rooms.iter().map(read)).await
    }
}

impl Redis {
    async fn top_of(&self, room: &RoomKey) -> Result<Option<Cursor>, NotRead> {
        let keys = self.keys.room(room);
        let (fields, count): (Vec<Option<Str>>, u64) =
            tokio::try_join!(self.client.hmget(keys.meta(), vec!["epoch", "seq", "id"]), self.client.xlen(keys.log()))
                .map_err(StoreError::from)?;
        let top = match fields.as_slice() {
            [Some(epoch), Some(seq), Some(id)] => cursor(epoch, seq, id),
            _ => None,
        };
        if top.map_or(0, |top| top.seq) == count {
            return Ok(top);
        }
        // Something was appended between the two, or they do not fit.
        Ok(self.read(room, "XRANGE", "-", "+", 0).await?.map(|(top, _)| top))
    }

    /// The answer of a read, once meta says what the log says.
    pub(super) async fn read_log(&self, room: &RoomKey, args: Vec<Value>) -> Result<Vec<Str>, NotRead> {
        let keys = self.keys.room(room);
        for _ in 0..2 {
            let answer: Vec<Str> =
                READ.run(&self.client, vec![keys.meta(), keys.log()], args.clone()).await.map_err(StoreError::from)?;
            if !matches!(answer.as_slice(), [one] if &**one == MISFIT) {
                return Ok(answer);
            }
            if !self.mend(room, None).await? {
                return Ok(Vec::new());
            }
        }
        Err(damaged(&keys).into())
    }

    /// Makes meta say where the log ends. False if there is no such room, which one is whose name nobody knows: `name` is
    /// for a room whose meta is lost.
    pub(super) async fn mend(&self, room: &RoomKey, name: Option<&RoomName>) -> Result<bool, NotRead> {
        let keys = self.keys.room(room);
        let args =
            vec![Epoch(random_id()).to_string().into(), room.as_str().into(), name.map_or("", RoomName::as_str).into()];
        let answer: Vec<Str> =
            MEND.run(&self.client, vec![keys.meta(), keys.log()], args).await.map_err(StoreError::from)?;
        let [how, before, after] = answer.as_slice() else {
            return if answer.is_empty() { Ok(false) } else { Err(damaged(&keys).into()) };
        };
        let (tag, before, after) = (keys.tag(), &**before, &**after);
        match &**how {
            "log" => warn!(room = tag, before, after, "a room's log ended elsewhere than was noted: it counts"),
            "anew" => warn!(room = tag, before, "a room's log is gone from Redis: another one begins"),
            _ => return Ok(true),
        }
        self.subscriptions.report_doubt(room);
        Ok(true)
    }

    /// The place of the log's last entry and a run of entries, oldest first, as of one moment. Where there is a hole in what
    /// was asked for, the run ends there.
    async fn read(
        &self,
        room: &RoomKey,
        how: &'static str,
        from: &str,
        to: &str,
        count: usize,
    ) -> Result<Option<(Cursor, Vec<Record>)>, NotRead> {
        let args = vec![how.into(), from.into(), to.into(), count.to_string().into()];
        let answer = self.read_log(room, args).await?;
        let [epoch, seq, id, entries @ ..] = answer.as_slice() else { return Ok(None) };
        let broken = || damaged(&self.keys.room(room));
        let top = cursor(epoch, seq, id).ok_or_else(broken)?;
        let mut records = entries.iter().map(|json| record(json)).collect::<Option<Vec<_>>>().ok_or_else(broken)?;
        if how == "XREVRANGE" {
            records.reverse();
        }
        // Each names its predecessor, so a hole or a foreign entry shows. What is beyond it is not shown as if it were none.
        let joined =
            |two: &[Record]| two[0].seq + 1 == two[1].seq && two[0].id == two[1].prev && two[0].epoch == two[1].epoch;
        if how == "XREVRANGE" {
            let hole = records.windows(2).rposition(|two| !joined(two));
            records.drain(..hole.map_or(0, |at| at + 1));
        } else {
            let hole = records.windows(2).position(|two| !joined(two));
            records.truncate(hole.map_or(usize::MAX, |at| at + 1));
        }
        if records.iter().any(|record| record.epoch != top.epoch) {
            return Err(broken().into());
        }
        Ok(Some((top, records)))
    }
}

/// The log is not what this engine writes.
fn damaged(keys: &RoomKeys) -> Damaged {
    Damaged(keys.tag().to_owned())
}

/// Why a log was not read.
pub(super) enum NotRead {
    Damaged(Damaged),
    Store(StoreError),
}

impl From<Damaged> for NotRead {
    fn from(damaged: Damaged) -> Self {
        Self::Damaged(damaged)
    }
}

impl From<StoreError> for NotRead {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<NotRead> for StoreError {
    fn from(unread: NotRead) -> Self {
        match unread {
            NotRead::Damaged(damaged) => damaged.into(),
            NotRead::Store(error) => error,
        }
    }
}

/// From one record more than the page may hold, which tells whether there are older ones.
fn page(epoch: Epoch, mut records: Vec<Record>, limit: usize) -> RecordPage {
    let older = records.len() > limit;
    if older {
        records.remove(0);
    }
    let cursor = records.last().map_or(Cursor::origin(epoch), Record::cursor);
    RecordPage { records, cursor, older }
}

fn cursor(epoch: &str, seq: &str, id: &str) -> Option<Cursor> {
    Some(Cursor { epoch: epoch.parse().ok()?, seq: seq.parse().ok()?, id: id.parse().ok()? })
}

/// Reads only an entry's place out of its JSON, without copying anything.
pub(super) fn record(json: &str) -> Option<Record> {
    #[derive(Deserialize)]
    struct Place<'a> {
        epoch: &'a str,
        seq: u64,
        id: &'a str,
        prev: &'a str,
    }
    let place: Place<'_> = serde_json::from_str(json).ok()?;
    Some(Record {
        epoch: place.epoch.parse().ok()?,
        seq: place.seq,
        id: place.id.parse().ok()?,
        prev: place.prev.parse().ok()?,
        json: Arc::from(json),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_s_place_is_read_without_the_rest() {
        let json = r#"{"epoch":"00000000000000aa","seq":3,"id":"0000000000000003","prev":"0000000000000002","at":5,
            "by":"0000000000000009","name":"지우","p":"0000000000000007","n":1,"body":{"kind":"poll","q":"?"}}"#;
        let read = record(json).unwrap();
        assert_eq!(read.cursor(), Cursor { epoch: Epoch(0xaa), seq: 3, id: EntryId(3) });
        assert_eq!((read.prev, &*read.json), (EntryId(2), json));
        assert_eq!(record("presence"), None);
    }
}

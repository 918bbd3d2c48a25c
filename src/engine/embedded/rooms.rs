//! Rooms and their logs, as they are read.

use crate::engine::{After, Record, RecordPage, random_id};
use app::{
    domain::{Cursor, EntryId, Epoch, RoomKey},
    page::{RoomLine, RoomRef},
};
use rusqlite::{Connection, OptionalExtension, Row, params, types::Type};
use serde::de::{
    DeserializeOwned,
    value::{self, StrDeserializer},
};

/// A new room with an empty log; its row and epoch.
pub(super) fn create_room(db: &Connection, room: &RoomRef, now: i64) -> rusqlite::Result<(i64, Epoch)> {
    let epoch = Epoch(random_id());
    let id = db
        .prepare_cached("INSERT INTO rooms (key, name, epoch, seq, top_id, active_at) VALUES (?1, ?2, ?3, 0, 0, ?4)")?
        .insert(params![room.key.as_str(), room.name.as_str(), epoch.0.cast_signed(), now])?;
    Ok((id, epoch))
}

pub(super) fn room(db: &Connection, key: &RoomKey) -> rusqlite::Result<Option<RoomRef>> {
    db.prepare_cached("SELECT key, name FROM rooms WHERE key = ?1")?.query_row([key.as_str()], room_ref).optional()
}

/// The most recently active first, with nobody in them yet.
pub(super) fn rooms(db: &Connection, limit: usize) -> rusqlite::Result<Vec<RoomLine>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    db.prepare_cached("SELECT key, name, active_at FROM rooms ORDER BY active_at DESC, seq DESC, id DESC LIMIT ?1")?
        .query_map([limit], |row| {
            Ok(RoomLine { room: room_ref(row)?, people: 0, active_at: row.get::<_, i64>(2)?.cast_unsigned() })
        })?
        .collect()
}

/// From the columns `key, name`.
pub(super) fn room_ref(row: &Row<'_>) -> rusqlite::Result<RoomRef> {
    Ok(RoomRef { key: stored_name(row, 0)?, name: stored_name(row, 1)? })
}

/// A name that was checked before it was stored. It is not checked again: what it was allowed to be then must stay
/// readable.
pub(super) fn stored_name<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    T::deserialize(StrDeserializer::<value::Error>::new(text))
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into()))
}

/// The end of a room's log.
struct Top {
    room: i64,
    at: Cursor,
}

fn load_top(db: &Connection, key: &RoomKey) -> rusqlite::Result<Option<Top>> {
    db.prepare_cached("SELECT id, epoch, seq, top_id FROM rooms WHERE key = ?1")?
        .query_row([key.as_str()], |row| {
            let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
            let at = Cursor { epoch: Epoch(number(1)?), seq: number(2)?, id: EntryId(number(3)?) };
            Ok(Top { room: row.get(0)?, at })
        })
        .optional()
}

pub(super) fn top(db: &Connection, key: &RoomKey) -> rusqlite::Result<Option<Cursor>> {
    Ok(load_top(db, key)?.map(|top| top.at))
}

pub(super) fn read_after(db: &Connection, key: &RoomKey, cursor: Cursor, limit: usize) -> rusqlite::Result<After> {
    let Some(Top { room, at: top }) = load_top(db, key)? else { return Ok(After::Reset) };
    if cursor.epoch != top.epoch || cursor.seq > top.seq {
        return Ok(After::Reset);
    }
    let end = cursor.seq.saturating_add(limit as u64).min(top.seq);
    let (id, records) = span(db, room, top.epoch, cursor.seq, end)?;
    Ok(if id == cursor.id { After::Entries { records, top } } else { After::Reset })
}

pub(super) fn newest(db: &Connection, key: &RoomKey, limit: usize) -> rusqlite::Result<Option<RecordPage>> {
    load_top(db, key)?.map(|top| page(db, &top, top.at.seq, limit)).transpose()
}

pub(super) fn read_before(
    db: &Connection,
    key: &RoomKey,
    epoch: Epoch,
    before: u64,
    limit: usize,
) -> rusqlite::Result<Option<RecordPage>> {
    load_top(db, key)?
        .filter(|top| top.at.epoch == epoch)
        .map(|top| page(db, &top, before.saturating_sub(1).min(top.at.seq), limit))
        .transpose()
}

/// At most `limit` records that end with seq `end`.
fn page(db: &Connection, top: &Top, end: u64, limit: usize) -> rusqlite::Result<RecordPage> {
    let start = end.saturating_sub(limit as u64);
    let (id, records) = span(db, top.room, top.at.epoch, start, end)?;
    let before = Cursor { epoch: top.at.epoch, seq: start, id };
    Ok(RecordPage { cursor: records.last().map_or(before, Record::cursor), records, older: start > 0 })
}

/// The id of the entry at seq `start`, and the records after it up to seq `end`: each entry's predecessor is in the row
/// before its own.
fn span(db: &Connection, room: i64, epoch: Epoch, start: u64, end: u64) -> rusqlite::Result<(EntryId, Vec<Record>)> {
    let mut statement =
        db.prepare_cached("SELECT seq, id, json FROM entries WHERE room = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq")?;
    let mut rows = statement.query([room, start.cast_signed(), end.cast_signed()])?;
    let mut first = EntryId(0);
    let mut prev = first;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let (seq, id) = (row.get::<_, i64>(0)?.cast_unsigned(), EntryId(row.get::<_, i64>(1)?.cast_unsigned()));
        if seq == start {
            first = id;
        } else {
            records.push(Record { epoch, seq, id, prev, json: row.get_ref(2)?.as_str()?.into() });
        }
        prev = id;
    }
    Ok((first, records))
}

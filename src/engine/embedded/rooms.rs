//! Rooms and their logs, as they are read.

use super::health::corrupt;
use crate::engine::{After, CreateError, Listed, Record, RecordPage, excerpt, random_id};
use app::{
    domain::{Cursor, Entry, EntryId, Epoch, NameKey, RoomKey, RoomRef},
    page::LastMessage,
};
use rusqlite::{Connection, OptionalExtension, Row, params, types::Type};
use serde::de::{
    DeserializeOwned,
    value::{self, StrDeserializer},
};

/// A new room with an empty log; its row and epoch.
pub(super) fn create_room(db: &Connection, room: &RoomRef, now: i64) -> rusqlite::Result<(i64, Epoch)> {
    let (epoch, looks) = (Epoch(random_id()), room.name.looks());
    let id = db
        .prepare_cached(
            "INSERT INTO rooms (key, name, epoch, seq, top_id, active_at, listed_at, folded, drawn)
             VALUES (?1, ?2, ?3, 0, 0, ?4, ?4, ?5, ?6)",
        )?
        .insert(params![
            room.key.as_str(),
            room.name.as_str(),
            epoch.0.cast_signed(),
            now,
            looks.folded(),
            looks.drawn()
        ])?;
    Ok((id, epoch))
}

/// The room of that name, made if there is none, or why it may not be.
pub(super) fn find_or_create(
    db: &Connection,
    new: &RoomRef,
    now: i64,
) -> rusqlite::Result<Result<RoomRef, CreateError>> {
    if let Some(room) = room(db, &new.key)? {
        return Ok(Ok(room));
    }
    if let Some(twin) = look_alike(db, &new.name.looks())? {
        return Ok(Err(CreateError::LooksLike(twin)));
    }
    if new.name.mixes_scripts() {
        return Ok(Err(CreateError::MixedScripts));
    }
    create_room(db, new, now)?;
    Ok(Ok(new.clone()))
}

/// The first room that readers may take one that looks like this for.
pub(super) fn look_alike(db: &Connection, looks: &NameKey) -> rusqlite::Result<Option<RoomRef>> {
    db.prepare_cached("SELECT key, name FROM rooms WHERE folded = ?1 OR drawn = ?2 ORDER BY id LIMIT 1")?
        .query_row([looks.folded(), looks.drawn()], room_ref)
        .optional()
}

pub(super) fn room(db: &Connection, key: &RoomKey) -> rusqlite::Result<Option<RoomRef>> {
    db.prepare_cached("SELECT key, name FROM rooms WHERE key = ?1")?.query_row([key.as_str()], room_ref).optional()
}

/// By how many milliseconds `listed_at`, which has an index, and `active_at`, which has none, may differ.
pub(super) const LISTED_WITHIN: i64 = 10_000;

/// The most recently active first, with nobody in them yet.
pub(super) fn rooms(db: &Connection, limit: usize) -> rusqlite::Result<Vec<Listed>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    // No room further behind than the two times may differ can be one of them.
    db.prepare_cached(
        "SELECT key, name, active_at, (SELECT json FROM entries WHERE room = rooms.id AND seq = rooms.seq) FROM rooms
         WHERE listed_at >= ifnull((SELECT listed_at FROM rooms ORDER BY listed_at DESC LIMIT 1 OFFSET ?1 - 1), 0) - ?2
         ORDER BY active_at DESC, seq DESC, id DESC LIMIT ?1",
    )?
    .query_map([limit, 2 * LISTED_WITHIN], |row| {
        let last = row.get_ref(3)?.as_str_or_null()?.and_then(last_message);
        let active_at = row.get::<_, i64>(2)?.cast_unsigned();
        Ok(Listed { room: room_ref(row)?, people: Vec::new(), active_at, last })
    })?
    .collect()
}

fn last_message(entry: &str) -> Option<LastMessage> {
    let entry: Entry = serde_json::from_str(entry).ok()?;
    entry.text().map(|text| excerpt(entry.name.clone(), text))
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

/// Makes sure that the entry is there: a room goes live where its log ends.
pub(super) fn top(db: &Connection, key: &RoomKey) -> rusqlite::Result<Option<Cursor>> {
    let Some(Top { room, at }) = load_top(db, key)? else { return Ok(None) };
    let mut last = db.prepare_cached("SELECT 1 FROM entries WHERE room = ?1 AND seq = ?2 AND id = ?3")?;
    if at.seq > 0 && !last.exists([room, at.seq.cast_signed(), at.id.0.cast_signed()])? {
        return Err(corrupt(format!("the log of room {room} does not end with entry {}", at.seq)));
    }
    Ok(Some(at))
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

/// The id of the entry at seq `start`, and the records after it up to seq `end`, all of them: each entry's predecessor is in
/// the row before its own.
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
    if records.len() as u64 != end.saturating_sub(start) || (first == EntryId(0)) != (start == 0) {
        return Err(corrupt(format!("the log of room {room} has a hole between {start} and {end}")));
    }
    Ok((first, records))
}

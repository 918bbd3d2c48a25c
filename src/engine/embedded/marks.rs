//! How far members have read.

use super::Embedded;
use crate::engine::{
    Reads, StoreError,
    reads::{UNREAD_SCAN, UnreadCount, standing},
};
use app::{
    domain::{Cursor, EntryId, Epoch, RoomKey, UserId},
    protocol::{ReadMark, Reading},
};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

#[async_trait]
impl Reads for Embedded {
    async fn raise_mark(&self, user: UserId, room: &RoomKey, mark: ReadMark) -> Result<Option<ReadMark>, StoreError> {
        let (room, told) = (room.clone(), room.clone());
        self.write_and_report(
            move |db| raise(db, user, &room, mark),
            move |raised, sink| {
                if let Some(mark) = *raised {
                    sink.read(user, &told, mark);
                }
            },
        )
        .await
    }

    async fn marks(&self, user: UserId, rooms: &[RoomKey]) -> Result<Vec<Option<ReadMark>>, StoreError> {
        let rooms = rooms.to_vec();
        self.read(move |db| {
            let mark = |room| Ok(MarkedPlace::load(db, user, room)?.map(|place| place.mark));
            rooms.iter().map(mark).collect()
        })
        .await
    }

    async fn readings(&self, user: UserId, places: &[(RoomKey, u64)]) -> Result<Vec<Reading>, StoreError> {
        let places = places.to_vec();
        self.read(move |db| places.iter().map(|(room, to)| reading(db, user, room, *to)).collect()).await
    }
}

fn raise(db: &Connection, user: UserId, room: &RoomKey, mark: ReadMark) -> rusqlite::Result<Option<ReadMark>> {
    let seq = i64::try_from(mark.seq).unwrap_or(i64::MAX);
    db.prepare_cached(
        "UPDATE members SET mark_epoch = epoch, mark_seq = min(?4, seq) FROM rooms
         WHERE rooms.id = members.room AND key = ?2 AND user = ?1 AND epoch = ?3
           AND (mark_epoch <> epoch OR mark_seq < min(?4, seq))
         RETURNING mark_seq",
    )?
    .query_row(params![user.0.cast_signed(), room.as_str(), mark.epoch.0.cast_signed(), seq], |row| {
        Ok(ReadMark { epoch: mark.epoch, seq: row.get::<_, i64>(0)?.cast_unsigned() })
    })
    .optional()
}

/// A member's mark, and the room it is in.
struct MarkedPlace {
    room: i64,
    top: u64,
    mark: ReadMark,
}

impl MarkedPlace {
    fn load(db: &Connection, user: UserId, room: &RoomKey) -> rusqlite::Result<Option<Self>> {
        db.prepare_cached(
            "SELECT rooms.id, epoch, seq, top_id, mark_epoch, mark_seq FROM members JOIN rooms ON rooms.id = members.room
             WHERE user = ?1 AND key = ?2",
        )?
        .query_row(params![user.0.cast_signed(), room.as_str()], |row| {
            let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
            let top = Cursor { epoch: Epoch(number(1)?), seq: number(2)?, id: EntryId(number(3)?) };
            let stored = ReadMark { epoch: Epoch(number(4)?), seq: number(5)? };
            Ok(Self { room: row.get(0)?, top: top.seq, mark: standing(stored, top) })
        })
        .optional()
    }
}

fn reading(db: &Connection, user: UserId, room: &RoomKey, to: u64) -> rusqlite::Result<Reading> {
    let Some(MarkedPlace { room, top, mark }) = MarkedPlace::load(db, user, room)? else {
        return Ok(Reading::default());
    };
    let mut unread = UnreadCount::of(user);
    let last = top.min(to);
    if mark.seq < last {
        let mut after = db.prepare_cached(
            "SELECT json FROM entries WHERE room = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq LIMIT ?4",
        )?;
        let limit = i64::try_from(UNREAD_SCAN).unwrap_or(i64::MAX);
        let mut rows = after.query(params![room, mark.seq.cast_signed(), last.cast_signed(), limit])?;
        while let Some(row) = rows.next()? {
            if !unread.add(row.get_ref(0)?.as_str()?) {
                break;
            }
        }
    }
    Ok(Reading { mark: Some(mark), unread: unread.count() })
}

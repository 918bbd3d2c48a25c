//! Appending: the rule of a producer's numbers, and an entry's place in its log.

use super::{
    clock::{Clock, now},
    reports::Reports,
    rooms::{LISTED_WITHIN, create_room},
    writer::{Fate, Job},
};
use crate::engine::{AppendError, Appended, Draft, Record, entry_json, random_id};
use app::{
    domain::{Cursor, EntryId, Epoch, Operation, ProducerId, RoomRef, UserId},
    protocol::{Earlier, REPEAT_WINDOW},
};
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::oneshot;

/// Milliseconds by which an entry's time may be ahead of the clock so that times do not go back within a log. A clock that
/// was further ahead was wrong, and what it marked stays where it is.
pub(super) const AHEAD_MAX: i64 = 60_000;
/// Milliseconds by which a producer's record may say too early when it was last used: it is kept for days, and each write of
/// that moment is one to an index.
const SEEN_WITHIN: u64 = 60_000;

/// A room's end, and where a producer is in it.
pub(super) const FIND: &str = "
    SELECT rooms.id, epoch, seq, top_id, active_at, listed_at, producers.id, last, seen_at, sent
    FROM rooms LEFT JOIN producers ON room = rooms.id AND user = ?2 AND p = ?3 WHERE key = ?1";

pub(super) struct Append {
    clock: Clock,
    room: RoomRef,
    by: UserId,
    p: ProducerId,
    n: u64,
    earlier: Vec<Earlier>,
    void: bool,
    digest: String,
    tail: String,
    outcome: Option<Result<Appended, AppendError>>,
    record: Option<Record>,
    ack: oneshot::Sender<Result<Appended, AppendError>>,
}

impl Append {
    /// Encodes the draft here, so that the writer does not have to.
    pub fn new(clock: Clock, draft: Draft, ack: oneshot::Sender<Result<Appended, AppendError>>) -> Self {
        let void = matches!(draft.operation, Operation::Void);
        let tail = draft.json_tail();
        let digest = draft.digest();
        let Draft { room, by, p, n, earlier, .. } = draft;
        Self { clock, room, by: by.id, p, n, earlier, void, digest, tail, outcome: None, record: None, ack }
    }

    fn append(&mut self, db: &Connection) -> rusqlite::Result<Result<Appended, AppendError>> {
        let found = Found::load(db, self)?;
        let last = found.as_ref().and_then(|found| found.producer).map_or(0, |producer| producer.last);
        if last.checked_add(1) != Some(self.n) {
            return match found {
                Some(found @ Found { producer: Some(Producer { id: producer, .. }), .. })
                    if (1..=last).contains(&self.n) && last - self.n < REPEAT_WINDOW =>
                {
                    self.repeat(db, &found, producer)
                }
                _ => Ok(Err(AppendError::OutOfOrder { last })),
            };
        }
        let now = now();
        let found = match found {
            Some(found) => found,
            None => Found::create(db, &self.room, now)?,
        };
        let stands = self.stands(db, &found)?;
        let producer = self.advance(db, &found)?;
        if let Some(at) = stands {
            return Ok(Ok(Appended::Entry(at)));
        }
        if self.void {
            return Ok(Ok(Appended::Voided));
        }
        self.insert(db, &found, producer, now).map(|at| Ok(Appended::Entry(at)))
    }

    /// Answers a number that was used already as it was answered then.
    fn repeat(&self, db: &Connection, found: &Found, producer: i64) -> rusqlite::Result<Result<Appended, AppendError>> {
        let entry = db
            .prepare_cached("SELECT seq, id, digest FROM entries WHERE producer = ?1 AND n = ?2")?
            .query_row([producer, self.n.cast_signed()], |row| {
                let (seq, id) = (row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned());
                Ok((found.cursor(seq, id), row.get_ref(2)?.as_str()? == self.digest))
            })
            .optional()?;
        Ok(match entry {
            // Too late to void what was sent.
            Some((at, same)) if same || self.void => Ok(Appended::Entry(at)),
            Some(_) => Err(AppendError::Conflict),
            None if self.void => Ok(Appended::Voided),
            None => self.stands(db, found)?.map(Appended::Entry).ok_or(AppendError::Conflict),
        })
    }

    /// The entry that the same message already is under one of its earlier numbers.
    fn stands(&self, db: &Connection, found: &Found) -> rusqlite::Result<Option<Cursor>> {
        for Earlier { p, n } in &self.earlier {
            let entry = db
                .prepare_cached(
                    "SELECT seq, entries.id FROM entries JOIN producers ON producers.id = producer
                     WHERE producers.room = ?1 AND user = ?2 AND p = ?3 AND n = ?4 AND digest = ?5",
                )?
                .query_row(
                    params![found.room, self.by.0.cast_signed(), p.0.cast_signed(), n.cast_signed(), self.digest],
                    |row| Ok(found.cursor(row.get::<_, i64>(0)?.cast_unsigned(), row.get::<_, i64>(1)?.cast_unsigned())),
                )
                .optional()?;
            if entry.is_some() {
                return Ok(entry);
            }
        }
        Ok(None)
    }

    /// Uses up `n`; returns the producer's row.
    fn advance(&self, db: &Connection, found: &Found) -> rusqlite::Result<i64> {
        let (last, now, sent) = (self.n.cast_signed(), self.clock.now(), !self.void);
        if let Some(Producer { id, seen_at, sent: known, .. }) = found.producer {
            if known && now.abs_diff(seen_at) < SEEN_WITHIN {
                db.prepare_cached("UPDATE producers SET last = ?2 WHERE id = ?1")?.execute([id, last])?;
            } else {
                db.prepare_cached("UPDATE producers SET last = ?2, seen_at = ?3, sent = sent OR ?4 WHERE id = ?1")?
                    .execute(params![id, last, now, sent])?;
            }
            return Ok(id);
        }
        let (by, p) = (self.by.0.cast_signed(), self.p.0.cast_signed());
        db.prepare_cached("INSERT INTO producers (room, user, p, last, seen_at, sent) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
            .insert(params![found.room, by, p, last, now, sent])
    }

    fn insert(&mut self, db: &Connection, found: &Found, producer: i64, now: i64) -> rusqlite::Result<Cursor> {
        let at = Cursor { epoch: found.epoch, seq: found.seq + 1, id: EntryId(random_id()) };
        let time = if found.active_at - now > AHEAD_MAX { now } else { now.max(found.active_at) };
        let json = entry_json(at, found.top, time.cast_unsigned(), &self.tail);
        let (seq, id, n) = (at.seq.cast_signed(), at.id.0.cast_signed(), self.n.cast_signed());
        db.prepare_cached(
            "INSERT INTO entries (room, seq, id, producer, n, digest, json) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![found.room, seq, id, producer, n, self.digest, json])?;
        db.prepare_cached("UPDATE rooms SET seq = ?2, top_id = ?3, active_at = ?4 WHERE id = ?1")?
            .execute([found.room, seq, id, time])?;
        if found.listed_at.abs_diff(time) >= LISTED_WITHIN.unsigned_abs() {
            db.prepare_cached("UPDATE rooms SET listed_at = ?2 WHERE id = ?1")?.execute([found.room, time])?;
        }
        self.record = Some(Record { epoch: at.epoch, seq: at.seq, id: at.id, prev: found.top, json: json.into() });
        Ok(at)
    }
}

impl Job for Append {
    fn run(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.outcome = Some(self.append(db)?);
        Ok(())
    }

    fn report(&mut self, reports: &Reports) {
        if let Some(record) = self.record.take() {
            reports.committed(&self.room.key, record);
        }
    }

    fn answer(self: Box<Self>, fate: &Fate) {
        let answer = match fate {
            Fate::Committed => self.outcome.unwrap_or_else(|| Err(AppendError::Unavailable("not done".to_owned()))),
            Fate::RolledBack(error) => Err(AppendError::Unavailable(error.clone())),
            Fate::Unclear(error) => Err(AppendError::Unknown(error.clone())),
        };
        // The sender may have gone; its next tab will learn from the log.
        let _ = self.ack.send(answer);
    }
}

/// The end of the room's log, and where its producer is.
struct Found {
    room: i64,
    epoch: Epoch,
    seq: u64,
    top: EntryId,
    active_at: i64,
    listed_at: i64,
    producer: Option<Producer>,
}

#[derive(Clone, Copy)]
struct Producer {
    id: i64,
    last: u64,
    seen_at: i64,
    /// Whether a message was ever sent under one of its numbers.
    sent: bool,
}

impl Found {
    fn cursor(&self, seq: u64, id: u64) -> Cursor {
        Cursor { epoch: self.epoch, seq, id: EntryId(id) }
    }

    fn load(db: &Connection, draft: &Append) -> rusqlite::Result<Option<Self>> {
        db.prepare_cached(FIND)?
            .query_row(params![draft.room.key.as_str(), draft.by.0.cast_signed(), draft.p.0.cast_signed()], |row| {
                let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
                let producer = match row.get(6)? {
                    Some(id) => Some(Producer { id, last: number(7)?, seen_at: row.get(8)?, sent: row.get(9)? }),
                    None => None,
                };
                Ok(Self {
                    room: row.get(0)?,
                    epoch: Epoch(number(1)?),
                    seq: number(2)?,
                    top: EntryId(number(3)?),
                    active_at: row.get(4)?,
                    listed_at: row.get(5)?,
                    producer,
                })
            })
            .optional()
    }

    fn create(db: &Connection, room: &RoomRef, now: i64) -> rusqlite::Result<Self> {
        let (room, epoch) = create_room(db, room, now)?;
        Ok(Self { room, epoch, seq: 0, top: EntryId(0), active_at: now, listed_at: now, producer: None })
    }
}

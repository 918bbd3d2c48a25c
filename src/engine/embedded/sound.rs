//! Whether the store's parts fit together: each room's head and its entries, producers and what was sent under their
//! numbers, marks and logs.
//!
//! A room that merely ends too early has lost its last entries. That is told: it goes on under a new epoch, and every client
//! starts anew. Anything else is refused.

use super::{OpenDataError, schema::refused};
use crate::engine::random_id;
use app::domain::Epoch;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// How long each of the two checks may take at a start after anything but a stop: enough for some million entries, and for
/// 400 MB from a disk.
const WITHIN: Duration = Duration::from_secs(10);
/// The same after a stop that left the store as it should be.
const WITHIN_AFTER_STOP: Duration = Duration::from_secs(2);

/// How much of a store is checked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Depth {
    /// Pages and tables, as far as there is a little time. Where the logs end, in any case.
    AfterStop,
    /// The same with more time.
    AfterCrash,
    /// All of it, however long it takes.
    Everything,
}

/// Checks a store.
pub(super) fn check(db: &mut Connection, file: &Path, depth: Depth) -> Result<(), OpenDataError> {
    let unfit = |what: String| OpenDataError::Unfit { file: file.to_owned(), what };
    let failed = |error: &rusqlite::Error| refused(file, error);
    let within = match depth {
        Depth::AfterStop => WITHIN_AFTER_STOP,
        Depth::AfterCrash => WITHIN,
        Depth::Everything => Duration::MAX,
    };
    for check in [pages, contradiction] {
        if let Some(what) = bounded(db, within, check).map_err(|error| failed(&error))? {
            return Err(unfit(what));
        }
    }
    let ends = ends(db).map_err(|error| failed(&error))?;
    if let Some(End { room, .. }) = ends.iter().find(|end| !end.is_loss()) {
        return Err(unfit(format!("the log of room {room} does not end with the entry that it should")));
    }
    if ends.is_empty() {
        return Ok(());
    }
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|error| failed(&error))?;
    for end in ends {
        tracing::error!(
            room = end.room,
            lost = end.head.max(end.marked) - end.last,
            "the last entries of a room's log are lost: its clients will start anew"
        );
        start_anew(&tx, &end).map_err(|error| failed(&error))?;
    }
    tx.commit().map_err(|error| failed(&error))
}

/// The first thing that is wrong with a store; nothing is mended.
pub(super) fn look(db: &Connection) -> rusqlite::Result<Option<String>> {
    if let Some(what) = pages(db)?.map_or_else(|| contradiction(db), |what| Ok(Some(what)))? {
        return Ok(Some(what));
    }
    Ok(ends(db)?.first().map(|end| format!("the log of room {} does not end with the entry that it should", end.room)))
}

/// What `check` finds, or nothing if it does not come to an end.
fn bounded(
    db: &mut Connection,
    within: Duration,
    check: impl FnOnce(&Connection) -> rusqlite::Result<Option<String>>,
) -> rusqlite::Result<Option<String>> {
    let start = Instant::now();
    db.progress_handler(100_000, Some(move || start.elapsed() > within))?;
    let found = check(db);
    db.progress_handler(0, None::<fn() -> bool>)?;
    match found {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            tracing::warn!("the database is too large to be looked through at the start");
            Ok(None)
        }
        found => found,
    }
}

/// The first thing that is wrong with the file's pages.
fn pages(db: &Connection) -> rusqlite::Result<Option<String>> {
    let found: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    // The last one of several lines says what it is.
    Ok((found != "ok").then(|| found.lines().next_back().unwrap_or_default().to_owned()))
}

/// Where a log ends, as far as that is in doubt.
struct End {
    room: i64,
    /// Seq of the last entry by the room's own row, by its entries, and by what somebody has read of it.
    head: i64,
    last: i64,
    marked: i64,
    /// Whether the entry at the head has another id than it should.
    other: bool,
}

impl End {
    fn is_loss(&self) -> bool {
        self.head >= self.last && !self.other
    }
}

fn ends(db: &Connection) -> rusqlite::Result<Vec<End>> {
    db.prepare(
        "WITH marks AS (
             SELECT room, max(mark_seq) AS seq FROM members JOIN rooms ON rooms.id = room AND epoch = mark_epoch
             GROUP BY room)
         SELECT * FROM (
             SELECT id, rooms.seq AS head, ifnull((SELECT max(seq) FROM entries WHERE room = rooms.id), 0) AS last,
                    ifnull(marks.seq, 0) AS marked,
                    ifnull((SELECT id FROM entries WHERE room = rooms.id AND seq = rooms.seq), top_id) <> top_id AS other
             FROM rooms LEFT JOIN marks ON marks.room = rooms.id)
         WHERE head <> last OR other OR marked > head",
    )?
    .query_map([], |row| {
        Ok(End { room: row.get(0)?, head: row.get(1)?, last: row.get(2)?, marked: row.get(3)?, other: row.get(4)? })
    })?
    .collect()
}

/// The first thing in which the tables contradict each other, the ends of logs aside.
fn contradiction(db: &Connection) -> rusqlite::Result<Option<String>> {
    let first = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).optional();
    for (sql, says) in [
        (
            "SELECT room FROM entries GROUP BY room HAVING count(*) <> max(seq) OR min(seq) <> 1",
            "the log of this room has a hole",
        ),
        (
            "SELECT DISTINCT room FROM entries WHERE room NOT IN (SELECT id FROM rooms)
             UNION SELECT room FROM producers WHERE room NOT IN (SELECT id FROM rooms)
             UNION SELECT room FROM members WHERE room NOT IN (SELECT id FROM rooms)",
            "there is no room with this number, but something that belongs to it",
        ),
        (
            "SELECT id FROM producers WHERE last < (SELECT max(n) FROM entries WHERE producer = producers.id)",
            "messages were sent under numbers that this producer has not used",
        ),
        (
            "SELECT id FROM producers WHERE sent = 0 AND EXISTS (SELECT 1 FROM entries WHERE producer = producers.id)",
            "this producer's record would be forgotten before its messages may be",
        ),
        (
            "SELECT ifnull((SELECT max(id) FROM producers), 0) AS given
             WHERE max(given, ifnull((SELECT max(producer) FROM entries), 0))
                 > ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'producers'), 0)",
            "the number of a producer would be given again",
        ),
    ] {
        if let Some(which) = first(sql)? {
            return Ok(Some(format!("{says} ({which})")));
        }
    }
    Ok(None)
}

/// Ends a log where its entries end, under another epoch, which is part of every entry.
fn start_anew(tx: &Transaction<'_>, end: &End) -> rusqlite::Result<()> {
    let epoch = Epoch(random_id());
    // What an entry's JSON begins with is of the same length in each; see `entry_json`.
    tx.execute(
        r#"UPDATE entries SET json = '{"epoch":"' || ?2 || substr(json, length('{"epoch":"0123456789abcdef') + 1) WHERE room = ?1"#,
        params![end.room, epoch.to_string()],
    )?;
    tx.execute(
        "UPDATE rooms SET epoch = ?2, seq = ?3,
             top_id = ifnull((SELECT id FROM entries WHERE room = rooms.id AND seq = ?3), 0) WHERE id = ?1",
        params![end.room, epoch.0.cast_signed(), end.last],
    )
    .map(|_| ())
}

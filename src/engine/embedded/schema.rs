//! The SQLite file: its tables, how it is opened, and which files are refused.

use super::OpenDataError;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

const FILE: &str = "hubbub.sqlite3";
/// "hubb", so that a file of some other program is told from an empty one.
const APPLICATION_ID: i64 = 0x6875_6262;
/// A file's version is how many of these steps were taken; none of them is changed any more once it was released.
const STEPS: [&str; 2] = [TABLES, MARKS];
const VERSION: i64 = STEPS.len().cast_signed() as i64;

/// Ids are 64 bits, kept as the signed number with the same bits; times are milliseconds since 1970.
const TABLES: &str = "
    CREATE TABLE rooms (
        id        INTEGER PRIMARY KEY,
        key       TEXT    NOT NULL UNIQUE,
        name      TEXT    NOT NULL,
        epoch     INTEGER NOT NULL,
        seq       INTEGER NOT NULL, -- of the log's last entry, 0 before the first
        top_id    INTEGER NOT NULL, -- that entry's id
        active_at INTEGER NOT NULL  -- that entry's time, or the room's creation
    ) STRICT;

    -- In the order of arrival, not by room: a group then fills a few pages at the end instead of one or more for each
    -- of its rooms, which halves what a commit has to write.
    CREATE TABLE entries (
        room      INTEGER NOT NULL REFERENCES rooms (id),
        seq       INTEGER NOT NULL,
        id        INTEGER NOT NULL,
        -- Not a reference: entries outlive their producer's record, whose id is never given again.
        producer  INTEGER NOT NULL,
        n         INTEGER NOT NULL,
        digest    TEXT    NOT NULL,
        json      TEXT    NOT NULL,
        PRIMARY KEY (room, seq),
        UNIQUE (producer, n)
    ) STRICT;

    -- Every n up to last was used: those without an entry were voided.
    CREATE TABLE producers (
        id        INTEGER PRIMARY KEY AUTOINCREMENT,
        room      INTEGER NOT NULL REFERENCES rooms (id),
        user      INTEGER NOT NULL,
        p         INTEGER NOT NULL,
        last      INTEGER NOT NULL,
        seen_at   INTEGER NOT NULL,
        UNIQUE (room, user, p)
    ) STRICT;

    -- A session is also its name's claim, so that the two can never disagree.
    CREATE TABLE sessions (
        token     BLOB    NOT NULL PRIMARY KEY,
        user      INTEGER NOT NULL,
        name      TEXT    NOT NULL,
        name_key  TEXT    NOT NULL UNIQUE,
        seen_at   INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE members (
        id        INTEGER PRIMARY KEY, -- the order of joining
        user      INTEGER NOT NULL,
        room      INTEGER NOT NULL REFERENCES rooms (id),
        UNIQUE (user, room)
    ) STRICT;
";

/// How far a member has read. Who is a member already counts as having read everything.
const MARKS: &str = "
    ALTER TABLE members ADD COLUMN mark_epoch INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE members ADD COLUMN mark_seq   INTEGER NOT NULL DEFAULT 0;
    UPDATE members SET mark_epoch = rooms.epoch, mark_seq = rooms.seq FROM rooms WHERE rooms.id = members.room;
";

/// A connection that may write, to the file in `dir`, which is made or checked first.
pub(super) fn open_writer(dir: &Path) -> Result<Connection, OpenDataError> {
    let file = dir.join(FILE);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(&file, flags)
        .and_then(|mut db| {
            // Before anything is changed: the file may not be ours.
            let found = check(&mut db)?;
            if found == Found::Current {
                configure(&db)?;
            }
            Ok((db, found))
        })
        .map_err(|error| refused(file.clone(), &error))
        .and_then(|(db, found)| match found {
            Found::Current => Ok(db),
            Found::Foreign => Err(OpenDataError::NotHubbub { file, reason: "another program's database".to_owned() }),
            Found::Newer(found) => Err(OpenDataError::Newer { file, found, known: VERSION }),
        })
}

/// A connection that only reads; the writer's has to be open.
pub(super) fn open_reader(dir: &Path) -> Result<Connection, OpenDataError> {
    let file = dir.join(FILE);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(&file, flags)
        .and_then(|db| {
            db.busy_timeout(Duration::from_secs(5))?;
            db.set_prepared_statement_cache_capacity(64);
            Ok(db)
        })
        .map_err(|error| refused(file, &error))
}

#[derive(PartialEq, Eq)]
enum Found {
    Current,
    Foreign,
    Newer(i64),
}

fn check(db: &mut Connection) -> rusqlite::Result<Found> {
    let number = |db: &Connection, sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0));
    let version = number(db, "PRAGMA user_version")?;
    let taken = match number(db, "PRAGMA application_id")? {
        APPLICATION_ID => usize::try_from(version).unwrap_or(usize::MAX),
        0 if version == 0 && number(db, "SELECT count(*) FROM sqlite_schema")? == 0 => 0,
        _ => return Ok(Found::Foreign),
    };
    let Some(left) = STEPS.get(taken..) else { return Ok(Found::Newer(version)) };
    if !left.is_empty() {
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        left.iter().try_for_each(|step| tx.execute_batch(step))?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", VERSION)?;
        tx.commit()?;
    }
    Ok(Found::Current)
}

fn configure(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(Duration::from_secs(5))?;
    db.set_prepared_statement_cache_capacity(64);
    // FULL syncs the log of every commit: an acknowledged message survives a power cut.
    db.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA wal_autocheckpoint = 4000;
         PRAGMA journal_size_limit = 67108864;",
    )
}

fn refused(file: PathBuf, error: &rusqlite::Error) -> OpenDataError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            OpenDataError::NotHubbub { file, reason: error.to_string() }
        }
        _ => OpenDataError::Database { file, reason: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    #[test]
    fn a_file_of_an_earlier_version_is_brought_up_with_everything_read() {
        let dir = TempDir::new().unwrap();
        let old = Connection::open(dir.path().join(FILE)).unwrap();
        old.execute_batch(TABLES).unwrap();
        old.execute_batch(
            "INSERT INTO rooms (id, key, name, epoch, seq, top_id, active_at) VALUES (5, 'a', 'A', -77, 12, 3, 4);
             INSERT INTO members (user, room) VALUES (9, 5);",
        )
        .unwrap();
        old.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        drop(old);
        for _ in 0..2 {
            let db = open_writer(dir.path()).unwrap();
            let mark = "SELECT mark_epoch, mark_seq FROM members WHERE user = 9";
            let mark: (i64, i64) = db.query_row(mark, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            assert_eq!(mark, (-77, 12));
        }
    }
}

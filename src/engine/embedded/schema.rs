//! The SQLite file: its tables, how it is opened, and which files are refused.

use super::{OpenDataError, rooms::stored_name};
use app::domain::{RoomName, UserName};
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, config::DbConfig, params};
use std::{path::Path, time::Duration};

/// "hubb", so that a file of some other program is told from an empty one.
const APPLICATION_ID: i64 = 0x6875_6262;
/// A file's version is how many of these steps were taken; none of them is changed any more once it was released.
const STEPS: [&str; 5] = [TABLES, MARKS, QUOTAS, UPKEEP, LOOKS];
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

/// Buckets of tokens under keyed hashes of their names, the key of those, and from where names are held.
const QUOTAS: &str = "
    CREATE TABLE quotas (
        key       BLOB    NOT NULL PRIMARY KEY,
        full_at   INTEGER NOT NULL -- the moment, unless a token is taken before
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX quotas_by_time ON quotas (full_at);
    CREATE TABLE secret (value BLOB NOT NULL) STRICT;
    INSERT INTO secret VALUES (randomblob(32));
    CREATE TABLE holders (
        place     BLOB    NOT NULL, -- a keyed hash
        token     BLOB    NOT NULL REFERENCES sessions (token) ON DELETE CASCADE,
        PRIMARY KEY (place, token)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX holders_by_session ON holders (token);
";

/// What the store needs to know for its upkeep.
const UPKEEP: &str = "
    -- One row: how long the store has been at work, and the time of day then.
    CREATE TABLE clock (
        id        INTEGER PRIMARY KEY CHECK (id = 0),
        working   INTEGER NOT NULL,
        time      INTEGER NOT NULL
    ) STRICT;

    -- Whether a message was ever sent under it: a record of voids alone is soon forgotten.
    ALTER TABLE producers ADD COLUMN sent INTEGER NOT NULL DEFAULT 1;
    UPDATE producers SET sent = EXISTS (SELECT 1 FROM entries WHERE producer = producers.id);
    CREATE INDEX producers_of_voids ON producers (seen_at) WHERE sent = 0;

    -- Whose session ended lately, and when.
    CREATE TABLE ended (
        user      INTEGER PRIMARY KEY,
        at        INTEGER NOT NULL
    ) STRICT;
    INSERT INTO ended
        SELECT DISTINCT user, 1000 * unixepoch() FROM producers WHERE user NOT IN (SELECT user FROM sessions);

    -- active_at, but up to ten seconds old: an index on that one would cost every append.
    ALTER TABLE rooms ADD COLUMN listed_at INTEGER NOT NULL DEFAULT 0;
    UPDATE rooms SET listed_at = active_at;
    CREATE INDEX rooms_by_activity ON rooms (listed_at);

    -- Written to and emptied again to see whether that is possible.
    CREATE TABLE probe (filler BLOB NOT NULL) STRICT;
";

/// What the names of people and rooms look like ([`NameKey`](app::domain::NameKey); a session's `name_key` is the first half of it).
/// Where it is missing, or not unique among rooms, they were taken before look-alikes were told, and go on.
const LOOKS: &str = "
    ALTER TABLE sessions ADD COLUMN name_drawn TEXT;
    CREATE UNIQUE INDEX sessions_by_name_drawn ON sessions (name_drawn);
    ALTER TABLE rooms ADD COLUMN folded TEXT;
    ALTER TABLE rooms ADD COLUMN drawn  TEXT;
    CREATE INDEX rooms_by_folded ON rooms (folded);
    CREATE INDEX rooms_by_drawn  ON rooms (drawn);
";

/// A connection that may write to `file`, which is made or checked first.
pub(super) fn open_writer(file: &Path) -> Result<Connection, OpenDataError> {
    let file = file.to_owned();
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
        .map_err(|error| refused(&file, &error))
        .and_then(|(db, found)| found.accept(&file).map(|()| db))
}

/// A connection that only reads; the writer's has to be open.
pub(super) fn open_reader(file: &Path) -> Result<Connection, OpenDataError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(file, flags)
        .and_then(|db| prepare(&db).map(|()| db))
        .map_err(|error| refused(file, &error))
}

/// A connection to a store that another process may be using. Nothing is brought up to date, and nothing moves from the log into
/// the database, which is for the server to do.
pub(super) fn open_other(file: &Path) -> Result<Connection, OpenDataError> {
    // To write is what it takes to read a log that nobody else has open.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(file, flags).and_then(|db| {
        prepare(&db)?;
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        db.execute_batch("PRAGMA query_only = ON")?;
        let number = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0));
        let version = number("PRAGMA user_version")?;
        let found = match number("PRAGMA application_id")? {
            APPLICATION_ID if version > VERSION => Found::Newer(version),
            APPLICATION_ID => Found::Current,
            _ => Found::Foreign,
        };
        Ok((db, found))
    });
    opened.map_err(|error| refused(file, &error)).and_then(|(db, found)| found.accept(file).map(|()| db))
}

/// A connection to a finished copy, such as a backup, which nobody else uses and which is brought up to date and refused as the
/// store itself is. An empty file is no copy of anything.
pub(super) fn open_copy(file: &Path) -> Result<Connection, OpenDataError> {
    if file.metadata().is_ok_and(|found| found.len() == 0) {
        return Err(OpenDataError::NotHubbub { file: file.to_owned(), reason: "it is empty".to_owned() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(file, flags).and_then(|mut db| {
        // Then it stays one file.
        db.execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL;")?;
        check(&mut db).map(|found| (db, found))
    });
    opened.map_err(|error| refused(file, &error)).and_then(|(db, found)| found.accept(file).map(|()| db))
}

#[derive(PartialEq, Eq)]
enum Found {
    Current,
    Foreign,
    Newer(i64),
}

impl Found {
    fn accept(self, file: &Path) -> Result<(), OpenDataError> {
        let file = file.to_owned();
        match self {
            Self::Current => Ok(()),
            Self::Foreign => Err(OpenDataError::NotHubbub { file, reason: "another program's database".to_owned() }),
            Self::Newer(found) => Err(OpenDataError::Newer { file, found, known: VERSION }),
        }
    }
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
        if left.contains(&LOOKS) {
            note_looks(&tx)?;
        }
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", VERSION)?;
        tx.commit()?;
    }
    Ok(Found::Current)
}

/// Fills the columns of [`LOOKS`] in.
fn note_looks(db: &Connection) -> rusqlite::Result<()> {
    let rooms: Vec<(i64, RoomName)> = db
        .prepare("SELECT id, name FROM rooms ORDER BY id")?
        .query_map([], |row| Ok((row.get(0)?, stored_name(row, 1)?)))?
        .collect::<Result<_, _>>()?;
    for (id, name) in rooms {
        let looks = name.looks();
        db.execute(
            "UPDATE rooms SET folded = ?2, drawn = ?3 WHERE id = ?1",
            params![id, looks.folded(), looks.drawn()],
        )?;
    }
    let sessions: Vec<([u8; 32], UserName)> = db
        .prepare("SELECT token, name FROM sessions ORDER BY seen_at DESC")?
        .query_map([], |row| Ok((row.get(0)?, stored_name(row, 1)?)))?
        .collect::<Result<_, _>>()?;
    for (token, name) in sessions {
        let key = name.key();
        db.execute("UPDATE OR IGNORE sessions SET name_drawn = ?2 WHERE token = ?1", params![token, key.drawn()])?;
    }
    Ok(())
}

/// What every connection of a server is told.
fn prepare(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(Duration::from_secs(5))?;
    db.set_prepared_statement_cache_capacity(64);
    // Plans do not depend on what is bound: else SQLite compiles some statements anew each time that other values are bound to
    // them, which is a sixth of what an append costs (sqlite.org/queryplanner-ng.html, "QPSG").
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(|_| ())
}

fn configure(db: &Connection) -> rusqlite::Result<()> {
    prepare(db)?;
    // FULL syncs the log of every commit: an acknowledged message survives a power cut.
    // The writer moves the log into the database itself, with a new stamp.
    db.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 67108864;",
    )
}

pub(super) fn refused(file: &Path, error: &rusqlite::Error) -> OpenDataError {
    let file = file.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenDataError::NotHubbub { file, reason: error.to_string() },
        Some(ErrorCode::DatabaseCorrupt) => OpenDataError::Unfit { file, what: error.to_string() },
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
        let file = dir.path().join("old.sqlite3");
        let old = Connection::open(&file).unwrap();
        old.execute_batch(TABLES).unwrap();
        old.execute_batch(
            "INSERT INTO rooms (id, key, name, epoch, seq, top_id, active_at) VALUES
                 (5, 'a', 'A', -77, 12, 3, 4), (6, 'а', 'а', 1, 0, 0, 0),
                 (7, '❤\u{FE0F}', '❤\u{FE0F}', 1, 0, 0, 0), (8, '❤', '❤', 1, 0, 0, 0);
             INSERT INTO sessions (token, user, name, name_key, seen_at) VALUES
                 (zeroblob(32), 1, 'Tom', 'tom', 1), (CAST('01234567890123456789012345678901' AS BLOB), 2, 'Тom', 'тom', 2);
             INSERT INTO members (user, room) VALUES (9, 5);",
        )
        .unwrap();
        old.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        drop(old);
        for _ in 0..2 {
            let db = open_writer(&file).unwrap();
            let mark = "SELECT mark_epoch, mark_seq FROM members WHERE user = 9";
            let mark: (i64, i64) = db.query_row(mark, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            assert_eq!(mark, (-77, 12));
            let texts = |sql: &str| -> Vec<Option<String>> {
                db.prepare(sql).unwrap().query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
            };
            let drawn = texts("SELECT drawn FROM rooms ORDER BY id");
            assert!(
                drawn[0].is_some() && drawn[0] == drawn[1] && drawn[2] == drawn[3],
                "twins of before go on: {drawn:?}"
            );
            let held = texts("SELECT name_drawn FROM sessions ORDER BY seen_at");
            assert!(held[0].is_none() && held[1].is_some(), "the name that was used last: {held:?}");
        }
    }
}

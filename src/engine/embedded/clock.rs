//! The store's two clocks: the time of day, which entries bear, and the working time, by which things run out.
//!
//! The time of day may jump: a board without a battery starts in 1970, and one wrong answer from a time server is a year
//! ahead. What is deleted for its age is gone for good, so it ages with [`Clock`], which no jump reaches.

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Longest time without a server that counts as age.
const AWAY_MAX: Duration = Duration::from_hours(48);

/// The time of day: milliseconds since 1970 as SQLite keeps them.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    millis(since)
}

pub(super) fn before(now: i64, age: Duration) -> i64 {
    now.saturating_sub(millis(age))
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The working time: milliseconds that began as the time of day when the store was made, and went on only while a server
/// ran, by the clock of that machine which never jumps. A time in which none ran counts by the difference of the times of
/// day, but for two days at most, and for no more than half of a session's time to live: whoever was there before is there
/// after it, even if one of the two times was wrong.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    from: i64,
    since: Instant,
}

impl Clock {
    /// Goes on from where the store's clock stood. What bears a later moment, by a time of day that was wrong, bears this
    /// one from now on.
    pub fn load(db: &Connection, session_ttl: Duration) -> rusqlite::Result<Self> {
        let stood = db
            .query_row("SELECT working, time FROM clock", [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
            .optional()?;
        let away_max = millis(AWAY_MAX.min(session_ttl / 2));
        let from = stood
            .map_or_else(now, |(working, time)| working.saturating_add(now().saturating_sub(time).clamp(0, away_max)));
        let clock = Self { from, since: Instant::now() };
        match clock.settle(db) {
            // The store can be read, and the rest waits until there is room again.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                tracing::warn!(%error, "the store's clock could not be noted: {error}");
            }
            settled => settled?,
        }
        Ok(clock)
    }

    /// Brings what bears a later moment than this one to it.
    fn settle(&self, db: &Connection) -> rusqlite::Result<()> {
        for sql in [
            "UPDATE sessions SET seen_at = ?1 WHERE seen_at > ?1",
            "UPDATE producers SET seen_at = ?1 WHERE seen_at > ?1",
            "UPDATE ended SET at = ?1 WHERE at > ?1",
        ] {
            db.execute(sql, [self.from])?;
        }
        self.save(db)
    }

    pub fn save(&self, db: &Connection) -> rusqlite::Result<()> {
        db.execute("INSERT OR REPLACE INTO clock (id, working, time) VALUES (0, ?1, ?2)", params![self.now(), now()])
            .map(|_| ())
    }

    pub fn now(&self) -> i64 {
        self.from.saturating_add(millis(self.since.elapsed()))
    }

    pub fn before(&self, age: Duration) -> i64 {
        before(self.now(), age)
    }
}

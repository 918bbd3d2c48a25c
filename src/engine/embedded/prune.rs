//! Forgetting what nobody will ask for.
//!
//! A producer's record keeps what was sent under its numbers from being sent twice. One with a message is kept for longer
//! than clients go on sending; one of voids alone, which is cheap to make and seen by nobody, for longer than a message
//! can lie about on its way. When a session has ended, nobody has its person's id any more.

use super::{
    append::AHEAD_MAX,
    clock::{Clock, before, now},
    quotas,
};
use rusqlite::{Connection, params};
use std::time::Duration;

/// How often, while the store is written to.
pub(super) const EVERY: Duration = Duration::from_mins(5);
/// Every so many times all records are looked through, not only the voids' and those of ended sessions.
const THOROUGH: u32 = 12;
/// Longer than clients are told to go on sending the same message again (7 days).
const PRODUCER_IDLE_MAX: Duration = Duration::from_hours(30 * 24);
/// Longer than what was sent under a voided number may lie unread.
const VOIDS_IDLE_MAX: Duration = Duration::from_mins(15);
/// Longer than a socket outlives its session.
const ENDED_KEPT: Duration = Duration::from_mins(10);

/// Forgets producers nobody will hear of again, sessions that ran out, and whose members those were; for the `nth` time since
/// the start. All of it ages by the working time.
pub(super) fn prune(db: &Connection, clock: Clock, session_ttl: Duration, nth: u32) -> rusqlite::Result<()> {
    let tx = db.unchecked_transaction()?;
    forget(&tx, clock, session_ttl, nth.is_multiple_of(THOROUGH))?;
    tx.commit()
}

pub(super) fn forget(db: &Connection, clock: Clock, session_ttl: Duration, thorough: bool) -> rusqlite::Result<()> {
    let age = clock.now();
    db.execute("DELETE FROM producers WHERE sent = 0 AND seen_at < ?1", [before(age, VOIDS_IDLE_MAX)])?;
    let ended = before(age, ENDED_KEPT);
    if db.query_row("SELECT EXISTS (SELECT 1 FROM ended WHERE at < ?1)", [ended], |row| row.get(0))? {
        db.execute("DELETE FROM producers WHERE user IN (SELECT user FROM ended WHERE at < ?1)", [ended])?;
        db.execute("DELETE FROM ended WHERE at < ?1", [ended])?;
    }
    quotas::prune(db, age)?;
    if thorough {
        db.execute("DELETE FROM producers WHERE seen_at < ?1", [before(age, PRODUCER_IDLE_MAX)])?;
        let ran_out = before(age, session_ttl);
        db.execute(
            "INSERT OR IGNORE INTO ended SELECT user, ?2 FROM sessions WHERE seen_at <= ?1",
            params![ran_out, age],
        )?;
        db.execute("DELETE FROM sessions WHERE seen_at <= ?1", [ran_out])?;
        db.execute("DELETE FROM members WHERE user NOT IN (SELECT user FROM sessions)", [])?;
        mend_times(db)?;
    }
    clock.save(db)
}

/// Rooms that a clock once marked with a time to come lead the list no longer than until now. Where that is most of them,
/// it is this clock that is wrong.
fn mend_times(db: &Connection) -> rusqlite::Result<()> {
    let now = now();
    let is_one = |sql: &str| db.query_row(sql, [now + AHEAD_MAX], |row| row.get::<_, bool>(0));
    if is_one("SELECT EXISTS (SELECT 1 FROM rooms WHERE listed_at > ?1)")?
        && is_one("SELECT 2 * count(*) FILTER (WHERE listed_at > ?1) < count(*) FROM rooms")?
    {
        db.execute("UPDATE rooms SET active_at = ?2, listed_at = ?2 WHERE listed_at > ?1", [now + AHEAD_MAX, now])?;
    }
    Ok(())
}

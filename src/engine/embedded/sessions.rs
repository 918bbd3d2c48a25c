//! Sessions with their names, and who is a member of what.

use super::{
    clock::{Clock, before, millis},
    rooms::{room_ref, stored_name},
};
use crate::engine::{OpenError, ROOMS_LISTED, Session, TokenHash, random_id};
use app::{
    domain::{Epoch, NameKey, RoomKey, RoomRef, UserId, UserName},
    protocol::{Person, ReadMark},
};
use rusqlite::{Connection, OptionalExtension, params};
use std::time::Duration;

/// The new session, unless somebody else has the name or a look-alike, and those that had one but ran out.
pub(super) fn open(
    db: &Connection,
    clock: Clock,
    token: TokenHash,
    name: &UserName,
    ttl: Duration,
) -> rusqlite::Result<(Result<Session, OpenError>, Vec<TokenHash>)> {
    let (now, key) = (clock.now(), name.key());
    let since = before(now, ttl);
    if name.mixes_scripts() {
        let why = if name_is_free(db, &key, since)? { OpenError::MixedScripts } else { OpenError::Taken };
        return Ok((Err(why), Vec::new()));
    }
    let expired: Vec<TokenHash> = db
        .prepare_cached("SELECT token FROM sessions WHERE (name_key = ?1 OR name_drawn = ?2) AND seen_at <= ?3")?
        .query_map(params![key.folded(), key.drawn(), since], |row| row.get(0).map(TokenHash))?
        .collect::<Result<_, _>>()?;
    for expired in &expired {
        close(db, clock, *expired)?;
    }
    let user = UserId(random_id());
    let opened = db
        .prepare_cached(
            "INSERT INTO sessions (token, user, name, name_key, name_drawn, seen_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![token.0, user.0.cast_signed(), name.as_str(), key.folded(), key.drawn(), now])?;
    let session = (opened == 1).then(|| Session { token, person: Person { id: user, name: name.clone() } });
    Ok((session.ok_or(OpenError::Taken), expired))
}

/// The session if it lives, and whether it is time to note that it was used.
pub(super) fn find(
    db: &Connection,
    clock: Clock,
    token: TokenHash,
    ttl: Duration,
) -> rusqlite::Result<Option<(Session, bool)>> {
    let now = clock.now();
    db.prepare_cached("SELECT user, name, seen_at FROM sessions WHERE token = ?1 AND seen_at > ?2")?
        .query_row(params![token.0, before(now, ttl)], |row| {
            let id = UserId(row.get::<_, i64>(0)?.cast_unsigned());
            let name = stored_name(row, 1)?;
            let stale = now - row.get::<_, i64>(2)? >= millis(ttl / 24);
            Ok((Session { token, person: Person { id, name } }, stale))
        })
        .optional()
}

/// Notes that a session was used; `false` if it had ended by then.
pub(super) fn touch(db: &Connection, clock: Clock, token: TokenHash, ttl: Duration) -> rusqlite::Result<bool> {
    let now = clock.now();
    db.prepare_cached("UPDATE sessions SET seen_at = ?2 WHERE token = ?1 AND seen_at > ?3")?
        .execute(params![token.0, now, before(now, ttl)])
        .map(|touched| touched == 1)
}

/// Ends the session and frees its name; `false` if it had ended before.
pub(super) fn close(db: &Connection, clock: Clock, token: TokenHash) -> rusqlite::Result<bool> {
    // Nobody will ever have this person's id again.
    db.prepare_cached("INSERT OR IGNORE INTO ended (user, at) SELECT user, ?2 FROM sessions WHERE token = ?1")?
        .execute(params![token.0, clock.now()])?;
    db.prepare_cached("DELETE FROM members WHERE user = (SELECT user FROM sessions WHERE token = ?1)")?
        .execute([token.0])?;
    db.prepare_cached("DELETE FROM sessions WHERE token = ?1")?.execute([token.0]).map(|closed| closed == 1)
}

/// Those of `tokens` whose session was not used after `since`, or was ended.
pub(super) fn ended(db: &Connection, tokens: &[TokenHash], since: i64) -> rusqlite::Result<Vec<TokenHash>> {
    let mut lives = db.prepare_cached("SELECT 1 FROM sessions WHERE token = ?1 AND seen_at > ?2")?;
    let mut ended = Vec::new();
    for token in tokens {
        if !lives.exists(params![token.0, since])? {
            ended.push(*token);
        }
    }
    Ok(ended)
}

/// Whether no session that was used after `since` has this name or a look-alike.
pub(super) fn name_is_free(db: &Connection, key: &NameKey, since: i64) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM sessions WHERE (name_key = ?1 OR name_drawn = ?2) AND seen_at > ?3")?
        .exists(params![key.folded(), key.drawn(), since])
        .map(|taken| !taken)
}

pub(super) fn add_member(db: &Connection, user: UserId, room: &RoomKey) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO members (user, room, mark_epoch, mark_seq) SELECT ?1, id, epoch, seq FROM rooms WHERE key = ?2",
    )?
    .execute(params![user.0.cast_signed(), room.as_str()])
    .map(|_| ())
}

pub(super) fn remove_member(db: &Connection, user: UserId, room: &RoomKey) -> rusqlite::Result<Option<ReadMark>> {
    db.prepare_cached(
        "DELETE FROM members WHERE user = ?1 AND room = (SELECT id FROM rooms WHERE key = ?2)
         RETURNING mark_epoch, mark_seq",
    )?
    .query_row(params![user.0.cast_signed(), room.as_str()], |row| {
        let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
        Ok(ReadMark { epoch: Epoch(number(0)?), seq: number(1)? })
    })
    .optional()
}

pub(super) fn restore_member(db: &Connection, user: UserId, room: &RoomKey, read: ReadMark) -> rusqlite::Result<()> {
    let seq = i64::try_from(read.seq).unwrap_or(i64::MAX);
    db.prepare_cached(
        "INSERT OR IGNORE INTO members (user, room, mark_epoch, mark_seq)
         SELECT ?1, id, epoch, iif(epoch = ?3, min(?4, seq), seq) FROM rooms WHERE key = ?2",
    )?
    .execute(params![user.0.cast_signed(), room.as_str(), read.epoch.0.cast_signed(), seq])
    .map(|_| ())
}

pub(super) fn rooms_of(db: &Connection, user: UserId) -> rusqlite::Result<Vec<RoomRef>> {
    let most = i64::try_from(ROOMS_LISTED).unwrap_or(i64::MAX);
    db.prepare_cached(
        "SELECT key, name FROM (SELECT id, room FROM members WHERE user = ?1 ORDER BY id DESC LIMIT ?2) AS last
         JOIN rooms ON rooms.id = last.room ORDER BY last.id",
    )?
    .query_map((user.0.cast_signed(), most), room_ref)?
    .collect()
}

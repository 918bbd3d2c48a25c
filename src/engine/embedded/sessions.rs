//! Sessions with their names, and who is a member of what.

use super::{
    now::{before, millis, now},
    rooms::{room_ref, stored_name},
};
use crate::engine::{Session, TokenHash, random_id};
use app::{
    domain::{NameKey, RoomKey, UserId, UserName},
    page::RoomRef,
    protocol::Person,
};
use rusqlite::{Connection, OptionalExtension, params};
use std::time::Duration;

/// The new session, unless somebody else has the name, and the one that had it but ran out.
pub(super) fn open(
    db: &Connection,
    token: TokenHash,
    name: &UserName,
    ttl: Duration,
) -> rusqlite::Result<(Option<Session>, Option<TokenHash>)> {
    let (now, key) = (now(), name.key());
    let expired = db
        .prepare_cached("SELECT token FROM sessions WHERE name_key = ?1 AND seen_at <= ?2")?
        .query_row(params![key.as_str(), before(now, ttl)], |row| row.get(0).map(TokenHash))
        .optional()?;
    if let Some(expired) = expired {
        close(db, expired)?;
    }
    let user = UserId(random_id());
    let opened = db
        .prepare_cached(
            "INSERT INTO sessions (token, user, name, name_key, seen_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![token.0, user.0.cast_signed(), name.as_str(), key.as_str(), now])?;
    let session = (opened == 1).then(|| Session { token, person: Person { id: user, name: name.clone() } });
    Ok((session, expired))
}

/// The session if it lives, and whether it is time to note that it was used.
pub(super) fn find(db: &Connection, token: TokenHash, ttl: Duration) -> rusqlite::Result<Option<(Session, bool)>> {
    let now = now();
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
pub(super) fn touch(db: &Connection, token: TokenHash, ttl: Duration) -> rusqlite::Result<bool> {
    let now = now();
    db.prepare_cached("UPDATE sessions SET seen_at = ?2 WHERE token = ?1 AND seen_at > ?3")?
        .execute(params![token.0, now, before(now, ttl)])
        .map(|touched| touched == 1)
}

/// Ends the session and frees its name; `false` if it had ended before.
pub(super) fn close(db: &Connection, token: TokenHash) -> rusqlite::Result<bool> {
    // Nobody will ever have this person's id again.
    db.prepare_cached("DELETE FROM members WHERE user = (SELECT user FROM sessions WHERE token = ?1)")?
        .execute([token.0])?;
    db.prepare_cached("DELETE FROM sessions WHERE token = ?1")?.execute([token.0]).map(|closed| closed == 1)
}

pub(super) fn ended(db: &Connection, tokens: &[TokenHash], ttl: Duration) -> rusqlite::Result<Vec<TokenHash>> {
    let since = before(now(), ttl);
    let mut lives = db.prepare_cached("SELECT 1 FROM sessions WHERE token = ?1 AND seen_at > ?2")?;
    let mut ended = Vec::new();
    for token in tokens {
        if !lives.exists(params![token.0, since])? {
            ended.push(*token);
        }
    }
    Ok(ended)
}

pub(super) fn name_is_free(db: &Connection, key: &NameKey, ttl: Duration) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM sessions WHERE name_key = ?1 AND seen_at > ?2")?
        .exists(params![key.as_str(), before(now(), ttl)])
        .map(|taken| !taken)
}

pub(super) fn add_member(db: &Connection, user: UserId, room: &RoomKey) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO members (user, room, mark_epoch, mark_seq) SELECT ?1, id, epoch, seq FROM rooms WHERE key = ?2",
    )?
    .execute(params![user.0.cast_signed(), room.as_str()])
    .map(|_| ())
}

pub(super) fn remove_member(db: &Connection, user: UserId, room: &RoomKey) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM members WHERE user = ?1 AND room = (SELECT id FROM rooms WHERE key = ?2)")?
        .execute(params![user.0.cast_signed(), room.as_str()])
        .map(|_| ())
}

pub(super) fn rooms_of(db: &Connection, user: UserId) -> rusqlite::Result<Vec<RoomRef>> {
    db.prepare_cached(
        "SELECT key, name FROM members JOIN rooms ON rooms.id = members.room WHERE user = ?1 ORDER BY members.id",
    )?
    .query_map([user.0.cast_signed()], room_ref)?
    .collect()
}

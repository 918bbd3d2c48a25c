//! Buckets of tokens in a table.

use super::{Embedded, writer::Change};
use crate::engine::{
    LiveSink, Quota, StoreError, TokenHash,
    quotas::{Quotas, hidden, taken},
};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use std::time::Duration;
use tokio::sync::oneshot;

#[async_trait]
impl Quotas for Embedded {
    async fn take(&self, bucket: &str, quota: Quota) -> Result<Result<(), Duration>, StoreError> {
        let bucket = bucket.to_owned();
        let (key, full_at) = self
            .read(move |db| {
                let key = hidden(&secret(db)?, &bucket);
                full_at(db, key).map(|full_at| (key, full_at))
            })
            .await?;
        let now = self.clock.now();
        let full_at = match taken(full_at, now, quota) {
            Ok(full_at) => full_at,
            Err(wait) => return Ok(Err(wait)),
        };
        let run = move |db: &Connection| put(db, key, full_at, now, quota);
        // Not waited for: it is committed with what it was asked for, which costs no sync of its own.
        let (ack, _) = oneshot::channel();
        self.queue(Box::new(Change { run, report: |(): &(), _: &dyn LiveSink| {}, done: None, ack }))?;
        Ok(Ok(()))
    }

    async fn is_full(&self, place: &str, most: u32) -> Result<bool, StoreError> {
        let (place, since) = (place.to_owned(), self.clock.before(self.session_ttl));
        self.read(move |db| {
            let count = "SELECT count(*) FROM (SELECT 1 FROM holders JOIN sessions USING (token)
                         WHERE place = ?1 AND seen_at > ?2 LIMIT ?3)";
            let key = hidden(&secret(db)?, &place);
            let count = db.prepare_cached(count)?.query_row(params![key, since, most], |row| row.get::<_, u32>(0))?;
            Ok(count >= most)
        })
        .await
    }

    async fn hold(&self, token: TokenHash, places: &[String]) -> Result<(), StoreError> {
        let places = places.to_vec();
        self.write(move |db| {
            let secret = secret(db)?;
            // Unless the session ended meanwhile.
            let insert = "INSERT OR IGNORE INTO holders (place, token) SELECT ?1, token FROM sessions WHERE token = ?2";
            let mut insert = db.prepare_cached(insert)?;
            places.iter().try_for_each(|place| insert.execute(params![hidden(&secret, place), token.0]).map(drop))
        })
        .await
    }
}

fn secret(db: &Connection) -> rusqlite::Result<Vec<u8>> {
    db.prepare_cached("SELECT value FROM secret")?.query_row([], |row| row.get(0))
}

fn full_at(db: &Connection, key: [u8; 16]) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached("SELECT full_at FROM quotas WHERE key = ?1")?.query_row([key], |row| row.get(0)).optional()
}

/// Takes the token in the order of writes: of two at the same moment the second finds what the first left.
fn put(db: &Connection, key: [u8; 16], full_at_read: i64, now: i64, quota: Quota) -> rusqlite::Result<()> {
    let full_at = taken(full_at(db, key)?, now, quota).unwrap_or(full_at_read);
    db.prepare_cached(
        "INSERT INTO quotas (key, full_at) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET full_at = excluded.full_at",
    )?
    .execute(params![key, full_at])
    .map(|_| ())
}

/// Forgets buckets that are full.
pub(super) fn prune(db: &Connection, now: i64) -> rusqlite::Result<()> {
    db.execute("DELETE FROM quotas WHERE full_at <= ?1", [now]).map(|_| ())
}

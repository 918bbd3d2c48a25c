//! Whether the store can be written to: what became of the last writes, and how much of the disk is free.

use super::folder::store_file;
use crate::engine::{Reason, Unwritable, Vitals};
use rusqlite::{Connection, ErrorCode};
use std::{
    path::PathBuf,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// How long a commit proves that more can follow: a disk at rest is not woken up for the question.
const PROOF: Duration = Duration::from_mins(1);
/// How often a store that refused is tried.
const RETRY: Duration = Duration::from_secs(1);
/// How often the disk is asked what is free.
const MEASURE: Duration = Duration::from_secs(1);

pub(super) struct Health {
    /// Why nothing is written any more, until somebody has looked at it.
    corrupt: OnceLock<String>,
    closed: AtomicBool,
    last: Mutex<Last>,
    space: Space,
}

/// The last outcome, and when that was or when it was last tried.
struct Last {
    outcome: Result<(), Unwritable>,
    at: Instant,
}

/// What to do to know whether the store can be written to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Proof {
    Known(Result<(), Unwritable>),
    Needed,
}

impl Health {
    /// Of a store that was just written to.
    pub fn new(dir: PathBuf) -> Self {
        let last = Mutex::new(Last { outcome: Ok(()), at: Instant::now() });
        Self { corrupt: OnceLock::new(), closed: AtomicBool::new(false), last, space: Space::new(dir) }
    }

    pub fn keep_free(&self, keep_free: KeepFree) {
        // Set once, when the engine is opened.
        let _ = self.space.keep_free.set(keep_free);
    }

    pub fn corrupt(&self) -> Option<&str> {
        self.corrupt.get().map(String::as_str)
    }

    /// Has nothing written any more.
    pub fn set_corrupt(&self, why: String) {
        if self.corrupt.get().is_none() {
            tracing::error!("the database is damaged, nothing is written to it any more: {why}; restore a backup");
        }
        let _ = self.corrupt.set(why);
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn wrote(&self) {
        *self.last() = Last { outcome: Ok(()), at: Instant::now() };
    }

    pub fn failed(&self, error: &rusqlite::Error) {
        let reason = reason(error);
        if reason == Reason::Corrupt {
            self.set_corrupt(error.to_string());
        }
        let outcome = Err(Unwritable { reason, detail: error.to_string() });
        *self.last() = Last { outcome, at: Instant::now() };
    }

    /// A read may find that the store is corrupt.
    pub fn could_not_read(&self, error: &rusqlite::Error) {
        if reason(error) == Reason::Corrupt {
            self.set_corrupt(error.to_string());
        }
    }

    /// Why no message may be written now, though the store may take one.
    pub fn refusal(&self) -> Option<String> {
        match self.corrupt() {
            Some(why) => Some(format!("the database is damaged: {why}")),
            None => self.space.is_short().then(|| "the disk is almost full".to_owned()),
        }
    }

    /// What became of the last write.
    pub fn outcome(&self) -> Result<(), Unwritable> {
        self.last().outcome.clone()
    }

    /// How large it is, and how much room there is.
    pub fn vitals(&self) -> Vitals {
        let dir = &self.space.dir;
        let len = |path: PathBuf| path.metadata().ok().map(|found| found.len());
        let disk = rustix::fs::statvfs(dir).ok();
        let mut wal = store_file(dir).into_os_string();
        wal.push("-wal");
        Vitals {
            sqlite_file_bytes: len(store_file(dir)),
            sqlite_wal_bytes: len(wal.into()).or(Some(0)),
            disk_bytes: disk.as_ref().map(|disk| disk.f_blocks.saturating_mul(disk.f_frsize)),
            disk_free_bytes: disk.map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
            ..Vitals::default()
        }
    }

    /// The store takes nothing any more.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    pub fn proof(&self) -> Proof {
        let known = |reason, detail: &str| Proof::Known(Err(Unwritable { reason, detail: detail.to_owned() }));
        if self.closed.load(Ordering::Relaxed) {
            return known(Reason::Unreachable, "closed");
        }
        if let Some(why) = self.corrupt() {
            return known(Reason::Corrupt, why);
        }
        if self.space.is_short() {
            return known(Reason::Full, "the disk is almost full");
        }
        let mut last = self.last();
        let since = last.at.elapsed();
        if since < if last.outcome.is_ok() { PROOF } else { RETRY } {
            return Proof::Known(last.outcome.clone());
        }
        // Whoever asks meanwhile is answered as before.
        last.at = Instant::now();
        Proof::Needed
    }
}

/// Takes a page and gives it back. What cannot do that has no room for a message.
pub(super) fn probe(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch("INSERT INTO probe VALUES (zeroblob(8192)); DELETE FROM probe")
}

fn reason(error: &rusqlite::Error) -> Reason {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Reason::Full,
        Some(ErrorCode::ReadOnly) => Reason::ReadOnly,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Reason::Corrupt,
        Some(ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied) => Reason::Rights,
        // Nothing here writes what exists already, unless what is read and what is there contradict each other.
        Some(ErrorCode::ConstraintViolation) if is_repeat(error) => Reason::Corrupt,
        _ => Reason::Other,
    }
}

fn is_repeat(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_ROWID, SQLITE_CONSTRAINT_UNIQUE};
    error.sqlite_error().is_some_and(|error| {
        [SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_ROWID, SQLITE_CONSTRAINT_UNIQUE].contains(&error.extended_code)
    })
}

/// An error for what only a damaged store can hold.
pub(super) fn corrupt(what: String) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT), Some(what))
}

/// How much of the disk messages leave free, to sign-outs, leases and whoever has to clean up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepFree {
    /// So many bytes; 0: messages are taken until the disk is full.
    Bytes(u64),
    /// 256 MiB, or a hundredth of the disk if that is more; but no more than an eighth of it, or a small volume would take no
    /// message at all.
    BySize,
}

impl KeepFree {
    pub(super) fn of(self, size: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::BySize => (256 << 20).max(size / 100).min(size / 8),
        }
    }
}

/// Whether less of the disk is free than has to be.
struct Space {
    dir: PathBuf,
    /// Unset: nothing.
    keep_free: OnceLock<KeepFree>,
    short: AtomicBool,
    /// Milliseconds after `start` at which it was measured.
    measured: AtomicU64,
    start: Instant,
}

impl Space {
    fn new(dir: PathBuf) -> Self {
        let start = Instant::now();
        Self { dir, keep_free: OnceLock::new(), short: AtomicBool::new(false), measured: AtomicU64::new(0), start }
    }

    fn is_short(&self) -> bool {
        let Some(keep_free) = self.keep_free.get().filter(|keep_free| **keep_free != KeepFree::Bytes(0)) else {
            return false;
        };
        let now = u64::try_from((self.start.elapsed() + MEASURE).as_millis()).unwrap_or(u64::MAX);
        let measured = self.measured.load(Ordering::Relaxed);
        let every = u64::try_from(MEASURE.as_millis()).unwrap_or(u64::MAX);
        if now - measured.min(now) >= every
            && self.measured.compare_exchange(measured, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            match rustix::fs::statvfs(&self.dir) {
                Ok(disk) => {
                    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
                    let size = disk.f_blocks.saturating_mul(disk.f_frsize);
                    let short = free < keep_free.of(size);
                    if self.short.swap(short, Ordering::Relaxed) != short {
                        say(short, free);
                    }
                }
                Err(error) => tracing::debug!(%error, "cannot ask how much of the disk is free"),
            }
        }
        self.short.load(Ordering::Relaxed)
    }
}

fn say(short: bool, free: u64) {
    let mib = free >> 20;
    if short {
        tracing::error!(
            free_mib = mib,
            "messages are refused: only {mib} MiB of the disk are free (HUBBUB_KEEP_FREE_MIB)"
        );
    } else {
        tracing::info!(free_mib = mib, "messages are taken again: {mib} MiB of the disk are free");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_free_fits_the_disk() {
        let (mib, gib) = (1 << 20, 1 << 30);
        for (size, kept) in [(20 * gib, 256 * mib), (1_000 * gib, 10 * gib), (8 * mib, mib)] {
            assert_eq!(KeepFree::BySize.of(size), kept, "of {size}");
        }
    }
}

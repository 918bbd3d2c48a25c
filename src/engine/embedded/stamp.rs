//! Which database a write-ahead log belongs to.
//!
//! `SQLite` replays a log onto whatever database lies beside it. Onto a backup that was put back by hand it makes a mixture
//! of both, which may look sound and lack what was acknowledged last. So the database bears a stamp, which is renewed
//! whenever its log begins anew, and the lock file says which one it has to be.
//!
//! The stamp is the number in the file's header by which `SQLite`'s connections notice that the schema changed. It is read
//! without `SQLite`, and every copy that `SQLite` itself makes (`.backup`, `VACUUM INTO`) has another one.

use super::{OpenDataError, folder::Folder};
use crate::engine::random_id;
use rusqlite::{Connection, ErrorCode};
use std::{
    fs::File,
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
};

/// Where the stamp is in the file, as a big-endian number.
const AT: u64 = 40;
/// Copies get small numbers.
const MIN: u32 = 1 << 24;
/// Pages in the log from which on they are moved into the database (16 MiB).
const LOG_PAGES: i32 = 4_000;

/// The stamps that a database may bear: while the log is moved into it, the new one as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamps([u32; 2]);

impl Stamps {
    pub const LEN: usize = "stamps 00000000 00000000\n".len();

    pub fn contains(self, stamp: u32) -> bool {
        self.0.contains(&stamp)
    }

    pub fn text(self) -> Vec<u8> {
        format!("stamps {:08x} {:08x}\n", self.0[0], self.0[1]).into_bytes()
    }

    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?.strip_prefix("stamps ")?.strip_suffix('\n')?;
        let (one, other) = text.split_once(' ')?;
        let number = |text| u32::from_str_radix(text, 16).ok();
        Some(Self([number(one)?, number(other)?]))
    }
}

/// What was found in the directory before `SQLite` looks at it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing yet.
    Nothing,
    /// What the last one to use it left when it stopped.
    Known,
    /// What was left without a stop, or was put there by somebody.
    Unknown,
}

/// Refuses what must not be opened: `SQLite` would change it.
pub(super) fn look(folder: &Folder) -> Result<Left, OpenDataError> {
    let file = folder.file();
    let len = |path: &Path| path.metadata().map_or(0, |found| found.len());
    let log = len(&folder.beside("-wal")) > 0;
    if len(&file) == 0 {
        if log {
            return Err(OpenDataError::LogAlone { file });
        }
        let left = folder.restoring();
        if left.exists() {
            return Err(OpenDataError::Interrupted { dir: folder.dir.clone(), left });
        }
        return Ok(Left::Nothing);
    }
    let stamp = File::open(&file).and_then(|file| read(&file)).ok();
    let known = folder.stamps().zip(stamp).map(|(stamps, stamp)| stamps.contains(stamp));
    match known {
        Some(false) if log => Err(OpenDataError::Mixed { file }),
        Some(true) if !log => Ok(Left::Known),
        _ => Ok(Left::Unknown),
    }
}

fn read(file: &File) -> io::Result<u32> {
    let mut stamp = [0; 4];
    file.read_exact_at(&mut stamp, AT)?;
    Ok(u32::from_be_bytes(stamp))
}

/// Renews the stamp with the log, and notices when the database is replaced by another file.
pub(super) struct Stamper {
    folder: Folder,
    file: PathBuf,
    /// Closed after `SQLite`'s connections: closing any handle of a file lets go of the process' locks on it.
    handle: File,
    stamps: Stamps,
}

impl Stamper {
    /// Empties the log of a database that was just opened, and stamps it anew.
    pub fn start(folder: Folder, db: &Connection) -> Result<Self, OpenDataError> {
        let file = folder.file();
        let failed = |reason: String| OpenDataError::Database { file: file.clone(), reason };
        let handle = File::open(&file).map_err(|error| failed(error.to_string()))?;
        let stamp = read(&handle).map_err(|error| failed(error.to_string()))?;
        let in_log: u32 = db
            .pragma_query_value(None, "schema_version", |row| row.get(0))
            .map_err(|error| failed(error.to_string()))?;
        let mut stamper = Self { folder, file: file.clone(), handle, stamps: Stamps([stamp, in_log]) };
        // The stamp that is in the log first, then a new one.
        for _ in 0..=u8::from(stamp != in_log) {
            match stamper.renew(db, "TRUNCATE") {
                // The store can be read with its log, which is moved once there is room.
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                    tracing::warn!(%error, "the write-ahead log could not be moved into the database: {error}");
                }
                renewed => renewed.map_err(|error| failed(error.to_string()))?,
            }
        }
        Ok(stamper)
    }

    /// Moves the log into the database once it is long. Never waits for a reader: then it is tried again.
    pub fn checkpoint_if_long(&mut self, db: &Connection, log_pages: i32) {
        if log_pages >= LOG_PAGES
            && let Err(error) = self.renew(db, "PASSIVE")
        {
            tracing::warn!(%error, "the write-ahead log could not be moved into the database: {error}");
        }
    }

    /// Moves the log into the database for the last time.
    pub fn checkpoint(&mut self, db: &Connection) {
        if let Err(error) = self.renew(db, "TRUNCATE") {
            tracing::warn!(%error, "the database was left with its write-ahead log: {error}");
        }
    }

    /// The new stamp is in the log before the log is moved, and is allowed before it is written: whenever the log begins
    /// anew, the database bears a stamp that no copy made before has, and whenever this stops, one that is allowed.
    fn renew(&mut self, db: &Connection, how: &str) -> rusqlite::Result<()> {
        let [old, pending] = self.stamps.0;
        if old == pending {
            let new = new_stamp(old);
            // A full disk refuses it; moving the log is then all the more needed.
            if self.note([old, new])
                && let Err(error) = db.pragma_update(None, "schema_version", new)
            {
                tracing::warn!(%error, "the database could not be stamped: {error}");
                self.note([old, old]);
            }
        }
        let (log, moved) = db.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |row| {
            Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        })?;
        let [old, new] = self.stamps.0;
        if log == moved && old != new {
            self.note([new, new]);
        }
        Ok(())
    }

    /// Whether these are on the disk.
    fn note(&mut self, stamps: [u32; 2]) -> bool {
        let stamps = Stamps(stamps);
        match self.folder.set_stamps(Some(stamps)) {
            Ok(()) => {
                self.stamps = stamps;
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the stamp of the database could not be noted: {error}");
                false
            }
        }
    }

    /// Why the database is not the one that was opened, if it is another one.
    pub fn replaced(&self) -> Option<&'static str> {
        let (Ok(ours), Ok(there)) = (self.handle.metadata(), self.file.metadata()) else {
            return Some("its file is gone");
        };
        if (ours.dev(), ours.ino()) != (there.dev(), there.ino()) {
            return Some("another file was put in its place");
        }
        let stamp = read(&self.handle).ok();
        (!stamp.is_some_and(|stamp| self.stamps.contains(stamp))).then_some("its file was written over")
    }
}

/// One that is neither `old` nor a copy's; positive, as `SQLite` shows it.
fn new_stamp(old: u32) -> u32 {
    loop {
        let stamp = u32::try_from(random_id() >> 33).unwrap_or_default();
        if stamp >= MIN && stamp != old {
            return stamp;
        }
    }
}

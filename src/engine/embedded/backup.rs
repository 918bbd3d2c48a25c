//! Copying the store to a file, also while a server uses it.
//!
//! The copy is of one moment. The server goes on meanwhile: in SQLite's write-ahead mode nobody who reads is in the way of
//! whoever writes.

use super::{
    OpenDataError,
    folder::store_file,
    schema::{self, refused},
    sound,
};
use rusqlite::{Connection, backup::Backup};
use std::{
    fmt,
    fs::{self, File},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    pub rooms: u64,
    pub messages: u64,
    pub bytes: u64,
    pub file: PathBuf,
}

impl fmt::Display for BackedUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rooms, messages, bytes, file } = self;
        write!(f, "backed up to {} (rooms: {rooms}, messages: {messages}, bytes: {bytes})", file.display())
    }
}

/// Why there is no backup: one line each, which says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("there is no store in {}; name the server's data directory by --data-dir", dir.display())]
    NoStore { dir: PathBuf },
    #[error("{} is there already; name a file that is not, or remove it", file.display())]
    Exists { file: PathBuf },
    #[error("cannot write {}: {reason}", file.display())]
    Write { file: PathBuf, reason: io::Error },
    #[error("{0}")]
    Data(#[from] OpenDataError),
}

/// Copies the store in `dir` to `file`, which is only there once it is whole, on the disk and found sound.
///
/// # Errors
/// There is no store, or none of this program; the file is there already or cannot be written. What was written is removed.
pub fn backup(dir: &Path, file: &Path) -> Result<BackedUp, BackupError> {
    let store = store_file(dir);
    if !store.is_file() {
        return Err(BackupError::NoStore { dir: dir.to_owned() });
    }
    if fs::symlink_metadata(file).is_ok() {
        return Err(BackupError::Exists { file: file.to_owned() });
    }
    let unwritten = |reason| BackupError::Write { file: file.to_owned(), reason };
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    // For this user alone, as the store is; one that an earlier try left is written anew.
    let written = File::options().create(true).truncate(true).write(true).mode(0o600).open(&part).map_err(unwritten)?;
    let copied = copy(&store, &part).and_then(|(rooms, messages)| {
        written.sync_all().map_err(unwritten)?;
        let bytes = written.metadata().map_err(unwritten)?.len();
        fs::rename(&part, file).map_err(unwritten)?;
        let folder = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(unwritten)?;
        Ok(BackedUp { rooms, messages, bytes, file: file.to_owned() })
    });
    copied.inspect_err(|_| {
        // Our own copy, and nothing else.
        let _ = fs::remove_file(&part);
    })
}

/// How many rooms and messages the copy holds.
fn copy(store: &Path, part: &Path) -> Result<(u64, u64), BackupError> {
    let from = schema::open_other(store)?;
    let failed = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull | rusqlite::ErrorCode::SystemIoFailure) => {
            BackupError::Write { file: part.to_owned(), reason: io::Error::other(error) }
        }
        _ => refused(store, &error).into(),
    };
    {
        let mut to = Connection::open(part).map_err(failed)?;
        // All pages at once, and thereby of one moment.
        Backup::new(&from, &mut to).and_then(|backup| backup.step(-1)).map_err(failed)?;
        // One file, without a log beside it.
        to.execute_batch("PRAGMA journal_mode = DELETE").map_err(failed)?;
    }
    let copy = Connection::open(part).map_err(failed)?;
    if let Some(what) = sound::look(&copy).map_err(failed)? {
        return Err(OpenDataError::Unfit { file: store.to_owned(), what }.into());
    }
    let count = |sql| copy.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned).map_err(failed);
    Ok((count("SELECT count(*) FROM rooms")?, count("SELECT count(*) FROM entries")?))
}

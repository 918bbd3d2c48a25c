//! Why a data directory cannot be used: one line each, which says what to do.

use std::{io, path::PathBuf};

/// Why the engine cannot work with a data directory.
#[derive(Debug, thiserror::Error)]
pub enum OpenDataError {
    #[error("cannot create the data directory {}: {reason}; create it or choose another one", dir.display())]
    CreateDir { dir: PathBuf, reason: io::Error },
    #[error("cannot write in the data directory {}: {reason}; let this user write there or choose another one", dir.display())]
    NotWritable { dir: PathBuf, reason: io::Error },
    #[error("the data directory {} is in use by another Hubbub; stop that one or choose another directory", dir.display())]
    InUse { dir: PathBuf },
    #[error(
        "the file system of the data directory {} has no locks ({reason}), so that no second Hubbub could be kept off it; \
         choose a directory on a local disk", dir.display()
    )]
    NoLocks { dir: PathBuf, reason: io::Error },
    #[error("{} is no Hubbub database: {reason}; move it away, restore a backup or choose another data directory", file.display())]
    NotHubbub { file: PathBuf, reason: String },
    #[error("{} was written by a newer Hubbub (its schema is {found}, this one knows {known}); start that version", file.display())]
    Newer { file: PathBuf, found: i64, known: i64 },
    /// The database beside a write-ahead log is not the one whose log it is.
    #[error(
        "{0} was put beside the write-ahead log of another database, as when a backup is put back by hand: \
         move {0}-wal and {0}-shm away to start with the backup, or delete hubbub.lock if both are from one snapshot",
        file.display()
    )]
    Mixed { file: PathBuf },
    /// `SQLite` would delete the log.
    #[error(
        "{0} is missing or empty, but its write-ahead log {0}-wal is there: put the database back, \
         or move the log away to start with an empty store", file.display()
    )]
    LogAlone { file: PathBuf },
    #[error(
        "a restore into {} was interrupted: do it again, or delete {} to start with an empty store",
        dir.display(), left.display()
    )]
    Interrupted { dir: PathBuf, left: PathBuf },
    /// Its parts contradict each other.
    #[error(
        "{} does not fit together: {what}; put a backup back with `hubbub restore FILE --replace`, or move it away",
        file.display()
    )]
    Unfit { file: PathBuf, what: String },
    #[error("{} is no backup of a Hubbub store: {reason}; choose another one", file.display())]
    NotBackup { file: PathBuf, reason: String },
    #[error("cannot open the database {}: {reason}", file.display())]
    Database { file: PathBuf, reason: String },
    #[error("cannot start the store's threads: {0}")]
    Threads(io::Error),
}

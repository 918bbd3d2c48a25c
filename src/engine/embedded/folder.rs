//! The data directory: private, used by one process at a time, and knowing which database its write-ahead log belongs to.

use super::{OpenDataError, stamp::Stamps};
use std::{
    fs::{DirBuilder, File, Permissions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

const FILE: &str = "hubbub.sqlite3";
const LOCK: &str = "hubbub.lock";
/// What a restore has copied and not yet put in its place.
const RESTORING: &str = "hubbub.sqlite3.restoring";

/// The store's file in a data directory.
pub(super) fn store_file(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

/// Whether another process uses a data directory.
pub(super) fn is_locked(dir: &Path) -> bool {
    let lock = File::open(dir.join(LOCK));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// A data directory that no other process uses as long as this value lives.
pub(super) struct Folder {
    pub dir: PathBuf,
    /// Says in addition which stamps the database may bear.
    lock: File,
    /// Whoever deletes the lock file lets nobody in: the directory is locked as well, where its file system can do that.
    _dir: Option<File>,
}

impl Folder {
    /// Makes the directory if need be, for this user alone, and locks it.
    pub fn open(dir: &Path) -> Result<Self, OpenDataError> {
        let create = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        create.map_err(|reason| OpenDataError::CreateDir { dir: dir.to_owned(), reason })?;
        let path = dir.join(LOCK);
        let not_writable = |reason| OpenDataError::NotWritable { dir: dir.to_owned(), reason };
        let lock = private(&path).map_err(not_writable)?;
        let in_use = || OpenDataError::InUse { dir: dir.to_owned() };
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use()),
            Err(TryLockError::Error(reason)) if has_no_locks(&reason) => {
                return Err(OpenDataError::NoLocks { dir: dir.to_owned(), reason });
            }
            Err(TryLockError::Error(reason)) => return Err(not_writable(reason)),
        }
        let dir_lock = File::open(dir).ok();
        let dir_lock = match dir_lock.as_ref().map(File::try_lock) {
            Some(Err(TryLockError::WouldBlock)) => return Err(in_use()),
            Some(Ok(())) => dir_lock,
            _ => None,
        };
        Ok(Self { dir: dir.to_owned(), lock, _dir: dir_lock })
    }

    pub fn file(&self) -> PathBuf {
        store_file(&self.dir)
    }

    /// The file beside the database with this at the end of its name.
    pub fn beside(&self, suffix: &str) -> PathBuf {
        self.dir.join(format!("{FILE}{suffix}"))
    }

    pub fn restoring(&self) -> PathBuf {
        self.dir.join(RESTORING)
    }

    /// The stamps that the database may bear, as far as that is known.
    pub fn stamps(&self) -> Option<Stamps> {
        let mut text = [0; Stamps::LEN];
        self.lock.read_exact_at(&mut text, 0).ok()?;
        Stamps::parse(&text)
    }

    /// Notes which stamps the database may bear from now on; `None`: any.
    pub fn set_stamps(&self, stamps: Option<Stamps>) -> io::Result<()> {
        match stamps {
            // In place, and shorter than a sector: it is the old or the new after a loss of power, or cannot be read.
            Some(stamps) => self.lock.write_all_at(&stamps.text(), 0)?,
            None => self.lock.set_len(0)?,
        }
        self.lock.sync_data()
    }

    /// Makes the database's file, if need be, and keeps others from reading it: what `SQLite` puts beside it gets the same
    /// rights.
    pub fn keep_private(&self) -> Result<(), OpenDataError> {
        let file = self.file();
        let tighten = |path: &Path| {
            let others = path.metadata()?.mode() & 0o007;
            // Whoever let a group in meant it; whoever let everybody in had a umask that did.
            if others == 0 { Ok(()) } else { std::fs::set_permissions(path, Permissions::from_mode(0o600)) }
        };
        private(&file).and_then(|_| tighten(&file)).map_err(|reason| match reason.kind() {
            io::ErrorKind::PermissionDenied => OpenDataError::NotWritable { dir: self.dir.clone(), reason },
            _ => OpenDataError::Database { file: file.clone(), reason: reason.to_string() },
        })?;
        for suffix in ["-wal", "-shm"] {
            // Left by an earlier version.
            let _ = tighten(&self.beside(suffix));
        }
        Ok(())
    }
}

/// Opens a file for writing without emptying it; a new one is this user's alone.
fn private(path: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).read(true).write(true).mode(0o600).open(path)
}

/// Whether that is what a file system without locks says.
fn has_no_locks(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let of = |errno: Errno| errno.raw_os_error();
    error
        .raw_os_error()
        .is_some_and(|code| [Errno::NOSYS, Errno::NOLCK, Errno::OPNOTSUPP, Errno::INVAL].map(of).contains(&code))
}

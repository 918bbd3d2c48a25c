//! Putting a backup in the place of the store.
//!
//! Nothing is deleted, and nothing of the store is touched before the backup was copied beside it and found sound.

use super::{
    OpenDataError, clock,
    folder::Folder,
    schema,
    sound::{self, Depth},
};
use rusqlite::{Connection, params};
use std::{
    fmt,
    fs::{self, File},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    pub rooms: u64,
    pub messages: u64,
    /// The file that the store is in now.
    pub file: PathBuf,
    /// Where the store is that was there before.
    pub aside: Option<PathBuf>,
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rooms, messages, file, aside } = self;
        write!(f, "restored {} (rooms: {rooms}, messages: {messages})", file.display())?;
        match aside {
            Some(aside) => write!(f, "; what was there is {} now", aside.display()),
            None => Ok(()),
        }
    }
}

/// Why nothing was restored: one line each, which says what to do.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("cannot read {}: {reason}", file.display())]
    Unreadable { file: PathBuf, reason: io::Error },
    #[error("{} is no file", file.display())]
    NoFile { file: PathBuf },
    #[error("{} is the store itself; name a copy of it", file.display())]
    Itself { file: PathBuf },
    #[error(
        "{} is no finished backup: {} lies beside it; make one with `sqlite3 {} \".backup copy\"` and restore the copy",
        file.display(), beside.display(), file.display()
    )]
    Unfinished { file: PathBuf, beside: PathBuf },
    #[error(
        "{} is a store already; say --replace to have it put aside (nothing is deleted), or choose another directory",
        store.display()
    )]
    Occupied { store: PathBuf },
    #[error("cannot copy {} to {}: {reason}", from.display(), to.display())]
    Copy { from: PathBuf, to: PathBuf, reason: io::Error },
    #[error("{0}")]
    Data(#[from] OpenDataError),
}

/// Copies the backup `file` into `dir` as its store. A store that is there is put aside if `replace` says so.
///
/// # Errors
/// The backup cannot be read or is not sound, the directory is in use or cannot be written in, or a store is there.
pub fn restore(file: &Path, dir: &Path, replace: bool) -> Result<Restored, RestoreError> {
    let source = source(file)?;
    let folder = Folder::open(dir)?;
    let store = folder.file();
    if let (Ok(found), Ok(there)) = (source.metadata(), store.metadata())
        && (found.dev(), found.ino()) == (there.dev(), there.ino())
    {
        return Err(RestoreError::Itself { file: file.to_owned() });
    }
    let occupied = [store.clone(), folder.beside("-wal")].iter().any(|path| len(path) > 0);
    if occupied && !replace {
        return Err(RestoreError::Occupied { store });
    }
    let copy = folder.restoring();
    let checked = copy_to(source, file, &copy).and_then(|()| Ok(check(&copy, file)?));
    let (rooms, messages) = checked.inspect_err(|_| {
        // Our own copy, and nothing else.
        let _ = fs::remove_file(&copy);
    })?;
    let put = |reason| RestoreError::Copy { from: file.to_owned(), to: store.clone(), reason };
    let aside = put_aside(&folder).map_err(put)?;
    fs::rename(&copy, &store).and_then(|()| File::open(dir)?.sync_all()).map_err(put)?;
    // Any stamp is right where there is no log.
    folder.set_stamps(None).map_err(put)?;
    Ok(Restored { rooms, messages, file: store, aside })
}

fn len(path: &Path) -> u64 {
    path.metadata().map_or(0, |found| found.len())
}

fn source(file: &Path) -> Result<File, RestoreError> {
    let unreadable = |reason| RestoreError::Unreadable { file: file.to_owned(), reason };
    let source = File::open(file).map_err(unreadable)?;
    if !source.metadata().map_err(unreadable)?.is_file() {
        return Err(RestoreError::NoFile { file: file.to_owned() });
    }
    for suffix in ["-wal", "-journal"] {
        let mut beside = file.as_os_str().to_owned();
        beside.push(suffix);
        let beside = PathBuf::from(beside);
        if len(&beside) > 0 {
            return Err(RestoreError::Unfinished { file: file.to_owned(), beside });
        }
    }
    Ok(source)
}

fn copy_to(mut source: File, from: &Path, to: &Path) -> Result<(), RestoreError> {
    let mut copy = || {
        let mut copy = File::options().create(true).truncate(true).write(true).mode(0o600).open(to)?;
        io::copy(&mut source, &mut copy)?;
        copy.sync_all()
    };
    copy().map_err(|reason| RestoreError::Copy { from: from.to_owned(), to: to.to_owned(), reason })
}

/// How many rooms and messages a sound copy holds, which is brought up to date. What is wrong with it is said of the file it
/// was copied from.
fn check(copy: &Path, file: &Path) -> Result<(u64, u64), OpenDataError> {
    let of_file = |error| match error {
        OpenDataError::NotHubbub { reason, .. } => OpenDataError::NotBackup { file: file.to_owned(), reason },
        OpenDataError::Unfit { what, .. } => OpenDataError::NotBackup { file: file.to_owned(), reason: what },
        OpenDataError::Newer { found, known, .. } => OpenDataError::Newer { file: file.to_owned(), found, known },
        error => error,
    };
    let mut db = schema::open_copy(copy).map_err(of_file)?;
    sound::check(&mut db, copy, Depth::Everything).map_err(of_file)?;
    let counted = age(&db).and_then(|()| {
        let count = |sql| db.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned);
        Ok((count("SELECT count(*) FROM rooms")?, count("SELECT count(*) FROM entries")?))
    });
    counted.map_err(|error| schema::refused(file, &error))
}

/// What ran out since the backup was made has run out: whoever restores one says that the time of day is right.
fn age(db: &Connection) -> rusqlite::Result<()> {
    db.execute("UPDATE clock SET working = working + max(0, ?1 - time), time = ?1", params![clock::now()]).map(|_| ())
}

/// Renames what is there; says what the database is called now. The database goes first: without it a start is refused as
/// long as its log or the copy is there.
fn put_aside(folder: &Folder) -> io::Result<Option<PathBuf>> {
    let time = humantime::format_rfc3339_seconds(SystemTime::now()).to_string().replace([':', '-'], "");
    let name = (1..).map(|n| if n == 1 { format!(".{time}") } else { format!(".{time}-{n}") });
    let free =
        |name: &String| ["", "-wal", "-shm"].iter().all(|suffix| !folder.beside(&format!("{name}{suffix}")).exists());
    let Some(name) = name.take(1_000).find(free) else {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "no name is left for the old store"));
    };
    let mut aside = None;
    for suffix in ["", "-wal", "-shm"] {
        let (from, to) = (folder.beside(suffix), folder.beside(&format!("{name}{suffix}")));
        match fs::rename(&from, &to) {
            Ok(()) => aside = aside.or(Some(to)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(aside)
}

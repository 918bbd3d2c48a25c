//! What is in a data directory, for whoever asks what is wrong with it. Nothing is changed, and a server may be using it.

use super::{
    KeepFree, OpenDataError,
    folder::{is_locked, store_file},
    schema::{self, refused},
};
use std::path::Path;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectoryState {
    /// A server uses it.
    pub in_use: bool,
    /// Rooms and messages of the store that is there.
    pub stored: Option<(u64, u64)>,
}

/// Looks at a directory that is there.
///
/// # Errors
/// It cannot be read or written, or what is in it is no store of this program's.
pub fn examine(dir: &Path) -> Result<DirectoryState, OpenDataError> {
    rustix::fs::access(dir, rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)
        .map_err(|error| OpenDataError::NotWritable { dir: dir.to_owned(), reason: error.into() })?;
    let (in_use, file) = (is_locked(dir), store_file(dir));
    if !file.is_file() {
        return Ok(DirectoryState { in_use, stored: None });
    }
    let db = schema::open_other(&file)?;
    let count = |sql| db.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned);
    let stored =
        count("SELECT count(*) FROM rooms").and_then(|rooms| Ok((rooms, count("SELECT count(*) FROM entries")?)));
    Ok(DirectoryState { in_use, stored: Some(stored.map_err(|error| refused(&file, &error))?) })
}

/// Bytes of the disk that are free, and that messages leave free.
pub fn free_and_wanted(dir: &Path, keep_free: KeepFree) -> Option<(u64, u64)> {
    let disk = rustix::fs::statvfs(dir).ok()?;
    let [free, size] = [disk.f_bavail, disk.f_blocks].map(|blocks| blocks.saturating_mul(disk.f_frsize));
    Some((free, keep_free.of(size)))
}

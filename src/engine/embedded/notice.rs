//! What everybody is told, in a file of its own: whoever runs the server writes it while the server has the database.

use super::clock::{millis, now};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

const FILE: &str = "notice.json";

#[derive(Serialize, Deserialize)]
struct Kept {
    text: String,
    /// Milliseconds since 1970-01-01 UTC.
    until: i64,
}

/// Why a notice cannot be read or kept.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}; name the server's data directory by --data-dir, and be the user that it runs as", file.display())]
pub struct NoticeError {
    file: PathBuf,
    reason: io::Error,
}

/// What everybody is told now.
///
/// # Errors
/// It cannot be read.
pub fn notice(dir: &Path) -> Result<Option<String>, NoticeError> {
    let file = dir.join(FILE);
    let failed = |reason| NoticeError { file: file.clone(), reason };
    let json = match fs::read(&file) {
        Ok(json) => json,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let kept: Kept = serde_json::from_slice(&json).map_err(|error| failed(error.into()))?;
    Ok((kept.until > now()).then_some(kept.text))
}

/// Has everybody told something for so long, or nothing any more.
///
/// # Errors
/// There is no such directory, or it cannot be written to.
pub fn set_notice(dir: &Path, to: Option<(&str, Duration)>) -> Result<(), NoticeError> {
    let file = dir.join(FILE);
    let failed = |reason| NoticeError { file: file.clone(), reason };
    let Some((text, lasts)) = to else {
        return match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        };
    };
    let kept = Kept { text: text.to_owned(), until: now().saturating_add(millis(lasts)) };
    // A server that looks meanwhile sees the old one or the new one.
    let part = dir.join(format!("{FILE}.part"));
    let write = || {
        let part_file = fs::File::options().create(true).truncate(true).write(true).mode(0o600).open(&part)?;
        serde_json::to_writer(&part_file, &kept)?;
        part_file.sync_all()?;
        fs::rename(&part, &file)
    };
    write().map_err(failed)
}

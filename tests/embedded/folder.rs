//! The data directory: whose it is, and who may read it.

use super::{refused, reopen};
use crate::contract::support::*;
use hubbub::engine::embedded::OpenDataError;
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
};
use tempfile::TempDir;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn nobody_else_can_read_what_is_in_it() {
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("made/on/the/way");
    let engine = reopen(&data);
    fill(&*engine, &Tab::new(&room("Design")), 3).await;
    assert_eq!(mode(&data), 0o700);
    let names = ["hubbub.sqlite3", "hubbub.sqlite3-wal", "hubbub.sqlite3-shm", "hubbub.lock"];
    assert_eq!(names.map(|name| mode(&data.join(name))), [0o600; 4]);
    engine.shutdown().await;

    // As an earlier version left it, and as somebody chose who lets a group read it.
    for (left, becomes) in [(0o644, 0o600), (0o666, 0o600), (0o640, 0o640)] {
        fs::set_permissions(data.join(names[0]), Permissions::from_mode(left)).unwrap();
        let engine = reopen(&data);
        fill(&*engine, &Tab::new(&room("Design")), 3).await;
        assert_eq!(names[..3].iter().map(|name| mode(&data.join(name))).collect::<Vec<_>>(), [becomes; 3]);
        engine.shutdown().await;
    }
}

#[tokio::test]
async fn a_deleted_lock_file_lets_nobody_in() {
    let dir = TempDir::new().unwrap();
    let engine = reopen(dir.path());
    fs::remove_file(dir.path().join("hubbub.lock")).unwrap();
    let error = refused(dir.path());
    assert!(matches!(error, OpenDataError::InUse { .. }), "{error}");
    // By another way to the same directory as well.
    let (links, link) = (TempDir::new().unwrap(), "link");
    std::os::unix::fs::symlink(dir.path(), links.path().join(link)).unwrap();
    assert!(matches!(refused(&links.path().join(link)), OpenDataError::InUse { .. }));
    fill(&*engine, &Tab::new(&room("Design")), 3).await;
    engine.shutdown().await;
    reopen(dir.path());
}

//! A backup, or anything else, that is put beside the write-ahead log of another database by hand.

use super::{refused, reopen};
use crate::contract::support::*;
use hubbub::engine::{After, AppendError, Engine, embedded::OpenDataError};
use rusqlite::{Connection, OpenFlags, backup::Backup};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;

fn file(dir: &Path) -> PathBuf {
    dir.join("hubbub.sqlite3")
}

/// What a process that is killed leaves, while nothing is being written.
fn killed(dir: &Path) -> TempDir {
    let left = TempDir::new().unwrap();
    for name in ["hubbub.sqlite3", "hubbub.sqlite3-wal", "hubbub.sqlite3-shm", "hubbub.lock"] {
        fs::copy(dir.join(name), left.path().join(name)).unwrap();
    }
    left
}

/// A copy of a store that is in use, as some program makes it.
fn copy(dir: &Path, to: &Path, by: &str) {
    let open = || Connection::open_with_flags(file(dir), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    match by {
        ".backup" => {
            let (from, mut to) = (open(), Connection::open(to).unwrap());
            Backup::new(&from, &mut to).unwrap().run_to_completion(1_000, Duration::ZERO, None).unwrap();
        }
        "VACUUM INTO" => drop(open().execute("VACUUM INTO ?1", [to.to_str().unwrap()]).unwrap()),
        // Without what is in the log: no backup, but some make it.
        "cp" => drop(fs::copy(file(dir), to).unwrap()),
        _ => unreachable!(),
    }
}

/// One message after the other, so that each is a commit.
async fn say(engine: &Arc<dyn Engine>, tab: &Tab, from: u64, to: u64) {
    for n in from..=to {
        entry(engine.append(tab.draft(n, &format!("m{n}"))).await);
    }
}

/// The store is refused and left as it is.
fn is_refused(dir: &Path) -> OpenDataError {
    let read = || ["", "-wal"].map(|suffix| fs::read(format!("{}{suffix}", file(dir).display())).ok());
    let before = read();
    let error = refused(dir);
    assert!(error.to_string().contains("hubbub.sqlite3-wal"), "{error}");
    assert!(read() == before, "it was changed: {error}");
    error
}

#[tokio::test]
async fn a_backup_put_back_beside_the_log_is_refused() {
    // Messages before the backup and after it: the log began anew in between, or did not.
    for (before, after) in [(50, 500), (50, 800), (400, 200), (1500, 700), (2000, 900)] {
        let (dir, copies) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let (engine, tab) = (reopen(dir.path()), Tab::new(&room("Design")));
        say(&engine, &tab, 1, before).await;
        for by in [".backup", "VACUUM INTO"] {
            copy(dir.path(), &copies.path().join(by), by);
        }
        say(&engine, &tab, before + 1, before + after).await;
        for by in [".backup", "VACUUM INTO"] {
            let left = killed(dir.path());
            fs::copy(copies.path().join(by), file(left.path())).unwrap();
            let error = is_refused(left.path());
            assert!(matches!(error, OpenDataError::Mixed { .. }), "{before}/{after} by {by}: {error}");
            // What the line says helps.
            for suffix in ["wal", "shm"] {
                fs::rename(left.path().join(format!("hubbub.sqlite3-{suffix}")), left.path().join(suffix)).unwrap();
            }
            let restored = reopen(left.path());
            assert_eq!(log(&*restored, &tab.room.key).await.len() as u64, before);
            let next = restored.append(tab.draft(before + after + 1, "next")).await;
            assert_eq!(next, Err(AppendError::OutOfOrder { last: before }));
        }
        // Nothing was wrong with what the process left.
        let left = killed(dir.path());
        assert_eq!(log(&*reopen(left.path()), &tab.room.key).await.len() as u64, before + after);
    }
}

#[tokio::test]
async fn a_copy_of_the_file_alone_is_refused_once_the_log_began_anew() {
    let (dir, copies) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (engine, tab) = (reopen(dir.path()), Tab::new(&room("Design")));
    let [stopped, running] = ["stopped", "running"].map(|name| copies.path().join(name));
    say(&engine, &tab, 1, 20).await;
    engine.shutdown().await;
    copy(dir.path(), &stopped, "cp");
    let engine = reopen(dir.path());
    say(&engine, &tab, 21, 400).await;
    copy(dir.path(), &running, "cp");
    say(&engine, &tab, 401, 2_000).await;
    for copy in [stopped, running] {
        let left = killed(dir.path());
        fs::copy(copy, file(left.path())).unwrap();
        assert!(matches!(is_refused(left.path()), OpenDataError::Mixed { .. }));
    }
    assert_eq!(log(&*reopen(killed(dir.path()).path()), &tab.room.key).await.len(), 2_000);
}

#[tokio::test]
async fn a_log_without_its_database_is_kept() {
    let dir = TempDir::new().unwrap();
    let (engine, tab) = (reopen(dir.path()), Tab::new(&room("Design")));
    say(&engine, &tab, 1, 20).await;
    let missing = killed(dir.path());
    fs::remove_file(file(missing.path())).unwrap();
    let empty = killed(dir.path());
    fs::write(file(empty.path()), "").unwrap();
    for left in [missing, empty] {
        assert!(matches!(is_refused(left.path()), OpenDataError::LogAlone { .. }));
    }
}

#[tokio::test]
async fn a_snapshot_of_all_files_is_the_store_of_that_time() {
    let dir = TempDir::new().unwrap();
    let (engine, tab) = (reopen(dir.path()), Tab::new(&room("Design")));
    say(&engine, &tab, 1, 20).await;
    let snapshot = killed(dir.path());
    engine.shutdown().await;
    let engine = reopen(dir.path());
    say(&engine, &tab, 21, 40).await;
    // Back into a directory in which somebody else's lock file lies.
    let later = killed(dir.path());
    for name in ["hubbub.sqlite3", "hubbub.sqlite3-wal", "hubbub.sqlite3-shm"] {
        fs::copy(snapshot.path().join(name), later.path().join(name)).unwrap();
    }
    let error = is_refused(later.path());
    assert!(error.to_string().contains("hubbub.lock"), "{error}");
    fs::remove_file(later.path().join("hubbub.lock")).unwrap();
    for dir in [snapshot, later] {
        assert_eq!(log(&*reopen(dir.path()), &tab.room.key).await.len(), 20);
    }
}

#[tokio::test]
async fn whoever_saw_what_a_restored_backup_lacks_gets_a_reset() {
    let (dir, copies) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (engine, tab) = (reopen(dir.path()), Tab::new(&room("Design")));
    say(&engine, &tab, 1, 20).await;
    copy(dir.path(), &copies.path().join("copy"), ".backup");
    say(&engine, &tab, 21, 40).await;
    let seen = engine.top(&tab.room.key).await.unwrap().unwrap();
    engine.shutdown().await;
    fs::copy(copies.path().join("copy"), file(dir.path())).unwrap();
    let engine = reopen(dir.path());
    assert_eq!(engine.read_after(&tab.room.key, seen, 10).await.unwrap(), After::Reset);
    assert_eq!(log(&*engine, &tab.room.key).await.len(), 20);
}

//! A store whose parts do not fit together: refused, or told as a loss; never a page of nothing with a head behind it.

use super::{refused, reopen};
use crate::contract::support::*;
use hubbub::engine::{After, AppendError, Engine, Reason, embedded::OpenDataError};
use rusqlite::Connection;
use std::{
    cell::Cell,
    fs::{self, File},
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
};
use tempfile::TempDir;

/// A stopped store with a room of so many messages, and one of three.
async fn stopped(messages: u64) -> (TempDir, Tab) {
    let dir = TempDir::new().unwrap();
    let (engine, tab) = (reopen(dir.path()), Tab::new(&room("Design")));
    fill(&*engine, &tab, messages).await;
    fill(&*engine, &Tab::new(&room("Lunch")), 3).await;
    engine.shutdown().await;
    (dir, tab)
}

fn change(dir: &Path, sql: &str) {
    let db = Connection::open(dir.join("hubbub.sqlite3")).unwrap();
    db.execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}")).unwrap();
}

#[tokio::test]
async fn parts_that_contradict_each_other_are_refused() {
    for (what, sql) in [
        ("a hole", "DELETE FROM entries WHERE room = 1 AND seq = 7"),
        ("no beginning", "DELETE FROM entries WHERE room = 1 AND seq <= 4"),
        ("a head behind the entries", "UPDATE rooms SET seq = 15 WHERE id = 1"),
        ("another id at the head", "UPDATE rooms SET top_id = 5 WHERE id = 1"),
        ("entries without a room", "DELETE FROM rooms WHERE id = 1"),
        ("a member of no room", "INSERT INTO members (user, room) VALUES (1, 9)"),
        ("a producer behind its messages", "UPDATE producers SET last = 19 WHERE room = 1"),
        ("a producer's number twice", "UPDATE sqlite_sequence SET seq = 0 WHERE name = 'producers'"),
    ] {
        let (dir, _) = stopped(20).await;
        change(dir.path(), sql);
        let before = fs::read(dir.path().join("hubbub.sqlite3")).unwrap();
        let error = refused(dir.path());
        assert!(matches!(error, OpenDataError::Unfit { .. }), "{what}: {error}");
        assert!(error.to_string().contains("hubbub restore"), "{what}: {error}");
        assert_eq!(fs::read(dir.path().join("hubbub.sqlite3")).unwrap(), before, "{what}");
    }
}

#[tokio::test]
async fn a_log_that_ends_too_early_starts_anew_for_all_who_saw_more() {
    for (what, left, sql) in [
        ("the last entries are gone", 15, "DELETE FROM entries WHERE room = 1 AND seq > 15"),
        ("all are gone", 0, "DELETE FROM entries WHERE room = 1"),
        (
            "somebody has read more than there is",
            20,
            "INSERT INTO members (user, room, mark_epoch, mark_seq) SELECT 9, id, epoch, 25 FROM rooms WHERE id = 1",
        ),
    ] {
        let (dir, tab) = stopped(20).await;
        let engine = reopen(dir.path());
        let seen = engine.top(&tab.room.key).await.unwrap().unwrap();
        let lunch = engine.top(&room("Lunch").key).await.unwrap();
        engine.shutdown().await;
        change(dir.path(), sql);
        for _ in 0..2 {
            let engine = reopen(dir.path());
            assert_eq!(engine.read_after(&tab.room.key, seen, 10).await.unwrap(), After::Reset, "{what}");
            assert_eq!(log(&*engine, &tab.room.key).await.len(), left, "{what}");
            assert_eq!(engine.top(&room("Lunch").key).await.unwrap(), lunch, "another room goes on");
            engine.shutdown().await;
        }
        let engine = reopen(dir.path());
        let other = entry(engine.append(Tab::new(&tab.room).draft(1, "next")).await);
        assert_eq!(other.seq, left as u64 + 1);
        // Its numbers were used, whatever became of the messages.
        let again = engine.append(tab.draft(20, "other")).await;
        assert_eq!(again, Err(AppendError::Conflict), "{what}");
        log(&*engine, &tab.room.key).await;
    }
}

#[tokio::test]
async fn damaged_pages_are_found_at_the_start_after_anything_but_a_stop() {
    let (dir, _) = stopped(400).await;
    fs::remove_file(dir.path().join("hubbub.lock")).unwrap();
    overwrite(dir.path(), 8);
    let error = refused(dir.path());
    assert!(matches!(error, OpenDataError::Unfit { .. }), "{error}");
}

/// Noise in place of the pages from this one on.
fn overwrite(dir: &Path, from: u64) {
    let file = File::options().write(true).open(dir.join("hubbub.sqlite3")).unwrap();
    let len = file.metadata().unwrap().len();
    let noise = vec![0xa5; usize::try_from(len - from * 4_096).unwrap()];
    file.write_all_at(&noise, from * 4_096).unwrap();
}

/// Waits until nothing is written any more, and nothing is: neither by messages nor by a stop.
async fn stops_writing(engine: &Arc<dyn Engine>, dir: &Path) {
    let tab = Tab::new(&room("Lunch"));
    let refused = async || matches!(engine.append(tab.draft(1, "m1")).await, Err(AppendError::Unavailable(_)));
    eventually("messages are refused", refused).await;
    assert_eq!(engine.writable().await.unwrap_err().reason, Reason::Corrupt);
    engine.create_room(&room("Another").name).await.unwrap_err();
    let before = fs::read(dir.join("hubbub.sqlite3")).unwrap();
    engine.shutdown().await;
    assert!(fs::read(dir.join("hubbub.sqlite3")).unwrap() == before);
}

#[tokio::test]
async fn a_store_found_damaged_at_work_is_not_written_to_any_more() {
    let (dir, tab) = stopped(400).await;
    let engine = reopen(dir.path());
    engine.writable().await.unwrap();
    overwrite(dir.path(), 1);
    engine.newest(&tab.room.key, 400).await.unwrap_err();
    stops_writing(&engine, dir.path()).await;
    refused(dir.path());
}

#[tokio::test]
async fn a_room_whose_head_has_no_entry_does_not_go_live() {
    for sql in ["DELETE FROM entries WHERE room = 1 AND seq > 15", "UPDATE rooms SET seq = 30 WHERE id = 1"] {
        for live in [true, false] {
            let (dir, tab) = stopped(20).await;
            let engine = reopen(dir.path());
            change(dir.path(), sql);
            if live {
                engine.top(&tab.room.key).await.unwrap_err();
            } else {
                engine.newest(&tab.room.key, 50).await.unwrap_err();
            }
            stops_writing(&engine, dir.path()).await;
        }
    }
}

#[tokio::test]
async fn an_append_that_meets_an_entry_in_its_place_is_not_tried_for_ever() {
    let (dir, tab) = stopped(20).await;
    let engine = reopen(dir.path());
    change(dir.path(), "UPDATE rooms SET seq = 12 WHERE id = 1");
    engine.append(tab.draft(21, "m21")).await.unwrap_err();
    stops_writing(&engine, dir.path()).await;
}

#[tokio::test]
async fn a_database_replaced_at_work_is_not_written_to_any_more() {
    for how in ["cp", "mv", "rm"] {
        let (dir, tab) = stopped(20).await;
        let (file, copy) = (dir.path().join("hubbub.sqlite3"), dir.path().join("copy"));
        fs::copy(&file, &copy).unwrap();
        let engine = reopen(dir.path());
        fill_from(&*engine, &tab, 21, 40).await;
        match how {
            "cp" => drop(fs::copy(&copy, &file).unwrap()),
            "mv" => fs::rename(&copy, &file).unwrap(),
            _ => fs::remove_file(&file).unwrap(),
        }
        let n = Cell::new(40);
        let refused = async || {
            n.set(n.get() + 1);
            engine.append(tab.draft(n.get(), "more")).await.is_err()
        };
        eventually("messages are refused", refused).await;
        assert_eq!(engine.writable().await.unwrap_err().reason, Reason::Corrupt, "{how}");
        engine.shutdown().await;
        let error = super::refused(dir.path());
        assert!(matches!(error, OpenDataError::Mixed { .. } | OpenDataError::LogAlone { .. }), "{how}: {error}");
    }
}

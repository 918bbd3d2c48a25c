//! `hubbub restore`, and every wrong way to do it.

use super::reopen;
use crate::contract::support::*;
use hubbub::engine::embedded::{RestoreError, restore};
use rusqlite::Connection;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// A directory with a store of so many messages, and a backup of it in the middle.
struct Kit {
    dir: TempDir,
    backup: PathBuf,
    tab: Tab,
}

impl Kit {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let (data, backup, tab) = (dir.path().join("data"), dir.path().join("backup"), Tab::new(&room("Design")));
        let engine = reopen(&data);
        fill(&*engine, &tab, 200).await;
        Connection::open(data.join("hubbub.sqlite3"))
            .unwrap()
            .execute("VACUUM INTO ?1", [backup.to_str().unwrap()])
            .unwrap();
        fill_from(&*engine, &tab, 201, 300).await;
        engine.shutdown().await;
        Self { dir, backup, tab }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    async fn holds(&self, data: &Path) -> usize {
        let engine = reopen(data);
        let messages = log(&*engine, &self.tab.room.key).await.len();
        engine.shutdown().await;
        messages
    }
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(dir).unwrap().map(Result::unwrap).map(|file| (file.file_name(), file.path()));
    let files = files.map(|(name, path)| (name.into_string().unwrap(), path)).filter(|(name, _)| name != "hubbub.lock");
    files.map(|(name, path)| (name, fs::read(path).unwrap())).collect()
}

/// Nothing is restored, and one line says why.
fn refused(file: &Path, data: &Path, replace: bool, says: &str) -> RestoreError {
    let Err(error) = restore(file, data, replace) else { panic!("restored: {says}") };
    let line = error.to_string();
    assert!(line.contains(says) && !line.contains('\n'), "{line}");
    error
}

/// [`refused`], and everything is as it was.
fn fails(file: &Path, data: &Path, replace: bool, says: &str) -> RestoreError {
    let before = data.is_dir().then(|| files(data));
    let error = refused(file, data, replace, says);
    if let Some(before) = before {
        assert!(files(data) == before, "{error}: {:?} became {:?}", before.keys(), files(data).keys());
    }
    error
}

#[tokio::test]
async fn a_backup_becomes_the_store_and_the_store_is_kept_aside() {
    let kit = Kit::new().await;
    let before = fs::read(kit.data().join("hubbub.sqlite3")).unwrap();
    let source = fs::read(&kit.backup).unwrap();
    let restored = restore(&kit.backup, &kit.data(), true).unwrap();
    assert_eq!((restored.rooms, restored.messages), (1, 200));
    assert!(restored.to_string().contains(restored.aside.as_ref().unwrap().to_str().unwrap()));
    assert_eq!(fs::read(restored.aside.unwrap()).unwrap(), before);
    assert_eq!(fs::read(&kit.backup).unwrap(), source);
    assert_eq!(fs::metadata(kit.data().join("hubbub.sqlite3")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(kit.holds(&kit.data()).await, 200);
    // Again, within the same second.
    let again = restore(&kit.backup, &kit.data(), true).unwrap();
    assert!(again.aside.unwrap().exists());
    assert_eq!(kit.holds(&kit.data()).await, 200);
}

#[tokio::test]
async fn a_store_that_was_killed_is_kept_aside_with_its_log() {
    let kit = Kit::new().await;
    let (engine, left) = (reopen(&kit.data()), kit.dir.path().join("left"));
    fill_from(&*engine, &kit.tab, 301, 320).await;
    fs::create_dir(&left).unwrap();
    for (name, bytes) in files(&kit.data()) {
        fs::write(left.join(name), bytes).unwrap();
    }
    let aside = restore(&kit.backup, &left, true).unwrap().aside.unwrap();
    assert_eq!(kit.holds(&left).await, 200);
    // Database and log still belong together.
    let count = "SELECT count(*) FROM entries";
    let messages: i64 = Connection::open(aside).unwrap().query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(messages, 320);
}

#[tokio::test]
async fn a_backup_is_restored_into_a_new_directory() {
    let kit = Kit::new().await;
    let new = kit.dir.path().join("made/on/the/way");
    assert_eq!(restore(&kit.backup, &new, false).unwrap().aside, None);
    assert_eq!(fs::metadata(&new).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(kit.holds(&new).await, 200);
}

#[tokio::test]
async fn every_wrong_way_is_refused_and_changes_nothing() {
    let kit = Kit::new().await;
    let (data, at) = (kit.data(), |name: &str| kit.dir.path().join(name));
    let write = |name: &str, bytes: &[u8]| {
        fs::write(at(name), bytes).unwrap();
        at(name)
    };
    let sound = fs::read(&kit.backup).unwrap();
    let change = |name: &str, sql: &str| {
        let file = write(name, &sound);
        Connection::open(&file).unwrap().execute_batch(sql).unwrap();
        file
    };

    fails(&kit.backup, &data, false, "--replace");
    fails(&at("nowhere"), &data, true, "nowhere");
    fails(kit.dir.path(), &data, true, "no file");
    fails(&data.join("hubbub.sqlite3"), &data, true, "the store itself");
    fails(&write("empty", b""), &data, true, "empty");
    fails(&write("noise", &[7; 9_000]), &data, true, "noise");
    fails(&write("truncated", &sound[..sound.len() / 2]), &data, true, "truncated");
    let mut damaged = sound.clone();
    damaged[8_192..20_000].fill(0xa5);
    fails(&write("damaged", &damaged), &data, true, "damaged");
    fails(&change("hole", "DELETE FROM entries WHERE seq = 7"), &data, true, "hole");
    fails(&change("foreign", "PRAGMA application_id = 7"), &data, true, "another program");
    fails(&change("newer", "PRAGMA user_version = 99"), &data, true, "newer Hubbub");

    for suffix in ["-wal", "-journal"] {
        let unfinished = write("unfinished", &sound);
        let beside = write(&format!("unfinished{suffix}"), &[0; 100]);
        fails(&unfinished, &data, true, suffix);
        assert!(beside.exists());
        fs::remove_file(beside).unwrap();
    }

    let file = write("file", b"");
    fails(&kit.backup, &file.join("data"), true, "cannot create");
    let engine = reopen(&data);
    fill_from(&*engine, &kit.tab, 301, 310).await;
    // The files are being written to by the one that uses them.
    refused(&kit.backup, &data, true, "in use");
    engine.shutdown().await;
    assert_eq!(kit.holds(&data).await, 310);
}

#[tokio::test]
async fn a_backup_of_an_earlier_version_is_restored() {
    let kit = Kit::new().await;
    let old = Connection::open(&kit.backup).unwrap();
    old.execute_batch(
        "DROP TABLE clock; DROP TABLE ended; DROP TABLE probe; DROP INDEX producers_of_voids;
         DROP INDEX sessions_by_name_drawn; DROP INDEX rooms_by_folded; DROP INDEX rooms_by_drawn;
         ALTER TABLE sessions DROP COLUMN name_drawn; ALTER TABLE rooms DROP COLUMN folded; ALTER TABLE rooms DROP COLUMN drawn;
         DROP INDEX rooms_by_activity; ALTER TABLE producers DROP COLUMN sent; ALTER TABLE rooms DROP COLUMN listed_at;
         PRAGMA user_version = 3",
    )
    .unwrap();
    drop(old);
    restore(&kit.backup, &kit.data(), true).unwrap();
    assert_eq!(kit.holds(&kit.data()).await, 200);
}

#[tokio::test]
async fn an_interrupted_restore_does_not_become_an_empty_store() {
    let kit = Kit::new().await;
    let file = kit.data().join("hubbub.sqlite3");
    fs::copy(&kit.backup, kit.data().join("hubbub.sqlite3.restoring")).unwrap();
    fs::rename(&file, kit.dir.path().join("aside")).unwrap();
    let error = super::refused(&kit.data());
    assert!(error.to_string().contains("interrupted"), "{error}");
    restore(&kit.backup, &kit.data(), false).unwrap();
    assert_eq!(kit.holds(&kit.data()).await, 200);
}

#[tokio::test]
async fn what_ran_out_since_the_backup_has_run_out() {
    let kit = Kit::new().await;
    let name = user_name("지우");
    let engine = reopen(&kit.data());
    engine.open_session(token(), &name).await.unwrap();
    let backup = kit.dir.path().join("with a session");
    let db = Connection::open(kit.data().join("hubbub.sqlite3")).unwrap();
    db.execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
    engine.shutdown().await;
    // It was made a month ago.
    Connection::open(&backup).unwrap().execute_batch("UPDATE clock SET time = time - 30 * 86400000").unwrap();
    restore(&backup, &kit.data(), true).unwrap();
    assert!(reopen(&kit.data()).name_is_free(&name.key()).await.unwrap());
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_in_is_named() {
    let kit = Kit::new().await;
    let data = kit.dir.path().join("locked");
    fs::create_dir_all(data.join("hubbub.lock")).unwrap();
    fails(&kit.backup, &data, true, data.to_str().unwrap());
}

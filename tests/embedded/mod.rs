//! The engine on SQLite: the common promises, and those about its file.

mod backup;
mod damage;
mod folder;
mod restore;
mod times;

use crate::contract::{Fixture, promises, support::*};
use app::domain::Cursor;
use hubbub::engine::{
    After, AppendError, Appended, Engine, Quota,
    embedded::{Embedded, OpenDataError},
};
use std::{fs, path::Path, sync::Arc, time::Duration};
use tempfile::TempDir;

pub struct Store {
    dir: TempDir,
    session_ttl: Duration,
}

impl Fixture for Store {
    async fn start(session_ttl: Duration) -> Self {
        Self { dir: TempDir::new().unwrap(), session_ttl }
    }

    async fn engine(&self) -> Arc<dyn Engine> {
        Arc::new(Embedded::open(self.dir.path(), self.session_ttl).unwrap())
    }
}

promises!(Store);

fn reopen(dir: &Path) -> Arc<dyn Engine> {
    Arc::new(Embedded::open(dir, DAY).unwrap())
}

fn refused(dir: &Path) -> OpenDataError {
    let Err(error) = Embedded::open(dir, DAY) else { panic!("{} was opened", dir.display()) };
    assert!(!error.to_string().contains('\n'), "one line: {error}");
    error
}

#[tokio::test]
async fn a_bucket_is_as_empty_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let quota = Quota { burst: 1, every: Duration::from_mins(1) };
    let engine = reopen(dir.path());
    engine.take("a", quota).await.unwrap().unwrap();
    engine.shutdown().await;
    drop(engine);
    reopen(dir.path()).take("a", quota).await.unwrap().unwrap_err();
}

#[tokio::test]
async fn everything_but_presence_is_there_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let engine = reopen(&dir.path().join("made/on/the/way"));
    let tab = Tab::new(&room("Design"));
    let places = fill(&*engine, &tab, 3).await;
    engine.append(tab.void(4)).await.unwrap();
    let mine = token();
    let session = engine.open_session(mine, &user_name("지우")).await.unwrap();
    for room in [&engine.create_room(&room("Lunch").name).await.unwrap(), &tab.room] {
        engine.add_member(session.person.id, &room.key).await.unwrap();
    }
    engine.append(tab.draft(5, "m5")).await.unwrap();
    engine.enter(&tab.room.key, &session.person).await.unwrap();
    let place = [(tab.room.key.clone(), u64::MAX)];
    let reading = engine.readings(session.person.id, &place).await.unwrap();
    assert_eq!(reading[0].unread, 1);
    let before = engine.newest(&tab.room.key, 10).await.unwrap();
    drop(engine);

    let engine = reopen(&dir.path().join("made/on/the/way"));
    assert_eq!(engine.newest(&tab.room.key, 10).await.unwrap(), before);
    assert_eq!(engine.append(tab.draft(2, "m2")).await, Ok(Appended::Entry(places[1])));
    assert_eq!(engine.append(tab.void(4)).await, Ok(Appended::Voided));
    assert_eq!(engine.readings(session.person.id, &place).await.unwrap(), reading);
    assert_eq!(entry(engine.append(tab.draft(6, "m6")).await).seq, 5);
    assert_eq!(engine.session(mine).await.unwrap(), Some(session.clone()));
    assert!(engine.open_session(token(), &user_name("지우")).await.is_err());
    let rooms = engine.rooms_of(session.person.id).await.unwrap();
    assert_eq!(rooms, [room("Lunch"), tab.room.clone()]);
    assert_eq!(engine.people(&tab.room.key).await.unwrap(), []);
    log(&*engine, &tab.room.key).await;
}

#[tokio::test]
async fn a_restored_backup_resets_those_who_saw_what_is_gone() {
    let dir = TempDir::new().unwrap();
    let (file, backup) = (dir.path().join("hubbub.sqlite3"), dir.path().join("backup"));
    let tab = Tab::new(&room("Design"));
    let engine = reopen(dir.path());
    let places = fill(&*engine, &tab, 3).await;
    engine.shutdown().await;
    fs::copy(&file, &backup).unwrap();
    let engine = reopen(dir.path());
    let gone = entry(engine.append(tab.draft(4, "m4")).await);
    engine.shutdown().await;
    fs::copy(&backup, &file).unwrap();

    let engine = reopen(dir.path());
    let read = async |cursor: Cursor| engine.read_after(&tab.room.key, cursor, 10).await.unwrap();
    assert_eq!(read(gone).await, After::Reset, "beyond the end");
    let other = entry(engine.append(Tab::new(&tab.room).draft(1, "other")).await);
    assert_eq!((other.epoch, other.seq), (gone.epoch, gone.seq), "the same place");
    assert_eq!(read(gone).await, After::Reset, "another entry");
    assert!(matches!(read(places[2]).await, After::Entries { records, .. } if records.len() == 1));
}

#[tokio::test]
async fn a_commit_is_reported_before_it_is_acknowledged() {
    let Opened { engine, reports, .. } = &open::<Store>().await;
    let tab = Tab::new(&room("Design"));
    engine.follow(&tab.room.key).await.unwrap();
    for n in 1..=100 {
        let place = entry(engine.append(tab.draft(n, "m")).await);
        assert_eq!(reports.commits(&tab.room.key).last().unwrap().cursor(), place);
    }
}

#[tokio::test]
async fn a_shutdown_finishes_what_was_taken_and_leaves_one_file() {
    let dir = TempDir::new().unwrap();
    let engine = reopen(dir.path());
    let tab = Tab::new(&room("Design"));
    let (answers, ()) = tokio::join!(biased; append_all(&*engine, tab.drafts(1..=60)), engine.shutdown());
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let mut files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["hubbub.lock", "hubbub.sqlite3"]);
    let late = engine.append(tab.draft(61, "late")).await;
    assert!(matches!(late, Err(AppendError::Unavailable(_))), "surely not written: {late:?}");
    assert_eq!(log(&*reopen(dir.path()), &tab.room.key).await.len(), 60);
}

#[tokio::test]
async fn a_data_directory_is_used_by_one_at_a_time() {
    let dir = TempDir::new().unwrap();
    let engine = reopen(dir.path());
    let error = refused(dir.path());
    assert!(matches!(error, OpenDataError::InUse { .. }), "{error}");
    assert!(error.to_string().contains(dir.path().to_str().unwrap()), "{error}");
    engine.shutdown().await;
    reopen(dir.path());
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let dir = TempDir::new().unwrap();
    // Being root does not help against these.
    let below_a_file = dir.path().join("file/data");
    fs::write(dir.path().join("file"), "").unwrap();
    let error = refused(&below_a_file);
    assert!(matches!(error, OpenDataError::CreateDir { .. }), "{error}");
    assert!(error.to_string().contains(below_a_file.to_str().unwrap()), "{error}");

    let no_lock = dir.path().join("no lock");
    fs::create_dir_all(no_lock.join("hubbub.lock")).unwrap();
    let error = refused(&no_lock);
    assert!(matches!(error, OpenDataError::NotWritable { .. }), "{error}");
    assert!(error.to_string().contains(no_lock.to_str().unwrap()), "{error}");
}

#[test]
fn a_file_that_is_not_ours_is_left_as_it_is() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("hubbub.sqlite3");
    let noise = "no database at all ".repeat(500);
    fs::write(&file, &noise).unwrap();
    let error = refused(dir.path());
    assert!(matches!(error, OpenDataError::NotHubbub { .. }), "{error}");
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
    assert_eq!(fs::read(&file).unwrap(), noise.as_bytes());

    fs::remove_file(&file).unwrap();
    rusqlite::Connection::open(&file).unwrap().execute_batch("CREATE TABLE rooms (id INTEGER)").unwrap();
    let before = fs::read(&file).unwrap();
    let error = refused(dir.path());
    assert!(matches!(error, OpenDataError::NotHubbub { .. }), "{error}");
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn a_file_of_a_newer_version_is_left_as_it_is() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("hubbub.sqlite3");
    drop(reopen(dir.path()));
    rusqlite::Connection::open(&file).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = fs::read(&file).unwrap();
    let error = refused(dir.path());
    assert!(matches!(error, OpenDataError::Newer { found: 99, .. }), "{error}");
    assert_eq!(fs::read(&file).unwrap(), before);
}

/// A later build has to read what this one wrote: a change here is one to every file there is.
#[tokio::test]
async fn tables_are_what_they_are() {
    let dir = TempDir::new().unwrap();
    drop(reopen(dir.path()));
    let db = rusqlite::Connection::open(dir.path().join("hubbub.sqlite3")).unwrap();
    let ask = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name";
    let mut tables = db.prepare(ask).unwrap();
    let tables = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let whole = tables.map(|table| table.unwrap() + ";\n").collect::<String>();
    assert_eq!(whole, include_str!("tables.sql"));
}

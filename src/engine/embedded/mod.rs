//! The embedded engine: one SQLite file in a data directory, and everything that need not outlive the process in
//! memory.
//!
//! | module | what it is for |
//! |---|---|
//! | [`schema`] | the file: tables, opening, refusing what is not ours |
//! | [`worker`] | threads that work off a queue |
//! | [`writer`] | the one thread that writes, in groups |
//! | [`append`] | the rule of a producer's numbers, an entry's place |
//! | [`rooms`] | rooms and their logs, as they are read |
//! | [`sessions`] | sessions, names, members |
//! | [`marks`] | how far members have read |
//! | [`reports`] | whom to tell what, and who is where |

mod append;
mod marks;
mod now;
mod reports;
mod rooms;
mod schema;
mod sessions;
mod worker;
mod writer;

use super::{
    After, AppendError, Appended, Directory, Draft, Live, LiveSink, OpenError, Presence, RecordPage, RoomLog, Session,
    StoreError, TokenHash,
};
use app::{
    domain::{Cursor, Epoch, NameKey, RoomKey, RoomName, UserId, UserName},
    page::{RoomLine, RoomRef},
    protocol::Person,
};
use async_trait::async_trait;
use reports::Reports;
use rusqlite::{Connection, Transaction};
use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::sync::oneshot;
use worker::{Queue, Worker};
use writer::{Change, Writer};

const LOCK: &str = "hubbub.lock";
const READS_MAX: usize = 16_384;
const DAY: Duration = Duration::from_hours(24);

type Read = Box<dyn FnOnce(&Transaction<'_>) + Send>;

pub struct Embedded {
    writer: Writer,
    readers: Worker<Read>,
    reports: Arc<Reports>,
    /// How long a session lives without being used.
    session_ttl: Duration,
}

/// Why the engine cannot work with a data directory.
#[derive(Debug, thiserror::Error)]
pub enum OpenDataError {
    #[error("cannot create the data directory {}: {reason}; create it or choose another one", dir.display())]
    CreateDir { dir: PathBuf, reason: io::Error },
    #[error("cannot write in the data directory {}: {reason}; let this user write there or choose another one", dir.display())]
    NotWritable { dir: PathBuf, reason: io::Error },
    #[error("the data directory {} is in use by another Hubbub; stop that one or choose another directory", dir.display())]
    InUse { dir: PathBuf },
    #[error("{} is no Hubbub database: {reason}; move it away, restore a backup or choose another data directory", file.display())]
    NotHubbub { file: PathBuf, reason: String },
    #[error("{} was written by a newer Hubbub (its schema is {found}, this one knows {known}); start that version", file.display())]
    Newer { file: PathBuf, found: i64, known: i64 },
    #[error("cannot open the database {}: {reason}", file.display())]
    Database { file: PathBuf, reason: String },
    #[error("cannot start the store's threads: {0}")]
    Threads(io::Error),
}

impl Embedded {
    /// Opens the data directory, or makes it, and keeps every other process off it until this one is done.
    pub fn open(dir: &Path, session_ttl: Duration) -> Result<Self, OpenDataError> {
        fs::create_dir_all(dir).map_err(|reason| OpenDataError::CreateDir { dir: dir.to_owned(), reason })?;
        let lock = lock(dir)?;
        let db = schema::open_writer(dir)?;
        let reports = Arc::new(Reports::default());
        let readers = thread::available_parallelism().map_or(2, usize::from).clamp(2, 4);
        let readers = (0..readers)
            .map(|_| schema::open_reader(dir).map(|db| move |queue| read(db, &queue)))
            .collect::<Result<Vec<_>, _>>()?;
        let readers = Worker::start("hubbub-reader", READS_MAX, readers).map_err(OpenDataError::Threads)?;
        let writer = writer::start(db, lock, Arc::clone(&reports), session_ttl).map_err(OpenDataError::Threads)?;
        Ok(Self { writer, readers, reports, session_ttl })
    }

    /// Answers from a state of the store that holds every change that was answered before.
    async fn read<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (ack, answer) = oneshot::channel();
        self.readers.push(Box::new(move |db| {
            let _ = ack.send(f(db));
        }))?;
        let read = answer.await.map_err(|_| StoreError("the read was given up".to_owned()))?;
        read.map_err(|error| StoreError(error.to_string()))
    }

    async fn write<T: Send + 'static>(
        &self,
        run: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.write_and_report(run, |_, _| {}).await
    }

    /// `report` is called after the commit even if nobody waits for the answer any more.
    async fn write_and_report<T: Send + 'static>(
        &self,
        run: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
        report: impl Fn(&T, &dyn LiveSink) + Send + 'static,
    ) -> Result<T, StoreError> {
        let (ack, answer) = oneshot::channel();
        self.writer.push(Box::new(Change { run, report, done: None, ack }))?;
        answer.await.unwrap_or_else(|_| Err(StoreError("the write was given up".to_owned())))
    }
}

fn lock(dir: &Path) -> Result<File, OpenDataError> {
    let not_writable = |reason| OpenDataError::NotWritable { dir: dir.to_owned(), reason };
    let file = File::options().create(true).truncate(false).write(true).open(dir.join(LOCK)).map_err(not_writable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenDataError::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(reason)) => Err(not_writable(reason)),
    }
}

fn read(mut db: Connection, queue: &Queue<Read>) {
    while let Some(read) = queue.take() {
        match db.transaction() {
            Ok(snapshot) => read(&snapshot),
            // Whoever waits for the answer sees that there is none.
            Err(error) => tracing::error!(%error, "a read could not begin: {error}"),
        }
    }
}

/// Waits for the threads without holding up the runtime.
async fn finish(threads: Vec<JoinHandle<()>>) {
    if tokio::task::spawn_blocking(move || worker::join(threads)).await.is_err() {
        tracing::error!("the store's threads could not be waited for");
    }
}

impl Drop for Embedded {
    /// An engine that is gone has let go of its directory.
    fn drop(&mut self) {
        worker::join(self.readers.close());
        worker::join(self.writer.close());
    }
}

#[async_trait]
impl RoomLog for Embedded {
    async fn append(&self, draft: Draft) -> Result<Appended, AppendError> {
        let (ack, answer) = oneshot::channel();
        self.writer
            .push(Box::new(append::Append::new(draft, ack)))
            .map_err(|StoreError(error)| AppendError::Unavailable(error))?;
        answer.await.unwrap_or_else(|_| Err(AppendError::Unknown("the write was given up".to_owned())))
    }

    async fn read_after(&self, room: &RoomKey, cursor: Cursor, limit: usize) -> Result<After, StoreError> {
        let room = room.clone();
        self.read(move |db| rooms::read_after(db, &room, cursor, limit)).await
    }

    async fn newest(&self, room: &RoomKey, limit: usize) -> Result<Option<RecordPage>, StoreError> {
        let room = room.clone();
        self.read(move |db| rooms::newest(db, &room, limit)).await
    }

    async fn read_before(
        &self,
        room: &RoomKey,
        epoch: Epoch,
        before: u64,
        limit: usize,
    ) -> Result<Option<RecordPage>, StoreError> {
        let room = room.clone();
        self.read(move |db| rooms::read_before(db, &room, epoch, before, limit)).await
    }

    async fn top(&self, room: &RoomKey) -> Result<Option<Cursor>, StoreError> {
        let room = room.clone();
        self.read(move |db| rooms::top(db, &room)).await
    }

    async fn tops(&self, rooms: &[RoomKey]) -> Result<Vec<Option<Cursor>>, StoreError> {
        let rooms = rooms.to_vec();
        self.read(move |db| rooms.iter().map(|room| rooms::top(db, room)).collect()).await
    }
}

#[async_trait]
impl Directory for Embedded {
    async fn create_room(&self, name: &RoomName) -> Result<RoomRef, StoreError> {
        let new = RoomRef { key: name.key(), name: name.clone() };
        self.write(move |db| match rooms::room(db, &new.key)? {
            Some(room) => Ok(room),
            None => rooms::create_room(db, &new, now::now()).map(|_| new.clone()),
        })
        .await
    }

    async fn room(&self, key: &RoomKey) -> Result<Option<RoomRef>, StoreError> {
        let key = key.clone();
        self.read(move |db| rooms::room(db, &key)).await
    }

    async fn rooms(&self, limit: usize) -> Result<Vec<RoomLine>, StoreError> {
        let mut rooms = self.read(move |db| rooms::rooms(db, limit)).await?;
        for line in &mut rooms {
            line.people = self.reports.count(&line.room.key);
        }
        Ok(rooms)
    }

    async fn open_session(&self, token: TokenHash, name: &UserName) -> Result<Session, OpenError> {
        let (name, ttl) = (name.clone(), self.session_ttl);
        let (session, _) = self
            .write_and_report(
                move |db| sessions::open(db, token, &name, ttl),
                |(_, expired), sink| {
                    if let Some(expired) = expired {
                        sink.session_ended(*expired);
                    }
                },
            )
            .await?;
        session.ok_or(OpenError::Taken)
    }

    async fn session(&self, token: TokenHash) -> Result<Option<Session>, StoreError> {
        let ttl = self.session_ttl;
        match self.read(move |db| sessions::find(db, token, ttl)).await? {
            Some((session, true)) => {
                let lives = self.write(move |db| sessions::touch(db, token, ttl)).await?;
                Ok(lives.then_some(session))
            }
            found => Ok(found.map(|(session, _)| session)),
        }
    }

    async fn close_session(&self, token: TokenHash) -> Result<(), StoreError> {
        let report = move |closed: &bool, sink: &dyn LiveSink| {
            if *closed {
                sink.session_ended(token);
            }
        };
        self.write_and_report(move |db| sessions::close(db, token), report).await.map(|_| ())
    }

    async fn ended_sessions(&self, tokens: &[TokenHash]) -> Result<Vec<TokenHash>, StoreError> {
        let (tokens, ttl) = (tokens.to_vec(), self.session_ttl);
        self.read(move |db| sessions::ended(db, &tokens, ttl)).await
    }

    async fn name_is_free(&self, key: &NameKey) -> Result<bool, StoreError> {
        let (key, ttl) = (key.clone(), self.session_ttl);
        self.read(move |db| sessions::name_is_free(db, &key, ttl)).await
    }

    async fn add_member(&self, user: UserId, room: &RoomKey) -> Result<(), StoreError> {
        let room = room.clone();
        self.write(move |db| sessions::add_member(db, user, &room)).await
    }

    async fn remove_member(&self, user: UserId, room: &RoomKey) -> Result<(), StoreError> {
        let room = room.clone();
        self.write(move |db| sessions::remove_member(db, user, &room)).await
    }

    async fn rooms_of(&self, user: UserId) -> Result<Vec<RoomRef>, StoreError> {
        self.read(move |db| sessions::rooms_of(db, user)).await
    }
}

#[async_trait]
impl Presence for Embedded {
    async fn enter(&self, room: &RoomKey, person: &Person) -> Result<(), StoreError> {
        self.reports.enter(room, person);
        Ok(())
    }

    async fn leave(&self, room: &RoomKey, user: UserId) -> Result<(), StoreError> {
        self.reports.leave(room, user);
        Ok(())
    }

    async fn people(&self, room: &RoomKey) -> Result<Vec<Person>, StoreError> {
        Ok(self.reports.people(room))
    }
}

#[async_trait]
impl Live for Embedded {
    fn attach(&self, sink: Arc<dyn LiveSink>) {
        self.reports.attach(sink);
    }

    async fn follow(&self, room: &RoomKey) -> Result<(), StoreError> {
        self.reports.follow(room);
        Ok(())
    }

    async fn unfollow(&self, room: &RoomKey) {
        self.reports.unfollow(room);
    }

    async fn follow_again(&self, _: &RoomKey) -> Result<(), StoreError> {
        Ok(())
    }

    async fn typing(&self, room: &RoomKey, person: &Person) -> Result<(), StoreError> {
        self.reports.typing(room, person);
        Ok(())
    }

    /// What is committed is reported by the thread that committed it.
    fn may_miss(&self) -> bool {
        false
    }

    async fn ping(&self) -> Result<(), StoreError> {
        // Through the writer: a store that can only be read is of no use.
        self.write(|db| db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))).await
    }

    async fn shutdown(&self) {
        self.reports.clear();
        // The last connection to close folds the write-ahead log into the database, and a reader's could not.
        finish(self.readers.close()).await;
        finish(self.writer.close()).await;
    }
}

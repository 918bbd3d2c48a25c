//! The embedded engine: one SQLite file in a data directory, and everything that need not outlive the process in
//! memory.
//!
//! | module | what it is for |
//! |---|---|
//! | [`folder`] | the data directory: private, and used by one process at a time |
//! | [`stamp`] | which database a write-ahead log belongs to |
//! | [`schema`] | the file: tables, opening, refusing what is not ours |
//! | [`sound`] | whether the store's parts fit together |
//! | [`clock`] | the time of day, and the time by which things run out |
//! | [`worker`] | threads that work off a queue |
//! | [`writer`] | the one thread that writes, in groups |
//! | [`health`] | whether the store can be written to |
//! | [`prune`] | forgetting what nobody will ask for |
//! | [`backup`] | copying the store while it is used |
//! | [`examine`] | what is in a data directory, for whoever asks |
//! | [`restore`] | putting a backup in the store's place |
//! | [`append`] | the rule of a producer's numbers, an entry's place |
//! | [`rooms`] | rooms and their logs, as they are read |
//! | [`sessions`] | sessions, names, members |
//! | [`marks`] | how far members have read |
//! | [`notice`] | what everybody is told, in a file of its own |
//! | [`quotas`] | buckets of tokens |
//! | [`reports`] | whom to tell what, and who is where |

mod append;
mod backup;
mod clock;
mod error;
mod examine;
mod folder;
mod health;
mod marks;
mod notice;
mod prune;
mod quotas;
mod reports;
mod restore;
mod rooms;
mod schema;
mod sessions;
mod sound;
mod stamp;
mod worker;
mod writer;

pub use backup::{BackedUp, BackupError, backup};
pub use error::OpenDataError;
pub use examine::{DirectoryState, examine, free_and_wanted};
pub use health::KeepFree;
pub use notice::{NoticeError, notice, set_notice};
pub use restore::{RestoreError, Restored, restore};

use super::{
    After, AppendError, Appended, CreateError, Directory, Draft, Ended, Listed, Live, LiveSink, NoTop, OpenError,
    Presence, RecordPage, RoomLog, Session, StoreError, TokenHash, Unwritable, Vitals,
};
use crate::metrics::StoreMeters;
use app::{
    domain::{Cursor, Epoch, NameKey, RoomKey, RoomName, RoomRef, UserId, UserName},
    protocol::{Person, ReadMark},
};
use async_trait::async_trait;
use clock::Clock;
use folder::Folder;
use health::{Health, Proof};
use reports::Reports;
use rusqlite::{Connection, Transaction};
use sound::Depth;
use stamp::{Left, Stamper};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::sync::oneshot;
use worker::{Queue, Worker};
use writer::{Change, Job, Store, Writer};

const READS_MAX: usize = 16_384;

type Read = Box<dyn FnOnce(&Transaction<'_>, &Health) + Send>;

pub struct Embedded {
    writer: Writer,
    readers: Worker<Read>,
    reports: Arc<Reports>,
    health: Arc<Health>,
    clock: Clock,
    meters: StoreMeters,
    /// How long a session lives without being used.
    session_ttl: Duration,
    dir: PathBuf,
}

impl Embedded {
    /// Opens the data directory, or makes it, and keeps every other process off it until this one is done.
    pub fn open(dir: &Path, session_ttl: Duration) -> Result<Self, OpenDataError> {
        let folder = Folder::open(dir)?;
        let left = stamp::look(&folder)?;
        folder.keep_private()?;
        let file = folder.file();
        let mut db = schema::open_writer(&file)?;
        sound::check(&mut db, &file, if left == Left::Unknown { Depth::AfterCrash } else { Depth::AfterStop })?;
        let clock = Clock::load(&db, session_ttl).map_err(|error| schema::refused(&file, &error))?;
        let stamper = Stamper::start(folder, &db)?;
        let (reports, health) = (Arc::new(Reports::default()), Arc::new(Health::new(dir.to_owned())));
        let readers = thread::available_parallelism().map_or(2, usize::from).clamp(2, 4);
        let readers = (0..readers)
            .map(|_| {
                let (db, health) = (schema::open_reader(&file)?, Arc::clone(&health));
                Ok(move |queue| read(db, &queue, &health))
            })
            .collect::<Result<Vec<_>, OpenDataError>>()?;
        let readers = Worker::start("hubbub-reader", READS_MAX, readers).map_err(OpenDataError::Threads)?;
        let meters = StoreMeters::default();
        let store = Store { db, stamper, clock, session_ttl, health: Arc::clone(&health), meters: meters.clone() };
        let writer = writer::start(store, Arc::clone(&reports)).map_err(OpenDataError::Threads)?;
        Ok(Self { writer, readers, reports, health, clock, meters, session_ttl, dir: dir.to_owned() })
    }

    /// Has messages refused while less of the disk is free. Without this they are taken until it is full.
    #[must_use]
    pub fn keep_free(self, keep_free: KeepFree) -> Self {
        self.health.keep_free(keep_free);
        self
    }

    /// Answers from a state of the store that holds every change that was answered before.
    async fn read<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (ack, answer) = oneshot::channel();
        self.readers.push(Box::new(move |db, health| {
            let read = f(db);
            if let Err(error) = &read {
                health.could_not_read(error);
            }
            let _ = ack.send(read);
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

    /// Has the writer do it in its turn.
    fn queue(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        // Before it is there, so that what the writer takes was counted.
        self.meters.writer_queue.inc();
        let queued = self.writer.push(job);
        if queued.is_err() {
            self.meters.writer_queue.dec();
        }
        queued
    }

    /// `report` is called after the commit even if nobody waits for the answer any more.
    async fn write_and_report<T: Send + 'static>(
        &self,
        run: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
        report: impl Fn(&T, &dyn LiveSink) + Send + 'static,
    ) -> Result<T, StoreError> {
        let (ack, answer) = oneshot::channel();
        self.queue(Box::new(Change { run, report, done: None, ack }))?;
        answer.await.unwrap_or_else(|_| Err(StoreError("the write was given up".to_owned())))
    }
}

fn read(mut db: Connection, queue: &Queue<Read>, health: &Health) {
    while let Some(read) = queue.take() {
        match db.transaction() {
            Ok(snapshot) => read(&snapshot, health),
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
        if let Some(why) = self.health.refusal() {
            return Err(AppendError::Unavailable(why));
        }
        let (ack, answer) = oneshot::channel();
        self.queue(Box::new(append::Append::new(self.clock, draft, ack)))
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

    async fn tops(&self, rooms: &[RoomKey]) -> Result<Vec<Result<Option<Cursor>, NoTop>>, StoreError> {
        let rooms = rooms.to_vec();
        self.read(move |db| rooms.iter().map(|room| rooms::top(db, room).map(Ok)).collect()).await
    }
}

#[async_trait]
impl Directory for Embedded {
    async fn create_room(&self, name: &RoomName) -> Result<RoomRef, CreateError> {
        let new = RoomRef { key: name.key(), name: name.clone() };
        self.write(move |db| rooms::find_or_create(db, &new, clock::now())).await?
    }

    async fn restore_room(&self, room: &RoomRef) -> Result<(), StoreError> {
        let lost = room.clone();
        self.write(move |db| match rooms::room(db, &lost.key)? {
            Some(_) => Ok(()),
            None => rooms::create_room(db, &lost, clock::now()).map(|_| ()),
        })
        .await
    }

    async fn room(&self, key: &RoomKey) -> Result<Option<RoomRef>, StoreError> {
        let key = key.clone();
        self.read(move |db| rooms::room(db, &key)).await
    }

    async fn find_room(&self, name: &RoomName) -> Result<Option<RoomRef>, StoreError> {
        let (key, looks) = (name.key(), name.looks());
        self.read(move |db| match rooms::room(db, &key)? {
            None => rooms::look_alike(db, &looks),
            room => Ok(room),
        })
        .await
    }

    async fn rooms(&self, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let mut rooms = self.read(move |db| rooms::rooms(db, limit)).await?;
        for listed in &mut rooms {
            listed.people = self.reports.people(&listed.room.key);
        }
        Ok(rooms)
    }

    async fn open_session(&self, token: TokenHash, name: &UserName) -> Result<Session, OpenError> {
        let (clock, name, ttl) = (self.clock, name.clone(), self.session_ttl);
        let (session, _) = self
            .write_and_report(
                move |db| sessions::open(db, clock, token, &name, ttl),
                |(_, expired), sink| expired.iter().for_each(|expired| sink.session_ended(*expired)),
            )
            .await?;
        session
    }

    async fn session(&self, token: TokenHash) -> Result<Option<Session>, StoreError> {
        let (clock, ttl) = (self.clock, self.session_ttl);
        match self.read(move |db| sessions::find(db, clock, token, ttl)).await? {
            Some((session, true)) => {
                let lives = self.write(move |db| sessions::touch(db, clock, token, ttl)).await?;
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
        let clock = self.clock;
        self.write_and_report(move |db| sessions::close(db, clock, token), report).await.map(|_| ())
    }

    async fn ended_sessions(&self, tokens: &[TokenHash]) -> Result<Ended, StoreError> {
        let (tokens, since) = (tokens.to_vec(), self.clock.before(self.session_ttl));
        let ended = self.read(move |db| sessions::ended(db, &tokens, since)).await?;
        Ok(Ended { ended, ..Ended::default() })
    }

    async fn name_is_free(&self, key: &NameKey) -> Result<bool, StoreError> {
        let (key, since) = (key.clone(), self.clock.before(self.session_ttl));
        self.read(move |db| sessions::name_is_free(db, &key, since)).await
    }

    async fn add_member(&self, user: UserId, room: &RoomKey) -> Result<(), StoreError> {
        let room = room.clone();
        self.write(move |db| sessions::add_member(db, user, &room)).await
    }

    async fn remove_member(&self, user: UserId, room: &RoomKey) -> Result<Option<ReadMark>, StoreError> {
        let room = room.clone();
        self.write(move |db| sessions::remove_member(db, user, &room)).await
    }

    async fn restore_member(&self, user: UserId, room: &RoomKey, read: ReadMark) -> Result<(), StoreError> {
        let room = room.clone();
        self.write(move |db| sessions::restore_member(db, user, &room, read)).await
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

    async fn writable(&self) -> Result<(), Unwritable> {
        match self.health.proof() {
            Proof::Known(outcome) => outcome,
            Proof::Needed => match self.write(health::probe).await {
                // The writer took down why.
                Err(error) => self.health.outcome().and(Err(error.into())),
                Ok(()) => Ok(()),
            },
        }
    }

    async fn vitals(&self) -> Vitals {
        self.health.vitals()
    }

    async fn notice(&self) -> Result<Option<String>, StoreError> {
        let dir = self.dir.clone();
        let read = tokio::task::spawn_blocking(move || notice(&dir)).await;
        let read = read.map_err(|_| StoreError("the read was given up".to_owned()))?;
        read.map_err(|error| StoreError(error.to_string()))
    }

    fn meters(&self) -> StoreMeters {
        self.meters.clone()
    }

    async fn shutdown(&self) {
        self.health.close();
        self.reports.clear();
        // The last connection to close folds the write-ahead log into the database, and a reader's could not.
        finish(self.readers.close()).await;
        finish(self.writer.close()).await;
    }
}

//! The one thread that writes. What is queued when it gets to the queue is one group: one transaction, one sync of the
//! disk. After the commit come the reports, then the answers.

use super::{
    clock::Clock,
    health::Health,
    prune::{self, prune},
    reports::Reports,
    stamp::Stamper,
    worker::{Queue, Worker},
};
use crate::{
    engine::{LiveSink, StoreError},
    metrics::StoreMeters,
};
use rusqlite::{Connection, config::DbConfig, hooks::Wal};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// Bounds how long the first of a group waits for the last.
const GROUP_MAX: usize = 512;
const QUEUE_MAX: usize = 16_384;
/// How often it is made sure that the database is still the one that was opened.
const LOOK: Duration = Duration::from_secs(1);

/// A change to the store.
pub(super) trait Job: Send {
    /// Does it, within the group's transaction. An error fails the whole group; a refusal is not an error.
    fn run(&mut self, db: &Connection) -> rusqlite::Result<()>;
    /// Reports it after the commit, before anyone of the group is answered.
    fn report(&mut self, reports: &Reports);
    fn answer(self: Box<Self>, fate: &Fate);
}

/// What became of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    Committed,
    /// Nothing of it was written.
    RolledBack(String),
    /// The commit itself failed: it was undone here, but after a crash the log on the disk may bring it back.
    Unclear(String),
}

pub(super) type Writer = Worker<Box<dyn Job>>;

/// What the writer works with.
pub(super) struct Store {
    pub db: Connection,
    /// Dropped after the connection, and the directory's lock with it.
    pub stamper: Stamper,
    pub clock: Clock,
    pub session_ttl: Duration,
    pub health: Arc<Health>,
    pub meters: StoreMeters,
}

pub(super) fn start(mut store: Store, reports: Arc<Reports>) -> io::Result<Writer> {
    let work = move |queue| {
        write(&mut store, &queue, &reports);
        let Store { db, mut stamper, clock, health, .. } = store;
        if health.corrupt().is_some() {
            // What is there is left as it is, for whoever looks at it.
            let _ = db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        } else {
            if let Err(error) = clock.save(&db) {
                tracing::warn!(%error, "the store's clock could not be saved: {error}");
            }
            stamper.checkpoint(&db);
        }
        drop(db);
        drop(stamper);
    };
    Worker::start("hubbub-writer", QUEUE_MAX, [work])
}

fn write(store: &mut Store, queue: &Queue<Box<dyn Job>>, reports: &Reports) {
    let log_pages = Arc::new(AtomicI32::new(0));
    let count = Arc::clone(&log_pages);
    let counting = store.db.wal_hook(Some(move |_: &mut Wal, pages| {
        count.store(pages, Ordering::Relaxed);
        Ok(())
    }));
    if let Err(error) = counting {
        tracing::error!(%error, "the write-ahead log will grow until the next start: {error}");
    }
    let mut group = Vec::new();
    let (mut pruned, mut looked) = (None::<(u32, Instant)>, Instant::now());
    while queue.take_many(&mut group, GROUP_MAX) {
        store.meters.writer_queue.sub(i64::try_from(group.len()).unwrap_or(0));
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            if let Some(why) = store.stamper.replaced() {
                store.health.set_corrupt(why.to_owned());
            }
        }
        if let Some(why) = store.health.corrupt() {
            let fate = Fate::RolledBack(format!("the database is damaged: {why}"));
            group.drain(..).for_each(|job| job.answer(&fate));
            continue;
        }
        let began = Instant::now();
        let fate = commit(&store.db, &mut group, &store.health);
        store.meters.commit_seconds.observe(began.elapsed().as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "a group has at most 512")]
        store.meters.group_size.observe(group.len() as f64);
        match &fate {
            Fate::Committed => group.iter_mut().for_each(|job| job.report(reports)),
            Fate::RolledBack(error) | Fate::Unclear(error) => {
                tracing::error!(%error, writes = group.len(), "{} writes failed: {error}", group.len());
            }
        }
        group.drain(..).for_each(|job| job.answer(&fate));
        if pruned.is_none_or(|(_, at)| at.elapsed() > prune::EVERY) {
            let nth = pruned.map_or(0, |(nth, _)| nth + 1);
            pruned = Some((nth, Instant::now()));
            if let Err(error) = prune(&store.db, store.clock, store.session_ttl, nth) {
                tracing::warn!(%error, "old records could not be removed: {error}");
            }
        }
        store.stamper.checkpoint_if_long(&store.db, log_pages.load(Ordering::Relaxed));
    }
}

fn commit(db: &Connection, group: &mut [Box<dyn Job>], health: &Health) -> Fate {
    let ran = db.execute_batch("BEGIN IMMEDIATE").and_then(|()| group.iter_mut().try_for_each(|job| job.run(db)));
    let ran = ran.map_err(|error| (Fate::RolledBack(error.to_string()), error));
    let done = ran.and_then(|()| db.execute_batch("COMMIT").map_err(|error| (Fate::Unclear(error.to_string()), error)));
    let Err((fate, error)) = done else {
        health.wrote();
        return Fate::Committed;
    };
    health.failed(&error);
    // Some errors have rolled back already.
    if !db.is_autocommit()
        && let Err(error) = db.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "a failed transaction could not be rolled back: {error}");
    }
    fate
}

/// Any change but an append: `run` does it, `report` tells of what it returned.
pub(super) struct Change<T, F, R> {
    pub run: F,
    pub report: R,
    pub done: Option<T>,
    pub ack: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F, R> Job for Change<T, F, R>
where
    T: Send,
    F: FnMut(&Connection) -> rusqlite::Result<T> + Send,
    R: Fn(&T, &dyn LiveSink) + Send,
{
    fn run(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.done = Some((self.run)(db)?);
        Ok(())
    }

    fn report(&mut self, reports: &Reports) {
        if let (Some(done), Some(sink)) = (&self.done, reports.sink()) {
            (self.report)(done, sink);
        }
    }

    fn answer(self: Box<Self>, fate: &Fate) {
        let answer = match (fate, self.done) {
            (Fate::Committed, Some(done)) => Ok(done),
            (Fate::Committed, None) => Err(StoreError("not done".to_owned())),
            (Fate::RolledBack(error) | Fate::Unclear(error), _) => Err(StoreError(error.clone())),
        };
        // Whoever asked may have gone.
        let _ = self.ack.send(answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{
        AppendError, Appended, Directory, Draft, RoomLog,
        embedded::{Embedded, append},
    };
    use app::{
        domain::{MessageText, Operation, ProducerId, RoomName, RoomRef, UserId, UserName},
        protocol::Person,
    };
    use rusqlite::StatementStatus;
    use std::sync::mpsc;
    use tempfile::TempDir;

    const DAY: Duration = Duration::from_hours(24);

    fn draft(n: u64) -> Draft {
        let name = RoomName::parse("Design").unwrap();
        let by = Person { id: UserId(1), name: UserName::parse("지우").unwrap() };
        let operation = Operation::Message { text: MessageText::parse(&"x".repeat(4_000)).unwrap() };
        Draft {
            room: RoomRef { key: name.key(), name },
            by,
            p: ProducerId(2),
            n,
            earlier: Vec::new(),
            until: None,
            operation,
        }
    }

    fn engine(dir: &TempDir) -> Embedded {
        Embedded::open(dir.path(), DAY).unwrap()
    }

    /// Appends twice with `wrong` between them, all in one group.
    async fn append_around(engine: &Embedded, n: u64, wrong: &'static str) -> [Result<Appended, AppendError>; 2] {
        let ((started, start), (release, released)) = (mpsc::channel(), mpsc::channel());
        let held = engine.write(move |_| {
            started.send(()).unwrap();
            released.recv().unwrap();
            Ok(())
        });
        let group = async {
            start.recv().unwrap();
            let wrong = engine.write(|db| db.execute_batch(wrong));
            let go = async { release.send(()).unwrap() };
            tokio::join!(biased; engine.append(draft(n)), wrong, engine.append(draft(n + 1)), go)
        };
        let (held, (first, wrong, second, ())) = tokio::join!(biased; held, group);
        held.unwrap();
        wrong.unwrap_err();
        [first, second]
    }

    async fn appended_to(engine: &Embedded) -> u64 {
        engine.top(&draft(1).room.key).await.unwrap().unwrap().seq
    }

    #[tokio::test]
    async fn a_failed_group_fails_whole_and_the_next_one_does_not() {
        let dir = TempDir::new().unwrap();
        let engine = engine(&dir);
        engine.append(draft(1)).await.unwrap();
        for answer in append_around(&engine, 2, "INSERT INTO nowhere VALUES (1)").await {
            assert!(matches!(answer, Err(AppendError::Unavailable(_))), "{answer:?}");
        }
        assert_eq!(appended_to(&engine).await, 1);
        engine.append(draft(2)).await.unwrap();
        assert_eq!(appended_to(&engine).await, 2);
    }

    #[tokio::test]
    async fn after_a_failed_commit_the_outcome_is_unknown_until_the_same_is_sent_again() {
        let dir = TempDir::new().unwrap();
        let engine = engine(&dir);
        engine.append(draft(1)).await.unwrap();
        // Only the commit finds that there is no such room.
        let wrong = "PRAGMA defer_foreign_keys = ON; INSERT INTO members (user, room) VALUES (1, 99)";
        for answer in append_around(&engine, 2, wrong).await {
            assert!(matches!(answer, Err(AppendError::Unknown(_))), "{answer:?}");
        }
        engine.append(draft(2)).await.unwrap();
        assert_eq!(appended_to(&engine).await, 2);
    }

    #[tokio::test]
    async fn a_full_disk_refuses_and_takes_on_again_once_there_is_room() {
        let dir = TempDir::new().unwrap();
        let engine = engine(&dir);
        let limit = |pages: i64| {
            engine.write(move |db| {
                let now: i64 = db.query_row("PRAGMA page_count", [], |row| row.get(0))?;
                db.pragma_update_and_check(None, "max_page_count", now + pages, |_| Ok(()))
            })
        };
        limit(4).await.unwrap();
        let mut n = 1;
        let error = loop {
            match engine.append(draft(n)).await {
                Ok(_) => n += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, AppendError::Unavailable(_)), "{error:?}");
        assert_eq!(engine.newest(&draft(n).room.key, 100).await.unwrap().unwrap().records.len() as u64, n - 1);
        limit(1_000).await.unwrap();
        engine.append(draft(n)).await.unwrap();
    }

    #[tokio::test]
    async fn what_an_append_asks_is_not_compiled_anew_each_time() {
        let dir = TempDir::new().unwrap();
        let engine = engine(&dir);
        let mut compiled = Vec::new();
        for n in 1..=4 {
            engine.append(draft(n)).await.unwrap();
            let anew = engine.write(|db| Ok(db.prepare_cached(append::FIND)?.get_status(StatementStatus::RePrepare)));
            compiled.push(anew.await.unwrap());
        }
        assert_eq!(compiled[1..], [compiled[0]; 3]);
    }

    /// Makes what the producers' records hold so many days and minutes older, and prunes.
    async fn age(engine: &Embedded, days: u32, minutes: u64) {
        let (clock, by) = (engine.clock, DAY * days + Duration::from_mins(minutes));
        let aged = engine.write(move |db| {
            db.execute("UPDATE producers SET seen_at = ?1", [clock.before(by)])?;
            db.execute("UPDATE ended SET at = ?1", [clock.before(by)])
        });
        aged.await.unwrap();
        prune_now(engine).await;
    }

    /// Prunes where nothing else is under way.
    async fn prune_now(engine: &Embedded) {
        let clock = engine.clock;
        engine.write(move |db| prune::forget(db, clock, DAY, true)).await.unwrap();
    }

    #[tokio::test]
    async fn only_what_nobody_will_ask_for_is_pruned() {
        let dir = TempDir::new().unwrap();
        let engine = engine(&dir);
        engine.append(draft(1)).await.unwrap();
        age(&engine, 29, 0).await;
        engine.append(draft(2)).await.unwrap();
        age(&engine, 31, 0).await;
        assert_eq!(engine.append(draft(3)).await, Err(AppendError::OutOfOrder { last: 0 }));
        let again = engine.append(draft(1)).await;
        assert!(matches!(again, Ok(Appended::Entry(at)) if at.seq == 3), "{again:?}");
    }

    #[tokio::test]
    async fn voids_alone_are_remembered_for_as_long_as_a_message_may_be_late() {
        let dir = TempDir::new().unwrap();
        let engine = engine(&dir);
        let void = |n| Draft { operation: Operation::Void, ..draft(n) };
        engine.append(void(1)).await.unwrap();
        age(&engine, 0, 14).await;
        assert_eq!(engine.append(draft(1)).await, Err(AppendError::Conflict), "it is voided");
        engine.append(void(2)).await.unwrap();
        age(&engine, 0, 16).await;
        assert_eq!(engine.append(draft(3)).await, Err(AppendError::OutOfOrder { last: 0 }));
        engine.append(void(1)).await.unwrap();
        engine.append(draft(2)).await.unwrap();
        age(&engine, 29, 0).await;
        assert_eq!(engine.append(void(1)).await, Ok(Appended::Voided), "a message stands beside it");
    }

    #[tokio::test]
    async fn numbers_are_forgotten_with_the_session_they_belong_to() {
        let dir = TempDir::new().unwrap();
        let engine = engine(&dir);
        let token = crate::engine::TokenHash([7; 32]);
        let session = engine.open_session(token, &UserName::parse("지우").unwrap()).await.unwrap();
        let mine = |n| Draft { by: session.person.clone(), ..draft(n) };
        engine.append(mine(1)).await.unwrap();
        engine.append(draft(1)).await.unwrap();
        engine.close_session(token).await.unwrap();
        age(&engine, 0, 9).await;
        engine.append(mine(2)).await.unwrap();
        age(&engine, 0, 11).await;
        assert_eq!(engine.append(mine(3)).await, Err(AppendError::OutOfOrder { last: 0 }));
        engine.append(draft(2)).await.unwrap();
    }
}

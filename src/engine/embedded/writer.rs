//! The one thread that writes. What is queued when it gets to the queue is one group: one transaction, one sync of the
//! disk. After the commit come the reports, then the answers.

use super::{
    DAY,
    now::{before, now},
    reports::Reports,
    worker::{Queue, Worker},
};
use crate::engine::{LiveSink, StoreError};
use rusqlite::Connection;
use std::{
    fs::File,
    io,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// Bounds how long the first of a group waits for the last.
const GROUP_MAX: usize = 512;
const QUEUE_MAX: usize = 16_384;
/// Longer than clients are told to go on sending the same message again (7 days).
const PRODUCER_IDLE_MAX: Duration = Duration::from_hours(30 * 24);

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

/// `lock` is let go of after the connection was closed.
pub(super) fn start(db: Connection, lock: File, reports: Arc<Reports>, session_ttl: Duration) -> io::Result<Writer> {
    let work = move |queue| {
        write(&db, &queue, &reports, session_ttl);
        if let Err(error) = db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
            tracing::warn!(%error, "the database was left with its write-ahead log: {error}");
        }
        drop(db);
        drop(lock);
    };
    Worker::start("hubbub-writer", QUEUE_MAX, [work])
}

fn write(db: &Connection, queue: &Queue<Box<dyn Job>>, reports: &Reports, session_ttl: Duration) {
    let mut group = Vec::new();
    let mut pruned = None::<Instant>;
    while queue.take_many(&mut group, GROUP_MAX) {
        let fate = commit(db, &mut group);
        match &fate {
            Fate::Committed => group.iter_mut().for_each(|job| job.report(reports)),
            Fate::RolledBack(error) | Fate::Unclear(error) => {
                tracing::error!(%error, writes = group.len(), "{} writes failed: {error}", group.len());
            }
        }
        group.drain(..).for_each(|job| job.answer(&fate));
        if pruned.is_none_or(|at| at.elapsed() > DAY) {
            pruned = Some(Instant::now());
            if let Err(error) = prune(db, session_ttl) {
                tracing::warn!(%error, "old records could not be removed: {error}");
            }
        }
    }
}

fn commit(db: &Connection, group: &mut [Box<dyn Job>]) -> Fate {
    let ran = db.execute_batch("BEGIN IMMEDIATE").and_then(|()| group.iter_mut().try_for_each(|job| job.run(db)));
    let fate = match ran {
        Err(error) => Fate::RolledBack(error.to_string()),
        Ok(()) => match db.execute_batch("COMMIT") {
            Ok(()) => return Fate::Committed,
            Err(error) => Fate::Unclear(error.to_string()),
        },
    };
    // Some errors have rolled back already.
    if !db.is_autocommit()
        && let Err(error) = db.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "a failed transaction could not be rolled back: {error}");
    }
    fate
}

/// Forgets producers nobody will hear of again, sessions that ran out, and whose members those were.
fn prune(db: &Connection, session_ttl: Duration) -> rusqlite::Result<()> {
    let now = now();
    db.execute("DELETE FROM producers WHERE seen_at < ?1", [before(now, PRODUCER_IDLE_MAX)])?;
    db.execute("DELETE FROM sessions WHERE seen_at <= ?1", [before(now, session_ttl)])?;
    db.execute("DELETE FROM members WHERE user NOT IN (SELECT user FROM sessions)", [])?;
    Ok(())
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
    use crate::engine::{AppendError, Appended, Content, Draft, RoomLog, embedded::Embedded};
    use app::{
        domain::{MessageText, ProducerId, RoomName, UserId, UserName},
        page::RoomRef,
        protocol::Person,
    };
    use std::sync::mpsc;
    use tempfile::TempDir;

    fn draft(n: u64) -> Draft {
        let name = RoomName::parse("Design").unwrap();
        let by = Person { id: UserId(1), name: UserName::parse("지우").unwrap() };
        let content = Content::Message(MessageText::parse(&"x".repeat(4_000)).unwrap());
        Draft {
            room: RoomRef { key: name.key(), name },
            by,
            p: ProducerId(2),
            n,
            earlier: Vec::new(),
            until: None,
            content,
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
    async fn only_what_nobody_will_ask_for_is_pruned() {
        let dir = TempDir::new().unwrap();
        let engine = engine(&dir);
        engine.append(draft(1)).await.unwrap();
        let age = |days: u32| {
            engine.write(move |db| {
                db.execute("UPDATE producers SET seen_at = ?1", [before(now(), DAY * days)])?;
                prune(db, DAY)
            })
        };
        age(29).await.unwrap();
        engine.append(draft(2)).await.unwrap();
        age(31).await.unwrap();
        assert_eq!(engine.append(draft(3)).await, Err(AppendError::OutOfOrder { last: 0 }));
        let again = engine.append(draft(1)).await;
        assert!(matches!(again, Ok(Appended::Entry(at)) if at.seq == 3), "{again:?}");
    }
}

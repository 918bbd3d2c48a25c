//! An engine that keeps its store in memory, for tests that run everything in one process: of one seed and a paused clock it
//! does the same each time, and it fails as it is told to.
//!
//! | module | what |
//! |---|---|
//! | `state` | what the store holds, and one change of it |
//! | `line`, `ways` | what connects an instance with the store: requests, their answers |
//! | `live` | what instances are told: [`Live`](hubbub::engine::Live) |
//! | `producers` | appending: the rule of a producer's numbers |
//! | `log` | reading: [`RoomLog`](hubbub::engine::RoomLog) |
//! | `rooms`, `sessions` | rooms, members, sessions, names: [`Directory`](hubbub::engine::Directory) |
//! | `marks` | how far people have read: [`Reads`](hubbub::engine::Reads) |
//! | `quotas` | buckets of tokens: [`Quotas`](hubbub::engine::Quotas) |
//! | `presence` | who is where, leased by instance: [`Presence`](hubbub::engine::Presence) |
//! | `faults` | what goes wrong, and when |
//! | `chance` | numbers from a seed |
//!
//! Nothing here asks the operating system for the time or for randomness, and no map has an order of its own. The clock is tokio's.
#![allow(dead_code, reason = "each test program needs a part")]

pub mod chance;
pub mod faults;
mod line;
mod live;
mod log;
mod marks;
mod presence;
mod producers;
mod quotas;
mod rooms;
mod sessions;
mod state;
mod ways;

use app::domain::{Entry, Epoch, RoomKey, RoomRef, UserId};
use chance::Chance;
use faults::{Chances, Events, Faults};
use line::Line;
use live::Event;
use state::{State, Turn};
use std::{
    sync::{Arc, Mutex, Weak},
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Of every id that the store gives, and of every fault.
    pub seed: u64,
    /// What time it is when the store is made, in milliseconds since 1970-01-01 UTC.
    pub start: u64,
    pub session_ttl: Duration,
    /// Whether instances may miss what happens, as on Redis; else each is told before whoever did it is answered.
    pub may_miss: bool,
}

/// A store, which several instances share.
#[derive(Clone)]
pub struct Store(Arc<Shared>);

/// An instance on a store. Dropping it is a crash: its presence ends with its lease.
pub struct Memory {
    line: Arc<Line>,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

/// What a store held at some moment.
pub struct Snapshot(State);

/// All of a room's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    pub room: RoomRef,
    pub epoch: Epoch,
    pub entries: Vec<Arc<Entry>>,
}

struct Shared {
    options: Options,
    began: Instant,
    store: Mutex<Inner>,
    chances: Mutex<Chances>,
}

struct Inner {
    state: State,
    /// Not part of the state: a store that was set back gives no id a second time.
    ids: Chance,
    lines: Vec<Weak<Line>>,
}

impl Store {
    pub fn new(options: Options) -> Self {
        let inner = Inner { state: State::default(), ids: Chance::new(options.seed), lines: Vec::new() };
        Self(Arc::new(Shared {
            options,
            began: Instant::now(),
            store: Mutex::new(inner),
            chances: Mutex::new(Chances::new(options.seed)),
        }))
    }

    /// Another instance on this store. To be called within a runtime.
    pub fn instance(&self) -> Arc<Memory> {
        let line = {
            let mut inner = self.0.store.lock().unwrap();
            let line = Arc::new(Line::new(inner.lines.len(), self.0.clone()));
            inner.lines.push(Arc::downgrade(&line));
            line
        };
        line.renew_lease();
        let tasks = ways::tasks(&line);
        Arc::new(Memory { line, _tasks: tasks })
    }

    pub fn faults(&self) -> Faults {
        Faults::new(self.0.clone())
    }

    /// The logs of all rooms, in the order of their keys.
    pub fn logs(&self) -> Vec<Log> {
        let log = |room: &state::Room| Log {
            room: room.at.clone(),
            epoch: room.epoch,
            entries: room.log.iter().map(|kept| kept.entry.clone()).collect(),
        };
        self.0.store.lock().unwrap().state.rooms.values().map(log).collect()
    }

    /// Whether some instance was not told of the latest mark of that person in that room, and cannot know.
    pub fn some_miss_mark(&self, user: UserId, room: &RoomKey) -> bool {
        self.0.lines().iter().any(|line| line.inbox.misses_mark(user, room))
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.0.store.lock().unwrap().state.clone())
    }
}

impl Memory {
    /// By which [`Faults`] knows it: 0 for the store's first one, then 1, and so on.
    pub fn number(&self) -> usize {
        self.line.number
    }
}

impl Shared {
    /// Milliseconds since 1970-01-01 UTC.
    fn now(&self) -> u64 {
        self.options.start + millis(self.began.elapsed())
    }

    /// Changes the store, and has everyone told before it returns, or as soon as they may be.
    fn change<T>(&self, by: &Line, change: impl FnOnce(&mut Turn<'_>) -> T) -> T {
        let (done, lines) = {
            let mut inner = self.store.lock().unwrap();
            let Inner { state, ids, lines } = &mut *inner;
            let (now, ttl) = (self.now(), millis(self.options.session_ttl));
            let mut turn = Turn { state, ids, now, ttl, by, events: Vec::new() };
            let done = change(&mut turn);
            let events = turn.events;
            let lines: Vec<_> = lines.iter().filter_map(Weak::upgrade).collect();
            // In the order of changes, which is that of this lock.
            for event in events {
                self.tell(by, &lines, &event);
            }
            (done, lines)
        };
        for line in lines {
            line.hand_over();
        }
        done
    }

    fn tell(&self, by: &Line, lines: &[Arc<Line>], event: &Event) {
        let mut chances = self.chances.lock().unwrap();
        for line in lines {
            if event.room().is_none() && line.number == by.number {
                // Of sessions and marks an instance tells itself.
                line.inbox.push(event.clone());
                continue;
            }
            let faults = if self.options.may_miss { chances.events(line.number) } else { Events::default() };
            line.hear(event, faults, &mut chances.chance);
        }
    }

    fn line(&self, number: usize) -> Option<Arc<Line>> {
        self.store.lock().unwrap().lines.get(number)?.upgrade()
    }

    fn lines(&self) -> Vec<Arc<Line>> {
        self.store.lock().unwrap().lines.iter().filter_map(Weak::upgrade).collect()
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

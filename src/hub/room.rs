//! One room as this instance sees it: the ring of recent frames, the sockets to wake, who is here.

use super::{
    presence::{LocalPerson, View},
    ring::{Push, Ring, Take},
    typing::{RoomTyping, Typists},
    wake::Wake,
    work::lock,
};
use crate::store::Record;
use app::{
    domain::{Cursor, RoomKey, RoomRef, UserId},
    protocol::Person,
};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Most frames and bytes one room keeps, whatever the budget of all rooms allows. A reader further behind reads the log.
const RING_FRAMES: u64 = 1_024;
const RING_BYTES: usize = 1024 * 1024;
const RING_BYTES_MIN: usize = 32 * 1024;
/// Most commits kept for a room whose log is just being read; should there be more, the log is read again.
const EARLY_MAX: usize = 256;

/// The memory that the rings of all rooms share.
#[derive(Debug)]
pub struct Budget {
    pub max_bytes: usize,
    used: AtomicUsize,
}

impl Budget {
    pub fn new(max_bytes: usize) -> Self {
        Self { max_bytes, used: AtomicUsize::new(0) }
    }

    pub fn exceeded(&self) -> bool {
        self.used_bytes() > self.max_bytes
    }

    pub fn used_bytes(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
pub struct Room {
    pub room: RoomRef,
    budget: Arc<Budget>,
    /// An entry frame up to the entry: the same for every frame of the room.
    frame_head: String,
    /// Rises with every change of the ring, so that a socket can tell without the lock that nothing is new.
    log_version: AtomicU64,
    /// Rises whenever the ring was started anew, possibly on another log.
    generation: AtomicU64,
    presence_version: AtomicU64,
    typing_version: AtomicU64,
    /// A reader was found beyond the ring's end; see [`Self::settle`].
    ahead: AtomicBool,
    /// A random number, by which rooms take turns.
    pub(super) turn: u64,
    log: Mutex<Log>,
    wakes: Mutex<Vec<Arc<Wake>>>,
    pub(super) presence: Mutex<RoomPresence>,
    typing: Mutex<RoomTyping>,
    /// Held while the room starts or stops being followed; sockets enter and are counted under it.
    pub(super) life: tokio::sync::Mutex<Life>,
    pub(super) refill: Refill,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Not followed yet.
    Idle,
    Live,
    /// Taken off the hub's list: whoever still holds it has to ask the hub again.
    Retired,
}

/// One refill at a time per room; `again` asks for another round.
#[derive(Debug, Default)]
pub struct Refill {
    pub running: AtomicBool,
    pub again: AtomicBool,
}

#[derive(Debug)]
struct Log {
    ring: Option<Ring>,
    /// What was committed after the room was followed and before the ring had a place to start.
    early: Vec<Record>,
    /// There was more of it than is kept.
    early_lost: bool,
    written: Instant,
}

#[derive(Debug, Default)]
pub struct RoomPresence {
    pub here: HashMap<UserId, LocalPerson>,
    pub view: Arc<View>,
}

impl Room {
    pub fn new(room: RoomRef, budget: Arc<Budget>, turn: u64) -> Self {
        let key = serde_json::to_string(&room.key).unwrap_or_default();
        Self {
            room,
            budget,
            frame_head: format!(r#"{{"t":"entry","room":{key},"entry":"#),
            log_version: AtomicU64::new(1),
            generation: AtomicU64::new(1),
            presence_version: AtomicU64::new(1),
            typing_version: AtomicU64::new(0),
            ahead: AtomicBool::new(false),
            turn,
            log: Mutex::new(Log { ring: None, early: Vec::new(), early_lost: false, written: Instant::now() }),
            wakes: Mutex::default(),
            presence: Mutex::default(),
            typing: Mutex::default(),
            life: tokio::sync::Mutex::new(Life::Idle),
            refill: Refill::default(),
        }
    }

    pub fn key(&self) -> &RoomKey {
        &self.room.key
    }

    /// An entry as the frame every client receives.
    pub fn encode(&self, entry: &str) -> Utf8Bytes {
        let mut text = String::with_capacity(self.frame_head.len() + entry.len() + 1);
        text.push_str(&self.frame_head);
        text.push_str(entry);
        text.push('}');
        text.into()
    }

    pub fn log_version(&self) -> u64 {
        self.log_version.load(Ordering::Acquire)
    }

    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub fn presence_version(&self) -> u64 {
        self.presence_version.load(Ordering::Acquire)
    }

    pub fn typing_version(&self) -> u64 {
        self.typing_version.load(Ordering::Acquire)
    }

    pub fn wake_all(&self) {
        for wake in lock(&self.wakes).iter() {
            wake.news();
        }
    }

    pub fn add_wake(&self, wake: &Arc<Wake>) {
        lock(&self.wakes).push(wake.clone());
    }

    pub fn remove_wake(&self, wake: &Arc<Wake>) {
        let mut wakes = lock(&self.wakes);
        if let Some(at) = wakes.iter().position(|other| Arc::ptr_eq(other, wake)) {
            wakes.swap_remove(at);
        }
    }

    pub fn is_empty(&self) -> bool {
        lock(&self.wakes).is_empty()
    }

    /// Starts the ring at the log's `top`, then takes what was committed meanwhile.
    pub fn seed(&self, top: Cursor) -> Push {
        let mut log = lock(&self.log);
        self.clear(&mut log);
        log.ring = Some(Ring::new(top));
        self.generation.fetch_add(1, Ordering::Release);
        let early = std::mem::take(&mut log.early);
        let worst = early.iter().map(|record| self.push(&mut log, record)).find(|push| push.needs_refill());
        let lost = std::mem::take(&mut log.early_lost).then_some(Push::Gap);
        drop(log);
        self.changed();
        worst.or(lost).unwrap_or(Push::Pushed)
    }

    /// Back to what it was before it was followed.
    pub fn unseed(&self) {
        let mut log = lock(&self.log);
        self.clear(&mut log);
        log.ring = None;
        log.early.clear();
        log.early_lost = false;
    }

    fn clear(&self, log: &mut Log) {
        if let Some(ring) = &log.ring {
            self.budget.used.fetch_sub(ring.bytes(), Ordering::Relaxed);
        }
    }

    /// Gives the memory of a room in which nobody wrote for so long back to the others.
    pub fn trim_if_quiet_for(&self, quiet: Duration, now: Instant) {
        let mut log = lock(&self.log);
        if now.saturating_duration_since(log.written) > quiet
            && let Some(ring) = &mut log.ring
        {
            while let Some(bytes) = ring.pop() {
                self.budget.used.fetch_sub(bytes, Ordering::Relaxed);
            }
        }
    }

    pub fn top(&self) -> Option<Cursor> {
        lock(&self.log).ring.as_ref().map(Ring::top)
    }

    /// Whether the ring has a place, and was written to so lately.
    pub fn was_written_within(&self, lately: Duration, now: Instant) -> bool {
        let log = lock(&self.log);
        log.ring.is_some() && now.saturating_duration_since(log.written) <= lately
    }

    /// A reader is beyond the ring's end, to which it came by reading the log.
    pub fn reader_is_ahead(&self) {
        self.ahead.store(true, Ordering::Release);
    }

    /// The log was seen to end where the ring ends. Whoever is beyond that has seen entries that are gone, unless the log
    /// went on since: they ask the log.
    pub fn settle(&self) {
        if self.ahead.swap(false, Ordering::AcqRel) {
            self.generation.fetch_add(1, Ordering::Release);
            self.changed();
        }
    }

    /// A commit as the engine reports it.
    pub fn committed(&self, record: Record) -> Push {
        let mut log = lock(&self.log);
        if log.ring.is_none() {
            if log.early.len() < EARLY_MAX {
                log.early.push(record);
            } else {
                log.early_lost = true;
            }
            return Push::Pushed;
        }
        let push = self.push(&mut log, &record);
        drop(log);
        if push == Push::Pushed {
            self.changed();
        }
        push
    }

    /// A run of records read from the log.
    pub fn refilled(&self, records: &[Record]) -> Push {
        let mut log = lock(&self.log);
        let mut last = Push::Known;
        for record in records {
            last = self.push(&mut log, record);
            if last.needs_refill() {
                break;
            }
        }
        drop(log);
        self.changed();
        last
    }

    fn push(&self, log: &mut Log, record: &Record) -> Push {
        let Some(ring) = &mut log.ring else { return Push::Gap };
        let before = ring.bytes();
        let now = Instant::now();
        let push = ring.push(record, now, |json| self.encode(json));
        self.budget.used.fetch_add(ring.bytes() - before, Ordering::Relaxed);
        // A room in which somebody writes keeps a few frames even then: without any, each message would be a read of the
        // log for each of its sockets. Upkeep takes from the quiet rooms.
        let short = |ring: &Ring| self.budget.exceeded() && ring.bytes() > RING_BYTES_MIN;
        while ring.count() > RING_FRAMES || ring.bytes() > RING_BYTES || short(ring) {
            let Some(bytes) = ring.pop() else { break };
            self.budget.used.fetch_sub(bytes, Ordering::Relaxed);
        }
        log.written = now;
        push
    }

    fn changed(&self) {
        self.log_version.fetch_add(1, Ordering::Release);
        self.wake_all();
    }

    /// See [`Ring::take`]. A room that has no ring yet has nothing to give.
    pub fn take(&self, cursor: Cursor, max_bytes: usize, sink: impl FnMut(Utf8Bytes, Option<Instant>)) -> Take {
        lock(&self.log).ring.as_ref().map_or(Take::Nothing, |ring| ring.take(cursor, max_bytes, sink))
    }

    /// Whether what follows `cursor` is all in the ring.
    pub fn holds(&self, cursor: Cursor) -> bool {
        lock(&self.log).ring.as_ref().is_some_and(|ring| ring.holds(cursor))
    }

    pub fn view(&self) -> Arc<View> {
        lock(&self.presence).view.clone()
    }

    pub(super) fn presence(&self) -> MutexGuard<'_, RoomPresence> {
        lock(&self.presence)
    }

    /// Takes over who is here now and tells the sockets, if that is news.
    pub fn set_people(&self, people: Vec<Person>, announce: bool) {
        let mut presence = lock(&self.presence);
        let Some(view) = View::next(&presence.view, &self.room.key, people, announce) else { return };
        presence.view = Arc::new(view);
        drop(presence);
        self.presence_version.fetch_add(1, Ordering::Release);
        self.wake_all();
    }

    /// See [`RoomTyping::add`].
    pub(super) fn typing(&self, person: Person) -> Option<Duration> {
        lock(&self.typing).add(person)
    }

    /// Tells the sockets who is typing.
    pub(super) fn say_typing(&self) {
        lock(&self.typing).say(self.key());
        self.typing_version.fetch_add(1, Ordering::Release);
        self.wake_all();
    }

    pub fn typists(&self) -> Option<Arc<Typists>> {
        lock(&self.typing).last.clone()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.unseed();
    }
}

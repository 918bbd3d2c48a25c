//! What the clients did and saw: everything the checker goes by. One history for a whole run.

use super::{
    invariant::{Invariant, Violation},
    loss::{Excuse, Missed, Rollbacks},
};
use app::domain::{Cursor, Entry, EntryId, Epoch, ProducerId, RoomRef, UserId};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::File,
    io::{BufWriter, Write},
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// A room by its place in [`History::rooms`].
pub type RoomId = usize;
/// A tab for its whole life, reloads included.
pub type TabId = usize;

/// Violations listed in full; beyond it they are only counted.
const VIOLATIONS_LISTED: usize = 200;

/// One message that somebody wrote; its text is unique in the run.
#[derive(Debug, Clone)]
pub struct Submission {
    pub tab: TabId,
    pub room: RoomId,
    pub by: UserId,
    /// Among all submissions; a message that failed and is tried again counts anew.
    pub order: u64,
    pub at_ms: u64,
    /// It failed and was tried again.
    pub retried: bool,
    /// Its writer took it back while its fate was unknown.
    pub discarded: bool,
    /// Its writer signed out or gave up the tab's storage.
    pub abandoned: bool,
    pub acked: Option<Ack>,
}

/// A number of a producer in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot {
    pub by: UserId,
    pub p: ProducerId,
    pub room: RoomId,
    pub n: u64,
}

/// An answer that a message is in the log.
#[derive(Debug, Clone, Copy)]
pub struct Ack {
    pub at: Cursor,
    /// The earliest moment at which it may have been given.
    pub said_ms: u64,
    pub heard_ms: u64,
}

/// One id that was seen at a place of a log.
#[derive(Debug)]
pub struct Version {
    pub entry: Arc<Entry>,
    /// When it was committed.
    pub at_ms: u64,
    /// Who showed it last, and when.
    pub by: Vec<(TabId, u64)>,
}

/// All of it, from all clients. It decides nothing but what contradicts what is in it already.
pub struct History {
    start: Instant,
    pub rooms: Vec<RoomRef>,
    pub submitted: HashMap<String, Submission>,
    /// What was sent under each number; `None` for a void alone.
    pub sent: HashMap<Slot, Option<String>>,
    pub acks: HashMap<Slot, Vec<Ack>>,
    /// Numbers of which their sender was told, and when, that they are no message.
    pub voided: HashMap<Slot, u64>,
    pub shown: HashMap<(RoomId, Epoch, u64), Vec<Version>>,
    /// When a tab was told that a room's log is another one (or was loaded anew).
    pub told: HashMap<(TabId, RoomId), Vec<u64>>,
    pub rollbacks: Rollbacks,
    /// What can be decided only once it is known what the store lost.
    pub(super) missed: Vec<Missed>,
    pub signed_out: HashMap<UserId, u64>,
    pub names: HashMap<UserId, String>,
    pub violations: Vec<Violation>,
    pub counts: BTreeMap<Invariant, u64>,
    pub excused: BTreeMap<Excuse, u64>,
    pub delivered: u64,
    /// Times that an outcome was unknown to its sender for a while.
    pub unknown: u64,
    /// When a live entry arrived at a tab, and how many milliseconds after its commit.
    pub arrivals: Vec<(TabId, u64, u32)>,
    /// When a tab was told to move to another socket.
    pub moves: Vec<(TabId, u64)>,
    orders: u64,
    dubious: HashSet<String>,
    /// Every frame, to find out what went wrong.
    trace: Option<BufWriter<File>>,
}

impl History {
    pub fn new(rooms: Vec<RoomRef>, trace: Option<File>) -> Self {
        Self {
            trace: trace.map(BufWriter::new),
            start: Instant::now(),
            rooms,
            submitted: HashMap::new(),
            sent: HashMap::new(),
            acks: HashMap::new(),
            voided: HashMap::new(),
            shown: HashMap::new(),
            told: HashMap::new(),
            rollbacks: Rollbacks::default(),
            missed: Vec::new(),
            signed_out: HashMap::new(),
            names: HashMap::new(),
            violations: Vec::new(),
            counts: BTreeMap::new(),
            excused: BTreeMap::new(),
            delivered: 0,
            unknown: 0,
            arrivals: Vec::new(),
            moves: Vec::new(),
            orders: 0,
            dubious: HashSet::new(),
        }
    }

    /// Writes a frame down, if that is wanted: the moment, the tab, its socket, which way, the frame.
    pub fn trace(&mut self, tab: TabId, socket: u32, way: &str, frame: &impl serde::Serialize) {
        let now = self.now();
        if let Some(trace) = &mut self.trace {
            let json = serde_json::to_string(frame).unwrap_or_default();
            let _ = writeln!(trace, "{now} {tab} {socket} {way} {json}");
        }
    }

    /// Milliseconds since the run began.
    pub fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The wall clock's milliseconds at a moment of the run.
    pub fn wall(&self, moment: u64) -> u64 {
        wall_ms().saturating_sub(self.now()).saturating_add(moment)
    }

    pub fn room_id(&self, key: &app::domain::RoomKey) -> Option<RoomId> {
        self.rooms.iter().position(|room| room.key == *key)
    }

    pub fn violate(&mut self, invariant: Invariant, what: impl FnOnce() -> String) {
        *self.counts.entry(invariant).or_default() += 1;
        if self.violations.len() < VIOLATIONS_LISTED {
            let violation = Violation { invariant, at_ms: self.now(), what: what() };
            eprintln!("  {:?} at {} ms: {}", violation.invariant, violation.at_ms, violation.what);
            self.violations.push(violation);
        }
    }

    /// Somebody wrote `text`, or tries it again.
    pub fn submit(&mut self, text: &str, tab: TabId, room: RoomId, by: UserId) {
        self.orders += 1;
        let (order, at_ms) = (self.orders, self.now());
        self.submitted
            .entry(text.to_owned())
            .and_modify(|again| (again.order, again.retried) = (order, true))
            .or_insert(Submission {
                tab,
                room,
                by,
                order,
                at_ms,
                retried: false,
                discarded: false,
                abandoned: false,
                acked: None,
            });
    }

    pub fn discard(&mut self, text: &str) {
        if let Some(submission) = self.submitted.get_mut(text) {
            submission.discarded = true;
        }
    }

    /// A tab's storage is gone: what it had not sent yet may stay unsent, and what the log loses is not missed.
    pub fn abandon(&mut self, tab: TabId) {
        for submission in self.submitted.values_mut().filter(|it| it.tab == tab) {
            submission.abandoned = true;
        }
    }

    /// Somebody leaves a room, in all their tabs: so it is with what they wrote there.
    pub fn abandon_room(&mut self, by: UserId, room: RoomId) {
        for submission in self.submitted.values_mut().filter(|it| it.by == by && it.room == room) {
            submission.abandoned = true;
        }
    }

    /// A client puts `text` (`None`: a void) under a number on the wire.
    pub fn send(&mut self, slot: Slot, text: Option<&str>) {
        let other = match (self.sent.get(&slot), text) {
            (Some(Some(before)), Some(text)) => before != text,
            _ => false,
        };
        if other {
            self.violate(Invariant::I3, || format!("a client used {slot:?} for two messages"));
        }
        let known = self.sent.entry(slot).or_default();
        if known.is_none() {
            *known = text.map(str::to_owned);
        }
    }

    /// An acknowledgement, given at the earliest at `said_ms`.
    pub fn ack(&mut self, slot: Slot, at: Cursor, said_ms: u64) {
        let now = self.now();
        let Some(sent) = self.sent.get(&slot).cloned() else {
            return self.violate(Invariant::I6, || format!("an acknowledgement of {slot:?}, which nobody sent"));
        };
        let before = self.acks.get(&slot).and_then(|acks| acks.last().copied());
        if let Some(before) = before
            && before.at != at
        {
            // An answer that was long on its way may be of before.
            self.miss(Invariant::I3, slot.room, &[before.at, at], before.said_ms, || {
                format!("{slot:?} was acknowledged at {:?}, then at {at:?}", before.at)
            });
        }
        if before.is_none_or(|before| before.at != at) {
            let ack = Ack { at, said_ms, heard_ms: now };
            self.acks.entry(slot).or_default().push(ack);
            if let Some(submission) = sent.and_then(|text| self.submitted.get_mut(&text)) {
                submission.acked = Some(ack);
            }
        }
    }

    /// Word that a number is no message, given at the earliest at `when`.
    pub fn void(&mut self, slot: Slot, when: u64) {
        self.voided.insert(slot, when);
    }

    /// A refusal that leaves the outcome open.
    pub fn refused(&mut self, slot: Slot) {
        if let Some(Some(text)) = self.sent.get(&slot)
            && self.dubious.insert(text.clone())
        {
            self.unknown += 1;
        }
    }

    /// Entries that a tab shows from now on.
    pub fn show(&mut self, tab: TabId, room: RoomId, entry: &Arc<Entry>) {
        self.delivered += 1;
        let now = self.now();
        // Entries say themselves when they were committed.
        let committed = entry.at.saturating_sub(self.wall(0)).min(now);
        let own = entry.text().and_then(|text| self.submitted.get(text)).is_some_and(|it| it.tab == tab);
        if own {
            // One's own entry in the log is as good as an acknowledgement.
            self.ack(Slot { by: entry.by, p: entry.p, room, n: entry.n }, entry.cursor(), committed);
        }
        let set_back = !self.rollbacks.is_empty();
        let versions = self.shown.entry((room, entry.epoch, entry.seq)).or_default();
        let Some(version) = versions.iter_mut().find(|version| version.entry.id == entry.id) else {
            versions.push(Version { entry: entry.clone(), at_ms: committed, by: vec![(tab, now)] });
            if versions.len() > 1 && !set_back {
                let seq = entry.seq;
                self.violate(Invariant::I2, || format!("room {room} has two entries at seq {seq}"));
            }
            return;
        };
        match version.by.iter_mut().find(|(by, _)| *by == tab) {
            Some(shown) => shown.1 = now,
            None => version.by.push((tab, now)),
        }
        if *version.entry != **entry {
            let id: EntryId = entry.id;
            self.violate(Invariant::I2, || format!("room {room}: entry {id} reads differently in tab {tab}"));
        }
    }

    pub fn tell(&mut self, tab: TabId, room: RoomId) {
        let now = self.now();
        self.told.entry((tab, room)).or_default().push(now);
    }
}

/// Milliseconds since 1970-01-01 UTC.
pub fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(0))
}

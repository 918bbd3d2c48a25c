//! The verdict: what the tabs saw against the invariants and what the store holds.

use super::{
    record::{
        Invariant::{self, I1, I2, I3, I6, I7, I8, I9, Marks},
        Place, Record, Slot, place,
    },
    tab::State,
    world::{START, World},
};
use crate::memory_store::Log;
use app::{
    domain::{Entry, RoomKey, UserId},
    protocol::IN_FLIGHT_MAX,
};
use hubbub::engine::Reads;
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::Arc,
};

type Tabs = [Rc<State>];

/// What is not yet as it will be once everything is quiet.
pub async fn unsettled(world: &World, tabs: &Tabs) -> Vec<(Invariant, String)> {
    let mut left = Vec::new();
    let logs = world.store.logs();
    let truth = truth(tabs);
    for (tab, state) in tabs.iter().enumerate() {
        if let Some(me) = state.me.as_ref().filter(|me| world.record.borrow().ended_before(me.id, world.trace.now())) {
            left.push((I8, format!("tab {tab} of {} still stands, with {} sockets", me.id, state.sockets)));
            continue;
        }
        let Some(me) = state.me.as_ref() else {
            if !state.signed_out {
                left.push((I9, format!("tab {tab} does not load")));
            }
            continue;
        };
        if !state.online {
            left.push((I1, format!("tab {tab} is not online")));
        }
        for room in &state.rooms {
            let key = &room.key;
            let log = logs.iter().find(|log| log.room.key == *key).map_or(&[][..], |log| &log.entries[..]);
            if !room.entries.as_ref().is_some_and(|shown| shows(shown, log)) {
                let shown = room.entries.as_ref().and_then(|shown| shown.last()).map(|last| last.cursor());
                let end = log.last().map(|last| last.cursor());
                left.push((I1, format!("tab {tab} shows {} to {shown:?}, which ends at {end:?}", key.as_str())));
            }
            if !room.waiting.is_empty() {
                left.push((I9, format!("tab {tab} waits for {:?} in {}", room.waiting, key.as_str())));
            }
            let here: BTreeSet<_> = room.people.iter().map(|person| person.id).collect();
            if Some(&here) != truth.get(key) || room.count != here.len() || room.people.len() != here.len() {
                let (count, truth) = (room.count, truth.get(key));
                left.push((I7, format!("tab {tab} sees {count}, {here:?} in {}, not {truth:?}", key.as_str())));
            }
        }
        marks(world, tab, me.id, state, &mut left).await;
    }
    left
}

/// Whether a run of entries is the log's end.
fn shows(shown: &[Arc<Entry>], log: &[Arc<Entry>]) -> bool {
    log.ends_with(shown) && (log.is_empty() || !shown.is_empty())
}

/// Who is where.
fn truth(tabs: &Tabs) -> BTreeMap<RoomKey, BTreeSet<UserId>> {
    let mut truth: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for state in tabs {
        for room in &state.rooms {
            truth.entry(room.key.clone()).or_default().extend(state.me.iter().map(|me| me.id));
        }
    }
    truth
}

/// Every tab counts what the store says that its person has not read. Unless the store was set back: marks go by place, what stands
/// there may be another entry by now, and of a room that lost no entry nobody is told that its marks are older.
async fn marks(world: &World, tab: usize, me: UserId, state: &State, left: &mut Vec<(Invariant, String)>) {
    if !world.record.borrow().set_back.is_empty() {
        return;
    }
    let places: Vec<_> = state.rooms.iter().map(|room| (room.key.clone(), u64::MAX)).collect();
    let Ok(readings) = world.observer.readings(me, &places).await else { return };
    for (room, reading) in state.rooms.iter().zip(readings) {
        // A mark that somebody raised is news to an instance that was not told of it only with the next one.
        let missed = world.store.some_miss_mark(me, &room.key);
        let came_back = world.record.borrow().left.contains(&(me, room.key.clone()));
        let may_be_behind = !world.read_all.get() && (missed || came_back);
        // Whoever left in another tab has no mark.
        if reading.mark.is_some() && reading.unread != room.unread && !(may_be_behind && room.unread > reading.unread) {
            let (key, unread) = (room.key.as_str(), room.unread);
            left.push((Marks, format!("tab {tab} has {unread} unread in {key}, the store {reading:?}")));
        }
    }
}

/// What can be said once the run is over.
pub fn verdict(world: &World, tabs: &Tabs) {
    let (logs, mut record) = (world.store.logs(), world.record.borrow_mut());
    for log in &logs {
        a_run(&mut record, log);
        once_each(&mut record, log);
    }
    let there: BTreeSet<_> =
        logs.iter().flat_map(|log| log.entries.iter().map(|entry| place(&log.room.key, entry.cursor()))).collect();
    acknowledged(&mut record, &there);
    as_shown(&mut record, &there);
    accounted_for(&mut record, &logs, tabs);
    in_order(&mut record, &logs);
}

fn a_run(record: &mut Record, log: &Log) {
    let starts = log.entries.first().is_none_or(|first| first.seq == 1 && first.prev.0 == 0);
    let broken = log.entries.windows(2).find(|two| !two[0].cursor().precedes(&two[1]) || two[1].at < two[0].at);
    if !starts || broken.is_some() {
        record.violate(I2, format!("the log of {} is no run", log.room.key.as_str()));
    }
}

/// At most one entry per number, each sent by its sender, whose session had not ended.
fn once_each(record: &mut Record, log: &Log) {
    let mut slots = BTreeSet::new();
    for entry in &log.entries {
        let slot = Slot { by: entry.by, p: entry.p, room: log.room.key.clone(), n: entry.n };
        let sent = record.sent.get(&slot).cloned().flatten();
        if sent.is_none() || sent.as_deref() != entry.text() {
            record.violate(I6, format!("{entry:?} is not what was sent as {slot:?}"));
        }
        if record.ended_before(entry.by, entry.at.saturating_sub(START)) {
            record.violate(I8, format!("{entry:?} was committed after a sign-out"));
        }
        // A store that was set back may not know of it.
        if record.set_back.is_empty() && record.voided.contains(&slot) {
            record.violate(I9, format!("{slot:?} was said to be no message, and stands at {}", entry.seq));
        }
        if !slots.insert(slot) {
            record.violate(I3, format!("{entry:?} has the number of another one"));
        }
    }
}

fn acknowledged(record: &mut Record, there: &BTreeSet<Place>) {
    let is_there = |room: &RoomKey, at| there.contains(&place(room, at));
    let acks = record.acks.iter().filter(|(slot, at)| !is_there(&slot.room, **at));
    let missed: Vec<_> = acks.filter(|(slot, at)| !record.lost.contains(&place(&slot.room, **at))).collect();
    let missed: Vec<_> = missed.into_iter().map(|(slot, at)| format!("{slot:?} was acknowledged at {at:?}")).collect();
    for what in missed {
        record.violate(I1, format!("{what}, and is not there"));
    }
}

fn as_shown(record: &mut Record, there: &BTreeSet<Place>) {
    let shown = record.shown.iter().filter(|(at, _)| !there.contains(*at) && !record.lost.contains(*at));
    let shown: Vec<_> =
        shown.map(|(_, (tab, entry))| format!("tab {tab} showed {entry:?}, which is not there")).collect();
    for what in shown {
        record.violate(I2, what);
    }
}

/// Everything that was written is one entry, or its writer knows that it is none. Of those that a tab knew to be there it remembers
/// only the last, should the store lose them.
fn accounted_for(record: &mut Record, logs: &[Log], tabs: &Tabs) {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in logs.iter().flat_map(|log| &log.entries) {
        *times.entry(entry.text().unwrap_or_default()).or_default() += 1;
    }
    let (mut known, mut found) = (BTreeSet::new(), Vec::new());
    for state in tabs {
        for room in &state.rooms {
            known.extend(room.failed.iter().chain(&room.waiting).cloned());
        }
    }
    for (text, it) in &record.submitted {
        let times = times.get(text.as_str()).copied().unwrap_or(0);
        let open = tabs[it.tab].me.is_some();
        if times > 1 {
            found.push((I3, format!("{text:?} is there {times} times")));
        } else if times == 0
            && !known.contains(text)
            && !it.discarded
            && !it.abandoned
            && open
            && record.landed_since(text) < IN_FLIGHT_MAX
        {
            found.push((I9, format!("{text:?} is gone without a word: {it:?}")));
        }
    }
    for (invariant, what) in found {
        record.violate(invariant, what);
    }
}

/// One tab's messages in one room stand in the order in which they were written.
fn in_order(record: &mut Record, logs: &[Log]) {
    let (mut last, mut found) = (BTreeMap::new(), Vec::new());
    for (log, entry) in logs.iter().flat_map(|log| log.entries.iter().map(move |entry| (log, entry))) {
        let Some(it) = entry.text().and_then(|text| record.submitted.get(text)) else { continue };
        // One that was tried again is a new message; one of a room that was left has no place among those written later.
        if it.retried || it.abandoned {
            continue;
        }
        let before = last.insert((it.tab, &log.room.key), it.order);
        if before.is_some_and(|before| before > it.order) {
            found.push(format!("tab {} wrote {:?} before what it stands after", it.tab, entry.text()));
        }
    }
    for what in found {
        record.violate(I6, what);
    }
}

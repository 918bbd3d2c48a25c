//! The final checker: the history against each room's log as instances tell it after everything has healed.

use super::{
    history::{History, RoomId, Slot},
    invariant::Invariant::{I1, I2, I3, I4, I6, I9},
    loss::Excuse,
};
use crate::chaos::workload::TabState;
use app::domain::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Acknowledged messages of which a tab can still say that they were lost: as many as its outbox remembers.
const REMEMBERED: usize = app::protocol::IN_FLIGHT_MAX;

/// Checks everything that can only be said at the end. `logs`: each room's, by each way in which it was read.
pub fn at_the_end(history: &mut History, logs: &[Vec<Vec<Entry>>], states: &[TabState]) {
    history.settle();
    for (room, ways) in logs.iter().enumerate() {
        let (first, others) = ways.split_first().map_or((&[][..], &[][..]), |(first, rest)| (&first[..], rest));
        for other in others.iter().filter(|other| other[..] != *first) {
            let (here, there) = (first.len(), other.len());
            history.violate(I2, || format!("room {room}: two instances tell different logs ({here}, {there} entries)"));
        }
        a_run(history, room, first);
        once_each(history, room, first);
        as_shown(history, room, first, states);
        up_to_date(history, room, first, states);
    }
    let logs: Vec<&[Entry]> = logs.iter().map(|ways| ways.first().map_or(&[][..], |way| &way[..])).collect();
    acknowledged(history, &logs);
    accounted_for(history, &logs, states);
    in_order(history, &logs);
}

fn a_run(history: &mut History, room: RoomId, log: &[Entry]) {
    let starts = log.first().is_none_or(|first| first.seq == 1 && first.prev.0 == 0);
    let broken = log.windows(2).find(|two| !two[0].cursor().precedes(&two[1]) || two[1].at < two[0].at);
    if !starts || broken.is_some() {
        let at = broken.map_or(0, |two| two[1].seq);
        history.violate(I2, || format!("room {room}: the log is no run at {at}"));
    }
}

/// I3 and the first half of I6: at most one entry per number, each sent by its sender.
fn once_each(history: &mut History, room: RoomId, log: &[Entry]) {
    let mut slots = HashSet::new();
    for entry in log {
        let slot = Slot { by: entry.by, p: entry.p, room, n: entry.n };
        let seq = entry.seq;
        if !slots.insert(slot) {
            history.violate(I3, || format!("room {room}: {slot:?} has a second entry at {seq}"));
        }
        // By time, for a void has no entry that could be looked for.
        if history.voided.get(&slot).is_some_and(|&told| history.rollbacks.between(told, u64::MAX)) {
            history.excuse(Excuse::Void);
        } else if history.voided.contains_key(&slot) {
            history.violate(I9, || format!("room {room}: {slot:?} was said to be no message, and stands at {seq}"));
        }
        let sent = history.sent.get(&slot).cloned().flatten();
        if sent.is_none() || sent.as_deref() != entry.text() {
            history.violate(I6, || format!("room {room}, seq {seq}: shows what {slot:?} never sent"));
        }
        let known = history.names.get(&entry.by).is_some_and(|name| *name == entry.name.as_str());
        if !known {
            history.violate(I6, || format!("room {room}, seq {seq}: under a name that is not the sender's"));
        }
    }
}

/// I2: what was shown anywhere is what the log says, unless the store lost it when it was set back; and then everyone who saw
/// it was told.
fn as_shown(history: &mut History, room: RoomId, log: &[Entry], states: &[TabState]) {
    let at: HashMap<_, _> = log.iter().map(|entry| ((entry.epoch, entry.seq), entry)).collect();
    let (mut found, mut excused) = (Vec::new(), Vec::new());
    for ((shown_in, epoch, seq), versions) in &history.shown {
        if *shown_in != room {
            continue;
        }
        let stands = at.get(&(*epoch, *seq));
        for version in versions {
            if stands.is_some_and(|entry| **entry == *version.entry) {
                continue;
            }
            if stands.is_some_and(|entry| entry.id == version.entry.id) {
                found.push((I2, format!("room {room}, seq {seq}: shown otherwise than the log has it")));
                continue;
            }
            let Some(excuse) = history.rollbacks.excuse(room, version.entry.cursor(), version.at_ms, u64::MAX) else {
                found.push((I1, format!("room {room}, seq {seq}: shown, but not in the log")));
                continue;
            };
            excused.push(excuse);
            for (tab, when) in &version.by {
                let told = history.told.get(&(*tab, room)).is_some_and(|told| told.iter().any(|at| at >= when));
                let still = states[*tab].rooms.iter().any(|(other, _)| *other == room);
                if states[*tab].alive && still && !told {
                    found.push((I4, format!("room {room}, seq {seq}: lost, and tab {tab} was not told")));
                }
            }
        }
    }
    for excuse in excused {
        history.excuse(excuse);
    }
    for (invariant, what) in found {
        history.violate(invariant, || what);
    }
}

/// I1, second half: every tab shows its rooms to the end.
fn up_to_date(history: &mut History, room: RoomId, log: &[Entry], states: &[TabState]) {
    let top = log.last().map_or(0, |last| last.seq);
    for (tab, state) in states.iter().enumerate().filter(|(_, state)| state.alive) {
        let shown = state.rooms.iter().find(|(other, _)| *other == room);
        if let Some((_, seq)) = shown
            && *seq != top
        {
            history.violate(I1, || format!("room {room} ends at {top}, tab {tab} shows it up to {seq}"));
        }
    }
}

/// I1, first half: each place that was ever acknowledged is in the log, or was lost.
fn acknowledged(history: &mut History, logs: &[&[Entry]]) {
    let places: HashSet<_> = each_entry(logs).map(|(room, entry)| (room, entry.cursor())).collect();
    let acks = history.acks.iter().flat_map(|(slot, acks)| acks.iter().map(move |ack| (*slot, *ack)));
    let gone: Vec<_> = acks.filter(|(slot, ack)| !places.contains(&(slot.room, ack.at))).collect();
    for (slot, ack) in gone {
        match history.rollbacks.excuse(slot.room, ack.at, ack.said_ms, u64::MAX) {
            Some(excuse) => history.excuse(excuse),
            None => history.violate(I1, || format!("{slot:?} was acknowledged ({ack:?}), which is not in the log")),
        }
    }
}

/// I9, and that a loss is not kept from its author.
fn accounted_for(history: &mut History, logs: &[&[Entry]], states: &[TabState]) {
    let mut times: HashMap<&str, usize> = HashMap::new();
    for (_, entry) in each_entry(logs) {
        *times.entry(entry.text().unwrap_or_default()).or_default() += 1;
    }
    let failed: HashSet<&str> = states.iter().flat_map(|state| &state.failed).map(String::as_str).collect();
    let waiting: BTreeSet<&str> = states.iter().flat_map(|state| &state.waiting).map(String::as_str).collect();
    let mut found = Vec::new();
    // When each tab was given an acknowledgement in each room, to know how many came after one.
    let mut acks: HashMap<_, Vec<u64>> = HashMap::new();
    for (slot, given) in &history.acks {
        let text = history.sent.get(slot).and_then(Option::as_ref);
        if let Some(submission) = text.and_then(|text| history.submitted.get(text)) {
            acks.entry((submission.tab, submission.room)).or_default().extend(given.iter().map(|ack| ack.heard_ms));
        }
    }
    for (text, submission) in &history.submitted {
        let (tab, room) = (submission.tab, submission.room);
        let acked = submission.acked.map_or(u64::MAX, |ack| ack.heard_ms);
        let later = acks.get(&(tab, room)).map_or(0, |acks| acks.iter().filter(|heard| **heard >= acked).count());
        let times = times.get(text.as_str()).copied().unwrap_or(0);
        let short: String = text.chars().take(24).collect();
        if times > 1 {
            found.push((I3, format!("room {room}: {short:?} of tab {tab} is in the log {times} times")));
        } else if waiting.contains(text.as_str()) {
            found.push((I9, format!("room {room}: {short:?} of tab {tab} is still waiting (in the log: {times})")));
        } else if times == 0
            && !failed.contains(text.as_str())
            && !submission.discarded
            && !submission.abandoned
            && later < REMEMBERED
            && states[tab].alive
        {
            let told = history.told.get(&(tab, room)).map_or(&[][..], |told| &told[..]);
            let (written, acked) = (submission.at_ms, submission.acked);
            found.push((
                I9,
                format!(
                    "room {room}: {short:?} of tab {tab} is gone without a word (written at {written} ms, acknowledged: \
                     {acked:?}, resets and reloads: {told:?}, now in its rooms: {:?}, failed: {}, waiting: {})",
                    states[tab].people.iter().map(|(room, ..)| room).collect::<Vec<_>>(), states[tab].failed.len(), states[tab].waiting.len()
                ),
            ));
        }
    }
    for (invariant, what) in found {
        history.violate(invariant, || what);
    }
}

/// I6, second half: one tab's messages in one room stand in the order in which they were written.
fn in_order(history: &mut History, logs: &[&[Entry]]) {
    let mut last: HashMap<_, (u64, u64)> = HashMap::new();
    let mut found = Vec::new();
    for (room, entry) in each_entry(logs) {
        let Some(submission) = entry.text().and_then(|text| history.submitted.get(text)) else { continue };
        // One that was tried again is a new message, written when the fate of the first was known; one of a room that was
        // left while it was on its way has no place among those written after coming back.
        if submission.retried || submission.abandoned {
            continue;
        }
        let before = last.insert((submission.tab, room), (submission.order, entry.seq));
        if let Some((order, seq)) = before.filter(|(order, _)| *order > submission.order) {
            let tab = submission.tab;
            found.push(format!(
                "room {room}: tab {tab} wrote {} before {order}, but it stands at {} after {seq}",
                submission.order, entry.seq
            ));
        }
    }
    for what in found {
        history.violate(I6, || what);
    }
}

fn each_entry<'a>(logs: &'a [&'a [Entry]]) -> impl Iterator<Item = (RoomId, &'a Entry)> {
    logs.iter().enumerate().flat_map(|(room, log)| log.iter().map(move |entry| (room, entry)))
}

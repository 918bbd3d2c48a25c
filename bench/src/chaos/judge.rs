//! The verdict: what the clients saw against the invariants and the final history.

use super::{
    record::{
        Invariant::{I1, I2, I3, I4, I6, I7, I8, I9},
        Record, RoomId, Slot,
    },
    tab::State,
};
use app::{
    domain::{Entry, UserId},
    protocol::PEOPLE_MAX,
};
use std::collections::{BTreeSet, HashMap, HashSet};

/// From this long after a sign-out on nothing may be accepted from that session, and nothing delivered to it that was
/// committed later.
const SIGN_OUT_MS: u64 = 5_000;
/// Acknowledged messages of which a tab can still say that they were lost: as many as its outbox remembers.
const REMEMBERED: usize = app::protocol::IN_FLIGHT_MAX;

/// An acknowledgement arrived; was its message written by a session that had ended?
pub fn accepted_after_sign_out(record: &mut Record, slot: Slot) {
    let Some(&out) = record.signed_out.get(&slot.by) else { return };
    let written = record.sent.get(&slot).and_then(|text| record.submitted.get(text.as_ref()?)).map(|it| it.at_ms);
    // A store that is set back may know the session again.
    if written.is_some_and(|written| written > out + SIGN_OUT_MS) && !record.set_back_between(out, record.now()) {
        record.violate(I8, || format!("{slot:?} was accepted although its sender had signed out at {out} ms"));
    }
}

/// An entry arrived at `by`; was it committed after their session had ended?
pub fn committed_after_sign_out(record: &mut Record, by: UserId, entry: &Entry) {
    let Some(&out) = record.signed_out.get(&by) else { return };
    if entry.at > record.wall(out + SIGN_OUT_MS) && !record.set_back_between(out, record.now()) {
        let seq = entry.seq;
        record.violate(I8, || format!("entry {seq} was delivered to {by}, who had signed out at {out} ms"));
    }
}

/// Everything that can only be said at the end. `histories`: each room's, by each way in which it was read.
pub fn at_the_end(record: &mut Record, histories: &[Vec<Vec<Entry>>], states: &[State]) {
    for (room, ways) in histories.iter().enumerate() {
        let (first, others) = ways.split_first().map_or((&[][..], &[][..]), |(first, rest)| (&first[..], rest));
        for other in others.iter().filter(|other| other[..] != *first) {
            let (here, there) = (first.len(), other.len());
            record.violate(I2, || {
                format!("room {room}: two instances tell different histories ({here}, {there} entries)")
            });
        }
        a_run(record, room, first);
        once_each(record, room, first);
        as_shown(record, room, first, states);
        up_to_date(record, room, first, states);
    }
    let histories: Vec<&[Entry]> = histories.iter().map(|ways| ways.first().map_or(&[][..], |way| &way[..])).collect();
    acknowledged(record, &histories);
    accounted_for(record, &histories, states);
    in_order(record, &histories);
}

fn a_run(record: &mut Record, room: RoomId, history: &[Entry]) {
    let starts = history.first().is_none_or(|first| first.seq == 1 && first.prev.0 == 0);
    let broken = history.windows(2).find(|two| !two[0].cursor().precedes(&two[1]) || two[1].at < two[0].at);
    if !starts || broken.is_some() {
        let at = broken.map_or(0, |two| two[1].seq);
        record.violate(I2, || format!("room {room}: the history is no run at {at}"));
    }
}

/// I3 and the first half of I6: at most one entry per number, each sent by its sender.
fn once_each(record: &mut Record, room: RoomId, history: &[Entry]) {
    let mut slots = HashSet::new();
    for entry in history {
        let slot = Slot { by: entry.by, p: entry.p, room, n: entry.n };
        let seq = entry.seq;
        if !slots.insert(slot) {
            record.violate(I3, || format!("room {room}: {slot:?} has a second entry at {seq}"));
        }
        if record.voided.get(&slot).is_some_and(|&told| !record.set_back_between(told, u64::MAX)) {
            record.violate(I9, || format!("room {room}: {slot:?} was said to be no message, and stands at {seq}"));
        }
        let sent = record.sent.get(&slot).cloned().flatten();
        if sent.is_none() || sent.as_deref() != entry.text() {
            record.violate(I6, || format!("room {room}, seq {seq}: shows what {slot:?} never sent"));
        }
        let known = record.names.get(&entry.by).is_some_and(|name| *name == entry.name.as_str());
        if !known {
            record.violate(I6, || format!("room {room}, seq {seq}: under a name that is not the sender's"));
        }
    }
}

/// I2: what was shown anywhere is what the history says, unless it was lost by setting the store back; and then everyone
/// who saw it was told.
fn as_shown(record: &mut Record, room: RoomId, history: &[Entry], states: &[State]) {
    let at: HashMap<_, _> = history.iter().map(|entry| ((entry.epoch, entry.seq), entry)).collect();
    let mut found = Vec::new();
    for ((shown_in, epoch, seq), versions) in &record.shown {
        if *shown_in != room {
            continue;
        }
        let stands = at.get(&(*epoch, *seq));
        for version in versions {
            if stands.is_some_and(|entry| **entry == *version.entry) {
                continue;
            }
            if stands.is_some_and(|entry| entry.id == version.entry.id) {
                found.push((I2, format!("room {room}, seq {seq}: shown otherwise than the history has it")));
                continue;
            }
            if !record.set_back_between(version.at_ms, u64::MAX) {
                found.push((I1, format!("room {room}, seq {seq}: shown, but not in the history")));
                continue;
            }
            for (tab, when) in &version.by {
                let told = record.told.get(&(*tab, room)).is_some_and(|told| told.iter().any(|at| at >= when));
                let still = states[*tab].rooms.iter().any(|(other, _)| *other == room);
                if states[*tab].alive && still && !told {
                    found.push((I4, format!("room {room}, seq {seq}: lost, and tab {tab} was not told")));
                }
            }
        }
    }
    for (invariant, what) in found {
        record.violate(invariant, || what);
    }
}

/// I1, second half: every tab shows its rooms to the end.
fn up_to_date(record: &mut Record, room: RoomId, history: &[Entry], states: &[State]) {
    let top = history.last().map_or(0, |last| last.seq);
    for (tab, state) in states.iter().enumerate().filter(|(_, state)| state.alive) {
        let shown = state.rooms.iter().find(|(other, _)| *other == room);
        if let Some((_, seq)) = shown
            && *seq != top
        {
            record.violate(I1, || format!("room {room} ends at {top}, tab {tab} shows it up to {seq}"));
        }
    }
}

/// I1, first half.
fn acknowledged(record: &mut Record, histories: &[&[Entry]]) {
    let places: HashSet<_> = each_entry(histories).map(|(room, entry)| (room, entry.cursor())).collect();
    let lost: Vec<_> = record
        .acks
        .iter()
        .filter_map(|(slot, acks)| acks.last().map(|last| (*slot, *last)))
        .filter(|(slot, ack)| !places.contains(&(slot.room, ack.at)) && !record.set_back_between(ack.said_ms, u64::MAX))
        .collect();
    for (slot, ack) in lost {
        record.violate(I1, || format!("{slot:?} was acknowledged ({ack:?}), which is not in the history"));
    }
}

/// I9, and that a loss is not kept from its author.
fn accounted_for(record: &mut Record, histories: &[&[Entry]], states: &[State]) {
    let mut times: HashMap<&str, usize> = HashMap::new();
    for (_, entry) in each_entry(histories) {
        *times.entry(entry.text().unwrap_or_default()).or_default() += 1;
    }
    let failed: HashSet<&str> = states.iter().flat_map(|state| &state.failed).map(String::as_str).collect();
    let waiting: BTreeSet<&str> = states.iter().flat_map(|state| &state.waiting).map(String::as_str).collect();
    let mut found = Vec::new();
    // When each tab was given an acknowledgement in each room, to know how many came after one.
    let mut acks: HashMap<_, Vec<u64>> = HashMap::new();
    for (slot, given) in &record.acks {
        let text = record.sent.get(slot).and_then(Option::as_ref);
        if let Some(submission) = text.and_then(|text| record.submitted.get(text)) {
            acks.entry((submission.tab, submission.room)).or_default().extend(given.iter().map(|ack| ack.heard_ms));
        }
    }
    for (text, submission) in &record.submitted {
        let (tab, room) = (submission.tab, submission.room);
        let acked = submission.acked.map_or(u64::MAX, |ack| ack.heard_ms);
        let later = acks.get(&(tab, room)).map_or(0, |acks| acks.iter().filter(|heard| **heard >= acked).count());
        let times = times.get(text.as_str()).copied().unwrap_or(0);
        let short: String = text.chars().take(24).collect();
        if times > 1 {
            found.push((I3, format!("room {room}: {short:?} of tab {tab} is in the history {times} times")));
        } else if waiting.contains(text.as_str()) {
            found.push((I9, format!("room {room}: {short:?} of tab {tab} is still waiting (in the history: {times})")));
        } else if times == 0
            && !failed.contains(text.as_str())
            && !submission.discarded
            && !submission.abandoned
            && later < REMEMBERED
            && states[tab].alive
        {
            let told = record.told.get(&(tab, room)).map_or(&[][..], |told| &told[..]);
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
        record.violate(invariant, || what);
    }
}

/// I6, second half: one tab's messages in one room stand in the order in which they were written.
fn in_order(record: &mut Record, histories: &[&[Entry]]) {
    let mut last: HashMap<_, (u64, u64)> = HashMap::new();
    let mut found = Vec::new();
    for (room, entry) in each_entry(histories) {
        let Some(submission) = entry.text().and_then(|text| record.submitted.get(text)) else { continue };
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
        record.violate(I6, || what);
    }
}

/// I7: whether every tab sees in each of its rooms exactly those who are there; says who does not.
pub fn presence_is_true(states: &[State]) -> Result<(), String> {
    let alive = || states.iter().enumerate().filter(|(_, state)| state.alive);
    let mut truth: HashMap<RoomId, BTreeSet<u64>> = HashMap::new();
    for (_, state) in alive() {
        for (room, ..) in &state.people {
            truth.entry(*room).or_default().extend(state.me.iter().map(|me| me.id.0));
        }
    }
    for (tab, state) in alive() {
        for (room, count, people) in &state.people {
            let expected = truth.get(room).cloned().unwrap_or_default();
            let seen: BTreeSet<u64> = people.iter().map(|person| person.id.0).collect();
            // Of a crowd only some are listed.
            let listed = expected.len().min(PEOPLE_MAX);
            if *count != expected.len() || seen.len() != listed || !seen.is_subset(&expected) {
                return Err(format!("tab {tab} sees {count} people in room {room} where {} are", expected.len()));
            }
        }
    }
    Ok(())
}

pub fn presence_was_late(record: &mut Record, what: &str, after_ms: u64) {
    record.violate(I7, || format!("{after_ms} ms after the end of faults and traffic {what}"));
}

fn each_entry<'a>(histories: &'a [&'a [Entry]]) -> impl Iterator<Item = (RoomId, &'a Entry)> {
    histories.iter().enumerate().flat_map(|(room, history)| history.iter().map(move |entry| (room, entry)))
}

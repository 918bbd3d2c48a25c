//! I7, after everything has healed: who is shown as present is who is there.

use super::{
    history::{History, RoomId},
    invariant::Invariant::I7,
};
use crate::chaos::workload::TabState;
use app::protocol::PEOPLE_MAX;
use std::collections::{BTreeSet, HashMap};

/// Whether every tab sees in each of its rooms exactly those who are there; says who does not.
pub fn is_true(states: &[TabState]) -> Result<(), String> {
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

pub fn was_late(history: &mut History, what: &str, after_ms: u64) {
    history.violate(I7, || format!("{after_ms} ms after the end of faults and traffic {what}"));
}

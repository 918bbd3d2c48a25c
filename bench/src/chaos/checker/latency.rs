//! How old entries are when they arrive.

use super::history::{History, TabId, wall_ms};
use app::domain::Entry;
use std::collections::HashMap;

/// A hand-over from one socket to the next is over by then.
const MOVING_MS: u64 = 1_000;

impl History {
    /// A tab was sent an entry as it was committed.
    pub fn arrived(&mut self, tab: TabId, entry: &Entry) {
        let age = wall_ms().saturating_sub(entry.at);
        self.arrivals.push((tab, self.now(), u32::try_from(age).unwrap_or(u32::MAX)));
    }

    /// The ages on arrival of what arrived while its tab was moving to another socket, and of everything else.
    pub fn ages(&self) -> (Vec<u64>, Vec<u64>) {
        let mut moves: HashMap<TabId, Vec<u64>> = HashMap::new();
        for (tab, at) in &self.moves {
            moves.entry(*tab).or_default().push(*at);
        }
        let near = |tab: TabId, at: u64| {
            moves.get(&tab).is_some_and(|moves| moves.iter().any(|&told| (told..told + MOVING_MS).contains(&at)))
        };
        let (near, far): (Vec<_>, Vec<_>) = self.arrivals.iter().partition(|(tab, at, _)| near(*tab, *at));
        let age = |all: Vec<(TabId, u64, u32)>| all.into_iter().map(|(.., age)| u64::from(age)).collect();
        (age(near), age(far))
    }
}

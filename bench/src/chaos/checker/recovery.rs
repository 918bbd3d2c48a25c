//! How long clients take to recover from a fault, measured at each tab.

use super::history::RoomId;
use crate::chaos::workload::Shared;
use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How often tabs are looked at: the resolution of what is measured here.
const LOOK: Duration = Duration::from_millis(2);
/// A tab that takes longer than this counts as having taken this long.
const LONGEST: Duration = Duration::from_secs(15);

/// Milliseconds that each affected tab took, by kind of fault.
pub type Recoveries = BTreeMap<&'static str, Vec<u64>>;

/// Who counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    Everybody,
    /// Tabs that lose a socket from now on.
    WhoLoseASocket,
}

/// Waits until every tab concerned has a socket that follows all its rooms, and shows them at least up to `tops`;
/// returns what each took since `start`. Tabs that end or load
/// their page meanwhile do not count.
pub async fn until_recovered(shared: &Rc<Shared>, start: Instant, tops: &HashMap<RoomId, u64>, whom: Whom) -> Vec<u64> {
    let before: Vec<_> = shared.states.borrow().clone();
    // Whoever is affected notices within this time.
    let notice = Duration::from_secs(2);
    let mut took: HashMap<usize, u64> = HashMap::new();
    loop {
        let passed = start.elapsed();
        let ms = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        let mut missing = false;
        for (tab, state) in shared.states.borrow().iter().enumerate() {
            let Some(before) = before.get(tab).filter(|before| before.alive && !before.loading) else { continue };
            let unconcerned = whom == Whom::WhoLoseASocket && state.losses == before.losses;
            if !state.alive || state.loads != before.loads || unconcerned {
                continue;
            }
            let reached = |(room, seq): &(RoomId, u64)| tops.get(room).is_none_or(|top| seq >= top);
            if (state.online && state.rooms.iter().all(reached)) || passed >= LONGEST {
                took.entry(tab).or_insert(ms);
            }
            missing |= !took.contains_key(&tab);
        }
        if passed >= LONGEST || (!missing && (whom == Whom::Everybody || passed >= notice)) {
            return took.into_values().collect();
        }
        sleep(LOOK).await;
    }
}

/// The value below which `share` (0 to 1) of them lie.
pub fn percentile(values: &mut [u64], share: f64) -> u64 {
    values.sort_unstable();
    // A few hundred values: exact in a float.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let rank = ((values.len() as f64 * share).ceil() as usize).clamp(1, values.len().max(1));
    values.get(rank - 1).copied().unwrap_or(0)
}

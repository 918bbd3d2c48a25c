//! What is done to the cluster, and when: one fault after the other in seeded order, others while an instance is frozen.

mod fault;
mod inject;

pub use fault::Fault;

use super::{
    checker::{Recoveries, RoomId},
    cluster::{Cluster, Redis},
    workload::{Shared, TabState},
};
use crate::Result;
use app::domain::RoomKey;
use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
    time::Duration,
};
use tokio::time::{Instant, sleep, sleep_until};

/// Between the end of one fault and the next.
const PAUSE_MS: std::ops::Range<u64> = 100..1_000;

/// Breaks the cluster by seeded choice, and remembers what it did. It owns the cluster for the run.
pub struct Nemesis {
    faults: Vec<Fault>,
    /// Those of the present round that are left.
    round: Vec<Fault>,
    random: fastrand::Rng,
    cluster: Rc<Cluster>,
    /// Until when an instance is frozen.
    frozen: Instant,
    shared: Rc<Shared>,
    done: BTreeMap<&'static str, u64>,
    recoveries: Recoveries,
    last: Instant,
}

impl Nemesis {
    pub fn new(faults: Vec<Fault>, random: fastrand::Rng, cluster: Cluster, shared: Rc<Shared>) -> Self {
        let last = Instant::now();
        let (round, done, recoveries) = Default::default();
        Self { faults, round, random, cluster: Rc::new(cluster), frozen: last, shared, done, recoveries, last }
    }

    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// How often each fault was done.
    pub fn done(&self) -> &BTreeMap<&'static str, u64> {
        &self.done
    }

    pub fn recoveries(&self) -> &Recoveries {
        &self.recoveries
    }

    pub async fn run(&mut self, end: Instant) -> Result<()> {
        // The first people come in.
        sleep(Duration::from_secs(3)).await;
        while Instant::now() < end {
            if self.faults.is_empty() {
                sleep_until(end).await;
                break;
            }
            let Some(fault) = self.next() else {
                sleep_until(self.frozen).await;
                continue;
            };
            if fault.is_measured() {
                self.heal().await;
                self.calm().await;
            }
            let started = Instant::now();
            self.inject(fault).await.map_err(|error| format!("{}: {error}", fault.name()))?;
            *self.done.entry(fault.name()).or_default() += 1;
            self.last = Instant::now();
            let now = self.shared.history.borrow().now();
            eprintln!("  {now:>7} ms  {} ({} ms)", fault.name(), started.elapsed().as_millis());
            sleep(Duration::from_millis(self.random.u64(PAUSE_MS))).await;
        }
        Ok(())
    }

    /// Everything works again; returns when the last fault was over.
    pub async fn heal(&mut self) -> Instant {
        sleep_until(self.frozen).await;
        self.cluster.balancer.heal_all();
        self.last.max(self.frozen)
    }

    /// The next one of a round, in which each fault has its turn.
    fn next(&mut self) -> Option<Fault> {
        if self.round.is_empty() {
            self.round.clone_from(&self.faults);
            self.random.shuffle(&mut self.round);
        }
        let frozen = Instant::now() < self.frozen;
        let at = self.round.iter().rposition(|fault| !(frozen && fault.wants_all_instances()))?;
        Some(self.round.remove(at))
    }

    /// Waits until every tab is well, or for some seconds.
    async fn calm(&self) {
        let end = Instant::now() + Duration::from_secs(15);
        while Instant::now() < end {
            if self.shared.states.borrow().iter().all(|state| !state.alive || state.online) {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    fn instance(&mut self) -> usize {
        self.random.usize(0..self.cluster.instances.len())
    }

    fn redis(&self) -> Result<&Redis> {
        self.cluster.redis.as_ref().ok_or_else(|| "there is no Redis".into())
    }

    fn rooms(&self) -> Vec<RoomKey> {
        self.shared.history.borrow().rooms.iter().map(|room| room.key.clone()).collect()
    }

    /// Where each room's log ends, by the store itself; by what anybody was shown where there is none to ask.
    async fn tops(&self) -> HashMap<RoomId, u64> {
        let mut tops = HashMap::new();
        for (room, key) in self.rooms().iter().enumerate() {
            if let Some(redis) = self.cluster.redis.as_ref() {
                if let Ok(Some(top)) = redis.top(key).await {
                    tops.insert(room, top);
                }
            } else {
                let shown = |state: &TabState| state.rooms.iter().find(|(id, _)| *id == room).map(|(_, seq)| *seq);
                let top = self.shared.states.borrow().iter().filter_map(shown).max();
                tops.extend(top.map(|top| (room, top)));
            }
        }
        tops
    }
}

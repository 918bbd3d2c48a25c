//! What goes wrong, and when. Nothing does until it is asked for.

use super::{Shared, Snapshot, chance::Chance, line::Line, ways::Kind};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How often things go wrong for one instance. Chances are of a thousand.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plan {
    pub appends: Requests,
    /// All requests but appends. The two take different ways to the store, and may overtake each other.
    pub others: Requests,
    pub events: Events,
}

/// What happens to requests and their answers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Requests {
    /// A request is on its way for this long at most, and overtakes none that takes the same way.
    pub there: Duration,
    /// An answer is, and may overtake others.
    pub back: Duration,
    /// Refused before anything was done.
    pub refused: u32,
    /// Done, and the answer is lost.
    pub unanswered: u32,
}

/// What happens to what the instance is told, where it [may miss](super::Options::may_miss) something.
#[derive(Debug, Clone, Copy, Default)]
pub struct Events {
    /// It comes late by this much at most, and overtakes nothing.
    pub delay: Duration,
    pub lost: u32,
    /// It comes twice, one right after the other.
    pub doubled: u32,
}

/// Lets things go wrong.
#[derive(Clone)]
pub struct Faults(Arc<Shared>);

impl Faults {
    pub(super) fn new(store: Arc<Shared>) -> Self {
        Self(store)
    }

    /// From now on, for the instance of that [number](super::Memory::number).
    pub fn plan(&self, instance: usize, plan: Plan) {
        self.0.chances.lock().unwrap().plans.insert(instance, plan);
    }

    /// Nothing reaches the instance and nothing leaves it until it is [thawed](Self::thaw); then all of it does. After a while
    /// the others count it as dead.
    pub fn freeze(&self, instance: usize) {
        self.each(Some(instance), |line| line.set_frozen(true));
    }

    pub fn thaw(&self, instance: usize) {
        self.each(Some(instance), |line| line.set_frozen(false));
    }

    /// Cuts the instance off from the store: what is under way is lost in either direction, and what is asked for is refused.
    pub fn cut(&self, instance: usize) {
        self.each(Some(instance), Line::cut);
    }

    /// Connects it again. It knows that it may have missed something.
    pub fn heal(&self, instance: usize) {
        self.each(Some(instance), Line::heal);
    }

    /// Sets the store back, as a failover to a replica does that had fallen behind: every connection breaks, and is made again.
    pub fn rollback(&self, to: &Snapshot) {
        self.0.store.lock().unwrap().state = to.0.clone();
        self.each(None, |line| {
            if line.cut() {
                line.heal();
            }
        });
    }

    fn each<T>(&self, instance: Option<usize>, change: impl Fn(&Line) -> T) {
        let lines = instance.map_or_else(|| self.0.lines(), |number| self.0.line(number).into_iter().collect());
        for line in lines {
            change(&line);
        }
    }
}

/// What is going to happen to one request.
pub struct Trip {
    pub there: Duration,
    pub back: Duration,
    pub refused: bool,
    pub unanswered: bool,
}

/// Decides what goes wrong.
pub struct Chances {
    pub chance: Chance,
    plans: BTreeMap<usize, Plan>,
}

impl Chances {
    pub fn new(seed: u64) -> Self {
        // Other numbers than the ids are.
        Self { chance: Chance::new(!seed), plans: BTreeMap::new() }
    }

    pub fn trip(&mut self, instance: usize, kind: Kind) -> Trip {
        let plan = self.plans.get(&instance).copied().unwrap_or_default();
        let Requests { there, back, refused, unanswered } = match kind {
            Kind::Append => plan.appends,
            Kind::Other => plan.others,
        };
        let chance = &mut self.chance;
        Trip {
            there: chance.within(there),
            back: chance.within(back),
            refused: chance.happens(refused),
            unanswered: chance.happens(unanswered),
        }
    }

    pub fn events(&self, instance: usize) -> Events {
        self.plans.get(&instance).copied().unwrap_or_default().events
    }
}

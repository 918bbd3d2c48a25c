//! The last line of a run: one JSON object.

use super::{
    Options,
    checker::{Excuse, History, Invariant, percentile},
    nemesis::Nemesis,
};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Line<'a> {
    seed: u64,
    engine: super::EngineKind,
    secs: u64,
    /// Messages acknowledged, each once.
    acked: usize,
    /// Entries shown, each once per tab.
    delivered: u64,
    /// Messages whose outcome was unknown for a while.
    unknown: u64,
    faults: &'a BTreeMap<&'static str, u64>,
    violations: &'a BTreeMap<Invariant, u64>,
    /// What a store that was set back excuses, each observation once: by the ids that it lost, or else why not by them.
    excused: &'a BTreeMap<Excuse, u64>,
    /// Milliseconds until the tabs concerned were whole again.
    recovery_ms: BTreeMap<&'static str, Percentiles>,
    /// Milliseconds from commit to arrival: at tabs that are moving to another socket, and at the others.
    delivery_while_moving_ms: Percentiles,
    delivery_ms: Percentiles,
    moves: usize,
    rollbacks: usize,
}

#[derive(Serialize)]
struct Percentiles {
    count: usize,
    p50: u64,
    p99: u64,
    max: u64,
}

impl Percentiles {
    fn of(mut values: Vec<u64>) -> Self {
        let (p50, p99) = (percentile(&mut values, 0.5), percentile(&mut values, 0.99));
        Self { count: values.len(), p50, p99, max: values.last().copied().unwrap_or(0) }
    }
}

pub fn line(history: &mut History, nemesis: &Nemesis, options: &Options, seed: u64) -> String {
    let recovery = nemesis.recoveries().iter().map(|(kind, took)| (*kind, Percentiles::of(took.clone())));
    let (moving, staying) = history.ages();
    let line = Line {
        seed,
        engine: options.engine,
        secs: options.secs,
        acked: history.acks.len(),
        delivered: history.delivered,
        unknown: history.unknown,
        faults: nemesis.done(),
        violations: &history.counts,
        excused: &history.excused,
        recovery_ms: recovery.collect(),
        delivery_while_moving_ms: Percentiles::of(moving),
        delivery_ms: Percentiles::of(staying),
        moves: history.moves.len(),
        rollbacks: history.rollbacks.len(),
    };
    // Numbers under strings.
    serde_json::to_string(&line).unwrap_or_default()
}

//! The whole of it in one process, of one seed: people with the real client, two instances with the real server, and a store
//! in memory, while all that is between them breaks. Of one seed everything happens again.
//!
//! `make simulate SEED=… STEPS=…` runs one seed, `make simulate SEEDS=…` many of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/memory/mod.rs"]
mod memory_store;
mod support;

/// | module | what it is for |
/// |---|---|
/// | `run` | one run: people and the nemesis, then peace, then the verdict |
/// | `world`, `server`, `link` | the cluster: instances, and what leads to them |
/// | `tab`, `wire`, `http` | a person's tab, its sockets, its requests |
/// | `acts` | the workload |
/// | `nemesis` | what goes wrong |
/// | `record`, `eye`, `checker` | the history, and what is wrong with it |
/// | `trace` | what happened, a line each |
mod simulation {
    mod acts;
    mod checker;
    mod eye;
    mod http;
    mod link;
    mod nemesis;
    pub mod record;
    pub mod run;
    mod server;
    mod tab;
    pub mod trace;
    mod wire;
    mod world;
}

use simulation::{
    run::{Outcome, run},
    trace::hash,
};
use std::{env, process::Command, time::Instant};

/// For how many seconds of its clock everything is broken, unless that is said.
const STEPS: u64 = 60;
/// Seeds of a plain run of the tests.
const SEEDS: u64 = 24;

fn setting(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

fn steps() -> u64 {
    setting("STEPS").unwrap_or(STEPS)
}

fn check(seed: u64) -> Outcome {
    let outcome = run(seed, steps());
    if !outcome.violations.is_empty() {
        if env::var_os("QUIET").is_none() {
            println!("{}", outcome.trace);
        }
        for (invariant, what) in &outcome.violations {
            println!("{invariant:?}: {what}");
        }
        let first = outcome.violations[0].0;
        panic!(
            "seed {seed}: {} violations, the first of {first:?}. Again: make simulate SEED={seed}",
            outcome.violations.len()
        );
    }
    outcome
}

/// Those from SEED on, SEEDS of them.
#[test]
fn one_seed() {
    let (first, began) = (setting("SEED"), Instant::now());
    let many = setting("SEEDS").unwrap_or(if first.is_some() { 1 } else { SEEDS });
    let first = first.unwrap_or(1);
    let mut entries = 0;
    for seed in first..first + many {
        let outcome = check(seed);
        entries += outcome.entries;
        let (hash, took) = (hash(&outcome.trace), began.elapsed().as_secs_f32());
        println!(
            "seed {seed}: {} entries, well after {:?}, trace {hash}, {took:.1} s",
            outcome.entries, outcome.recovered
        );
    }
    assert!(entries > 0, "nobody said anything");
}

#[test]
fn of_one_seed_everything_happens_again() {
    let (once, again) = (run(7, 30), run(7, 30));
    if let Some((a, b)) = once.trace.lines().zip(again.trace.lines()).find(|(a, b)| a != b) {
        panic!("not the same:\n{a}\n{b}");
    }
    assert_eq!(once, again);
    assert_ne!(run(8, 30).trace, once.trace);
}

/// Another process has other addresses, other hash keys and other threads.
#[test]
fn of_one_seed_everything_happens_again_in_another_process() {
    const NAME: &str = "of_one_seed_everything_happens_again_in_another_process";
    let hash = hash(&run(9, 30).trace);
    if env::var_os("PRINT_HASH").is_some() {
        println!("trace {hash}");
        return;
    }
    let this = env::current_exe().unwrap();
    let output = Command::new(this).args(["--exact", NAME, "--nocapture"]).env("PRINT_HASH", "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(&format!("trace {hash}")), "{hash}, and there: {text}");
}

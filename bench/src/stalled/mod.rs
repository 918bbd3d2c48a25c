//! What readers that stopped reading cost, in a busy room.
//!
//! Runs come in pairs, each on a server of its own: the same readers and the same messages, and beside them as many
//! others who do not read. In the *idle* run these have joined a room where nothing happens; in the *stalled* run they
//! have joined the busy one. Nothing else differs, so whatever the stalled run costs more is what stalling costs.
//!
//! | what | how |
//! |---|---|
//! | CPU per delivery | CPU time of the server's threads while the readers are timed, by messages × readers. The stalled have stalled before: long messages fill their buffers first |
//! | p50 | from before the writer's write to a reader's having the frame, over all readers |
//! | memory, process | the server's pages in RAM after that (`Rss` of `smaps_rollup`), stalled run less idle run, by the number of stalled |
//! | memory, kernel | receive and send queues, reserve, options and backlog of the server's ends of the others' connections (`skmem` of `ss`), stalled run less idle run, by the number of stalled. The clients' ends are another machine's in life and do not count |
//! | waking | some read again while the room goes on; others after the server closed them (4003), and resume by cursor. Each must end with the whole log since it joined, checked entry by entry by the client's own timeline |
//!
//! The limits are printed as `within` and do not change the exit status, since time depends on the machine; a reader that
//! did not catch up does.

mod readers;
mod run;
mod waking;

use crate::Result;
use run::{Others, Run};
use serde_json::json;
use std::{path::Path, time::Duration};

/// Memory of a stalled reader above an idle one.
const KIB_MAX: f64 = 64.0;
/// Cost for the others with stalled readers in the room, by that without.
const RATIO_MAX: f64 = 1.1;

#[derive(clap::Args)]
pub struct Options {
    /// Pairs of runs
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Readers in the busy room who read
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    readers: u32,
    /// Others, who do not
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    stalled: u32,
    /// Stalled readers that wake while they are connected, and as many after they were closed
    #[arg(long, default_value_t = 50)]
    waking: u32,
    /// Messages a second in the busy room
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
    /// How long the readers are timed
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=30))]
    secs: u32,
    /// Messages of 4,000 bytes sent before that, until whoever does not read has stalled
    #[arg(long, default_value_t = 300, value_name = "MESSAGES")]
    fill: u32,
    /// Receive buffer asked for by the others, in bytes: the smaller, the sooner the server feels that they do not read
    #[arg(long, default_value_t = 16 * 1024, value_name = "BYTES")]
    receive_buffer: u32,
}

pub async fn measure(program: &Path, options: &Options) -> Result<()> {
    let (mut idle, mut stalled) = (Vec::new(), Vec::new());
    for pair in 0..options.runs {
        // The one that comes first differs from pair to pair, so that a machine that slows down favours neither.
        let mut order = [Others::Idle, Others::Stalled];
        order.rotate_left(usize::from(pair % 2 == 1));
        for others in order {
            let run = run::run(program, options, others).await?;
            print(pair + 1, others, options, &run);
            if others == Others::Idle { idle.push(run) } else { stalled.push(run) }
        }
    }
    let summary = summary(options, &idle, &stalled);
    println!("{summary}");
    if summary["woken"] == summary["caught_up"] { Ok(()) } else { Err("a reader that woke did not catch up".into()) }
}

fn print(pair: u32, others: Others, options: &Options, run: &Run) {
    let Run { cpu, p50, p99, process_kib, kernel_kib, open, quiet, age, woken } = run;
    let (process, kernel, all) = (process_kib / 1024.0, kernel_kib / 1024.0, options.stalled);
    let kind = if others == Others::Idle { "idle" } else { "stalled" };
    println!(
        "pair {pair}, {kind}: {cpu:.2} µs of CPU per delivery, p50 {p50:.2?}, p99 {p99:.2?}; process {process:.1} MiB, \
         kernel {kernel:.1} MiB; after {age:.1?} {open} of {all} connected, {quiet} written nothing to"
    );
    if others == Others::Idle {
        return;
    }
    let well: Vec<_> = woken.iter().flatten().collect();
    let jumped = well.iter().filter(|woken| woken.jumped).count();
    let reconnected = well.iter().filter(|woken| woken.reconnected).count();
    let slowest = well.iter().map(|woken| woken.took).max().unwrap_or_default();
    println!(
        "    {} woke, {} caught up: {reconnected} on another socket, {jumped} by a jump and history; the slowest in \
         {slowest:.1?}",
        woken.len(),
        well.len(),
    );
    for error in woken.iter().filter_map(|woken| woken.as_ref().err()) {
        println!("    {error}");
    }
}

/// The last line. Ratios and differences are medians of the pairs': the two runs of a pair met the same machine.
fn summary(options: &Options, idle: &[Run], stalled: &[Run]) -> serde_json::Value {
    // Otherwise some were never slow, or were closed before they were measured, and nothing is shown.
    let all_stalled = stalled.iter().all(|run| run.quiet == options.stalled as usize);
    let each = |runs: &[Run], of: fn(&Run) -> f64| runs.iter().map(of).collect::<Vec<_>>();
    let pairs = |of: fn(&Run) -> f64, by: fn(f64, f64) -> f64| {
        median(each(stalled, of).into_iter().zip(each(idle, of)).map(|(stalled, idle)| by(stalled, idle)).collect())
    };
    let compared = |of: fn(&Run) -> f64| {
        let ratio = pairs(of, |stalled, idle| stalled / idle);
        let [idle, stalled] = [idle, stalled].map(|runs| rounded(median(each(runs, of))));
        let within = all_stalled && ratio <= RATIO_MAX;
        json!({ "idle": idle, "stalled": stalled, "ratio": rounded(ratio), "limit": RATIO_MAX, "within": within })
    };
    let above = |of: fn(&Run) -> f64| pairs(of, |stalled, idle| stalled - idle) / f64::from(options.stalled);
    let both = above(|run| run.process_kib + run.kernel_kib);
    let woken = || stalled.iter().flat_map(|run| &run.woken);
    json!({
        "stalled": options.stalled,
        "readers": options.readers,
        "rate": options.rate,
        "runs": options.runs,
        "all_stalled": all_stalled,
        "still_open": stalled.iter().map(|run| run.open).min(),
        "cpu_us_per_delivery": compared(|run| run.cpu),
        "p50_ms": compared(|run| millis(run.p50)),
        "kib_above_idle": {
            "process": rounded(above(|run| run.process_kib)), "kernel": rounded(above(|run| run.kernel_kib)),
            "both": rounded(both), "limit": KIB_MAX, "within": all_stalled && both <= KIB_MAX,
        },
        "woken": woken().count(),
        "caught_up": woken().flatten().count(),
        "jumped": woken().flatten().filter(|woken| woken.jumped).count(),
        "reconnected": woken().flatten().filter(|woken| woken.reconnected).count(),
    })
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn rounded(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

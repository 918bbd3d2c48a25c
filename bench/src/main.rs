//! Measurements of the real server, as a process of its own, from outside.
//!
//! `cargo run --release -p bench -- joins` prints what joining a room costs the server by the operating system's
//! account of its CPU time, for a short room and a long one, in turn. `-- pages` prints the same of a room's page, for
//! texts made to be a burden. `-- stalled` prints what readers that stopped reading cost: memory, and the time of everybody
//! else in their room. `-- attacks` prints the same of what an attacker does. `-- costs` compares two builds. `-- scrape` prints
//! what it costs to be asked for metrics. `-- chaos` measures nothing but whether the promises hold while everything fails.

mod attacks;
mod chaos;
mod client;
mod costs;
mod joins;
mod pages;
mod scrape;
mod server;
mod sockets;
mod stalled;

use clap::{Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};
use tokio::runtime::Runtime;

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Parser)]
struct Args {
    /// The server to measure, in its folder with `site` beside it
    #[arg(long, default_value = "dist/hubbub")]
    server: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Others' messages while one cookie or one address does what it should not, against a quiet moment
    Attacks(attacks::Options),
    /// Cold joins of a room of 100 entries and of one of 100,000
    Joins {
        #[arg(long, default_value_t = 200)]
        runs: usize,
        #[arg(long, default_value_t = 100)]
        short: u64,
        #[arg(long, default_value_t = 100_000)]
        long: u64,
    },
    /// People talk while instances, Redis and the network fail; then everything they saw is checked
    Chaos(chaos::Options),
    /// An append and a delivery, against those of another build
    Costs(costs::Options),
    /// Pages of a room, by what is written there
    Pages {
        #[arg(long, default_value_t = 50)]
        runs: u32,
    },
    /// A scrape of the metrics, with so many idle sockets open
    Scrape(scrape::Options),
    /// Readers that stopped reading in a busy room, against as many idle ones in a quiet room
    Stalled(stalled::Options),
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    match args.what {
        What::Chaos(options) => {
            let good = chaos::run(args.server, options)?;
            return Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        What::Joins { runs, short, long } => {
            Runtime::new()?.block_on(joins::measure(&args.server, runs, short, long))?;
        }
        What::Attacks(options) => attacks::measure(&args.server, &options)?,
        What::Costs(options) => Runtime::new()?.block_on(costs::measure(&args.server, &options))?,
        What::Pages { runs } => Runtime::new()?.block_on(pages::measure(&args.server, runs))?,
        What::Scrape(options) => Runtime::new()?.block_on(scrape::measure(&args.server, &options))?,
        What::Stalled(options) => Runtime::new()?.block_on(stalled::measure(&args.server, &options))?,
    }
    Ok(ExitCode::SUCCESS)
}

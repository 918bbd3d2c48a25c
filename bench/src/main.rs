//! Measurements of the real server, as a process of its own, from outside.
//!
//! `cargo run --release -p bench -- joins` prints what joining a room costs the server by the operating system's
//! account of its CPU time, for a short room and a long one, in turn.

mod client;
mod joins;
mod server;

use clap::{Parser, Subcommand};
use std::path::PathBuf;

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
    /// Cold joins of a room of 100 entries and of one of 100,000
    Joins {
        #[arg(long, default_value_t = 200)]
        runs: usize,
        #[arg(long, default_value_t = 100)]
        short: u64,
        #[arg(long, default_value_t = 100_000)]
        long: u64,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    match args.what {
        What::Joins { runs, short, long } => joins::measure(&args.server, runs, short, long).await,
    }
}

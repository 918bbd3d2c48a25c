//! `bench chaos`: people talk through several instances while everything under them fails, and a checker that sees only
//! what clients see compares it with the invariants.
//!
//! | module | what it is for |
//! |---|---|
//! | [`cluster`] | the processes and what can be done to them: instances, Redis, the network between |
//! | [`workload`] | people in their tabs, and who else speaks to the servers |
//! | [`nemesis`] | what is done to the cluster, and when |
//! | [`checker`] | the history of what clients did and saw, and whether it keeps the promises |
//! | [`rest`] | everything comes to rest once nothing fails any more |
//! | [`report`] | the last line |

mod checker;
mod cluster;
mod nemesis;
mod report;
mod rest;
mod workload;

use crate::Result;
use checker::{History, Invariant, verdict};
use clap::ValueEnum;
use cluster::{Cluster, Engine, Setup};
use nemesis::{Fault, Nemesis};
use std::{
    cell::{Cell, RefCell},
    path::PathBuf,
    rc::Rc,
    time::Duration,
};
use tokio::{
    sync::mpsc::unbounded_channel,
    task::{LocalSet, spawn_local},
    time::Instant,
};
use workload::{Person, Shared, http, reading};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineKind {
    /// Three instances on one Redis with a replica and a Sentinel.
    Redis,
    /// One instance with its own file.
    Embedded,
}

#[derive(Debug, clap::Args)]
pub struct Options {
    /// What everything random in the run is derived from; any number without it
    #[arg(long, env = "SEED")]
    seed: Option<u64>,
    /// Kinds of fault, separated by commas; `all` that apply, or `none`
    #[arg(long, env = "FAULTS", default_value = "all")]
    faults: String,
    /// Seconds of traffic and faults, before everything is healed and compared
    #[arg(long, env = "SECS", default_value_t = 180)]
    secs: u64,
    /// The store
    #[arg(long, env = "ENGINE", default_value = "redis", value_enum)]
    engine: EngineKind,
    /// People, each in two tabs
    #[arg(long, env = "PEOPLE", default_value_t = 10)]
    people: usize,
    /// Mean milliseconds between two acts of one tab
    #[arg(long, env = "PAUSE_MS", default_value_t = 40)]
    pause_ms: u64,
    /// When sockets are told to move
    #[arg(long, env = "SOCKET_LIFETIME", default_value = "20s")]
    socket_lifetime: String,
    /// A file to write every frame of every tab to
    #[arg(long)]
    trace: Option<PathBuf>,
    /// Keep logs and data in any case
    #[arg(long)]
    keep: bool,
}

const ROOMS: usize = 5;

/// Runs once; says whether nothing was violated.
pub fn run(program: PathBuf, options: Options) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // The clients' models are not Send: they live on this thread, the proxies on the others.
    LocalSet::new().block_on(&runtime, async_run(program, options))
}

async fn async_run(program: PathBuf, options: Options) -> Result<bool> {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let faults = Fault::parse(&options.faults, options.engine)?;
    eprintln!("seed {seed}, {:?}, {} s, faults: {}", options.engine, options.secs, Fault::list(&faults));
    let mut random = fastrand::Rng::with_seed(seed);
    let cluster = Cluster::start(&setup(program, &options, random.u64(..))).await?;
    let http = http::client()?;
    let cookie = http::sign_in(&http, cluster.balancer.address(), "setup", "room 0").await?;
    let rooms = rooms(&http, &cluster, &cookie).await?;
    let trace = options.trace.as_ref().map(std::fs::File::create).transpose()?;
    let (probes, probed) = unbounded_channel();
    let shared = Rc::new(Shared {
        history: RefCell::new(History::new(rooms, trace)),
        http,
        front: cluster.balancer.address(),
        busy: Cell::new(true),
        pause: Duration::from_millis(options.pause_ms),
        longest_text: 200,
        states: RefCell::default(),
        probes,
    });
    spawn_local(reading::read_back(shared.clone(), probed));
    for who in 0..options.people {
        let person = Person {
            name: format!("p{who}"),
            tabs: 2,
            // A few stay for the whole run.
            stays: (who % 3 != 0).then_some(Duration::from_secs(40)),
            seed: random.u64(..),
        };
        spawn_local(workload::live(person, shared.clone()));
    }
    let end = Instant::now() + Duration::from_secs(options.secs);
    let mut nemesis = Nemesis::new(faults, random.fork(), cluster, shared.clone());
    let broke_off =
        |cluster: &Cluster, why: String| format!("{why}; logs and data are in {}", cluster.keep_files().display());
    if let Err(error) = nemesis.run(end).await {
        return Err(broke_off(nemesis.cluster(), error.to_string()).into());
    }
    eprintln!("healing");
    shared.busy.set(false);
    nemesis.heal().await;
    // Until now an instance may have died or a client vanished.
    let healed = Instant::now();
    for instance in &nemesis.cluster().instances {
        if let Some(status) = instance.ended().await {
            let why = format!("instance {} ended by itself: {status}", instance.index);
            return Err(broke_off(nemesis.cluster(), why).into());
        }
    }
    let drained = rest::drained(&shared).await;
    rest::presence(&shared, healed).await;
    let logs = rest::logs(&shared, &cookie, nemesis.cluster().instances.len()).await;
    let states = shared.states.borrow().clone();
    let mut history = shared.history.borrow_mut();
    if let Err(what) = drained {
        history.violate(Invariant::I9, || format!("not at rest after {:?}: {what}", rest::DRAIN));
    }
    match logs {
        Ok(logs) => verdict::at_the_end(&mut history, &logs, &states),
        Err(error) => history.violate(Invariant::I5, || format!("a log cannot be read: {error}")),
    }
    let good = history.counts.is_empty();
    if !good || options.keep {
        eprintln!("logs and data are in {}", nemesis.cluster().keep_files().display());
    }
    println!("{}", report::line(&mut history, &nemesis, &options, seed));
    Ok(good)
}

fn setup(program: PathBuf, options: &Options, seed: u64) -> Setup {
    let engine = match options.engine {
        EngineKind::Redis => Engine::Redis { instances: 3 },
        EngineKind::Embedded => Engine::Embedded,
    };
    let args = vec!["--socket-lifetime".to_owned(), options.socket_lifetime.clone()];
    Setup { program, engine, args, seed }
}

/// Makes the rooms; whoever makes them has no tab.
async fn rooms(http: &reqwest::Client, cluster: &Cluster, cookie: &str) -> Result<Vec<app::domain::RoomRef>> {
    let mut rooms = Vec::new();
    for room in 0..ROOMS {
        let name = format!("room {room}");
        let made = http
            .post(format!("http://{}/rooms", cluster.balancer.address()))
            .header(reqwest::header::COOKIE, cookie)
            .form(&[("room", name.as_str())])
            .send()
            .await?;
        if made.status() != 303 {
            return Err(format!("{name} cannot be made: {}", made.status()).into());
        }
        let name = app::domain::RoomName::parse(&name).map_err(|problem| format!("{problem:?}"))?;
        rooms.push(app::domain::RoomRef { key: name.key(), name });
    }
    Ok(rooms)
}

//! `bench chaos`: people talk through several instances while everything under them fails, and a checker that sees only
//! what clients see compares it with the invariants.
//!
//! | module | what it is for |
//! |---|---|
//! | [`world`] | the processes and what can be done to them: instances, Redis, the network between |
//! | [`crowd`], [`people`] | who comes, goes, signs out and haunts |
//! | [`tab`], [`wire`] | one browser tab: the product's client model over real sockets |
//! | [`faults`] | what is done to the world, and when |
//! | [`watch`] | how long clients take to recover |
//! | [`record`], [`eye`], [`late`] | what was seen, how old it may be, and what is checked at once |
//! | [`judge`] | what is checked at the end |
//! | [`report`] | the last line |

mod crowd;
mod eye;
mod faults;
mod judge;
mod late;
mod people;
mod record;
mod report;
mod tab;
mod watch;
mod wire;
mod world;

use crate::Result;
use clap::ValueEnum;
use crowd::Person;
use faults::{Kind, Schedule};
use record::Record;
use std::{cell::Cell, cell::RefCell, path::PathBuf, rc::Rc, time::Duration};
use tab::Shared;
use tokio::{
    sync::mpsc::unbounded_channel,
    task::{LocalSet, spawn_local},
    time::{Instant, sleep},
};
use world::{Engine, Setup, World};

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
/// How long everything may take to come to rest once nothing fails any more.
const DRAIN: Duration = Duration::from_secs(45);
/// Presence is the truth again within this time after an instance died or a client vanished.
const PRESENCE: Duration = Duration::from_secs(45);

/// Runs once; says whether nothing was violated.
pub fn run(program: PathBuf, options: Options) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // The clients' models are not Send: they live on this thread, the proxies on the others.
    LocalSet::new().block_on(&runtime, async_run(program, options))
}

async fn async_run(program: PathBuf, options: Options) -> Result<bool> {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let kinds = Kind::parse(&options.faults, options.engine)?;
    eprintln!("seed {seed}, {:?}, {} s, faults: {}", options.engine, options.secs, Kind::list(&kinds));
    let mut random = fastrand::Rng::with_seed(seed);
    let world = World::start(&setup(program, &options, random.u64(..))).await?;
    let http = people::client()?;
    let cookie = people::sign_in(&http, world.balancer.address(), "setup", "room 0").await?;
    let rooms = rooms(&http, &world, &cookie).await?;
    let trace = options.trace.as_ref().map(std::fs::File::create).transpose()?;
    let (probes, probed) = unbounded_channel();
    let shared = Rc::new(Shared {
        record: RefCell::new(Record::new(rooms, trace)),
        http,
        front: world.balancer.address(),
        busy: Cell::new(true),
        pause: Duration::from_millis(options.pause_ms),
        longest_text: 200,
        states: RefCell::default(),
        probes,
    });
    spawn_local(crowd::read_back(shared.clone(), probed));
    for who in 0..options.people {
        let person = Person {
            name: format!("p{who}"),
            tabs: 2,
            // A few stay for the whole run.
            stays: (who % 3 != 0).then_some(Duration::from_secs(40)),
            seed: random.u64(..),
        };
        spawn_local(crowd::live(person, shared.clone()));
    }
    let end = Instant::now() + Duration::from_secs(options.secs);
    let mut schedule = Schedule::new(kinds, random.fork(), world, shared.clone());
    let broke_off =
        |world: &World, why: String| format!("{why}; logs and data are in {}", world.keep_files().display());
    if let Err(error) = schedule.run(end).await {
        return Err(broke_off(schedule.world(), error.to_string()).into());
    }
    eprintln!("healing");
    shared.busy.set(false);
    schedule.heal().await;
    // Until now an instance may have died or a client vanished.
    let healed = Instant::now();
    for instance in &schedule.world().instances {
        if let Some(status) = instance.ended().await {
            let why = format!("instance {} ended by itself: {status}", instance.index);
            return Err(broke_off(schedule.world(), why).into());
        }
    }
    let drained = drain(&shared).await;
    presence(&shared, healed).await;
    let histories = histories(&shared, &cookie, schedule.world().instances.len()).await;
    let states = shared.states.borrow().clone();
    let mut record = shared.record.borrow_mut();
    if let Err(what) = drained {
        record.violate(record::Invariant::I9, || format!("not at rest after {DRAIN:?}: {what}"));
    }
    match histories {
        Ok(histories) => judge::at_the_end(&mut record, &histories, &states),
        Err(error) => record.violate(record::Invariant::I5, || format!("the history cannot be read: {error}")),
    }
    let good = record.counts.is_empty();
    if !good || options.keep {
        eprintln!("logs and data are in {}", schedule.world().keep_files().display());
    }
    println!("{}", report::line(&mut record, &schedule, &options, seed));
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
async fn rooms(http: &reqwest::Client, world: &World, cookie: &str) -> Result<Vec<app::domain::RoomRef>> {
    let mut rooms = Vec::new();
    for room in 0..ROOMS {
        let name = format!("room {room}");
        let made = http
            .post(format!("http://{}/rooms", world.balancer.address()))
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

/// Waits until every tab is online, has sent everything, and shows each room to its end.
async fn drain(shared: &Rc<Shared>) -> std::result::Result<(), String> {
    let deadline = Instant::now() + DRAIN;
    // Each tab looks through its rooms five times a second now; what it said before does not count.
    sleep(Duration::from_secs(1)).await;
    loop {
        let what = at_rest(shared);
        match what {
            Ok(()) => return Ok(()),
            Err(what) if Instant::now() > deadline => return Err(what),
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

fn at_rest(shared: &Shared) -> std::result::Result<(), String> {
    let states = shared.states.borrow();
    let mut ends = [0; ROOMS];
    for (room, seq) in states.iter().flat_map(|state| &state.rooms) {
        ends[*room] = (*seq).max(ends[*room]);
    }
    for (tab, state) in states.iter().enumerate().filter(|(_, state)| state.alive) {
        if !state.online {
            let what = if state.loading { "its page does not load" } else { "no socket of it follows all its rooms" };
            return Err(format!("tab {tab}: {what}; {} sockets lost, {} reloads", state.losses, state.loads));
        }
        if let Some(text) = state.waiting.first() {
            return Err(format!("tab {tab} waits for {:?}", text.chars().take(24).collect::<String>()));
        }
        if let Some((room, seq)) = state.rooms.iter().find(|(room, seq)| *seq < ends[*room]) {
            return Err(format!("tab {tab} is at {seq} of {} in room {room}", ends[*room]));
        }
    }
    Ok(())
}

async fn presence(shared: &Rc<Shared>, healed: Instant) {
    loop {
        let Err(what) = judge::presence_is_true(&shared.states.borrow()) else { return };
        let passed = healed.elapsed();
        if passed > PRESENCE {
            let passed = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
            return judge::presence_was_late(&mut shared.record.borrow_mut(), &what, passed);
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Each room's history, read as often as there are instances, through whichever answers. By somebody who is in already: what
/// was written can be read where nothing can be written any more.
async fn histories(shared: &Rc<Shared>, cookie: &str, ways: usize) -> Result<Vec<Vec<Vec<app::domain::Entry>>>> {
    let mut histories = Vec::new();
    for room in 0..ROOMS {
        let mut read = Vec::new();
        for _ in 0..ways {
            read.push(crowd::history(shared, cookie, room).await?);
        }
        histories.push(read);
    }
    Ok(histories)
}

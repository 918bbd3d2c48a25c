//! A whole run of one seed: people and the nemesis, then peace, then the verdict.

use super::{
    acts::ROOMS,
    checker, http,
    nemesis::Nemesis,
    record::Invariant,
    tab::{Seat, State, Tab},
    world::{Setup, World},
};
use crate::memory_store::chance::Chance;
use app::domain::RoomName;
use hubbub::engine::Directory;
use std::{cell::RefCell, rc::Rc, time::Duration};
use tokio::{
    runtime::Builder,
    task::{LocalSet, spawn_local},
    time::{Instant, sleep},
};

/// How long everything may take to be as it should be once all faults are over: an instance that died counts for 15 s and is
/// looked for every 10, a client waits for up to 15 s between two tries, and for 10 for an answer to one.
const HEALED: Duration = Duration::from_secs(45);
/// The longest wait of a client before it tries something again.
const CALM: Duration = Duration::from_secs(16);
/// Where nothing is wrong, a message is everywhere by then, and counted: no clock of the product's that mends what was missed
/// comes round so soon.
const PROMPT: Duration = Duration::from_secs(3);
/// How long the tabs take to notice that they are asked for a message.
const ANSWERED: Duration = Duration::from_millis(500);
/// How often they are.
const ROUNDS: u32 = 3;
const LOOK: Duration = Duration::from_millis(250);

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub trace: String,
    pub violations: Vec<(Invariant, String)>,
    /// Entries in all logs.
    pub entries: usize,
    /// After how long everything was as it should be.
    pub recovered: Duration,
}

type Seats = Rc<RefCell<Vec<Seat>>>;

/// Runs a seed; people and the nemesis are at it for so many seconds of its clock.
pub fn run(seed: u64, steps: u64) -> Outcome {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, live(seed, steps))
}

fn setup(chance: &mut Chance) -> Setup {
    // One of five is a single instance that misses nothing, as with the embedded engine.
    let alone = chance.below(5) == 0;
    Setup {
        instances: if alone { 1 } else { 2 },
        may_miss: !alone,
        // Where instances may miss something there is such a store; and where it does not, marks can be compared.
        goes_back: !alone && chance.happens(500),
        socket_lifetime: Duration::from_secs([15, 40, 3_300][chance.below(3)]),
        delay: Duration::from_millis([2, 20, 150][chance.below(3)]),
    }
}

async fn live(seed: u64, steps: u64) -> Outcome {
    let mut chance = Chance::new(seed);
    let setup = setup(&mut chance);
    let world = World::new(seed, setup);
    world.trace.line(format_args!("seed {seed}, {steps} steps, {setup:?}"));
    for room in ROOMS {
        world.observer.create_room(&RoomName::parse(room).unwrap()).await.unwrap();
    }
    let seats = Seats::default();
    for person in 0..3 + chance.below(3) {
        spawn_local(person_lives(person, world.clone(), seats.clone(), chance.fork()));
    }
    // Everybody is in before anything breaks.
    sleep(Duration::from_secs(3)).await;
    let mut nemesis = Nemesis::new(world.clone(), chance.fork());
    let end = Instant::now() + Duration::from_secs(steps);
    while Instant::now() < end {
        nemesis.step().await;
    }
    world.busy.set(false);
    nemesis.end().await;
    world.trace.line(format_args!("peace"));
    let recovered = settle(&world, &seats, HEALED).await;
    // Something may be owed that nobody sees, such as a number that is to be void.
    sleep(CALM).await;
    for round in 1..=ROUNDS {
        world.read_all.set(round == ROUNDS);
        if !world.record.borrow().violations.is_empty() {
            break;
        }
        world.asked.set(world.asked.get() + 1);
        sleep(ANSWERED).await;
        settle(&world, &seats, PROMPT).await;
    }
    checker::verdict(&world, &tabs(&seats));
    let violations = std::mem::take(&mut world.record.borrow_mut().violations);
    for (invariant, what) in &violations {
        world.trace.line(format_args!("{invariant:?} is broken: {what}"));
    }
    let entries = world.store.logs().iter().map(|log| log.entries.len()).sum();
    Outcome { trace: world.trace.take(), violations, entries, recovered }
}

/// Waits until everything is as it should be, and says how long that took.
async fn settle(world: &World, seats: &Seats, within: Duration) -> Duration {
    let began = Instant::now();
    loop {
        let left = checker::unsettled(world, &tabs(seats)).await;
        if left.is_empty() {
            return began.elapsed();
        }
        if began.elapsed() >= within {
            let violate = |(invariant, what)| {
                world.record.borrow_mut().violate(invariant, format!("still so after {within:?}: {what}"));
            };
            left.into_iter().for_each(violate);
            return within;
        }
        sleep(LOOK).await;
    }
}

fn tabs(seats: &Seats) -> Vec<Rc<State>> {
    seats.borrow().iter().map(|seat| seat.borrow().clone()).collect()
}

/// Comes, talks in one or two tabs, may sign out in one of them, and comes again as somebody else.
async fn person_lives(person: usize, world: Rc<World>, seats: Seats, mut chance: Chance) {
    for life in 0.. {
        let room = ROOMS[chance.below(ROOMS.len())];
        let Some(cookie) = sign_in(&world, &format!("p{person}-{life}"), room, &mut chance).await else { return };
        for nth in 0..=chance.below(2) {
            let id = seats.borrow().len();
            let (world, cookie, chance, seat) = (world.clone(), cookie.clone(), chance.fork(), Seat::default());
            seats.borrow_mut().push(seat.clone());
            let room = if nth == 0 { room } else { ROOMS[(person + nth) % ROOMS.len()] };
            spawn_local(async move {
                match Tab::open(id, world, cookie, room, chance, seat.clone()).await {
                    Some(tab) => tab.live().await,
                    None => *seat.borrow_mut() = Rc::new(State { signed_out: true, ..State::default() }),
                }
            });
        }
        if chance.happens(250) {
            return;
        }
        sleep(Duration::from_secs(8) + chance.within(Duration::from_secs(24))).await;
        if !world.busy.get() {
            return;
        }
        sign_out(&world, &cookie, &mut chance).await;
    }
}

/// Signs in under some name; the cookie, unless everything comes to its end.
async fn sign_in(world: &Rc<World>, name: &str, room: &str, chance: &mut Chance) -> Option<String> {
    // An answer that was lost leaves the name taken by a session nobody has.
    for turn in 0.. {
        if !world.busy.get() {
            return None;
        }
        let cookie = http::sign_in(world, chance.fork(), &format!("{name}-{turn}"), room).await;
        if cookie.is_some() {
            return cookie;
        }
    }
    None
}

async fn sign_out(world: &Rc<World>, cookie: &str, chance: &mut Chance) {
    let who = world.record.borrow().cookies.get(cookie).copied();
    let Some(who) = who else { return };
    world.trace.line(format_args!("{who} signs out"));
    while !http::sign_out(world, chance.fork(), cookie).await {
        sleep(chance.within(Duration::from_millis(500))).await;
    }
    world.trace.line(format_args!("{who} is signed out"));
    let now = world.trace.now();
    let mut record = world.record.borrow_mut();
    record.signed_out.insert(who, now);
    record.abandon(|it| it.by == who);
}

//! What goes wrong, by seeded choice.

use super::{
    record::{Place, place},
    world::World,
};
use crate::memory_store::{
    Log, Snapshot,
    chance::Chance,
    faults::{Events, Plan, Requests},
};
use std::{collections::BTreeSet, rc::Rc, time::Duration};
use tokio::{
    task::{JoinHandle, spawn_local},
    time::sleep,
};

const SECOND: Duration = Duration::from_secs(1);

pub struct Nemesis {
    world: Rc<World>,
    chance: Chance,
    /// What the store may be set back to, and when it was so.
    kept: Option<(u64, Snapshot)>,
    /// What is going on and ends by itself.
    going_on: Vec<JoinHandle<()>>,
    /// No two of them at a time on one instance.
    touched: Vec<Option<JoinHandle<()>>>,
}

impl Nemesis {
    pub fn new(world: Rc<World>, chance: Chance) -> Self {
        let touched = (0..world.setup.instances).map(|_| None).collect();
        let mut nemesis = Self { world, chance, kept: None, going_on: Vec::new(), touched };
        nemesis.plan();
        nemesis
    }

    /// A second in which something may go wrong.
    pub async fn step(&mut self) {
        sleep(self.chance.within(SECOND * 2)).await;
        match self.chance.below(100) {
            0..15 => self.plan(),
            15..30 => self.break_links(),
            30..45 => self.slow_links(),
            45..52 => self.touch(Self::freeze),
            52..59 => self.touch(Self::cut),
            59..64 => self.touch(Self::crash),
            64..70 => self.touch(Self::restart),
            70..76 => self.keep(),
            76..80 => self.set_back(),
            80..92 => self.touch(Self::deafen),
            _ => {}
        }
    }

    /// All of it ends; what was broken is as it was.
    pub async fn end(&mut self) {
        for going_on in self.going_on.drain(..).chain(self.touched.iter_mut().filter_map(Option::take)) {
            let _ = going_on.await;
        }
        for number in self.world.numbers() {
            self.world.store.faults().plan(number, Plan::default());
        }
        for link in self.world.links() {
            link.stall(false);
            link.delay.set(self.world.setup.delay);
        }
    }

    /// How requests and events go from now on.
    fn plan(&mut self) {
        let chance = &mut self.chance;
        let ms = |chance: &mut Chance, of: [u64; 4]| Duration::from_millis(of[chance.below(4)]);
        let rare = |chance: &mut Chance, most: usize| u32::try_from(chance.below(3) / 2 * chance.below(most)).unwrap();
        let mut requests = || Requests {
            there: ms(chance, [1, 5, 40, 700]),
            back: ms(chance, [1, 5, 40, 700]),
            refused: rare(chance, 300),
            unanswered: rare(chance, 200),
        };
        let (appends, others) = (requests(), requests());
        let delay = ms(chance, [1, 20, 200, 3_000]);
        let events = Events { delay, lost: rare(chance, 400), doubled: rare(chance, 300) };
        let plan = Plan { appends, others, events };
        let numbers = self.world.numbers();
        if let Some(number) = self.chance.pick(&numbers) {
            self.world.trace.line(format_args!("fault: {number} has {plan:?}"));
            self.world.store.faults().plan(*number, plan);
        }
    }

    fn break_links(&mut self) {
        let links = self.world.links();
        if let Some(link) = self.chance.pick(&links) {
            self.world.trace.line(format_args!("fault: a link to {} is cut", link.to));
            link.cut();
        }
    }

    fn slow_links(&mut self) {
        let links = self.world.links();
        let Some(link) = self.chance.pick(&links).cloned() else { return };
        if self.chance.happens(500) {
            let delay = self.chance.within(SECOND * 2);
            self.world.trace.line(format_args!("fault: a link to {} takes {delay:?}", link.to));
            link.delay.set(delay);
            return;
        }
        let time = self.chance.within(SECOND * 12);
        self.world.trace.line(format_args!("fault: a link to {} stands still for {time:?}", link.to));
        link.stall(true);
        self.going_on.push(spawn_local(async move {
            sleep(time).await;
            link.stall(false);
        }));
    }

    /// Does something to one instance, unless something is being done to it.
    fn touch(&mut self, act: fn(&mut Self, usize, Duration) -> JoinHandle<()>) {
        let (slot, time) = (self.chance.below(self.touched.len()), self.chance.within(SECOND * 10));
        if self.touched[slot].as_ref().is_none_or(JoinHandle::is_finished) {
            self.touched[slot] = Some(act(self, slot, time));
        }
    }

    fn freeze(&mut self, slot: usize, time: Duration) -> JoinHandle<()> {
        self.hold(
            slot,
            time,
            "frozen",
            |world, number| world.store.faults().freeze(number),
            |world, number| {
                world.store.faults().thaw(number);
            },
        )
    }

    fn cut(&mut self, slot: usize, time: Duration) -> JoinHandle<()> {
        self.hold(
            slot,
            time,
            "cut off",
            |world, number| world.store.faults().cut(number),
            |world, number| {
                world.store.faults().heal(number);
            },
        )
    }

    /// It writes as ever, and is neither told anything nor answered when it asks.
    fn deafen(&mut self, slot: usize, time: Duration) -> JoinHandle<()> {
        let end = |world: &World, number| world.store.faults().plan(number, Plan::default());
        let begin = |world: &World, number| {
            let others = Requests { refused: 1_000, ..Requests::default() };
            let events = Events { lost: 1_000, ..Events::default() };
            world.store.faults().plan(number, Plan { others, events, ..Plan::default() });
        };
        // Longer than anything counts about which it cannot ask.
        self.hold(slot, time * 2 + SECOND * 5, "deaf", begin, end)
    }

    fn hold(
        &self,
        slot: usize,
        time: Duration,
        what: &str,
        begin: fn(&World, usize),
        end: fn(&World, usize),
    ) -> JoinHandle<()> {
        let (world, number) = (self.world.clone(), self.world.number(slot));
        world.trace.line(format_args!("fault: instance {slot} is {what} for {time:?}"));
        spawn_local(async move {
            let Some(number) = number else { return };
            begin(&world, number);
            sleep(time).await;
            end(&world, number);
            world.trace.line(format_args!("fault: instance {slot} is no longer so"));
        })
    }

    fn crash(&mut self, slot: usize, time: Duration) -> JoinHandle<()> {
        let world = self.world.clone();
        world.trace.line(format_args!("fault: instance {slot} is killed"));
        spawn_local(async move {
            world.crash(slot);
            sleep(time).await;
            world.start(slot);
        })
    }

    fn restart(&mut self, slot: usize, time: Duration) -> JoinHandle<()> {
        let world = self.world.clone();
        world.trace.line(format_args!("fault: instance {slot} is asked to end"));
        spawn_local(async move {
            world.drain(slot).await;
            world.trace.line(format_args!("fault: instance {slot} has ended"));
            sleep(time / 4).await;
            world.start(slot);
        })
    }

    fn keep(&mut self) {
        self.world.trace.line(format_args!("fault: what the store holds is kept"));
        self.kept = Some((self.world.trace.now(), self.world.store.snapshot()));
    }

    /// The store falls back to what was kept, as a failover to a replica that had fallen behind.
    fn set_back(&mut self) {
        let Some((when, kept)) = self.kept.take().filter(|_| self.world.setup.goes_back) else { return };
        let before = self.places();
        self.world.store.faults().rollback(&kept);
        let after = self.places();
        let lost: Vec<_> = before.difference(&after).cloned().collect();
        let now = self.world.trace.now();
        let ago = now - when;
        self.world
            .trace
            .line(format_args!("fault: the store is set back by {ago} ms, {} entries are gone", lost.len()));
        let mut record = self.world.record.borrow_mut();
        record.lost.extend(lost);
        record.set_back.push(now);
    }

    fn places(&self) -> BTreeSet<Place> {
        let logs = self.world.store.logs();
        let of = |log: &Log| {
            let key = log.room.key.clone();
            log.entries.iter().map(|entry| place(&key, entry.cursor())).collect::<Vec<_>>()
        };
        logs.iter().flat_map(of).collect()
    }
}

//! What is done to the world, and when: one fault after the other in seeded order, others while an instance is frozen.

use super::{
    EngineKind,
    record::{Rollback, RoomId},
    tab::Shared,
    watch::{self, Recoveries, Whom},
    world::{Clients, Redis, TAKEN, Then, World},
};
use crate::Result;
use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
    time::Duration,
};
use tokio::{
    task::spawn_local,
    time::{Instant, sleep, sleep_until},
};

/// Between the end of one fault and the next.
const PAUSE_MS: std::ops::Range<u64> = 100..1_000;
/// Between a snapshot of the store and its return to it: what is committed in between is lost.
const LOST_MS: std::ops::Range<u64> = 300..2_000;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal $engine:ident;)*) => {
        /// The kinds of fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind { $($(#[$doc])* $kind,)* }

        impl Kind {
            const ALL: &[Self] = &[$(Self::$kind),*];

            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),* }
            }

            /// Whether it applies to an instance with a file of its own, too.
            fn applies(self, engine: EngineKind) -> bool {
                match self { $(Self::$kind => engine == EngineKind::Redis || kinds!(@ $engine)),* }
            }
        }
    };
    (@ any) => { true };
    (@ redis) => { false };
}

kinds! {
    InstanceKill = "instance_kill" any;
    /// For 5 to 20 seconds.
    InstanceFreeze = "instance_freeze" any;
    /// One instance after the other.
    RollingSigterm = "rolling_sigterm" any;
    KillSubscribers = "client_kill_subscribers" redis;
    KillClients = "client_kill_normal" redis;
    /// Redis ends an instance's subscriptions by itself.
    Unsubscribe = "forced_sunsubscribe" redis;
    RedisKill = "redis_kill" redis;
    RedisFreeze = "redis_freeze" redis;
    /// A message is committed and its answer lost on the way from Redis.
    LostReply = "lost_reply" redis;
    /// Messages on their way to Redis get there late, or not at all.
    HeldAppends = "held_appends" redis;
    /// Nothing passes between one instance and Redis.
    RedisCut = "redis_cut" redis;
    /// An instance's connections to Redis are reset.
    RedisReset = "redis_connections_reset" redis;
    /// A client and its instance hear nothing of each other any more, not even that the other is gone; for good, or for
    /// some seconds.
    HalfOpen = "half_open_client" any;
    /// A client that reads a byte a second.
    Trickle = "slow_reader" any;
    ResetMidFrame = "reset_mid_frame" any;
    ConnectionReset = "connection_reset" any;
    /// The store is set back to an older state of the same epoch.
    Restore = "redis_restored" redis;
    FullMemory = "redis_maxmemory" redis;
    ScriptFlush = "script_flush" redis;
    /// Sentinel promotes a replica that lacks the last writes.
    Failover = "sentinel_failover" redis;
    /// The master becomes the replica with its connections open, and a new one without the last writes is at its address.
    Demoted = "demoted" redis;
    /// Instances may not do something any more, for a while.
    Rights = "rights" redis;
}

impl Kind {
    pub fn parse(list: &str, engine: EngineKind) -> Result<Vec<Self>> {
        let apply = || Self::ALL.iter().copied().filter(|kind| kind.applies(engine));
        match list {
            "all" => return Ok(apply().collect()),
            "none" | "" => return Ok(Vec::new()),
            _ => {}
        }
        let one = |name: &str| {
            let known = || Self::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
            let kind = Self::ALL.iter().copied().find(|kind| kind.name() == name);
            let kind = kind.ok_or_else(|| format!("{name:?} is no kind of fault; there are {}", known()))?;
            if kind.applies(engine) { Ok(kind) } else { Err(format!("{name} needs ENGINE=redis").into()) }
        };
        list.split(',').map(|name| one(name.trim())).collect()
    }

    pub fn list(kinds: &[Self]) -> String {
        if kinds.is_empty() {
            "none".to_owned()
        } else {
            kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ")
        }
    }

    /// Whether it takes every instance to run before.
    fn wants_all_instances(self) -> bool {
        self.is_measured() || self == Self::InstanceFreeze
    }

    /// Whether it is measured how long clients take to recover: then nothing else is wrong meanwhile.
    fn is_measured(self) -> bool {
        matches!(self, Self::RedisKill | Self::InstanceKill | Self::RollingSigterm)
    }
}

pub struct Schedule {
    kinds: Vec<Kind>,
    /// Those of the present round that are left.
    round: Vec<Kind>,
    random: fastrand::Rng,
    world: Rc<World>,
    /// Until when an instance is frozen.
    frozen: Instant,
    shared: Rc<Shared>,
    done: BTreeMap<&'static str, u64>,
    recoveries: Recoveries,
    last: Instant,
}

impl Schedule {
    pub fn new(kinds: Vec<Kind>, random: fastrand::Rng, world: World, shared: Rc<Shared>) -> Self {
        let last = Instant::now();
        let (round, done, recoveries) = Default::default();
        Self { kinds, round, random, world: Rc::new(world), frozen: last, shared, done, recoveries, last }
    }

    pub fn world(&self) -> &World {
        &self.world
    }

    /// How often each kind was done.
    pub fn done(&self) -> &BTreeMap<&'static str, u64> {
        &self.done
    }

    pub fn recoveries(&self) -> &Recoveries {
        &self.recoveries
    }

    pub async fn run(&mut self, end: Instant) -> Result<()> {
        // The first people come in.
        sleep(Duration::from_secs(3)).await;
        while Instant::now() < end {
            if self.kinds.is_empty() {
                sleep_until(end).await;
                break;
            }
            let Some(kind) = self.next() else {
                sleep_until(self.frozen).await;
                continue;
            };
            if kind.is_measured() {
                self.heal().await;
                self.calm().await;
            }
            let started = Instant::now();
            self.fault(kind).await.map_err(|error| format!("{}: {error}", kind.name()))?;
            *self.done.entry(kind.name()).or_default() += 1;
            self.last = Instant::now();
            let now = self.shared.record.borrow().now();
            eprintln!("  {now:>7} ms  {} ({} ms)", kind.name(), started.elapsed().as_millis());
            sleep(Duration::from_millis(self.random.u64(PAUSE_MS))).await;
        }
        Ok(())
    }

    /// Everything works again; returns when the last fault was over.
    pub async fn heal(&mut self) -> Instant {
        sleep_until(self.frozen).await;
        self.world.balancer.heal_all();
        self.last.max(self.frozen)
    }

    /// The next one of a round, in which each kind has its turn.
    fn next(&mut self) -> Option<Kind> {
        if self.round.is_empty() {
            self.round.clone_from(&self.kinds);
            self.random.shuffle(&mut self.round);
        }
        let frozen = Instant::now() < self.frozen;
        let at = self.round.iter().rposition(|kind| !(frozen && kind.wants_all_instances()))?;
        Some(self.round.remove(at))
    }

    /// Waits until every tab is well, or for some seconds.
    async fn calm(&self) {
        let end = Instant::now() + Duration::from_secs(15);
        while Instant::now() < end {
            if self.shared.states.borrow().iter().all(|state| !state.alive || state.online) {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    fn instance(&mut self) -> usize {
        self.random.usize(0..self.world.instances.len())
    }

    fn redis(&self) -> Result<&Redis> {
        self.world.redis.as_ref().ok_or_else(|| "there is no Redis".into())
    }

    async fn fault(&mut self, kind: Kind) -> Result<()> {
        let instance = self.instance();
        let mut some = |range: std::ops::Range<u64>| Duration::from_millis(self.random.u64(range));
        match kind {
            Kind::InstanceKill => {
                let down = some(100..2_000);
                let tops = self.tops().await;
                let start = Instant::now();
                self.world.instances[instance].kill9().await;
                let again = async {
                    // With a single one there is nowhere else to go until it is back.
                    if self.world.instances.len() > 1 {
                        sleep(down).await;
                    }
                    self.world.restart(instance).await
                };
                let watched = watch::until_recovered(&self.shared, start, &tops, Whom::WhoLoseASocket);
                let (started, took) = tokio::join!(again, watched);
                started?;
                self.recoveries.entry(kind.name()).or_default().extend(took);
            }
            Kind::InstanceFreeze => {
                let time = some(5_000..20_000);
                self.world.instances[instance].freeze().await?;
                // Thawed in time for who waits for it.
                self.frozen = Instant::now() + time + Duration::from_millis(50);
                let world = self.world.clone();
                spawn_local(async move {
                    sleep(time).await;
                    if let Err(error) = world.instances[instance].thaw().await {
                        eprintln!("  instance {instance} cannot be thawed: {error}");
                    }
                });
            }
            Kind::RollingSigterm => {
                for instance in 0..self.world.instances.len() {
                    let exit = self.world.sigterm(instance).await?;
                    if !exit.status.success() {
                        return Err(format!("instance {instance} ended with {} on SIGTERM", exit.status).into());
                    }
                    let took = u64::try_from(exit.took.as_millis()).unwrap_or(u64::MAX);
                    self.recoveries.entry("sigterm_exit").or_default().push(took);
                    self.world.restart(instance).await?;
                }
            }
            Kind::KillSubscribers => drop(self.redis()?.client_kill(Clients::Subscribers).await?),
            Kind::KillClients => drop(self.redis()?.client_kill(Clients::Normal).await?),
            Kind::Unsubscribe => {
                // Without a connection at the moment, it is made and subscribed on soon.
                let _ = self.redis()?.force_sunsubscribe(instance);
            }
            Kind::RedisKill => {
                let down = some(50..3_000);
                let redis = self.redis()?;
                redis.kill().await;
                sleep(down).await;
                let pong = redis.restart().await?;
                let tops = self.tops().await;
                let took = watch::until_recovered(&self.shared, pong.into(), &tops, Whom::Everybody).await;
                self.recoveries.entry(kind.name()).or_default().extend(took);
            }
            Kind::RedisFreeze => {
                let time = some(200..8_000);
                let redis = self.redis()?;
                redis.freeze().await?;
                sleep(time).await;
                redis.thaw().await?;
            }
            Kind::LostReply => {
                // Within some seconds somebody writes something.
                let _ = self.redis()?.drop_reply_after_commit(instance, Duration::from_secs(3)).await;
            }
            Kind::HeldAppends => {
                let time = some(200..3_000);
                let then = if self.random.bool() { Then::Forward } else { Then::Reset };
                self.redis()?.hold_requests(instance, time, then).await;
            }
            Kind::RedisCut => {
                let time = some(500..8_000);
                self.redis()?.cut(instance, time).await;
            }
            Kind::RedisReset => {
                self.redis()?.reset(instance);
            }
            Kind::HalfOpen | Kind::Trickle | Kind::ResetMidFrame | Kind::ConnectionReset => {
                self.hurt_connections(kind).await;
            }
            Kind::Restore => {
                let lost = some(LOST_MS);
                let from_ms = self.shared.record.borrow().now();
                let snapshot = self.redis()?.snapshot().await?;
                sleep(lost).await;
                self.set_back_from(from_ms);
                self.redis()?.restore(&snapshot).await?;
                self.set_back_until();
            }
            Kind::FullMemory => {
                let time = some(300..3_000);
                let redis = self.redis()?;
                redis.set_full(true).await?;
                sleep(time).await;
                redis.set_full(false).await?;
            }
            Kind::ScriptFlush => self.redis()?.script_flush().await?,
            Kind::Failover | Kind::Demoted => {
                let lost = some(LOST_MS);
                let from_ms = self.shared.record.borrow().now();
                self.redis()?.hold_replication().await?;
                self.set_back_from(from_ms);
                sleep(lost).await;
                if kind == Kind::Failover {
                    self.redis()?.failover().await?;
                } else {
                    self.redis()?.demote().await?;
                }
                self.set_back_until();
            }
            Kind::Rights => {
                let time = some(300..5_000);
                let (take, give_back) = TAKEN[self.random.usize(0..TAKEN.len())];
                let redis = self.redis()?;
                redis.change_rights(take).await?;
                sleep(time).await;
                redis.change_rights(give_back).await?;
                eprintln!("           without {take}");
            }
        }
        Ok(())
    }

    /// From now on what was committed after `from_ms` may vanish.
    fn set_back_from(&self, from_ms: u64) {
        self.shared.record.borrow_mut().rollbacks.push(Rollback { from_ms, until_ms: u64::MAX });
    }

    /// What is committed from now on is there to stay. Answers on their way may still be about what was before.
    fn set_back_until(&self) {
        let mut record = self.shared.record.borrow_mut();
        let now = record.now();
        if let Some(rollback) = record.rollbacks.last_mut() {
            rollback.until_ms = now + 2_000;
        }
    }

    /// Some connections of clients at once.
    async fn hurt_connections(&mut self, kind: Kind) {
        let balancer = &self.world.balancer;
        let mut connections = balancer.connections();
        self.random.shuffle(&mut connections);
        connections.truncate(self.random.usize(1..=3));
        for connection in &connections {
            match kind {
                Kind::HalfOpen => balancer.half_open(connection.id),
                Kind::Trickle => balancer.trickle(connection.id, Duration::from_secs(self.random.u64(2..15))),
                Kind::ConnectionReset => balancer.kill(connection.id),
                _ => balancer.reset_mid_frame(connection.id),
            };
        }
        if kind == Kind::HalfOpen && self.random.bool() {
            sleep(Duration::from_millis(self.random.u64(500..6_000))).await;
            for connection in connections {
                balancer.heal(connection.id);
            }
        }
    }

    /// Where each room's log ends, by the store itself; by what anybody was shown where there is none to ask.
    async fn tops(&self) -> HashMap<RoomId, u64> {
        let mut tops = HashMap::new();
        let keys: Vec<_> = self.shared.record.borrow().rooms.iter().map(|room| room.key.clone()).collect();
        for (room, key) in keys.iter().enumerate() {
            if let Some(redis) = self.world.redis.as_ref() {
                if let Ok(Some(top)) = redis.top(key).await {
                    tops.insert(room, top.seq);
                }
            } else {
                let shown =
                    |state: &super::tab::State| state.rooms.iter().find(|(id, _)| *id == room).map(|(_, seq)| *seq);
                let top = self.shared.states.borrow().iter().filter_map(shown).max();
                tops.extend(top.map(|top| (room, top)));
            }
        }
        tops
    }
}

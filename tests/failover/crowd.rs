//! Two instances, people who write through both of them, and how soon they go on after each fault.

use super::{
    check::check,
    client::Client,
    stalls::Stalls,
    tale::{Tale, Told},
};
use crate::support::{
    person::{PATIENCE, Person},
    server::site,
};
use app::domain::ProducerId;
use std::{
    collections::HashMap,
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tempfile::TempDir;
use testkit::process::{Process, free_port};
use tokio::task::JoinSet;

/// What is promised of each fault: within this almost everybody writes and hears again.
const RECOVERED_WITHIN: Duration = Duration::from_secs(10);

struct Instance {
    address: SocketAddr,
    /// Ends before its folder.
    _process: Process,
    dir: TempDir,
}

pub struct Writer {
    pub room: String,
    pub own: ProducerId,
    pub tale: Arc<Tale>,
}

pub struct Crowd {
    instances: Vec<Instance>,
    writers: Vec<Writer>,
    writes: Arc<AtomicBool>,
    running: JoinSet<()>,
    stalls: Stalls,
    /// Of each fault, how soon each client wrote again and heard again, apart from the time in which the machine had none.
    recovered: Vec<[Duration; 2]>,
}

impl Instance {
    async fn start(redis_url: &str) -> Self {
        let (dir, port) = (site(), free_port().unwrap());
        let address = (Ipv4Addr::LOCALHOST, port).into();
        let log = File::create(dir.path().join("log")).unwrap();
        let mut process = Process::start(env!("CARGO_BIN_EXE_hubbub").as_ref(), |command| {
            command.args(["--redis-url", redis_url, "--port", &port.to_string(), "--site-dir"]).arg(dir.path());
            command.args(["--limits", "0"]).env("HUBBUB_LOG", "hubbub=info,fred=warn");
            command.stdout(log.try_clone().unwrap()).stderr(log);
        })
        .unwrap();
        process.until_it_listens(address, PATIENCE).await.unwrap();
        Self { address, _process: process, dir }
    }
}

/// Where a test fails, what the instance said is part of why.
impl Drop for Instance {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            let from = log.len().saturating_sub(20_000);
            println!("{} said:\n{}", self.address, log.get(from..).unwrap_or(&log));
        }
    }
}

impl Crowd {
    /// Has people sign in to these rooms, as many in each, and waits until all of them have written and heard.
    pub async fn gather(redis_url: &str, rooms: &[String], in_each: usize) -> Self {
        let instances = vec![Instance::start(redis_url).await, Instance::start(redis_url).await];
        let (mut writers, mut running) = (Vec::new(), JoinSet::new());
        let writes = Arc::new(AtomicBool::new(false));
        for i in 0..rooms.len() * in_each {
            let (room, server) = (&rooms[i % rooms.len()], instances[i / rooms.len() % 2].address);
            let person = Person::signed_in(&server, &format!("person {i}"), room).await;
            let (own, tale) = (ProducerId(i as u64 + 1), Arc::new(Tale::default()));
            writers.push(Writer { room: room.clone(), own, tale: tale.clone() });
            let client = Client { person, server, room: room.clone(), own, writes: writes.clone(), tale };
            running.spawn(client.run());
        }
        let mut crowd = Self { instances, writers, writes, running, stalls: Stalls::watch(), recovered: Vec::new() };
        crowd.until("everybody is in their room", |crowd| crowd.all(|told| told.has_joined)).await;
        crowd.writes.store(true, Ordering::Relaxed);
        crowd.recovers("no fault", Instant::now()).await;
        crowd.recovered.clear();
        crowd
    }

    fn all(&self, is_so: impl Fn(&Told) -> bool) -> bool {
        self.writers.iter().all(|writer| is_so(&writer.tale.told()))
    }

    async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            assert!(began.elapsed() < PATIENCE, "still not so: {what}\n{}", self.standing());
            assert!(self.running.try_join_next().is_none(), "a client gave up");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How far everybody is, for whoever reads why a test failed.
    fn standing(&self) -> String {
        let standing = self.writers.iter().map(|Writer { room, own, tale }| {
            let told = tale.told();
            let [sent, known, shown] = [told.sent.len(), told.known.len(), told.timeline.len()];
            format!("{own} in {room}: {sent} sent, {known} answered, {shown} shown, {} sockets", told.sockets)
        });
        standing.collect::<Vec<_>>().join("\n")
    }

    /// Waits until everybody has written and heard something that was first sent after a fault began.
    pub async fn recovers(&mut self, fault: &'static str, since: Instant) {
        self.until(fault, |crowd| crowd.recovery(since).iter().all(Option::is_some)).await;
        let recovery: Vec<_> = self.recovery(since).into_iter().flatten().collect();
        let stalled = self.stalls.since(since);
        println!("{}; the machine stood still for {} ms", figures(fault, &recovery), stalled.as_millis());
        self.recovered.extend(recovery.into_iter().map(|both| both.map(|took| took.saturating_sub(stalled))));
    }

    fn recovery(&self, since: Instant) -> Vec<Option<[Duration; 2]>> {
        let new: HashMap<_, _> = self
            .writers
            .iter()
            .map(|writer| (writer.own, writer.tale.told().sent.partition_point(|at| *at < since) as u64))
            .collect();
        let of = |writer: &Writer| {
            let told = writer.tale.told();
            let heard = (0..told.timeline.len())
                .skip(told.heard.partition_point(|at| *at < since))
                .find(|&at| told.timeline[at].n > new[&told.timeline[at].p])?;
            Some([told.sent_again(since)?, told.heard[heard]].map(|at| at - since))
        };
        self.writers.iter().map(of).collect()
    }

    /// Ends the writing, waits until all is answered and heard, and looks at what everybody was told.
    pub async fn ends(mut self) {
        self.writes.store(false, Ordering::Relaxed);
        self.until("all is answered", |crowd| crowd.all(Told::is_answered)).await;
        self.until("all is heard", |crowd| {
            let mut ends: HashMap<&str, u64> = HashMap::new();
            for writer in &crowd.writers {
                let told = writer.tale.told();
                let end = told.known.values().map(|(at, _)| at.seq).max().unwrap_or(0);
                let known = ends.entry(&writer.room).or_default();
                *known = end.max(*known);
            }
            let seen = |writer: &Writer| writer.tale.told().cursor().map_or(0, |at| at.seq) >= ends[&*writer.room];
            crowd.writers.iter().all(seen)
        })
        .await;
        self.running.shutdown().await;
        let addresses: Vec<_> = self.instances.iter().map(|instance| instance.address).collect();
        check(&addresses, &self.writers).await;

        println!("{}", figures("all faults, without stalls", &self.recovered));
        for what in [0, 1] {
            let p99 = percentile(&self.recovered, what, 99);
            assert!(p99 <= RECOVERED_WITHIN, "p99 is {p99:?}");
        }
        let count = |of: fn(&Told) -> usize| self.writers.iter().map(|writer| of(&writer.tale.told())).sum::<usize>();
        let (messages, refused) = (count(|told| told.sent.len()), count(|told| told.refused));
        println!("{messages} messages, {refused} refusals");
    }
}

fn percentile(recovery: &[[Duration; 2]], what: usize, percent: usize) -> Duration {
    let mut sorted: Vec<_> = recovery.iter().map(|both| both[what]).collect();
    sorted.sort();
    sorted[(sorted.len() * percent).div_ceil(100) - 1]
}

fn figures(fault: &str, recovery: &[[Duration; 2]]) -> String {
    let of = |what| [50, 99, 100].map(|percent| percentile(recovery, what, percent).as_millis().to_string()).join(", ");
    format!("{fault}: p50, p99, max in ms: written again {}; heard again {}", of(0), of(1))
}

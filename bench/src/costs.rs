//! What an append and a delivery cost, of two builds in turn on one machine: the server, and Redis if it is the store.

use crate::{
    Result,
    client::{Client, key, sign_in},
    server::{Server, cpu_of},
};
use app::{domain::RoomKey, protocol::ServerFrame};
use clap::{Args, ValueEnum};
use futures_util::future::try_join_all;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use testkit::redis::RedisServer;

#[derive(Args)]
pub struct Options {
    /// The other build, such as the one before a change
    #[arg(long)]
    against: PathBuf,
    /// On a Redis that is started for it, rather than on the embedded store
    #[arg(long)]
    redis: bool,
    /// One of the three alone
    #[arg(long, value_enum)]
    only: Option<Kind>,
    /// How often both builds are started anew
    #[arg(long, default_value_t = 3)]
    rounds: u64,
    /// How often a round passes from one build to the other
    #[arg(long, default_value_t = 50)]
    turns: u64,
    /// Messages a turn of one sender who is alone in a room: once each after the answer to the one before, once all in flight
    #[arg(long, default_value_t = 400)]
    appends: u64,
    /// Sockets in a room
    #[arg(long, default_value_t = 200)]
    readers: usize,
    /// Messages a turn that each of them is sent
    #[arg(long, default_value_t = 10)]
    messages: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Each message after the answer to the one before: a commit for each
    InTurn,
    /// As many messages at once as a client may have unanswered: how many a commit takes along is up to the moment
    InFlight,
    /// To each of the readers, with its share of the append
    Delivery,
}

/// CPU time of the server and of its Redis.
#[derive(Clone, Copy, Default)]
struct Cost {
    server: Duration,
    redis: Duration,
}

/// One build at work.
struct Side {
    server: Server,
    redis: Option<RedisServer>,
    /// Where the sender is alone, and the last number used there.
    alone: (RoomKey, u64),
    /// Where the readers are, and the last number used there.
    full: (RoomKey, u64),
    sender: Client,
    readers: Vec<Client>,
    _data: tempfile::TempDir,
}

impl Side {
    async fn start(program: &Path, options: &Options) -> Result<Self> {
        let data = tempfile::TempDir::new()?;
        let redis = options.redis.then(|| RedisServer::start(&[]));
        let server = match &redis {
            Some(redis) => {
                Server::start_with(program, &["--redis-url".as_ref(), redis.tcp_url().as_ref()], "0").await?
            }
            None => Server::start(program, data.path()).await?,
        };
        let cookie = sign_in(server.address, "bench", "alone").await?;
        // Each makes its room.
        let sender = sign_in(server.address, "sender", "full").await?;
        let (alone, full) = (key("alone")?, key("full")?);
        let mut readers = Vec::new();
        for _ in 0..options.readers {
            let mut reader = Client::connect(server.address, &cookie).await?;
            reader.join(&full).await?;
            readers.push(reader);
        }
        let mut sender = Client::connect(server.address, &sender).await?;
        sender.join(&alone).await?;
        sender.join(&full).await?;
        Ok(Self { server, redis, alone: (alone, 0), full: (full, 0), sender, readers, _data: data })
    }

    async fn spent(&self) -> Result<Cost> {
        let server = self.server.settled_cpu().await?;
        let redis = self.redis.as_ref().map_or(Ok(Duration::ZERO), |redis| cpu_of(redis.id()))?;
        Ok(Cost { server, redis })
    }

    async fn turn(&mut self, kind: Kind, options: &Options) -> Result<()> {
        let (count, (room, used)) = match kind {
            Kind::InTurn | Kind::InFlight => (options.appends, &mut self.alone),
            Kind::Delivery => (options.messages, &mut self.full),
        };
        let numbers = *used + 1..=*used + count;
        *used += count;
        match kind {
            Kind::InTurn => {
                for number in numbers {
                    self.sender.fill(room, number..=number).await?;
                }
            }
            Kind::InFlight => self.sender.fill(room, numbers).await?,
            Kind::Delivery => {
                let read = self.readers.iter_mut().map(async |reader| {
                    let mut came = 0;
                    while came < count {
                        came += u64::from(matches!(reader.frame().await?, ServerFrame::Entry { .. }));
                    }
                    Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
                });
                let (filled, read) = tokio::join!(self.sender.fill(room, numbers), try_join_all(read));
                filled?;
                read?;
            }
        }
        Ok(())
    }
}

pub async fn measure(program: &Path, options: &Options) -> Result<()> {
    for (what, kind) in [
        ("append, each after the answer to the one before", Kind::InTurn),
        ("append, all in flight", Kind::InFlight),
        ("delivery", Kind::Delivery),
    ] {
        if options.only.is_some_and(|only| only != kind) {
            continue;
        }
        let each = match kind {
            Kind::InTurn | Kind::InFlight => options.appends,
            Kind::Delivery => options.messages * options.readers as u64,
        };
        let count = u32::try_from(each * options.turns * options.rounds)?;
        let mut all = [Cost::default(); 2];
        let mut rounds = Vec::new();
        for _ in 0..options.rounds {
            let costs = round(program, kind, options).await?;
            rounds.push(format!("{:.3}", ratio(costs.map(|cost| cost.server))));
            for (all, cost) in all.iter_mut().zip(costs) {
                all.server += cost.server;
                all.redis += cost.redis;
            }
        }
        let report = |what: &str, spent: [Duration; 2]| {
            let [this, other] = spent.map(|spent| spent / count);
            println!("{what}: {this:?} of CPU, in the other build {other:?}, ratio {:.3}", ratio(spent));
        };
        report(what, all.map(|cost| cost.server));
        println!("  by round: {}", rounds.join(" "));
        if options.redis {
            report("  in Redis", all.map(|cost| cost.redis));
        }
    }
    Ok(())
}

/// What this build and the other spend, both at once and turn about: whatever else the machine does meets both alike.
async fn round(program: &Path, kind: Kind, options: &Options) -> Result<[Cost; 2]> {
    let mut sides = [Side::start(program, options).await?, Side::start(&options.against, options).await?];
    let mut costs = [Cost::default(); 2];
    for turn in 0..options.turns {
        for place in 0..2 {
            // Each goes first as often as the other.
            let build = usize::try_from((turn + place) % 2)?;
            let before = sides[build].spent().await?;
            sides[build].turn(kind, options).await?;
            let after = sides[build].spent().await?;
            costs[build].server += after.server.saturating_sub(before.server);
            costs[build].redis += after.redis.saturating_sub(before.redis);
        }
    }
    Ok(costs)
}

fn ratio([this, other]: [Duration; 2]) -> f64 {
    this.as_secs_f64() / other.as_secs_f64()
}

//! What an append and a delivery cost, of two builds in turn on one machine: the server, and Redis if it is the store.

use crate::{
    Result,
    client::{Client, key, sign_in},
    server::{Server, cpu_of},
};
use app::protocol::ServerFrame;
use clap::Args;
use futures_util::future::try_join_all;
use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

#[derive(Args)]
pub struct Options {
    /// The other build, such as the one before a change
    #[arg(long)]
    against: PathBuf,
    /// On a Redis that is started for it, rather than on the embedded store
    #[arg(long)]
    redis: bool,
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Messages of one sender who is alone in a room
    #[arg(long, default_value_t = 20_000)]
    appends: u64,
    /// Sockets in a room, and messages that each of them is sent
    #[arg(long, default_value_t = 200)]
    readers: usize,
    #[arg(long, default_value_t = 500)]
    messages: u64,
}

/// CPU time of the server by append, and by delivery with its share of the append; and of Redis by append.
struct Cost {
    append: Duration,
    delivery: Duration,
    store: Duration,
}

/// A Redis that keeps nothing. Ends when dropped.
struct Redis {
    process: Child,
    url: String,
}

impl Redis {
    async fn start(dir: &Path) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let process = Command::new("redis-server")
            .args(["--port", &address.port().to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
            .arg(dir)
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start redis-server: {error}"))?;
        let redis = Self { process, url: format!("redis://{address}") };
        while tokio::net::TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(redis)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub async fn measure(program: &Path, options: &Options) -> Result<()> {
    let builds = [("this", program), ("other", options.against.as_path())];
    let mut costs = [Vec::new(), Vec::new()];
    for round in 0..options.rounds {
        for turn in 0..2 {
            // Each goes first as often as the other.
            let build = (round + turn) % 2;
            costs[build].push(one(builds[build].1, options).await?);
        }
    }
    let mut kinds = vec![("append", (|cost| cost.append) as fn(&Cost) -> Duration), ("delivery", |cost| cost.delivery)];
    if options.redis {
        kinds.push(("append, in Redis", |cost| cost.store));
    }
    for (what, pick) in kinds {
        let medians = costs.each_ref().map(|costs| {
            let mut sorted: Vec<_> = costs.iter().map(pick).collect();
            sorted.sort();
            sorted[sorted.len() / 2]
        });
        for ((name, _), median) in builds.iter().zip(medians) {
            println!("{what}, {name} build: median {median:?} of CPU ({} rounds)", options.rounds);
        }
        println!("{what}, ratio: {:.3}", medians[0].as_secs_f64() / medians[1].as_secs_f64());
    }
    Ok(())
}

async fn one(program: &Path, options: &Options) -> Result<Cost> {
    let data = tempfile::TempDir::new()?;
    let redis = if options.redis { Some(Redis::start(data.path()).await?) } else { None };
    let server = match &redis {
        Some(redis) => Server::start_with(program, &["--redis-url".as_ref(), redis.url.as_ref()], "0").await?,
        None => Server::start(program, data.path()).await?,
    };
    let stored = || redis.as_ref().map_or(Ok(Duration::ZERO), |redis| cpu_of(redis.process.id()));
    let cookie = sign_in(server.address, "bench", "alone").await?;
    let sender_cookie = sign_in(server.address, "sender", "full").await?;
    let (alone, full) = (key("alone")?, key("full")?);

    let mut sender = Client::connect(server.address, &cookie).await?;
    sender.join(&alone).await?;
    let (before, stored_before) = (server.settled_cpu().await?, stored()?);
    sender.fill(&alone, options.appends).await?;
    let appends = u32::try_from(options.appends)?;
    let append = server.settled_cpu().await?.saturating_sub(before) / appends;
    let store = stored()?.saturating_sub(stored_before) / appends;

    let reader = async || {
        let mut reader = Client::connect(server.address, &cookie).await?;
        reader.join(&full).await?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(reader)
    };
    let mut readers = Vec::new();
    for _ in 0..options.readers {
        readers.push(reader().await?);
    }
    let mut sender = Client::connect(server.address, &sender_cookie).await?;
    sender.join(&full).await?;
    let before = server.settled_cpu().await?;
    let read = readers.iter_mut().map(async |reader| {
        let mut came = 0;
        while came < options.messages {
            came += u64::from(matches!(reader.frame().await?, ServerFrame::Entry { .. }));
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    });
    let (filled, read) = tokio::join!(sender.fill(&full, options.messages), try_join_all(read));
    filled?;
    read?;
    let spent = server.settled_cpu().await?.saturating_sub(before);
    let deliveries = u32::try_from(options.messages)? * u32::try_from(options.readers)?;
    Ok(Cost { append, delivery: spent / deliveries, store })
}

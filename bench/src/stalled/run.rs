//! One run: a fresh server, a busy room, and a thousand others who do not read.

use super::{
    Options,
    readers::{Purpose, Readers, Writer},
    waking::{Sleeper, Woken},
};
use crate::{
    Result,
    client::{Client, key, sign_in},
    server::Server,
    sockets::{self, Held},
};
use app::domain::{Cursor, RoomKey};
use futures_util::{
    StreamExt, TryStreamExt,
    future::{join_all, try_join_all},
    stream,
};
use std::{
    collections::HashMap,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};
use tokio::{sync::watch, time::sleep};

const BUSY: &str = "busy";
const QUIET: &str = "quiet";
/// Characters of a message that fills buffers: the most that one may have.
const FILL_BYTES: usize = 4_000;
/// They come in bursts: a socket then takes as much at once as it may, and has most in hand when it stalls.
const FILL_PACE: Duration = Duration::from_micros(50);
const TIMED_BYTES: usize = 128;
/// How many people sign in and join at a time.
const ARRIVING: usize = 32;
/// How long buffers may take to fill.
const SETTLING: Duration = Duration::from_secs(8);
/// How long the server is given to close who is stalled; it does so after 35 s.
const CLOSING: Duration = Duration::from_mins(1);

/// Who the others are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// In a room of their own, where nothing happens.
    Idle,
    /// In the busy room.
    Stalled,
}

pub struct Run {
    /// Server CPU by delivery to a reader, in microseconds.
    pub cpu: f64,
    pub p50: Duration,
    pub p99: Duration,
    /// What the server's process has in RAM.
    pub process_kib: f64,
    /// What the kernel holds for the server's ends of the others' connections.
    pub kernel_kib: f64,
    /// How many of the others were still connected when memory was looked at.
    pub open: usize,
    /// To how many of those the server wrote nothing while the readers were timed.
    pub quiet: usize,
    /// How long before that the first message was sent: beyond 35 s the server closes who has stalled.
    pub age: Duration,
    /// What came of each that woke: first those still connected, then those that the server had closed.
    pub woken: Vec<Result<Woken>>,
}

pub async fn run(program: &Path, options: &Options, others: Others) -> Result<Run> {
    let data = tempfile::TempDir::new()?;
    let server = Server::start(program, data.path()).await?;
    let address = server.address;

    let start = Instant::now();
    let busy = key(BUSY)?;
    let clients = arrive(options.readers, |i| read(address, format!("reader {i}"), &busy)).await?;
    let readers = Readers::start(clients, start);
    let writer = read(address, "writer".to_owned(), &busy).await?;
    let mut writer = Writer::new(writer, busy, start);
    let room = if others == Others::Idle { QUIET } else { BUSY };
    let mut sleepers = arrive(options.stalled, |i| async move {
        let cookie = sign_in(address, &format!("sleeper {i}"), room).await?;
        Sleeper::join(address, cookie, key(room)?, options.receive_buffer).await
    })
    .await?;
    try_join_all(sleepers.iter_mut().map(Sleeper::doze_off)).await?;
    let ports: Vec<u16> = sleepers.iter().map(|sleeper| sleeper.port).collect();

    let pace = Duration::from_secs(1) / options.rate;
    let first = Instant::now();
    writer.write(Purpose::Fill, options.fill, FILL_BYTES, FILL_PACE).await?;
    readers.all_seen(options.fill).await?;

    let timed = options.rate * options.secs;
    let before = settled(address, &ports).await?;
    let cpu_before = server.settled_cpu().await?;
    let mut end = writer.write(Purpose::Timed, timed, TIMED_BYTES, pace).await?;
    readers.all_seen(options.fill + timed).await?;
    let cpu = server.settled_cpu().await?.saturating_sub(cpu_before);
    let after = sockets::held(address.port())?;
    let process = server.resident_kib()?;
    let age = first.elapsed();
    let latencies = readers.latencies();

    let mut woken = Vec::new();
    if others == Others::Stalled {
        let mut closed = sleepers.split_off(sleepers.len().min(options.waking as usize));
        closed.truncate(options.waking as usize);
        let (target, known) = watch::channel(None);
        // The room stays busy while they catch up.
        let more = async {
            let end = writer.write(Purpose::Fill, options.rate, TIMED_BYTES, pace).await;
            target.send_replace(end.as_ref().ok().copied().flatten());
            end
        };
        let (awake, written) = tokio::join!(wake(sleepers, &known), more);
        end = written?.or(end);
        woken.extend(awake);
        target.send_replace(end);
        all_closed(address, &closed).await?;
        woken.extend(wake(closed, &known).await);
    }

    let held = |port| Some((before.get(port), after.get(port)?));
    let open: Vec<_> = ports.iter().filter_map(held).collect();
    Ok(Run {
        cpu: cpu.as_secs_f64() * 1e6 / (f64::from(timed) * f64::from(options.readers)),
        p50: percentile(&latencies, 50),
        p99: percentile(&latencies, 99),
        process_kib: float(process),
        kernel_kib: float(open.iter().map(|(_, after)| after.memory).sum::<u64>() / 1024),
        open: open.len(),
        quiet: open
            .iter()
            .filter(|(before, after)| before.is_some_and(|before| before.written == after.written))
            .count(),
        age,
        woken,
    })
}

/// Lets `count` people come, some at a time.
async fn arrive<T, F: Future<Output = Result<T>>>(count: u32, one: impl Fn(u32) -> F) -> Result<Vec<T>> {
    stream::iter(0..count).map(one).buffer_unordered(ARRIVING).try_collect().await
}

async fn read(address: SocketAddr, name: String, room: &RoomKey) -> Result<Client> {
    let cookie = sign_in(address, &name, room.as_str()).await?;
    let mut client = Client::connect(address, &cookie).await?;
    client.join(room).await?;
    Ok(client)
}

async fn wake(sleepers: Vec<Sleeper>, end: &watch::Receiver<Option<Cursor>>) -> Vec<Result<Woken>> {
    join_all(sleepers.into_iter().map(|sleeper| sleeper.wake(end.clone()))).await
}

/// What the kernel holds once the server writes no more to those at `ports`: no change for half a second.
async fn settled(address: SocketAddr, ports: &[u16]) -> Result<HashMap<u16, Held>> {
    let start = Instant::now();
    let mut before = sockets::held(address.port())?;
    loop {
        sleep(Duration::from_millis(500)).await;
        let now = sockets::held(address.port())?;
        let written = |held: &HashMap<u16, Held>, port| held.get(port).map(|held: &Held| held.written);
        // Those that go on are not among the stalled in the end.
        if start.elapsed() > SETTLING || ports.iter().all(|port| written(&before, port) == written(&now, port)) {
            return Ok(now);
        }
        before = now;
    }
}

/// Waits until the server has given up all of `sleepers`.
async fn all_closed(address: SocketAddr, sleepers: &[Sleeper]) -> Result<()> {
    let start = Instant::now();
    loop {
        let held = sockets::held(address.port())?;
        let open = sleepers.iter().filter(|sleeper| held.contains_key(&sleeper.port)).count();
        if open == 0 {
            return Ok(());
        }
        if start.elapsed() > CLOSING {
            return Err(format!("{open} of {} stalled sockets were not closed in {CLOSING:?}", sleepers.len()).into());
        }
        sleep(Duration::from_millis(250)).await;
    }
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted.get(sorted.len() * percent / 100).copied().unwrap_or_default()
}

fn float(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

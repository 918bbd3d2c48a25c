//! What others notice of somebody who does what they should not, with the usual limits: how long a message is under way, and
//! what the server has in RAM.
//!
//! The attacker asks from an address of its own, on threads that yield to everybody else's: it stands for other machines.

use crate::{
    Result,
    client::{Client, key, sign_in, sign_in_from},
    server::Server,
};
use app::{
    domain::ProducerId,
    protocol::{ClientFrame, ServerFrame},
};
use clap::Args;
use futures_util::{
    StreamExt,
    future::{join_all, try_join_all},
    stream,
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
    runtime::{Builder, Runtime},
    time::{interval, sleep},
};

/// Where the attacker asks from.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// How much of it happens at a time.
const AT_ONCE: usize = 64;
/// Sockets that the attacker tries to have with one cookie.
const SOCKETS: usize = 10_000;
/// Connections that the attacker tries to keep.
const CONNECTIONS: usize = 4_000;
/// How often somebody else writes.
const PACE: Duration = Duration::from_millis(100);

#[derive(Args)]
pub struct Options {
    /// Seconds of each attack, and of the quiet before it
    #[arg(long, default_value_t = 10)]
    secs: u64,
    /// People in each of the rooms in which others write
    #[arg(long, default_value_t = 20)]
    readers: usize,
    /// Rooms in which others write
    #[arg(long, default_value_t = 5)]
    rooms: usize,
}

/// (what it is called, what is done until it is dropped; each thing done is counted)
type Attack = (&'static str, fn(SocketAddr, Arc<AtomicU64>) -> Runtime);

pub fn measure(program: &Path, options: &Options) -> Result<()> {
    let attacks: [Attack; 8] = [
        ("sockets of one cookie", |to, done| started(async move |cookie| sockets(to, cookie, done).await, to)),
        ("messages", |to, done| started(async move |cookie| messages(to, cookie, done).await, to)),
        ("voids of fresh producers", |to, done| started(async move |cookie| voids(to, cookie, done).await, to)),
        ("joins of one room", |to, done| started(async move |cookie| joins(to, cookie, done).await, to)),
        ("half messages", |to, done| started(async move |cookie| halves(to, cookie, done).await, to)),
        ("sign-ins", |to, done| started(async move |_| sign_ins(to, done).await, to)),
        ("pages", |to, done| started(async move |_| pages(to, done).await, to)),
        ("readers that stop", |to, done| started(async move |_| unread(to, done).await, to)),
    ];
    println!("| attack | done | p50 before | p50 meanwhile | ratio | MiB before | MiB meanwhile |");
    println!("|---|---|---|---|---|---|---|");
    let others = Runtime::new()?;
    for (name, attack) in attacks {
        let data = tempfile::TempDir::new()?;
        let arguments = ["--data-dir".as_ref(), data.path().as_os_str()];
        let server = others.block_on(Server::start_with(program, &arguments, "1"))?;
        let done = Arc::new(AtomicU64::new(0));
        let (quiet, quiet_kib) = others.block_on(talk(&server, options))?;
        let attacker = attack(server.address, Arc::clone(&done));
        let (attacked, kib) = others.block_on(talk(&server, options))?;
        attacker.shutdown_background();
        println!(
            "| {name} | {} | {quiet:.1?} | {attacked:.1?} | {:.2} | {} | {} |",
            done.load(Ordering::Relaxed),
            attacked.as_secs_f64() / quiet.as_secs_f64(),
            quiet_kib / 1024,
            kib / 1024
        );
    }
    Ok(())
}

/// Others talk for a while. The median of how long a message was under way to one of them, and what the server has in RAM then, in
/// KiB.
async fn talk(server: &Server, options: &Options) -> Result<(Duration, u64)> {
    let rooms = (0..options.rooms).map(|room| talk_in(server.address, room, options));
    let mut took = try_join_all(rooms).await?.concat();
    took.sort();
    Ok((took[took.len() / 2], server.resident_kib()?))
}

async fn talk_in(to: SocketAddr, number: usize, options: &Options) -> Result<Vec<Duration>> {
    let run = fastrand::u32(..);
    let name = format!("room {number}");
    let room = key(&name)?;
    let cookie = sign_in(to, &format!("writer {number} {run}"), &name).await?;
    let mut writer = Client::connect(to, &cookie).await?;
    writer.join(&room).await?;
    let mut readers = Vec::new();
    for reader in 0..options.readers {
        let cookie = sign_in(to, &format!("reader {number} {reader} {run}"), &name).await?;
        let mut reader = Client::connect(to, &cookie).await?;
        reader.join(&room).await?;
        readers.push(reader);
    }
    let mut pace = interval(PACE);
    let mut took = Vec::new();
    let p = ProducerId(u64::from(run));
    let end = Instant::now() + Duration::from_secs(options.secs);
    for n in 1.. {
        pace.tick().await;
        let sent = Instant::now();
        if sent > end {
            break;
        }
        writer.send(&ClientFrame::Send { room: room.clone(), p, n, text: n.to_string(), earlier: Vec::new() }).await?;
        let came = readers.iter_mut().map(async |reader| {
            while !matches!(reader.frame().await?, ServerFrame::Entry { .. }) {}
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(sent.elapsed())
        });
        took.extend(try_join_all(came).await?);
        while !matches!(writer.frame().await?, ServerFrame::Ack { .. }) {}
    }
    Ok(took)
}

/// Starts an attack with a session's cookie, on a thread that yields to others.
fn started<F: Future<Output = ()>>(attack: impl FnOnce(String) -> F + Send + 'static, to: SocketAddr) -> Runtime {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .on_thread_start(|| {
            let _ = rustix::process::nice(19);
        })
        .build()
        .unwrap_or_else(|error| unreachable!("a runtime: {error}"));
    let handle = runtime.handle().clone();
    runtime.spawn_blocking(move || {
        handle.block_on(async {
            let name = format!("attacker {}", fastrand::u32(..));
            match sign_in_from(ELSEWHERE, to, &name, "lair").await {
                Ok(cookie) => attack(cookie).await,
                Err(error) => eprintln!("the attacker did not get in: {error}"),
            }
        });
    });
    runtime
}

async fn inside(to: SocketAddr, cookie: &str) -> Result<Client> {
    let mut client = Client::from(ELSEWHERE, to, cookie).await?;
    client.join(&key("lair")?).await?;
    Ok(client)
}

async fn sockets(to: SocketAddr, cookie: String, done: Arc<AtomicU64>) {
    let held = stream::iter(0..SOCKETS)
        .map(|_| async {
            let client = Client::from(ELSEWHERE, to, &cookie).await;
            done.fetch_add(1, Ordering::Relaxed);
            client.ok()
        })
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    sleep(Duration::MAX).await;
    drop(held);
}

/// Sends on a few sockets as fast as they take it.
async fn pour(to: SocketAddr, cookie: &str, done: &AtomicU64, frame: impl Fn(u64) -> ClientFrame) {
    let socket = async || {
        let mut client = inside(to, cookie).await?;
        loop {
            client.send(&frame(done.fetch_add(1, Ordering::Relaxed) + 1)).await?;
            // What the server answers is read, so that it is not for that that it stops reading.
            while let Ok(Some(_)) = tokio::time::timeout(Duration::ZERO, client.text()).await {}
        }
    };
    join_all((0..4).map(async |_| {
        let ended: Result<()> = socket().await;
        ended.err()
    }))
    .await;
}

async fn messages(to: SocketAddr, cookie: String, done: Arc<AtomicU64>) {
    let Ok(room) = key("lair") else { return };
    pour(to, &cookie, &done, |n| ClientFrame::Send {
        room: room.clone(),
        p: ProducerId(n),
        n: 1,
        text: "x".repeat(4_000),
        earlier: Vec::new(),
    })
    .await;
}

async fn voids(to: SocketAddr, cookie: String, done: Arc<AtomicU64>) {
    let Ok(room) = key("lair") else { return };
    pour(to, &cookie, &done, |n| ClientFrame::Void { room: room.clone(), p: ProducerId(n), n: 1 }).await;
}

async fn joins(to: SocketAddr, cookie: String, done: Arc<AtomicU64>) {
    let Ok(room) = key("lair") else { return };
    pour(to, &cookie, &done, |_| ClientFrame::Join { room: room.clone(), cursor: None }).await;
}

/// Sockets that begin a message, and go on with it by a byte a second.
async fn halves(to: SocketAddr, cookie: String, done: Arc<AtomicU64>) {
    let half = |cookie| {
        let done = &done;
        async move {
            let mut client = Client::from(ELSEWHERE, to, cookie).await?;
            // A text of 4,000 bytes under a mask of zeros (RFC 6455, 5.2), and half of it.
            client.write_raw(&[&[0x81, 0xfe, 0x0f, 0xa0, 0, 0, 0, 0][..], &[b' '; 2_000]].concat()).await?;
            done.fetch_add(1, Ordering::Relaxed);
            loop {
                sleep(Duration::from_secs(1)).await;
                client.write_raw(b" ").await?;
            }
        }
    };
    stream::iter(0..SOCKETS)
        .for_each_concurrent(AT_ONCE, |_| async {
            let ended: Result<()> = half(&cookie).await;
            drop(ended);
        })
        .await;
}

async fn sign_ins(to: SocketAddr, done: Arc<AtomicU64>) {
    stream::iter(0u64..)
        .for_each_concurrent(AT_ONCE, |n| {
            let done = &done;
            async move {
                let _ = sign_in_from(ELSEWHERE, to, &format!("name {n}"), &format!("lair {n}")).await;
                done.fetch_add(1, Ordering::Relaxed);
            }
        })
        .await;
}

async fn ask(to: SocketAddr, path: &str) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((ELSEWHERE, 0)))?;
    let mut stream = socket.connect(to).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {to}\r\n\r\n").as_bytes()).await?;
    Ok(stream)
}

async fn pages(to: SocketAddr, done: Arc<AtomicU64>) {
    let one = async || {
        let mut stream = ask(to, "/").await?;
        let mut begin = [0; 1024];
        tokio::io::AsyncReadExt::read(&mut stream, &mut begin).await?;
        done.fetch_add(1, Ordering::Relaxed);
        Ok(())
    };
    stream::iter(0u64..)
        .for_each_concurrent(AT_ONCE, |_| async {
            let ended: Result<()> = one().await;
            drop(ended);
        })
        .await;
}

/// Connections that ask for a page and never read it.
async fn unread(to: SocketAddr, done: Arc<AtomicU64>) {
    let held = stream::iter(0..CONNECTIONS)
        .map(|_| async {
            let stream = ask(to, "/").await;
            done.fetch_add(1, Ordering::Relaxed);
            stream.ok()
        })
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    sleep(Duration::MAX).await;
    drop(held);
}

//! The whole server within one thread: its clock, its random numbers and what carries its connections are the test's.
#![allow(clippy::unwrap_used)]

mod support;

use app::{
    domain::ProducerId,
    protocol::{ClientFrame, IN_FLIGHT_MAX, SUBPROTOCOL, ServerFrame},
};
use clap::Parser;
use futures_util::{FutureExt, StreamExt};
use hubbub::{
    chat::Chat,
    config::Config,
    http::{AppState, Serving, Site},
    open_engine,
};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};
use support::{person::Socket, server::site};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    task::spawn_blocking,
    time::advance,
};
use tokio_tungstenite::{
    client_async,
    tungstenite::{
        Message,
        client::IntoClientRequest,
        http::header::{COOKIE, SEC_WEBSOCKET_PROTOCOL},
    },
};
use tokio_util::sync::CancellationToken;

const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);
const P: ProducerId = ProducerId(7);

/// A server to which nothing leads but what a test hands it.
struct InProcess {
    serving: Serving,
    _dirs: [TempDir; 2],
    _clock: mpsc::Sender<()>,
}

impl InProcess {
    /// With random numbers that count from 1.
    async fn start() -> Self {
        let (data, site) = (TempDir::new().unwrap(), site());
        let data_dir = data.path().to_str().unwrap();
        let config = Config::parse_from(["hubbub", "--data-dir", data_dir, "--limits", "0"]);
        let engine = open_engine(&config).await.unwrap();
        let drawn = AtomicU64::new(1);
        let chat = Chat::start_with(engine, &config, Arc::new(move || drawn.fetch_add(1, Ordering::Relaxed)));
        let state = AppState::new(chat, config, Site::open(site.path().to_owned(), None).unwrap(), 3000);
        // The engine has threads of its own, for which a paused clock would not wait. It stands still while such a task runs.
        let (clock, stands) = mpsc::channel();
        spawn_blocking(move || stands.recv());
        Self { serving: Serving::new(state, 256, CancellationToken::new()), _dirs: [data, site], _clock: clock }
    }

    /// A connection that holds so many bytes each way.
    fn connect(&self, bytes: usize) -> DuplexStream {
        let (client, server) = duplex(bytes);
        tokio::spawn(self.serving.connection(server, PEER).unwrap());
        client
    }

    /// The answer's head.
    async fn post(&self, path: &str, form: &str) -> String {
        let (mut stream, length) = (self.connect(1024), form.len());
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost:3000\r\nConnection: close\r\nContent-Length: {length}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.split_once("\r\n\r\n").unwrap().0.to_owned()
    }

    /// Signs in and returns the cookie.
    async fn sign_in(&self, name: &str) -> String {
        let head = self.post("/signin", &format!("name={name}&room=a")).await;
        assert!(head.starts_with("HTTP/1.1 303 "), "{head}");
        head.lines().find_map(|line| line.strip_prefix("set-cookie: ")?.split(';').next()).unwrap().to_owned()
    }

    /// An open socket; the server's `hello` was read.
    async fn socket(&self, cookie: &str, bytes: usize) -> Socket<DuplexStream> {
        let mut request = "ws://localhost:3000/ws".into_client_request().unwrap();
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL.parse().unwrap());
        request.headers_mut().insert(COOKIE, cookie.parse().unwrap());
        let (ws, _) = client_async(request, self.connect(bytes)).await.unwrap();
        let mut socket = Socket { ws };
        assert!(matches!(socket.frame().await, ServerFrame::Hello { .. }));
        socket
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_comes_back_over_a_connection_without_a_network() {
    let server = InProcess::start().await;
    let cookie = server.sign_in("Kim").await;
    let mut socket = server.socket(&cookie, 64 * 1024).await;
    socket.join("a", None).await;
    socket.say("a", P, 1, "hello").await;
    let (mut acknowledged, mut entered) = (None, None);
    while acknowledged.is_none() || entered.is_none() {
        match socket.frame().await {
            ServerFrame::Ack { n: 1, at, .. } => acknowledged = Some(at),
            ServerFrame::Entry { entry, .. } => entered = Some(entry),
            _ => {}
        }
    }
    let (at, entry) = (acknowledged.unwrap(), entered.unwrap());
    assert_eq!((entry.seq, entry.id, entry.text()), (at.seq, at.id, Some("hello")));
}

#[tokio::test(start_paused = true)]
async fn random_numbers_come_from_where_the_test_says() {
    let (one, other) = (InProcess::start().await, InProcess::start().await);
    for server in [one, other] {
        let head = server.post("/signin", "name=Kim&room=a").await;
        assert!(head.contains("\r\nx-request-id: 0000000000000001"), "{head}");
        let next: Vec<_> = (2..6_u64).map(|drawn| format!("{:016x}", drawn.to_be())).collect();
        assert!(head.contains(&next.concat()), "no token of the next four: {head}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_asked_for_a_sign_of_life_when_the_clock_of_the_test_says() {
    let server = InProcess::start().await;
    let cookie = server.sign_in("Kim").await;
    let mut socket = server.socket(&cookie, 64 * 1024).await;
    advance(Duration::from_millis(24_900)).await;
    assert!(socket.ws.next().now_or_never().is_none());
    advance(Duration::from_millis(100)).await;
    assert!(matches!(socket.ws.next().await, Some(Ok(Message::Ping(_)))));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_little_at_a_time_is_read_from_meanwhile() {
    const ENTRIES: u64 = 200;
    let server = InProcess::start().await;
    let (kim, lee) = (server.sign_in("Kim").await, server.sign_in("Lee").await);
    let (mut writer, mut reader) = (server.socket(&kim, 64 * 1024).await, server.socket(&lee, 1024).await);
    writer.join("a", None).await;
    reader.join("a", None).await;
    for n in 1..=ENTRIES {
        writer.say("a", P, n, &"x".repeat(1_000)).await;
        writer.ack(n).await;
    }
    reader.send(&ClientFrame::Ping).await;
    let mut before = 0;
    while !matches!(reader.frame().await, ServerFrame::Pong) {
        before += 1;
    }
    assert!(before < ENTRIES / 2, "it was answered after {before} frames");
}

/// Nothing is awaited between reading a frame and the store's taking it up.
#[tokio::test(start_paused = true)]
async fn a_burst_of_one_sender_is_appended_in_its_order() {
    let server = InProcess::start().await;
    let cookie = server.sign_in("Kim").await;
    let mut socket = server.socket(&cookie, 64 * 1024).await;
    socket.join("a", None).await;
    let sent = 1..=IN_FLIGHT_MAX as u64;
    for n in sent.clone() {
        socket.say("a", P, n, &format!("m{n}")).await;
    }
    let mut entered = Vec::new();
    while entered.len() < IN_FLIGHT_MAX {
        match socket.frame().await {
            ServerFrame::Entry { entry, .. } => entered.push((entry.n, entry.seq)),
            ServerFrame::Refused { n, code, .. } => panic!("{n} was refused: {code:?}"),
            _ => {}
        }
    }
    assert_eq!(entered, sent.map(|n| (n, n)).collect::<Vec<_>>());
}

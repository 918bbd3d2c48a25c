//! How it waits for its store, and how it ends: at any moment, and with people talking.

use super::*;
use std::{
    io::{BufRead, BufReader, Lines},
    process::ChildStderr,
};

/// A process whose Redis is away, once it said that it waits.
struct Waiting {
    child: Child,
    address: SocketAddr,
    _said: Lines<BufReader<ChildStderr>>,
    _site: TempDir,
}

impl Waiting {
    fn for_redis(redis: &RedisServer) -> Self {
        let (site, address) = (site(), free_address());
        let (port, site_dir) = (address.port().to_string(), site.path().to_str().unwrap());
        let args = ["--port", &port, "--site-dir", site_dir, "--redis-url", &redis.tcp_url(), "--log", "warn"];
        let mut child = program(&args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        // Other warnings may come before.
        let waits = said.by_ref().map_while(Result::ok).any(|line| line.contains("waiting for Redis since"));
        assert!(waits, "it ended without a word about waiting");
        Self { child, address, _said: said, _site: site }
    }

    fn signal(&self, signal: &str) {
        send(&self.child, signal);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[tokio::test]
async fn it_waits_for_its_store_and_listens_once_that_is_there() {
    let mut redis = RedisServer::start(&[]);
    redis.kill();
    let waiting = Waiting::for_redis(&redis);
    assert!(TcpStream::connect(waiting.address).is_err(), "nobody is sent to it yet");
    redis.restart();
    until_it_listens(waiting.address).await;

    // One that takes connections and does not answer.
    redis.signal("STOP");
    let waiting = Waiting::for_redis(&redis);
    assert!(TcpStream::connect(waiting.address).is_err(), "nobody is sent to it yet");
    redis.signal("CONT");
    until_it_listens(waiting.address).await;

    // One that is about to take over.
    assert_eq!(redis.cli(&["REPLICAOF", "127.0.0.1", "1"]), "OK");
    let waiting = Waiting::for_redis(&redis);
    assert_eq!(redis.cli(&["REPLICAOF", "NO", "ONE"]), "OK");
    until_it_listens(waiting.address).await;
}

#[test]
fn a_signal_ends_the_waiting_at_once() {
    let mut redis = RedisServer::start(&[]);
    redis.signal("STOP");
    let ends = |signal: &str, mut waiting: Waiting| {
        waiting.signal(signal);
        let told = Instant::now();
        let status = waiting.child.wait().unwrap();
        assert!(status.success(), "SIG{signal}: {status}");
        assert!(told.elapsed() < Duration::from_secs(5), "SIG{signal}: after {:?}", told.elapsed());
    };
    ends("TERM", Waiting::for_redis(&redis));
    redis.kill();
    for signal in ["INT", "HUP"] {
        ends(signal, Waiting::for_redis(&redis));
    }
}

#[tokio::test]
async fn a_terminal_that_is_closed_ends_it_as_sigterm_does() {
    let mut server = Process::start().await;
    let person = Person::signed_in(&server, "Ann", "a").await;
    let mut socket = person.socket(&server).await;
    socket.join("a", None).await;
    send(&server.child, "HUP");
    assert_eq!(socket.closed().await.code(), Some(1012));
    let status = tokio::task::spawn_blocking(move || server.child.wait().unwrap()).await.unwrap();
    assert!(status.success(), "{status}");
}

/// Whether it handles SIGTERM by now; `None` once it has ended.
fn handles_sigterm(id: u32) -> Option<bool> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
    Some(u64::from_str_radix(caught.trim(), 16).unwrap() >> (15 - 1) & 1 == 1)
}

#[tokio::test]
async fn sigterm_ends_it_at_any_moment_of_its_start_and_the_next_start_is_as_if_nothing_had_been() {
    let (data, site) = (TempDir::new().unwrap(), site());
    let folders = [data.path().to_str().unwrap(), site.path().to_str().unwrap()];
    let start = || {
        let address = free_address();
        let port = address.port().to_string();
        let args = ["--port", &port, "--data-dir", folders[0], "--site-dir", folders[1], "--log", "warn"];
        (program(&args).stderr(Stdio::piped()).spawn().unwrap(), address)
    };
    // From the moment on from which it promises to, and a little later each time: before, while and after the store is opened.
    for round in 0..12 {
        let (child, _) = start();
        let began = Instant::now();
        while handles_sigterm(child.id()) == Some(false) {
            assert!(began.elapsed() < PATIENCE, "it does not handle SIGTERM");
            std::thread::yield_now();
        }
        let ready = Instant::now();
        while ready.elapsed() < Duration::from_millis(round) {
            std::thread::yield_now();
        }
        send(&child, "TERM");
        let told = Instant::now();
        let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(ended.status.success() && said.is_empty(), "after {round} ms: {} {said}", ended.status);
        assert!(told.elapsed() < Duration::from_secs(10), "after {round} ms: {:?}", told.elapsed());
    }
    let (child, address) = start();
    until_it_listens(address).await;
    let server = Process { child, address, dirs: [data, site] };
    Person::signed_in(&server, "Ann", "a").await;
}

#[tokio::test]
async fn what_was_started_to_outlive_its_terminal_does() {
    let (data, site, address) = (TempDir::new().unwrap(), site(), free_address());
    let port = address.port().to_string();
    let args =
        ["--port", &port, "--data-dir", data.path().to_str().unwrap(), "--site-dir", site.path().to_str().unwrap()];
    let mut nohup = Command::new("nohup");
    nohup.env("HUBBUB_LOG", "off").arg(env!("CARGO_BIN_EXE_hubbub")).args(args);
    let child = nohup.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let server = Process { child, address, dirs: [data, site] };
    until_it_listens(address).await;
    send(&server.child, "HUP");
    let person = Person::signed_in(&server, "Ann", "a").await;
    assert_eq!(person.get(&server, "/health/ready").await.status(), 200);
}

#[tokio::test]
async fn sigterm_ends_it_within_ten_seconds_with_people_talking() {
    let mut server = Process::start().await;
    let mut sockets = Vec::new();
    for i in 0..20 {
        let person = Person::signed_in(&server, &format!("person {i}"), "a").await;
        let mut socket = person.socket(&server).await;
        socket.join("a", None).await;
        socket.say("a", ProducerId(1), 1, "hello").await;
        sockets.push(socket);
    }
    let start = Instant::now();
    signal("-TERM", server.child.id());
    for socket in &mut sockets {
        assert_eq!(socket.closed().await.code(), Some(1012));
    }
    let status = tokio::task::spawn_blocking(move || server.child.wait().unwrap()).await.unwrap();
    assert!(status.success() && start.elapsed() < Duration::from_secs(10), "{status} after {:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_stops_nobody_keeps_a_connection_to_it() {
    let mut server = Process::start().await;
    let person = Person::signed_in(&server, "지우", "a").await;
    // Its client is given time to move, and meanwhile requests are answered.
    let mut socket = person.socket(&server).await;
    let kept = async || {
        let answer = person.get(&server, "/").await;
        answer.headers().get("connection").is_none_or(|connection| connection != "close")
    };
    assert!(kept().await, "as long as it does not stop");
    signal("-TERM", server.child.id());
    until("it lets connections go", async || !kept().await).await;
    assert_eq!(socket.closed().await.code(), Some(1012));
    assert!(server.child.wait().unwrap().success());
}

//! The program as whoever runs it sees it: how it starts, why it does not, how it stops, and what it does without a store.
#![allow(clippy::unwrap_used)]

mod support;

use app::{
    domain::ProducerId,
    protocol::{ErrorCode, ServerFrame},
};
use std::{
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};
use support::{
    person::{PATIENCE, Person},
    redis::RedisServer,
    server::{At, Server, free_address, site, until_it_listens},
};
use tempfile::TempDir;

fn program(args: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_hubbub"));
    // Nothing from whoever runs the tests.
    program.env_clear().args(args).stdin(Stdio::null());
    program
}

fn fails(args: &[&str]) -> (Output, String) {
    let output = program(args).output().unwrap();
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    (output, error)
}

struct Process {
    child: Child,
    address: SocketAddr,
    dirs: [TempDir; 2],
}

impl At for Process {
    fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Process {
    async fn start() -> Self {
        let (data, site, address) = (TempDir::new().unwrap(), site(), free_address());
        let (data_dir, site_dir) = (data.path().to_str().unwrap(), site.path().to_str().unwrap());
        let port = address.port().to_string();
        let args = ["--port", &port, "--data-dir", data_dir, "--site-dir", site_dir, "--log", "warn"];
        let child = program(&args).spawn().unwrap();
        until_it_listens(address).await;
        Self { child, address, dirs: [data, site] }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn help_documents_every_setting_with_its_variable() {
    let output = program(&["--help"]).output().unwrap();
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    let readme = include_str!("../README.md");
    for line in help.lines().filter(|line| line.trim_start().starts_with("--")) {
        let name = line.trim_start().split([' ', '=']).next().unwrap();
        assert!(readme.contains(&format!("`{name}`")), "{name} is in the README");
    }
    for variable in
        ["PORT", "REDIS_URL", "REDISHOST", "REDISPORT", "HUBBUB_PUBLIC_URL", "HUBBUB_DATA_DIR", "HUBBUB_LOG"]
    {
        assert!(help.contains(&format!("[env: {variable}")), "{variable}");
    }
}

#[test]
fn a_setting_that_does_not_parse_stops_the_start_with_one_line() {
    for (args, variable) in
        [(["--port", "many"], None), (["--log-format", "xml"], None), (["--log", "info"], Some("x"))]
    {
        let mut program = program(&args);
        if let Some(port) = variable {
            program.env("PORT", port);
        }
        let output = program.output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), error.lines().count()), (Some(2), 1), "{error}");
        assert!(error.starts_with("hubbub: invalid value"), "{error}");
    }
}

#[test]
fn what_keeps_it_from_starting_is_said_in_one_line() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let below_a_file = file.path().join("data").to_str().unwrap().to_owned();
    let nobody = format!("redis://{}", free_address());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let data = TempDir::new().unwrap();
    let data_dir = data.path().to_str().unwrap();
    let free = free_address().port().to_string();
    for (args, says) in [
        (vec!["--data-dir", &below_a_file], below_a_file.as_str()),
        (vec!["--redis-url", &nobody], &nobody["redis://".len()..]),
        (vec!["--data-dir", data_dir, "--port", &port], "cannot listen"),
        (vec!["--data-dir", data_dir, "--port", &free, "--site-dir", "/nonexistent"], "make build"),
    ] {
        let start = Instant::now();
        let args = [vec!["--log", "off"], args].concat();
        let (output, error) = fails(&args);
        assert_eq!((output.status.code(), error.lines().count()), (Some(1), 1), "{args:?}: {error}");
        assert!(error.starts_with("hubbub: ") && error.contains(says), "{args:?}: {error}");
        assert!(start.elapsed() < Duration::from_secs(20));
    }
}

#[tokio::test]
async fn a_second_process_is_kept_off_the_data() {
    let first = Process::start().await;
    let data_dir = first.dirs[0].path().to_str().unwrap();
    let (output, error) = fails(&["--data-dir", data_dir, "--port", "0", "--log", "off"]);
    assert_eq!((output.status.code(), error.lines().count()), (Some(1), 1), "{error}");
    assert!(error.contains(data_dir), "{error}");
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
    let signalled = Command::new("kill").args(["-TERM", &server.child.id().to_string()]).status().unwrap();
    assert!(signalled.success());
    for socket in &mut sockets {
        assert_eq!(socket.closed().await.code(), Some(1012));
    }
    let status = tokio::task::spawn_blocking(move || server.child.wait().unwrap()).await.unwrap();
    assert!(status.success() && start.elapsed() < Duration::from_secs(10), "{status} after {:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_senders_are_told_to_try_again_and_with_it_everything_goes_on() {
    let mut redis = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let server = Server::redis(&redis.url(), &[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let mut socket = person.socket(&server).await;
    socket.join("a", None).await;
    let p = ProducerId(1);
    socket.say("a", p, 1, "before").await;
    socket.ack(1).await;
    redis.kill();
    socket.say("a", p, 2, "meanwhile").await;
    let refused = |frame| match frame {
        ServerFrame::Refused { n: 2, code, retry, .. } => Some((code, retry)),
        ServerFrame::Ack { n: 2, .. } => panic!("acknowledged without a store"),
        _ => None,
    };
    assert_eq!(socket.until(refused).await, (ErrorCode::Unavailable, true));
    assert_eq!(person.get(&server, "/health/live").await.status(), 200);
    assert_eq!(person.get(&server, "/health/ready").await.status(), 503);
    assert_eq!(person.get(&server, "/r/a").await.status(), 503);
    let response = person.post(&server, "/r/a", &[("text", "<by form>")]).await;
    assert_eq!(response.status(), 503);
    let html = response.text().await.unwrap();
    assert!(
        html.contains("action=\"/r/a\"") && html.contains("&lt;by form></textarea>"),
        "kept, to be sent again: {html}"
    );
    redis.restart();
    let start = Instant::now();
    while person.get(&server, "/health/ready").await.status() != 200 {
        assert!(start.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The client sends the same again until it knows.
    let at = loop {
        socket.say("a", p, 2, "meanwhile").await;
        let answer = |frame| match frame {
            ServerFrame::Ack { n: 2, at, .. } => Some(Some(at)),
            ServerFrame::Refused { n: 2, code: ErrorCode::Unavailable, .. } => Some(None),
            _ => None,
        };
        assert!(start.elapsed() < PATIENCE);
        if let Some(at) = socket.until(answer).await {
            break at;
        }
    };
    assert_eq!(at.seq, 2);
    let (_, page) = person.socket(&server).await.join("a", None).await;
    let texts: Vec<_> = page.entries.iter().filter_map(|entry| entry.text()).collect();
    assert_eq!(texts, ["before", "meanwhile"]);
}

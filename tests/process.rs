//! The program as whoever runs it sees it: how it starts, why it does not, how it stops, and what it does without a store.
#![allow(clippy::unwrap_used)]

#[path = "process/backup.rs"]
mod backup;
#[path = "process/credentials.rs"]
mod credentials;
#[path = "process/doctor.rs"]
mod doctor;
#[path = "process/ending.rs"]
mod ending;
#[path = "process/logs.rs"]
mod logs;
#[path = "process/metrics.rs"]
mod metrics;
#[path = "process/notice.rs"]
mod notice;
#[path = "process/outside.rs"]
mod outside;
mod support;
#[path = "process/systemd.rs"]
mod systemd;
#[path = "process/tls.rs"]
mod tls;

use app::{
    domain::ProducerId,
    protocol::{ErrorCode, ServerFrame},
};
use std::{
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};
use support::{
    person::{PATIENCE, Person},
    redis::{RedisServer, rights::PASSWORD},
    server::{At, Server, free_address, site, until_it_listens},
    tools::tool,
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

/// Waits until it is so.
async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < PATIENCE, "still not so: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
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
        Self::start_by(program).await
    }

    async fn start_by(program: impl FnOnce(&[&str]) -> Command) -> Self {
        Self::start_in(TempDir::new().unwrap(), program).await
    }

    async fn start_in(data: TempDir, program: impl FnOnce(&[&str]) -> Command) -> Self {
        let (site, address) = (site(), free_address());
        let (data_dir, site_dir) = (data.path().to_str().unwrap(), site.path().to_str().unwrap());
        let port = address.port().to_string();
        let args = ["--port", &port, "--data-dir", data_dir, "--site-dir", site_dir, "--log", "warn"];
        let child = program(&args).spawn().unwrap();
        until_it_listens(address).await;
        Self { child, address, dirs: [data, site] }
    }
}

fn signal(name: &str, id: u32) {
    let signalled = Command::new("kill").args([name, &id.to_string()]).status().unwrap();
    assert!(signalled.success());
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
        let name = line.trim_start().split([' ', '=', '[']).next().unwrap();
        assert!(readme.contains(&format!("`{name}`")), "{name} is in the README");
    }
    for variable in
        ["PORT", "REDIS_URL", "REDISHOST", "REDISPORT", "HUBBUB_PUBLIC_URL", "HUBBUB_DATA_DIR", "HUBBUB_LOG"]
    {
        assert!(help.contains(&format!("[env: {variable}")), "{variable}");
    }
}

#[test]
fn the_version_names_the_page_that_lies_beside_the_program() {
    let output = program(&["--version"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.starts_with(concat!("hubbub ", env!("CARGO_PKG_VERSION"))), "{said}");

    let dir = TempDir::new().unwrap();
    let copy = dir.path().join("hubbub");
    std::fs::copy(env!("CARGO_BIN_EXE_hubbub"), &copy).unwrap();
    let page = |style: &str| {
        let pkg = dir.path().join("site/pkg");
        std::fs::create_dir_all(&pkg).unwrap();
        for (kind, content) in [("css", style), ("js", "js"), ("wasm", "wasm")] {
            std::fs::write(pkg.join(format!("hubbub.{kind}")), content).unwrap();
        }
        let output = Command::new(&copy).arg("--version").output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        said.trim().split_once(", page ").unwrap_or_else(|| panic!("{said}")).1.to_owned()
    };
    let (one, other) = (page("a {}"), page("b {}"));
    assert!(one.len() == 12 && other.len() == 12 && one != other, "{one} {other}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_itself_says_whether_a_server_serves() {
    let server = Process::start().await;
    let asked = |address: SocketAddr, host: &str| {
        let port = address.port().to_string();
        let args = ["--host", host, "--port", &port, "healthcheck"];
        let output = program(&args).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(asked(server.address, "127.0.0.1"), (0, String::new()));
    assert_eq!(asked(server.address, "0.0.0.0"), (0, String::new()), "as an image is set");

    let (code, said) = asked(free_address(), "127.0.0.1");
    assert!(code == 1 && said.starts_with("hubbub: nothing serves on 127.0.0.1:"), "{said}");

    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let answers = std::thread::spawn(move || {
        let (mut asker, _) = other.accept().unwrap();
        let mut line = String::new();
        BufReader::new(&mut asker).read_line(&mut line).unwrap();
        std::io::Write::write_all(&mut asker, b"HTTP/1.1 404 Not Found\r\n\r\n").unwrap();
    });
    let (code, said) = asked(address, "127.0.0.1");
    answers.join().unwrap();
    assert!(code == 1 && said.contains("is no Hubbub"), "{said}");
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

/// Status and last line of a start in an empty folder, where the page's files are missing: it comes after everything that
/// settings say was looked at.
fn start_with(variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let folder = TempDir::new().unwrap();
    let output = program(&[]).current_dir(folder.path()).envs(variables.iter().copied()).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    let last = error.lines().last().unwrap_or_default().to_owned();
    assert!(folder.path().join("data").is_dir(), "the embedded engine, in its usual folder: {variables:?} {error}");
    (output.status.code(), last)
}

#[test]
fn an_empty_variable_is_as_good_as_none_whatever_it_sets() {
    use clap::CommandFactory;
    let unset = start_with(&[]);
    assert_eq!(unset.0, Some(1), "{unset:?}");
    let command = hubbub::config::Config::command();
    let variables: Vec<_> = command.get_arguments().filter_map(|arg| arg.get_env()?.to_str()).collect();
    assert!(variables.len() >= 18 && variables.contains(&"REDISHOST"), "{variables:?}");
    for variable in &variables {
        for blank in ["", " \t"] {
            assert_eq!(start_with(&[(variable, blank)]), unset, "{variable}={blank:?}");
        }
    }
    let all: Vec<_> = variables.iter().map(|variable| (*variable, "")).collect();
    assert_eq!(start_with(&all), unset);
    assert_eq!(start_with(&[("HUBBUB_ALLOWED_ORIGINS", "https://a.example,, ")]), unset);
}

#[test]
fn on_cloud_run_an_empty_address_of_the_store_does_not_start_a_chat_that_forgets() {
    for variables in [&[][..], &[("REDISHOST", "")], &[("REDIS_URL", " "), ("REDISPORT", "6379")]] {
        let folder = TempDir::new().unwrap();
        let mut start = program(&[]);
        start.current_dir(folder.path()).env("K_SERVICE", "chat").envs(variables.iter().copied());
        let output = start.output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{variables:?} {error}");
        assert!(error.contains("REDISHOST") && error.lines().count() == 1, "{error}");
        assert!(!folder.path().join("data").exists(), "{variables:?}");
    }
    assert_eq!(start_with(&[("K_SERVICE", "chat"), ("HUBBUB_EPHEMERAL", "true")]), start_with(&[]));
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
    let redis = RedisServer::start_with_rights();
    let [lacking, wrong] = [redis.tcp_url(), redis.tcp_url().replace(PASSWORD, "wrong")];
    redis.allow(&["-xadd"]);
    for (args, says) in [
        (vec!["--data-dir", &below_a_file], below_a_file.as_str()),
        (vec!["--redis-url", &nobody, "--store-wait", "0s"], &nobody["redis://".len()..]),
        // What waiting does not mend.
        (vec!["--redis-url", &nobody, "--port", &port], "cannot listen"),
        (vec!["--redis-url", &wrong, "--port", &free], "WRONGPASS"),
        (vec!["--redis-url", &lacking, "--port", &free], "xadd"),
        (vec!["--data-dir", data_dir, "--port", &port], "cannot listen"),
        (vec!["--data-dir", data_dir, "--port", &free, "--site-dir", "/nonexistent"], "make build"),
    ] {
        let start = Instant::now();
        let args = [vec!["--log", "off"], args].concat();
        let (output, error) = fails(&args);
        assert_eq!((output.status.code(), error.lines().count()), (Some(1), 1), "{args:?}: {error}");
        assert!(
            error.starts_with("hubbub: ") && error.to_lowercase().contains(&says.to_lowercase()),
            "{args:?}: {error}"
        );
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
    let ready = async || person.get(&server, "/health/ready").await;
    assert_eq!(ready().await.status(), 200);
    redis.kill();
    socket.say("a", p, 2, "meanwhile").await;
    let refused = |frame| match frame {
        ServerFrame::Refused { n: 2, code, retry, .. } => Some((code, retry)),
        ServerFrame::Ack { n: 2, .. } => panic!("acknowledged without a store"),
        _ => None,
    };
    assert_eq!(socket.until(refused).await, (ErrorCode::Unavailable, true));
    assert_eq!(person.get(&server, "/health/live").await.status(), 200);
    until("its absence is told", async || ready().await.status() == 503).await;
    assert_eq!(ready().await.text().await.unwrap(), "the store cannot be written to: unreachable");
    // Its pages are worth more than a balancer's.
    assert_eq!(person.get(&server, "/health/serve").await.status(), 200);
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
    until("it is ready again", async || ready().await.status() == 200).await;
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

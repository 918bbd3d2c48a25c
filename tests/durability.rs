//! What was acknowledged is on disk. A process that is killed proves nothing about that, since the page cache survives
//! it: so the system calls of the real program are watched.
#![allow(clippy::unwrap_used)]

mod support;

use app::domain::ProducerId;
use std::{
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use support::{
    person::{PATIENCE, Person},
    server::{At, free_address, site, until_it_listens},
};
use tempfile::TempDir;

/// The server under strace, which runs beside it (`-D`), so that ending this process ends both.
struct Traced {
    server: Child,
    address: SocketAddr,
    _dirs: [TempDir; 2],
}

impl At for Traced {
    fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Traced {
    fn start(log: &Path) -> Self {
        let (data, site) = (TempDir::new().unwrap(), site());
        let address = free_address();
        let server = Command::new("strace")
            .args([
                "-D",
                "-f",
                "-yy",
                "-s",
                "8192",
                "-e",
                "trace=fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg",
                "-o",
            ])
            .arg(log)
            .arg(env!("CARGO_BIN_EXE_hubbub"))
            .args(["--port", &address.port().to_string()])
            .arg("--data-dir")
            .arg(data.path())
            .arg("--site-dir")
            .arg(site.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("strace is needed: scripts/setup.sh test installs it");
        Self { server, address, _dirs: [data, site] }
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[tokio::test]
async fn an_embedded_message_is_synced_to_disk_before_it_is_acknowledged() {
    let logs = TempDir::new().unwrap();
    let log = logs.path().join("calls");
    let server = Traced::start(&log);
    until_it_listens(server.address).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let mut socket = person.socket(&server).await;
    socket.join("a", None).await;
    for n in 1..=20 {
        socket.say("a", ProducerId(1), n, &format!("marker-{n:02}-end")).await;
        socket.ack(n).await;
    }
    let pid = server.server.id();
    drop(server);

    // strace pads a short process id with blanks.
    let (pid, end) = (pid.to_string(), "+++ killed by SIGKILL +++");
    let is_end = |line: &str| line.split_once(' ').is_some_and(|(who, what)| who == pid && what.trim_start() == end);
    let start = Instant::now();
    let calls = loop {
        let calls = std::fs::read_to_string(&log).unwrap();
        if calls.lines().any(is_end) {
            break calls;
        }
        assert!(start.elapsed() < PATIENCE, "strace does not finish");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let lines: Vec<&str> = calls.lines().collect();
    for n in 1..=20 {
        let marker = format!("marker-{n:02}-end");
        let find = |what: &dyn Fn(&str) -> bool, from: usize| {
            lines[from..].iter().position(|line| what(line)).map(|at| at + from)
        };
        let written = find(&|line| line.contains("sqlite3-wal>") && line.contains(&marker), 0);
        let written = written.unwrap_or_else(|| panic!("no write of {marker} to the log of the database"));
        // A call that another thread's interrupts is shown in two lines; it returned where the second one is.
        let synced = find(&|line| line.contains("sync") && line.ends_with("= 0"), written + 1);
        let synced = synced.unwrap_or_else(|| panic!("no sync after the write of {marker}"));
        assert!(lines[synced].contains("sqlite3-wal>") || lines[synced].contains("resumed"), "{}", lines[synced]);
        let told = |line: &str| {
            line.contains("TCP") && line.contains(r#"\"t\":\"ack\""#) && line.contains(&format!(r#"\"n\":{n},"#))
        };
        let acked = find(&told, 0).unwrap_or_else(|| panic!("no acknowledgement of {n} on the wire"));
        assert!(written < synced && synced < acked, "{n}: written {written}, synced {synced}, acknowledged {acked}");
        // Nobody was shown the message before, either.
        let shown = |line: &str| line.contains("TCP") && line.contains(r#"\"t\":\"entry\""#) && line.contains(&marker);
        let shown = find(&shown, 0).unwrap_or_else(|| panic!("{marker} was not delivered"));
        assert!(synced < shown, "{n}: synced {synced}, shown {shown}");
    }
}

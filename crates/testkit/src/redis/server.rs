//! A server of a test's own.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use super::{SETTINGS, copy_data, rights, spawn};
use crate::process::Process;
use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(20);

/// A server in a folder of its own, gone with it when dropped; whatever fails panics. Listens on a unix socket and a port of this machine; keeps nothing on
/// disk unless its arguments say so.
pub struct RedisServer {
    /// Ends before its folder.
    process: Option<Process>,
    dir: TempDir,
    port: u16,
    args: Vec<String>,
    /// As in a URL of its port, with `@`; empty for the user that may do anything.
    credentials: String,
}

/// What a server that keeps an append-only file had on disk at some time.
pub struct Backup(TempDir);

/// The user of `deploy/redis.conf` as in a URL.
fn credentials() -> String {
    format!("{}:{}@", rights::NAME, rights::PASSWORD)
}

impl RedisServer {
    /// Starts a server and waits until it answers. `extra_args` are as on its command line.
    pub fn start(extra_args: &[&str]) -> Self {
        Self::start_in(TempDir::new().unwrap(), extra_args)
    }

    /// Starts a server with all that `deploy/redis.conf` says: nobody but the URLs' user gets in.
    pub fn start_as_deployed() -> Self {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join(SETTINGS), rights::settings()).unwrap();
        let mut server = Self::start_in(dir, &[]);
        server.credentials = credentials();
        server
    }

    fn start_in(dir: TempDir, extra_args: &[&str]) -> Self {
        let args = extra_args.iter().map(|&arg| arg.to_owned()).collect();
        let mut server = Self { process: None, dir, port: 0, args, credentials: String::new() };
        // Somebody else may take a port between finding it free and using it.
        let deadline = Instant::now() + DEADLINE;
        while server.process.is_none() {
            server.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            server.try_spawn(deadline);
        }
        server
    }

    /// Starts a server on which the URLs' user has the rights of `deploy/redis.conf`, and no others.
    pub fn start_with_rights() -> Self {
        Self::start_with_rights_and(&[])
    }

    /// The same with more on its command line.
    pub fn start_with_rights_and(extra_args: &[&str]) -> Self {
        let mut server = Self::start(extra_args);
        server.limit_rights();
        server
    }

    /// From now on the URLs' user has the rights of `deploy/redis.conf`, and no others.
    pub fn limit_rights(&mut self) {
        self.allow(&[]);
        self.credentials = credentials();
    }

    /// Gives that user those rights again, and then changes them by `rules` as in `ACL SETUSER`.
    pub fn allow(&self, rules: &[&str]) {
        let user = rights::user();
        let all: Vec<_> = ["ACL", "SETUSER"].into_iter().chain(user.split(' ')).chain(rules.iter().copied()).collect();
        assert_eq!(self.cli(&all), "OK", "{all:?}");
    }

    /// Starts the only node of a Cluster.
    pub fn start_cluster() -> Self {
        let [server] = Self::start_cluster_of();
        server
    }

    /// Starts a Cluster of so many masters, each with as many slots. It goes on with those that are left when one dies.
    pub fn start_cluster_of<const MASTERS: usize>() -> [Self; MASTERS] {
        Self::start_cluster_with(&[])
    }

    pub fn start_cluster_with<const MASTERS: usize>(extra_args: &[&str]) -> [Self; MASTERS] {
        const SLOTS: usize = 16_384;
        let own = ["--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1"];
        let left = ["--cluster-require-full-coverage", "no", "--cluster-node-timeout", "500"];
        let all = [&own[..], &left, extra_args].concat();
        let servers = std::array::from_fn::<_, MASTERS, _>(|_| Self::start(&all));
        for (index, server) in servers.iter().enumerate() {
            let [from, to] = [index, index + 1].map(|index| index * SLOTS / MASTERS);
            server.cli(&["CLUSTER", "ADDSLOTSRANGE", &from.to_string(), &(to - 1).to_string()]);
            // Two nodes with one epoch would settle that between them later, and say meanwhile that slots moved.
            server.cli(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]);
            servers[0].cli(&["CLUSTER", "MEET", "127.0.0.1", &server.port.to_string()]);
        }
        let deadline = Instant::now() + DEADLINE;
        let is_ready = |server: &Self| {
            let info = server.cli(&["CLUSTER", "INFO"]);
            let says = |what: &str| info.lines().any(|line| line.trim_end() == what);
            says("cluster_state:ok") && says(&format!("cluster_slots_ok:{SLOTS}"))
        };
        while !servers.iter().all(is_ready) {
            assert!(Instant::now() < deadline, "the Cluster does not get ready");
            thread::sleep(Duration::from_millis(5));
        }
        servers
    }

    /// Through the unix socket.
    pub fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    pub fn tcp_url(&self) -> String {
        format!("redis://{}{}", self.credentials, self.address())
    }

    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// Sends a signal such as `STOP` to the process.
    pub fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
    }

    /// A copy of what it has on disk. For one that syncs always and has nothing to do.
    pub fn backup(&self) -> Backup {
        let copy = TempDir::new().unwrap();
        copy_data(self.dir.path(), copy.path()).unwrap();
        Backup(copy)
    }

    /// Ends it and puts `backup` in the place of its data; [`restart`](Self::restart) starts it from there.
    pub fn restore(&mut self, backup: &Backup) {
        self.kill();
        copy_data(backup.0.path(), self.dir.path()).unwrap();
    }

    /// Starts it again, with the same data directory, after [`kill`](Self::kill).
    pub fn restart(&mut self) {
        self.kill();
        let deadline = Instant::now() + DEADLINE;
        while self.process.is_none() {
            self.try_spawn(deadline);
        }
    }

    /// Ends it without letting it write anything.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// What `redis-cli` prints for a command.
    pub fn cli(&self, args: &[&str]) -> String {
        let output = Command::new("redis-cli").arg("-s").arg(self.socket()).args(args).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("redis.sock")
    }

    fn try_spawn(&mut self, deadline: Instant) {
        let _ = fs::remove_file(self.socket());
        let started = spawn(self.dir.path(), self.port, |command| {
            command.arg("--unixsocket").arg(self.socket()).args(&self.args);
        });
        let mut process = started.unwrap();
        while process.exited().is_none() {
            if self.answers() {
                self.process = Some(process);
                return;
            }
            assert!(Instant::now() < deadline, "redis-server does not answer");
            thread::sleep(Duration::from_millis(5));
        }
        assert!(Instant::now() < deadline, "redis-server does not start");
    }

    fn answers(&self) -> bool {
        let Ok(mut socket) = UnixStream::connect(self.socket()) else { return false };
        let mut answer = [0; 4];
        let asked = socket.set_read_timeout(Some(Duration::from_secs(1))).and_then(|()| socket.write_all(b"PING\r\n"));
        // While it loads it says so; with a password it asks for it, which is an answer too.
        asked.and_then(|()| socket.read_exact(&mut answer)).is_ok() && matches!(&answer, b"+PON" | b"-NOA")
    }
}

//! A real `redis-server` of its own for a test.

use std::{
    io::{Read, Write},
    net::TcpListener,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(20);

/// Listens on a unix socket and a port of this machine; keeps nothing on disk unless its arguments say so.
pub struct RedisServer {
    dir: TempDir,
    port: u16,
    args: Vec<String>,
    /// As in a URL of its port, with `@`; empty for the user that may do anything.
    credentials: String,
    process: Option<Child>,
}

/// What a server that keeps an append-only file had on disk at some time.
pub struct Backup(TempDir);

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// Of the user with the rights of `deploy/redis.conf`.
pub const RIGHTS_PASSWORD: &str = "s3cret-right";

/// Keeps everything on disk.
pub const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

impl RedisServer {
    /// Starts a server and waits until it answers. `extra_args` are as on its command line.
    pub fn start(extra_args: &[&str]) -> Self {
        let dir = TempDir::new().unwrap();
        let args = extra_args.iter().map(|&arg| arg.to_owned()).collect();
        let mut server = Self { dir, port: 0, args, credentials: String::new(), process: None };
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
        let mut server = Self::start(&[]);
        server.allow(&[]);
        server.credentials = format!("hubbub:{RIGHTS_PASSWORD}@");
        server
    }

    /// Gives that user those rights again, and then changes them by `rules` as in `ACL SETUSER`.
    pub fn allow(&self, rules: &[&str]) {
        let settings = include_str!("../../deploy/redis.conf");
        let user = settings.lines().find_map(|line| line.strip_prefix("user hubbub ")).unwrap();
        let rights: Vec<_> = user.split(' ').map(|word| word.replace("PASSWORD", RIGHTS_PASSWORD)).collect();
        let all = ["ACL", "SETUSER", "hubbub"].into_iter().chain(rights.iter().map(String::as_str));
        let all: Vec<_> = all.chain(rules.iter().copied()).collect();
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
        format!("redis://{}{}", self.credentials, self.tcp_address())
    }

    pub fn tcp_address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Sends a signal such as `STOP` to the process.
    pub fn signal(&self, signal: &str) {
        let id = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
    }

    /// A copy of what it has on disk. For one that syncs always and has nothing to do.
    pub fn backup(&self) -> Backup {
        let copy = TempDir::new().unwrap();
        copy_files(&self.data(), copy.path());
        Backup(copy)
    }

    /// Ends it and puts `backup` in the place of its data; [`restart`](Self::restart) starts it from there.
    pub fn restore(&mut self, backup: &Backup) {
        self.kill();
        let _ = std::fs::remove_dir_all(self.data());
        copy_files(backup.0.path(), &self.data());
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("appendonlydir")
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
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
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
        let _ = std::fs::remove_file(self.socket());
        let mut process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &self.port.to_string()])
            .arg("--unixsocket")
            .arg(self.socket())
            .arg("--dir")
            .arg(self.dir.path())
            .args(&self.args)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        while process.try_wait().unwrap().is_none() {
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

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

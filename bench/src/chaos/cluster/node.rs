//! The processes: a Redis server and Sentinel.

use crate::Result;
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use testkit::{
    process::{Peer, Peers, Process, free_port},
    redis::{self, SETTINGS, Value, rights},
};
use tokio::{sync::Mutex, time::sleep};

const START_WITHIN: Duration = Duration::from_secs(20);

/// A server at an address that nobody but the checker and a proxy connects to.
pub struct Node {
    pub address: SocketAddr,
    pub dir: PathBuf,
    peers: Arc<Peers>,
    pub process: Mutex<Option<Process>>,
}

impl Node {
    pub fn new(dir: PathBuf, peers: &Arc<Peers>) -> Result<Self> {
        fs::create_dir_all(&dir)?;
        fs::write(dir.join(SETTINGS), format!("user {}\n", rights::user()))?;
        let address = (Ipv4Addr::LOCALHOST, free_port()?).into();
        Ok(Self { address, dir, peers: peers.clone(), process: Mutex::default() })
    }

    /// Starts it as one that others reach at `announced`. Answers when the first PONG came.
    pub async fn start(&self, announced: SocketAddr, master: Option<SocketAddr>) -> Result<Instant> {
        let mut process = self.process.lock().await;
        if process.as_mut().is_some_and(|process| process.exited().is_none()) {
            return Err("Redis runs already".into());
        }
        let announced = announced.port().to_string();
        let started = redis::spawn(&self.dir, self.address.port(), |command| {
            command.args(redis::DURABLE).args(["--maxmemory-policy", "noeviction"]);
            command.args(["--replica-announce-ip", "127.0.0.1", "--replica-announce-port", &announced]);
            // A replica that starts anew is sent everything at once.
            command.args(["--repl-diskless-sync-delay", "0"]);
            // Said either way: Sentinel writes into the settings whom it made a replica, and may have been overtaken since.
            let (ip, port) = master.map_or(("no".to_owned(), "one".to_owned()), |master| {
                (master.ip().to_string(), master.port().to_string())
            });
            command.args(["--replicaof", &ip, &port]);
        })?;
        self.peers.add(&started, Peer::Redis);
        let started = process.insert(started);
        let answers = until_it_answers(self.address, started).await;
        answers.map_err(|error| format!("{error}; see {}", self.dir.display()).into())
    }

    pub async fn kill(&self) {
        if let Some(mut process) = self.process.lock().await.take() {
            self.peers.remove(&process);
            process.kill();
        }
    }

    pub async fn has_role(&self, role: &str) -> bool {
        let answer = redis::command(self.address, &["ROLE"]).await;
        answer.is_ok_and(|answer| answer.list().first().and_then(Value::text) == Some(role))
    }
}

/// Answers when the first PONG came.
pub async fn until_it_answers(server: SocketAddr, process: &mut Process) -> Result<Instant> {
    let begin = Instant::now();
    loop {
        match redis::command(server, &["PING"]).await {
            Ok(_) => return Ok(Instant::now()),
            Err(error) if begin.elapsed() > START_WITHIN => return Err(error),
            Err(_) if let Some(status) = process.exited() => return Err(format!("redis-server ended: {status}").into()),
            Err(_) => sleep(Duration::from_millis(1)).await,
        }
    }
}

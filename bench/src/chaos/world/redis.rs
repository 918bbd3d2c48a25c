//! Two real Redis servers, a master that syncs every write and its replica, and a Sentinel that says which is which.
//!
//! Everybody but the checker reaches the servers through a [`Proxy`](super::proxy::Proxy) each, whose addresses are the
//! ones that Sentinel and the servers tell. Sentinel fails over only when asked to: a killed or frozen master comes back
//! as the master, unless it was gone for a minute.

use super::{
    direct::{self, Value},
    faults::{Faults, Then},
    node::{Node, start_sentinel, until_it_answers},
    process::{Peer, Peers, Process, free_port},
};
use crate::Result;
use app::domain::{Cursor, RoomKey};
use sha2::{Digest, Sha256};
use std::{
    fmt::Write as _,
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{
    sync::Mutex,
    task::spawn_blocking,
    time::{sleep, timeout},
};

const SERVICE: &str = "hubbub";
const APPEND_ONLY: &str = "appendonlydir";
const SETTLE_WITHIN: Duration = Duration::from_secs(20);
/// For Sentinel to find the replica good again, of which it asks every half second.
const REPLICA_WITHIN: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What `CLIENT KILL TYPE` calls them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clients {
    Normal,
    Subscribers,
}

/// A copy of the master's data. Deleted when dropped.
#[derive(Debug)]
pub struct Snapshot(TempDir);

pub struct Redis {
    /// Ends before the servers, so that it does not take their end for a fault.
    _sentinel: Process,
    sentinel_address: SocketAddr,
    nodes: [Node; 2],
    master: AtomicUsize,
    faults: Arc<Faults>,
    dir: PathBuf,
    /// One change of roles or processes at a time.
    changing: Mutex<()>,
}

impl Redis {
    /// Starts everything in `dir`, where the logs stay too, and waits until a failover would be possible.
    pub async fn start(dir: &Path, peers: &Arc<Peers>) -> Result<Self> {
        let faults = Arc::new(Faults::default());
        let nodes = [
            Node::new(dir.join("redis-0"), peers, &faults).await?,
            Node::new(dir.join("redis-1"), peers, &faults).await?,
        ];
        nodes[0].start(None).await?;
        nodes[1].start(Some(nodes[0].proxy.address)).await?;
        let sentinel_address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut sentinel = start_sentinel(&dir.join("sentinel"), SERVICE, sentinel_address, nodes[0].proxy.address)?;
        peers.add(&sentinel, Peer::Sentinel);
        until_it_answers(sentinel_address, &mut sentinel).await?;
        // So that a failover takes a second and not twenty.
        let periods = ["INFO-PERIOD", "500", "PING-PERIOD", "200", "PUBLISH-PERIOD", "200", "TILT-TRIGGER", "60000"];
        direct::command(sentinel_address, &[&["SENTINEL", "DEBUG"][..], &periods].concat()).await?;
        let redis = Self {
            _sentinel: sentinel,
            sentinel_address,
            nodes,
            master: AtomicUsize::new(0),
            faults,
            dir: dir.to_owned(),
            changing: Mutex::default(),
        };
        redis.settle().await?;
        Ok(redis)
    }

    /// What instances are given.
    pub fn url(&self) -> String {
        format!("redis-sentinel://{}?sentinelServiceName={SERVICE}", self.sentinel_address)
    }

    /// Where everybody but the checker reaches the master.
    #[cfg(test)]
    pub fn proxied_master(&self) -> SocketAddr {
        self.master().proxy.address
    }

    /// Runs a command on the master.
    pub async fn command(&self, parts: &[&str]) -> Result<Value> {
        direct::command(self.master().address, parts).await
    }

    /// The end of a room's log as Redis has it; none before the first entry was tried.
    pub async fn top(&self, room: &RoomKey) -> Result<Option<Cursor>> {
        let mut tag = String::new();
        for byte in &Sha256::digest(room.as_str().as_bytes())[..16] {
            write!(tag, "{byte:02x}")?;
        }
        let answer = self.command(&["HMGET", &format!("hubbub:{{{tag}}}:meta"), "epoch", "seq", "id"]).await?;
        match answer.list() {
            [Value::Text(epoch), Value::Text(seq), Value::Text(id)] => {
                let unreadable = |_| format!("the room's top is unreadable: {epoch} {id}");
                let (epoch, id) = (epoch.parse().map_err(unreadable)?, id.parse().map_err(unreadable)?);
                Ok(Some(Cursor { epoch, seq: seq.parse()?, id }))
            }
            _ => Ok(None),
        }
    }

    /// SIGKILL for the master.
    pub async fn kill(&self) {
        let _turn = self.changing.lock().await;
        self.master().kill().await;
    }

    /// Starts what was killed, on the same data. Answers when the first PONG came.
    pub async fn restart(&self) -> Result<Instant> {
        let _turn = self.changing.lock().await;
        self.start_master().await
    }

    /// SIGSTOP for the master.
    pub async fn freeze(&self) -> Result<()> {
        self.master().process.lock().await.as_mut().ok_or("Redis does not run")?.freeze().await
    }

    /// Ends [`freeze`](Self::freeze).
    pub async fn thaw(&self) -> Result<()> {
        for node in &self.nodes {
            if let Some(process) = &mut *node.process.lock().await {
                process.thaw()?;
            }
        }
        Ok(())
    }

    /// Copies the master's data; it stands still meanwhile. Everything that was acknowledged before is in it.
    ///
    /// # Errors
    /// The master, which was a replica a moment ago, does not finish writing down what it was given within 20 s.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        let _turn = self.changing.lock().await;
        // Until then its file is of the log that it followed before.
        let begin = Instant::now();
        while self.is_rewriting().await? {
            if begin.elapsed() > SETTLE_WITHIN {
                return Err("the append-only file is still being rewritten".into());
            }
            sleep(LOOK_EVERY).await;
        }
        let copy = TempDir::new_in(&self.dir)?;
        let (from, to) = (self.master().dir.join(APPEND_ONLY), copy.path().join(APPEND_ONLY));
        self.freeze().await?;
        let copied = spawn_blocking(move || copy_files(&from, &to)).await;
        self.master().process.lock().await.as_mut().ok_or("Redis does not run")?.thaw()?;
        copied??;
        Ok(Snapshot(copy))
    }

    /// Kills the master and starts it with older data. Answers when the first PONG came.
    pub async fn restore(&self, snapshot: &Snapshot) -> Result<Instant> {
        let _turn = self.changing.lock().await;
        self.master().kill().await;
        let (from, to) = (snapshot.0.path().join(APPEND_ONLY), self.master().dir.join(APPEND_ONLY));
        let replacing = spawn_blocking(move || {
            fs::remove_dir_all(&to)?;
            copy_files(&from, &to)
        });
        replacing.await??;
        self.start_master().await
    }

    /// From now on the replica hears of no further write; after a minute it would give its master up. Waits until it has
    /// everything written before.
    pub async fn hold_replication(&self) -> Result<()> {
        self.settle().await?;
        self.faults.hold_replication(true);
        Ok(())
    }

    /// Has Sentinel make the replica the master and the master its replica, which takes some two seconds. What the replica
    /// lacks is lost, and so is what the old master takes in the second between its successor's promotion and its own
    /// demotion. Lets replication flow again, whatever comes of it.
    ///
    /// # Errors
    /// One of the two does not answer, Sentinel refuses, or the roles do not change within 20 s.
    pub async fn failover(&self) -> Result<()> {
        let _turn = self.changing.lock().await;
        let failed_over = self.fail_over().await;
        self.faults.hold_replication(false);
        if let Ok(master) = self.sentinels_master().await {
            self.master.store(master, Ordering::Relaxed);
        }
        failed_over
    }

    /// `CLIENT KILL TYPE` on the master; answers how many connections, of which one of each kind may be Sentinel's.
    pub async fn client_kill(&self, clients: Clients) -> Result<i64> {
        let kind = match clients {
            Clients::Normal => "normal",
            Clients::Subscribers => "pubsub",
        };
        match self.command(&["CLIENT", "KILL", "TYPE", kind]).await? {
            Value::Number(count) => Ok(count),
            other => Err(format!("CLIENT KILL: {other:?}").into()),
        }
    }

    pub async fn script_flush(&self) -> Result<()> {
        self.command(&["SCRIPT", "FLUSH"]).await.map(drop)
    }

    /// Whether the master's memory counts as full: then it refuses to write. A restart ends it too.
    pub async fn set_full(&self, full: bool) -> Result<()> {
        if full {
            let info = self.command(&["INFO", "memory"]).await?;
            let used: u64 = field(&info, "used_memory").ok_or("INFO: no used_memory")?.parse()?;
            return self.command(&["CONFIG", "SET", "maxmemory", &(used / 2).to_string()]).await.map(drop);
        }
        // The roles may have changed since.
        let mut result = Ok(());
        for node in &self.nodes {
            let answer = direct::command(node.address, &["CONFIG", "SET", "maxmemory", "0"]).await;
            if node.address == self.master().address {
                result = answer.map(drop);
            }
        }
        result
    }

    /// Lets the instance's next append be committed, and resets its connection in place of the answer. Returns after
    /// both. (Right after [`script_flush`](Self::script_flush) the answer that is lost says that there is no script.)
    ///
    /// # Errors
    /// The instance appended nothing within this time, or Redis ended first.
    pub async fn drop_reply_after_commit(&self, instance: usize, within: Duration) -> Result<()> {
        let (done, _undo) = self.faults.drop_reply(instance);
        let done = timeout(within, done).await.map_err(|_| "nothing was appended in time")?;
        done.map_err(|_| "Redis did not answer the append".into())
    }

    /// Keeps the instance's appends, and what follows them on their connections, for this time. Answers how many.
    pub async fn hold_requests(&self, instance: usize, time: Duration, then: Then) -> usize {
        self.faults.hold(instance, time, then);
        sleep(time).await;
        self.faults.release(instance)
    }

    /// Ends the instance's subscriptions behind its back.
    ///
    /// # Errors
    /// It has none.
    pub fn force_sunsubscribe(&self, instance: usize) -> Result<()> {
        let inject = |node: &Node| node.proxy.inject_into_subscribers(instance, &["SUNSUBSCRIBE"]);
        if self.nodes.iter().map(inject).sum::<usize>() == 0 {
            return Err("the instance subscribes to nothing".into());
        }
        Ok(())
    }

    /// Nothing passes between the instance and the servers for this time (Sentinel still answers it), then its
    /// connections are reset.
    pub async fn cut(&self, instance: usize, time: Duration) {
        let _undo = self.faults.cut(instance);
        sleep(time).await;
    }

    /// Resets the instance's connections; answers how many.
    pub fn reset(&self, instance: usize) -> usize {
        self.nodes.iter().map(|node| node.proxy.reset(instance)).sum()
    }

    /// Waits until the replica has all that the master has now, and Sentinel knows of both.
    ///
    /// # Errors
    /// That does not happen within 20 s.
    pub async fn settle(&self) -> Result<()> {
        let begin = Instant::now();
        loop {
            let settled = self.is_settled().await;
            if matches!(settled, Ok(true)) {
                return Ok(());
            }
            if begin.elapsed() > SETTLE_WITHIN {
                let why = settled.err().map(|error| format!(": {error}")).unwrap_or_default();
                return Err(format!("the replica does not follow{why}; see {}", self.dir.display()).into());
            }
            sleep(LOOK_EVERY * 4).await;
        }
    }

    async fn is_rewriting(&self) -> Result<bool> {
        let info = self.command(&["INFO", "persistence"]).await?;
        let is = |name| field(&info, name) != Some("0");
        Ok(is("aof_rewrite_in_progress") || is("aof_rewrite_scheduled") || is("loading"))
    }

    async fn is_settled(&self) -> Result<bool> {
        let (master, replica) = (self.master(), self.replica());
        let of_master = direct::command(master.address, &["INFO", "replication"]).await?;
        let of_replica = direct::command(replica.address, &["INFO", "replication"]).await?;
        let offset = |info: &Value, name| field(info, name).and_then(|offset| offset.parse::<u64>().ok());
        let known = direct::command(self.sentinel_address, &["SENTINEL", "REPLICAS", SERVICE]).await?;
        Ok(field(&of_master, "role") == Some("master")
            && field(&of_replica, "master_link_status") == Some("up")
            && offset(&of_replica, "slave_repl_offset") >= offset(&of_master, "master_repl_offset")
            && known.list().iter().any(|known| is_good(known.list())))
    }

    async fn fail_over(&self) -> Result<()> {
        let (old, new) = (self.master(), self.replica());
        // An old master that cannot be told would stay one beside the new.
        if !old.has_role("master").await || !new.has_role("slave").await {
            return Err("a failover needs a master and a replica that answer".into());
        }
        let begin = Instant::now();
        while let Err(error) = direct::command(self.sentinel_address, &["SENTINEL", "FAILOVER", SERVICE]).await {
            if begin.elapsed() > REPLICA_WITHIN {
                return Err(error);
            }
            sleep(LOOK_EVERY * 10).await;
        }
        let begin = Instant::now();
        while self.sentinels_master().await.ok() != Some(1 - self.master.load(Ordering::Relaxed))
            || !new.has_role("master").await
            || !old.has_role("slave").await
        {
            if begin.elapsed() > SETTLE_WITHIN {
                return Err(format!("the roles do not change; see {}", self.dir.display()).into());
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    async fn sentinels_master(&self) -> Result<usize> {
        let answer = direct::command(self.sentinel_address, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE]).await?;
        let port = answer.list().get(1).and_then(Value::text).ok_or("Sentinel knows no master")?;
        let port: u16 = port.parse()?;
        Ok(self
            .nodes
            .iter()
            .position(|node| node.proxy.address.port() == port)
            .ok_or("Sentinel's master is unknown")?)
    }

    async fn start_master(&self) -> Result<Instant> {
        self.master().start(None).await
    }

    fn master(&self) -> &Node {
        &self.nodes[self.master.load(Ordering::Relaxed)]
    }

    fn replica(&self) -> &Node {
        &self.nodes[1 - self.master.load(Ordering::Relaxed)]
    }
}

/// Whether Sentinel could promote a replica, of which it tells names and values in turn.
fn is_good(replica: &[Value]) -> bool {
    let is = |name: &str, value: &str| {
        replica.chunks(2).any(|pair| pair[0].text() == Some(name) && pair.get(1).and_then(Value::text) == Some(value))
    };
    is("flags", "slave") && is("master-link-status", "ok")
}

/// A field of what INFO answers.
fn field<'a>(info: &'a Value, name: &str) -> Option<&'a str> {
    info.text()?.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'))
}

fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for file in fs::read_dir(from)? {
        let file = file?;
        fs::copy(file.path(), to.join(file.file_name()))?;
    }
    Ok(())
}

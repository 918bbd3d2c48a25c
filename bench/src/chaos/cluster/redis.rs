//! Two real Redis servers, a master that syncs every write and its replica, and a Sentinel that says which is which.
//!
//! Everybody but the checker reaches the servers through a [`Proxy`] each, whose addresses are the ones that Sentinel and
//! the servers tell. Sentinel fails over only when asked to: a killed or frozen master comes back as the master, unless it
//! was gone for a minute. Who is the master, and behind which proxy, changes in [`roles`](super::roles).

use super::{
    logs::{self, Ends, Loss},
    node::{Node, until_it_answers},
};
use crate::Result;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tempfile::TempDir;
use testkit::{
    faults::{Faults, Then},
    process::{Peer, Peers, Process, free_port},
    proxy::Proxy,
    redis::{self, Value, rights},
};
use tokio::{
    sync::Mutex,
    task::spawn_blocking,
    time::{sleep, timeout},
};

pub(super) const SERVICE: &str = "hubbub";
/// Longer than any fault lasts: Sentinel fails over only when asked to.
const DOWN_AFTER_MS: u32 = 60_000;
pub(super) const SETTLE_WITHIN: Duration = Duration::from_secs(20);
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(5);

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
    pub(super) sentinel_address: SocketAddr,
    pub(super) nodes: [Node; 2],
    /// Where others than the checker reach the one node and the other.
    pub(super) proxies: [Proxy; 2],
    /// Whether the first proxy leads to the second node and the second to the first.
    pub(super) crossed: AtomicBool,
    /// The master among the nodes.
    pub(super) master: AtomicUsize,
    pub(super) faults: Arc<Faults>,
    pub(super) dir: PathBuf,
    /// One change of roles or processes at a time.
    pub(super) changing: Mutex<()>,
}

impl Redis {
    /// Starts everything in `dir`, where the logs stay too, and waits until a failover would be possible.
    pub async fn start(dir: &Path, peers: &Arc<Peers>) -> Result<Self> {
        let faults = Arc::new(Faults::default());
        let nodes = [Node::new(dir.join("redis-0"), peers)?, Node::new(dir.join("redis-1"), peers)?];
        let proxies = [
            Proxy::start(free_port()?, nodes[0].address, peers.clone(), faults.clone()).await?,
            Proxy::start(free_port()?, nodes[1].address, peers.clone(), faults.clone()).await?,
        ];
        nodes[0].start(proxies[0].address, None).await?;
        nodes[1].start(proxies[1].address, Some(proxies[0].address)).await?;
        let sentinel_address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut sentinel =
            redis::start_sentinel(&dir.join("sentinel"), SERVICE, sentinel_address, proxies[0].address, DOWN_AFTER_MS)?;
        peers.add(&sentinel, Peer::Sentinel);
        until_it_answers(sentinel_address, &mut sentinel).await?;
        // So that a failover takes a second and not twenty.
        let periods = ["INFO-PERIOD", "500", "PING-PERIOD", "200", "PUBLISH-PERIOD", "200", "TILT-TRIGGER", "60000"];
        redis::command(sentinel_address, &[&["SENTINEL", "DEBUG"][..], &periods].concat()).await?;
        let redis = Self {
            _sentinel: sentinel,
            sentinel_address,
            nodes,
            proxies,
            crossed: AtomicBool::new(false),
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
        let (name, password, sentinel) = (rights::NAME, rights::PASSWORD, self.sentinel_address);
        format!("redis-sentinel://{name}:{password}@{sentinel}?sentinelServiceName={SERVICE}")
    }

    /// Where everybody but the checker reaches the master.
    #[cfg(test)]
    pub fn proxied_master(&self) -> SocketAddr {
        self.way_to(self.master_index()).address
    }

    /// Runs a command on the master.
    pub async fn command(&self, parts: &[&str]) -> Result<Value> {
        redis::command(self.master().address, parts).await
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
        let (from, to) = (self.master().dir.clone(), copy.path().to_owned());
        self.freeze().await?;
        let copied = spawn_blocking(move || redis::copy_data(&from, &to)).await;
        self.master().process.lock().await.as_mut().ok_or("Redis does not run")?.thaw()?;
        copied??;
        Ok(Snapshot(copy))
    }

    /// Kills the master and starts it with older data. Answers what was lost beyond `ends`.
    pub async fn restore(&self, snapshot: &Snapshot, ends: &Ends) -> Result<Loss> {
        let _turn = self.changing.lock().await;
        // Reads go on meanwhile, and who writes waits for an answer that never comes.
        let paused = self.command(&["CLIENT", "PAUSE", "60000", "WRITE"]).await;
        let before = match paused {
            Ok(_) => logs::beyond(ends, self.master()).await,
            Err(error) => Err(error.to_string()),
        };
        self.master().kill().await;
        let (from, to) = (snapshot.0.path().to_owned(), self.master().dir.clone());
        spawn_blocking(move || redis::copy_data(&from, &to)).await??;
        self.start_master().await?;
        Ok(logs::lost(before, ends, self.master()).await)
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
            let answer = redis::command(node.address, &["CONFIG", "SET", "maxmemory", "0"]).await;
            if node.address == self.master().address {
                result = answer.map(drop);
            }
        }
        result
    }

    /// Changes what instances may do, by a rule as `ACL SETUSER` takes it. A restart gives them everything back.
    pub async fn change_rights(&self, rule: &str) -> Result<()> {
        for node in &self.nodes {
            redis::command(node.address, &["ACL", "SETUSER", rights::NAME, rule]).await?;
        }
        Ok(())
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
        let inject = |proxy: &Proxy| proxy.unsubscribe(instance);
        if self.proxies.iter().map(inject).sum::<usize>() == 0 {
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
        self.proxies.iter().map(|proxy| proxy.reset(instance)).sum()
    }

    async fn is_rewriting(&self) -> Result<bool> {
        let info = self.command(&["INFO", "persistence"]).await?;
        let is = |name| field(&info, name) != Some("0");
        Ok(is("aof_rewrite_in_progress") || is("aof_rewrite_scheduled") || is("loading"))
    }

    async fn start_master(&self) -> Result<Instant> {
        self.master().start(self.way_to(self.master_index()).address, None).await
    }

    pub(super) fn master(&self) -> &Node {
        &self.nodes[self.master_index()]
    }

    pub(super) fn replica(&self) -> &Node {
        &self.nodes[1 - self.master_index()]
    }

    pub(super) fn master_index(&self) -> usize {
        self.master.load(Ordering::Relaxed)
    }

    /// The proxy behind which a node is now.
    pub(super) fn way_to(&self, node: usize) -> &Proxy {
        &self.proxies[node ^ usize::from(self.crossed.load(Ordering::Relaxed))]
    }
}

/// A field of what INFO answers.
pub(super) fn field<'a>(info: &'a Value, name: &str) -> Option<&'a str> {
    info.text()?.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'))
}

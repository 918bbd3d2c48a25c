//! Which of the two servers is the master, and how that changes.

use super::{
    logs::{self, Ends, Loss},
    node::Node,
    redis::{LOOK_EVERY, Redis, SERVICE, SETTLE_WITHIN, field},
};
use crate::Result;
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};
use testkit::{
    proxy::Proxy,
    redis::{self, Value},
};
use tokio::time::sleep;

/// For Sentinel to find the replica good again, of which it asks every half second.
const REPLICA_WITHIN: Duration = Duration::from_secs(3);

impl Redis {
    /// From now on the replica hears of no further write; after a minute it would give its master up. Waits until it has
    /// everything written before.
    pub async fn hold_replication(&self) -> Result<()> {
        self.settle().await?;
        self.faults.hold_replication(true);
        Ok(())
    }

    /// Has Sentinel make the replica the master and the master its replica, which takes some two seconds. What the replica
    /// lacks is lost, and so is what the old master takes in the second between its successor's promotion and its own
    /// demotion. Holds replication, if it is not held yet, until what was lost is known. Answers what was lost beyond `ends`.
    ///
    /// # Errors
    /// One of the two does not answer, Sentinel refuses, or the roles do not change within 20 s.
    pub async fn failover(&self, ends: &Ends) -> Result<Loss> {
        let _turn = self.changing.lock().await;
        self.faults.hold_replication(true);
        let (old, new) = (self.master(), self.replica());
        let failed_over = self.fail_over().await;
        let loss = loss(ends, old, new).await;
        self.faults.hold_replication(false);
        if let Ok(master) = self.sentinels_master().await {
            self.master.store(master, Ordering::Relaxed);
        }
        failed_over.map(|()| loss)
    }

    /// Makes the replica the master, at the address of the master until now, whose connections to instances stay open as
    /// one that is a replica now. What the replica lacks is lost, and so is what the old master takes until it is told, a
    /// moment later. Holds replication, if it is not held yet, until what was lost is known. Answers what was lost beyond `ends`.
    ///
    /// # Errors
    /// One of the two does not answer.
    pub async fn demote(&self, ends: &Ends) -> Result<Loss> {
        let _turn = self.changing.lock().await;
        self.faults.hold_replication(true);
        let (old, new) = (self.master(), self.replica());
        let demoted = self.hand_over().await;
        let loss = loss(ends, old, new).await;
        self.faults.hold_replication(false);
        demoted.map(|()| loss)
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

    async fn is_settled(&self) -> Result<bool> {
        let (master, replica) = (self.master(), self.replica());
        let of_master = redis::command(master.address, &["INFO", "replication"]).await?;
        let of_replica = redis::command(replica.address, &["INFO", "replication"]).await?;
        let offset = |info: &Value, name| field(info, name).and_then(|offset| offset.parse::<u64>().ok());
        let known = redis::command(self.sentinel_address, &["SENTINEL", "REPLICAS", SERVICE]).await?;
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
        while let Err(error) = redis::command(self.sentinel_address, &["SENTINEL", "FAILOVER", SERVICE]).await {
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

    async fn hand_over(&self) -> Result<()> {
        let (old, new) = (self.master(), self.replica());
        let (front, back) = (self.way_to(self.master_index()), self.way_to(1 - self.master_index()));
        if !old.has_role("master").await || !new.has_role("slave").await {
            return Err("a master that answers and its replica are needed".into());
        }
        // Each is known by the address behind which it will be, to the other one and to Sentinel.
        announce(new, front).await?;
        announce(old, back).await?;
        // Before the roles change, so that all that Sentinel would set right of what it sees on the way is what is done here.
        front.lead_to(new.address);
        back.lead_to(old.address);
        self.crossed.fetch_xor(true, Ordering::Relaxed);
        self.master.fetch_xor(1, Ordering::Relaxed);
        let (ip, port) = (front.address.ip().to_string(), front.address.port().to_string());
        make(new, "master", &["REPLICAOF", "NO", "ONE"]).await?;
        make(old, "slave", &["REPLICAOF", &ip, &port]).await
    }

    async fn sentinels_master(&self) -> Result<usize> {
        let answer = redis::command(self.sentinel_address, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE]).await?;
        let port = answer.list().get(1).and_then(Value::text).ok_or("Sentinel knows no master")?;
        let port: u16 = port.parse()?;
        Ok(self
            .nodes
            .iter()
            .enumerate()
            .position(|(node, _)| self.way_to(node).address.port() == port)
            .ok_or("Sentinel's master is unknown")?)
    }
}

/// What a master until now has and its successor has not, while replication is held: the one takes no more, and is not given
/// the other's log yet.
async fn loss(ends: &Ends, old: &Node, new: &Node) -> Loss {
    let before = logs::beyond(ends, old).await;
    let info = redis::command(old.address, &["INFO", "replication"]).await.map_err(|error| error.to_string())?;
    if field(&info, "role") != Some("slave") || field(&info, "master_link_status") != Some("down") {
        return Err("the old master was no replica that waits".into());
    }
    logs::lost(before, ends, new).await
}

/// Has a server change its role. Sentinel may end its connections meanwhile, this one among them, to tell it the same.
async fn make(node: &Node, role: &str, command: &[&str]) -> Result<()> {
    let begin = Instant::now();
    loop {
        let told = redis::command(node.address, command).await;
        if node.has_role(role).await {
            return Ok(());
        }
        if begin.elapsed() > SETTLE_WITHIN {
            let why = told.err().map(|error| format!(": {error}")).unwrap_or_default();
            return Err(format!("the server does not become a {role}{why}").into());
        }
        sleep(LOOK_EVERY * 4).await;
    }
}

async fn announce(node: &Node, proxy: &Proxy) -> Result<()> {
    let (begin, port) = (Instant::now(), proxy.address.port().to_string());
    while let Err(error) = redis::command(node.address, &["CONFIG", "SET", "replica-announce-port", &port]).await {
        if begin.elapsed() > SETTLE_WITHIN {
            return Err(error);
        }
        sleep(LOOK_EVERY * 4).await;
    }
    Ok(())
}

/// Whether Sentinel could promote a replica, of which it tells names and values in turn.
fn is_good(replica: &[Value]) -> bool {
    let is = |name: &str, value: &str| {
        replica.chunks(2).any(|pair| pair[0].text() == Some(name) && pair.get(1).and_then(Value::text) == Some(value))
    };
    is("flags", "slave") && is("master-link-status", "ok")
}

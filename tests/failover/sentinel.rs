//! A master with a replica, and a Sentinel that says which is which. Nothing is kept on disk.

use super::servers::{Fault, follows, hold_writes, is_master, until, until_it_has_everything};
use crate::support::{
    redis::{RedisServer, rights},
    server::free_address,
};
use std::{net::SocketAddr, process::Command, time::Instant};
use tempfile::TempDir;
use testkit::{process::Process, redis::start_sentinel};

const SERVICE: &str = "hubbub";
/// A master counts as dead after this many milliseconds.
const DOWN_AFTER_MS: u32 = 2_000;

pub struct Sentinel {
    /// Ends before its folder.
    _process: Process,
    _dir: TempDir,
    address: SocketAddr,
    servers: [RedisServer; 2],
}

impl Sentinel {
    pub async fn start() -> Self {
        let args = ["--repl-diskless-sync-delay", "0"];
        let master = RedisServer::start_with_rights_and(&args);
        let port = master.address().port().to_string();
        let replica = RedisServer::start_with_rights_and(&args);
        replica.cli(&["REPLICAOF", "127.0.0.1", &port]);
        until("there is a replica", || follows(&replica, &master)).await;
        let (dir, address) = (TempDir::new().unwrap(), free_address());
        let process = start_sentinel(dir.path(), SERVICE, address, master.address(), DOWN_AFTER_MS).unwrap();
        let sentinel = Self { _process: process, _dir: dir, address, servers: [master, replica] };
        until("Sentinel answers", || sentinel.cli(&["PING"]) == "PONG").await;
        // It looks at the servers every ten seconds otherwise, and takes as long to find a replica good again.
        let often = ["INFO-PERIOD", "500", "PING-PERIOD", "200", "PUBLISH-PERIOD", "200"];
        assert_eq!(sentinel.cli(&[&["SENTINEL", "DEBUG"][..], &often].concat()), "OK");
        sentinel.settles().await;
        sentinel
    }

    pub fn url(&self) -> String {
        let (name, password) = (rights::NAME, rights::PASSWORD);
        format!("redis-sentinel://{name}:{password}@{}?sentinelServiceName={SERVICE}", self.address)
    }

    fn cli(&self, args: &[&str]) -> String {
        let port = self.address.port().to_string();
        let output = Command::new("redis-cli").args(["-p", &port]).args(args).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    fn roles(&self) -> (usize, usize) {
        if is_master(&self.servers[0]) { (0, 1) } else { (1, 0) }
    }

    /// Waits until there is a replica that Sentinel could promote.
    pub async fn settles(&self) {
        let is_settled = || {
            let (master, replica) = self.roles();
            let (master, replica) = (&self.servers[master], &self.servers[replica]);
            let replicas = self.cli(&["SENTINEL", "REPLICAS", SERVICE]);
            let named: Vec<_> = replicas.lines().collect();
            let says = |name: &str, value: &str| named.windows(2).any(|two| two == [name, value]);
            is_master(master)
                && follows(replica, master)
                && says("port", &replica.address().port().to_string())
                && says("flags", "slave")
                && says("master-link-status", "ok")
        };
        until("Sentinel knows of both", is_settled).await;
    }

    /// Has Sentinel make the replica the master. The one until now refuses to write from before that on, as one with
    /// `min-replicas-to-write 1` does from a moment after: what it takes in that moment is lost.
    pub async fn fail_over(&self) -> Fault {
        let (master, replica) = self.roles();
        let [old, new] = [&self.servers[master], &self.servers[replica]];
        refuse_writes(old, true);
        let since = Instant::now();
        until_it_has_everything(new, old).await;
        assert_eq!(self.cli(&["SENTINEL", "FAILOVER", SERVICE]), "OK");
        until("the roles are changed", || is_master(new) && !is_master(old)).await;
        refuse_writes(old, false);
        since
    }

    /// Kills the master as soon as its replica has all, and waits for Sentinel to promote that. It comes back later.
    pub async fn kill(&mut self) -> Fault {
        let (master, replica) = self.roles();
        let since = hold_writes(&self.servers[master], &self.servers[replica]).await;
        self.servers[master].kill();
        until("the replica is the master", || is_master(&self.servers[replica])).await;
        since
    }

    pub async fn restart(&mut self) {
        let (_, dead) = self.roles();
        self.servers[dead].restart();
        self.servers[dead].allow(&[]);
        self.settles().await;
    }
}

/// By asking for more replicas than there are.
fn refuse_writes(server: &RedisServer, refuse: bool) {
    let replicas = if refuse { "2" } else { "0" };
    assert_eq!(server.cli(&["CONFIG", "SET", "min-replicas-to-write", replicas]), "OK");
}

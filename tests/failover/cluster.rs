//! A Cluster of three masters with a replica each, which keep nothing on disk: what survives a master is what its replica has.

use super::servers::{Fault, field, follows, hold_writes, is_master, until};
use crate::support::{person::PATIENCE, redis::RedisServer};
use std::time::{Duration, Instant};

/// A master counts as dead after this many milliseconds.
const NODE_TIMEOUT_MS: &str = "2000";
/// Redis gives a failover that was asked for up after five seconds.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(6);

pub struct Cluster {
    /// Of each third of the slots the servers that have it, in no order.
    pairs: [[RedisServer; 2]; 3],
}

impl Cluster {
    pub async fn start() -> Self {
        let more = ["--cluster-node-timeout", NODE_TIMEOUT_MS, "--repl-diskless-sync-delay", "0"];
        let more = [&more[..], &["--cluster-allow-replica-migration", "no"]].concat();
        let masters = RedisServer::start_cluster_with::<3>(&more);
        let own = ["--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1"];
        let own = [&own[..], &["--cluster-require-full-coverage", "no"], &more].concat();
        let pairs = masters.map(|master| {
            let replica = RedisServer::start(&own);
            replica.cli(&["CLUSTER", "MEET", "127.0.0.1", &master.address().port().to_string()]);
            [master, replica]
        });
        for [master, replica] in &pairs {
            let id = id(master);
            until("a replica is taken", || replica.cli(&["CLUSTER", "REPLICATE", &id]) == "OK").await;
        }
        let mut cluster = Self { pairs };
        for server in cluster.pairs.as_flattened_mut() {
            server.limit_rights();
        }
        cluster.settles().await;
        cluster
    }

    pub fn url(&self) -> String {
        self.pairs[0][0].tcp_url().replace("redis://", "redis-cluster://")
    }

    /// Each master with its replica.
    fn roles(&self) -> [(&RedisServer, &RedisServer); 3] {
        self.pairs.each_ref().map(|[one, other]| if is_master(one) { (one, other) } else { (other, one) })
    }

    /// Waits until there is a replica of each master, and all servers say the same of the slots.
    pub async fn settles(&self) {
        let is_settled = || {
            let roles = self.roles();
            let slots: Vec<_> = self.pairs.as_flattened().iter().map(slots_of_masters).collect();
            roles.iter().all(|(master, replica)| is_master(master) && follows(replica, master))
                && slots.iter().all(|one| one.len() == 3 && *one == slots[0])
                && self.pairs.as_flattened().iter().all(is_ok)
        };
        until("the Cluster is of one mind", is_settled).await;
    }

    /// Has the replica of the n-th pair take over, which loses nothing.
    pub async fn fail_over(&self, n: usize) -> Fault {
        let (_, replica) = self.roles()[n];
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let since = Instant::now();
            assert_eq!(replica.cli(&["CLUSTER", "FAILOVER"]), "OK");
            // The other masters may have voted for somebody just now; then it is given up without a word.
            while since.elapsed() < GIVEN_UP_AFTER {
                if is_master(replica) {
                    return since;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        panic!("the replica does not become the master");
    }

    /// Kills the master of the n-th pair as soon as its replica has all, and waits for that to take over. It comes back later.
    pub async fn kill(&mut self, n: usize) -> Fault {
        let (master, replica) = self.roles()[n];
        let since = hold_writes(master, replica).await;
        let dying = usize::from(master.id() == self.pairs[n][1].id());
        self.pairs[n][dying].kill();
        until("the replica is the master", || is_master(&self.pairs[n][1 - dying])).await;
        since
    }

    pub async fn restart(&mut self, n: usize) {
        let dead = usize::from(is_master(&self.pairs[n][0]));
        self.pairs[n][dead].restart();
        self.pairs[n][dead].allow(&[]);
        self.settles().await;
    }

    /// The pair that has most of the rooms, and slots of two of these.
    pub fn fullest(&self) -> (usize, Vec<String>) {
        let slots = |(master, _): (&RedisServer, &RedisServer)| {
            let metas = master.cli(&["KEYS", "hubbub:{*}:meta"]);
            metas.lines().map(|meta| master.cli(&["CLUSTER", "KEYSLOT", meta])).collect::<Vec<_>>()
        };
        let slots = self.roles().map(slots);
        assert!(slots.iter().all(|slots| !slots.is_empty()), "there are rooms on all masters: {slots:?}");
        let (pair, slots) = slots.into_iter().enumerate().max_by_key(|(_, slots)| slots.len()).unwrap();
        (pair, slots.into_iter().take(2).collect())
    }

    /// Moves a slot to the next pair's master, key by key, as a reshard does. It goes on once people have met these answers: the one
    /// when a single key was moved, the other when all were and the slot is the old master's still.
    pub async fn move_slot(&self, slot: &str, from: usize, meets: [&str; 2]) -> Fault {
        let roles = self.roles();
        let ((source, _), (target, _)) = (roles[from], roles[(from + 1) % roles.len()]);
        let set = |server: &RedisServer, what: &str, id: &str| {
            assert_eq!(server.cli(&["CLUSTER", "SETSLOT", slot, what, id]), "OK");
        };
        set(target, "IMPORTING", &id(source));
        set(source, "MIGRATING", &id(target));
        let since = Instant::now();
        let port = target.address().port().to_string();
        let [in_part, whole] = meets;
        let mut moved = 0;
        loop {
            let keys = source.cli(&["CLUSTER", "GETKEYSINSLOT", slot, "100"]);
            let mut keys: Vec<_> = keys.lines().filter(|line| !line.is_empty()).collect();
            // The room's log goes first: what is left of it is then of no use to anybody.
            keys.sort_by_key(|key| !key.ends_with(":log"));
            let Some(key) = keys.first() else { break };
            let answer = source.cli(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]);
            // What says who is here goes when nobody is, as when an instance takes another id.
            assert!(["OK", "NOKEY"].contains(&&*answer), "{key}: {answer}");
            moved += 1;
            if moved == 1 {
                meet(source, in_part).await;
            }
        }
        meet(source, whole).await;
        set(target, "NODE", &id(target));
        set(source, "NODE", &id(target));
        for (master, _) in roles {
            set(master, "NODE", &id(target));
        }
        since
    }

    /// How often the masters answered with such an error.
    pub fn errors(&self, code: &str) -> u64 {
        self.roles().iter().map(|(master, _)| errors(master, code)).sum()
    }
}

async fn meet(server: &RedisServer, code: &str) {
    let before = errors(server, code);
    until(code, || errors(server, code) > before + 3).await;
}

fn errors(server: &RedisServer, code: &str) -> u64 {
    let count = field(server, "errorstats", &format!("errorstat_{code}"));
    count.strip_prefix("count=").map_or(0, |count| count.parse().unwrap())
}

fn id(server: &RedisServer) -> String {
    server.cli(&["CLUSTER", "MYID"])
}

fn is_ok(server: &RedisServer) -> bool {
    server.cli(&["CLUSTER", "INFO"]).lines().any(|line| line.trim_end() == "cluster_state:ok")
}

/// As this server knows them: masters, and the slots of each.
fn slots_of_masters(server: &RedisServer) -> Vec<String> {
    let nodes = server.cli(&["CLUSTER", "NODES"]);
    let masters = nodes.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let mut slots: Vec<_> = masters
        .filter(|words| words[2].trim_start_matches("myself,") == "master" && words.len() > 8)
        .map(|words| format!("{} {}", words[0], words[8..].join(" ")))
        .collect();
    slots.sort();
    slots
}

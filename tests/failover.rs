//! People write through two instances while the servers of the store change their roles, die, and give slots to each other.
#![allow(clippy::unwrap_used)]

#[path = "failover/check.rs"]
mod check;
#[path = "failover/client.rs"]
mod client;
#[path = "failover/cluster.rs"]
mod cluster;
#[path = "failover/crowd.rs"]
mod crowd;
#[path = "failover/sentinel.rs"]
mod sentinel;
#[path = "failover/servers.rs"]
mod servers;
#[path = "failover/stalls.rs"]
mod stalls;
mod support;
#[path = "failover/tale.rs"]
mod tale;

use cluster::Cluster;
use crowd::Crowd;
use sentinel::Sentinel;
use tokio::sync::Mutex;

/// One after the other: each has a dozen processes.
static TURN: Mutex<()> = Mutex::const_new(());

fn rooms(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("room {i}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_while_a_cluster_fails_over_and_moves_slots() {
    let _turn = TURN.lock().await;
    let mut cluster = Cluster::start().await;
    let mut crowd = Crowd::gather(&cluster.url(), &rooms(8), 5).await;
    for pair in 0..3 {
        let since = cluster.fail_over(pair).await;
        crowd.recovers("Cluster, a replica takes over", since).await;
        cluster.settles().await;
    }
    let (from, slots) = cluster.fullest();
    for slot in &slots {
        let since = cluster.move_slot(slot, from, ["TRYAGAIN", "ASK"]).await;
        crowd.recovers("Cluster, a slot is moved", since).await;
        cluster.settles().await;
    }
    for code in ["ASK", "MOVED", "TRYAGAIN"] {
        assert!(cluster.errors(code) > 0, "nobody met {code}");
    }
    for pair in 0..2 {
        let since = cluster.kill(pair).await;
        crowd.recovers("Cluster, a master is killed", since).await;
        cluster.restart(pair).await;
    }
    crowd.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_while_sentinel_changes_masters() {
    let _turn = TURN.lock().await;
    let mut sentinel = Sentinel::start().await;
    let mut crowd = Crowd::gather(&sentinel.url(), &rooms(4), 4).await;
    let since = sentinel.fail_over().await;
    crowd.recovers("Sentinel, a replica takes over", since).await;
    sentinel.settles().await;
    let since = sentinel.kill().await;
    crowd.recovers("Sentinel, the master is killed", since).await;
    sentinel.restart().await;
    crowd.ends().await;
}

//! A master that became a replica and kept its connections, behind a name that leads to another one by now.

use super::faults::append_until_known;
use crate::{
    contract::support::*,
    support::{proxy::Proxy, redis::RedisServer},
};
use hubbub::engine::{Live, LiveSink, Reason, RoomLog, redis::Redis};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Makes `replica` one of `master`, and waits until it has everything.
async fn replicate(master: &RedisServer, replica: &RedisServer) {
    let address = master.address().to_string();
    let (host, port) = address.split_once(':').unwrap();
    assert_eq!(replica.cli(&["REPLICAOF", host, port]), "OK");
    let has_everything = || replica.cli(&["INFO", "replication"]).contains("master_link_status:up");
    eventually("in step", async || has_everything()).await;
    assert_eq!(master.cli(&["WAIT", "1", "5000"]), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_acknowledged_soon_after_a_failover_behind_one_name() {
    let (first, second) = (RedisServer::start(&[]), RedisServer::start(&["--repl-diskless-sync-delay", "0"]));
    first.cli(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]);
    let proxy = Proxy::to(first.address()).await.unwrap();
    let engine = Redis::connect(&proxy.url(), DAY).await.unwrap();
    let reports = Arc::new(Recorder::default());
    engine.attach(Arc::clone(&reports) as Arc<dyn LiveSink>);
    let tab = Tab::new(&room("Design"));
    engine.follow(&tab.room.key).await.unwrap();
    fill(&*engine, &tab, 3).await;
    replicate(&first, &second).await;

    second.cli(&["REPLICAOF", "NO", "ONE"]);
    proxy.lead_to(second.address());
    // Nothing is cut.
    let address = second.address().to_string();
    let (host, port) = address.split_once(':').unwrap();
    assert_eq!(first.cli(&["REPLICAOF", host, port]), "OK");
    let began = Instant::now();
    let at = append_until_known(&*engine, &tab.draft(4, "m4")).await;
    assert_eq!(at.seq, 4);
    assert!(began.elapsed() < Duration::from_secs(10), "after {:?}", began.elapsed());
    eventually("writable", async || engine.writable().await.is_ok()).await;
    eventually("reported", async || {
        reports.count(&Report::Doubt) > 0 || reports.commits(&tab.room.key).last().is_some_and(|last| last.seq == 4)
    })
    .await;
    append_until_known(&*engine, &tab.draft(5, "m5")).await;
    eventually("heard there", async || reports.commits(&tab.room.key).last().is_some_and(|last| last.seq == 5)).await;
    assert_eq!(log(&*engine, &tab.room.key).await.len(), 5);
    let log = second.cli(&["KEYS", "hubbub:{*}:log"]);
    assert_eq!(second.cli(&["XLEN", &log]), "5");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_says_why_nothing_can_be_written_and_when_it_can_be_again() {
    let server = RedisServer::start_with_rights();
    let engine = Redis::connect(&server.tcp_url(), DAY).await.unwrap();
    engine.writable().await.unwrap();
    let tab = Tab::new(&room("Design"));
    let ok = |command: &[&str]| assert_eq!(server.cli(command), "OK", "{command:?}");
    let replica: (&[&str], &[&str]) = (&["REPLICAOF", "127.0.0.1", "1"], &["REPLICAOF", "NO", "ONE"]);
    let alone: (&[&str], &[&str]) =
        (&["CONFIG", "SET", "min-replicas-to-write", "1"], &["CONFIG", "SET", "min-replicas-to-write", "0"]);
    let full: (&[&str], &[&str]) = (&["CONFIG", "SET", "maxmemory", "1"], &["CONFIG", "SET", "maxmemory", "0"]);
    for (n, ((broken, repaired), reason)) in
        (1..).zip([(replica, Reason::ReadOnly), (alone, Reason::ReadOnly), (full, Reason::Full)])
    {
        ok(broken);
        // Also where nobody writes: it is asked.
        let why = async || engine.writable().await.err().map(|why| why.reason);
        eventually("said", async || why().await == Some(reason)).await;
        assert!(engine.append(tab.draft(n, "m")).await.is_err());
        ok(repaired);
        eventually("writable again", async || why().await.is_none()).await;
        append_until_known(&*engine, &tab.draft(n, "m")).await;
    }
    server.allow(&["-xadd"]);
    assert!(engine.append(tab.draft(4, "m")).await.is_err());
    assert_eq!(engine.writable().await.unwrap_err().reason, Reason::Rights);
    let named = async || engine.writable().await.is_err_and(|why| why.detail.to_lowercase().contains("xadd"));
    eventually("the right is named", named).await;
    server.allow(&[]);
    eventually("writable again", async || engine.writable().await.is_ok()).await;
}

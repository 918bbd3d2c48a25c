//! Each way in which the store is set back, and what it loses.

use super::{
    Ends,
    logs::Keys,
    redis_tests::{Fixture, answer, one},
};
use app::domain::{Cursor, EntryId, Epoch, RoomName};
use std::{
    collections::HashSet,
    time::{Duration, Instant},
};
use testkit::redis::Value;
use tokio::{io::AsyncWriteExt, time::timeout};

#[tokio::test]
async fn a_failover_loses_what_the_replica_was_not_told_and_can_be_repeated() {
    let cluster = Fixture::start().await;
    for round in ["a", "b"] {
        let before = cluster.redis.proxied_master();
        let (kept, lost, after) = (format!("kept-{round}"), format!("lost-{round}"), format!("after-{round}"));
        cluster.set(&kept).await;
        cluster.redis.hold_replication().await.unwrap();
        cluster.set(&lost).await;
        cluster.redis.failover(&Ends::default()).await.unwrap().unwrap();
        assert_ne!(cluster.redis.proxied_master(), before);
        assert_eq!(cluster.get(&kept).await, one());
        assert_eq!(cluster.get(&lost).await, Value::Nil);
        cluster.set(&after).await;
        cluster.redis.settle().await.unwrap();
    }
    assert_eq!(cluster.get("kept-a").await, one());
    assert_eq!(cluster.get("after-a").await, one());
    cluster.redis.kill().await;
    assert!(cluster.redis.failover(&Ends::default()).await.is_err(), "nothing to fail over to");
}

#[tokio::test]
async fn a_demoted_master_keeps_its_connections_and_its_address_leads_to_another() {
    let cluster = Fixture::start().await;
    let front = cluster.redis.proxied_master();
    for round in ["a", "b"] {
        let (kept, lost, after) = (format!("kept-{round}"), format!("lost-{round}"), format!("after-{round}"));
        let mut instance = cluster.instance().await;
        instance.write_all(format!("SET {kept} 1\r\n").as_bytes()).await.unwrap();
        assert_eq!(answer(&mut instance).await.unwrap(), "+OK\r\n");
        cluster.redis.hold_replication().await.unwrap();
        instance.write_all(format!("SET {lost} 1\r\n").as_bytes()).await.unwrap();
        assert_eq!(answer(&mut instance).await.unwrap(), "+OK\r\n");
        cluster.redis.demote(&Ends::default()).await.unwrap().unwrap();
        instance.write_all(format!("SET {after} 1\r\n").as_bytes()).await.unwrap();
        assert!(answer(&mut instance).await.unwrap().starts_with("-READONLY "));
        assert_eq!(cluster.redis.proxied_master(), front);
        let mut anew = cluster.instance().await;
        anew.write_all(format!("SET {after} 1\r\n").as_bytes()).await.unwrap();
        assert_eq!(answer(&mut anew).await.unwrap(), "+OK\r\n");
        assert_eq!(
            [cluster.get(&kept).await, cluster.get(&lost).await, cluster.get(&after).await],
            [one(), Value::Nil, one()]
        );
        cluster.redis.settle().await.unwrap();
    }
    // Sentinel takes it for what it is, and a server that starts again is the master at the same address.
    cluster.redis.failover(&Ends::default()).await.unwrap().unwrap();
    assert_ne!(cluster.redis.proxied_master(), front);
    cluster.redis.settle().await.unwrap();
    cluster.redis.kill().await;
    cluster.redis.restart().await.unwrap();
    assert_eq!(cluster.get("after-b").await, one());
    cluster.redis.settle().await.unwrap();
    // The failover wrote into the other's settings that it is a replica, which it is not any more.
    cluster.redis.demote(&Ends::default()).await.unwrap().unwrap();
    cluster.redis.settle().await.unwrap();
    cluster.redis.kill().await;
    cluster.redis.restart().await.unwrap();
    cluster.redis.settle().await.unwrap();
    assert_eq!(cluster.get("after-b").await, one());
}

/// What three ways of setting the store back lose, by ids: also what an old master takes after its successor was made.
#[tokio::test]
async fn what_is_lost_is_read_before_and_after() {
    let cluster = Fixture::start().await;
    let room = RoomName::parse("lunch").unwrap().key();
    let rooms = [room.clone(), RoomName::parse("elsewhere").unwrap().key()];
    let write = async |seq: u64, id: u64| {
        let at = Cursor { epoch: Epoch(1), seq, id: EntryId(id) };
        let (keys, json) = (Keys::of(&room), serde_json::to_string(&at).unwrap());
        cluster.redis.command(&["XADD", &keys.log, &format!("{seq}-0"), "e", &json]).await.unwrap();
        cluster.redis.command(&["HSET", &keys.meta, "seq", &seq.to_string()]).await.unwrap();
        (0, at)
    };
    write(1, 1).await;
    let ends = cluster.redis.ends(&rooms).await.unwrap();
    let snapshot = cluster.redis.snapshot().await.unwrap();
    let expected = HashSet::from([write(2, 20).await, write(3, 30).await]);
    assert_eq!(cluster.redis.restore(&snapshot, &ends).await.unwrap(), Ok(expected));

    write(2, 21).await;
    for (failover, seq) in [(true, 3), (false, 5)] {
        let ends = cluster.redis.ends(&rooms).await.unwrap();
        write(seq, 1).await;
        cluster.redis.hold_replication().await.unwrap();
        let lost = HashSet::from([write(seq + 1, 2).await]);
        let loss = if failover { cluster.redis.failover(&ends).await } else { cluster.redis.demote(&ends).await };
        assert_eq!(loss.unwrap(), Ok(lost), "failover: {failover}");
        // Written again, under another id.
        write(seq + 1, 3).await;
        cluster.redis.settle().await.unwrap();
    }
}

#[tokio::test]
async fn a_master_that_was_killed_frozen_or_restored_is_the_master_again() {
    let cluster = Fixture::start().await;
    cluster.set("old").await;
    let snapshot = cluster.redis.snapshot().await.unwrap();
    cluster.set("new").await;
    cluster.redis.kill().await;
    assert!(cluster.redis.command(&["PING"]).await.is_err());
    let begin = Instant::now();
    assert!(cluster.redis.restart().await.unwrap() >= begin);
    assert_eq!(cluster.get("new").await, one());

    cluster.redis.freeze().await.unwrap();
    let mut instance = cluster.instance().await;
    instance.write_all(b"PING\r\n").await.unwrap();
    assert!(timeout(Duration::from_millis(50), instance.peek(&mut [0; 1])).await.is_err(), "a frozen server answers");
    cluster.redis.thaw().await.unwrap();
    assert_eq!(answer(&mut instance).await.unwrap(), "+PONG\r\n");

    cluster.redis.restore(&snapshot, &Ends::default()).await.unwrap().unwrap();
    assert_eq!((cluster.get("old").await, cluster.get("new").await), (one(), Value::Nil));
    cluster.redis.settle().await.unwrap();
    assert_eq!(cluster.redis.command(&["ROLE"]).await.unwrap().list()[0].text(), Some("master"));
}

//! A Cluster that lost one of its masters, and nothing in its place.

use super::faults::append_until_known;
use crate::{contract::support::*, support::redis::RedisServer};
use hubbub::engine::{Live, RoomLog, redis::Redis};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_master_takes_its_own_rooms_along_and_no_others() {
    let mut masters = RedisServer::start_cluster_of::<3>();
    let url = masters[0].tcp_url().replace("redis://", "redis-cluster://");
    let engine = Redis::connect(&url, DAY).await.unwrap();
    let tabs: Vec<_> = (0..24).map(|i| Tab::new(&room(&format!("room {i}")))).collect();
    for tab in &tabs {
        append_until_known(&*engine, &tab.draft(1, "m1")).await;
    }
    // A master's rooms are those whose logs it holds.
    let rooms_of = |master: &RedisServer| {
        let logs = master.cli(&["KEYS", "hubbub:{*}:log"]);
        logs.lines().filter(|line| !line.is_empty()).count()
    };
    let lost = rooms_of(&masters[2]);
    assert!(lost > 0 && masters.iter().map(rooms_of).sum::<usize>() == tabs.len());
    masters[2].kill();

    let (mut living, mut dead) = (Vec::new(), tabs);
    let deadline = Instant::now() + Duration::from_secs(30);
    while dead.len() > lost {
        assert!(Instant::now() < deadline, "the others do not go on");
        let mut refused = Vec::new();
        for tab in dead {
            let written = engine.append(tab.draft(2, "m2")).await.is_ok();
            if written { &mut living } else { &mut refused }.push(tab);
        }
        dead = refused;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(dead.len(), lost, "what is dead acknowledges nothing");
    engine.writable().await.expect("some rooms take messages");
    for tab in &living {
        assert_eq!(texts(&log(&*engine, &tab.room.key).await), ["m1", "m2"]);
    }

    // It kept nothing, so that a client uses up the number whose message is lost and goes on behind it.
    masters[2].restart();
    for tab in dead {
        eventually("back", async || engine.append(tab.void(1)).await.is_ok()).await;
        append_until_known(&*engine, &tab.draft(2, "m2")).await;
        assert_eq!(texts(&log(&*engine, &tab.room.key).await), ["m2"]);
    }
}

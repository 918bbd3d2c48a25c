//! A Cluster that lost one of its masters, and nothing in its place.

use super::faults::append_until_known;
use crate::{contract::support::*, support::redis::RedisServer};
use hubbub::engine::{Live, RoomLog, redis::Redis};

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

    let mut written = vec![false; tabs.len()];
    eventually("the others go on", async || {
        for (tab, written) in tabs.iter().zip(&mut written) {
            *written = *written || engine.append(tab.draft(2, "m2")).await.is_ok();
        }
        written.iter().filter(|written| !**written).count() <= lost
    })
    .await;
    assert_eq!(written.iter().filter(|written| !**written).count(), lost, "what is dead acknowledges nothing");
    engine.writable().await.expect("some rooms take messages");
    let (living, dead): (Vec<_>, Vec<_>) = tabs.iter().zip(written).partition(|(_, written)| *written);
    for (tab, _) in living {
        assert_eq!(texts(&log(&*engine, &tab.room.key).await), ["m1", "m2"]);
    }

    // It kept nothing, so that a client uses up the number whose message is lost and goes on behind it.
    masters[2].restart();
    for (tab, _) in dead {
        eventually("back", async || engine.append(tab.void(1)).await.is_ok()).await;
        append_until_known(&*engine, &tab.draft(2, "m2")).await;
        assert_eq!(texts(&log(&*engine, &tab.room.key).await), ["m2"]);
    }
}

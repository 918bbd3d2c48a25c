//! A Cluster that lost one of its masters, and nothing in its place.

use super::faults::append_until_known;
use crate::{contract::support::*, support::redis::RedisServer};
use hubbub::engine::{Directory, Ended, Live, RoomLog, redis::Redis};
use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

async fn connect(masters: &[RedisServer]) -> Arc<Redis> {
    let url = masters[0].tcp_url().replace("redis://", "redis-cluster://");
    Redis::connect(&url, DAY).await.unwrap()
}

/// Those of its keys.
fn keys(master: &RedisServer, pattern: &str) -> HashSet<String> {
    let keys = master.cli(&["KEYS", pattern]);
    keys.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_master_takes_its_own_rooms_along_and_no_others() {
    let mut masters = RedisServer::start_cluster_of::<3>();
    let engine = connect(&masters).await;
    let tabs: Vec<_> = (0..24).map(|i| Tab::new(&room(&format!("room {i}")))).collect();
    for tab in &tabs {
        append_until_known(&*engine, &tab.draft(1, "m1")).await;
    }
    // A master's rooms are those whose logs it holds.
    let rooms_of = |master: &RedisServer| keys(master, "hubbub:{*}:log").len();
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sessions_on_a_dead_master_nothing_is_told_and_of_the_others_all() {
    let mut masters = RedisServer::start_cluster_of::<3>();
    let engine = connect(&masters).await;
    let tokens: Vec<_> = (0..24).map(|_| token()).collect();
    for (i, &token) in tokens.iter().enumerate() {
        engine.open_session(token, &user_name(&format!("person {i}"))).await.unwrap();
    }
    let away = keys(&masters[2], "hubbub:session:*");
    let (away, living): (Vec<_>, Vec<_>) =
        tokens.iter().copied().partition(|token| away.contains(&format!("hubbub:session:{}", token.to_hex())));
    assert!(!away.is_empty() && !living.is_empty());
    masters[2].kill();
    let never: Vec<_> = (0..24).map(|_| token()).collect();
    let asked = [&tokens[..], &never].concat();
    eventually("some are told of", async || engine.ended_sessions(&asked).await.is_ok()).await;
    let Ended { ended, unknown } = engine.ended_sessions(&asked).await.unwrap();
    let (unknown, others): (Vec<_>, Vec<_>) = unknown.into_iter().partition(|token| tokens.contains(token));
    assert_eq!(unknown, away);
    assert!(!ended.is_empty() && ended.iter().all(|token| never.contains(token)), "nobody was signed out");
    assert_eq!(ended.len() + others.len(), never.len());
}

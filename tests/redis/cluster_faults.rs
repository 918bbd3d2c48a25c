//! A Cluster that lost one of its masters, and nothing in its place.

use super::faults::append_until_known;
use crate::{contract::support::*, support::redis::RedisServer};
use app::domain::{Cursor, RoomKey};
use hubbub::engine::{
    Directory, Ended, Live, NoTop, Presence, Reads, RoomLog,
    redis::{Redis, Times},
};
use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

pub(super) async fn connect(masters: &[RedisServer]) -> Arc<Redis> {
    connect_with_lease(masters, Duration::from_secs(15)).await
}

async fn connect_with_lease(masters: &[RedisServer], lease: Duration) -> Arc<Redis> {
    let url = masters[0].tcp_url().replace("redis://", "redis-cluster://");
    Redis::connect_with(&url, Times { session_ttl: DAY, lease }).await.unwrap()
}

/// Where the rooms' logs end, once the engine is connected to what is left. Some of each kind.
async fn ends(engine: &Redis, rooms: &[RoomKey]) -> Vec<Result<Option<Cursor>, NoTop>> {
    eventually("connected to what is left", async || {
        engine.tops(rooms).await.is_ok_and(|tops| tops.contains(&Err(NoTop::Away)))
    })
    .await;
    let tops = engine.tops(rooms).await.unwrap();
    assert!(tops.iter().all(|top| matches!(top, Ok(Some(_)) | Err(NoTop::Away))));
    assert!(tops.iter().any(Result::is_ok));
    tops
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_asks_several_masters_takes_the_answers_of_those_that_are_there() {
    let mut masters = RedisServer::start_cluster_of::<3>();
    let engine = connect(&masters).await;
    let tabs: Vec<_> = (0..24).map(|i| Tab::new(&room(&format!("room {i}")))).collect();
    let keys_of: Vec<_> = tabs.iter().map(|tab| tab.room.key.clone()).collect();
    for tab in &tabs {
        append_until_known(&*engine, &tab.draft(1, "m1")).await;
    }
    eventually("listed", async || engine.rooms(100).await.unwrap().len() == tabs.len()).await;
    let dying = masters.iter().position(|master| keys(master, "hubbub:{rooms}:*").is_empty()).unwrap();
    // Whose list is elsewhere.
    let mut me = person("Ann").id;
    engine.add_member(me, &keys_of[0]).await.unwrap();
    while !keys(&masters[dying], &format!("hubbub:user:{me}:rooms")).is_empty() {
        me = person("Ann").id;
        engine.add_member(me, &keys_of[0]).await.unwrap();
    }
    for key in &keys_of[1..] {
        engine.add_member(me, key).await.unwrap();
    }

    masters[dying].kill();
    let tops = ends(&engine, &keys_of).await;
    let listed = engine.rooms(100).await.unwrap();
    assert_eq!(listed.len(), tabs.len());
    for (key, top) in keys_of.iter().zip(&tops) {
        let listed = listed.iter().find(|listed| listed.room.key == *key).unwrap();
        assert_eq!(listed.last.is_some(), top.is_ok());
    }
    assert_eq!(engine.rooms_of(me).await.unwrap().len(), tabs.len());
    let places: Vec<_> = keys_of.iter().map(|key| (key.clone(), u64::MAX)).collect();
    let readings = engine.readings(me, &places).await.unwrap();
    for (reading, top) in readings.iter().zip(&tops) {
        assert_eq!(reading.mark.is_some(), top.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_shown_while_nobody_can_tell_which_instances_are_alive() {
    const LEASE: Duration = Duration::from_secs(1);
    let mut masters = RedisServer::start_cluster_of::<3>();
    let (a, b) = (connect_with_lease(&masters, LEASE).await, connect_with_lease(&masters, LEASE).await);
    let rooms: Vec<_> = (0..24).map(|i| room(&format!("room {i}")).key).collect();
    let [ann, bo, cy] = ["Ann", "Bo", "Cy"].map(person);
    for (i, key) in rooms.iter().enumerate() {
        append_until_known(&*a, &Tab::new(&room(&format!("room {i}"))).draft(1, "m1")).await;
        a.enter(key, &ann).await.unwrap();
        b.enter(key, &bo).await.unwrap();
    }
    assert_eq!(a.people(&rooms[0]).await.unwrap(), [ann.clone(), bo.clone()]);
    let dying = masters.iter().position(|master| !keys(master, "hubbub:instances").is_empty()).unwrap();
    masters[dying].kill();
    let tops = ends(&a, &rooms).await;
    let living: Vec<_> = rooms.iter().zip(tops).filter(|(_, top)| top.is_ok()).map(|(key, _)| key).collect();
    ends(&b, &rooms).await;

    // No write there is half done, nor does the next renewal take anybody away.
    b.enter(living[0], &cy).await.unwrap();
    b.leave(living[0], bo.id).await.unwrap();
    let away = rooms.iter().find(|key| !living.contains(key)).unwrap();
    assert!(b.leave(away, bo.id).await.is_err());
    let began = Instant::now();
    while began.elapsed() < LEASE * 2 {
        assert_eq!(a.people(living[0]).await.unwrap(), [ann.clone(), cy.clone()]);
        for key in &living[1..] {
            assert_eq!(a.people(key).await.unwrap(), [ann.clone(), bo.clone()]);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    // It knows nothing any more: everybody is entered again.
    masters[dying].restart();
    for key in rooms.iter().filter(|key| *key != living[0] && *key != away) {
        let here = [ann.clone(), bo.clone()];
        eventually("everybody is back", async || a.people(key).await.is_ok_and(|people| people == here)).await;
    }
    let left = [ann.clone()];
    eventually("who left is gone", async || a.people(away).await.is_ok_and(|people| people == left)).await;
}

//! Two deployments on one server: what shares no prefix, or no database, hears and sees nothing of each other.

use crate::{contract::support::*, support::redis::RedisServer};
use hubbub::engine::{
    Directory, Live, LiveSink, Presence, Reads, RoomLog,
    redis::{Redis, Times},
};
use std::sync::Arc;

async fn deployment(url: &str, prefix: &str) -> (Arc<Redis>, Arc<Recorder>) {
    let engine = Redis::connect_as(url, prefix, Times::with_session_ttl(DAY)).await.unwrap();
    let reports = Arc::new(Recorder::default());
    engine.attach(Arc::clone(&reports) as Arc<dyn LiveSink>);
    (engine, reports)
}

/// What happens on one is reported there, and nowhere on the other.
async fn are_apart(
    (one, heard_by_one): (Arc<Redis>, Arc<Recorder>),
    (other, heard_by_other): (Arc<Redis>, Arc<Recorder>),
) {
    let tab = Tab::new(&room("Design"));
    let key = &tab.room.key;
    for engine in [&one, &other] {
        engine.create_room(&tab.room.name).await.unwrap();
        engine.follow(key).await.unwrap();
    }
    // The name is free on each.
    let session = one.open_session(token(), &user_name("Ann")).await.unwrap();
    other.open_session(token(), &user_name("Ann")).await.unwrap();
    one.add_member(session.person.id, key).await.unwrap();
    one.enter(key, &session.person).await.unwrap();
    one.typing(key, &session.person).await.unwrap();
    let end = fill(&*one, &tab, 3).await[2];
    let mark = app::protocol::ReadMark { epoch: end.epoch, seq: 3 };
    one.raise_mark(session.person.id, key, mark).await.unwrap();
    one.close_session(session.token).await.unwrap();
    let typing = Report::Typing(key.clone(), session.person.clone());
    eventually("heard", async || heard_by_one.commits(key).len() == 3 && heard_by_one.count(&typing) == 1).await;
    // The last of it in order: by then the rest would have been there.
    let ben = person("Ben");
    other.typing(key, &ben).await.unwrap();
    eventually("heard", async || heard_by_other.count(&Report::Typing(key.clone(), ben.clone())) == 1).await;
    let others = heard_by_other.all();
    assert!(others.iter().all(|report| *report == Report::Typing(key.clone(), ben.clone())), "{others:?}");
    assert_eq!(other.newest(key, 10).await.unwrap().unwrap().records, []);
    assert_eq!(other.people(key).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deployments_in_two_databases_do_not_hear_each_other() {
    let server = RedisServer::start(&[]);
    let [first, second] = ["1", "2"].map(|database| format!("{}/{database}", server.tcp_url()));
    are_apart(deployment(&first, "hubbub").await, deployment(&second, "hubbub").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deployments_with_two_prefixes_do_not_hear_each_other() {
    let server = RedisServer::start(&[]);
    let (one, other) = (deployment(&server.url(), "hubbub").await, deployment(&server.url(), "team-b").await);
    let _kept = other.0.clone();
    are_apart(one, other).await;
    let keys = server.cli(&["KEYS", "*"]);
    assert!(keys.lines().all(|key| key.starts_with("hubbub:") || key.starts_with("team-b:")), "{keys}");
    let channels = server.cli(&["PUBSUB", "SHARDCHANNELS"]);
    assert!(channels.lines().any(|channel| channel.starts_with("team-b:{")), "{channels}");
}

//! What the engine keeps in Redis, key by key.

use crate::{contract::support::*, support::redis::RedisServer};
use app::protocol::ReadMark;
use hubbub::engine::{
    Directory, Presence, Quota, Quotas, Reads, RoomLog,
    redis::{Announcement, Redis, Times},
};
use std::time::Duration;

/// A key without what is different each time.
fn pattern(key: &str) -> String {
    let is_id = |word: &str| word.len() >= 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut pattern = String::new();
    for word in key.split_inclusive([':', '{', '}']) {
        let (name, end) = word.split_at(word.len() - usize::from(word.ends_with([':', '{', '}'])));
        pattern += if is_id(name) { "#" } else { name };
        pattern += end;
    }
    pattern
}

/// Every key, its type, and the names of a hash's fields.
fn keys(server: &RedisServer) -> String {
    let mut lines = Vec::new();
    for key in server.cli(&["KEYS", "*"]).lines().filter(|key| !key.is_empty()) {
        let kind = server.cli(&["TYPE", key]);
        let mut line = format!("{}: {}", pattern(key), kind.trim());
        if kind.trim() == "hash" {
            let fields = server.cli(&["HKEYS", key]);
            let mut fields: Vec<_> = fields.lines().map(pattern).collect();
            fields.sort_unstable();
            line = [line, fields.join(" ")].join(" ");
        }
        lines.push(line);
    }
    lines.sort_unstable();
    lines.dedup();
    lines.join("\n") + "\n"
}

/// A later build has to find what this one wrote: a change here is one to every store there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_fields_are_what_they_are() {
    let server = RedisServer::start(&[]);
    let engine = Redis::connect(&server.tcp_url(), DAY).await.unwrap();
    let tab = Tab::new(&room("Design"));
    let key = &tab.room.key;
    engine.announce(&Announcement::new("0".to_owned(), [].into())).await;
    engine.create_room(&tab.room.name).await.unwrap();
    let session = engine.open_session(token(), &user_name("Ann")).await.unwrap();
    let me = session.person.id;
    engine.add_member(me, key).await.unwrap();
    engine.enter(key, &session.person).await.unwrap();
    let end = fill(&*engine, &tab, 2).await[1];
    engine.append(Tab::new(&tab.room).void(1)).await.unwrap();
    engine.raise_mark(me, key, ReadMark { epoch: end.epoch, seq: 2 }).await.unwrap();
    engine.take("a place", Quota { burst: 5, every: Duration::from_mins(1) }).await.unwrap().unwrap();
    engine.hold(session.token, &["a place".to_owned()]).await.unwrap();
    engine.set_notice(Some(("We restart", DAY))).await.unwrap();
    let is_listed = async || engine.rooms(1).await.unwrap().len() == 1;
    eventually("the room is on the list", is_listed).await;
    assert_eq!(keys(&server), include_str!("keys.txt"));
}

#[tokio::test]
async fn what_a_later_hubbub_keeps_is_refused_in_one_line_and_left_alone() {
    let server = RedisServer::start(&[]);
    drop(Redis::connect(&server.tcp_url(), DAY).await.unwrap());
    assert_eq!(server.cli(&["GET", "hubbub:format"]).trim(), "1");
    for found in ["2", "1.5", ""] {
        server.cli(&["SET", "hubbub:format", found]);
        let error = Redis::connect(&server.tcp_url(), DAY).await.err().unwrap();
        assert!(
            error.is_lasting() && error.to_string().contains(&format!("has format {found}, of a later Hubbub")),
            "{error}"
        );
        assert_eq!(server.cli(&["GET", "hubbub:format"]).trim(), found);
    }
    // Another deployment's is its own.
    Redis::connect_as(&server.tcp_url(), "other", Times::with_session_ttl(DAY)).await.unwrap();
    server.cli(&["DEL", "hubbub:format"]);
    Redis::connect(&server.tcp_url(), DAY).await.unwrap();
    assert_eq!(server.cli(&["GET", "hubbub:format"]).trim(), "1");
}

/// The append-only file is read as the user whom `deploy/redis.conf` lets nobody become: with no rights it would be without all that
/// scripts wrote.
#[tokio::test]
async fn redis_as_it_is_deployed_has_after_a_restart_what_it_acknowledged() {
    let mut server = RedisServer::start_as_deployed();
    assert!(server.cli(&["PING"]).contains("NOAUTH"), "nobody gets in without a password");
    let tab = Tab::new(&room("Design"));
    let engine = Redis::connect(&server.tcp_url(), DAY).await.unwrap();
    fill(&*engine, &tab, 3).await;
    let before = log(&*engine, &tab.room.key).await;
    drop(engine);
    server.restart();
    let engine = Redis::connect(&server.tcp_url(), DAY).await.unwrap();
    assert_eq!(log(&*engine, &tab.room.key).await, before);
    assert_eq!(before.len(), 3);
}

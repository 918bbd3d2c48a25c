//! Commits of which an instance is told nothing: its sockets have them all the same, soon, the last one included.
#![allow(clippy::unwrap_used)]

mod support;

use app::{domain::ProducerId, protocol::ServerFrame};
use std::time::{Duration, Instant};
use support::{
    person::{Person, Socket},
    proxy::Proxy,
    redis::RedisServer,
    server::Server,
};

/// What the product promises, and what a busy machine may take besides.
const SOON: Duration = Duration::from_millis(1_000 + 500);
const P: ProducerId = ProducerId(1);

/// An instance straight at Redis, one behind a proxy, and a socket of one person on each.
struct Two {
    _servers: (Server, Server),
    proxy: Proxy,
    at_a: Socket,
    at_b: Socket,
    n: u64,
}

impl Two {
    async fn start(redis: &RedisServer) -> Self {
        let proxy = Proxy::to(redis.address()).await.unwrap();
        let (a, b) = (Server::redis(&redis.url(), &[]).await, Server::redis(&proxy.url(), &[]).await);
        let (jiwoo, megan) = (Person::signed_in(&a, "지우", "a").await, Person::signed_in(&b, "Megan", "a").await);
        let (mut at_a, mut at_b) = (jiwoo.socket(&a).await, megan.socket(&b).await);
        at_a.join("a", None).await;
        at_b.join("a", None).await;
        Self { _servers: (a, b), proxy, at_a, at_b, n: 0 }
    }

    /// How long after its acknowledgement on one instance a message took to a socket on the other.
    async fn time_of_a_message(&mut self) -> Duration {
        self.n += 1;
        self.at_a.say("a", P, self.n, "hello").await;
        let at = self.at_a.ack(self.n).await;
        let acknowledged = Instant::now();
        assert_eq!(self.at_b.entry().await.cursor(), at);
        acknowledged.elapsed()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_silently_ended_delays_no_message_by_more_than_a_second() {
    let redis = RedisServer::start(&[]);
    let mut two = Two::start(&redis).await;
    for _ in 0..3 {
        two.time_of_a_message().await;
        two.proxy.unsubscribe(0);
        let gone = || redis.cli(&["PUBSUB", "SHARDNUMSUB", &redis.cli(&["PUBSUB", "SHARDCHANNELS", "*live"])]);
        until(|| gone().ends_with('1')).await;
        let took = two.time_of_a_message().await;
        assert!(took < SOON, "after {took:?}");
    }
    // And the subscription is there again.
    let channel = redis.cli(&["PUBSUB", "SHARDCHANNELS", "*live"]);
    until(|| redis.cli(&["PUBSUB", "SHARDNUMSUB", &channel]).ends_with('2')).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_redis_does_not_count_subscriptions_the_logs_are_compared_all_the_same() {
    let redis = RedisServer::start(&[]);
    assert_eq!(redis.cli(&["ACL", "SETUSER", "default", "-client|info"]), "OK");
    let mut two = Two::start(&redis).await;
    for _ in 0..3 {
        two.time_of_a_message().await;
        two.proxy.unsubscribe(0);
        let took = two.time_of_a_message().await;
        assert!(took < SOON, "after {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_last_message_is_found_within_a_second() {
    let redis = RedisServer::start(&[]);
    let mut two = Two::start(&redis).await;
    // Presence has settled once both have been told of each other.
    let both = |frame| matches!(frame, ServerFrame::Presence { count: 2, .. }).then_some(());
    two.at_a.until(both).await;
    two.time_of_a_message().await;
    two.proxy.faults.swallow_a_message();
    let took = two.time_of_a_message().await;
    assert!(two.proxy.faults.has_swallowed(), "nothing was lost");
    assert!(took < SOON, "after {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_to_redis_that_went_dead_without_a_word_is_given_up() {
    let redis = RedisServer::start(&[]);
    let mut two = Two::start(&redis).await;
    two.time_of_a_message().await;
    two.proxy.faults.lose_everything_under_way();
    until(|| two.proxy.faults.lost_connections() == 3).await;
    two.proxy.faults.pass_new_connections();
    let took = two.time_of_a_message().await;
    assert!(took < Duration::from_secs(4), "after {took:?}");
    let took = two.time_of_a_message().await;
    assert!(took < SOON, "after {took:?}");
}

async fn until(mut met: impl FnMut() -> bool) {
    let start = Instant::now();
    while !met() {
        assert!(start.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

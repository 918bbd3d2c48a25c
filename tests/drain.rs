//! An instance that stops hands its people over: they are served until they are elsewhere, and nobody holds it up.
#![allow(clippy::unwrap_used)]

mod support;

use app::{
    domain::{MESSAGE_MAX, ProducerId},
    protocol::{ClientFrame, JoinedHow, ServerFrame},
};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use support::{
    person::{Person, key},
    redis::RedisServer,
    server::Server,
};

const P: ProducerId = ProducerId(7);

#[tokio::test(flavor = "multi_thread")]
async fn people_on_an_instance_that_stops_are_served_until_they_are_on_another() {
    let redis = RedisServer::start(&[]);
    let (a, b) = (Server::redis(&redis.url(), &[]).await, Server::redis(&redis.url(), &[]).await);
    let mut at_b = Vec::new();
    for i in 0..20 {
        let person = Person::signed_in(&b, &format!("person {i}"), "a").await;
        let mut socket = person.socket(&b).await;
        socket.join("a", None).await;
        at_b.push((person, socket));
    }
    let stays = Person::signed_in(&a, "지우", "a").await;
    let mut at_a = stays.socket(&a).await;
    at_a.join("a", None).await;

    let (stopping, address) = (Instant::now(), b.address);
    let stopped = tokio::spawn(b.stop());
    let told = at_b.iter_mut().map(async |(_, old)| {
        old.until(|frame| matches!(frame, ServerFrame::Move { within_ms: 1.. }).then_some(())).await;
        stopping.elapsed()
    });
    let mut told_after = futures_util::future::join_all(told).await;
    let mut n = 0;
    for (person, mut old) in at_b {
        // No new socket there, and no new people; the old one is served in both directions.
        assert_eq!(person.try_socket(&address, None).await.unwrap().closed().await.code(), Some(1012));
        // Nor further requests on the same connection, as a proxy would send.
        let refused = person.get(&address, "/health/ready").await;
        assert_eq!((refused.status().as_u16(), &refused.headers()["connection"]), (503, &"close".parse().unwrap()));
        old.say("a", P, 1, "from the old one").await;
        old.ack(1).await;
        n += 1;
        at_a.say("a", P, n, "from elsewhere").await;
        let last = at_a.ack(n).await;
        while old.entry().await.cursor() != last {}
        // Make before break, as the client does.
        let mut new = person.socket(&a).await;
        assert_eq!(new.join("a", Some(last)).await.0, JoinedHow::Resumed);
        old.ws.close(None).await.unwrap();
    }
    stopped.await.unwrap();
    // Everybody moved, so nothing was waited for.
    assert!(stopping.elapsed() < Duration::from_secs(5), "after {:?}", stopping.elapsed());
    // At once they would all arrive elsewhere at once.
    told_after.sort();
    assert!(told_after[0] + Duration::from_millis(500) < told_after[19], "{told_after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_many_sockets_nor_stalled_ones_hold_up_the_end() {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let (mut stalled, mut idle) = (Vec::new(), Vec::new());
    for i in 0..600 {
        let mut socket = person.socket(&server).await;
        if i % 30 == 0 {
            socket.join("a", None).await;
            stalled.push(socket);
        } else {
            idle.push(socket);
        }
    }
    let mut talking = person.socket(&server).await;
    talking.join("a", None).await;
    let text = "x".repeat(MESSAGE_MAX);
    // More than lies in the kernel's buffers on the way.
    for n in 1..=1_500 {
        talking.say("a", P, n, &text).await;
        talking.ack(n).await;
    }
    let stopping = Instant::now();
    let stopped = tokio::spawn(server.stop());
    talking
        .send(&ClientFrame::Send { room: key("a"), p: P, n: 1_501, text: "while it stops".into(), earlier: vec![] })
        .await;
    talking.ack(1_501).await;
    for mut socket in idle.into_iter().chain([talking]) {
        assert_eq!(socket.closed().await.code(), Some(1012));
    }
    stopped.await.unwrap();
    assert!(stopping.elapsed() < Duration::from_secs(10), "after {:?}", stopping.elapsed());
    for socket in &mut stalled {
        socket.closed().await;
    }
}

#[tokio::test]
async fn a_server_that_stops_acknowledges_what_it_took_and_closes_with_a_code() {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let mut socket = person.socket(&server).await;
    socket.join("a", None).await;
    for n in 1..=16 {
        socket.say("a", P, n, "last words").await;
    }
    // The answers may come in another order.
    let ack = |frame| if let ServerFrame::Ack { n, .. } = frame { Some(n) } else { None };
    let mut acked = BTreeSet::from([socket.until(ack).await]);
    let stopping = Instant::now();
    let stopped = tokio::spawn(server.stop());
    let ended = loop {
        match socket.next().await {
            Ok(frame) => acked.extend(ack(frame)),
            Err(ended) => break ended,
        }
    };
    assert_eq!((acked, ended.code()), ((1..=16).collect(), Some(1012)));
    stopped.await.unwrap();
    assert!(stopping.elapsed().as_secs() < 10);
}

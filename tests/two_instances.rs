//! Several instances on one Redis, and one with the embedded engine, as clients see them.
#![allow(clippy::unwrap_used)]

mod support;

use app::{
    domain::{Cursor, Entry, ProducerId},
    protocol::{ClientFrame, IN_FLIGHT_MAX, JoinedHow, ServerFrame},
};
use std::collections::HashMap;
use support::{
    person::{Person, Socket, key},
    redis::RedisServer,
    server::Server,
};

const SENDERS: u64 = 10;
const MESSAGES: u64 = 1_000;
const IN_FLIGHT: u64 = 16;

/// Sends `MESSAGES` messages with `IN_FLIGHT` unacknowledged at most; returns where each was acknowledged.
async fn sender(mut socket: Socket, p: ProducerId) -> HashMap<u64, Cursor> {
    assert!(IN_FLIGHT <= IN_FLIGHT_MAX as u64);
    socket.join("load", None).await;
    let (mut sent, mut acked) = (0, HashMap::new());
    while (acked.len() as u64) < MESSAGES {
        while sent < MESSAGES && sent - (acked.len() as u64) < IN_FLIGHT {
            sent += 1;
            socket.say("load", p, sent, &format!("{p} {sent}")).await;
        }
        match socket.frame().await {
            ServerFrame::Ack { n, at, .. } => {
                assert!(acked.insert(n, at).is_none(), "{n} acknowledged twice");
            }
            ServerFrame::Refused { n, code, .. } => panic!("{n} refused: {code:?}"),
            _ => {}
        }
    }
    acked
}

/// Everything that arrives live, from the start of the room on.
async fn watcher(mut socket: Socket, total: u64) -> Vec<Entry> {
    let mut seen = Vec::new();
    while (seen.len() as u64) < total {
        seen.push(socket.entry().await);
    }
    seen
}

async fn history(socket: &mut Socket, room: &str) -> Vec<Entry> {
    let (_, mut page) = socket.join(room, None).await;
    let mut entries = page.entries;
    while page.older {
        let before = entries[0].seq;
        socket.send(&ClientFrame::History { room: key(room), epoch: page.cursor.epoch, before }).await;
        page = socket
            .until(|frame| match frame {
                ServerFrame::History { page, .. } => Some(page),
                _ => None,
            })
            .await;
        entries = [page.entries, entries].concat();
    }
    entries
}

/// 10 senders × 1,000 messages, 16 in flight each, spread over the instances.
async fn everyone_sees_the_same_log(instances: &[&Server]) {
    let total = SENDERS * MESSAGES;
    let mut watchers = Vec::new();
    for (i, server) in instances.iter().enumerate() {
        let person = Person::signed_in(server, &format!("watcher {i}"), "load").await;
        let mut socket = person.socket(server).await;
        assert_eq!(socket.join("load", None).await.1.entries.len(), 0);
        watchers.push(tokio::spawn(watcher(socket, total)));
    }
    let mut senders = Vec::new();
    for i in 0..SENDERS {
        let server = instances[usize::try_from(i).unwrap() % instances.len()];
        let person = Person::signed_in(server, &format!("sender {i}"), "load").await;
        senders.push(tokio::spawn(sender(person.socket(server).await, ProducerId(i + 1))));
    }
    let mut acked = HashMap::new();
    for (i, sender) in senders.into_iter().enumerate() {
        for (n, at) in sender.await.unwrap() {
            acked.insert(at.seq, (at, ProducerId(i as u64 + 1), n));
        }
    }
    let reader = Person::signed_in(instances[0], "reader", "load").await;
    let log = history(&mut reader.socket(instances[0]).await, "load").await;
    assert_eq!(log.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (1..=total).collect::<Vec<_>>());
    let mut next = HashMap::new();
    for entry in &log {
        assert_eq!(acked[&entry.seq], (entry.cursor(), entry.p, entry.n), "what was acknowledged is in the log");
        let expected = next.entry(entry.p).or_insert(1);
        assert_eq!(entry.n, *expected, "each sender's order is kept");
        *expected += 1;
    }
    assert!(log.windows(2).all(|pair| pair[0].cursor().precedes(&pair[1])), "no holes");
    for watcher in watchers {
        assert!(watcher.await.unwrap() == log, "a live view differs from the log");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_messages_over_two_instances_are_one_log_everywhere() {
    let redis = RedisServer::start(&[]);
    let (a, b) = (Server::redis(&redis.url(), &[]).await, Server::redis(&redis.url(), &[]).await);
    everyone_sees_the_same_log(&[&a, &b]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_messages_on_one_embedded_instance_are_one_log_everywhere() {
    everyone_sees_the_same_log(&[&Server::embedded(&[]).await]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_on_two_instances_see_each_other_come_and_go() {
    let redis = RedisServer::start(&[]);
    let (a, b) = (Server::redis(&redis.url(), &[]).await, Server::redis(&redis.url(), &[]).await);
    let jiwoo = Person::signed_in(&a, "지우", "디자인 리뷰").await;
    let mut at_a = jiwoo.socket(&a).await;
    at_a.join("디자인 리뷰", None).await;
    let megan = Person::signed_in(&b, "Megan", "디자인 리뷰").await;
    let mut at_b = megan.socket(&b).await;
    at_b.join("디자인 리뷰", None).await;

    let entered = |name: &'static str| {
        move |frame| match frame {
            ServerFrame::Presence { entered, count, .. } if entered.iter().any(|p| p.name.as_str() == name) => {
                Some(count)
            }
            _ => None,
        }
    };
    assert_eq!(at_a.until(entered("Megan")).await, 2);
    at_b.send(&ClientFrame::Leave { room: key("디자인 리뷰") }).await;
    let left = |frame| match frame {
        ServerFrame::Presence { left, count, .. } if left.iter().any(|p| p.name.as_str() == "Megan") => Some(count),
        _ => None,
    };
    assert_eq!(at_a.until(left).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_out_on_one_instance_closes_the_sockets_on_every_other() {
    let redis = RedisServer::start(&[]);
    let (a, b) = (Server::redis(&redis.url(), &[]).await, Server::redis(&redis.url(), &[]).await);
    let person = Person::signed_in(&a, "지우", "a").await;
    let (mut at_a, mut at_b) = (person.socket(&a).await, person.socket(&b).await);
    at_a.join("a", None).await;
    at_b.join("a", None).await;
    assert_eq!(person.post(&a, "/signout", &[]).await.status(), 303);
    assert_eq!(at_a.closed().await.code(), Some(4001));
    assert_eq!(at_b.closed().await.code(), Some(4001));
    // The name is free again, for someone who is visibly someone else.
    Person::signed_in(&b, "지우", "a").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_resumes_at_its_cursor_on_another_instance() {
    let redis = RedisServer::start(&[]);
    let (a, b) = (Server::redis(&redis.url(), &[]).await, Server::redis(&redis.url(), &[]).await);
    let person = Person::signed_in(&a, "지우", "a").await;
    let p = ProducerId(1);
    let mut first = person.socket(&a).await;
    first.join("a", None).await;
    first.say("a", p, 1, "one").await;
    let cursor = first.ack(1).await;
    drop(first);

    let other = Person::signed_in(&a, "Megan", "a").await;
    let mut talking = other.socket(&a).await;
    talking.join("a", None).await;
    for n in 1..=3 {
        talking.say("a", p, n, &format!("meanwhile {n}")).await;
        talking.ack(n).await;
    }
    let mut second = person.socket(&b).await;
    let (how, page) = second.join("a", Some(cursor)).await;
    assert_eq!(how, JoinedHow::Resumed);
    assert!(page.entries.is_empty(), "what follows comes as entries");
    // Sent again, because the answer could have been lost: the same place, nothing twice.
    second.say("a", p, 1, "one").await;
    second.say("a", p, 2, "two").await;
    let (mut seen, mut acked): (Vec<Entry>, Vec<Cursor>) = (Vec::new(), Vec::new());
    while seen.len() < 4 || acked.len() < 2 {
        match second.frame().await {
            ServerFrame::Entry { entry, .. } => seen.push(entry),
            ServerFrame::Ack { at, .. } => acked.push(at),
            ServerFrame::Refused { n, code, .. } => panic!("{n} refused: {code:?}"),
            _ => {}
        }
    }
    assert_eq!(acked[0], cursor);
    let texts: Vec<_> = seen.iter().filter_map(Entry::text).collect();
    assert_eq!(texts, ["meanwhile 1", "meanwhile 2", "meanwhile 3", "two"]);
}

//! Redis dies, stands still or comes back with an older state, while people are connected to two instances.
#![allow(clippy::unwrap_used)]

mod support;

use app::{
    domain::{Cursor, Entry, ProducerId},
    protocol::{ErrorCode, JoinedHow, Page, ServerFrame},
};
use std::time::{Duration, Instant};
use support::{
    person::{Person, Socket},
    proxy::Proxy,
    redis::{DURABLE, RedisServer},
    server::Server,
};

/// What the product promises, and what a busy machine may take besides.
const SOON: Duration = Duration::from_millis(1_000 + 500);
const P: ProducerId = ProducerId(1);

struct Two {
    _servers: (Server, Server),
    at_a: Socket,
    at_b: Socket,
    n: u64,
}

impl Two {
    async fn on(a: &str, b: &str) -> Self {
        let (a, b) = (Server::redis(a, &[]).await, Server::redis(b, &[]).await);
        let (jiwoo, megan) = (Person::signed_in(&a, "지우", "a").await, Person::signed_in(&b, "Megan", "a").await);
        let (mut at_a, mut at_b) = (jiwoo.socket(&a).await, megan.socket(&b).await);
        at_a.join("a", None).await;
        at_b.join("a", None).await;
        Self { _servers: (a, b), at_a, at_b, n: 0 }
    }

    /// Sends the next message until it is acknowledged, as a client does.
    async fn say(&mut self) -> Cursor {
        self.n += 1;
        say(&mut self.at_a, self.n).await
    }

    /// Messages that both have seen.
    async fn say_and_see(&mut self, count: u64) -> Cursor {
        let mut at = None;
        for _ in 0..count {
            at = Some(self.say().await);
            while Some(self.at_b.entry().await.cursor()) != at {}
        }
        at.unwrap()
    }
}

async fn say(socket: &mut Socket, number: u64) -> Cursor {
    loop {
        socket.say("a", P, number, &format!("message {number}")).await;
        let answer = |frame| match frame {
            ServerFrame::Ack { n, at, .. } if n == number => Some(Ok(at)),
            ServerFrame::Refused { n, code, .. } if n == number => Some(Err(code)),
            _ => None,
        };
        match socket.until(answer).await {
            Ok(at) => return at,
            Err(ErrorCode::Unavailable) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(code) => panic!("{number} was refused: {code:?}"),
        }
    }
}

/// The next thing the log says to a socket: an entry or a reset.
async fn told(socket: &mut Socket) -> Result<Entry, (JoinedHow, Page)> {
    let told = |frame| match frame {
        ServerFrame::Entry { entry, .. } => Some(Ok(entry)),
        ServerFrame::Reset { how, page, .. } => Some(Err((how, page))),
        _ => None,
    };
    socket.until(told).await
}

/// The next reset. Entries that came before it were on their way.
async fn reset(socket: &mut Socket) -> Page {
    loop {
        if let Err((how, page)) = told(socket).await {
            assert_eq!(how, JoinedHow::Reset);
            return page;
        }
    }
}

/// Whatever comes, until the socket is where the log ends: the reset there was, and how long it all took.
async fn until_at(socket: &mut Socket, end: Cursor, since: Instant) -> (Option<Page>, Duration) {
    let (mut at, mut reset) = (None, None);
    while at != Some(end) {
        match told(socket).await {
            Ok(entry) => {
                assert!(at.is_none_or(|at: Cursor| at.seq + 1 == entry.seq && at.id == entry.prev), "a hole");
                at = Some(entry.cursor());
            }
            Err((how, page)) => {
                assert_eq!(how, JoinedHow::Reset);
                at = Some(page.cursor);
                reset = Some(page);
            }
        }
    }
    (reset, since.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_after_redis_is_back_every_socket_has_the_last_message() {
    let mut redis = RedisServer::start(&DURABLE);
    let proxy = Proxy::to(redis.address()).await.unwrap();
    let mut two = Two::on(&redis.url(), &proxy.url()).await;
    two.say_and_see(1).await;
    for _ in 0..3 {
        proxy.faults.swallow_a_message();
        let last = two.say().await;
        redis.kill();
        // Away for long enough that every client of it has given up a few times.
        let refused = |frame| matches!(frame, ServerFrame::Refused { .. }).then_some(());
        for _ in 0..5 {
            two.at_a.say("a", P, two.n + 1, &format!("message {}", two.n + 1)).await;
            two.at_a.until(refused).await;
        }
        redis.restart();
        let back = Instant::now();
        let (reset, took) = until_at(&mut two.at_b, last, back).await;
        assert!(took < SOON && reset.is_none(), "after {took:?}, {reset:?}");
        two.say_and_see(1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_after_redis_stood_still_every_socket_has_everything() {
    let redis = RedisServer::start(&DURABLE);
    let mut two = Two::on(&redis.url(), &redis.url()).await;
    two.say_and_see(1).await;
    redis.signal("STOP");
    two.n += 1;
    two.at_a.say("a", P, two.n, &format!("message {}", two.n)).await;
    let refused = |frame| match frame {
        ServerFrame::Refused { code, retry, .. } => Some((code, retry)),
        ServerFrame::Ack { .. } => panic!("acknowledged by nobody"),
        _ => None,
    };
    assert_eq!(two.at_a.until(refused).await, (ErrorCode::Unavailable, true));
    redis.signal("CONT");
    let on = Instant::now();
    let last = say(&mut two.at_a, two.n).await;
    let (reset, took) = until_at(&mut two.at_b, last, on).await;
    assert!(took < SOON && reset.is_none(), "after {took:?}, {reset:?}");
    two.say_and_see(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_set_back_resets_everyone_who_saw_what_is_gone() {
    let mut redis = RedisServer::start(&DURABLE);
    let mut two = Two::on(&redis.url(), &redis.url()).await;
    let kept = two.say_and_see(3).await;
    let backup = redis.backup();
    let gone = two.say_and_see(3).await;
    redis.restore(&backup);
    redis.restart();
    let back = Instant::now();
    for socket in [&mut two.at_a, &mut two.at_b] {
        let page = reset(socket).await;
        assert_eq!((page.cursor, page.entries.len()), (kept, 3));
    }
    assert!(back.elapsed() < SOON, "after {:?}", back.elapsed());
    // The same numbers again: the same seqs, and other entries.
    two.n = 3;
    let again = two.say_and_see(3).await;
    assert!(again.seq == gone.seq && again.id != gone.id && again.epoch == gone.epoch);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_set_back_and_written_on_elsewhere_is_noticed_at_the_same_seq_and_beyond() {
    // The log ends before, at and after the seq that everyone had seen.
    for written in [1, 2, 5] {
        let mut redis = RedisServer::start(&DURABLE);
        let mut two = Two::on(&redis.url(), &redis.url()).await;
        two.say_and_see(3).await;
        let backup = redis.backup();
        two.say_and_see(2).await;
        redis.kill();

        let mut other = RedisServer::start(&DURABLE);
        other.restore(&backup);
        other.restart();
        let elsewhere = Server::redis(&other.url(), &[]).await;
        let person = Person::signed_in(&elsewhere, "하은", "a").await;
        let mut socket = person.socket(&elsewhere).await;
        socket.join("a", None).await;
        let mut end = None;
        for n in 1..=written {
            end = Some(say(&mut socket, n).await);
        }
        let (end, grown) = (end.unwrap(), other.backup());
        drop(socket);
        elsewhere.stop().await;

        redis.restore(&grown);
        redis.restart();
        let back = Instant::now();
        for socket in [&mut two.at_a, &mut two.at_b] {
            let (reset, took) = until_at(socket, end, back).await;
            assert!(reset.is_some() && took < SOON, "{written} written: {reset:?} after {took:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_vanished_from_the_store_begins_anew() {
    let redis = RedisServer::start(&[]);
    let mut two = Two::on(&redis.url(), &redis.url()).await;
    let gone = two.say_and_see(2).await;
    for kind in ["meta", "log"] {
        redis.cli(&["DEL", &redis.cli(&["KEYS", &format!("hubbub:{{*}}:{kind}")])]);
    }
    for socket in [&mut two.at_a, &mut two.at_b] {
        let page = reset(socket).await;
        assert_eq!(page.entries.len(), 0);
        assert_ne!(page.cursor.epoch, gone.epoch);
    }
    two.n = 0;
    assert_eq!(two.say_and_see(2).await.seq, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_room_keeps_nobody_from_the_others() {
    let redis = RedisServer::start(&[]);
    let server = Server::redis(&redis.url(), &[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let mut socket = person.socket(&server).await;
    socket.join("a", None).await;
    socket.say("a", P, 1, "whole so far").await;
    socket.ack(1).await;
    let log = redis.cli(&["KEYS", "hubbub:{*}:log"]);
    assert_eq!(person.post(&server, "/rooms", &[("room", "b")]).await.status(), 303);
    redis.cli(&["XADD", &log, "7-0", "e", "something else"]);
    assert_eq!(person.get(&server, "/r/a").await.status(), 503);
    for page in ["/r/b", "/rooms"] {
        assert_eq!(person.get(&server, page).await.status(), 200, "{page}");
    }
    socket.join("b", None).await;
    socket.say("b", P, 1, "as ever").await;
    socket.ack(1).await;
}

//! One of a Cluster's masters dies while people are connected to two instances.
#![allow(clippy::unwrap_used)]

mod support;

use app::{
    domain::{Cursor, ProducerId},
    protocol::{ClientFrame, ErrorCode, ServerFrame},
};
use std::time::{Duration, Instant};
use support::{
    person::{PATIENCE, Person, Socket, key},
    redis::{DURABLE, RedisServer},
    server::Server,
};

/// Longer than anything counts that was known of sessions before.
const LEASES_LAPSE: Duration = Duration::from_secs(6);
const IN_LIVING: ProducerId = ProducerId(1);
const IN_DEAD: ProducerId = ProducerId(2);

fn keys(master: &RedisServer, pattern: &str) -> Vec<String> {
    let keys = master.cli(&["KEYS", pattern]);
    keys.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Somebody whose session and list of rooms are not on `master`.
async fn signed_in_elsewhere(master: &RedisServer, server: &Server, name: &str, room: &str) -> Person {
    let count = || keys(master, "hubbub:session:*").len() + keys(master, "hubbub:user:*:rooms").len();
    for i in 0..100 {
        let before = count();
        let person = Person::signed_in(server, &format!("{name} {i}"), room).await;
        if count() == before {
            return person;
        }
    }
    panic!("everybody's session is there");
}

/// What becomes of a message.
async fn say(socket: &mut Socket, room: &str, own: ProducerId, number: u64) -> Result<Cursor, ErrorCode> {
    socket.say(room, own, number, &format!("message {number}")).await;
    let answer = |frame| match frame {
        ServerFrame::Ack { p, n, at, .. } if p == own && n == number => Some(Ok(at)),
        ServerFrame::Refused { p, n, code, .. } if p == own && n == number => Some(Err(code)),
        _ => None,
    };
    socket.until(answer).await
}

/// As a client does: the same again until it is acknowledged.
async fn say_until_acked(socket: &mut Socket, room: &str, own: ProducerId, number: u64) -> Cursor {
    let began = Instant::now();
    loop {
        match say(socket, room, own, number).await {
            Ok(at) => return at,
            Err(ErrorCode::Unavailable) if began.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(code) => panic!("{number} was refused: {code:?}"),
        }
    }
}

async fn sees(socket: &mut Socket, room: &str, at: Cursor) {
    let room = key(room);
    let seen = |frame: ServerFrame| match frame {
        ServerFrame::Entry { room: of, entry } if of == room && entry.cursor() == at => Some(()),
        _ => None,
    };
    socket.until(seen).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rooms_on_living_masters_go_on_and_those_of_a_dead_one_wait() {
    let mut masters = RedisServer::start_cluster_with::<3>(&DURABLE);
    let url = masters[0].tcp_url().replace("redis://", "redis-cluster://");
    let (a, b) = (Server::redis(&url, &[]).await, Server::redis(&url, &[]).await);
    let rooms: Vec<_> = (0..8).map(|i| format!("room {i}")).collect();
    for room in &rooms {
        Person::signed_in(&a, &format!("maker of {room}"), room).await;
    }
    let dying = 2;
    let metas = keys(&masters[dying], "hubbub:{*}:meta");
    let on_dying: Vec<_> = metas.iter().map(|meta| masters[dying].cli(&["HGET", meta, "name"])).collect();
    let [living, dead] = [false, true]
        .map(|dies| rooms.iter().find(|room| on_dying.contains(room) == dies).expect("rooms are on all masters"));
    let ann = signed_in_elsewhere(&masters[dying], &a, "Ann", living).await;
    let bo = signed_in_elsewhere(&masters[dying], &b, "Bo", living).await;
    let (mut at_a, mut at_b) = (ann.socket(&a).await, bo.socket(&b).await);
    for room in [living, dead] {
        at_a.join(room, None).await;
        at_b.join(room, None).await;
    }
    for (room, p) in [(living, IN_LIVING), (dead, IN_DEAD)] {
        let at = say(&mut at_a, room, p, 1).await.unwrap();
        sees(&mut at_b, room, at).await;
    }

    masters[dying].kill();
    // Messages go from one instance to the other, for longer than the sessions would count without an answer.
    let mut n = 2;
    let at = say_until_acked(&mut at_a, living, IN_LIVING, n).await;
    sees(&mut at_b, living, at).await;
    assert_eq!(say(&mut at_a, dead, IN_DEAD, 2).await, Err(ErrorCode::Unavailable));
    let began = Instant::now();
    while began.elapsed() < LEASES_LAPSE {
        n += 1;
        let at = say_until_acked(&mut at_a, living, IN_LIVING, n).await;
        sees(&mut at_b, living, at).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(say(&mut at_a, dead, IN_DEAD, 2).await, Err(ErrorCode::Unavailable));
    for (person, server) in [(&ann, &a), (&bo, &b)] {
        assert_eq!(person.get(server, &key(living).path()).await.status(), 200);
        assert_eq!(person.get(server, &key(dead).path()).await.status(), 503);
        assert_eq!(person.get(server, "/health/ready").await.status(), 200);
    }
    let living_key = key(living);
    at_b.send(&ClientFrame::Leave { room: living_key.clone() }).await;
    let count_of = |frame| match frame {
        ServerFrame::Presence { room, count, .. } if room == living_key => Some(count),
        _ => None,
    };
    while at_a.until(count_of).await != 1 {}
    at_b.join(living, None).await;
    while at_a.until(count_of).await != 2 {}

    masters[dying].restart();
    let at = say_until_acked(&mut at_a, dead, IN_DEAD, 2).await;
    sees(&mut at_b, dead, at).await;
    let mut later = signed_in_elsewhere(&masters[dying], &b, "Cy", living).await.socket(&b).await;
    for (room, p, count) in [(living, IN_LIVING, n), (dead, IN_DEAD, 2)] {
        let (_, page) = later.join(room, None).await;
        let last = page.entries.last().unwrap();
        assert_eq!((last.seq, last.p, last.n), (count, p, count));
        assert!(page.entries.windows(2).all(|two| two[0].cursor().precedes(&two[1]) && two[0].n + 1 == two[1].n));
    }
}

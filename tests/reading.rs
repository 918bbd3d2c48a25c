//! How far somebody has read, and who is typing, as clients are told.
#![allow(clippy::unwrap_used)]

mod support;

use app::{
    domain::{Cursor, Epoch, ProducerId},
    protocol::{ClientFrame, ReadMark, Reading, ServerFrame, UNREAD_MAX},
};
use std::time::{Duration, Instant};
use support::{
    person::{Person, Socket, key},
    proxy::Proxy,
    redis::RedisServer,
    server::Server,
};

const P: ProducerId = ProducerId(7);

/// Joins the room; what this person has read of it.
async fn reading(socket: &mut Socket, room: &str) -> Reading {
    socket.send(&ClientFrame::Join { room: key(room), cursor: None }).await;
    let joined = |frame| match frame {
        ServerFrame::Joined { reading, .. } => Some(reading),
        ServerFrame::Error { code, detail, .. } => panic!("{code:?}: {detail}"),
        _ => None,
    };
    socket.until(joined).await
}

/// The same for a tab that was just opened.
async fn reading_anew(person: &Person, server: &Server, room: &str) -> Reading {
    reading(&mut person.socket(server).await, room).await
}

async fn inside(server: &Server, name: &str, room: &str) -> (Person, Socket) {
    let person = Person::signed_in(server, name, room).await;
    let mut socket = person.socket(server).await;
    socket.join(room, None).await;
    (person, socket)
}

/// Says so many messages, from number `first` on; the places they got.
async fn say(socket: &mut Socket, room: &str, first: u64, count: u64) -> Vec<Cursor> {
    let mut places = Vec::new();
    for n in first..first + count {
        socket.say(room, P, n, "m").await;
        places.push(socket.ack(n).await);
    }
    places
}

fn up_to(at: Cursor) -> ReadMark {
    ReadMark { epoch: at.epoch, seq: at.seq }
}

async fn read(socket: &mut Socket, room: &str, mark: ReadMark) {
    socket.send(&ClientFrame::Read { room: key(room), mark }).await;
}

/// The next mark this socket is told of.
async fn told(socket: &mut Socket, room: &str) -> ReadMark {
    let mark = |frame| match frame {
        ServerFrame::Read { room: of, mark } if of == key(room) => Some(mark),
        _ => None,
    };
    socket.until(mark).await
}

/// Everything up to the answer to a ping that is sent now.
async fn rest(socket: &mut Socket) -> Vec<ServerFrame> {
    socket.send(&ClientFrame::Ping).await;
    let mut frames = Vec::new();
    loop {
        match socket.frame().await {
            ServerFrame::Pong => return frames,
            frame => frames.push(frame),
        }
    }
}

fn reads(frames: &[ServerFrame]) -> Vec<u64> {
    let seq = |frame: &ServerFrame| match frame {
        ServerFrame::Read { mark, .. } => Some(mark.seq),
        _ => None,
    };
    frames.iter().filter_map(seq).collect()
}

/// On one instance twice, or on two.
async fn tabs_agree(here: &Server, there: &Server) {
    let (_megan, mut megan) = inside(here, "Megan", "a").await;
    let places = say(&mut megan, "a", 1, 3).await;
    let jiwoo = Person::signed_in(here, "지우", "a").await;
    let (mut one, mut other) = (jiwoo.socket(here).await, jiwoo.socket(there).await);
    // What was there before is not unread.
    assert_eq!(reading(&mut one, "a").await, Reading { mark: Some(up_to(places[2])), unread: 0 });
    let places = say(&mut megan, "a", 4, 5).await;
    assert_eq!(reading(&mut other, "a").await.unread, 5);
    for server in [here, there] {
        assert!(jiwoo.page(server, "/r/a").await.contains(r#""unread":5"#), "the page says so too");
    }

    read(&mut one, "a", up_to(places[1])).await;
    assert_eq!(told(&mut other, "a").await, up_to(places[1]));
    assert_eq!(told(&mut one, "a").await, up_to(places[1]));
    // Where somebody else was before is not where this person is.
    read(&mut megan, "a", up_to(places[4])).await;
    assert_eq!(told(&mut megan, "a").await, up_to(places[4]));
    assert_eq!(reading_anew(&jiwoo, there, "a").await, Reading { mark: Some(up_to(places[1])), unread: 3 });
    read(&mut other, "a", up_to(places[0])).await;
    read(&mut other, "a", up_to(places[3])).await;
    assert_eq!(told(&mut one, "a").await, up_to(places[3]), "back is nowhere");
    assert_eq!(reading(&mut one, "a").await, Reading { mark: Some(up_to(places[3])), unread: 1 });
    // Whoever leaves and comes back begins at the end.
    one.send(&ClientFrame::Leave { room: key("a") }).await;
    one.until(|frame| matches!(frame, ServerFrame::Left { .. }).then_some(())).await;
    assert_eq!(reading(&mut one, "a").await, Reading { mark: Some(up_to(places[4])), unread: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn tabs_of_a_person_agree_on_what_is_read_embedded() {
    let server = Server::embedded(&[]).await;
    tabs_agree(&server, &server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tabs_of_a_person_agree_on_what_is_read_over_two_instances() {
    let redis = RedisServer::start(&[]);
    let (a, b) = (Server::redis(&redis.url(), &[]).await, Server::redis(&redis.url(), &[]).await);
    tabs_agree(&a, &b).await;
}

async fn strange_marks_are_harmless(server: &Server) {
    let (_megan, mut megan) = inside(server, "Megan", "a").await;
    let (_jiwoo, mut socket) = inside(server, "지우", "a").await;
    let places = say(&mut megan, "a", 1, 3).await;
    let epoch = places[0].epoch;
    for mark in [ReadMark { epoch: Epoch(epoch.0 ^ 1), seq: 2 }, ReadMark { epoch: Epoch(0), seq: u64::MAX }] {
        read(&mut socket, "a", mark).await;
        assert_eq!(reading(&mut socket, "a").await.unread, 3);
    }
    for room in ["elsewhere", "b"] {
        // Not joined, or not even there.
        read(&mut socket, room, ReadMark { epoch, seq: 1 }).await;
        socket.send(&ClientFrame::Typing { room: key(room) }).await;
    }
    read(&mut socket, "a", ReadMark { epoch, seq: u64::MAX }).await;
    assert_eq!(told(&mut socket, "a").await, up_to(places[2]), "not beyond the end");
    say(&mut megan, "a", 4, 1).await;
    assert_eq!(reading(&mut socket, "a").await.unread, 1);
    let frames = rest(&mut socket).await;
    assert!(!frames.iter().any(|frame| matches!(frame, ServerFrame::Error { .. })), "{frames:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_marks_are_harmless_embedded() {
    strange_marks_are_harmless(&Server::embedded(&[]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_marks_are_harmless_redis() {
    let redis = RedisServer::start(&[]);
    strange_marks_are_harmless(&Server::redis(&redis.url(), &[]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_is_unread_than_is_counted() {
    let server = Server::embedded(&[]).await;
    let (jiwoo, mut socket) = inside(&server, "지우", "a").await;
    let (_megan, mut megan) = inside(&server, "Megan", "a").await;
    say(&mut megan, "a", 1, 120).await;
    assert_eq!(reading(&mut socket, "a").await.unread, UNREAD_MAX);
    assert_eq!(reading_anew(&jiwoo, &server, "a").await.unread, UNREAD_MAX);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_as_entries_is_not_counted_as_well() {
    let server = Server::embedded(&[]).await;
    let (jiwoo, _socket) = inside(&server, "지우", "a").await;
    let (_megan, mut megan) = inside(&server, "Megan", "a").await;
    let cursor = say(&mut megan, "a", 1, 5).await[2];
    let mut resumed = jiwoo.socket(&server).await;
    resumed.send(&ClientFrame::Join { room: key("a"), cursor: Some(cursor) }).await;
    let joined = |frame| match frame {
        ServerFrame::Joined { reading, .. } => Some(reading.unread),
        _ => None,
    };
    assert_eq!(resumed.until(joined).await, 3);
    assert_eq!([resumed.entry().await.seq, resumed.entry().await.seq], [4, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_just_before_the_socket_closed_is_kept() {
    let server = Server::embedded(&[]).await;
    let jiwoo = Person::signed_in(&server, "지우", "a").await;
    assert_eq!(jiwoo.post(&server, "/rooms", &[("room", "b")]).await.status(), 303);
    let mut socket = jiwoo.socket(&server).await;
    let megan = Person::signed_in(&server, "Megan", "a").await;
    assert_eq!(megan.post(&server, "/rooms", &[("room", "b")]).await.status(), 303);
    let mut megan = megan.socket(&server).await;
    let mut marks = Vec::new();
    for room in ["a", "b"] {
        socket.join(room, None).await;
        megan.join(room, None).await;
        marks.push((room, up_to(say(&mut megan, room, 1, 3).await[1])));
    }
    for (room, mark) in &marks {
        read(&mut socket, room, *mark).await;
    }
    socket.ws.close(None).await.unwrap();
    socket.closed().await;
    let mut again = jiwoo.socket(&server).await;
    for (room, mark) in marks {
        let start = Instant::now();
        while reading(&mut again, room).await != (Reading { mark: Some(mark), unread: 1 }) {
            assert!(start.elapsed() < Duration::from_secs(10), "{room}");
        }
    }
}

/// Whether a flood of signals from one costs the others nothing, and how much of it they see.
async fn a_flood_is_bounded(server: &Server) {
    let (_megan, mut megan) = inside(server, "Megan", "a").await;
    let places = say(&mut megan, "a", 1, 400).await;
    let jiwoo = Person::signed_in(server, "지우", "b").await;
    assert_eq!(jiwoo.post(server, "/rooms", &[("room", "a")]).await.status(), 303);
    let (mut socket, mut other) = (jiwoo.socket(server).await, jiwoo.socket(server).await);
    socket.join("a", None).await;
    other.join("a", None).await;
    let end = up_to(say(&mut megan, "a", 401, 400).await[399]);
    let (start, mut marks) = (Instant::now(), Vec::new());
    for round in 0..5 {
        for seq in places[399].seq + 1..=end.seq {
            read(&mut socket, "a", ReadMark { epoch: end.epoch, seq }).await;
            socket.send(&ClientFrame::Typing { room: key("a") }).await;
            if round == 0 && seq % 4 == 0 {
                // Some are taken up before the next ones come.
                marks.extend(reads(&rest(&mut socket).await));
            }
        }
    }
    while told(&mut other, "a").await != end {}
    marks.extend(reads(&rest(&mut socket).await));
    let seconds = start.elapsed().as_secs() + 1;
    assert!(seconds < 20, "it took {seconds} s");
    assert!(marks.is_sorted() && marks.len() as u64 <= seconds * 5 + 2, "{marks:?} in {seconds} s");
    let sent = Instant::now();
    say(&mut megan, "a", 801, 1).await;
    assert!(sent.elapsed() < Duration::from_secs(5), "somebody else waited {:?}", sent.elapsed());
    let typing = rest(&mut megan).await.into_iter().filter(|frame| matches!(frame, ServerFrame::Typing { .. })).count();
    assert!(typing as u64 <= seconds * 2 + 1, "{typing} in {seconds} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_signals_is_bounded_embedded() {
    a_flood_is_bounded(&Server::embedded(&[]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_signals_is_bounded_redis() {
    let redis = RedisServer::start(&[]);
    a_flood_is_bounded(&Server::redis(&redis.url(), &[]).await).await;
}

/// Who is said to be typing next.
async fn typists(socket: &mut Socket) -> Vec<String> {
    let people = |frame| match frame {
        ServerFrame::Typing { people, .. } => Some(people),
        _ => None,
    };
    socket.until(people).await.into_iter().map(|person| person.name.as_str().to_owned()).collect()
}

async fn typing_is_told_to_the_others(here: &Server, there: &Server) {
    let (jiwoo, mut typist) = inside(here, "지우", "a").await;
    let mut own = jiwoo.socket(there).await;
    own.join("a", None).await;
    let (_megan, mut megan) = inside(there, "Megan", "a").await;
    let (_haeun, mut haeun) = inside(here, "하은", "a").await;
    typist.send(&ClientFrame::Typing { room: key("a") }).await;
    assert_eq!(typists(&mut megan).await, ["지우"]);
    assert_eq!(typists(&mut haeun).await, ["지우"]);
    megan.send(&ClientFrame::Typing { room: key("a") }).await;
    // Had these been told of themselves, it would have come before.
    assert_eq!(typists(&mut own).await, ["Megan"]);
    assert_eq!(typists(&mut typist).await, ["Megan"]);
    assert_eq!(typists(&mut haeun).await, ["Megan"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_is_told_to_the_others_embedded() {
    let server = Server::embedded(&[]).await;
    typing_is_told_to_the_others(&server, &server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_is_told_to_the_others_over_two_instances() {
    let redis = RedisServer::start(&[]);
    let (a, b) = (Server::redis(&redis.url(), &[]).await, Server::redis(&redis.url(), &[]).await);
    typing_is_told_to_the_others(&a, &b).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_of_which_no_word_came_is_asked_for_after_the_connection_was_lost() {
    let redis = RedisServer::start(&[]);
    let proxy = Proxy::to(redis.address()).await.unwrap();
    let (a, b) = (Server::redis(&redis.url(), &[]).await, Server::redis(&proxy.url(), &[]).await);
    let (_megan, mut megan) = inside(&a, "Megan", "a").await;
    let (jiwoo, mut here) = inside(&a, "지우", "a").await;
    let place = say(&mut megan, "a", 1, 1).await[0];
    let mut there = jiwoo.socket(&b).await;
    there.join("a", None).await;
    proxy.faults.swallow_a_message();
    // Nothing else is said meanwhile: the next message is the mark's.
    read(&mut here, "a", up_to(place)).await;
    told(&mut here, "a").await;
    let start = Instant::now();
    while !proxy.faults.has_swallowed() {
        assert!(start.elapsed() < Duration::from_secs(10), "nothing was said");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(reads(&rest(&mut there).await), [] as [u64; 0]);
    redis.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    assert_eq!(told(&mut there, "a").await, up_to(place));
}

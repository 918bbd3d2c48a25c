//! The limits as they are by default: what one session or one address asks for beyond them costs nobody else anything, and
//! what a crowd does that is only a crowd stands in `crowd.rs`.
#![allow(clippy::unwrap_used)]

#[path = "limits/forms.rs"]
mod forms;
#[path = "limits/history.rs"]
mod history;
mod support;

use app::{
    domain::{Cursor, EntryId, Epoch, MESSAGE_MAX, MessageText, ProducerId, RoomName, UserId, UserName},
    protocol::{self, ClientFrame, ErrorCode, JoinedHow, ServerFrame},
};
use futures_util::{StreamExt, future::join_all, stream};
use hubbub::engine::{Appended, Draft, TokenHash};
use std::{
    pin::pin,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};
use support::{
    person::{Person, Socket, key},
    redis::RedisServer,
    server::{At, Server},
};
use tokio_tungstenite::tungstenite::Error;

const P: ProducerId = ProducerId(7);
const TOO_MANY_SOCKETS: u16 = 4006;
const COME_BACK: u16 = 1013;
const IDLE: u16 = 4002;

async fn inside(server: &Server, name: &str, room: &str) -> (Person, Socket) {
    let person = Person::signed_in(server, name, room).await;
    let mut socket = person.socket(server).await;
    socket.join(room, None).await;
    (person, socket)
}

/// Opens one more socket: itself, or the code of the close frame that came in place of a greeting.
async fn try_open(person: &Person, server: &Server) -> Result<Socket, Option<u16>> {
    let mut socket = person.try_socket(server, None).await.unwrap();
    match socket.next().await {
        Ok(ServerFrame::Hello { .. }) => Ok(socket),
        Ok(other) => panic!("{other:?}"),
        Err(ended) => Err(ended.code()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_sockets_of_one_cookie_take_nobodys_place() {
    const TRIES: usize = 10_000;
    let server = Server::embedded(&["--limits", "1", "--max-sockets", "100"]).await;
    let (_megan, mut other) = inside(&server, "Megan", "a").await;
    let greedy = Person::signed_in(&server, "지우", "a").await;
    let tried = stream::iter(0..TRIES).map(|_| try_open(&greedy, &server)).buffer_unordered(64).collect::<Vec<_>>();
    let others = async {
        for n in 1..=20 {
            other.say("a", P, n, "still here").await;
            other.ack(n).await;
        }
        let (_min, mut newcomer) = inside(&server, "Min", "a").await;
        newcomer.say("a", P, 1, "here as well").await;
        newcomer.ack(1).await;
    };
    let (tried, ()) = tokio::join!(tried, others);
    let codes = tried.iter().filter_map(|socket| socket.as_ref().err());
    assert!(codes.clone().all(|code| *code == Some(COME_BACK)), "{:?}", codes.collect::<Vec<_>>());
    let mut open = 0;
    for mut socket in tried.into_iter().flatten() {
        match socket.is_open().await {
            Ok(()) => open += 1,
            // Nobody answered the pings of those that were opened first.
            Err(code) => assert!([Some(TOO_MANY_SOCKETS), Some(IDLE)].contains(&code), "{code:?}"),
        }
    }
    assert!(open <= 20, "{open} sockets are open");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_twenty_first_tab_takes_the_place_of_the_one_that_was_idle_for_longest() {
    let server = Server::embedded(&["--limits", "1"]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let mut tabs = join_all((0..20).map(|_| person.socket(&server))).await;
    for (n, tab) in (1..).zip(&mut tabs) {
        tab.join("a", None).await;
        tab.say("a", ProducerId(n), 1, "hello").await;
        tab.ack(1).await;
    }
    // The first one wrote first, and was used since.
    tabs[0].say("a", ProducerId(1), 2, "again").await;
    tabs[0].ack(2).await;
    let mut newest = person.socket(&server).await;
    assert_eq!(tabs[1].closed().await.code(), Some(TOO_MANY_SOCKETS));
    // One that comes back at once, as a program does which knows no better, pushes nobody out.
    for _ in 0..4 {
        assert_eq!(try_open(&person, &server).await.err(), Some(Some(COME_BACK)));
    }
    tabs.remove(1);
    for tab in tabs.iter_mut().chain([&mut newest]) {
        assert_eq!(tab.is_open().await, Ok(()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tabs_that_are_told_to_move_all_find_a_place() {
    let server = Server::embedded(&["--limits", "1", "--socket-lifetime", "3s"]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let tab = async || {
        let mut old = person.socket(&server).await;
        old.join("a", None).await;
        old.until(|frame| matches!(frame, ServerFrame::Move { .. }).then_some(())).await;
        let mut new = person.socket(&server).await;
        new.join("a", None).await;
        assert_eq!(old.is_open().await, Ok(()), "its successor took its place");
        new
    };
    let successors = join_all((0..20).map(|_| tab())).await;
    assert_eq!(successors.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_that_are_refused_are_not_without_number() {
    // A hundredth: six at a time, each for two seconds if its client says nothing.
    let server = Server::embedded(&["--limits", "0.01"]).await;
    let stranger = Person::new();
    let (mut told, refused) = (Vec::new(), async |person: &Person| person.try_socket(&server, None).await);
    let status = loop {
        match refused(&stranger).await {
            Ok(socket) => told.push(socket),
            Err(Error::Http(answer)) => break answer.status(),
            Err(error) => panic!("{error}"),
        }
        assert!(told.len() < 500, "all of them were opened");
    };
    assert_eq!(status, 503);
    assert!(told.len() >= 6);
    // It costs nobody who may have one.
    let (_jiwoo, mut socket) = inside(&server, "지우", "a").await;
    assert_eq!(socket.is_open().await, Ok(()));
    for mut socket in told {
        assert_eq!(socket.closed().await.code(), Some(4001));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_so_many_sockets_and_the_last_places_are_for_who_has_none() {
    // A fiftieth: four from an address, one of a session.
    let server = Server::embedded(&["--limits", "0.02", "--max-sockets", "100"]).await;
    let people = join_all((0..5).map(|n| Person::signed_in(&server, ["a", "b", "c", "d", "e"][n], "a"))).await;
    let mut open = Vec::new();
    for person in &people[..4] {
        open.push(try_open(person, &server).await.unwrap());
    }
    assert_eq!(try_open(&people[4], &server).await.err(), Some(Some(COME_BACK)));

    let server = Server::embedded(&["--limits", "1", "--max-sockets", "10"]).await;
    let (many, newcomer) =
        (Person::signed_in(&server, "지우", "a").await, Person::signed_in(&server, "Megan", "a").await);
    let tabs = join_all((0..9).map(|_| try_open(&many, &server))).await;
    assert!(tabs.iter().all(Result::is_ok));
    assert_eq!(try_open(&many, &server).await.err(), Some(Some(COME_BACK)));
    let mut last = try_open(&newcomer, &server).await.unwrap();
    assert_eq!(last.is_open().await, Ok(()));
}

/// Messages of a flood that are sent one after the other without waiting for answers.
async fn flood(mut socket: Socket, room: &str, count: u64) {
    for n in 1..=count {
        socket.say(room, P, n, &n.to_string()).await;
    }
    let order = socket.acks(count).await.iter().map(|at| at.seq).collect::<Vec<_>>();
    assert_eq!(order, (1..=count).collect::<Vec<_>>(), "an order of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_taken_in_its_order_while_others_are_served() {
    let server = Server::embedded(&["--limits", "1"]).await;
    let (_jiwoo, flooding) = inside(&server, "지우", "flood").await;
    let (_megan, mut other) = inside(&server, "Megan", "a").await;
    let over = AtomicBool::new(false);
    let served = AtomicU64::new(0);
    let flooding = async {
        flood(flooding, "flood", 230).await;
        over.store(true, Ordering::Relaxed);
    };
    let others = async {
        while !over.load(Ordering::Relaxed) {
            let n = served.fetch_add(1, Ordering::Relaxed) + 1;
            other.say("a", P, n, "hello").await;
            other.ack(n).await;
            // Ten a second, which is what a session may go on with: this one is never held back itself.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::join!(flooding, others);
    assert!(served.into_inner() >= 10, "the flood was over at once: nothing held it back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_is_held_back_and_goes_away_leaves_nobody_behind() {
    let server = Server::embedded(&["--limits", "1"]).await;
    let (_megan, mut other) = inside(&server, "Megan", "a").await;
    let (_jiwoo, mut flooding) = inside(&server, "지우", "a").await;
    other.until(|frame| is_there(&frame, 2)).await;
    for p in 0..400 {
        flooding.send(&ClientFrame::Void { room: key("a"), p: ProducerId(100 + p), n: 1 }).await;
    }
    // 400 × 5 tokens: what is unread now would be read for minutes.
    flooding.until(|frame| matches!(frame, ServerFrame::Voided { .. }).then_some(())).await;
    drop(flooding);
    other.until(|frame| is_there(&frame, 1)).await;
}

fn is_there(frame: &ServerFrame, people: usize) -> Option<()> {
    matches!(frame, ServerFrame::Presence { count, .. } if *count == people).then_some(())
}

fn retry_after(response: &reqwest::Response) -> u64 {
    response.headers()["retry-after"].to_str().unwrap().parse().unwrap()
}

/// What comes while somebody else signs in and has a page rendered.
async fn at_once(server: &Server, socket: &mut Socket) -> Vec<ServerFrame> {
    let other = Person::signed_in(server, "하은", "a").await;
    let mut frames = Vec::new();
    let mut page = pin!(other.get(server, "/r/a"));
    loop {
        tokio::select! {
            page = &mut page => {
                assert_eq!(page.status(), 200);
                return frames;
            }
            frame = socket.frame() => frames.push(frame),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_leaves_again_and_again_waits() {
    // A fiftieth: one room at once, then one in 50 s; but a frame is read each 2 s.
    let server = Server::embedded(&["--limits", "0.02"]).await;
    let (_jiwoo, mut socket) = inside(&server, "지우", "a").await;
    for _ in 0..4 {
        socket.send(&ClientFrame::Leave { room: key("b") }).await;
    }
    let frames = at_once(&server, &mut socket).await;
    let left = frames.iter().filter(|frame| matches!(frame, ServerFrame::Left { .. })).count();
    assert!(left < 4, "all of them at once");
    for _ in left..4 {
        socket.until(|frame| matches!(frame, ServerFrame::Left { .. }).then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_joins_more_than_all_its_rooms_waits() {
    let server = Server::embedded(&["--limits", "1"]).await;
    let (_jiwoo, mut socket) = inside(&server, "지우", "a").await;
    for n in 0..400 {
        socket.send(&ClientFrame::Join { room: key(&format!("none {n}")), cursor: None }).await;
    }
    let is_answer = |frame: &ServerFrame| matches!(frame, ServerFrame::Error { code: ErrorCode::RoomUnknown, .. });
    let mut answered = 0;
    while answered < 200 {
        answered += usize::from(is_answer(&socket.frame().await));
    }
    answered += at_once(&server, &mut socket).await.iter().filter(|frame| is_answer(frame)).count();
    assert!(answered < 400, "all of them at once");
}

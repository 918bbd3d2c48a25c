//! The limits as they are by default: what one session or one address asks for beyond them costs nobody else anything, and
//! what a crowd does that is only a crowd stands in `crowd.rs`.
#![allow(clippy::unwrap_used)]

mod support;

use app::{
    domain::{Cursor, EntryId, Epoch, MESSAGE_MAX, MessageText, ProducerId, UserId, UserName},
    protocol::{self, ClientFrame, ErrorCode, JoinedHow, ServerFrame},
};
use futures_util::{StreamExt, future::join_all, stream};
use hubbub::engine::{Appended, Content, Draft, TokenHash};
use std::{
    pin::pin,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};
use support::{
    person::{Person, Socket, key},
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

/// A room with sixty of the longest messages, of 16 KB each, that no socket was in yet, and somebody who wrote none of them.
async fn signed_in_to_a_long_log(server: &Server) -> (Person, Epoch) {
    let person = Person::signed_in(server, "지우", "a").await;
    let (room, text) = (server.engine.room(&key("a")).await.unwrap().unwrap(), "\u{1F4AC}".repeat(MESSAGE_MAX));
    let by = protocol::Person { id: UserId(1), name: UserName::parse("Megan").unwrap() };
    let mut epoch = Epoch(0);
    for n in 1..=60 {
        let (content, earlier) = (Content::Message(MessageText::parse(&text).unwrap()), vec![]);
        let draft = Draft { room: room.clone(), by: by.clone(), p: P, n, earlier, until: None, content };
        let Ok(Appended::Entry(at)) = server.engine.append(draft).await else { panic!("message {n} was not taken") };
        epoch = at.epoch;
    }
    (person, epoch)
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

/// The same, and what comes before the answer to a ping that was sent then.
async fn meanwhile(server: &Server, socket: &mut Socket) -> Vec<ServerFrame> {
    let mut frames = at_once(server, socket).await;
    socket.send(&ClientFrame::Ping).await;
    loop {
        match socket.frame().await {
            ServerFrame::Pong => return frames,
            other => frames.push(other),
        }
    }
}

// A fiftieth of the usual: 335 kB of logs at once, then 21 kB a second.

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_answers_a_forged_cursor_is_paid_for() {
    let server = Server::embedded(&["--limits", "0.02"]).await;
    let (person, epoch) = signed_in_to_a_long_log(&server).await;
    let mut socket = person.socket(&server).await;
    let forged = Cursor { epoch, seq: 7, id: EntryId(7) };
    let (how, page) = socket.join("a", Some(forged)).await;
    assert_eq!((how, page.older), (JoinedHow::Reset, true));
    socket.send(&ClientFrame::Join { room: key("a"), cursor: Some(forged) }).await;
    let others = meanwhile(&server, &mut socket).await;
    assert!(others.iter().all(|frame| !matches!(frame, ServerFrame::Joined { .. })), "{others:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_a_cursor_far_behind_is_paid_for() {
    let server = Server::embedded(&["--limits", "0.02"]).await;
    let (person, epoch) = signed_in_to_a_long_log(&server).await;
    let mut socket = person.socket(&server).await;
    assert_eq!(socket.join("a", Some(Cursor::origin(epoch))).await.0, JoinedHow::Resumed);
    socket.entry().await;
    let frames = meanwhile(&server, &mut socket).await;
    let entries = frames.iter().filter(|frame| matches!(frame, ServerFrame::Entry { .. })).count();
    assert!(entries < 59, "all of them came at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_history_is_still_answered() {
    // A tenth: two pages of fifty of the longest messages at once, then one in 8 s; 20 frames.
    let server = Server::embedded(&["--limits", "0.1"]).await;
    let (person, epoch) = signed_in_to_a_long_log(&server).await;
    let mut socket = person.socket(&server).await;
    socket.join("a", None).await;
    let history = ClientFrame::History { room: key("a"), epoch, before: 60 };
    // Until those that wait are more than may read at a time.
    let (mut asked, mut answered) = (0, 0);
    while asked - answered <= 8 {
        assert!(asked < 19, "nothing waited");
        for _ in 0..4 {
            socket.send(&history).await;
            asked += 1;
        }
        socket.send(&ClientFrame::Ping).await;
        loop {
            match socket.frame().await {
                ServerFrame::Pong => break,
                ServerFrame::History { .. } => answered += 1,
                _ => {}
            }
        }
    }
    // Those that wait go with the socket.
    drop(socket);
    let (_megan, mut other) = inside(&server, "Megan", "a").await;
    other.until(|frame| is_there(&frame, 1)).await;
}

fn is_there(frame: &ServerFrame, people: usize) -> Option<()> {
    matches!(frame, ServerFrame::Presence { count, .. } if *count == people).then_some(())
}

fn retry_after(response: &reqwest::Response) -> u64 {
    response.headers()["retry-after"].to_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_too_often_is_told_when_to_come_back_and_members_go_on() {
    // A fiftieth of the usual: ten at once, then one in 100 s.
    let server = Server::embedded(&["--limits", "0.02"]).await;
    let (member, mut socket) = inside(&server, "Megan", "a").await;
    for n in 1..10 {
        Person::signed_in(&server, &format!("Somebody {n}"), "a").await;
    }
    let newcomer = Person::new();
    let refused = newcomer.post(&server, "/signin", &[("name", "Min <3"), ("room", "Design & more")]).await;
    assert_eq!(refused.status(), 429);
    assert!((50..=100).contains(&retry_after(&refused)), "{}", retry_after(&refused));
    let page = refused.text().await.unwrap();
    assert!(page.contains("Min &lt;3") && page.contains("Design &amp; more"), "what was typed is there: {page}");
    assert!(server.engine.name_is_free(&UserName::parse("Min <3").unwrap().key()).await.unwrap());
    // Refused ones count as well, and cost nobody who is in anything.
    for _ in 0..50 {
        let refused = newcomer.post(&server, "/signin", &[("name", ""), ("room", "a")]).await;
        // In the end there is not even a page for it.
        assert!([429, 503].contains(&refused.status().as_u16()), "{}", refused.status());
    }
    socket.say("a", P, 1, "still here").await;
    socket.ack(1).await;
    assert_eq!(member.post(&server, "/r/a", &[("text", "by a form")]).await.status(), 303);
    assert_eq!(member.get(&server, "/rooms").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_addresses_of_one_network_are_not_many_strangers() {
    // A hundredth of the usual: 5 sign-ins at once, then one in 200 s.
    let server = Server::embedded(&["--limits", "0.01", "--trusted-proxies", "127.0.0.1"]).await;
    let from = |address: String| {
        let headers = [("x-forwarded-for".try_into().unwrap(), address.parse().unwrap())].into_iter().collect();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).default_headers(headers);
        http.build().unwrap()
    };
    let sign_in = async |http: &reqwest::Client, name: &str| {
        let form = [("name", name), ("room", "a")];
        http.post(server.url("/signin")).form(&form).send().await.unwrap().status().as_u16()
    };
    // The network around them has eight times as many: 40 at once.
    let mut codes = Vec::new();
    for n in 0..44 {
        codes.push(sign_in(&from(format!("203.0.113.{n}")), &format!("Name {n}")).await);
    }
    assert_eq!((codes[..40].iter().all(|code| *code == 303), &codes[40..]), (true, &[429; 4][..]), "{codes:?}");
    assert_eq!(sign_in(&from("198.51.100.7".to_owned()), "Somebody else").await, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_does_not_hold_every_name() {
    // A hundredth of the usual: 20 names.
    let server = Server::embedded(&["--limits", "0.01"]).await;
    let tokens: Vec<_> = (0..20).map(|n| TokenHash::of(&n.to_string())).collect();
    for (n, token) in tokens.iter().enumerate() {
        let name = UserName::parse(&format!("Name {n}")).unwrap();
        server.engine.open_session(*token, &name).await.unwrap();
        server.engine.hold(*token, &["names from 127.0.0.1/32".to_owned()]).await.unwrap();
    }
    let newcomer = Person::new();
    let form = [("name", "Min <3"), ("room", "a")];
    let refused = newcomer.post(&server, "/signin", &form).await;
    assert_eq!((refused.status().as_u16(), retry_after(&refused)), (429, 60));
    assert!(refused.text().await.unwrap().contains("Min &lt;3"));
    server.engine.close_session(tokens[7]).await.unwrap();
    assert_eq!(newcomer.post(&server, "/signin", &form).await.status(), 303);
    // That was the last one again.
    assert_eq!(Person::new().post(&server, "/signin", &[("name", "Megan"), ("room", "a")]).await.status(), 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_rooms_than_one_makes_are_refused_and_those_there_are_stay_open() {
    // A tenth: four at once, then one in 300 s.
    let server = Server::embedded(&["--limits", "0.1"]).await;
    let person = Person::signed_in(&server, "지우", "first").await;
    let make = async |room: &str| person.post(&server, "/rooms", &[("room", room)]).await;
    for n in 0..4 {
        assert_eq!(make(&format!("room {n}")).await.status(), 303);
    }
    let refused = make("One <more>").await;
    assert_eq!(refused.status(), 429);
    assert!(retry_after(&refused) > 200);
    assert!(refused.text().await.unwrap().contains("One &lt;more&gt;"));
    for room in ["ROOM 0", "room 3", "first"] {
        assert_eq!(make(room).await.status(), 303, "{room} is there");
    }
    // The same by the door, as the same person.
    assert_eq!(person.post(&server, "/signin", &[("name", "지우"), ("room", "One more")]).await.status(), 429);
    assert_eq!(person.get(&server, "/r/one%20more").await.status(), 404);
    // Somebody else may.
    let other = Person::signed_in(&server, "Megan", "first").await;
    assert_eq!(other.post(&server, "/rooms", &[("room", "One more")]).await.status(), 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_does_not_make_every_room() {
    // A fiftieth: eight rooms, and ten sign-ins.
    let server = Server::embedded(&["--limits", "0.02"]).await;
    let sign_in = async |name: &str, room: &str| {
        Person::new().post(&server, "/signin", &[("name", name), ("room", room)]).await.status().as_u16()
    };
    for n in 0..8 {
        assert_eq!(sign_in(&format!("Name {n}"), &format!("room {n}")).await, 303, "{n}");
    }
    assert_eq!(sign_in("Somebody", "one more").await, 429);
    assert_eq!(sign_in("Somebody", "room 3").await, 303, "one that is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_store_cannot_count_nobody_is_refused() {
    let data = tempfile::TempDir::new().unwrap();
    // A fiftieth: one room of a session.
    let args = ["--limits", "0.02", "--data-dir", data.path().to_str().unwrap()];
    let server = Server::embedded(&args).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let make = async |room: &str| person.post(&server, "/rooms", &[("room", room)]).await.status().as_u16();
    assert_eq!([make("b").await, make("c").await], [303, 429]);
    let store = rusqlite::Connection::open(data.path().join("hubbub.sqlite3")).unwrap();
    store.execute_batch("ALTER TABLE quotas RENAME TO lost").unwrap();
    assert_eq!(make("c").await, 303);
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

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_posted_too_soon_is_still_in_its_form() {
    // Four at once, then one in 5 s.
    let server = Server::embedded(&["--limits", "0.02"]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let post = |n: usize| {
        let text = format!("message <{n}>");
        let p = format!("{n:016x}");
        let person = &person;
        let server = &server;
        async move { (n, person.post(server, "/r/a", &[("text", &text), ("p", &p)]).await) }
    };
    let answers = join_all((1..=20).map(post)).await;
    let (posted, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(_, answer)| answer.status() == 303);
    assert!(posted.len() >= 4 && !refused.is_empty(), "{} posted, {} refused", posted.len(), refused.len());
    for (n, answer) in refused {
        let status = answer.status().as_u16();
        assert!(retry_after(&answer) >= 1);
        let page = answer.text().await.unwrap();
        let kept = match status {
            429 => format!("message &lt;{n}></textarea>"),
            // Nor is there time for so many pages.
            503 => format!("name=\"text\" value=\"message &lt;{n}&gt;\""),
            status => panic!("{status}"),
        };
        assert!(page.contains(&kept), "{page}");
        assert!(page.contains(&format!(r#"value="{n:016x}""#)), "sent again, it counts once: {page}");
    }
    assert_eq!(server.engine.newest(&key("a"), 50).await.unwrap().unwrap().records.len(), posted.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_refused_costs_a_page() {
    // A fiftieth: 12 pages of a stranger and 2 of a session at once, then one in 2.5 s and in 17 s.
    let server = Server::embedded(&["--limits", "0.02"]).await;
    let member = Person::signed_in(&server, "지우", "a").await;
    for n in 0..4 {
        let (text, p) = ("\u{200b}", "0000000000000001");
        let answer = member.post(&server, "/r/a", &[("text", text), ("p", p)]).await;
        assert_eq!(answer.status(), if n < 2 { 422 } else { 503 });
        let page = answer.text().await.unwrap();
        assert!(page.contains(text) && page.contains(p), "{page}");
    }
    assert_eq!(member.get(&server, "/r/a").await.status(), 503, "they are counted together");
    let stranger = Person::new();
    let garbled = || stranger.http.post(server.url("/signin")).header("accept", "text/html").body("name=a");
    let forged = || garbled().header("origin", "null");
    let (mut pages, mut busy) = (0, 0);
    for n in 0..20 {
        let answer = match n % 3 {
            0 => stranger.http.post(server.url("/rooms")).form(&[("room", "a")]),
            1 => garbled(),
            _ => forged(),
        };
        match (n % 3, answer.send().await.unwrap().status().as_u16()) {
            (0, 401) | (1, 415) | (2, 403) => pages += 1,
            (_, 503) => busy += 1,
            (which, status) => panic!("{which}: {status}"),
        }
    }
    // Those that wait for their turn are served as well.
    assert!((12..20).contains(&pages) && busy > 0, "{pages} pages");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_enters_a_room_again_and_again_waits() {
    // Four at once, then one in 5 s.
    let server = Server::embedded(&["--limits", "0.02"]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let codes = join_all((0..12).map(|_| person.post(&server, "/rooms", &[("room", "a")]))).await;
    let codes: Vec<_> = codes.iter().map(|answer| answer.status().as_u16()).collect();
    assert!(codes.iter().filter(|&&code| code == 303).count() >= 4, "{codes:?}");
    assert!(codes.contains(&429), "{codes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_again_and_again_waits() {
    let server = Server::embedded(&["--limits", "0.02"]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(person.post(&server, "/r/a/leave", &[]).await.status().as_u16());
    }
    assert_eq!(codes.first(), Some(&303));
    assert_eq!(codes.last(), Some(&429));
}

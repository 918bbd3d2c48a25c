//! Clients that do what no client should: each gets a stable code, costs a bounded amount of memory, and bothers nobody.
#![allow(clippy::unwrap_used)]

mod support;

use app::{
    domain::{Cursor, EntryId, Epoch, MESSAGE_MAX, ProducerId},
    protocol::{ClientFrame, ErrorCode, JoinedHow, ROOMS_MAX, ServerFrame},
};
use std::time::{Duration, Instant};
use support::{
    person::{Person, Socket, key},
    redis::RedisServer,
    server::Server,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::Message;

const P: ProducerId = ProducerId(7);

async fn inside(server: &Server, name: &str, room: &str) -> (Person, Socket) {
    let person = Person::signed_in(server, name, room).await;
    let mut socket = person.socket(server).await;
    socket.join(room, None).await;
    (person, socket)
}

/// Somebody else in the same room is served as if nobody were misbehaving.
async fn is_served(socket: &mut Socket, n: u64) {
    let start = Instant::now();
    socket.say("a", P, n, "still here").await;
    socket.ack(n).await;
    assert!(start.elapsed() < Duration::from_secs(5), "after {:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_number_allowed_sockets_are_told_to_come_back_later() {
    let server = Server::embedded(&["--max-sockets", "3"]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(person.socket(&server).await);
    }
    for _ in 0..10 {
        let mut refused = person.try_socket(&server, None).await.unwrap();
        assert_eq!(refused.closed().await.code(), Some(1013));
    }
    open[0].join("a", None).await;
    is_served(&mut open[0], 1).await;
    // A place that is given back is given away again.
    let mut gone = open.pop().unwrap();
    gone.ws.close(None).await.unwrap();
    gone.closed().await;
    let start = Instant::now();
    while person.try_socket(&server, None).await.unwrap().next().await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_sent_again_and_again_is_one_entry() {
    const TIMES: usize = 20_000;
    let server = Server::embedded(&[]).await;
    let (_jiwoo, mut repeating) = inside(&server, "지우", "a").await;
    let (_megan, mut other) = inside(&server, "Megan", "a").await;
    repeating.say("a", P, 1, "again").await;
    let first = repeating.ack(1).await;
    let again = serde_json::to_string(&ClientFrame::Send {
        room: key("a"),
        p: P,
        n: 1,
        text: "again".to_owned(),
        earlier: vec![],
    });
    let again = Message::text(again.unwrap());
    let (mut sent, mut acknowledged) = (0, 0);
    while acknowledged < TIMES {
        while sent < TIMES && sent - acknowledged < 200 {
            repeating.raw(again.clone()).await;
            sent += 1;
        }
        assert_eq!(repeating.ack(1).await, first);
        acknowledged += 1;
        if acknowledged % 5_000 == 0 {
            is_served(&mut other, (acknowledged / 5_000) as u64).await;
        }
    }
    assert_eq!(other.join("a", None).await.1.cursor.seq, 1 + (TIMES / 5_000) as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_joins_are_two_hundred_rooms() {
    const JOINS: usize = 10_000;
    let server = Server::embedded(&[]).await;
    let (person, mut socket) = inside(&server, "지우", "room 0").await;
    let (_megan, mut other) = inside(&server, "Megan", "a").await;
    for i in 1..ROOMS_MAX + 50 {
        assert_eq!(person.post(&server, "/rooms", &[("room", &format!("room {i}"))]).await.status(), 303);
    }
    let (mut joined, mut refused, mut answered) = (1, 0, 0);
    for i in 1..=JOINS {
        socket.send(&ClientFrame::Join { room: key(&format!("room {i}")), cursor: None }).await;
        // Some are always under way.
        while answered < i.saturating_sub(if i == JOINS { 0 } else { 100 }) {
            match socket.frame().await {
                ServerFrame::Joined { .. } => joined += 1,
                ServerFrame::Error { code: ErrorCode::TooManyRooms, .. } => refused += 1,
                ServerFrame::Error { code, detail, .. } => panic!("{code:?}: {detail}"),
                _ => continue,
            }
            answered += 1;
        }
    }
    assert_eq!((joined, refused), (ROOMS_MAX, JOINS - (ROOMS_MAX - 1)));
    is_served(&mut other, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_persons_producer_id_is_of_no_use() {
    let server = Server::embedded(&[]).await;
    let (_jiwoo, mut mine) = inside(&server, "지우", "a").await;
    let (_eve, mut theirs) = inside(&server, "Eve", "a").await;
    mine.say("a", P, 1, "mine").await;
    let at = mine.ack(1).await;
    // Neither taken for the other's message, nor in the way of the next one.
    theirs.say("a", P, 1, "mine").await;
    assert_ne!(theirs.ack(1).await, at);
    for n in 2..=70 {
        theirs.say("a", P, n, "theirs").await;
        theirs.ack(n).await;
    }
    mine.say("a", P, 2, "mine as well").await;
    mine.ack(2).await;
    mine.say("a", P, 1, "mine").await;
    assert_eq!(mine.ack(1).await, at);
}

async fn strange_numbers_get_a_code(server: &Server) {
    let (person, mut socket) = inside(server, "지우", "a").await;
    is_served(&mut socket, 1).await;
    let top = person.socket(server).await.join("a", None).await.1.cursor;
    for cursor in [
        Cursor { seq: top.seq + 1, ..top },
        Cursor { seq: i64::MAX.cast_unsigned(), ..top },
        Cursor { seq: i64::MAX.cast_unsigned() + 1, ..top },
        Cursor { seq: u64::MAX, ..top },
        Cursor { epoch: Epoch(1), ..top },
        Cursor { epoch: Epoch(u64::MAX), seq: 0, id: EntryId(0) },
        Cursor { id: EntryId(1), ..top },
    ] {
        let (how, page) = socket.join("a", Some(cursor)).await;
        assert_eq!((how, page.cursor), (JoinedHow::Reset, top), "{cursor:?}");
    }
    let epoch = top.epoch;
    for (frame, code) in [
        (
            format!(r#"{{"t":"join","room":"a","cursor":{{"epoch":"{epoch}","seq":-1,"id":"{}"}}}}"#, top.id),
            "bad_frame",
        ),
        (
            format!(r#"{{"t":"join","room":"a","cursor":{{"epoch":"{epoch}","seq":1.5,"id":"{}"}}}}"#, top.id),
            "bad_frame",
        ),
        (format!(r#"{{"t":"join","room":"a","cursor":{{"epoch":"-1","seq":1,"id":"{}"}}}}"#, top.id), "bad_frame"),
        (format!(r#"{{"t":"history","room":"a","epoch":"{epoch}","before":-1}}"#), "bad_frame"),
        (r#"{"t":"history","room":"a","epoch":"00000000000000aa","before":1}"#.to_owned(), "epoch_unknown"),
        (r#"{"t":"send","room":"a","p":"0000000000000007","n":-1,"text":"x"}"#.to_owned(), "bad_frame"),
        (r#"{"t":"send","room":"a","p":"0000000000000007","n":1e99,"text":"x"}"#.to_owned(), "bad_frame"),
    ] {
        socket.raw(Message::text(frame.clone())).await;
        let answer = |frame| match frame {
            ServerFrame::Error { code, .. } => Some(code.as_str()),
            _ => None,
        };
        assert_eq!(socket.until(answer).await, code, "{frame}");
    }
    for n in [0, 3, i64::MAX.cast_unsigned(), i64::MAX.cast_unsigned() + 1, u64::MAX] {
        socket.say("a", P, n, "x").await;
        let answer = |frame| match frame {
            ServerFrame::Refused { n: which, code, retry, last, .. } if which == n => Some((code, retry, last)),
            ServerFrame::Ack { n: which, .. } if which == n => panic!("{n} was acknowledged"),
            _ => None,
        };
        assert_eq!(socket.until(answer).await, (ErrorCode::OutOfOrder, false, Some(1)), "{n}");
    }
    for before in [0, u64::MAX] {
        socket.send(&ClientFrame::History { room: key("a"), epoch, before }).await;
        let page = |frame| match frame {
            ServerFrame::History { page, .. } => Some(page.entries.len()),
            _ => None,
        };
        assert_eq!(socket.until(page).await, usize::from(before > 0));
    }
    is_served(&mut socket, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_numbers_get_a_code_embedded() {
    strange_numbers_get_a_code(&Server::embedded(&[]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_numbers_get_a_code_redis() {
    let redis = RedisServer::start(&[]);
    strange_numbers_get_a_code(&Server::redis(&redis.url(), &[]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_any_size_is_not_read_to_its_end() {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let text = "x".repeat(100 * 1024);
    assert_eq!(person.post(&server, "/r/a", &[("text", &text)]).await.status(), 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_form_without_a_session_little_is_read() {
    let server = Server::embedded(&[]).await;
    Person::signed_in(&server, "지우", "a").await;
    // The rest never comes, and is not waited for.
    let head = format!(
        "POST /r/a HTTP/1.1\r\nHost: {}\r\nAccept: text/html\r\nContent-Length: 60000\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\ntext=typed+",
        server.address
    );
    let start = Instant::now();
    let answer = support::raw::ask(server.address, (head + &"x".repeat(8_000)).as_bytes()).await;
    assert_eq!(answer.status, 413);
    assert!(answer.body.contains("data-code=\"too_large\"") && answer.body.contains(">typed xxx"), "{}", answer.body);
    assert!(start.elapsed() < Duration::from_secs(10), "after {:?}", start.elapsed());
    // One that came as a whole is answered as well, and one that fits is told what is missing.
    let stranger = Person::new();
    for (length, status) in [(20_000, 413), (3_000, 401)] {
        assert_eq!(stranger.post(&server, "/r/a", &[("text", &"x".repeat(length))]).await.status(), status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_never_ends_is_given_up() {
    let server = Server::embedded(&[]).await;
    let whole = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let begun = "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
    let ends = [("", ""), ("", begun), (whole, begun)].map(async |(before, begun)| {
        let mut slow = TcpStream::connect(server.address).await.unwrap();
        slow.write_all(before.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !before.is_empty() && !answer.ends_with(b"ok") {
            assert!(slow.read_buf(&mut answer).await.unwrap() > 0, "no answer");
        }
        slow.write_all(begun.as_bytes()).await.unwrap();
        let end = slow.read_to_end(&mut answer);
        tokio::time::timeout(Duration::from_secs(20), end).await.expect("it is still waited for").unwrap();
    });
    futures_util::future::join_all(ends).await;
}

/// Asks for the page's largest file and takes at first nothing of it.
async fn asks_for_a_large_file(server: &Server) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(32 * 1024).unwrap();
    let mut reader = socket.connect(server.address).await.unwrap();
    reader.write_all(b"GET /pkg/hubbub.a1b2.wasm HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await.unwrap();
    reader
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stops_is_given_up_and_one_that_is_slow_is_served() {
    const FILE: usize = 32 * 1024 * 1024;
    let site = support::server::site();
    std::fs::write(site.path().join("pkg/hubbub.a1b2.wasm"), vec![7; FILE]).unwrap();
    let server = Server::embedded(&["--site-dir", site.path().to_str().unwrap()]).await;
    let (stopped, mut slow) = tokio::join!(asks_for_a_large_file(&server), asks_for_a_large_file(&server));
    let given_up = async {
        let end = stopped.ready(tokio::io::Interest::ERROR);
        tokio::time::timeout(Duration::from_secs(50), end).await.expect("it is still waited for").unwrap();
    };
    // For as long as that, and then the rest.
    let served = async {
        let (start, mut read, mut piece) = (Instant::now(), 0, vec![0; 64 * 1024]);
        while start.elapsed() < Duration::from_secs(40) {
            read += slow.read(&mut piece).await.unwrap();
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        while read < FILE {
            let more = slow.read(&mut piece).await.unwrap();
            assert!(more > 0, "it ended after {read} bytes");
            read += more;
        }
    };
    tokio::join!(given_up, served);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_never_ends_is_given_up_with_what_was_read_of_it() {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let head = format!(
        "POST /r/a HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nAccept: text/html\r\nContent-Length: 900\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\ntext=half+a+senten%EC%A7",
        server.address,
        person.cookie(&server)
    );
    let answer = support::raw::ask(server.address, head.as_bytes()).await;
    assert_eq!((answer.status, answer.header("x-content-type-options")), (408, Some("nosniff")));
    assert!(answer.body.contains("data-code=\"too_slow\"") && answer.body.contains(">half a senten</textarea>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_is_closed_and_misses_nothing_when_it_is_back() {
    let server = Server::embedded(&[]).await;
    let (_jiwoo, mut sender) = inside(&server, "지우", "a").await;
    let (_megan, mut reader) = inside(&server, "Megan", "a").await;
    let (stalled, mut socket) = inside(&server, "하은", "a").await;
    // More than lies in the kernel's buffers on the way.
    let (text, total) = ("x".repeat(MESSAGE_MAX), 3_000);
    let mut longest = Duration::ZERO;
    for n in 1..=total {
        let sent = Instant::now();
        sender.say("a", P, n, &text).await;
        let at = sender.ack(n).await;
        while reader.entry().await.cursor() != at {}
        longest = longest.max(sent.elapsed());
    }
    assert!(longest < Duration::from_secs(5), "somebody waited {longest:?}");
    // Nothing is written for 35 s; the close frame cannot be either.
    tokio::time::sleep_until((Instant::now() + Duration::from_secs(40)).into()).await;
    let mut at = Cursor::origin(reader.join("a", None).await.1.cursor.epoch);
    while let Ok(frame) = socket.next().await {
        if let ServerFrame::Entry { entry, .. } = frame {
            assert!(at.precedes(&entry));
            at = entry.cursor();
        }
    }
    assert!(at.seq < total, "it was never behind");
    // Too far for entries alone: the rest is read page by page.
    let (how, page) = stalled.socket(&server).await.join("a", Some(at)).await;
    assert!(how == JoinedHow::Jumped || total - at.seq <= 1_000, "{how:?} {at:?}");
    assert!(page.cursor.seq == total || how == JoinedHow::Resumed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_answers_is_closed_after_a_minute() {
    let server = Server::embedded(&[]).await;
    let (_jiwoo, mut socket) = inside(&server, "지우", "a").await;
    let heard = Instant::now();
    // What is not read is not answered either: protocol pings among it.
    tokio::time::sleep_until((heard + Duration::from_secs(61)).into()).await;
    assert_eq!(socket.closed().await.code(), Some(4002));
}

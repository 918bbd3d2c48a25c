//! Connections and pages beyond what a server can hold or render: the oldest idle ones go, what is at work stays, and what is
//! cheap is answered all the same.
#![allow(clippy::unwrap_used)]

mod support;

use app::domain::{MESSAGE_MAX, ProducerId};
use futures_util::{FutureExt, StreamExt, future::join_all, stream};
use std::time::{Duration, Instant};
use support::{
    person::{PATIENCE, Person},
    redis::RedisServer,
    server::Server,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

const P: ProducerId = ProducerId(7);
/// Its head is whole and its body never comes.
const AT_WORK: &str = "POST /signin HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                       Content-Length: 20\r\n\r\nname=";

/// A connection as a client without manners has it.
struct Raw(TcpStream);

impl Raw {
    async fn open(server: &Server) -> Self {
        Self(TcpStream::connect(server.address).await.unwrap())
    }

    /// From another address of this machine.
    async fn from(address: &str, server: &Server) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
        Self(socket.connect(server.address).await.unwrap())
    }

    async fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// The head of the answer to a GET for the server's health, whose body is `ok`; `None` if the connection ended instead.
    async fn health(&mut self) -> Option<String> {
        self.0.write_all(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await.ok()?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nok") {
            let read = timeout(PATIENCE, self.0.read_buf(&mut answer)).await.expect("no answer").ok()?;
            if read == 0 {
                return None;
            }
        }
        Some(String::from_utf8(answer).unwrap())
    }

    /// All that comes until the connection ends.
    async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        // What was sent into a connection that ended may break it: that is an end as well.
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut rest)).await.expect("it does not end");
        String::from_utf8(rest).unwrap()
    }

    /// Whether it was closed, as far as is known here.
    fn is_closed(&mut self) -> bool {
        matches!(self.0.read_u8().now_or_never(), Some(Err(_)))
    }
}

async fn idle(server: &Server) -> Raw {
    let mut connection = Raw::open(server).await;
    connection.health().await.unwrap();
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_kept_for_longer_than_a_head_may_take() {
    let server = Server::embedded(&[]).await;
    let mut kept = idle(&server).await;
    tokio::time::sleep_until((Instant::now() + Duration::from_millis(10_500)).into()).await;
    kept.health().await.expect("it was closed while it was idle");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_kept_as_long_as_the_settings_say() {
    let server = Server::embedded(&["--keep-alive", "1s"]).await;
    let mut kept = idle(&server).await;
    let start = Instant::now();
    assert_eq!(kept.rest().await, "");
    assert!(start.elapsed() >= Duration::from_millis(900), "after {:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_idle_connection_makes_room_for_a_new_one() {
    let server = Server::embedded(&["--max-connections", "4"]).await;
    let mut kept = Vec::new();
    for _ in 0..4 {
        kept.push(idle(&server).await);
    }
    // It was idle for longest, and is not any more.
    kept[0].health().await.unwrap();
    let mut new = idle(&server).await;
    assert_eq!(kept[1].rest().await, "");
    for n in [0, 2, 3] {
        assert!(!kept[n].is_closed(), "{n}");
    }
    new.health().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_all_connections_are_at_work_health_is_answered_and_silence_is_not_waited_for() {
    let server = Server::embedded(&["--max-connections", "2"]).await;
    let mut at_work = Vec::new();
    for _ in 0..2 {
        let mut connection = Raw::open(&server).await;
        connection.write(AT_WORK).await;
        at_work.push(connection);
    }
    let mut silent = Raw::open(&server).await;
    let mut asks = Raw::open(&server).await;
    let answer = asks.health().await.expect("it was refused");
    assert!(answer.contains("connection: close"), "{answer}");
    assert_eq!(asks.rest().await, "");
    let start = Instant::now();
    assert_eq!(silent.rest().await, "");
    assert!(start.elapsed() < Duration::from_secs(8), "after {:?}", start.elapsed());
    for connection in &mut at_work {
        connection.write("A&room=b").await;
        connection.write("       ").await;
        let mut answer = [0; 12];
        connection.0.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer[..9], b"HTTP/1.1 ");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_of_one_address_keep_nobody_else_out() {
    // A twentieth of the usual: 13 that never asked for anything.
    let server = Server::embedded(&["--limits", "0.05", "--trusted-proxies", "none"]).await;
    let mut silent = join_all((0..13).map(|_| Raw::open(&server))).await;
    let mut refused = Raw::open(&server).await;
    assert_eq!(refused.rest().await, "");
    let mut other = Raw::from("127.0.0.2", &server).await;
    other.health().await.expect("another address pays for it");
    assert!(silent.iter_mut().all(|connection| !connection.is_closed()));
    // Whoever asks for something is no longer one of them.
    silent[0].health().await.unwrap();
    let mut next = Raw::open(&server).await;
    next.health().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_has_so_many_connections_and_its_own_idle_one_makes_room() {
    // A hundredth of the usual: 21 in all.
    let server = Server::embedded(&["--limits", "0.01", "--trusted-proxies", "none"]).await;
    let mut kept = Vec::new();
    for _ in 0..21 {
        kept.push(idle(&server).await);
    }
    let mut other = Raw::from("127.0.0.2", &server).await;
    other.health().await.unwrap();
    idle(&server).await;
    // Which has been idle for longest is the server's to say, which notes it after the client has its answer.
    let one_is_gone = async {
        loop {
            if let Some(gone) = kept.iter_mut().position(Raw::is_closed) {
                return gone;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let gone = timeout(PATIENCE, one_is_gone).await.expect("none made room");
    kept.swap_remove(gone);
    assert!(kept.iter_mut().chain([&mut other]).all(|connection| !connection.is_closed()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_is_so_long_and_has_so_many_lines() {
    let server = Server::embedded(&[]).await;
    let long = format!("X-Long: {}\r\n", "x".repeat(17 * 1024));
    let many: Vec<String> = (0..70).map(|n| format!("X-{n}: x\r\n")).collect();
    let fair: Vec<String> = (0..40).map(|n| format!("X-{n}: {}\r\n", "x".repeat(200))).collect();
    for (lines, status) in [(long, "431"), (many.concat(), "431"), (fair.concat(), "200")] {
        let mut raw = Raw::open(&server).await;
        let head = format!("GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{lines}\r\n");
        let _ = raw.0.write_all(head.as_bytes()).await;
        let mut answer = [0; 12];
        raw.0.read_exact(&mut answer).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), format!("HTTP/1.1 {status}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_came_together_are_answered_one_after_the_other() {
    let server = Server::embedded(&[]).await;
    let mut raw = Raw::open(&server).await;
    let request = "GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n";
    let (once, last) = (format!("{request}\r\n"), format!("{request}Connection: close\r\n\r\n"));
    raw.write(&(once.repeat(99) + &last)).await;
    assert_eq!(raw.rest().await.matches("\r\n\r\nok").count(), 100);
}

/// Pages that take long to render leave the threads alone on which everybody else is served.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn health_is_answered_while_pages_are_rendered() {
    const PAGES: usize = 8;
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let mut socket = person.socket(&server).await;
    socket.join("a", None).await;
    let text = "http://a.b) ".repeat(MESSAGE_MAX / 12);
    for n in 1..=50 {
        socket.say("a", P, n, &text).await;
        socket.ack(n).await;
    }
    let mut pages = Box::pin(join_all((0..PAGES).map(|_| person.get(&server, "/r/a"))));
    let (mut health, mut answered) = (idle(&server).await, 0);
    let pages = loop {
        tokio::select! {
            biased;
            answer = health.health() => { answer.unwrap(); answered += 1 },
            pages = &mut pages => break pages,
        }
    };
    assert!(pages.iter().all(|page| page.status() == 200));
    assert!(answered > 5 * PAGES, "{answered} answers beside {PAGES} pages");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_lists_as_many_rooms_as_a_socket_may_be_in() {
    const ROOMS: usize = 300;
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "first").await;
    let rooms: Vec<_> = (0..ROOMS).map(|n| format!("room {n}")).collect();
    let made = stream::iter(&rooms).map(|room| async { person.post(&server, "/rooms", &[("room", room)]).await });
    assert!(made.buffered(32).all(|answer| async move { answer.status() == 303 }).await);
    for (path, listed) in [("/r/first", 200), ("/r/room%20299", 200), ("/rooms", 200)] {
        let page = person.page(&server, path).await;
        let links = page.matches("href=\"/r/").count();
        assert!((listed..listed + 10).contains(&links), "{path}: {links} links");
        assert!(page.len() < 300_000, "{path}: {} bytes", page.len());
        assert!(page.contains("href=\"/rooms\"") || path == "/rooms");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_beyond_what_one_may_ask_for_are_refused_cheaply() {
    // A fiftieth of the usual: 12 pages without a session and 2 with one.
    let server = Server::embedded(&["--limits", "0.02"]).await;
    let member = Person::signed_in(&server, "지우", "a").await;
    let stranger = Person::new();
    let start = Instant::now();
    for (person, path, burst) in [(&stranger, "/", 12), (&stranger, "/nowhere", 0), (&member, "/r/a", 2)] {
        let answers = stream::iter(0..30).then(|_| person.get(&server, path)).collect::<Vec<_>>().await;
        let (refused, shown): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status() == 503);
        // One more is let in each 2.5 s.
        let most = burst + 2 + usize::try_from(start.elapsed().as_secs()).unwrap() / 2;
        assert!((burst..=most).contains(&shown.len()), "{path}: {} pages", shown.len());
        assert!(!refused.is_empty());
        for answer in refused {
            assert_eq!(answer.headers()["retry-after"], "2");
            // With the looks of the other pages, in its own few lines of style.
            assert!(answer.text().await.unwrap().len() < 2_000);
        }
    }
    assert_eq!(stranger.get(&server, "/health/live").await.status(), 200);
    assert_eq!(stranger.get(&server, "/robots.txt").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_is_asked_for_the_directory_once_for_all_who_look_at_it() {
    let redis = RedisServer::start(&[]);
    let server = Server::redis(&redis.url(), &[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let asked = || {
        let stats = redis.cli(&["INFO", "commandstats"]);
        let calls = |line: &str| line.strip_prefix("cmdstat_zrevrange:calls=")?.split(',').next()?.parse::<u64>().ok();
        stats.lines().find_map(calls).unwrap_or(0)
    };
    let before = asked();
    let start = Instant::now();
    let pages = join_all((0..12).map(|_| person.get(&server, "/rooms"))).await;
    assert!(pages.iter().all(|page| page.status() == 200));
    let seconds = start.elapsed().as_secs();
    assert!(asked() - before <= 1 + seconds, "{} times", asked() - before);
    // Whoever made a room finds it at once.
    person.post(&server, "/rooms", &[("room", "just made")]).await;
    assert!(person.page(&server, "/rooms").await.contains("just made"));
}

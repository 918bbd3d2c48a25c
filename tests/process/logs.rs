//! What it logs, and what it does not log again and again.

use super::*;
use std::io::Read;
use tokio::{io::AsyncReadExt, net::TcpStream as TokioStream, time::timeout};

/// What the program logs, as JSON, while `act` is done to it.
async fn logged(args: &[&str], variables: &[(&str, &str)], act: impl AsyncFnOnce(SocketAddr)) -> String {
    let (data, site, address) = (TempDir::new().unwrap(), site(), free_address());
    let port = address.port().to_string();
    let folders = [data.path().to_str().unwrap(), site.path().to_str().unwrap()];
    let own = ["--port", &port, "--data-dir", folders[0], "--site-dir", folders[1], "--log-format", "json"];
    let mut program = program(&[&own, args].concat());
    let mut running = Running(program.envs(variables.iter().copied()).stderr(Stdio::piped()).spawn().unwrap());
    until_it_listens(address).await;
    act(address).await;
    running.0.kill().unwrap();
    let mut log = String::new();
    running.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    log
}

/// A program that ends with its test, also where that fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn an_address_of_redis_that_is_empty_is_warned_of() {
    for url in ["", " "] {
        let log = logged(&[], &[("REDIS_URL", url)], async |_| {}).await;
        assert!(log.contains("REDIS_URL is set, but empty"), "{log}");
    }
    assert!(!logged(&[], &[], async |_| {}).await.contains("REDIS_URL"));
}

#[tokio::test]
async fn cloud_logging_finds_its_fields() {
    let log = logged(&["--log-format", "google"], &[("REDIS_URL", "")], async |address| {
        let person = Person::signed_in(&address, "지우", "a").await;
        assert_eq!(person.get(&address, "/r/none").await.status(), 404);
    });
    let lines: Vec<serde_json::Value> =
        log.await.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    let severities: Vec<_> = lines.iter().map(|line| line["severity"].as_str().unwrap()).collect();
    assert!(severities.contains(&"INFO") && severities.contains(&"WARNING"), "{severities:?}");
    assert!(lines.iter().all(|line| line["time"].is_string() && line["message"].is_string()), "{lines:?}");
    let signed_in = lines.iter().find(|line| line["event"] == "signed_in").unwrap();
    assert!(signed_in["span"]["id"].is_string() && signed_in["user"].is_string(), "{signed_in}");
}

#[tokio::test]
async fn a_store_that_is_full_is_told_of_once() {
    let log = logged(&["--keep-free-mib", "4294967295"], &[], async |address| {
        let person = Person::signed_in(&address, "지우", "a").await;
        let mut socket = person.socket(&address).await;
        socket.join("a", None).await;
        for _ in 0..20 {
            socket.say("a", ProducerId(1), 1, "hello").await;
            let refused = |frame| match frame {
                ServerFrame::Refused { code, .. } => Some(code),
                ServerFrame::Ack { .. } => panic!("it was taken"),
                _ => None,
            };
            assert_eq!(socket.until(refused).await, ErrorCode::Unavailable);
        }
    });
    let log = log.await;
    assert_eq!(log.lines().filter(|line| line.contains("a message was not acknowledged")).count(), 1, "{log}");
}

#[tokio::test]
async fn pages_and_forms_that_fail_are_told_of_once_each() {
    let log = logged(&["--keep-free-mib", "4294967295", "--limits", "0.05"], &[], async |address| {
        let person = Person::signed_in(&address, "지우", "a").await;
        for _ in 0..3 {
            assert_eq!(person.post(&address, "/r/a", &[("text", "hello")]).await.status(), 503);
        }
        // More pages than a stranger gets.
        let stranger = Person::new();
        let pages = (0..60).map(|_| stranger.get(&address, "/"));
        assert!(futures_util::future::join_all(pages).await.iter().any(|page| page.status() == 503));
    });
    let log = log.await;
    for once in ["a posted message was not acknowledged", "an answer failed"] {
        assert_eq!(log.lines().filter(|line| line.contains(once)).count(), 1, "{once}: {log}");
    }
    assert!(log.lines().count() < 10, "{log}");
}

#[tokio::test]
async fn who_came_went_made_a_room_or_asked_too_much_is_in_the_log() {
    // Names and texts are not.
    let log = logged(&["--limits", "0.02"], &[], async |address| {
        let person = Person::signed_in(&address, "Secret name", "secret room").await;
        let make = async |room: &str| person.post(&address, "/rooms", &[("room", room)]).await.status().as_u16();
        // What leads to a room that is there makes none.
        let made = [make("secret r00m").await, make("secret second").await, make("secret third").await];
        assert_eq!(made, [303, 303, 429]);
        // Two pages at once, then one in 17 s.
        let pages = futures_util::future::join_all((0..4).map(|_| person.get(&address, "/rooms"))).await;
        assert!(pages.iter().any(|page| page.status() == 503));
        assert_eq!(person.post(&address, "/signout", &[]).await.status(), 303);
    });
    let log = log.await;
    for (event, times) in [("signed_in", 1), ("room_made", 2), ("limited", 2), ("signed_out", 1)] {
        let lines: Vec<_> = log.lines().filter(|line| line.contains(&format!("\"event\":\"{event}\""))).collect();
        assert_eq!(lines.len(), times, "{event}: {log}");
        let is_whole =
            |line: &&str| line.contains("\"target\":\"audit\"") && line.contains("\"address\":\"127.0.0.1/32\"");
        assert!(lines.iter().all(is_whole), "{event}: {log}");
    }
    for what in ["rooms", "pages"] {
        assert!(log.contains(&format!("\"what\":\"{what}\"")), "{what}: {log}");
    }
    assert!(!log.to_lowercase().contains("secret"), "{log}");
}

/// The lines of the log about such an event.
fn about<'a>(log: &'a str, event: &str) -> Vec<&'a str> {
    log.lines().filter(|line| line.contains(&format!("\"event\":\"{event}\""))).collect()
}

#[tokio::test]
async fn a_proxy_that_nobody_declared_is_told_of_once() {
    let log = logged(&[], &[], async |address| {
        for client in ["203.0.113.1", "203.0.113.2"] {
            let page = reqwest::Client::new().get(address.url("/")).header("x-forwarded-for", client);
            assert_eq!(page.send().await.unwrap().status(), 200);
        }
    });
    let log = log.await;
    let lines = about(&log, "undeclared_proxy");
    assert_eq!(lines.len(), 1, "{log}");
    assert!(
        lines[0].contains("HUBBUB_TRUSTED_PROXIES=127.0.0.1") && lines[0].contains("\"target\":\"audit\""),
        "{log}"
    );
    // Nor is one that was declared, or a client that comes by itself.
    for (args, header) in [(&["--trusted-proxies", "127.0.0.1"][..], "x-forwarded-for"), (&[], "x-other")] {
        let log = logged(args, &[], async |address| {
            let page = reqwest::Client::new().get(address.url("/")).header(header, "203.0.113.1");
            assert_eq!(page.send().await.unwrap().status(), 200);
        });
        assert_eq!(about(&log.await, "undeclared_proxy").len(), 0, "{args:?}");
    }
}

#[tokio::test]
async fn an_address_that_has_too_many_connections_is_told_of_once() {
    // A twentieth of the usual: 13 that never asked for anything.
    let log = logged(&["--limits", "0.05", "--trusted-proxies", "none"], &[], async |address| {
        let connect = || TokioStream::connect(address);
        let mut silent = Vec::new();
        for _ in 0..13 {
            silent.push(connect().await.unwrap());
        }
        for _ in 0..5 {
            let mut refused = connect().await.unwrap();
            assert_eq!(timeout(PATIENCE, refused.read(&mut [0])).await.unwrap().unwrap_or(0), 0);
        }
    });
    let log = log.await;
    let lines = about(&log, "connections_full");
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("\"target\":\"audit\"") && lines[0].contains("\"peer\":\"127.0.0.1/32\""), "{log}");
}

#[tokio::test]
async fn refused_hosts_and_origins_are_told_by_name_once() {
    let log = logged(&[], &[], async |address| {
        let ask = async |line: &str| {
            let request = format!("POST /signin HTTP/1.1\r\n{line}\r\nConnection: close\r\n\r\n");
            support::raw::ask(address, request.as_bytes()).await.status
        };
        let origins: Vec<_> = (0..3).map(|i| format!("Host: {address}\r\nOrigin: https://evil{i}.example")).collect();
        for _ in 0..3 {
            for name in 0..12 {
                assert_eq!(ask(&format!("Host: name{name}.example:99")).await, 421);
            }
            for origin in &origins {
                assert_eq!(ask(origin).await, 403);
            }
        }
    });
    let log = log.await;
    let lines: Vec<_> = log.lines().filter(|line| line.contains("\"target\":\"audit\"")).collect();
    let of = |event: &str| lines.iter().filter(|line| line.contains(event)).copied().collect::<Vec<_>>();
    let hosts = of("host_refused");
    assert_eq!(hosts.len(), 8, "{log}");
    assert!(
        hosts[0].contains("\"host\":\"name0.example:99\"")
            && hosts[0].contains("HUBBUB_PUBLIC_URL=https://name0.example:99")
    );
    let origins = of("origin_refused");
    assert_eq!(origins.len(), 3, "{log}");
    assert!(origins[2].contains("\"origin\":\"https://evil2.example\""));
}

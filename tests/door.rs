//! Who is answered at all: hosts, origins, methods, headers and cookies, as a browser and a proxy see them.
#![allow(clippy::unwrap_used)]

#[path = "door/cookies.rs"]
mod cookies;
#[path = "door/forms.rs"]
mod forms;
mod support;

use app::domain::{MESSAGE_MAX, UserName};
use hubbub::engine::TokenHash;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::{
    person::Person,
    raw::{Answer, ask},
    server::Server,
};

const FORM: &str = "application/x-www-form-urlencoded";
const PUBLIC: [&str; 2] = ["--public-url", "https://chat.example.com"];
const NETWORK: [&str; 2] = ["--host", "0.0.0.0"];

/// The head of a request as `lines` have it, with nothing added but the end of the connection.
async fn head(server: &Server, lines: &[&str]) -> Answer {
    let request = format!("{}\r\nConnection: close\r\n\r\n", lines.join("\r\n"));
    ask(reachable(server), request.as_bytes()).await
}

async fn get(server: &Server, path: &str, host: &str, more: &[&str]) -> Answer {
    let (target, host) = (format!("GET {path} HTTP/1.1"), format!("Host: {host}"));
    head(server, &[&[target.as_str(), host.as_str()], more].concat()).await
}

async fn post(server: &Server, path: &str, host: &str, more: &[&str], body: &str) -> Answer {
    let own = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {FORM}\r\nContent-Length: {}", body.len());
    let lines = [&[own.as_str()], more].concat().join("\r\n");
    ask(reachable(server), format!("{lines}\r\nConnection: close\r\n\r\n{body}").as_bytes()).await
}

fn reachable(server: &Server) -> std::net::SocketAddr {
    (std::net::Ipv4Addr::LOCALHOST, server.address.port()).into()
}

fn coded(answer: &Answer, code: &str) -> bool {
    answer.body.contains(&format!("data-code=\"{code}\""))
}

/// Name and value of the session's cookie.
fn session(answer: &Answer) -> Option<String> {
    let set = answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
    set.map(|(_, value)| value.split(';').next().unwrap().to_owned()).find(|cookie| cookie.contains("hubbub"))
}

#[tokio::test]
async fn a_name_that_is_not_this_servers_is_misdirected_on_every_route() {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let cookie = format!("Cookie: {}", person.cookie(&server));
    for path in [
        "/",
        "/rooms",
        "/r/a",
        "/r/a/1",
        "/signin",
        "/lang/ko",
        "/robots.txt",
        "/pkg/hubbub.a1b2.js",
        "/health/live",
        "/health/ready",
        "/ws",
        "/nothing",
        "*",
        "/%ff",
    ] {
        let answer = get(&server, path, "evil.example:3000", &[&cookie]).await;
        assert_eq!(answer.status, 421, "{path}");
        assert!(!answer.body.contains("지우") && answer.header("set-cookie").is_none(), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    }
    for method in ["POST", "PUT", "OPTIONS", "TRACE", "BREW"] {
        let answer = head(&server, &[&format!("{method} /signin HTTP/1.1"), "Host: evil.example"]).await;
        assert_eq!(answer.status, 421, "{method}");
    }
    // A page of the same name, as after its name was turned to this machine.
    let origin = "Origin: http://evil.example:3000";
    let answer = post(&server, "/signin", "evil.example:3000", &[origin], "name=Eve&room=a").await;
    assert_eq!((answer.status, session(&answer)), (421, None));
    // The target's own authority is what counts, whatever the header says.
    assert_eq!(head(&server, &["GET http://evil.example/ HTTP/1.1", "Host: localhost"]).await.status, 421);
    assert_eq!(head(&server, &["GET http://localhost/ HTTP/1.1", "Host: evil.example"]).await.status, 200);
}

#[tokio::test]
async fn what_is_misdirected_is_told_what_to_set() {
    let server = Server::embedded(&[]).await;
    let html = "Accept: text/html,*/*;q=0.8";
    let page = get(&server, "/", "Chat.Example.com:8443", &[html]).await;
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    assert!(page.body.contains("HUBBUB_PUBLIC_URL=https://chat.example.com:8443"), "{}", page.body);
    assert!(page.body.contains(&format!("http://localhost:{}", server.address.port())));
    let korean = get(&server, "/", "chat.example.com", &[html, "Accept-Language: ko-KR,ko;q=0.9"]).await;
    assert!(korean.body.contains("lang=\"ko\"") && korean.body.contains("다시 시작해 주세요"));
    let line = get(&server, "/health/ready", "chat.example.com", &["Accept: */*"]).await;
    assert!(line.header("content-type").unwrap().starts_with("text/plain"));
    assert_eq!(line.body.trim_end().lines().count(), 1);
    // In the own network, without a proxy, there is no certificate to be had.
    let network = Server::embedded(&NETWORK).await;
    assert!(get(&network, "/", "nas.lan:3000", &[]).await.body.contains("HUBBUB_PUBLIC_URL=http://nas.lan:3000"));
    let proxied = get(&network, "/", "nas.lan", &["X-Forwarded-Proto: https"]).await;
    assert!(proxied.body.contains("HUBBUB_PUBLIC_URL=https://nas.lan"));
}

#[tokio::test]
async fn addresses_and_the_machine_itself_are_always_answered_to() {
    let server = Server::embedded(&PUBLIC).await;
    for host in [
        "localhost",
        "127.0.0.1:3000",
        "10.0.0.7:8080",
        "[::1]:3000",
        "chat.localhost",
        "chat.example.com",
        "CHAT.EXAMPLE.COM.:443",
    ] {
        for path in ["/", "/health/ready", "/health/live", "/robots.txt"] {
            assert_eq!(get(&server, path, host, &[]).await.status, 200, "{host} {path}");
        }
    }
    // As balancers ask that speak HTTP/1.0 and name no host.
    assert_eq!(ask(server.address, b"GET /health/ready HTTP/1.0\r\n\r\n").await.status, 200);
    assert_eq!(get(&server, "/", "hubbub-1", &[]).await.status, 421);
    let network = Server::embedded(&NETWORK).await;
    for host in ["hubbub-1:3000", "nas.local", "chat.internal", "hubbub.default.svc.cluster.local"] {
        assert_eq!(get(&network, "/", host, &[]).await.status, 200, "{host}");
    }
}

#[tokio::test]
async fn a_request_names_exactly_one_host() {
    let server = Server::embedded(&[]).await;
    for lines in [
        &["GET / HTTP/1.1"][..],
        &["GET /health/live HTTP/1.1"],
        &["GET http://localhost/ HTTP/1.1"],
        &["GET / HTTP/1.1", "Host: localhost", "Host: localhost"],
        &["GET / HTTP/1.1", "Host: localhost", "Host: evil.example"],
        &["GET / HTTP/1.1", "Host:"],
        &["GET / HTTP/1.1", "Host: user@localhost"],
        &["GET / HTTP/1.1", "Host: localhost:http"],
        &["GET / HTTP/1.1", "Host: localhost:65536"],
        &["GET / HTTP/1.1", "Host: <script>"],
        &["GET / HTTP/1.1", "Host: a, b"],
        &["GET / HTTP/1.1", "Host: localhost/x"],
        &["GET http://user@localhost/ HTTP/1.1", "Host: localhost"],
    ] {
        let answer = head(&server, lines).await;
        assert_eq!(answer.status, 400, "{lines:?}");
        assert!(!answer.body.contains('<'), "{lines:?}");
    }
}

#[tokio::test]
async fn with_a_public_address_only_its_own_pages_may_act() {
    let server = Server::embedded(&PUBLIC).await;
    let sign_in = async |name: &str, host: &str, more: &[&str]| {
        post(&server, "/signin", host, more, &format!("name={name}&room=a")).await
    };
    for (i, (host, more)) in [
        ("chat.example.com", &["Origin: https://chat.example.com"][..]),
        // A proxy that puts its own idea of the host into the request.
        ("127.0.0.1:3000", &["Origin: https://chat.example.com"]),
        ("chat.example.com", &["Sec-Fetch-Site: same-origin"]),
        ("chat.example.com", &["Origin: https://chat.example.com", "Sec-Fetch-Site: cross-site"]),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = sign_in(&format!("name{i}"), host, more).await;
        assert_eq!(answer.status, 303, "{host} {more:?}");
        assert!(session(&answer).unwrap().starts_with("__Host-hubbub="), "{host}");
    }
    for (host, more) in [
        ("chat.example.com", &["Origin: http://chat.example.com"][..]),
        ("chat.example.com:8443", &["Origin: https://chat.example.com:8443"]),
        ("10.0.0.7:3000", &["Origin: http://10.0.0.7:3000"]),
        ("chat.example.com", &["Origin: null"]),
        ("chat.example.com", &["Origin:"]),
        ("chat.example.com", &["Origin: https://chat.example.com", "Origin: https://evil.example"]),
        ("chat.example.com", &["Sec-Fetch-Site: cross-site"]),
        ("chat.example.com", &["Sec-Fetch-Site: same-site"]),
    ] {
        let answer = sign_in("Eve", host, more).await;
        assert_eq!((answer.status, session(&answer)), (403, None), "{host} {more:?}");
        assert!(coded(&answer, "origin_refused"), "{host} {more:?}");
        assert!(answer.body.contains("<a href=\"https://chat.example.com\">"), "it says where people reach the server");
        let socket = ["Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="];
        // `Connection` twice is one list.
        let upgrade = [&socket[..], &["Connection: upgrade"], more].concat();
        assert_eq!(get(&server, "/ws", host, &upgrade).await.status, 403, "{host} {more:?}");
    }
    // Links into a room come from anywhere.
    assert_eq!(get(&server, "/r/a", "chat.example.com", &["Sec-Fetch-Site: cross-site"]).await.status, 200);
}

#[tokio::test]
async fn on_cloud_run_its_own_names_are_answered_to_over_https() {
    let at = "t---hubbub-abc123-ew.a.run.app";
    let server =
        Server::embedded(&[&NETWORK[..], &["--cloud-run-service", "hubbub", "--allow-plain-http"]].concat()).await;
    let origin = format!("Origin: https://{at}");
    let answer = post(&server, "/signin", at, &[&origin], "name=Kim&room=a").await;
    assert_eq!(answer.status, 303);
    assert!(session(&answer).unwrap().starts_with("__Host-hubbub="));
    let elsewhere = Server::embedded(&NETWORK).await;
    assert_eq!(get(&elsewhere, "/", at, &[]).await.status, 421);
}

#[tokio::test]
async fn every_answer_has_the_headers_of_all() {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let cookie = format!("Cookie: {}", person.cookie(&server));
    let here = server.address.to_string();
    let host = format!("Host: {here}");
    let long = "x".repeat(5_000);
    let mut answers = vec![
        ("misdirected", get(&server, "/", "evil.example", &[]).await),
        ("no host", head(&server, &["GET / HTTP/1.1"]).await),
        ("method", head(&server, &["PUT / HTTP/1.1", &host]).await),
        ("too large", post(&server, "/signin", &here, &[], &format!("name={long}")).await),
        ("no form", head(&server, &["POST /signin HTTP/1.1", &host, "Content-Length: 0"]).await),
        ("origin", post(&server, "/signin", &here, &["Origin: null"], "name=a&room=b").await),
        ("form", post(&server, "/signin", &here, &[], "name=a&room=b").await),
    ];
    for path in [
        "/",
        "/rooms",
        "/r/a",
        "/r/A",
        "/nothing",
        "/robots.txt",
        "/pkg/hubbub.a1b2.js",
        "/health/live",
        "/health/ready",
        "/lang/ko",
        "/ws",
    ] {
        answers.push((path, get(&server, path, &here, &[&cookie]).await));
    }
    for (what, answer) in &answers {
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{what}: {name}");
        }
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{what}: {policy}");
        assert_eq!(answer.header("strict-transport-security"), None, "{what}");
        let is_page = answer.body.contains("<script nonce");
        assert_eq!(policy.contains("script-src"), is_page, "{what}: {policy}");
    }
}

#[tokio::test]
async fn pages_come_as_they_were_sent_and_rooms_are_kept_nowhere() {
    let server = Server::embedded(&PUBLIC).await;
    let here = "chat.example.com";
    let entered = post(&server, "/signin", here, &["Origin: https://chat.example.com"], "name=Kim&room=a").await;
    let cookie = format!("Cookie: {}", session(&entered).unwrap());
    for (path, signed_in, kept) in [
        ("/r/a", true, "no-store"),
        ("/rooms", true, "no-store"),
        ("/", false, "no-cache"),
        ("/r/a", false, "no-cache"),
        ("/nothing", true, "no-cache"),
        ("/r/nowhere", true, "no-cache"),
    ] {
        let sent = [cookie.as_str()];
        let answer = get(&server, path, here, if signed_in { &sent } else { &[] }).await;
        let policy = answer.header("cache-control").unwrap();
        assert!(policy.contains(kept) && policy.contains("no-transform"), "{path}: {policy}");
        let noindex = path.starts_with("/r/").then_some("noindex");
        assert_eq!(answer.header("x-robots-tag"), noindex, "{path}");
        assert_eq!(answer.header("strict-transport-security"), Some("max-age=15552000"), "{path}");
    }
    for host in ["10.0.0.7:3000", "localhost"] {
        assert_eq!(get(&server, "/", host, &[]).await.header("strict-transport-security"), None, "{host}");
    }
}

#[tokio::test]
async fn a_method_that_a_page_has_not_is_named_so() {
    let server = Server::embedded(&[]).await;
    let host = format!("Host: {}", server.address);
    for path in [
        "/",
        "/rooms",
        "/r/a",
        "/r/a/1",
        "/signin",
        "/signout",
        "/lang/ko",
        "/robots.txt",
        "/nothing",
        "/ws",
        "/health/live",
    ] {
        for method in ["PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "BREW"] {
            let answer = head(&server, &[&format!("{method} {path} HTTP/1.1"), &host]).await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert!(
                answer.header("allow").is_some_and(|allow| !allow.is_empty() && !allow.contains(method)),
                "{method} {path}"
            );
        }
    }
    let answer = head(&server, &["GET /signout HTTP/1.1", &host, "Accept: text/html"]).await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    assert!(coded(&answer, "not_found"));
    assert_eq!(head(&server, &["HEAD / HTTP/1.1", &host]).await.status, 200);
}

#[tokio::test]
async fn a_range_that_is_none_means_the_whole_file() {
    let server = Server::embedded(&[]).await;
    let here = server.address.to_string();
    let file = async |range: &str| get(&server, "/robots.txt", &here, &[range]).await;
    let whole = get(&server, "/robots.txt", &here, &[]).await;
    for range in ["items=0-1", "bytes=0-1,3-4", "bytes=x", "bytes=", "seconds=1-2", "bytes=4-2"] {
        let answer = file(&format!("Range: {range}")).await;
        assert_eq!((answer.status, &answer.body), (200, &whole.body), "{range}");
    }
    let part = file("Range: bytes=0-3").await;
    assert_eq!((part.status, part.body.as_str()), (206, &whole.body[..4]));
    assert_eq!(file("Range: bytes=1000000-").await.status, 416);
    let conditional = get(&server, "/robots.txt", &here, &["Range: bytes=0-3", "If-Range: \"other\""]).await;
    assert_eq!(conditional.status, 200);
}

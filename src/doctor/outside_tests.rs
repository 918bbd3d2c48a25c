//! Answers as proxies give them that no test can have in front of it.

use super::*;
use clap::Parser;

const ORIGIN: &str = "https://chat.example.com";

fn answer(status: u16, headers: &[(&str, &str)]) -> HttpAnswer {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    HttpAnswer { line: format!("HTTP/1.1 {status} As it is"), headers, body: String::new() }
}

fn told(judged: Judged, words: &str) -> Level {
    let (level, says) = judged.unwrap_err();
    assert!(says.contains(words), "{words:?} is not in {says}");
    level
}

#[test]
fn a_page_under_another_name_is_told_from_our_own() {
    let judged = |more: &[&str], status, headers: &[(&str, &str)]| {
        let config = Config::parse_from([&["hubbub", "--public-url", ORIGIN], more].concat());
        is_alive(&config, ORIGIN, &answer(status, headers))
    };
    let hsts = ("strict-transport-security", "max-age=1");
    assert_eq!(judged(&[], 200, &[hsts]), Ok(()));
    assert_eq!(judged(&["--hsts", "off"], 200, &[]), Ok(()));
    assert_eq!(told(judged(&[], 200, &[]), "does not pass Host on"), Level::Warning);
    assert_eq!(told(judged(&[], 200, &[("content-type", "text/html")]), "another server answers"), Level::Error);
    assert_eq!(
        told(judged(&[], 301, &[("location", "https://www.example.com/")]), "https://www.example.com/"),
        Level::Error
    );
    told(judged(&[], 421, &[]), "proxy_set_header Host");
    told(judged(&[], 503, &[]), "finds no server behind it");
    told(judged(&[], 404, &[]), "another server answers");
}

#[test]
fn only_a_handshake_that_was_answered_by_ours_is_well() {
    let accept = derive_accept_key(KEY.as_bytes());
    let (ours, key) = (("sec-websocket-protocol", SUBPROTOCOL), ("sec-websocket-accept", &*accept));
    assert_eq!(opens(ORIGIN, &answer(101, &[ours, key])), Ok(()));
    told(opens(ORIGIN, &answer(101, &[key])), "another server opens sockets");
    told(opens(ORIGIN, &answer(101, &[ours, ("sec-websocket-accept", "x")])), "another server opens sockets");
    told(opens(ORIGIN, &answer(403, &[])), "pass Origin on");
    told(opens(ORIGIN, &answer(426, &[])), "pass Upgrade and Connection on");
    told(opens(ORIGIN, &answer(404, &[])), "send /ws to Hubbub");
}

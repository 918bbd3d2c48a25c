//! The socket by the letter of RFC 6455, in bytes. The groups are those of the Autobahn test suite: 2 pings and pongs,
//! 3 reserved bits, 4 opcodes, 5 fragmentation, 6 UTF-8, 7 closing. An echo is not to be had here: what a text says shows in
//! the `pong` that it asks for.
#![allow(clippy::unwrap_used)]

mod support;

use app::protocol::FRAME_MAX;
use std::time::{Duration, Instant};
use support::{
    bytes::{Heard, KEY, Raw, answer, frame, handshake},
    person::Person,
    server::Server,
};

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const ASK: &[u8] = br#"{"t":"ping"}"#;
const ANSWER: &[u8] = br#"{"t":"pong"}"#;

async fn server() -> (Server, Person) {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    (server, person)
}

/// What comes, on a fresh socket, of these bytes.
async fn comes_of(server: &Server, person: &Person, bytes: &[u8]) -> Vec<Heard> {
    let mut raw = Raw::open(server, person).await;
    raw.send(bytes).await;
    let mut heard = Vec::new();
    while heard.last() != Some(&Heard::End) {
        heard.push(raw.heard().await);
    }
    heard
}

/// These bytes close a fresh socket with the code, after the answer to what was right before them.
async fn closes(server: &Server, person: &Person, bytes: &[u8], code: u16) {
    let bytes = [&frame(TEXT, ASK), bytes].concat();
    let heard = comes_of(server, person, &bytes).await;
    let shown = &bytes[18..bytes.len().min(50)];
    assert_eq!(heard.len(), 3, "{shown:x?}: {heard:?}");
    assert_eq!(heard[0], Heard::Frame(1, ANSWER.to_vec()), "{shown:x?}");
    assert_eq!(heard[1].code(), Some(code), "{shown:x?}");
}

async fn is_open(raw: &mut Raw) {
    raw.send(&frame(TEXT, ASK)).await;
    assert_eq!(raw.heard().await, Heard::Frame(1, ANSWER.to_vec()));
}

#[tokio::test]
async fn pings_are_answered_with_what_they_hold_and_pongs_are_not() {
    let (server, person) = server().await;
    let mut raw = Raw::open(&server, &person).await;
    for payload in [&b""[..], b"Hello", &[0, 255, 254, 253, 252, 251, 0, 255], &[0xfe; 125]] {
        raw.send(&frame(PING, payload)).await;
        assert_eq!(raw.heard().await, Heard::Frame(10, payload.to_vec()));
    }
    // In pieces of a byte.
    for byte in frame(PING, &[0xfe; 125]) {
        raw.send(&[byte]).await;
    }
    assert_eq!(raw.heard().await, Heard::Frame(10, vec![0xfe; 125]));
    for payload in [&b""[..], b"unsolicited"] {
        raw.send(&frame(PONG, payload)).await;
        is_open(&mut raw).await;
    }
    // Several at once are answered in order, the latest at least.
    raw.send(&(0..10).flat_map(|n| frame(PING, &[n])).collect::<Vec<_>>()).await;
    while raw.heard().await != Heard::Frame(10, vec![9]) {}
    closes(&server, &person, &frame(PING, &[0xfe; 126]), 1002).await;
    closes(&server, &person, &frame(PONG, &[0xfe; 126]), 1002).await;
}

#[tokio::test]
async fn reserved_bits_and_opcodes_end_the_socket_with_1002() {
    let (server, person) = server().await;
    for bits in [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70] {
        closes(&server, &person, &frame(TEXT | bits, ASK), 1002).await;
    }
    for first in [PING | 0x40, CLOSE | 0x20, BINARY | 0x10] {
        closes(&server, &person, &frame(first, b""), 1002).await;
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        for payload in [&b""[..], b"x"] {
            closes(&server, &person, &frame(0x80 | opcode, payload), 1002).await;
        }
    }
}

#[tokio::test]
async fn a_frame_that_is_not_masked_or_of_a_wrong_length_ends_the_socket_with_1002() {
    let (server, person) = server().await;
    closes(&server, &person, &[&[TEXT, 12], ASK].concat(), 1002).await;
    closes(&server, &person, &[PING, 0], 1002).await;
    closes(&server, &person, &[CLOSE, 2, 3, 232], 1002).await;
    // 12 in two bytes and in eight, and a length with its first bit set.
    closes(&server, &person, &[&[TEXT, 0xfe, 0, 12, 0, 0, 0, 0], ASK].concat(), 1002).await;
    closes(&server, &person, &[&[TEXT, 0xff, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 0], ASK].concat(), 1002).await;
    closes(&server, &person, &[TEXT, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1], 1002).await;
}

#[tokio::test]
async fn a_message_may_come_in_frames_with_control_frames_between_them() {
    let (server, person) = server().await;
    let mut raw = Raw::open(&server, &person).await;
    raw.send(&[frame(0x01, &ASK[..3]), frame(0x80, &ASK[3..])].concat()).await;
    assert_eq!(raw.heard().await, Heard::Frame(1, ANSWER.to_vec()));
    let mut bytes = frame(0x01, b"");
    for byte in ASK {
        bytes.extend([frame(0x00, &[*byte]), frame(PING, &[*byte]), frame(PONG, b"")].concat());
    }
    for byte in bytes {
        raw.send(&[byte]).await;
    }
    for byte in ASK {
        assert_eq!(raw.heard().await, Heard::Frame(10, vec![*byte]));
    }
    raw.send(&frame(0x80, b"")).await;
    assert_eq!(raw.heard().await, Heard::Frame(1, ANSWER.to_vec()));
    // Nothing is left of it.
    is_open(&mut raw).await;
}

#[tokio::test]
async fn fragments_out_of_place_end_the_socket_with_1002() {
    let (server, person) = server().await;
    for fin in [0x00, 0x80] {
        closes(&server, &person, &frame(fin, b"nothing to continue"), 1002).await;
        closes(&server, &person, &[frame(0x01, b"{"), frame(fin | 0x01, b"}")].concat(), 1002).await;
        closes(&server, &person, &[frame(0x01, b"{"), frame(fin | 0x02, b"}")].concat(), 1002).await;
    }
    // What was finished cannot go on.
    let on = [frame(0x01, &ASK[..3]), frame(0x80, &ASK[3..]), frame(0x80, b"")].concat();
    assert_eq!(comes_of(&server, &person, &on).await[1].code(), Some(1002));
    for control in [PING, PONG, CLOSE] {
        closes(&server, &person, &[frame(control & 0x0f, b""), frame(0x80, b"")].concat(), 1002).await;
    }
}

#[tokio::test]
async fn text_that_is_not_utf8_ends_the_socket_with_1007() {
    let (server, person) = server().await;
    for bad in [
        &b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"[..],
        b"\xff",
        b"\x80",
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xf4\x90\x80\x80",
        b"\xed\xb0\x80",
        b"\xce",
    ] {
        closes(&server, &person, &frame(TEXT, bad), 1007).await;
    }
    // As soon as the frame that makes it so is there.
    closes(&server, &person, &[frame(0x01, b"\xce\xba"), frame(0x00, b"\xf4\x90")].concat(), 1007).await;
    // A character may lie in two frames; a byte of it alone is half of one.
    closes(&server, &person, &[frame(0x01, b"\xe1\xbd"), frame(0x80, b"")].concat(), 1007).await;
    let mut raw = Raw::open(&server, &person).await;
    let text = "{\"t\":\"ping\",\"κόσμε\":\"😀\u{ffff}\u{10ffff}\"}".as_bytes();
    let mut bytes = frame(0x01, b"");
    for byte in text {
        bytes.extend(frame(0x00, &[*byte]));
    }
    raw.send(&[bytes, frame(0x80, b"")].concat()).await;
    assert_eq!(raw.heard().await, Heard::Frame(1, ANSWER.to_vec()));
}

#[tokio::test]
async fn a_close_frame_is_answered_with_its_code_and_then_nothing_comes() {
    let (server, person) = server().await;
    for code in [1000_u16, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        let heard = comes_of(&server, &person, &frame(CLOSE, &code.to_be_bytes())).await;
        assert_eq!((heard.len(), heard[0].code()), (2, Some(code)));
    }
    let reason = [&1000_u16.to_be_bytes()[..], &[b'*'; 123]].concat();
    let heard = comes_of(&server, &person, &frame(CLOSE, &reason)).await;
    assert_eq!(heard[0].code(), Some(1000));
    assert_eq!(comes_of(&server, &person, &frame(CLOSE, b"")).await, [Heard::Frame(8, vec![]), Heard::End]);
    // What follows it is not read.
    let after = [frame(CLOSE, &[3, 232]), frame(TEXT, ASK), frame(PING, b""), frame(CLOSE, &[3, 232])].concat();
    let heard = comes_of(&server, &person, &after).await;
    assert_eq!((heard.len(), heard[0].code()), (2, Some(1000)));
}

#[tokio::test]
async fn a_close_frame_that_is_wrong_is_answered_with_1002_or_1007() {
    let (server, person) = server().await;
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        closes(&server, &person, &frame(CLOSE, &code.to_be_bytes()), 1002).await;
    }
    closes(&server, &person, &frame(CLOSE, &[3]), 1002).await;
    let reason = [&1000_u16.to_be_bytes()[..], &[b'*'; 124]].concat();
    closes(&server, &person, &frame(CLOSE, &reason), 1002).await;
    closes(&server, &person, &frame(CLOSE, b"\x03\xe8\xce\xba\xed\xa0\x80"), 1007).await;
}

#[tokio::test]
async fn what_is_larger_than_64_kib_ends_the_socket_with_1009_before_it_came() {
    let (server, person) = server().await;
    let mut raw = Raw::open(&server, &person).await;
    let spaced = [&ASK[..11], &vec![b' '; FRAME_MAX - ASK.len()], b"}"].concat();
    raw.send(&frame(TEXT, &spaced)).await;
    assert_eq!(raw.heard().await, Heard::Frame(1, ANSWER.to_vec()));
    raw.send(&[frame(0x01, &spaced[..40_000]), frame(0x80, &spaced[40_000..])].concat()).await;
    assert_eq!(raw.heard().await, Heard::Frame(1, ANSWER.to_vec()));
    for first in [TEXT, BINARY] {
        closes(&server, &person, &frame(first, &vec![b' '; FRAME_MAX + 1]), 1009).await;
        // No more than its head.
        closes(&server, &person, &[first, 0xff, 0, 0, 0, 0, 0, 1, 0, 1], 1009).await;
        closes(&server, &person, &[first, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255], 1009).await;
    }
    let half = frame(0x02, &vec![0; FRAME_MAX]);
    closes(&server, &person, &[&half[..], &frame(0x00, b"x")[..2]].concat(), 1009).await;
    closes(&server, &person, &[frame(0x01, b""), frame(0x00, b"").repeat(1_024)].concat(), 1009).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_message_is_waited_for_ten_seconds_whatever_comes_between() {
    let (server, person) = server().await;
    let halves = [
        frame(TEXT, &[b' '; 4_000])[..3_000].to_vec(),
        frame(0x01, &vec![b' '; FRAME_MAX - 1]),
        vec![TEXT],
        frame(PING, b"half a ping")[..8].to_vec(),
    ];
    let closed = halves.map(|half| {
        let address = server.address;
        let cookies = Person { http: person.http.clone(), cookies: person.cookies.clone() };
        tokio::spawn(async move {
            let mut raw = Raw::open(&address, &cookies).await;
            let start = Instant::now();
            raw.send(&half).await;
            // Between frames, control frames are answered; that makes the message no quicker.
            let is_between = half[0] == 0x01;
            loop {
                if is_between {
                    raw.stream.try_write(&frame(PING, b"")).ok();
                }
                match tokio::time::timeout(Duration::from_millis(500), raw.stream.readable()).await {
                    Ok(_) => match raw.heard().await {
                        Heard::Frame(10, _) => tokio::time::sleep(Duration::from_millis(100)).await,
                        end => return (end.code(), start.elapsed()),
                    },
                    Err(_) => assert!(start.elapsed() < Duration::from_secs(30)),
                }
            }
        })
    });
    for closed in closed {
        let (code, after) = closed.await.unwrap();
        assert_eq!(code, Some(1008));
        assert!(after >= Duration::from_secs(9), "after {after:?}");
    }
}

#[tokio::test]
async fn a_handshake_that_is_none_is_refused_before_anything_is_asked() {
    let server = Server::embedded(&[]).await;
    let key = format!("Sec-WebSocket-Key: {KEY}");
    let (connection, upgrade, version) = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13");
    let ask = async |lines: &[&str]| answer(&server, &handshake(&server, lines)).await;

    // Nobody is signed in: one that is right is opened and closed.
    for lines in [
        &[connection, upgrade, version, &key][..],
        &["connection: keep-alive, UPGRADE", "Upgrade: WebSocket", version, &key],
    ] {
        assert!(ask(lines).await.starts_with("HTTP/1.1 101 "), "{lines:?}");
    }
    for bad in [
        "",
        "abc",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQAA",
        "dGhlIHNhbXBsZSBub25jZQ==dGhlIHNhbXBsZSBub25jZQ==",
    ] {
        let bad = format!("Sec-WebSocket-Key: {bad}");
        assert!(ask(&[connection, upgrade, version, &bad]).await.starts_with("HTTP/1.1 400 "), "{bad}");
    }
    assert!(ask(&[connection, upgrade, version]).await.starts_with("HTTP/1.1 400 "), "no key");
    assert!(ask(&[connection, upgrade, version, &key, &key]).await.starts_with("HTTP/1.1 400 "), "two keys");
    for lines in [
        &[connection, upgrade, "Sec-WebSocket-Version: 8", &key][..],
        &[connection, upgrade, "Sec-WebSocket-Version: 14", &key],
        &[connection, upgrade, "Sec-WebSocket-Version: 13, 8", &key],
        &[connection, upgrade, "Sec-WebSocket-Version: x", &key],
        &[connection, upgrade, version, "Sec-WebSocket-Version: 8", &key],
        &[connection, upgrade, &key],
        &[upgrade, version, &key],
        &[connection, version, &key],
        &["Connection: keep-alive", "Upgrade: h2c", version, &key],
        &[],
    ] {
        let head = ask(lines).await;
        assert!(head.starts_with("HTTP/1.1 426 "), "{lines:?}: {head}");
        assert!(head.contains("sec-websocket-version: 13\r\n") && head.contains("upgrade: websocket\r\n"), "{head}");
    }
    let head = handshake(&server, &[connection, upgrade, version, &key]).replace("HTTP/1.1", "HTTP/1.0");
    assert!(answer(&server, &head).await.contains(" 426 "));
    let head = handshake(&server, &[connection, upgrade, version, &key]).replace("GET", "HEAD");
    assert!(answer(&server, &head).await.starts_with("HTTP/1.1 405 "));
}

#[tokio::test]
async fn what_is_wrong_with_a_handshake_is_told_in_an_order() {
    let (server, person) = server().await;
    let key = format!("Sec-WebSocket-Key: {KEY}");
    let right = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", &key];
    let ask = async |lines: &[&str]| answer(&server, &handshake(&server, &[&right, lines].concat())).await;
    // The key before the origin, the origin before the version of the protocol, and that before the session.
    let foreign = "Origin: https://evil.example";
    let bad_key = handshake(&server, &[&right[..3], &["Sec-WebSocket-Key: abc", foreign]].concat());
    assert!(answer(&server, &bad_key).await.starts_with("HTTP/1.1 400 "));
    assert!(ask(&[foreign, "Sec-WebSocket-Protocol: hubbub.v2"]).await.starts_with("HTTP/1.1 403 "));
    let nobody = Person::new();
    let code = async |protocols| nobody.speak(&server, protocols, None).await.unwrap().closed().await.code();
    assert_eq!(code("hubbub.v2").await, Some(4005));
    assert_eq!(code("hubbub.v2, hubbub.v1").await, Some(4001));
    // The server names what it speaks of what was offered, wherever that stands, and nothing else.
    let cookie = format!("Cookie: {}", person.cookie(&server));
    for (offers, chosen) in [
        ("hubbub.v1", Some("hubbub.v1")),
        ("chat, hubbub.v2, hubbub.v1", Some("hubbub.v1")),
        ("hubbub.v3, hubbub.v2", Some("hubbub.v3")),
        ("chat", None),
    ] {
        let head = ask(&[&cookie, &format!("Sec-WebSocket-Protocol: {offers}")]).await;
        let named = head.lines().find_map(|line| line.strip_prefix("sec-websocket-protocol: "));
        assert_eq!(named, chosen, "{offers}");
    }
    let two_lines = ask(&[&cookie, "Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: hubbub.v1"]).await;
    assert!(two_lines.contains("sec-websocket-protocol: hubbub.v1\r\n"));
}

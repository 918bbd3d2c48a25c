//! The socket as a black box: what it promises, and what it answers to input that is wrong.
#![allow(clippy::unwrap_used)]

mod support;

use app::{
    domain::{Cursor, Entry, EntryId, Epoch, MESSAGE_MAX, ProducerId},
    protocol::{ClientFrame, ErrorCode, FRAME_MAX, JoinedHow, ROOMS_MAX, ServerFrame},
};
use support::{
    bytes::{Heard, Raw, frame},
    person::{Ended, PATIENCE, Person, Socket, key},
    server::Server,
};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};
use tokio_tungstenite::tungstenite::{
    Error, Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

const P: ProducerId = ProducerId(7);

async fn inside(server: &Server, name: &str, room: &str) -> (Person, Socket) {
    let person = Person::signed_in(server, name, room).await;
    let mut socket = person.socket(server).await;
    socket.join(room, None).await;
    (person, socket)
}

async fn error(socket: &mut Socket) -> ErrorCode {
    socket
        .until(|frame| match frame {
            ServerFrame::Error { code, .. } => Some(code),
            _ => None,
        })
        .await
}

async fn refused(socket: &mut Socket, number: u64) -> (ErrorCode, bool, Option<u64>) {
    socket
        .until(|frame| match frame {
            ServerFrame::Refused { n, code, retry, last, .. } if n == number => Some((code, retry, last)),
            ServerFrame::Ack { n, .. } if n == number => panic!("acknowledged"),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn a_message_is_acknowledged_and_seen_by_everyone_in_the_room() {
    let server = Server::embedded(&[]).await;
    let (_jiwoo, mut sender) = inside(&server, "지우", "디자인 리뷰").await;
    let (_maryam, mut reader) = inside(&server, "مريم", "디자인 리뷰").await;
    let text = "<script>alert(1)</script> 👩‍💻\n한 줄 더";
    sender.say("디자인 리뷰", P, 1, text).await;
    let at = sender.ack(1).await;
    let entry = reader.entry().await;
    assert_eq!((entry.cursor(), entry.text(), entry.name.as_str()), (at, Some(text), "지우"));
}

#[tokio::test]
async fn a_producers_numbers_only_go_forward_and_a_repeat_gets_the_same_answer() {
    let server = Server::embedded(&[]).await;
    let (_person, mut socket) = inside(&server, "지우", "a").await;
    socket.say("a", P, 1, "one").await;
    let one = socket.ack(1).await;
    socket.say("a", P, 1, "one").await;
    assert_eq!(socket.ack(1).await, one);
    socket.say("a", P, 1, "another").await;
    assert_eq!(refused(&mut socket, 1).await, (ErrorCode::Conflict, false, None));
    socket.say("a", P, 3, "skipped").await;
    assert_eq!(refused(&mut socket, 3).await, (ErrorCode::OutOfOrder, false, Some(1)));
    socket.send(&ClientFrame::Void { room: key("a"), p: P, n: 2 }).await;
    let voided = |frame| matches!(frame, ServerFrame::Voided { n: 2, .. }).then_some(());
    socket.until(voided).await;
    socket.say("a", P, 3, "three").await;
    assert_eq!(socket.ack(3).await.seq, 2);
    socket.say("a", P, 0, "zero").await;
    assert_eq!(refused(&mut socket, 0).await.0, ErrorCode::OutOfOrder);
}

#[tokio::test]
async fn wrong_frames_get_a_code_and_the_socket_goes_on() {
    let server = Server::embedded(&[]).await;
    let (_person, mut socket) = inside(&server, "지우", "a").await;
    for (text, code) in [
        ("not json", ErrorCode::BadFrame),
        ("[]", ErrorCode::BadFrame),
        (r#"{"t":"send","room":"a"}"#, ErrorCode::BadFrame),
        (r#"{"t":"join","room":"a","cursor":{"epoch":"x","seq":-1,"id":""}}"#, ErrorCode::BadFrame),
        (r#"{"t":"dance"}"#, ErrorCode::UnknownFrame),
        (r#"{"t":"join","room":".."}"#, ErrorCode::RoomInvalid),
        (r#"{"t":"join","room":"A"}"#, ErrorCode::RoomInvalid),
        (r#"{"t":"join","room":""}"#, ErrorCode::RoomEmpty),
        (r#"{"t":"join","room":"nowhere"}"#, ErrorCode::RoomUnknown),
        (r#"{"t":"history","room":"b","epoch":"0000000000000000","before":1}"#, ErrorCode::NotJoined),
        (r#"{"t":"history","room":"a/b","epoch":"0000000000000000","before":1}"#, ErrorCode::RoomInvalid),
        (r#"{"t":"leave","room":"a/b"}"#, ErrorCode::RoomInvalid),
        (r#"{"t":"leave","room":"A"}"#, ErrorCode::RoomInvalid),
        (r#"{"t":"leave","room":" "}"#, ErrorCode::RoomEmpty),
        (r#"{"t":"history","room":"a","epoch":"0000000000000001","before":1}"#, ErrorCode::EpochUnknown),
    ] {
        socket.raw(Message::text(text)).await;
        assert_eq!(error(&mut socket).await, code, "{text}");
    }
    socket.raw(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(error(&mut socket).await, ErrorCode::NotText);
    socket.raw(Message::text(r#"{"t":"ping","extra":true}"#)).await;
    socket.until(|frame| (frame == ServerFrame::Pong).then_some(())).await;
}

/// `code`, `room`, `p` and `n` of the error that answers a frame.
async fn about(socket: &mut Socket, frame: &str) -> (ErrorCode, Option<String>, Option<ProducerId>, Option<u64>) {
    socket.raw(Message::text(frame)).await;
    let about = |frame| match frame {
        ServerFrame::Error { code, room, p, n, retry: false, .. } => {
            Some((code, room.map(|room| room.as_str().to_owned()), p, n))
        }
        ServerFrame::Ack { .. } | ServerFrame::Pong | ServerFrame::Joined { .. } => panic!("{frame:?}"),
        _ => None,
    };
    socket.until(about).await
}

#[tokio::test]
async fn only_json_objects_are_frames() {
    let server = Server::embedded(&[]).await;
    let (_person, mut socket) = inside(&server, "지우", "a").await;
    for frame in [
        r#"["ping"]"#,
        r#"["join","a"]"#,
        r#" [{"t":"ping"}]"#,
        r#"["send","a","0000000000000007",1,"x"]"#,
        r#"{"t":"ping"} {"t":"ping"}"#,
        r#""ping""#,
        "7",
        "null",
        "",
        " ",
        "\u{feff}{\"t\":\"ping\"}",
        r#"{"t":["ping"]}"#,
        r#"{"t":7}"#,
        r#"{"t":{"ping":null}}"#,
    ] {
        assert_eq!(about(&mut socket, frame).await, (ErrorCode::BadFrame, None, None, None), "{frame}");
    }
    let room = Some("a".to_owned());
    for frame in [
        r#"{"t":"join","room":"a","cursor":["00000000000000aa",1,"00000000000000aa"]}"#,
        r#"{"t":"read","room":"a","mark":["00000000000000aa",1]}"#,
    ] {
        assert_eq!(about(&mut socket, frame).await, (ErrorCode::BadFrame, room.clone(), None, None), "{frame}");
    }
    let earlier =
        r#"{"t":"send","room":"a","p":"0000000000000007","n":1,"text":"x","earlier":[["0000000000000007",1]]}"#;
    assert_eq!(about(&mut socket, earlier).await, (ErrorCode::BadFrame, room, Some(P), Some(1)));
    socket.raw(Message::text(" \r\n\t{\"t\":\"ping\"}\n")).await;
    socket.until(|frame| (frame == ServerFrame::Pong).then_some(())).await;
}

#[tokio::test]
async fn an_error_names_the_number_that_its_frame_was_about() {
    let server = Server::embedded(&[]).await;
    let (_person, mut socket) = inside(&server, "지우", "a").await;
    let room = Some("a".to_owned());
    for frame in [
        // What a browser makes of half an emoji, in a text, in a field that nobody knows, and half of a pair.
        r#"{"t":"send","room":"a","p":"0000000000000007","n":1,"text":"\ud800"}"#,
        r#"{"t":"send","room":"a","p":"0000000000000007","n":1,"text":"b\udc00c"}"#,
        r#"{"text":"\ud83d \ude00","n":1,"p":"0000000000000007","room":"a","t":"send"}"#,
        r#"{"t":"send","room":"a","p":"0000000000000007","n":1,"text":7}"#,
        r#"{"t":"send","room":"a","p":"0000000000000007","n":1}"#,
        r#"{"t":"send","room":"a","p":"0000000000000007","n":1,"text":"x","earlier":7}"#,
        r#"{"room":"a","p":"0000000000000007","n":1,"text":"x"}"#,
    ] {
        assert_eq!(about(&mut socket, frame).await, (ErrorCode::BadFrame, room.clone(), Some(P), Some(1)), "{frame}");
    }
    for (frame, named) in [
        (r#"{"t":"send","room":"a","p":"0000000000000007","n":-1,"text":"x"}"#, (room.clone(), Some(P), None)),
        (
            r#"{"t":"send","room":"a","p":"0000000000000007","n":18446744073709551616,"text":"x"}"#,
            (room.clone(), Some(P), None),
        ),
        (r#"{"t":"send","room":"a","p":"7","n":1,"text":"x"}"#, (room.clone(), None, Some(1))),
        (r#"{"t":"send","room":"\ud800","p":"0000000000000007","n":1,"text":"x"}"#, (None, Some(P), Some(1))),
        (r#"{"t":"void","room":["a"],"p":"0000000000000007","n":1}"#, (None, Some(P), Some(1))),
        (r#"{"t":"send","room":"a","p":"0000000000000007","n":1,"text":"x""#, (None, None, None)),
    ] {
        let (code, room, p, n) = about(&mut socket, frame).await;
        assert_eq!((code, (room, p, n)), (ErrorCode::BadFrame, named), "{frame}");
    }
    let unknown = r#"{"t":"edit","room":"a","p":"0000000000000007","n":1}"#;
    assert_eq!(about(&mut socket, unknown).await, (ErrorCode::UnknownFrame, room, Some(P), Some(1)));
    // The number is free: it can be given up, and what was sent after it can go on.
    socket.send(&ClientFrame::Void { room: key("a"), p: P, n: 1 }).await;
    socket.until(|frame| matches!(frame, ServerFrame::Voided { n: 1, .. }).then_some(())).await;
    socket.say("a", P, 2, "whole again").await;
    assert_eq!(socket.ack(2).await.seq, 1);
}

#[tokio::test]
async fn depth_and_numbers_have_limits_where_nobody_looks_at_them_too() {
    let server = Server::embedded(&[]).await;
    let (_person, mut socket) = inside(&server, "지우", "a").await;
    let nested = |depth: usize| format!(r#"{{"t":"ping","x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    for good in [nested(100), r#"{"t":"ping","x":1e308}"#.to_owned()] {
        socket.raw(Message::text(good)).await;
        socket.until(|frame| (frame == ServerFrame::Pong).then_some(())).await;
    }
    for bad in [nested(200), nested(30_000), r#"{"t":"ping","x":1e309}"#.to_owned()] {
        assert_eq!(about(&mut socket, &bad).await, (ErrorCode::BadFrame, None, None, None));
    }
    for n in ["9007199254740992", "18446744073709551615"] {
        let frame = format!(r#"{{"t":"send","room":"a","p":"0000000000000007","n":{n},"text":"x"}}"#);
        socket.raw(Message::text(frame)).await;
        assert_eq!(refused(&mut socket, n.parse().unwrap()).await.0, ErrorCode::OutOfOrder);
    }
    // What is said about a frame is short, whatever was in it.
    let long = format!(r#"{{"t":"send","room":"a","p":"{}","n":1,"text":"x"}}"#, "p".repeat(60_000));
    socket.raw(Message::text(long)).await;
    let detail = |frame| match frame {
        ServerFrame::Error { detail, .. } => Some(detail.len()),
        _ => None,
    };
    assert!(socket.until(detail).await <= 800);
}

#[tokio::test]
async fn after_ten_bad_frames_the_socket_is_closed_but_not_for_kinds_of_a_later_version() {
    let server = Server::embedded(&["--limits", "1"]).await;
    let (person, mut socket) = inside(&server, "지우", "a").await;
    for _ in 0..20 {
        assert_eq!(about(&mut socket, r#"{"t":"dance"}"#).await.0, ErrorCode::UnknownFrame);
        assert_eq!(about(&mut socket, r#"{"t":"join","room":"nowhere"}"#).await.0, ErrorCode::RoomUnknown);
    }
    for i in 0..10 {
        socket.raw(if i % 2 == 0 { Message::text("[]") } else { Message::binary(vec![1]) }).await;
        error(&mut socket).await;
    }
    is_open(&mut socket).await;
    socket.raw(Message::text("[]")).await;
    assert_eq!(socket.closed().await.code(), Some(1008));
    // The next one has ten of its own.
    let mut socket = person.socket(&server).await;
    assert_eq!(about(&mut socket, "[]").await.0, ErrorCode::BadFrame);
    is_open(&mut socket).await;
}

async fn is_open(socket: &mut Socket) {
    socket.send(&ClientFrame::Ping).await;
    socket.until(|frame| (frame == ServerFrame::Pong).then_some(())).await;
}

#[tokio::test]
async fn a_message_that_is_none_or_to_a_room_not_joined_is_refused() {
    let server = Server::embedded(&[]).await;
    let (_person, mut socket) = inside(&server, "지우", "a").await;
    socket.say("a", P, 1, " \n ").await;
    assert_eq!(refused(&mut socket, 1).await, (ErrorCode::TextEmpty, false, None));
    socket.say("a", P, 1, &"한".repeat(MESSAGE_MAX + 1)).await;
    assert_eq!(refused(&mut socket, 1).await.0, ErrorCode::TextTooLong);
    socket.say("b", P, 1, "x").await;
    assert_eq!(refused(&mut socket, 1).await.0, ErrorCode::NotJoined);
    // None of them used the number up; the longest message there may be fits.
    socket.say("a", P, 1, &"😀".repeat(MESSAGE_MAX)).await;
    assert_eq!(socket.ack(1).await.seq, 1);
}

#[tokio::test]
async fn a_frame_too_large_or_not_utf8_closes_the_socket_with_its_code() {
    let server = Server::embedded(&[]).await;
    let (person, mut socket) = inside(&server, "지우", "a").await;
    socket.raw(Message::text("x".repeat(FRAME_MAX + 1))).await;
    assert_eq!(socket.closed().await.code(), Some(1009));
    let mut socket = person.socket(&server).await;
    raw_text_frame(&mut socket, &[0xff, 0xfe]).await;
    assert_eq!(socket.closed().await.code(), Some(1007));
}

/// A masked text frame with these bytes, whatever they are.
async fn raw_text_frame(socket: &mut Socket, payload: &[u8]) {
    use tokio::io::AsyncWriteExt;
    use tokio_tungstenite::MaybeTlsStream;
    let MaybeTlsStream::Plain(stream) = socket.ws.get_mut() else { panic!("plain TCP") };
    let length = 0x80 | u8::try_from(payload.len()).unwrap();
    let frame = [&[0x81, length, 0, 0, 0, 0], payload].concat();
    stream.write_all(&frame).await.unwrap();
}

#[tokio::test]
async fn a_cursor_of_another_log_or_from_the_future_is_told_so() {
    let server = Server::embedded(&[]).await;
    let (person, mut socket) = inside(&server, "지우", "a").await;
    for n in 1..=3 {
        socket.say("a", P, n, &n.to_string()).await;
        socket.ack(n).await;
    }
    let (_, page) = person.socket(&server).await.join("a", None).await;
    let top = page.cursor;
    for cursor in [
        Cursor { epoch: Epoch(1), ..top },
        Cursor { id: EntryId(1), ..top },
        Cursor { seq: top.seq + 1, ..top },
        Cursor { seq: u64::MAX, ..top },
        Cursor { seq: 0, ..top },
    ] {
        let (how, page) = person.socket(&server).await.join("a", Some(cursor)).await;
        assert_eq!((how, page.entries.len(), page.cursor), (JoinedHow::Reset, 3, top), "{cursor:?}");
    }
    let mut socket = person.socket(&server).await;
    let (how, page) = socket.join("a", Some(Cursor::origin(top.epoch))).await;
    assert_eq!(how, JoinedHow::Resumed);
    let mut texts: Vec<_> = page.entries.iter().filter_map(|entry| entry.text().map(str::to_owned)).collect();
    while texts.len() < 3 {
        texts.push(socket.entry().await.text().unwrap().to_owned());
    }
    assert_eq!(texts, ["1", "2", "3"]);
}

#[tokio::test]
async fn joining_again_on_the_same_socket_starts_anew_from_the_cursor() {
    let server = Server::embedded(&[]).await;
    let (_person, mut socket) = inside(&server, "지우", "a").await;
    socket.say("a", P, 1, "one").await;
    let one = socket.ack(1).await;
    socket.say("a", P, 2, "two").await;
    socket.ack(2).await;
    assert_eq!(socket.join("a", Some(one)).await.0, JoinedHow::Resumed);
    assert_eq!(socket.entry().await.text(), Some("two"));
    socket.say("a", P, 3, "three").await;
    assert_eq!(socket.entry().await.text(), Some("three"));
}

#[tokio::test]
async fn a_client_far_behind_jumps_to_the_newest_page() {
    let server = Server::embedded(&[]).await;
    let (person, mut socket) = inside(&server, "지우", "a").await;
    let (_, start) = person.socket(&server).await.join("a", None).await;
    // More than the ring keeps at hand and more than a resume may be.
    for n in 1..=1_100_u64 {
        socket.say("a", P, n, "x").await;
        if n % 32 == 0 {
            socket.ack(n).await;
        }
    }
    let top = socket.ack(1_100).await;
    let (how, page) = person.socket(&server).await.join("a", Some(start.cursor)).await;
    assert_eq!((how, page.entries.len(), page.cursor, page.older), (JoinedHow::Jumped, 50, top, true));
}

#[tokio::test]
async fn one_socket_joins_many_rooms_but_not_any_number() {
    let server = Server::embedded(&[]).await;
    let (person, mut socket) = inside(&server, "지우", "room 0").await;
    for i in 1..=ROOMS_MAX {
        let room = format!("room {i}");
        assert_eq!(person.post(&server, "/rooms", &[("room", &room)]).await.status(), 303);
        socket.send(&ClientFrame::Join { room: key(&room), cursor: None }).await;
    }
    assert_eq!(error(&mut socket).await, ErrorCode::TooManyRooms);
    socket.say("room 199", P, 1, "still here").await;
    assert_eq!(socket.ack(1).await.seq, 1);
}

#[tokio::test]
async fn a_room_that_was_left_is_quiet_and_off_the_list() {
    let server = Server::embedded(&[]).await;
    let (person, mut socket) = inside(&server, "지우", "a").await;
    let (_megan, mut other) = inside(&server, "Megan", "a").await;
    socket.send(&ClientFrame::Leave { room: key("a") }).await;
    socket.until(|frame| matches!(frame, ServerFrame::Left { .. }).then_some(())).await;
    other.say("a", P, 1, "anyone?").await;
    other.ack(1).await;
    socket.send(&ClientFrame::Ping).await;
    let next = socket.frame().await;
    assert_eq!(next, ServerFrame::Pong);
    let home = person.get(&server, "/").await;
    assert_eq!(home.headers()["location"], "/rooms");
}

#[tokio::test]
async fn who_speaks_only_another_version_of_the_protocol_is_told_so() {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let ServerFrame::Hello { build, .. } = person.try_socket(&server, None).await.unwrap().frame().await else {
        panic!()
    };
    let ended = person.speak(&server, "hubbub.v9, hubbub.v0", None).await.unwrap().closed().await;
    let Ended::Closed(Some(frame)) = ended else { panic!("{ended:?}") };
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (4005, build.as_str()));
    let mut both = person.speak(&server, "hubbub.v9, hubbub.v1", None).await.unwrap();
    assert!(matches!(both.frame().await, ServerFrame::Hello { .. }));
}

#[tokio::test]
async fn a_socket_needs_a_session_and_an_origin_of_ours() {
    let server = Server::embedded(&["--allowed-origins", "https://partner.example"]).await;
    let mut nobody = Person::new().try_socket(&server, None).await.unwrap();
    assert_eq!(nobody.closed().await.code(), Some(4001));
    let person = Person::signed_in(&server, "지우", "a").await;
    let own = format!("http://{}", server.address);
    for origin in [own.as_str(), "https://partner.example"] {
        assert!(person.try_socket(&server, Some(origin)).await.is_ok(), "{origin}");
    }
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        match person.try_socket(&server, Some(origin)).await {
            Err(Error::Http(response)) => assert_eq!(response.status(), 403),
            other => panic!("{origin}: {:?}", other.err()),
        }
    }
}

#[tokio::test]
async fn a_client_that_closes_gets_the_close_frame_that_ends_the_handshake() {
    let server = Server::embedded(&[]).await;
    let (_person, mut socket) = inside(&server, "지우", "a").await;
    let close = CloseFrame { code: CloseCode::Normal, reason: "bye".into() };
    socket.raw(Message::Close(Some(close))).await;
    assert_eq!(socket.closed().await.code(), Some(1000));
}

#[tokio::test]
async fn a_room_that_is_left_while_it_is_being_joined_stays_left() {
    let server = Server::embedded(&[]).await;
    let (person, mut socket) = inside(&server, "지우", "a").await;
    assert_eq!(person.post(&server, "/rooms", &[("room", "b")]).await.status(), 303);
    for _ in 0..20 {
        socket.send(&ClientFrame::Join { room: key("b"), cursor: None }).await;
        socket.send(&ClientFrame::Leave { room: key("b") }).await;
        socket.until(|frame| matches!(frame, ServerFrame::Left { .. }).then_some(())).await;
    }
    let start = std::time::Instant::now();
    // A leave overtaken by its join is made up for in the background.
    while person.get(&server, "/").await.headers()["location"] != "/r/a" {
        assert!(start.elapsed() < PATIENCE);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    // And joined for good it stays.
    socket.join("b", None).await;
    assert_eq!(person.get(&server, "/").await.headers()["location"], "/r/b");
}

#[tokio::test]
async fn signing_out_closes_the_sockets_of_the_session() {
    let server = Server::embedded(&[]).await;
    let (person, mut socket) = inside(&server, "지우", "a").await;
    assert_eq!(person.post(&server, "/signout", &[]).await.status(), 303);
    assert_eq!(socket.closed().await.code(), Some(4001));
}

#[tokio::test]
async fn a_name_is_kept_while_its_socket_is_open_and_lapses_without_use() {
    let server = Server::embedded(&["--session-ttl", "3s"]).await;
    let (_idle, gone) = inside(&server, "Megan", "a").await;
    drop(gone);
    let (_person, mut socket) = inside(&server, "지우", "a").await;
    // Megan lapses; until then 지우 has been idle just as long, but for the open socket.
    let start = std::time::Instant::now();
    let free = async |name| {
        let response = Person::new().post(&server, "/signin", &[("name", name), ("room", "a")]).await;
        response.status() == 303
    };
    while !free("Megan").await {
        assert!(start.elapsed() < PATIENCE);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(!free("지우").await);
    socket.say("a", P, 1, "still me").await;
    socket.ack(1).await;
}

#[tokio::test]
async fn a_socket_is_told_to_move_before_its_lifetime_ends() {
    let server = Server::embedded(&["--socket-lifetime", "1s"]).await;
    let (_person, mut socket) = inside(&server, "지우", "a").await;
    socket.until(|frame| matches!(frame, ServerFrame::Move { within_ms: 1.. }).then_some(())).await;
    socket.say("a", P, 1, "still served").await;
    socket.ack(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_stops_sending_is_told_to_move_on_time() {
    let server = Server::embedded(&["--socket-lifetime", "1s"]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let stream = Raw::open(&server, &person).await.stream.into_std().unwrap();
    let mut writes = TcpStream::from_std(stream.try_clone().unwrap()).unwrap();
    // Frames that nothing answers, as the room was not joined; many at a time, so that more lie there than are read at once.
    let typing = serde_json::to_vec(&ClientFrame::Typing { room: key("b") }).unwrap();
    let frames = frame(0x81, &typing).repeat(4_096);
    let flood = tokio::spawn(async move { while writes.write_all(&frames).await.is_ok() {} });
    let mut reads = Raw { stream: TcpStream::from_std(stream).unwrap() };
    let heard = timeout(PATIENCE / 3, reads.heard()).await.expect("not told to move");
    let Heard::Frame(1, text) = heard else { panic!("{heard:?}") };
    assert!(matches!(serde_json::from_slice(&text), Ok(ServerFrame::<Entry>::Move { within_ms: 1.. })));
    flood.abort();
}

//! What is read of the log for one session.

use super::{
    support::bytes::{self, Heard},
    *,
};
use app::domain::Operation;
use tokio::{io::AsyncWriteExt, time::timeout};

/// A room with sixty of the longest messages, of 16 KB each, that no socket was in yet, and somebody who wrote none of them.
async fn signed_in_to_a_long_log(server: &Server) -> (Person, Epoch) {
    let person = Person::signed_in(server, "지우", "a").await;
    let (room, text) = (server.engine.room(&key("a")).await.unwrap().unwrap(), "\u{1F4AC}".repeat(MESSAGE_MAX));
    let by = protocol::Person { id: UserId(1), name: UserName::parse("Megan").unwrap() };
    let mut epoch = Epoch(0);
    for n in 1..=60 {
        let (operation, earlier) = (Operation::Message { text: MessageText::parse(&text).unwrap() }, vec![]);
        let draft = Draft { room: room.clone(), by: by.clone(), p: P, n, earlier, until: None, operation };
        let Ok(Appended::Entry(at)) = server.engine.append(draft).await else { panic!("message {n} was not taken") };
        epoch = at.epoch;
    }
    (person, epoch)
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
async fn what_a_reader_missed_is_paid_once() {
    // A tenth: 1.7 MB at once, then 105 kB a second; of sixty messages there is 1 MB.
    let server = Server::embedded(&["--limits", "0.1"]).await;
    let (person, epoch) = signed_in_to_a_long_log(&server).await;
    let mut socket = person.socket(&server).await;
    let start = Instant::now();
    socket.join("a", Some(Cursor::origin(epoch))).await;
    for seq in 1..=60 {
        assert_eq!(socket.entry().await.seq, seq);
    }
    // What did not fit into one answer would cost a wait of 13 s if it were paid each time that it is read.
    assert!(start.elapsed() < Duration::from_secs(6), "after {:?}", start.elapsed());
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

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_with_as_much_under_way_as_it_may_have_goes_with_its_client() {
    let server = Server::embedded(&["--limits", "0.02"]).await;
    let (person, _) = signed_in_to_a_long_log(&server).await;
    let mut socket = bytes::Raw::open(&server, &person).await;
    let join = |room: &str| {
        let frame = ClientFrame::Join { room: key(room), cursor: None };
        bytes::frame(0x81, &serde_json::to_vec(&frame).unwrap())
    };
    // The page of the first is owed for 22 s. Four others wait for that long, and whatever comes after them for their turns.
    socket.send(&join("a")).await;
    let is_joined = |heard: Heard| matches!(heard, Heard::Frame(1, text) if text.starts_with(br#"{"t":"joined""#));
    while !is_joined(socket.heard().await) {}
    for n in 0..70 {
        let room = format!("room {n}");
        if n < 4 {
            server.engine.create_room(&RoomName::parse(&room).unwrap()).await.unwrap();
        }
        socket.send(&join(&room)).await;
    }
    socket.stream.shutdown().await.unwrap();
    let rest = async { while socket.heard().await != Heard::End {} };
    timeout(Duration::from_secs(10), rest).await.expect("nobody is there, and it is still served");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_a_long_log_are_paid_for() {
    // A twentieth: one page of fifty of the longest messages at once, then one in 16 s; five pages of anything.
    let server = Server::embedded(&["--limits", "0.05"]).await;
    let (person, _) = signed_in_to_a_long_log(&server).await;
    for path in ["/r/a?before=55", "/r/a/30"] {
        assert_eq!(person.get(&server, path).await.status(), 200, "{path}: as long as something is left");
    }
    let refused = person.get(&server, "/r/a").await;
    assert_eq!((refused.status().as_u16(), retry_after(&refused)), (503, 2));
    assert_eq!(person.post(&server, "/r/a", &[("text", "hello")]).await.status(), 303, "what is taken reads nothing");
    // What was typed is not lost with the page.
    let refused = person.post(&server, "/r/a", &[("text", &"x<y>".repeat(MESSAGE_MAX))]).await;
    assert_eq!(refused.status(), 503);
    assert!(refused.text().await.unwrap().contains("x&lt;y&gt;x&lt;y&gt;"));
    let other = Person::signed_in(&server, "Megan", "a").await;
    assert_eq!(other.get(&server, "/r/a").await.status(), 200, "somebody else pays for it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_earlier_messages_reads_those_alone() {
    let data = tempfile::TempDir::new().unwrap();
    let server = Server::embedded(&["--data-dir", data.path().to_str().unwrap()]).await;
    signed_in_to_a_long_log(&server).await;
    let person = Person::signed_in(&server, "하은", "a").await;
    // What cannot be read is told of as soon as it is asked for.
    let store = rusqlite::Connection::open(data.path().join("hubbub.sqlite3")).unwrap();
    assert_eq!(store.execute("DELETE FROM entries WHERE seq = 58", []).unwrap(), 1);
    for path in ["/r/a?before=11", "/r/a/20"] {
        assert_eq!(person.get(&server, path).await.status(), 200, "{path}");
    }
    assert_eq!(person.get(&server, "/r/a").await.status(), 503);
}

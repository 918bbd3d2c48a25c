//! What is read of the log for one session.

use super::*;

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

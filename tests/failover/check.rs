//! The invariants: what everybody was told, compared with what a reader finds who comes later.

use super::{client::text, crowd::Writer};
use crate::support::person::{Person, key};
use app::{
    domain::Entry,
    protocol::{ClientFrame, ServerFrame},
};
use std::{collections::HashMap, net::SocketAddr};

/// The newest messages that a page is looked through for.
const ON_A_PAGE: usize = 20;

pub async fn check(instances: &[SocketAddr], writers: &[Writer]) {
    let mut rooms: HashMap<&str, Vec<&Writer>> = HashMap::new();
    for writer in writers {
        rooms.entry(&writer.room).or_default().push(writer);
    }
    for (room, writers) in rooms {
        let mut histories = Vec::new();
        for (i, server) in instances.iter().enumerate() {
            let reader = Person::signed_in(server, &format!("reader {i}"), room).await;
            let history = history(&reader, *server, room).await;
            let page = reader.page(server, &key(room).path()).await;
            for entry in &history[history.len().saturating_sub(ON_A_PAGE)..] {
                assert!(page.contains(entry.text().unwrap()), "the page of {room} has not {entry:?}");
            }
            reader.post(server, "/signout", &[]).await;
            histories.push(history);
        }
        assert!(histories.windows(2).all(|two| two[0] == two[1]), "the instances tell different histories of {room}");
        check_room(room, &histories[0], &writers);
    }
}

fn check_room(room: &str, history: &[Entry], writers: &[&Writer]) {
    assert_eq!(history.first().map(|entry| entry.seq), Some(1));
    assert!(history.windows(2).all(|two| two[0].cursor().precedes(&two[1])), "{room} is no log");
    // No message is there that nobody sent, none twice, and each producer's stand in their order.
    let mut last: HashMap<_, u64> = writers.iter().map(|writer| (writer.own, 0)).collect();
    for entry in history {
        let last = last.get_mut(&entry.p).unwrap_or_else(|| panic!("nobody sent {entry:?}"));
        assert_eq!(entry.n, *last + 1, "{room}: {entry:?}");
        assert_eq!(entry.text(), Some(&*text(entry.p, entry.n)));
        *last = entry.n;
    }
    for writer in writers {
        let told = writer.tale.told();
        assert_eq!(told.wrong, Vec::<String>::new(), "what {} was told in {room}", writer.own);
        assert_eq!(last[&writer.own], told.sent.len() as u64, "{} of {room}", writer.own);
        for (n, (at, _)) in &told.known {
            let there = &history[usize::try_from(at.seq - 1).unwrap()];
            assert_eq!((there.cursor(), there.p, there.n), (*at, writer.own, *n), "what was acknowledged in {room}");
        }
        assert!(told.timeline == history, "{} was shown something else of {room} than the history", writer.own);
    }
}

async fn history(reader: &Person, server: SocketAddr, room: &str) -> Vec<Entry> {
    let mut socket = reader.socket(&server).await;
    let (_, mut page) = socket.join(room, None).await;
    let mut history = page.entries;
    while page.older {
        let before = history[0].seq;
        socket.send(&ClientFrame::History { room: key(room), epoch: history[0].epoch, before }).await;
        let answer = |frame| match frame {
            ServerFrame::History { before: of, page, .. } if of == before => Some(page),
            ServerFrame::Error { code, detail, .. } => panic!("{code:?}: {detail}"),
            _ => None,
        };
        page = socket.until(answer).await;
        history.splice(0..0, page.entries);
        page.entries = Vec::new();
    }
    history
}

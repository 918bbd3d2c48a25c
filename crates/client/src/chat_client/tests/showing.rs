//! What the page shows.

use super::*;
use crate::{rows, testing::seoul};
use protocol::frames::ReadMark;
use std::sync::Arc;

#[test]
fn a_tab_begins_with_the_very_rows_the_server_rendered() {
    let mark = |epoch, seq| Some(ReadMark { epoch: Epoch(epoch), seq });
    let readings = [(mark(EPOCH, 44), 16), (mark(EPOCH, 60), 0), (mark(EPOCH, 2), 58), (mark(9, 44), 3), (None, 0)];
    for newest in [true, false] {
        for (mark, unread) in readings {
            let reading = Reading { mark, unread };
            let screen = Opening {
                page: page(&log(EPOCH, 60)[30..]),
                newest,
                rooms: vec![MyRoom { room: room("a"), reading }],
                target: Some(40),
                ..Tab::screen()
            };
            let entries: Vec<_> = screen.page.entries.iter().cloned().map(Arc::new).collect();
            let rendered = rows::layout(&entries, screen.divider(), &[], &[], &seoul, &jiwoo());
            let divided = rendered.iter().any(|row| matches!(row, Row::New { after: 44 }));
            assert_eq!(divided, unread == 16);
            let tab = Tab::of(&screen, 100);
            assert_eq!(tab.chat.rows(&seoul), rendered);
            let chat = &tab.chat;
            assert_eq!((chat.newer(), chat.target(), chat.divider()), (!newest, Some(40), screen.divider()));
        }
    }
}

#[test]
fn another_room_shows_at_once_and_an_unknown_one_not_at_all() {
    let mut tab = Tab::online();
    tab.chat.take_rows_changed();
    tab.act(|chat| assert!(chat.open(&room("b").key)));
    assert!(tab.chat.take_rows_changed());
    assert_eq!(tab.chat.rows(&utc).iter().filter(|row| matches!(row, Row::Message { .. })).count(), 2);
    assert!(tab.sent.is_empty());
    tab.act(|chat| assert!(!chat.open(&room("nowhere").key)));
    assert_eq!(tab.chat.open_room(), Some(&room("b")));
}

#[test]
fn who_came_and_went_is_folded_and_a_quick_return_is_no_news() {
    let mut tab = Tab::online();
    let mut presence = |entered: &[u64], left: &[u64]| {
        let people = |ids: &[u64]| ids.iter().map(|id| person(*id, &format!("p{id}"))).collect();
        tab.receive(
            1,
            ServerFrame::Presence {
                room: room("a").key,
                count: 5,
                people: vec![],
                entered: people(entered),
                left: people(left),
            },
        );
        let arrivals = |row| match row {
            Row::Arrivals { entered, people, .. } => Some((entered, people.iter().map(|p| p.id.0).collect::<Vec<_>>())),
            _ => None,
        };
        tab.chat.rows(&utc).into_iter().filter_map(arrivals).collect::<Vec<_>>()
    };
    assert_eq!(presence(&[1], &[]), []);
    assert_eq!(presence(&[3], &[]), [(true, vec![3])]);
    assert_eq!(presence(&[4, 5], &[]), [(true, vec![3, 4, 5])]);
    assert_eq!(presence(&[], &[4, 5]), [(true, vec![3, 4, 5]), (false, vec![4, 5])]);
    assert_eq!(presence(&[4], &[]), [(true, vec![3, 4, 5]), (false, vec![5])]);
    assert_eq!(presence(&[5], &[]), [(true, vec![3, 4, 5])]);
}

#[test]
fn whoever_was_here_before_an_interruption_does_not_arrive_after_it() {
    let mut tab = Tab::online();
    let RoomRef { key, name } = room("a");
    let (one, other) = (person(3, "새사람"), person(4, "다른 사람"));
    let people = vec![jiwoo(), haeun(), other.clone()];
    let here = ServerFrame::Presence { room: key.clone(), count: 3, people, entered: vec![], left: vec![] };
    tab.receive(1, here);
    tab.closed(1, 1012);
    tab.pass(2_000);
    tab.hello(2);
    let (how, page) = (JoinedHow::Resumed, resumed(3));
    tab.receive(
        2,
        ServerFrame::Joined {
            room: key.clone(),
            name,
            how,
            page,
            count: 0,
            people: vec![],
            reading: Reading::default(),
        },
    );
    let enter = |tab: &mut Tab, entered: &[Person]| {
        let (room, entered) = (key.clone(), entered.to_vec());
        tab.receive(2, ServerFrame::Presence { room, count: 3, people: vec![], entered, left: vec![] });
        let rows = tab.chat.rows(&utc);
        let Some(Row::Arrivals { people, .. }) = rows.last() else { panic!("{rows:?}") };
        people.clone()
    };
    assert_eq!(enter(&mut tab, &[haeun(), one.clone()]), std::slice::from_ref(&one));
    for _ in 0..5 {
        tab.pass(10_000);
        tab.receive(2, ServerFrame::Pong);
    }
    assert_eq!(enter(&mut tab, std::slice::from_ref(&other)), [one, other], "hours later it is an arrival");
}

#[test]
fn a_notice_is_what_the_server_says_last() {
    let mut tab = Tab::online();
    let notice = |tab: &Tab| tab.chat.notice().map(str::to_owned);
    // As the page showed it, until the server says how it is.
    tab.act(|chat| chat.set_notice(Some("from the page".to_owned())));
    assert_eq!(notice(&tab).as_deref(), Some("from the page"));
    tab.hello(1);
    assert_eq!(notice(&tab), None);
    tab.receive(1, ServerFrame::Notice { text: Some("We restart".to_owned()) });
    assert_eq!(notice(&tab).as_deref(), Some("We restart"));
    tab.receive(1, ServerFrame::Notice { text: None });
    assert_eq!(notice(&tab), None);
}

//! Every room is followed by cursor.

use super::*;

#[test]
fn the_rendered_page_is_continued_and_not_fetched_again() {
    let mut tab = Tab::new();
    assert_eq!(tab.open, [1]);
    assert!(tab.sent.is_empty());
    tab.hello(1);
    assert_eq!(tab.take_sent(), [(1, join("a", Some(cursor(3)))), (1, join("b", None))]);
    tab.joined(1, "a", JoinedHow::Resumed, page(&log(EPOCH, 5)[3..]));
    assert_eq!(tab.seqs("a"), [1, 2, 3, 4, 5]);
    assert_eq!((tab.chat.count(), tab.chat.people().len()), (2, 2));
}

#[test]
fn a_reconnect_resumes_every_room_at_its_cursor() {
    let mut tab = Tab::online();
    tab.entry(1, "a", &log(EPOCH, 4)[3]);
    tab.closed(1, 1006);
    tab.pass(250);
    assert_eq!(tab.open, [2]);
    tab.hello(2);
    assert_eq!(tab.sent, [(2, join("a", Some(cursor(4)))), (2, join("b", log(7, 2).last().map(Entry::cursor)))]);
}

#[test]
fn many_rooms_are_joined_a_few_at_a_time() {
    let mut tab = Tab::new();
    for i in 0..30 {
        tab.chat.rooms.push(FollowedRoom::new(room(&format!("r{i}")), ProducerId(1), Reading::default()));
    }
    tab.hello(1);
    assert_eq!(tab.sent.len(), 8);
    tab.joined(1, "a", JoinedHow::Resumed, resumed(3));
    assert_eq!(tab.sent.len(), 9);
}

#[test]
fn a_gap_is_closed_by_joining_again_once() {
    let mut tab = Tab::online();
    let log = log(EPOCH, 7);
    tab.entry(1, "a", &log[4]);
    tab.entry(1, "a", &log[5]);
    assert_eq!(tab.take_sent(), [(1, join("a", Some(cursor(3))))]);
    tab.joined(1, "a", JoinedHow::Resumed, page(&log[3..6]));
    tab.entry(1, "a", &log[6]);
    assert_eq!(tab.seqs("a"), [1, 2, 3, 4, 5, 6, 7]);
    assert!(tab.sent.is_empty());
}

#[test]
fn a_cursor_that_never_helps_is_given_up_slowly() {
    let mut tab = Tab::online();
    let far = &log(EPOCH, 9)[8];
    tab.entry(1, "a", far);
    tab.joined(1, "a", JoinedHow::Resumed, resumed(3));
    tab.entry(1, "a", far);
    assert_eq!(tab.take_sent(), [(1, join("a", Some(cursor(3)))), (1, join("a", None))]);
    tab.joined(1, "a", JoinedHow::Newest, resumed(3));
    tab.entry(1, "a", far);
    assert!(tab.sent.is_empty(), "not in a loop as fast as the network");
    tab.pass(2_000);
    assert_eq!(tab.take_sent(), [(1, join("a", None))]);
    tab.joined(1, "a", JoinedHow::Newest, page(&log(EPOCH, 9)[6..]));
    assert_eq!(tab.seqs("a"), [7, 8, 9]);
}

#[test]
fn a_reset_starts_over_and_says_so() {
    let mut tab = Tab::online();
    let rolled_back = forked(&log(EPOCH, 3), 2);
    tab.receive(1, ServerFrame::Reset { room: room("a").key, how: JoinedHow::Reset, page: page(&rolled_back) });
    let rows = tab.chat.rows(&utc);
    assert!(matches!(rows[0], Row::Gap { reset: true, .. }), "{rows:?}");
    assert_eq!(tab.seqs("a"), [1, 2, 3]);
    // The same reset told by the other socket, or a page that only continues, is none.
    tab.receive(1, ServerFrame::Reset { room: room("a").key, how: JoinedHow::Reset, page: page(&rolled_back) });
    assert_eq!(tab.chat.rows(&utc), rows);
}

#[test]
fn a_jump_leaves_a_gap_that_history_fills() {
    let mut tab = Tab::online();
    let log = log(EPOCH, 2_000);
    tab.closed(1, 1006);
    tab.pass(250);
    tab.hello(2);
    tab.joined(2, "a", JoinedHow::Jumped, page(&log[1_950..]));
    assert!(matches!(tab.chat.rows(&utc)[0], Row::Gap { reset: false, .. }));
    tab.sent.clear();
    tab.act(ChatClient::load_older);
    tab.act(ChatClient::load_older);
    let ask = ClientFrame::History { room: room("a").key, epoch: Epoch(EPOCH), before: 1_951 };
    assert_eq!(tab.take_sent(), [(2, ask)]);
    assert_eq!(tab.chat.older(), Older::Loading);
    tab.receive(2, ServerFrame::History { room: room("a").key, before: 1_951, page: page(&log[1_900..1_950]) });
    assert_eq!(tab.chat.older(), Older::Yes);
    assert_eq!(tab.seqs("a").len(), 100);
    assert!(!tab.chat.rows(&utc).iter().any(|row| matches!(row, Row::Gap { .. })));
    assert_eq!(tab.chat.timeline(&room("a").key).map(Timeline::cursor), Some(cursor(2_000)));
}

#[test]
fn a_room_that_cannot_be_joined_now_is_tried_again_and_one_that_never_can_is_not() {
    let mut tab = Tab::new();
    tab.hello(1);
    tab.sent.clear();
    tab.receive(1, error("a", ErrorCode::Unavailable, true));
    tab.receive(1, error("b", ErrorCode::RoomUnknown, false));
    assert_eq!(tab.chat.trouble(), Some(ErrorCode::Unavailable));
    tab.pass(500);
    assert_eq!(tab.take_sent(), [(1, join("a", Some(cursor(3))))]);
    tab.joined(1, "a", JoinedHow::Resumed, resumed(3));
    assert_eq!(tab.chat.trouble(), None);
    tab.pass(30_000);
    assert!(tab.sent.is_empty());
    tab.act(|chat| assert!(!chat.open(&room("b").key)));
}

#[test]
fn a_room_that_was_left_is_gone_once_the_server_says_so() {
    let mut tab = Tab::online();
    tab.act(|chat| chat.leave(&room("b").key));
    assert_eq!(tab.take_sent(), [(1, ClientFrame::Leave { room: room("b").key })]);
    // The answer is lost: leaving is not forgotten.
    tab.closed(1, 1006);
    tab.pass(250);
    tab.hello(2);
    assert_eq!(tab.take_sent(), [(2, join("a", Some(cursor(3)))), (2, ClientFrame::Leave { room: room("b").key })]);
    tab.receive(2, ServerFrame::Left { room: room("b").key });
    assert_eq!(tab.chat.rooms().len(), 1);
    tab.entry(2, "b", &log(7, 3)[2]);
}

#[test]
fn a_room_whose_end_is_in_view_keeps_a_bounded_window() {
    let mut tab = Tab::online();
    for entry in &log(EPOCH, 1_000)[3..] {
        tab.entry(1, "a", entry);
    }
    assert!(tab.seqs("a").len() <= 400);
    assert_eq!(tab.chat.older(), Older::Yes);
    assert_eq!(tab.chat.timeline(&room("a").key).map(Timeline::cursor), Some(cursor(1_000)));
}

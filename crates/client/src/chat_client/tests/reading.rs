//! What was read, who is typing, and what the server is told of it.

use super::*;
use protocol::frames::ReadMark;

fn mark(epoch: u64, seq: u64) -> ReadMark {
    ReadMark { epoch: Epoch(epoch), seq }
}

fn at(epoch: u64, seq: u64, unread: usize) -> Reading {
    Reading { mark: Some(mark(epoch, seq)), unread }
}

fn read(key: &str, mark: ReadMark) -> ClientFrame {
    ClientFrame::Read { room: room(key).key, mark }
}

/// As [`Tab::online`], with "a" read up to 3 of 3 and "b" up to 1 of 2.
fn online() -> Tab {
    let mut tab = Tab::new();
    tab.hello(1);
    tab.joined_at(1, "a", JoinedHow::Resumed, resumed(3), at(EPOCH, 3, 0));
    tab.joined_at(1, "b", JoinedHow::Newest, page(&log(7, 2)), at(7, 1, 1));
    tab.sent.clear();
    tab
}

#[test]
fn unread_is_what_others_wrote_after_the_mark_wherever_it_was_raised() {
    let mut tab = online();
    assert_eq!(tab.unread(), [1, 0]);
    let there = log(7, 9);
    tab.entry(1, "b", &there[2]);
    let mut own = there[3].clone();
    own.by = UserId(1);
    tab.entry(1, "b", &own);
    assert_eq!(tab.unread(), [2, 0]);
    tab.receive(1, ServerFrame::Read { room: room("b").key, mark: mark(7, 2) });
    assert_eq!(tab.unread(), [1, 0]);
    tab.receive(1, ServerFrame::Read { room: room("b").key, mark: mark(7, 1) });
    assert_eq!(tab.unread(), [1, 0], "a mark only rises");
    tab.act(|chat| assert!(chat.open(&room("b").key)));
    assert_eq!(tab.unread(), [1, 0], "what is opened is not read yet");
    tab.act(|chat| chat.read_to(3));
    assert_eq!((tab.unread(), tab.chat.unread()), (vec![0, 0], 0));
}

#[test]
fn what_arrives_under_ones_eyes_counts_only_if_it_is_not_read_soon() {
    let mut tab = online();
    let here = log(EPOCH, 9);
    tab.entry(1, "a", &here[3]);
    assert_eq!(tab.unread(), [1, 0]);
    tab.pass(1_000);
    tab.act(|chat| chat.read_to(4));
    tab.entry(1, "a", &here[4]);
    tab.pass(1_499);
    assert_eq!(tab.unread(), [1, 0]);
    tab.pass(1);
    assert_eq!(tab.unread(), [1, 1]);
    tab.act(|chat| chat.read_to(5));
    tab.act(|chat| chat.set_at_bottom(false));
    tab.entry(1, "a", &here[5]);
    assert_eq!(tab.unread(), [1, 1], "nobody sees it");
    tab.act(|chat| chat.set_at_bottom(true));
    tab.act(|chat| chat.read_to(6));
    tab.act(|chat| chat.set_visible(false));
    tab.entry(1, "a", &here[6]);
    assert_eq!(tab.unread(), [1, 1]);
}

#[test]
fn the_server_hears_of_a_room_once_a_second_and_only_what_is_new_to_it() {
    let mut tab = online();
    let here = log(EPOCH, 9);
    here[3..].iter().for_each(|entry| tab.entry(1, "a", entry));
    for seq in [4, 5, 3, 6] {
        tab.act(|chat| chat.read_to(seq));
    }
    assert_eq!(tab.take_sent(), [(1, read("a", mark(EPOCH, 4)))]);
    tab.pass(999);
    assert!(tab.sent.is_empty());
    tab.pass(1);
    assert_eq!(tab.take_sent(), [(1, read("a", mark(EPOCH, 6)))]);
    tab.act(|chat| chat.read_to(1_000));
    tab.pass(1_000);
    assert_eq!(tab.take_sent(), [(1, read("a", mark(EPOCH, 9)))], "no further than what is here");
    tab.pass(30_000);
    assert!(tab.take_sent().is_empty());
}

#[test]
fn what_the_server_did_not_confirm_it_hears_again_after_an_interruption() {
    let mut tab = online();
    tab.entry(1, "a", &log(EPOCH, 4)[3]);
    tab.act(|chat| chat.read_to(4));
    tab.closed(1, 1006);
    tab.pass(2_000);
    tab.hello(2);
    tab.take_sent();
    tab.joined_at(2, "a", JoinedHow::Resumed, resumed(4), at(EPOCH, 3, 1));
    assert_eq!(tab.unread(), [1, 0], "and until then it knows better than the server");
    assert!(tab.take_sent().contains(&(2, read("a", mark(EPOCH, 4)))));
    tab.receive(2, ServerFrame::Read { room: room("a").key, mark: mark(EPOCH, 4) });
    tab.closed(2, 1006);
    tab.pass(2_000);
    tab.hello(3);
    tab.joined_at(3, "a", JoinedHow::Resumed, resumed(4), at(EPOCH, 4, 0));
    assert!(!tab.sent.iter().any(|(_, frame)| matches!(frame, ClientFrame::Read { .. })));
}

#[test]
fn a_room_read_long_ago_is_counted_by_the_server_and_then_exactly() {
    let mut tab = Tab::new();
    let there = log(7, 200);
    tab.hello(1);
    tab.joined_at(1, "b", JoinedHow::Newest, page(&there[150..]), at(7, 20, 100));
    assert_eq!(tab.unread(), [100, 0]);
    assert!(!tab.sent.iter().any(|(_, frame)| matches!(frame, ClientFrame::History { .. })), "more is no better");
    // Read on elsewhere, to where nothing is loaded yet.
    tab.take_sent();
    tab.receive(1, ServerFrame::Read { room: room("b").key, mark: mark(7, 130) });
    assert_eq!(tab.unread(), [70, 0], "at most");
    let history = ClientFrame::History { room: room("b").key, epoch: Epoch(7), before: 151 };
    assert_eq!(tab.take_sent(), [(1, history)]);
    let mut older = page(&there[100..150]);
    older.entries[40].by = UserId(1);
    tab.receive(1, ServerFrame::History { room: room("b").key, before: 151, page: older });
    assert_eq!(tab.unread(), [69, 0]);
    assert!(tab.take_sent().is_empty());
}

#[test]
fn another_log_is_read_from_where_the_server_says() {
    let mut tab = online();
    let other = log(9, 5);
    tab.receive(1, ServerFrame::Read { room: room("a").key, mark: mark(9, 4) });
    assert_eq!(tab.unread(), [1, 0], "nobody here knows of that log");
    let how = JoinedHow::Reset;
    tab.receive(1, ServerFrame::Reset { room: room("a").key, how, page: page(&other) });
    tab.act(|chat| chat.set_at_bottom(false));
    assert_eq!(tab.unread(), [1, 1]);
    assert_eq!(tab.chat.divider(), None);
}

#[test]
fn what_is_new_is_marked_when_a_room_is_opened_and_when_one_comes_back() {
    let mut tab = online();
    let news = |tab: &Tab| {
        let after = |row| if let Row::New { after } = row { Some(after) } else { None };
        tab.chat.rows(&utc).into_iter().find_map(after)
    };
    tab.entry(1, "a", &log(EPOCH, 4)[3]);
    assert_eq!(news(&tab), None, "it came while the room was open");
    tab.act(|chat| chat.read_to(4));
    tab.act(|chat| assert!(chat.open(&room("b").key)));
    assert_eq!(news(&tab), Some(1));
    tab.act(|chat| chat.read_to(2));
    assert_eq!(news(&tab), Some(1), "it stays");
    tab.act(|chat| chat.set_visible(false));
    tab.act(|chat| chat.set_visible(true));
    assert_eq!(news(&tab), Some(1), "nothing came meanwhile");
    tab.act(|chat| chat.set_visible(false));
    tab.entry(1, "b", &log(7, 3)[2]);
    tab.act(|chat| chat.set_visible(true));
    assert_eq!(news(&tab), Some(2));
    tab.act(|chat| assert!(chat.open(&room("a").key)));
    assert_eq!(news(&tab), None, "everything was read");
}

#[test]
fn who_is_typing_shows_in_their_room_until_they_write() {
    let mut tab = online();
    let typing = |key: &str, who: Vec<Person>| ServerFrame::Typing { room: room(key).key, people: who };
    tab.receive(1, typing("b", vec![person(3, "c")]));
    tab.receive(1, typing("a", vec![haeun(), jiwoo()]));
    assert_eq!(tab.chat.others_typing(), [haeun()]);
    tab.entry(1, "a", &log(EPOCH, 4)[3]);
    assert_eq!(tab.chat.others_typing(), []);
    tab.receive(1, typing("a", vec![haeun()]));
    assert_eq!(tab.chat.others_typing(), [], "told late");
    tab.pass(1_000);
    tab.receive(1, typing("a", vec![haeun()]));
    tab.pass(4_999);
    assert_eq!(tab.chat.others_typing(), [haeun()]);
    tab.pass(1);
    assert_eq!(tab.chat.others_typing(), []);
}

#[test]
fn typing_is_told_once_a_second_and_never_from_a_hidden_page() {
    let mut tab = online();
    let frame = ClientFrame::Typing { room: room("a").key };
    tab.act(ChatClient::typing);
    tab.act(ChatClient::typing);
    assert_eq!(tab.take_sent(), [(1, frame.clone())]);
    tab.pass(1_000);
    tab.act(|chat| chat.set_visible(false));
    tab.act(ChatClient::typing);
    assert!(tab.take_sent().is_empty());
    tab.act(|chat| chat.set_visible(true));
    tab.act(ChatClient::typing);
    assert_eq!(tab.take_sent(), [(1, frame)]);
    tab.closed(1, 1006);
    tab.act(ChatClient::typing);
    assert!(tab.sent.is_empty());
}

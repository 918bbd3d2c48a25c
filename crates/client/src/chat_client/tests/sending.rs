//! What was written goes out, in order.

use super::*;

#[test]
fn messages_wait_for_the_socket_and_go_out_in_order() {
    let mut tab = Tab::new();
    tab.act(|chat| chat.send(text("하나")));
    tab.act(|chat| chat.send(text("둘")));
    assert_eq!(tab.pending(), [Pending::Waiting; 2]);
    tab.hello(1);
    tab.sent.clear();
    tab.joined(1, "a", JoinedHow::Resumed, resumed(3));
    assert_eq!(tab.take_sent(), [(1, send(1, "하나")), (1, send(2, "둘"))]);

    tab.receive(1, ack(1, 4));
    assert_eq!(tab.pending().len(), 2, "no flicker: the row stays until the log has it");
    let mut own = log(EPOCH, 5);
    for (i, n) in [(3, 1), (4, 2)] {
        (own[i].by, own[i].p, own[i].n) = (UserId(1), ProducerId(101), n);
    }
    tab.entry(1, "a", &own[3]);
    assert_eq!(tab.pending().len(), 1);
    tab.entry(1, "a", &own[4]);
    assert!(tab.pending().is_empty());
    tab.closed(1, 1006);
    tab.pass(250);
    tab.hello(2);
    tab.joined(2, "a", JoinedHow::Resumed, resumed(5));
    assert!(!tab.sent.iter().any(|(_, frame)| matches!(frame, ClientFrame::Send { .. })), "seen is answered");
}

#[test]
fn somebody_elses_entry_under_our_number_is_no_answer() {
    let mut tab = Tab::online();
    tab.act(|chat| chat.send(text("하나")));
    let mut forged = log(EPOCH, 4);
    (forged[3].p, forged[3].n) = (ProducerId(101), 1);
    tab.entry(1, "a", &forged[3]);
    assert_eq!(tab.pending(), [Pending::Waiting]);
}

#[test]
fn a_store_that_does_not_answer_is_told_and_asked_again_later() {
    let mut tab = Tab::online();
    tab.act(|chat| chat.send(text("하나")));
    tab.sent.clear();
    tab.receive(1, refused(1, ErrorCode::Unavailable, true, None));
    assert_eq!(tab.chat.trouble(), Some(ErrorCode::Unavailable));
    assert!(tab.sent.is_empty());
    tab.pass(500);
    assert_eq!(tab.take_sent(), [(1, send(1, "하나"))]);
    tab.receive(1, ack(1, 4));
    assert_eq!(tab.chat.trouble(), None);
}

#[test]
fn a_number_that_the_log_lost_is_taken_again_before_the_next_message() {
    let mut tab = Tab::online();
    tab.act(|chat| chat.send(text("하나")));
    tab.receive(1, ack(1, 4));
    tab.act(|chat| chat.send(text("둘")));
    tab.sent.clear();
    tab.receive(1, refused(2, ErrorCode::OutOfOrder, false, Some(0)));
    let void = ClientFrame::Void { room: room("a").key, p: ProducerId(101), n: 1 };
    assert_eq!(tab.take_sent(), [(1, void)]);
    tab.receive(1, ServerFrame::Voided { room: room("a").key, p: ProducerId(101), n: 1 });
    assert_eq!(tab.take_sent(), [(1, send(2, "둘"))]);
}

#[test]
fn a_message_nobody_answers_costs_the_socket_its_place() {
    let mut tab = Tab::online();
    tab.act(|chat| chat.send(text("하나")));
    for _ in 0..40 {
        tab.pass(1_000);
        tab.receive(1, ServerFrame::Pong);
    }
    assert!(!tab.open.contains(&1));
}

fn numbers(sent: &[(SocketId, ClientFrame)]) -> Vec<(&str, u64)> {
    let number = |(_, frame): &'_ (SocketId, ClientFrame)| match frame {
        ClientFrame::Send { room, n, .. } | ClientFrame::Void { room, n, .. } => Some((room.as_str().to_owned(), *n)),
        _ => None,
    };
    let of = |(room, n): (String, u64)| (if room == "a" { "a" } else { "b" }, n);
    sent.iter().filter_map(number).map(of).collect()
}

fn ack_in(key: &str, p: u64, n: u64) -> ServerFrame {
    let at =
        Cursor { epoch: Epoch(if key == "a" { EPOCH } else { 7 }), seq: 1_000 + n, id: protocol::domain::EntryId(n) };
    ServerFrame::Ack { room: room(key).key, p: ProducerId(p), n, at }
}

/// The session's one producer.
const P: u64 = 101;

#[test]
fn a_server_that_is_slow_on_purpose_keeps_its_socket_while_it_answers_anything() {
    let mut tab = Tab::online();
    tab.act(|chat| chat.send(text("waits")));
    tab.act(|chat| assert!(chat.open(&room("b").key)));
    for i in 0..30 {
        tab.act(|chat| chat.send(text(&format!("m{i}"))));
    }
    for n in 1..=30 {
        tab.pass(2_000);
        tab.receive(1, ServerFrame::Pong);
        tab.receive(1, ack_in("b", P, n));
        assert_eq!(tab.open, [1], "after {n} answers");
    }
    for second in 1..=30 {
        assert_eq!(tab.open, [1], "{second} s after the last answer");
        tab.pass(1_000);
        tab.receive(1, ServerFrame::Pong);
    }
    assert!(!tab.open.contains(&1), "nothing was answered for 30 s");
}

#[test]
fn no_more_than_64_are_under_way_in_all_rooms_and_the_open_room_goes_first() {
    let mut tab = Tab::new();
    tab.act(|chat| assert!(chat.open(&room("b").key)));
    for i in 0..70 {
        tab.act(|chat| chat.send(text(&format!("b{i}"))));
    }
    tab.act(|chat| assert!(chat.open(&room("a").key)));
    for i in 0..3 {
        tab.act(|chat| chat.send(text(&format!("a{i}"))));
    }
    tab.hello(1);
    tab.joined(1, "a", JoinedHow::Resumed, resumed(3));
    tab.joined(1, "b", JoinedHow::Newest, page(&log(7, 2)));
    let sent = tab.take_sent();
    let expected: Vec<(&str, u64)> = (1..=3).map(|n| ("a", n)).chain((1..=61).map(|n| ("b", n))).collect();
    assert_eq!(numbers(&sent), expected);

    tab.act(|chat| chat.send(text("a3")));
    assert_eq!(numbers(&tab.take_sent()), []);
    tab.receive(1, ack_in("b", P, 1));
    assert_eq!(numbers(&tab.take_sent()), [("a", 4)], "what is on screen first");
    tab.receive(1, ack_in("a", P, 1));
    tab.receive(1, ServerFrame::Voided { room: room("b").key, p: ProducerId(P), n: 2 });
    assert_eq!(numbers(&tab.take_sent()), [("b", 62), ("b", 63)]);
}

#[test]
fn however_many_rooms_wait_all_is_sent_in_the_end() {
    let mut tab = Tab::new();
    for (key, count) in [("b", 150), ("a", 150)] {
        tab.act(|chat| assert!(chat.open(&room(key).key)));
        for i in 0..count {
            tab.act(|chat| chat.send(text(&format!("{key}{i}"))));
        }
    }
    tab.hello(1);
    tab.joined(1, "a", JoinedHow::Resumed, resumed(3));
    tab.joined(1, "b", JoinedHow::Newest, page(&log(7, 2)));
    let mut waiting: std::collections::VecDeque<(String, u64)> = std::collections::VecDeque::new();
    let mut answered = 0;
    loop {
        waiting.extend(numbers(&tab.take_sent()).into_iter().map(|(key, n)| (key.to_owned(), n)));
        assert!(waiting.len() <= 64, "{} under way", waiting.len());
        let Some((key, n)) = waiting.pop_front() else { break };
        tab.receive(1, ack_in(&key, P, n));
        answered += 1;
    }
    assert_eq!(answered, 300);
}

#[test]
fn what_takes_long_on_a_socket_that_is_there_is_told_with_how_much_is_left() {
    let mut tab = Tab::online();
    for i in 0..3 {
        tab.act(|chat| chat.send(text(&format!("m{i}"))));
    }
    tab.pass(4_900);
    assert_eq!(tab.chat.slow(), 0);
    assert!(tab.chat.next_wake().is_some_and(|at| at <= 5_000), "it is to be shown then");
    tab.pass(100);
    assert_eq!(tab.chat.slow(), 3);
    tab.receive(1, ack(1, 4));
    assert_eq!(tab.chat.slow(), 2);
    tab.act(|chat| chat.send(text("m3")));
    assert_eq!(tab.chat.slow(), 3);
    tab.receive(1, ack(2, 5));
    tab.receive(1, ack(3, 6));
    assert_eq!(tab.chat.slow(), 0, "the last one is young");

    tab.pass(5_000);
    assert_eq!(tab.chat.slow(), 1);
    tab.closed(1, 1006);
    assert_eq!(tab.chat.slow(), 0, "without a socket it is another thing that is wrong");
    tab.pass(250);
    tab.hello(2);
    tab.joined(2, "a", JoinedHow::Resumed, resumed(6));
    assert_eq!(tab.chat.slow(), 0, "counted from when it could be answered");
}

const DAY: u64 = 24 * 60 * 60 * 1_000;
/// When the session begins.
const TODAY: u64 = 20_000 * DAY;

fn void(n: u64) -> ClientFrame {
    ClientFrame::Void { room: room("a").key, p: ProducerId(P), n }
}

fn unavailable() -> Pending {
    Pending::Failed(ErrorCode::Unavailable)
}

/// A tab that sent something which nobody answered, reloaded when the calendar shows `date`.
fn reloaded_at(date: u64) -> Tab {
    let mut tab = Tab::online();
    tab.chat.set_calendar(TODAY);
    tab.act(|chat| chat.send(text("하나")));
    let mut again = Tab::with_numbers_after(1_100);
    again.chat.set_calendar(date);
    let saved = tab.saved();
    again.act(|chat| chat.adopt(saved));
    again.hello(1);
    again.joined(1, "a", JoinedHow::Resumed, resumed(3));
    again
}

#[test]
fn a_message_is_tried_for_seven_days_and_then_given_up_by_a_void() {
    let mut tab = reloaded_at(TODAY + 7 * DAY - 1);
    assert!(tab.sent.contains(&(1, send(1, "하나"))));
    assert_eq!(tab.pending(), [Pending::Waiting]);

    tab = reloaded_at(TODAY + 7 * DAY);
    assert!(tab.sent.contains(&(1, void(1))) && !tab.sent.contains(&(1, send(1, "하나"))));
    assert_eq!(tab.pending(), [unavailable()], "its author sees that it was not sent");
    let id = tab.chat.rows(&utc).iter().find_map(|row| if let Row::Pending { n, .. } = row { Some(*n) } else { None });
    tab.sent.clear();
    tab.act(|chat| chat.retry(id.unwrap()));
    assert!(tab.sent.is_empty(), "not before its number is used up");
    tab.receive(1, ServerFrame::Voided { room: room("a").key, p: ProducerId(P), n: 1 });
    assert_eq!(tab.take_sent(), [(1, send(2, "하나"))], "under a number of its own");
    assert_eq!(tab.pending(), [Pending::Waiting]);
}

#[test]
fn what_had_been_committed_is_not_sent_again_after_seven_days() {
    let mut tab = reloaded_at(TODAY + 8 * DAY);
    tab.receive(1, ack(1, 4));
    assert!(tab.pending().is_empty() && tab.chat.is_settled());
}

#[test]
fn the_days_pass_in_a_tab_that_stays_open_too() {
    let mut tab = Tab::online();
    tab.chat.set_calendar(TODAY);
    tab.act(|chat| chat.send(text("하나")));
    tab.closed(1, 1006);
    tab.pass(250);
    tab.closed(2, 1006);
    // The laptop slept.
    tab.now += 8 * DAY;
    let now = tab.now;
    tab.act(|chat| chat.tick(now));
    assert_eq!(tab.pending(), [unavailable()]);
    assert_eq!(tab.chat.slow(), 0);
}

#[test]
fn a_clock_that_jumps_neither_loses_a_message_nor_lets_it_be_tried_for_longer() {
    // Ahead by 400 days for a moment: given up early, and to be had again.
    let mut tab = reloaded_at(TODAY + 400 * DAY);
    assert_eq!(tab.pending(), [unavailable()]);
    tab.receive(1, ServerFrame::Voided { room: room("a").key, p: ProducerId(P), n: 1 });
    assert_eq!(tab.pending(), [unavailable()]);

    // It was ahead when it was sent: the days count from when the clock was set right.
    let mut tab = reloaded_at(TODAY - 400 * DAY);
    assert!(tab.sent.contains(&(1, send(1, "하나"))));
    let saved = tab.saved();
    let mut later = Tab::with_numbers_after(2_100);
    later.chat.set_calendar(TODAY - 393 * DAY);
    later.act(|chat| chat.adopt(saved));
    assert_eq!(later.pending(), [unavailable()]);
}

#[test]
fn what_was_acknowledged_long_ago_is_not_taken_for_lost() {
    let mut tab = Tab::online();
    tab.chat.set_calendar(TODAY);
    tab.act(|chat| chat.send(text("하나")));
    tab.receive(1, ack(1, 4));
    for (days, asks) in [(6, true), (31, false)] {
        let mut again = Tab::with_numbers_after(1_100);
        again.chat.set_calendar(TODAY + days * DAY);
        let saved = tab.saved();
        again.act(|chat| chat.adopt(saved));
        again.hello(1);
        // The log does not show it: it may have been set back, or be far beyond it.
        again.joined(1, "a", JoinedHow::Jumped, page(&log(EPOCH, 90)[40..]));
        assert_eq!(again.sent.iter().any(|(_, frame)| matches!(frame, ClientFrame::Void { .. })), asks, "{days} days");
    }
}

#[test]
fn a_message_whose_frame_cannot_be_read_is_given_up_and_the_next_one_goes_out() {
    let mut tab = Tab::online();
    tab.act(|chat| chat.send(text("하나")));
    tab.act(|chat| chat.send(text("둘")));
    tab.sent.clear();
    tab.receive(1, refused(1, ErrorCode::BadFrame, false, None));
    tab.receive(1, refused(2, ErrorCode::OutOfOrder, false, Some(0)));
    assert_eq!(tab.pending(), [Pending::Failed(ErrorCode::BadFrame), Pending::Waiting]);
    assert_eq!(tab.take_sent(), [(1, void(1))]);
    tab.receive(1, ServerFrame::Voided { room: room("a").key, p: ProducerId(P), n: 1 });
    assert_eq!(tab.take_sent(), [(1, send(2, "둘"))]);
    tab.pass(1_000);
    assert!(tab.sent.is_empty(), "it is not tried again by itself");
}

#[test]
fn what_is_too_much_at_once_is_tried_again_and_told() {
    let mut tab = Tab::online();
    tab.act(|chat| chat.send(text("하나")));
    tab.sent.clear();
    tab.receive(1, refused(1, ErrorCode::TooMany, true, None));
    assert_eq!((tab.chat.trouble(), tab.pending()), (Some(ErrorCode::TooMany), vec![Pending::Waiting]));
    tab.pass(500);
    assert_eq!(tab.take_sent(), [(1, send(1, "하나"))]);
    tab.receive(1, ack(1, 4));
    assert_eq!(tab.chat.trouble(), None);
}

#[test]
fn a_trouble_is_over_once_the_message_is_seen_though_it_was_not_acknowledged_yet() {
    let mut tab = Tab::online();
    tab.act(|chat| chat.send(text("하나")));
    tab.receive(1, refused(1, ErrorCode::Unavailable, true, None));
    assert_eq!(tab.chat.trouble(), Some(ErrorCode::Unavailable));
    // It is sent again, and comes with what everybody is sent before its sender is told.
    tab.pass(15_000);
    let Person { id: by, name } = jiwoo();
    let body = protocol::domain::Body::Message { text: text("하나") };
    tab.entry(1, "a", &Entry { by, name, p: ProducerId(P), n: 1, body, ..log(EPOCH, 4).remove(3) });
    assert_eq!((tab.chat.trouble(), tab.pending()), (None, vec![]));
    tab.receive(1, ack(1, 4));
    assert_eq!(tab.chat.trouble(), None);
}

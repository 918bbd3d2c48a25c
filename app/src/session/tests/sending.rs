//! What was written goes out, in order.

use super::*;

#[test]
fn messages_wait_for_the_socket_and_go_out_in_order() {
    let mut tab = Tab::new();
    tab.act(|session| session.send(text("하나")));
    tab.act(|session| session.send(text("둘")));
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
    tab.act(|session| session.send(text("하나")));
    let mut forged = log(EPOCH, 4);
    (forged[3].p, forged[3].n) = (ProducerId(101), 1);
    tab.entry(1, "a", &forged[3]);
    assert_eq!(tab.pending(), [Pending::Waiting]);
}

#[test]
fn a_store_that_does_not_answer_is_told_and_asked_again_later() {
    let mut tab = Tab::online();
    tab.act(|session| session.send(text("하나")));
    tab.sent.clear();
    tab.receive(1, refused(1, ErrorCode::Unavailable, true, None));
    assert_eq!(tab.session.trouble(), Some(ErrorCode::Unavailable));
    assert!(tab.sent.is_empty());
    tab.pass(500);
    assert_eq!(tab.take_sent(), [(1, send(1, "하나"))]);
    tab.receive(1, ack(1, 4));
    assert_eq!(tab.session.trouble(), None);
}

#[test]
fn a_number_that_the_log_lost_is_taken_again_before_the_next_message() {
    let mut tab = Tab::online();
    tab.act(|session| session.send(text("하나")));
    tab.receive(1, ack(1, 4));
    tab.act(|session| session.send(text("둘")));
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
    tab.act(|session| session.send(text("하나")));
    for _ in 0..40 {
        tab.pass(1_000);
        tab.receive(1, ServerFrame::Pong);
    }
    assert!(!tab.open.contains(&1));
}

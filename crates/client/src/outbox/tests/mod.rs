use super::*;
use crate::{
    testing::{self, text},
    timeline::Timeline,
};
use protocol::{
    domain::{Entry, EntryId, Epoch},
    frames::REPEAT_WINDOW,
};

mod properties;

const P: ProducerId = ProducerId(1);

fn at(seq: u64) -> Cursor {
    Cursor { epoch: Epoch(1), seq, id: EntryId(1_000 + seq) }
}

fn shown(log: &[Entry]) -> Timeline {
    Timeline::newest(testing::page(log)).unwrap()
}

fn refusal(code: ErrorCode, last: Option<u64>) -> Refusal {
    Refusal { code, retry: code == ErrorCode::Unavailable, last }
}

fn out_of_order(last: u64) -> Refusal {
    refusal(ErrorCode::OutOfOrder, Some(last))
}

impl Outbox {
    /// Where the moment does not matter.
    fn next_to_send(&mut self) -> Vec<Outgoing> {
        self.send_at(Moment::default(), usize::MAX)
    }
}

fn with(messages: usize) -> Outbox {
    let mut outbox = Outbox::new(P);
    for i in 1..=messages {
        outbox.push(text(&format!("m{i}")));
    }
    outbox
}

fn numbers(sent: &[Outgoing]) -> Vec<u64> {
    sent.iter().map(|sent| sent.n).collect()
}

fn states(outbox: &Outbox) -> Vec<(String, Pending)> {
    outbox.unsent().into_iter().map(|row| (row.text, row.state)).collect()
}

#[test]
fn at_most_64_are_under_way_and_the_rest_follow_in_order() {
    let mut outbox = with(70);
    assert_eq!(numbers(&outbox.next_to_send()), (1..=64).collect::<Vec<_>>());
    assert!(outbox.next_to_send().is_empty());
    // The head counts: its answer must be among the last 64.
    assert!(outbox.acked(P, 2, at(2)));
    assert!(outbox.next_to_send().is_empty());
    assert!(outbox.acked(P, 1, at(1)));
    assert_eq!(numbers(&outbox.next_to_send()), [65, 66]);
}

#[test]
fn after_a_disconnect_everything_unanswered_goes_out_again_in_order() {
    let mut outbox = with(4);
    outbox.next_to_send();
    outbox.acked(P, 1, at(1));
    outbox.disconnected();
    assert_eq!(numbers(&outbox.next_to_send()), [2, 3, 4]);
}

#[test]
fn ones_own_entry_in_the_log_is_an_answer_and_a_late_ack_is_no_news() {
    let mut outbox = with(2);
    outbox.next_to_send();
    outbox.seen(P, 1, at(1));
    assert_eq!(states(&outbox).len(), 1);
    assert!(!outbox.acked(P, 1, at(1)));
    assert!(!outbox.acked(ProducerId(2), 2, at(2)));
    assert_eq!(states(&outbox).len(), 1);
}

#[test]
fn an_acknowledged_message_keeps_its_row_until_the_log_shows_it() {
    let mut outbox = with(1);
    outbox.next_to_send();
    let log = testing::log(1, 7);
    outbox.acked(P, 1, log[6].cursor());
    outbox.shown_in(&shown(&log[..6]));
    assert_eq!(states(&outbox), [("m1".to_owned(), Pending::Waiting)]);
    assert!(outbox.is_settled());
    outbox.shown_in(&shown(&log));
    assert!(states(&outbox).is_empty());
}

#[test]
fn a_retryable_refusal_waits_and_then_goes_on_from_the_head() {
    let mut outbox = with(3);
    outbox.next_to_send();
    assert_eq!(outbox.refused(P, 1, refusal(ErrorCode::Unavailable, None)), Verdict::Wait);
    assert_eq!(outbox.refused(P, 2, out_of_order(0)), Verdict::Proceed);
    assert_eq!(outbox.refused(P, 3, out_of_order(0)), Verdict::Proceed);
    assert!(outbox.next_to_send().is_empty());
    outbox.resume();
    assert_eq!(numbers(&outbox.next_to_send()), [1]);
    outbox.acked(P, 1, at(1));
    assert_eq!(numbers(&outbox.next_to_send()), [2, 3]);
}

#[test]
fn a_number_refused_for_no_reason_is_not_tried_again_at_once() {
    let mut outbox = with(1);
    outbox.next_to_send();
    assert_eq!(outbox.refused(P, 1, out_of_order(0)), Verdict::Wait);
}

#[test]
fn a_message_refused_for_good_fails_and_a_void_lets_the_others_pass() {
    let mut outbox = with(2);
    outbox.next_to_send();
    assert_eq!(outbox.refused(P, 1, refusal(ErrorCode::TextInvalid, None)), Verdict::Proceed);
    assert_eq!(outbox.refused(P, 2, out_of_order(0)), Verdict::Proceed);
    let failed = ("m1".to_owned(), Pending::Failed(ErrorCode::TextInvalid));
    assert_eq!(states(&outbox), [failed.clone(), ("m2".to_owned(), Pending::Waiting)]);
    assert_eq!(outbox.next_to_send(), [Outgoing { p: P, n: 1, operation: Operation::Void, earlier: vec![] }]);
    assert!(outbox.voided(P, 1));
    assert_eq!(numbers(&outbox.next_to_send()), [2]);
    outbox.seen(P, 2, at(1));
    assert_eq!(states(&outbox), [failed]);

    outbox.retry(1);
    assert_eq!(
        outbox.next_to_send(),
        [Outgoing { p: P, n: 3, operation: Operation::Message { text: text("m1") }, earlier: vec![] }]
    );
}

#[test]
fn a_refused_message_is_not_tried_again_before_its_number_is_void() {
    let mut outbox = with(1);
    outbox.next_to_send();
    outbox.refused(P, 1, refusal(ErrorCode::Internal, None));
    outbox.retry(1);
    assert_eq!(states(&outbox), [("m1".to_owned(), Pending::Waiting)]);
    assert_eq!(outbox.next_to_send(), [Outgoing { p: P, n: 1, operation: Operation::Void, earlier: vec![] }]);
    // An earlier try had been committed.
    let mut committed = outbox.clone();
    committed.acked(P, 1, at(1));
    assert!(committed.next_to_send().is_empty() && committed.unsent().is_empty() && committed.is_settled());
    // It had not.
    outbox.voided(P, 1);
    assert_eq!(numbers(&outbox.next_to_send()), [2]);
}

#[test]
fn taking_back_what_is_under_way_waits_for_its_answer_and_then_voids_it() {
    let mut outbox = with(1);
    outbox.next_to_send();
    outbox.discard(1);
    assert!(outbox.unsent().is_empty() && outbox.next_to_send().is_empty());
    outbox.disconnected();
    assert_eq!(outbox.next_to_send(), [Outgoing { p: P, n: 1, operation: Operation::Void, earlier: vec![] }]);
    outbox.voided(P, 1);
    outbox.push(text("next"));
    assert_eq!(numbers(&outbox.next_to_send()), [2]);
}

fn void(n: u64) -> Outgoing {
    Outgoing { p: P, n, operation: Operation::Void, earlier: vec![] }
}

#[test]
fn numbers_that_the_log_lost_are_taken_again_before_it_goes_on() {
    let mut outbox = with(4);
    outbox.next_to_send();
    outbox.acked(P, 1, at(1));
    outbox.acked(P, 2, at(2));
    outbox.disconnected();
    assert_eq!(numbers(&outbox.next_to_send()), [3, 4]);
    assert_eq!(outbox.refused(P, 3, out_of_order(1)), Verdict::Proceed);
    assert_eq!(outbox.next_to_send(), [void(2)]);
    assert_eq!(states(&outbox)[1].1, Pending::Waiting, "not lost before the log says so");
    assert!(outbox.voided(P, 2));
    assert!(states(&outbox).contains(&("m2".to_owned(), Pending::Failed(ErrorCode::EpochUnknown))));
    assert_eq!(numbers(&outbox.next_to_send()), [3, 4]);
}

#[test]
fn an_entry_that_turns_up_late_under_a_number_taken_again_was_not_lost() {
    let mut outbox = with(3);
    outbox.next_to_send();
    outbox.acked(P, 1, at(1));
    outbox.acked(P, 2, at(2));
    outbox.disconnected();
    outbox.next_to_send();
    assert_eq!(outbox.refused(P, 3, out_of_order(1)), Verdict::Proceed);
    assert_eq!(outbox.next_to_send(), [void(2)]);
    assert!(outbox.acked(P, 2, at(7)));
    assert!(!states(&outbox).iter().any(|(_, state)| matches!(state, Pending::Failed(_))));
    assert_eq!(numbers(&outbox.next_to_send()), [3]);
}

#[test]
fn a_store_that_lost_too_much_of_the_producer_gets_a_new_one_from_1() {
    let mut outbox = with(0);
    for n in 1..=300 {
        outbox.push(text(&format!("m{n}")));
        outbox.next_to_send();
        outbox.seen(P, n, at(n));
    }
    outbox.push(text("next"));
    outbox.next_to_send();
    assert_eq!(outbox.refused(P, 301, out_of_order(1)), Verdict::ProducerLost);
    outbox.renumber(ProducerId(2));
    // An answer to the old number changes nothing.
    assert_eq!(outbox.refused(P, 301, out_of_order(1)), Verdict::Proceed);
    let sent = outbox.next_to_send();
    assert_eq!(
        sent,
        [Outgoing { p: ProducerId(2), n: 1, operation: Operation::Message { text: text("next") }, earlier: vec![] }]
    );
    assert!(states(&outbox).iter().filter(|(_, state)| matches!(state, Pending::Failed(_))).count() >= 64);
}

#[test]
fn what_the_log_lost_after_acknowledging_it_is_asked_for_and_then_marked() {
    let log = testing::log(1, 9);
    let mut outbox = with(2);
    outbox.next_to_send();
    outbox.seen(P, 1, log[3].cursor());
    outbox.seen(P, 2, log[8].cursor());
    let rolled_back = testing::forked(&log, 6);
    outbox.reset(&shown(&rolled_back[7..]));
    // One is older than what is shown, the other has gone from where it was: the log knows of both.
    assert_eq!(outbox.next_to_send(), [void(1), void(2)]);
    outbox.acked(P, 1, log[3].cursor());
    outbox.voided(P, 2);
    assert_eq!(states(&outbox), [("m2".to_owned(), Pending::Failed(ErrorCode::EpochUnknown))]);
}

#[test]
fn an_acknowledgement_older_than_the_log_is_none() {
    let log = testing::log(1, 9);
    let mut outbox = with(1);
    outbox.next_to_send();
    outbox.acked(P, 1, log[6].cursor());
    outbox.shown_in(&shown(&testing::forked(&log, 6)));
    assert_eq!(outbox.next_to_send(), [void(1)]);
    outbox.voided(P, 1);
    assert_eq!(states(&outbox), [("m1".to_owned(), Pending::Failed(ErrorCode::EpochUnknown))]);
}

#[test]
fn what_another_producer_sent_is_asked_for_under_its_name() {
    let log = testing::log(1, 9);
    let mut before = with(1);
    before.next_to_send();
    before.seen(P, 1, log[8].cursor());
    let mut outbox = Outbox::new(ProducerId(2));
    outbox.inherit(before);
    outbox.reset(&shown(&testing::forked(&log, 6)));
    assert!(outbox.next_to_send().is_empty());
    let mut questions = outbox.questions();
    assert_eq!(questions[0].next_to_send(), [void(1)]);
    questions[0].voided(P, 1);
    assert_eq!(states(&questions[0]), [("m1".to_owned(), Pending::Failed(ErrorCode::EpochUnknown))]);
    assert!(questions[0].is_drained());
}

#[test]
fn a_saved_outbox_sends_what_was_unanswered() {
    let mut outbox = with(3);
    outbox.next_to_send();
    outbox.acked(P, 1, at(1));
    let saved = serde_json::to_string(&outbox).unwrap();
    let mut restored: Outbox = serde_json::from_str(&saved).unwrap();
    assert_eq!(numbers(&restored.next_to_send()), [2, 3]);
}

#[test]
fn a_lost_message_that_is_tried_again_names_the_numbers_it_had() {
    let mut outbox = with(1);
    let lose = |outbox: &mut Outbox, n: u64| {
        outbox.next_to_send();
        outbox.acked(P, n, at(n));
        outbox.ask_for_unshown();
        assert_eq!(outbox.next_to_send(), [void(n)]);
        outbox.voided(P, n);
        outbox.retry(outbox.unsent()[0].n);
        outbox.next_to_send()
    };
    let earlier = |numbers: &[u64]| numbers.iter().map(|&n| Earlier { p: P, n }).collect::<Vec<_>>();
    assert_eq!(lose(&mut outbox, 1)[0].earlier, earlier(&[1]));
    assert_eq!(lose(&mut outbox, 2)[0].earlier, earlier(&[1, 2]));
    // Under the eighth number the first is forgotten: nothing on its way is that old.
    let last = (3..=9).map(|n| lose(&mut outbox, n)).last().unwrap();
    assert_eq!(last[0].earlier, earlier(&[2, 3, 4, 5, 6, 7, 8, 9]));
}

#[test]
fn a_message_marked_as_lost_that_turns_up_is_not_lost() {
    let mut outbox = with(1);
    outbox.next_to_send();
    outbox.acked(P, 1, at(1));
    outbox.ask_for_unshown();
    outbox.next_to_send();
    outbox.voided(P, 1);
    assert_eq!(states(&outbox), [("m1".to_owned(), Pending::Failed(ErrorCode::EpochUnknown))]);
    outbox.seen(P, 1, at(7));
    assert_eq!(states(&outbox), []);
    assert!(outbox.is_settled());
}

use super::*;
use crate::{
    domain::{Entry, EntryId, Epoch},
    protocol::REPEAT_WINDOW,
    testing::{self, text},
    timeline::Timeline,
};
use proptest::prelude::*;

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
    assert_eq!(outbox.next_to_send(), [Outgoing { p: P, n: 1, op: Op::Void, earlier: vec![] }]);
    assert!(outbox.voided(P, 1));
    assert_eq!(numbers(&outbox.next_to_send()), [2]);
    outbox.seen(P, 2, at(1));
    assert_eq!(states(&outbox), [failed]);

    outbox.retry(1);
    assert_eq!(outbox.next_to_send(), [Outgoing { p: P, n: 3, op: Op::Message { text: text("m1") }, earlier: vec![] }]);
}

#[test]
fn a_refused_message_is_not_tried_again_before_its_number_is_void() {
    let mut outbox = with(1);
    outbox.next_to_send();
    outbox.refused(P, 1, refusal(ErrorCode::Internal, None));
    outbox.retry(1);
    assert_eq!(states(&outbox), [("m1".to_owned(), Pending::Waiting)]);
    assert_eq!(outbox.next_to_send(), [Outgoing { p: P, n: 1, op: Op::Void, earlier: vec![] }]);
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
    assert_eq!(outbox.next_to_send(), [Outgoing { p: P, n: 1, op: Op::Void, earlier: vec![] }]);
    outbox.voided(P, 1);
    outbox.push(text("next"));
    assert_eq!(numbers(&outbox.next_to_send()), [2]);
}

fn void(n: u64) -> Outgoing {
    Outgoing { p: P, n, op: Op::Void, earlier: vec![] }
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
    assert_eq!(sent, [Outgoing { p: ProducerId(2), n: 1, op: Op::Message { text: text("next") }, earlier: vec![] }]);
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

/// The log's side of the bargain: accepts `last + 1`, repeats what it answered to the last 64, refuses the rest.
#[derive(Default)]
struct Store {
    /// By producer, in the order of their numbers; `None` is a void.
    producers: Vec<(ProducerId, Vec<Option<u64>>)>,
    log: Vec<String>,
}

#[derive(Clone, Copy)]
enum Answer {
    Ack(u64),
    Voided,
    Refused(Refusal),
}

impl Store {
    fn handle(&mut self, out: &Outgoing) -> Answer {
        let i = self.producers.iter().position(|(p, _)| *p == out.p).unwrap_or_else(|| {
            self.producers.push((out.p, vec![]));
            self.producers.len() - 1
        });
        let answers = &mut self.producers[i].1;
        let last = answers.len() as u64;
        if out.n > last + 1 || out.n + REPEAT_WINDOW <= last {
            return Answer::Refused(out_of_order(last));
        }
        if out.n <= last {
            let n = usize::try_from(out.n).unwrap();
            return match (answers[n - 1], &out.op) {
                (None, Op::Void) => Answer::Voided,
                (None, Op::Message { .. }) => Answer::Refused(refusal(ErrorCode::Conflict, None)),
                (Some(seq), _) => Answer::Ack(seq),
            };
        }
        match &out.op {
            Op::Void => {
                answers.push(None);
                Answer::Voided
            }
            Op::Message { text } if text.as_str().starts_with("bad") => {
                Answer::Refused(refusal(ErrorCode::TextInvalid, None))
            }
            Op::Message { text } => {
                self.log.push(text.as_str().to_owned());
                let seq = self.log.len() as u64;
                answers.push(Some(seq));
                Answer::Ack(seq)
            }
        }
    }

    fn roll_back(&mut self, len: usize) {
        self.log.truncate(len);
        for (_, answers) in &mut self.producers {
            let kept = answers.iter().take_while(|seq| seq.is_none_or(|seq| seq <= len as u64)).count();
            answers.truncate(kept);
        }
    }
}

/// A client and the store, with a socket between them that keeps order and fails in every way.
struct World {
    outbox: Outbox,
    store: Store,
    requests: VecDeque<Outgoing>,
    replies: VecDeque<(ProducerId, u64, Answer)>,
    pushed: Vec<String>,
    acked: Vec<String>,
    producers: u64,
}

#[derive(Debug, Clone)]
enum Event {
    Push(bool),
    Send,
    Serve,
    /// The store is down: nothing is done.
    RefuseLater,
    /// The store did it, and its answer is "try again".
    UnknownOutcome,
    /// The room's server refuses for good although an earlier try may have been committed.
    RefuseForGood,
    LoseRequest,
    LoseReply,
    Deliver,
    Disconnect,
    Resume,
    Retry,
    RollBack(usize),
}

impl World {
    fn new() -> Self {
        Self {
            outbox: Outbox::new(P),
            store: Store::default(),
            requests: VecDeque::new(),
            replies: VecDeque::new(),
            pushed: vec![],
            acked: vec![],
            producers: 1,
        }
    }

    fn step(&mut self, event: &Event) {
        match event {
            Event::Push(bad) => {
                let message = format!("{}{}", if *bad { "bad" } else { "m" }, self.pushed.len());
                self.outbox.push(text(&message));
                self.pushed.push(message);
            }
            Event::Send => self.requests.extend(self.outbox.next_to_send()),
            Event::Serve => {
                if let Some(out) = self.requests.pop_front() {
                    let answer = self.store.handle(&out);
                    self.replies.push_back((out.p, out.n, answer));
                }
            }
            Event::RefuseLater => self.refuse(ErrorCode::Unavailable),
            Event::RefuseForGood => self.refuse(ErrorCode::Internal),
            Event::UnknownOutcome => {
                if let Some(out) = self.requests.pop_front() {
                    self.store.handle(&out);
                    self.replies.push_back((out.p, out.n, Answer::Refused(refusal(ErrorCode::Unavailable, None))));
                }
            }
            Event::LoseRequest => drop(self.requests.pop_front()),
            Event::LoseReply => drop(self.replies.pop_front()),
            Event::Deliver => self.deliver(),
            Event::Disconnect => {
                self.requests.clear();
                self.replies.clear();
                self.outbox.disconnected();
            }
            Event::Resume => self.outbox.resume(),
            Event::Retry => {
                let bad = |row: &Unsent| row.text.starts_with("bad") || row.state == Pending::Waiting;
                if let Some(row) = self.outbox.unsent().into_iter().find(|row| !bad(row)) {
                    self.outbox.retry(row.n);
                }
            }
            // A store that goes back takes its sockets with it.
            Event::RollBack(len) => {
                self.store.roll_back(*len);
                self.step(&Event::Disconnect);
            }
        }
    }

    fn refuse(&mut self, code: ErrorCode) {
        if let Some(out) = self.requests.pop_front() {
            self.replies.push_back((out.p, out.n, Answer::Refused(refusal(code, None))));
        }
    }

    fn deliver(&mut self) {
        let Some((p, n, answer)) = self.replies.pop_front() else { return };
        match answer {
            Answer::Ack(seq) => {
                if self.outbox.acked(p, n, at(seq)) {
                    let seq = usize::try_from(seq).unwrap();
                    self.acked.push(self.store.log[seq - 1].clone());
                }
            }
            Answer::Voided => drop(self.outbox.voided(p, n)),
            Answer::Refused(refusal) => {
                let before = self.outbox.unsent();
                if self.outbox.refused(p, n, refusal) == Verdict::ProducerLost {
                    self.producers += 1;
                    self.outbox.renumber(ProducerId(self.producers));
                }
                // A refusal that says that the log used a number acknowledges its message.
                let after = self.outbox.unsent();
                let answered = before.into_iter().filter(|row| !after.iter().any(|other| other.n == row.n));
                self.acked.extend(answered.map(|row| row.text));
            }
        }
    }

    fn live_through(&mut self, events: &[Event]) {
        for event in events {
            self.step(event);
        }
        self.settle();
    }

    /// Everything works from now on, and refused messages are tried again.
    fn settle(&mut self) {
        self.step(&Event::Disconnect);
        let busy = |world: &Self| !world.outbox.queue.is_empty() || !world.replies.is_empty();
        let mut rounds = 0;
        while busy(self) || rounds < 10 {
            rounds += 1;
            assert!(rounds < 2_000, "{:?}", self.outbox);
            for event in [Event::Resume, Event::Send, Event::Serve, Event::Deliver, Event::Retry] {
                self.step(&event);
            }
        }
        assert!(self.outbox.is_settled(), "{:?}", self.outbox);
    }

    fn good(&self) -> Vec<&String> {
        self.pushed.iter().filter(|message| message.starts_with('m')).collect()
    }
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => prop::bool::weighted(0.1).prop_map(Event::Push),
        6 => Just(Event::Send),
        12 => Just(Event::Serve),
        1 => Just(Event::RefuseLater),
        1 => Just(Event::UnknownOutcome),
        1 => Just(Event::LoseRequest),
        1 => Just(Event::LoseReply),
        12 => Just(Event::Deliver),
        1 => Just(Event::Disconnect),
        4 => Just(Event::Resume),
    ]
}

fn with_refusals() -> impl Strategy<Value = Event> {
    prop_oneof![20 => event(), 1 => Just(Event::RefuseForGood), 1 => Just(Event::Retry)]
}

fn with_roll_backs() -> impl Strategy<Value = Event> {
    prop_oneof![30 => event(), 1 => (0..40usize).prop_map(Event::RollBack)]
}

proptest! {
    /// I3, I6, I9: whatever fails in between, every message becomes one entry, in the order in which it was written.
    #[test]
    fn every_message_is_committed_exactly_once_and_in_order(events in prop::collection::vec(event(), 0..300)) {
        let mut world = World::new();
        world.live_through(&events);
        prop_assert_eq!(world.store.log.iter().collect::<Vec<_>>(), world.good());
        let failed: Vec<String> = world.outbox.unsent().into_iter()
            .filter(|row| matches!(row.state, Pending::Failed(_))).map(|row| row.text).collect();
        let bad: Vec<String> = world.pushed.iter().filter(|message| message.starts_with("bad")).cloned().collect();
        prop_assert_eq!(failed, bad);
        prop_assert_eq!(world.producers, 1, "no producer was lost");
    }

    /// A message refused for good and tried again is still one entry, even if it had been committed before the refusal.
    #[test]
    fn trying_a_refused_message_again_never_doubles_it(events in prop::collection::vec(with_refusals(), 0..300)) {
        let mut world = World::new();
        world.live_through(&events);
        let mut log: Vec<&String> = world.store.log.iter().collect();
        let mut good = world.good();
        log.sort();
        good.sort();
        prop_assert_eq!(log, good);
    }

    /// After a store went back, what it had acknowledged may be gone, but nothing else is, and nothing is twice.
    #[test]
    fn a_store_that_goes_back_loses_only_what_it_had_acknowledged(
        events in prop::collection::vec(with_roll_backs(), 0..300),
    ) {
        let mut world = World::new();
        world.live_through(&events);
        // What was lost after it was acknowledged is tried again as a new message.
        let order: Vec<usize> = world.store.log.iter().filter(|message| !world.acked.contains(message))
            .map(|message| world.pushed.iter().position(|pushed| pushed == message).unwrap()).collect();
        prop_assert!(order.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", order);
        for message in world.good() {
            prop_assert!(world.store.log.contains(message) || world.acked.contains(message), "{} is gone", message);
        }
    }
}

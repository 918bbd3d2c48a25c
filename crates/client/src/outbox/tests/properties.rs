//! The outbox against a log that keeps its side of the bargain, over a socket that fails in every way.

use super::*;
use proptest::prelude::*;

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
            return match (answers[n - 1], &out.operation) {
                (None, Operation::Void) => Answer::Voided,
                (None, Operation::Message { .. }) => Answer::Refused(refusal(ErrorCode::Conflict, None)),
                (Some(seq), _) => Answer::Ack(seq),
            };
        }
        match &out.operation {
            Operation::Void => {
                answers.push(None);
                Answer::Voided
            }
            Operation::Message { text } if text.as_str().starts_with("bad") => {
                Answer::Refused(refusal(ErrorCode::TextInvalid, None))
            }
            Operation::Message { text } => {
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
    /// Days since a message was first written.
    days: u64,
}

#[derive(Debug, Clone)]
enum Event {
    Push(bool),
    Send,
    /// As many as may be under way beside those of other rooms.
    SendAtMost(usize),
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
    DaysPass(u64),
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
            days: 0,
        }
    }

    fn step(&mut self, event: &Event) {
        match event {
            Event::Push(bad) => {
                let message = format!("{}{}", if *bad { "bad" } else { "m" }, self.pushed.len());
                self.outbox.push(text(&message));
                self.pushed.push(message);
            }
            Event::Send => self.send(usize::MAX),
            Event::SendAtMost(most) => self.send(*most),
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
            Event::DaysPass(days) => {
                self.days += days;
                self.outbox.expire(self.date());
            }
            // A store that goes back takes its sockets with it.
            Event::RollBack(len) => {
                self.store.roll_back(*len);
                self.step(&Event::Disconnect);
            }
        }
    }

    fn date(&self) -> u64 {
        self.days * 24 * 60 * 60 * 1_000
    }

    fn send(&mut self, most: usize) {
        let sent = self.outbox.send_at(Moment { now: 0, date: Some(self.date()) }, most);
        assert!(sent.len() <= most);
        self.requests.extend(sent);
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
        2 => (0..4usize).prop_map(Event::SendAtMost),
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
    prop_oneof![
        20 => event(),
        1 => Just(Event::RefuseForGood),
        1 => Just(Event::Retry),
        1 => (1..9u64).prop_map(Event::DaysPass),
    ]
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

    /// A message refused for good, or given up after a week, and tried again is still one entry, even if it had been committed
    /// before that.
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

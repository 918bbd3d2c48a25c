//! A room's outboxes: this tab's own, and those that tabs before it left behind.

use crate::{
    outbox::{Moment, Outbox, Outgoing, Refusal, Verdict},
    rows::Unsent,
    timeline::Timeline,
};
use protocol::domain::{Cursor, MessageText, ProducerId};

/// Far more rows than an outbox ever names: each adopted one names its rows in a range of its own.
const IDS: u64 = 1 << 32;

/// Messages of different outboxes have no order among them; those of one keep theirs.
pub(super) struct Outboxes {
    own: Outbox,
    /// Being drained under their own producers.
    adopted: Vec<Outbox>,
    adoptions: u64,
}

impl Outboxes {
    pub fn new(p: ProducerId) -> Self {
        Self { own: Outbox::new(p), adopted: Vec::new(), adoptions: 0 }
    }

    /// Goes on with an outbox that was stored. One with unanswered messages becomes the own one if that was never used,
    /// so that what is written next goes behind them.
    pub fn adopt(&mut self, stored: Outbox) {
        // Two outboxes that give out the same numbers: whatever happened to the storage, no good comes of it.
        if self.iter().any(|outbox| outbox.producer() == stored.producer() && !outbox.is_unused()) {
            return;
        }
        self.adoptions += 1;
        let mut stored = stored.from_store(self.adoptions * IDS);
        if stored.is_drained() {
            // A number that is not waited for is never given out after another: storage may be older than the log.
            self.own.inherit(stored);
        } else if self.own.is_unused() && !stored.is_settled() && !stored.is_asking() {
            std::mem::swap(&mut self.own, &mut stored);
            self.own.inherit(stored);
        } else {
            self.adopted.push(stored);
        }
    }

    /// What is worth storing; the own one first.
    pub fn to_store(&self) -> Vec<Outbox> {
        self.iter().filter(|outbox| !outbox.is_empty()).map(Outbox::to_store).collect()
    }

    pub fn take_changed(&mut self) -> bool {
        self.iter_mut().fold(false, |changed, outbox| outbox.take_changed() | changed)
    }

    pub fn is_settled(&self) -> bool {
        self.iter().all(Outbox::is_settled)
    }

    pub fn push(&mut self, text: MessageText) {
        self.own.push(text);
    }

    pub fn retry(&mut self, id: u64) {
        self.each(|outbox| outbox.retry(id));
        self.tidy();
    }

    pub fn discard(&mut self, id: u64) {
        self.each(|outbox| outbox.discard(id));
    }

    /// What is to be sent now, at most `most` numbers.
    pub fn send_at(&mut self, moment: Moment, most: usize) -> Vec<Outgoing> {
        let mut out = Vec::new();
        for outbox in self.oldest_first() {
            let left = most - out.len();
            out.extend(outbox.send_at(moment, left));
        }
        out
    }

    /// Whether nothing waits for an answer.
    pub fn are_drained(&self) -> bool {
        self.iter().all(Outbox::is_drained)
    }

    /// How many numbers are under way.
    pub fn under_way(&self) -> usize {
        self.iter().map(Outbox::under_way).sum()
    }

    /// Of each message that is not answered, since when it could have been.
    pub fn unanswered(&self) -> impl Iterator<Item = Option<u64>> {
        self.iter().flat_map(Outbox::unanswered)
    }

    /// How many were refused and wait for their author.
    pub fn given_up(&self) -> usize {
        self.iter().map(Outbox::given_up).sum()
    }

    /// Gives up what was tried for long enough. Says whether anything was.
    pub fn expire(&mut self, date: u64) -> bool {
        self.iter_mut().fold(false, |any, outbox| outbox.expire(date) | any)
    }

    pub fn awaited(&self) -> Option<(ProducerId, u64)> {
        self.iter().rev().find_map(Outbox::awaited)
    }

    pub fn disconnected(&mut self) {
        self.each(Outbox::disconnected);
    }

    pub fn resume(&mut self) {
        self.each(Outbox::resume);
    }

    pub fn acked(&mut self, p: ProducerId, n: u64, at: Cursor) -> bool {
        self.answered(p, |outbox| outbox.acked(p, n, at))
    }

    pub fn voided(&mut self, p: ProducerId, n: u64) -> bool {
        self.answered(p, |outbox| outbox.voided(p, n))
    }

    pub fn refused(&mut self, p: ProducerId, n: u64, refusal: Refusal, fresh: impl FnOnce() -> ProducerId) -> Verdict {
        let Some(outbox) = self.iter_mut().find(|outbox| outbox.producer() == p) else { return Verdict::Proceed };
        let verdict = outbox.refused(p, n, refusal);
        if verdict == Verdict::ProducerLost {
            outbox.renumber(fresh());
        }
        self.tidy();
        verdict
    }

    /// Says whether one of them waited for it.
    pub fn seen(&mut self, p: ProducerId, n: u64, at: Cursor) -> bool {
        let mut answered = false;
        self.each(|outbox| answered |= outbox.seen(p, n, at));
        self.tidy();
        answered
    }

    pub fn reset(&mut self, timeline: &Timeline) {
        self.each(|outbox| outbox.reset(timeline));
        self.take_questions();
    }

    pub fn doubt_unconfirmed(&mut self, timeline: &Timeline) {
        self.each(|outbox| outbox.doubt_unconfirmed(timeline));
        self.take_questions();
    }

    pub fn shown_in(&mut self, timeline: &Timeline) {
        self.each(|outbox| outbox.shown_in(timeline));
        self.take_questions();
    }

    /// The oldest acknowledged message that is not shown.
    pub fn unshown(&self) -> Option<(ProducerId, u64)> {
        self.iter().find_map(Outbox::unshown)
    }

    pub fn ask_for_unshown(&mut self) {
        self.each(Outbox::ask_for_unshown);
        self.take_questions();
    }

    /// What is to be asked under a producer of the past needs an outbox of its own, unless that producer still has one.
    fn take_questions(&mut self) {
        let questions: Vec<Outbox> = self.iter_mut().flat_map(Outbox::questions).collect();
        for question in questions {
            let same = self.iter_mut().find(|outbox| outbox.producer() == question.producer());
            if let Some(outbox) = same {
                outbox.ask_as(question);
            } else {
                self.adopted.push(question);
            }
        }
    }

    pub fn take_unsent(&mut self) -> Vec<MessageText> {
        self.oldest_first().flat_map(Outbox::take_unsent).collect()
    }

    /// Everything that needs a row after the log's entries.
    pub fn unsent(&self) -> Vec<Unsent> {
        self.iter().rev().flat_map(Outbox::unsent).collect()
    }

    fn answered(&mut self, p: ProducerId, answer: impl FnOnce(&mut Outbox) -> bool) -> bool {
        let news = self.iter_mut().find(|outbox| outbox.producer() == p).is_some_and(answer);
        self.tidy();
        news
    }

    /// An adopted outbox that is drained has only its failed and its acknowledged messages left, and those need no
    /// producer.
    fn tidy(&mut self) {
        for again in self.adopted.iter_mut().flat_map(Outbox::take_again).collect::<Vec<_>>() {
            self.own.push_again(again);
        }
        for drained in self.adopted.extract_if(.., |outbox| outbox.is_drained()) {
            self.own.inherit(drained);
        }
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = &Outbox> {
        std::iter::once(&self.own).chain(&self.adopted)
    }

    fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Outbox> {
        std::iter::once(&mut self.own).chain(&mut self.adopted)
    }

    fn oldest_first(&mut self) -> impl Iterator<Item = &mut Outbox> {
        self.iter_mut().rev()
    }

    fn each(&mut self, act: impl FnMut(&mut Outbox)) {
        self.iter_mut().for_each(act);
    }
}

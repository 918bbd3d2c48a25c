//! What the log's answers do to the outbox.

use super::{Failed, Item, Landed, Operation, Outbox, Refusal, Verdict};
use crate::timeline::Timeline;
use protocol::{
    domain::{Cursor, MessageText, ProducerId},
    frames::{EARLIER_MAX, Earlier, ErrorCode, REPEAT_WINDOW},
};

/// Acknowledged messages that are remembered. As many of their numbers the log remembers,
/// [`REPEAT_WINDOW`].
const LANDED_MAX: usize = 64;
/// Numbers that are used again after the log went back. Beyond it the producer begins anew under another id: nothing
/// that was under way can be that old.
const REFILL_MAX: u64 = 4 * REPEAT_WINDOW;

impl Outbox {
    /// `n` is committed as the entry at `at`. Says whether that was news.
    pub fn acked(&mut self, p: ProducerId, n: u64, at: Cursor) -> bool {
        let Some(item) = self.take(p, n) else { return false };
        match item.operation {
            Operation::Message { text } => {
                let (id, earlier, sent) = (item.id, item.earlier, item.sent);
                self.land(Landed { id, p, n, text, at, shown: false, asked: false, earlier, sent });
            }
            // It was refused or discarded, and had been committed before; or the log still has it.
            Operation::Void => {
                self.failed.retain(|failed| failed.void != Some(n));
                for landed in self.landed.iter_mut().filter(|landed| (landed.p, landed.n) == (p, n)) {
                    (landed.at, landed.asked) = (at, false);
                }
            }
        }
        true
    }

    /// This person's entry with this producer and number stands in the log at `at`, which is as good as an answer. The
    /// caller makes sure that it is this person's: anyone may use any producer id. Says whether it was waited for.
    pub fn seen(&mut self, p: ProducerId, n: u64, at: Cursor) -> bool {
        let answered = self.acked(p, n, at);
        self.turned_up(p, n, at);
        for landed in self.landed.iter_mut().filter(|landed| landed.at == at) {
            landed.shown = true;
        }
        answered
    }

    /// What was marked as lost stands in the log after all.
    fn turned_up(&mut self, p: ProducerId, n: u64, at: Cursor) {
        let here = |failed: &Failed| failed.earlier.contains(&Earlier { p, n });
        if let Some(i) = self.failed.iter().position(here) {
            let Failed { id, text, .. } = self.failed.remove(i);
            self.land(Landed { id, p, n, text, at, shown: false, asked: false, earlier: Vec::new(), sent: None });
        }
    }

    /// `n` is used up and is no message.
    pub fn voided(&mut self, p: ProducerId, n: u64) -> bool {
        let Some(item) = self.take(p, n) else { return false };
        match item.operation {
            Operation::Message { text } => self.fail(item.id, text, ErrorCode::Conflict, None, item.earlier),
            Operation::Void => self.void_answered(n),
        }
        true
    }

    /// The store did not do what was asked under `n`. The caller passes on only what came from the present socket: an
    /// answer to what was sent on an earlier one would be taken for an answer to what is under way now.
    pub fn refused(&mut self, p: ProducerId, n: u64, refusal: Refusal) -> Verdict {
        let position = self.queue.iter().position(|item| p == self.p && item.n == n);
        let Some((item, sent_after)) = position.and_then(|i| {
            let item = &mut self.queue[i];
            item.flight.take().map(|used| (item, used))
        }) else {
            return Verdict::Proceed;
        };
        self.cautious = true;
        match (refusal.code, &item.operation) {
            (ErrorCode::OutOfOrder, _) => self.out_of_order(n, sent_after, refusal.last),
            // Nothing is wrong with the message: the room has to be joined again, or there is no room in flight.
            (ErrorCode::NotJoined, _) => self.wait(),
            _ if refusal.retry => self.wait(),
            // The number is used up, though not by what is here now.
            (ErrorCode::Conflict, Operation::Void) => {
                self.take(p, n);
                self.failed.retain(|failed| failed.void != Some(n));
                self.taken_for_kept(n);
                Verdict::Proceed
            }
            (ErrorCode::Conflict, Operation::Message { .. }) => {
                self.voided(p, n);
                Verdict::Proceed
            }
            // Later numbers need this one; its sender may see again why the message stays out.
            (code, Operation::Void) => {
                for failed in self.failed.iter_mut().filter(|failed| failed.void == Some(n)) {
                    (failed.again, failed.code) = (false, code);
                    self.changed = true;
                }
                self.wait()
            }
            (code, Operation::Message { text }) => {
                let (id, text, earlier) = (item.id, text.clone(), std::mem::take(&mut item.earlier));
                item.operation = Operation::Void;
                self.fail(id, text, code, Some(n), earlier);
                Verdict::Proceed
            }
        }
    }

    /// The log is at `last` and so could not take `n`, which was sent when it was at `sent_after` or later.
    fn out_of_order(&mut self, n: u64, sent_after: u64, last: Option<u64>) -> Verdict {
        match last {
            // It went back: numbers of this producer are free again that it had taken, and the entries under them gone.
            Some(last) if last < sent_after => self.log_went_back(last),
            // `n` was used so long ago that the log forgot how. The window in `next_to_send` keeps this from happening.
            Some(last) if last >= n.saturating_add(REPEAT_WINDOW) => {
                self.taken_for_used(|item| item == n);
                Verdict::Proceed
            }
            // Something before `n` was refused or is being sent: once the head is answered, all that follows goes out
            // again. If some up to `last` are unanswered, the log has them and says so when they are repeated.
            Some(last) if last + 1 < n => Verdict::Proceed,
            // No reason to refuse it: trying again at once might go on forever.
            _ => self.wait(),
        }
    }

    /// The log knows of no number after `last`. All of them are used again, each for what it was used for, so that nothing
    /// still on its way can turn up a second time: what had been acknowledged is replaced by voids, and marked as lost.
    fn log_went_back(&mut self, last: u64) -> Verdict {
        for landed in self.landed.iter_mut().filter(|landed| landed.p == self.p && landed.n > last) {
            (landed.asked, landed.shown) = (true, false);
        }
        self.changed = true;
        if self.used - last > REFILL_MAX {
            self.taken_for_used(|item| item <= last);
            for n in last + 1..=self.used {
                self.void_answered(n);
            }
            return Verdict::ProducerLost;
        }
        for n in last + 1..=self.used {
            self.queue_void(n);
        }
        self.used = last;
        for item in &mut self.queue {
            item.flight = None;
        }
        Verdict::Proceed
    }

    /// Queues a void under a number that was used before, in its place.
    fn queue_void(&mut self, n: u64) {
        let place = self.queue.partition_point(|item| item.n < n);
        if self.queue.get(place).is_none_or(|item| item.n != n) {
            let id = self.next_id;
            self.next_id += 1;
            self.queue.insert(place, Item::new(id, n, Operation::Void, Vec::new()));
            self.changed = true;
        }
    }

    /// Nobody else uses our numbers, so one that the log has used is what we sent under it.
    fn taken_for_used(&mut self, used: impl Fn(u64) -> bool) {
        for n in self.queue.iter().map(|item| item.n).filter(|&n| used(n)).collect::<Vec<_>>() {
            if self.take(self.p, n).is_some_and(|item| item.operation == Operation::Void) && !self.taken_for_kept(n) {
                self.void_answered(n);
            }
        }
    }

    /// The log has forgotten what became of an acknowledged message that is asked for: its word stands.
    fn taken_for_kept(&mut self, n: u64) -> bool {
        let asked = |landed: &&mut Landed| landed.p == self.p && landed.n == n && landed.asked;
        let kept = self.landed.iter_mut().find(asked).map(|landed| landed.asked = false);
        kept.is_some()
    }

    /// Takes a new producer id and numbers everything unanswered from 1.
    pub fn renumber(&mut self, p: ProducerId) {
        self.p = p;
        self.used = 0;
        self.changed = true;
        self.queue.retain(|item| item.operation != Operation::Void);
        let mut n = 0;
        for item in &mut self.queue {
            n += 1;
            (item.n, item.flight, item.sent) = (n, None, None);
        }
        self.next = n + 1;
        (self.waiting, self.cautious) = (false, false);
        // Questions under the old number are asked anew, under its name.
        for landed in &mut self.landed {
            landed.asked = false;
        }
        // A number of the lost producer can no longer become a message.
        for void in self.failed.iter().filter_map(|failed| failed.void).collect::<Vec<_>>() {
            self.void_answered(void);
        }
    }

    /// The log started over as `timeline`: what it acknowledged and does not show may be gone.
    pub fn reset(&mut self, timeline: &Timeline) {
        self.ask(|landed| timeline.has(landed.at) != Some(true));
        for landed in self.landed.iter_mut().filter(|landed| landed.asked) {
            landed.shown &= timeline.has(landed.at).is_none();
        }
    }

    /// What `timeline` shows by now needs no row of its own any more. Should it show another entry in the place of an
    /// acknowledged message, then the acknowledgement was older than the log is.
    pub fn shown_in(&mut self, timeline: &Timeline) {
        let tail = timeline.cursor();
        let reached = |landed: &Landed| !landed.shown && landed.at.epoch == tail.epoch && landed.at.seq <= tail.seq;
        self.ask(|landed| reached(landed) && timeline.has(landed.at) == Some(false));
        for landed in self.landed.iter_mut().filter(|landed| !landed.asked) {
            landed.shown |= reached(landed);
        }
    }

    /// Something acknowledged is not shown, and nothing says why: the log may have been set back since.
    pub fn ask_for_unshown(&mut self) {
        self.ask(|landed| !landed.shown);
    }

    /// The oldest acknowledged message that is not shown yet, nor asked for.
    pub fn unshown(&self) -> Option<(ProducerId, u64)> {
        self.landed.iter().find(|landed| !landed.shown && !landed.asked).map(|landed| (landed.p, landed.n))
    }

    /// Finds out whether the log still has some of what it acknowledged.
    pub(super) fn ask(&mut self, doubtful: impl Fn(&Landed) -> bool) {
        let mut numbers = Vec::new();
        for landed in self.landed.iter_mut().filter(|landed| !landed.asked && doubtful(landed)) {
            landed.asked = true;
            numbers.extend((landed.p == self.p).then_some(landed.n));
            self.changed = true;
        }
        for n in numbers {
            self.queue_void(n);
        }
    }

    /// What is asked for under another producer than this one: outboxes that ask. They are drained beside this one.
    pub fn questions(&mut self) -> Vec<Self> {
        let mut outboxes: Vec<Self> = Vec::new();
        for landed in self.landed.extract_if(.., |landed| landed.asked && landed.p != self.p) {
            let i = outboxes.iter().position(|outbox| outbox.p == landed.p).unwrap_or_else(|| {
                outboxes.push(Self { asking: true, next: u64::MAX, ..Self::new(landed.p) });
                outboxes.len() - 1
            });
            let outbox = &mut outboxes[i];
            outbox.used = outbox.used.max(landed.n);
            outbox.queue_void(landed.n);
            outbox.landed.push(landed);
        }
        outboxes
    }

    /// Takes over the questions of another outbox of the same producer.
    pub fn ask_as(&mut self, question: Self) {
        for landed in question.landed {
            let n = landed.n;
            self.land(landed);
            self.used = self.used.max(n);
            self.queue_void(n);
        }
    }

    fn wait(&mut self) -> Verdict {
        self.waiting = true;
        Verdict::Wait
    }

    /// Removes an item that was answered.
    fn take(&mut self, p: ProducerId, n: u64) -> Option<Item> {
        let i = self.queue.iter().position(|item| p == self.p && item.n == n)?;
        self.used = self.used.max(n);
        (self.cautious, self.changed) = (false, true);
        self.queue.remove(i)
    }

    /// Remembers an acknowledged message; of too many, those longest in the log are forgotten.
    pub(super) fn land(&mut self, landed: Landed) {
        self.changed = true;
        let place = self.landed.partition_point(|other| other.at.seq < landed.at.seq);
        self.landed.insert(place, landed);
        // What is being asked for is as good as lost until the answer is there; what is not shown yet has its row here.
        let many = self.landed.len() > 4 * LANDED_MAX;
        let settled = |landed: &Landed| !landed.asked && (landed.shown || many);
        if self.landed.iter().filter(|landed| settled(landed)).count() > LANDED_MAX
            && let Some(oldest) = self.landed.iter().position(settled)
        {
            self.landed.remove(oldest);
        }
    }

    pub(super) fn fail(
        &mut self,
        id: u64,
        text: MessageText,
        code: ErrorCode,
        void: Option<u64>,
        earlier: Vec<Earlier>,
    ) {
        self.failed.push(Failed { id, text, code, void, again: false, earlier });
        self.changed = true;
    }

    /// The void under `n` is in the log, so the message it stands for is not.
    fn void_answered(&mut self, n: u64) {
        let lost = |landed: &mut Landed| landed.p == self.p && landed.n == n && landed.asked;
        for landed in self.landed.extract_if(.., lost).collect::<Vec<_>>() {
            let Landed { id, text, p, mut earlier, .. } = landed;
            if earlier.len() == EARLIER_MAX {
                earlier.remove(0);
            }
            earlier.push(Earlier { p, n });
            self.fail(id, text, ErrorCode::EpochUnknown, None, earlier);
        }
        let Some(i) = self.failed.iter().position(|failed| failed.void == Some(n)) else { return };
        if self.failed[i].again && !self.asking {
            let failed = self.failed.remove(i);
            self.push_again(failed.into());
        } else {
            self.changed = true;
            self.failed[i].void = None;
        }
    }
}

//! What the log's answers do to the outbox.

use super::{Failed, Item, Landed, Op, Outbox, Refusal, Verdict};
use crate::{
    domain::{Cursor, MessageText, ProducerId},
    protocol::{ErrorCode, IN_FLIGHT_MAX, REPEAT_WINDOW},
    timeline::Timeline,
};

impl Outbox {
    /// `n` is committed as the entry at `at`. Says whether that was news.
    pub fn acked(&mut self, p: ProducerId, n: u64, at: Cursor) -> bool {
        let Some(item) = self.take(p, n) else { return false };
        match item.op {
            Op::Message { text } => self.land(Landed { id: item.id, text, at, shown: false, doubted: false }),
            // It was refused or discarded, and had been committed before.
            Op::Void => self.failed.retain(|failed| failed.void != Some(n)),
        }
        true
    }

    /// This person's entry with this producer and number stands in the log at `at`, which is as good as an answer. The
    /// caller makes sure that it is this person's: anyone may use any producer id.
    pub fn seen(&mut self, p: ProducerId, n: u64, at: Cursor) {
        self.acked(p, n, at);
        for landed in self.landed.iter_mut().filter(|landed| landed.at == at) {
            landed.shown = true;
        }
    }

    /// `n` is used up and is no message.
    pub fn voided(&mut self, p: ProducerId, n: u64) -> bool {
        let Some(item) = self.take(p, n) else { return false };
        match item.op {
            Op::Message { text } => self.fail(item.id, text, ErrorCode::Conflict, None),
            Op::Void => self.void_answered(n),
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
        match (refusal.code, &item.op) {
            (ErrorCode::OutOfOrder, _) => self.out_of_order(n, sent_after, refusal.last),
            // Nothing is wrong with the message: the room has to be joined again, or there is no room in flight.
            (ErrorCode::NotJoined, _) => self.wait(),
            _ if refusal.retry => self.wait(),
            // The number is used up, though not by what is here now.
            (ErrorCode::Conflict, Op::Void) => {
                self.take(p, n);
                self.failed.retain(|failed| failed.void != Some(n));
                Verdict::Proceed
            }
            (ErrorCode::Conflict, Op::Message { .. }) => {
                self.voided(p, n);
                Verdict::Proceed
            }
            // Later numbers need this one; its sender may see again why the message stays out.
            (code, Op::Void) => {
                for failed in self.failed.iter_mut().filter(|failed| failed.void == Some(n)) {
                    (failed.again, failed.code) = (false, code);
                }
                self.wait()
            }
            (code, Op::Message { text }) => {
                let (id, text) = (item.id, text.clone());
                item.op = Op::Void;
                self.fail(id, text, code, Some(n));
                Verdict::Proceed
            }
        }
    }

    /// The log is at `last` and so could not take `n`, which was sent when it was at `sent_after` or later.
    fn out_of_order(&mut self, n: u64, sent_after: u64, last: Option<u64>) -> Verdict {
        match last {
            // It went back: records of this producer were lost, and with them maybe entries. What is unanswered here and
            // beyond `last` is not in the log, and will not be: `last` rises no more.
            Some(last) if last < sent_after => {
                self.taken_for_used(|item| item <= last);
                Verdict::ProducerLost
            }
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

    /// Nobody else uses our numbers, so one that the log has used is what we sent under it.
    fn taken_for_used(&mut self, used: impl Fn(u64) -> bool) {
        for n in self.queue.iter().map(|item| item.n).filter(|&n| used(n)).collect::<Vec<_>>() {
            if self.take(self.p, n).is_some_and(|item| item.op == Op::Void) {
                self.void_answered(n);
            }
        }
    }

    /// Takes a new producer id and numbers everything unanswered from 1.
    pub fn renumber(&mut self, p: ProducerId) {
        self.p = p;
        self.used = 0;
        self.queue.retain(|item| item.op != Op::Void);
        let mut n = 0;
        for item in &mut self.queue {
            n += 1;
            (item.n, item.flight) = (n, None);
        }
        self.next = n + 1;
        (self.waiting, self.cautious) = (false, false);
        // A number of the lost producer can no longer become a message.
        for void in self.failed.iter().filter_map(|failed| failed.void).collect::<Vec<_>>() {
            self.void_answered(void);
        }
    }

    /// The log started over as `timeline`: what it acknowledged may be gone.
    pub fn reset(&mut self, timeline: &Timeline) {
        for landed in &mut self.landed {
            landed.doubted = true;
        }
        self.look_up_doubted(timeline);
    }

    /// Looks for acknowledged messages in the log since it started over; those it no longer has become failed ones. Says
    /// whether some are older than what `timeline` shows.
    pub fn look_up_doubted(&mut self, timeline: &Timeline) -> bool {
        self.lose(|landed| landed.doubted && timeline.has(landed.at) == Some(false));
        for landed in &mut self.landed {
            landed.doubted &= timeline.has(landed.at).is_none();
        }
        self.landed.iter().any(|landed| landed.doubted)
    }

    /// What `timeline` shows by now needs no row of its own any more. Should it show another entry in the place of an
    /// acknowledged message, then the acknowledgement was older than the log is.
    pub fn shown_in(&mut self, timeline: &Timeline) {
        let tail = timeline.cursor();
        let reached = |landed: &Landed| !landed.shown && landed.at.epoch == tail.epoch && landed.at.seq <= tail.seq;
        self.lose(|landed| reached(landed) && timeline.has(landed.at) == Some(false));
        for landed in &mut self.landed {
            landed.shown |= reached(landed);
        }
    }

    /// The log no longer has what it acknowledged.
    fn lose(&mut self, lost: impl Fn(&Landed) -> bool) {
        for landed in self.landed.extract_if(.., |landed| lost(landed)).collect::<Vec<_>>() {
            self.fail(landed.id, landed.text, ErrorCode::EpochUnknown, None);
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
        self.cautious = false;
        self.queue.remove(i)
    }

    fn land(&mut self, landed: Landed) {
        if self.landed.len() >= IN_FLIGHT_MAX {
            self.landed.remove(0);
        }
        self.landed.push(landed);
    }

    fn fail(&mut self, id: u64, text: MessageText, code: ErrorCode, void: Option<u64>) {
        self.failed.push(Failed { id, text, code, void, again: false });
    }

    /// The void under `n` is in the log, so the message it stands for is not.
    fn void_answered(&mut self, n: u64) {
        let Some(i) = self.failed.iter().position(|failed| failed.void == Some(n)) else { return };
        if self.failed[i].again {
            let failed = self.failed.remove(i);
            self.push(failed.text);
        } else {
            self.failed[i].void = None;
        }
    }
}

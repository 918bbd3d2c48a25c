//! What goes out when, and when it is given up.

use super::{Item, Operation, Outbox, Outgoing};
use protocol::{
    domain::ProducerId,
    frames::{ErrorCode, IN_FLIGHT_MAX},
};

/// For how long a message is tried, in days from when it was first sent. The log forgets a producer after 30: until then it
/// tells a message that it has from one that it does not have.
pub const RETRY_DAYS: u64 = 7;
const RETRY_MS: u64 = RETRY_DAYS * 24 * 60 * 60 * 1_000;

/// When something is sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moment {
    /// By the session's clock, in milliseconds.
    pub now: u64,
    /// By the calendar, in milliseconds since 1970-01-01 UTC, if there is one.
    pub date: Option<u64>,
}

impl Outbox {
    /// What is to be sent now, at most `most` numbers; the caller must send it, in this order, on the present socket.
    pub fn send_at(&mut self, moment: Moment, most: usize) -> Vec<Outgoing> {
        let Some(head) = self.queue.front().map(|item| item.n) else { return Vec::new() };
        for item in &mut self.queue {
            item.since = item.since.or(Some(moment.now));
        }
        if self.waiting {
            return Vec::new();
        }
        // Counted from the head rather than by what is under way, so that the head's answer is among those that the log
        // still remembers.
        let end = head + if self.cautious { 1 } else { IN_FLIGHT_MAX as u64 };
        let (p, used) = (self.p, self.used);
        let sendable = self.queue.iter_mut().take_while(|item| item.n < end).filter(|item| item.flight.is_none());
        let mut out = Vec::new();
        for item in sendable.take(most) {
            item.flight = Some(used);
            if item.sent.is_none() && moment.date.is_some() {
                (item.sent, self.changed) = (moment.date, true);
            }
            out.push(Outgoing { p, n: item.n, operation: item.operation.clone(), earlier: item.earlier.clone() });
        }
        out
    }

    /// How many numbers are under way.
    pub fn under_way(&self) -> usize {
        self.queue.iter().filter(|item| item.flight.is_some()).count()
    }

    /// The oldest number under way, to notice when nothing is answered any more.
    pub fn awaited(&self) -> Option<(ProducerId, u64)> {
        self.queue.iter().find(|item| item.flight.is_some()).map(|item| (self.p, item.n))
    }

    /// Of each message that is not answered, since when it could have been on the present socket.
    pub fn unanswered(&self) -> impl Iterator<Item = Option<u64>> {
        self.queue.iter().filter(|item| item.operation != Operation::Void).map(|item| item.since)
    }

    /// How many were refused and wait for their author.
    pub fn given_up(&self) -> usize {
        self.failed.len()
    }

    /// The socket is gone, or another one took over: everything unanswered is sent again.
    pub fn disconnected(&mut self) {
        for item in &mut self.queue {
            (item.flight, item.since) = (None, None);
        }
        self.waiting = false;
        self.cautious = false;
    }

    /// Gives up what was first sent [`RETRY_DAYS`] ago, and says whether anything was: `date` is the present in milliseconds
    /// since 1970-01-01 UTC. What was acknowledged as long ago is not asked for any more: the log may not know.
    ///
    /// A clock that was set forward gives up early, which takes nothing away: should it be committed, the void's answer says
    /// so. One that was set back does not keep a message for longer than from now on.
    pub fn expire(&mut self, date: u64) -> bool {
        let mut given_up = Vec::new();
        for item in &mut self.queue {
            let Item { operation: Operation::Message { text }, .. } = item else { continue };
            if is_over(&mut item.sent, date) {
                given_up.push((item.id, text.clone(), item.n, std::mem::take(&mut item.earlier)));
                item.operation = Operation::Void;
            }
        }
        self.landed.retain_mut(|landed| landed.asked || !is_over(&mut landed.sent, date));
        let any = !given_up.is_empty();
        for (id, text, n, earlier) in given_up {
            self.fail(id, text, ErrorCode::Unavailable, Some(n), earlier);
        }
        any
    }
}

fn is_over(sent: &mut Option<u64>, date: u64) -> bool {
    *sent = sent.map(|sent| sent.min(date));
    sent.is_some_and(|sent| date - sent >= RETRY_MS)
}

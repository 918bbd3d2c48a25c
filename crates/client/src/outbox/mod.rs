//! What this tab has sent to one room and does not yet know the fate of.
//!
//! The log accepts a producer's numbers 1, 2, 3 … in order, and answers a number it has again as it did before. So the
//! outbox may send whatever is unanswered as often as it likes, in order, and each message becomes one entry. What it has
//! to get right is when a number may change its content:
//!
//! - A number whose message was refused for good is sent again as a *void*: the log uses it up, and later numbers can
//!   proceed. Should an earlier try have been committed after all, the answer to the void says so.
//! - Trying a refused message again makes a new message at the end, but not before the void was answered: until then the
//!   old number may still turn out to be that message.
//!
//! - What the log may have lost after acknowledging it is asked for in the same way: a void under its number brings the
//!   old answer back, or takes the number so that nothing can appear under it later. Only then is it marked as lost.
//!
//! - While a store fails over, two servers may take themselves for the master, and the one that was asked need not be the
//!   one that stays. So a lost message that is tried again names the numbers it had, and the log takes it only if it is
//!   under none of them.
//!
//! After any refusal only the head is sent, until it is answered: whatever was sent after it was refused for being out
//! of order, and would be again.
//!
//! The log remembers producers for 30 days. So a message is tried for [`RETRY_DAYS`] from when it was first sent, and then
//! given up as if it had been refused: its number is voided, and its author may send it anew.

mod answers;
mod sending;
mod storage;
#[cfg(test)]
mod tests;

use crate::rows::{Pending, Unsent};
use protocol::{
    domain::{Cursor, MessageText, Operation, ProducerId},
    frames::{Earlier, ErrorCode},
};
pub use sending::{Moment, RETRY_DAYS};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// A `send` or `void` frame to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    pub p: ProducerId,
    pub n: u64,
    pub operation: Operation,
    pub earlier: Vec<Earlier>,
}

/// A `refused` frame without its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    pub code: ErrorCode,
    pub retry: bool,
    pub last: Option<u64>,
}

/// What a refusal asks of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Ask [`Outbox::next_to_send`] again.
    Proceed,
    /// Nothing is sent until [`Outbox::resume`]: wait a little, longer each time in a row.
    Wait,
    /// The store lost what it knew of this producer: [`Outbox::renumber`], with a new id.
    ProducerLost,
}

/// One room's messages of one producer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools)] // each stands for itself
pub struct Outbox {
    p: ProducerId,
    /// The number the next message gets.
    next: u64,
    /// The highest number known to be used up. The log's `last` was at least this when we learnt it.
    used: u64,
    /// Names the next message to the page. Unlike its number it never changes.
    next_id: u64,
    /// Unanswered, in the order of their numbers.
    queue: VecDeque<Item>,
    failed: Vec<Failed>,
    /// Committed, in the order of the log, the latest few: until the log shows them, and to tell should the log lose them.
    landed: Vec<Landed>,
    /// Only asks what became of messages of a producer of the past, whose next number nobody knows: nothing new is sent.
    #[serde(default)]
    asking: bool,
    #[serde(skip)]
    waiting: bool,
    #[serde(skip)]
    cautious: bool,
    /// Something that has to survive a reload changed.
    #[serde(skip)]
    changed: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Item {
    id: u64,
    n: u64,
    #[serde(rename = "op")]
    operation: Operation,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<Earlier>,
    /// Under way on the present socket; `used` as it was when this was sent. An answer that knows less is of a store that
    /// lost something.
    #[serde(skip)]
    flight: Option<u64>,
    /// When it was first sent, in milliseconds since 1970-01-01 UTC by this device's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent: Option<u64>,
    /// Since when it could have been answered on the present socket.
    #[serde(skip)]
    since: Option<u64>,
}

impl Item {
    fn new(id: u64, n: u64, operation: Operation, earlier: Vec<Earlier>) -> Self {
        Self { id, n, operation, earlier, flight: None, sent: None, since: None }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Failed {
    id: u64,
    text: MessageText,
    code: ErrorCode,
    /// The number of the unanswered void in its place.
    void: Option<u64>,
    /// To be sent again once the void was answered.
    again: bool,
    /// The numbers under which it was acknowledged and then found to be lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<Earlier>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Landed {
    id: u64,
    /// Its producer, which need not be the outbox' own any more, and its number.
    p: ProducerId,
    n: u64,
    text: MessageText,
    at: Cursor,
    shown: bool,
    /// The log may have lost it; a void under its number is to find out.
    asked: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<Earlier>,
    /// As of its [`Item`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent: Option<u64>,
}

/// A failed message that is tried again.
pub struct Again {
    text: MessageText,
    earlier: Vec<Earlier>,
}

impl From<Failed> for Again {
    fn from(failed: Failed) -> Self {
        Self { text: failed.text, earlier: failed.earlier }
    }
}

impl Outbox {
    pub fn new(p: ProducerId) -> Self {
        Self {
            p,
            next: 1,
            used: 0,
            next_id: 1,
            queue: VecDeque::new(),
            failed: Vec::new(),
            landed: Vec::new(),
            asking: false,
            waiting: false,
            cautious: false,
            changed: false,
        }
    }

    pub fn producer(&self) -> ProducerId {
        self.p
    }

    /// Queues a message and returns its id, by which [`retry`](Self::retry) and [`discard`](Self::discard) know it.
    pub fn push(&mut self, text: MessageText) -> u64 {
        self.push_again(Again { text, earlier: Vec::new() })
    }

    /// Queues a message that had failed before.
    pub fn push_again(&mut self, again: Again) -> u64 {
        let Again { text, earlier } = again;
        let id = self.next_id;
        self.next_id += 1;
        self.queue.push_back(Item::new(id, self.next, Operation::Message { text }, earlier));
        self.next += 1;
        self.changed = true;
        id
    }

    /// Ends a [`Verdict::Wait`].
    pub fn resume(&mut self) {
        self.waiting = false;
    }

    /// Sends a failed message again, as a new one at the end.
    pub fn retry(&mut self, id: u64) {
        let Some(i) = self.failed.iter().position(|failed| failed.id == id) else { return };
        if self.asking || self.failed[i].void.is_some() {
            (self.failed[i].again, self.changed) = (true, true);
        } else {
            let failed = self.failed.remove(i);
            self.push_again(failed.into());
        }
    }

    /// What is to be sent again and cannot be under this producer.
    pub fn take_again(&mut self) -> Vec<Again> {
        let asking = self.asking;
        let again = self.failed.extract_if(.., |failed| asking && failed.again && failed.void.is_none());
        again.map(Again::from).collect()
    }

    /// Forgets a failed message, or takes back one whose fate is unknown: it may still turn out to be an entry. What is
    /// under way is awaited first, so that no number is ever under way twice.
    pub fn discard(&mut self, id: u64) {
        self.changed |= self.failed.extract_if(.., |failed| failed.id == id).count() > 0;
        if let Some(item) = self.queue.iter_mut().find(|item| item.id == id) {
            item.earlier.clear();
            (item.operation, self.changed) = (Operation::Void, true);
        }
    }

    /// Takes back everything that is not committed, what failed before what waits: it cannot be sent any more.
    pub fn take_unsent(&mut self) -> Vec<MessageText> {
        let mut unsent: Vec<MessageText> = self.failed.drain(..).map(|failed| failed.text).collect();
        for item in self.queue.drain(..) {
            if let Operation::Message { text } = item.operation {
                unsent.push(text);
            }
        }
        unsent
    }

    /// Everything that needs a row after the log's entries, in the order in which it was written.
    pub fn unsent(&self) -> Vec<Unsent> {
        let row = |n: u64, text: &MessageText, state| Unsent { n, text: text.as_str().to_owned(), state, at: None };
        let landed = self.landed.iter().filter(|landed| !landed.shown);
        let landed = landed.map(|landed| row(landed.id, &landed.text, Pending::Waiting));
        let queued = self.queue.iter().filter_map(|item| match &item.operation {
            Operation::Message { text } => Some(row(item.id, text, Pending::Waiting)),
            Operation::Void => None,
        });
        let failed = self.failed.iter().map(|failed| {
            let state = if failed.again { Pending::Waiting } else { Pending::Failed(failed.code) };
            row(failed.id, &failed.text, state)
        });
        let mut rows: Vec<Unsent> = Vec::new();
        for row in landed.chain(queued).chain(failed) {
            // Nearly sorted already, and a sort costs the page a kilobyte.
            let place = rows.partition_point(|other| other.n <= row.n);
            rows.insert(place, row);
        }
        rows
    }

    /// Whether every message is committed or failed.
    pub fn is_settled(&self) -> bool {
        let message = |item: &Item| item.operation != Operation::Void;
        !self.queue.iter().any(message) && !self.failed.iter().any(|failed| failed.again)
    }
}

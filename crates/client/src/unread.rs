//! How many messages of others a person has not read.
//!
//! A mark says how far a room was read, in whichever tab or on whichever device. The count is that of the timeline where
//! the timeline reaches back to the mark. Where it does not, the server's count goes on with what arrives, and is corrected
//! by how much there can be at most.

use crate::timeline::Timeline;
use protocol::{
    domain::{Entry, UserId},
    frames::{ReadMark, Reading, UNREAD_MAX},
};

#[derive(Debug, Clone, Default)]
pub struct Unread {
    /// `None`: never here before, so nothing is unread.
    mark: Option<ReadMark>,
    /// A mark in a log that this client has yet to meet.
    ahead: Option<ReadMark>,
    /// Never less than the true number, which is cut at [`UNREAD_MAX`].
    count: usize,
    /// The true number.
    exact: bool,
}

impl Unread {
    /// As a page says that the server rendered.
    pub fn new(reading: Reading) -> Self {
        Self { mark: reading.mark, ahead: None, count: reading.unread.min(UNREAD_MAX), exact: false }
    }

    pub fn mark(&self) -> Option<ReadMark> {
        self.mark
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether older entries than the timeline has would make the count a better one.
    pub fn wants_older(&self) -> bool {
        self.mark.is_some() && !self.exact
    }

    /// The server said where this person is at the end of `timeline`. What it was not told yet stays.
    pub fn told(&mut self, reading: Reading, timeline: &Timeline, me: UserId) {
        if let Some(mark) = reading.mark.filter(|mark| mark.epoch == timeline.cursor().epoch)
            && !self.mark.is_some_and(|own| rises(mark, own))
        {
            self.mark = Some(mark);
            self.count = reading.unread.min(UNREAD_MAX);
            // What the server cut here is cut there as well, however much older ones would tell.
            self.exact = self.count == UNREAD_MAX;
        }
        self.recount(timeline, me);
    }

    /// This person has read on, here or elsewhere. `false` if that is nothing new.
    pub fn raise(&mut self, to: ReadMark, timeline: Option<&Timeline>, me: UserId) -> bool {
        let epoch = timeline.map(|timeline| timeline.cursor().epoch).or(self.mark.map(|mark| mark.epoch));
        if epoch.is_some_and(|epoch| epoch != to.epoch) {
            self.ahead = Some(to);
            return false;
        }
        if self.mark.is_some_and(|own| !rises(own, to)) {
            return false;
        }
        self.move_to(to);
        if let Some(timeline) = timeline {
            self.recount(timeline, me);
        }
        true
    }

    /// The last `fresh` entries of the timeline are new. An own message is read by whoever wrote it, and so is all before
    /// it if nothing of others' is between.
    pub fn grew(&mut self, fresh: usize, timeline: &Timeline, me: UserId) {
        let fresh = timeline.entries().rev().take(fresh).filter(|entry| is_others(entry, me)).count();
        self.count = (self.count + fresh).min(UNREAD_MAX);
        self.recount(timeline, me);
        if let Some(last) = timeline.entries().next_back().filter(|last| last.by == me && self.exact && self.count == 0)
            && let Some(mark) = &mut self.mark
        {
            mark.seq = mark.seq.max(last.seq);
        }
    }

    /// The timeline starts anew, `skipped` entries later.
    pub fn jumped(&mut self, skipped: u64, timeline: &Timeline, me: UserId) {
        self.count = self.count.saturating_add(usize::try_from(skipped).unwrap_or(UNREAD_MAX)).min(UNREAD_MAX);
        self.exact = false;
        self.recount(timeline, me);
    }

    /// The timeline starts anew, with a log that went back. What was read of the one before says nothing of this one.
    pub fn lost(&mut self, timeline: &Timeline, me: UserId) {
        if let Some(mark) = &mut self.mark {
            mark.seq = mark.seq.min(timeline.cursor().seq);
        }
        self.exact = false;
        self.recount(timeline, me);
    }

    /// Counts again, after older entries came or the mark moved.
    pub fn recount(&mut self, timeline: &Timeline, me: UserId) {
        let epoch = timeline.cursor().epoch;
        if self.mark.is_none_or(|mark| mark.epoch != epoch) {
            self.mark = None;
            if let Some(mark) = self.ahead.take_if(|mark| mark.epoch == epoch) {
                self.move_to(mark);
            }
        }
        let Some(mark) = self.mark else {
            (self.count, self.exact) = (0, true);
            return;
        };
        let after = timeline.entries().rev().take_while(|entry| entry.seq > mark.seq);
        let counted = after.filter(|entry| is_others(entry, me)).take(UNREAD_MAX).count();
        let missing = usize::try_from(timeline.first_seq().saturating_sub(mark.seq + 1)).unwrap_or(UNREAD_MAX);
        if missing == 0 || counted == UNREAD_MAX {
            (self.count, self.exact) = (counted, true);
        } else {
            self.count = self.count.min(counted.saturating_add(missing)).max(counted);
        }
    }

    fn move_to(&mut self, to: ReadMark) {
        if self.mark.is_none() {
            self.count = UNREAD_MAX;
        }
        (self.mark, self.exact) = (Some(to), false);
    }
}

/// Whether `to` lies further than `from` in the same log, or in another one.
fn rises(from: ReadMark, to: ReadMark) -> bool {
    from.epoch != to.epoch || to.seq > from.seq
}

pub fn is_others(entry: &Entry, me: UserId) -> bool {
    entry.by != me && entry.text().is_some()
}

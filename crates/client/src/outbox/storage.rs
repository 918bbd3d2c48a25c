//! What of an outbox survives the tab, and how it is taken up again.

use super::{Item, Landed, Outbox};
use crate::timeline::Timeline;

/// Characters of acknowledged messages that are kept, the latest first: they matter only should the log lose them.
const LANDED_TEXT_MAX: usize = 8_000;

impl Outbox {
    /// Whether what is to survive changed since the last call.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// No number of its producer was given out.
    pub fn is_unused(&self) -> bool {
        self.next == 1
    }

    /// Every number that was given out is answered.
    pub fn is_drained(&self) -> bool {
        self.queue.is_empty()
    }

    /// Only asks: nothing new can be sent under its producer.
    pub fn is_asking(&self) -> bool {
        self.asking
    }

    /// Neither waits for an answer nor has anything to tell.
    pub fn is_empty(&self) -> bool {
        self.is_drained() && self.failed.is_empty() && self.landed.is_empty()
    }

    /// Has something to send or to show, so that its room must be there.
    pub fn needs_room(&self) -> bool {
        !self.is_drained() || !self.failed.is_empty()
    }

    /// What is worth storing.
    #[must_use]
    pub fn to_store(&self) -> Self {
        let mut stored = self.clone();
        stored.disconnected();
        let mut left = LANDED_TEXT_MAX;
        let mut fits = |landed: &Landed| {
            let room = left.checked_sub(landed.text.as_str().chars().count());
            left = room.unwrap_or(0);
            room.is_some()
        };
        // What is being asked for is as good as lost until the answer is there.
        let kept: Vec<Landed> = stored.landed.drain(..).rev().filter(|landed| landed.asked || fits(landed)).collect();
        stored.landed.extend(kept.into_iter().rev());
        stored
    }

    /// Takes up an outbox that was stored, as it is to go on beside others: its ids begin after `base`. What it has
    /// acknowledged is looked for anew in the log.
    #[must_use]
    pub fn from_store(mut self, base: u64) -> Self {
        self.disconnected();
        let queued = self.queue.iter_mut().map(|item: &mut Item| &mut item.id);
        let failed = self.failed.iter_mut().map(|failed| &mut failed.id);
        let mut ids: Vec<&mut u64> = Vec::new();
        for id in queued.chain(failed).chain(self.landed.iter_mut().map(|landed| &mut landed.id)) {
            let place = ids.partition_point(|other| **other <= *id);
            ids.insert(place, id);
        }
        self.next_id = base + 1;
        for id in ids {
            *id = self.next_id;
            self.next_id += 1;
        }
        // What was being asked about is as it was: nothing here has told of it since.
        for landed in &mut self.landed {
            landed.shown &= landed.asked;
        }
        // Questions under another producer are asked anew.
        let own = self.p;
        for landed in self.landed.iter_mut().filter(|landed| landed.p != own) {
            landed.asked = false;
        }
        self.changed = true;
        self
    }

    /// Takes over what another outbox has to tell once it is drained: failed messages, and acknowledged ones.
    pub fn inherit(&mut self, drained: Self) {
        for landed in drained.landed {
            self.land(landed);
        }
        self.failed.extend(drained.failed);
        // What is written from now on stands after what was written before.
        self.next_id = self.next_id.max(drained.next_id);
        self.changed = true;
    }

    /// What was acknowledged before and `timeline` does not show is in doubt: the log may have been set back meanwhile, and
    /// have grown beyond the place.
    pub fn doubt_unconfirmed(&mut self, timeline: &Timeline) {
        self.ask(|landed| timeline.has(landed.at) != Some(true));
        // Nothing says that what is further back than what is here is gone: it was sent, and is not shown as if it were not.
        for landed in self.landed.iter_mut().filter(|landed| landed.asked) {
            landed.shown |= timeline.has(landed.at).is_none();
        }
    }
}

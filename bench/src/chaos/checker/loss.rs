//! What the store lost when it was set back, and what that excuses.
//!
//! The nemesis reads each room's log before the store is set back and after. An entry that was in the first and is not in the
//! second is excused wherever it is missed; any other is not, whenever it was committed.

use super::{
    history::{History, RoomId},
    invariant::Invariant,
};
use app::domain::Cursor;
use serde::Serialize;
use std::collections::HashSet;

/// Entries by their room and place.
pub type Entries = HashSet<(RoomId, Cursor)>;

/// Why something that looks like a broken promise is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Excuse {
    /// The entry was in the log before the store was set back, and not in the one after.
    ById,
    /// The entry is of a time at which the store was set back, and what it lost could not be read.
    ByTime,
    /// A page was read while there were two masters, of which one did not have the entry yet.
    Page,
    /// A session that had ended counts again in the state that came back.
    Session,
    /// That a number is no message was forgotten with the state that knew it.
    Void,
}

/// The store was set back once.
#[derive(Debug)]
struct Rollback {
    /// What was committed before was there to stay.
    from_ms: u64,
    /// When it began to be set back.
    begun_ms: u64,
    /// From then on nothing is heard of what was before.
    until_ms: u64,
    /// What was lost; `None` while that is not known.
    lost: Option<Entries>,
}

/// All that was done to the store, in its order.
#[derive(Debug, Default)]
pub struct Rollbacks(Vec<Rollback>);

impl Rollbacks {
    /// The store is about to be set back: what was committed after `from_ms` may be lost from `now` on.
    pub fn begin(&mut self, from_ms: u64, now: u64) {
        self.0.push(Rollback { from_ms, begun_ms: now, until_ms: u64::MAX, lost: None });
    }

    /// What is committed from `until_ms` on is there to stay. `lost`: what the logs lack now; `None` if it cannot be known.
    pub fn end(&mut self, until_ms: u64, lost: Option<Entries>) {
        if let Some(rollback) = self.0.last_mut() {
            (rollback.until_ms, rollback.lost) = (until_ms, lost);
        }
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What excuses that an entry of a room, committed at `then`, is missing at `now`.
    pub fn excuse(&self, room: RoomId, at: Cursor, then: u64, now: u64) -> Option<Excuse> {
        let mut lost = self.0.iter().filter_map(|rollback| rollback.lost.as_ref());
        if lost.any(|lost| lost.contains(&(room, at))) {
            return Some(Excuse::ById);
        }
        let unread = self.0.iter().any(|rollback| rollback.lost.is_none() && rollback.spans(then, now));
        unread.then_some(Excuse::ByTime)
    }

    /// Whether what was so at `then` may be otherwise at `now` because the store was set back.
    pub fn between(&self, then: u64, now: u64) -> bool {
        self.0.iter().any(|rollback| rollback.spans(then, now))
    }

    /// Whether the store was being set back between two moments.
    fn under_way(&self, then: u64, now: u64) -> bool {
        self.0.iter().any(|rollback| then <= rollback.until_ms && now >= rollback.begun_ms)
    }
}

impl Rollback {
    fn spans(&self, then: u64, now: u64) -> bool {
        then <= self.until_ms && now >= self.from_ms
    }
}

/// An entry that was promised and then missed. What the store had lost by then may be known only later.
#[derive(Debug)]
pub struct Missed {
    invariant: Invariant,
    room: RoomId,
    /// One of these was lost, or the promise is broken.
    places: Vec<Cursor>,
    then: u64,
    now: u64,
    what: String,
}

impl History {
    /// Something speaks for one of these entries of a room having been lost since `then`: a violation unless one was.
    pub fn miss(
        &mut self,
        invariant: Invariant,
        room: RoomId,
        places: &[Cursor],
        then: u64,
        what: impl FnOnce() -> String,
    ) {
        if self.rollbacks.is_empty() {
            return self.violate(invariant, what);
        }
        let missed = Missed { invariant, room, places: places.to_vec(), then, now: self.now(), what: what() };
        self.missed.push(missed);
    }

    /// Decides what was left open by [`miss`](Self::miss). For the end: by then all is known that was lost.
    pub fn settle(&mut self) {
        for missed in std::mem::take(&mut self.missed) {
            let Missed { invariant, room, places, then, now, what } = missed;
            let excuse = places.iter().find_map(|at| self.rollbacks.excuse(room, *at, then, now));
            // What is not there yet was not lost.
            let page = || (invariant == Invariant::I5 && self.rollbacks.under_way(then, now)).then_some(Excuse::Page);
            match excuse.or_else(page) {
                Some(excuse) => self.excuse(excuse),
                None => self.violate(invariant, || format!("{what} ({now} ms)")),
            }
        }
    }

    pub fn excuse(&mut self, excuse: Excuse) {
        *self.excused.entry(excuse).or_default() += 1;
    }
}

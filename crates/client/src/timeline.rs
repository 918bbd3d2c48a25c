//! A room's log as one client sees it: one contiguous run of entries whose tail only moves forward.
//!
//! Whatever comes in is checked against the run before it changes anything: by epoch, by seq, and by the ids that chain
//! each entry to the one before. Since an id is made once and names its predecessor, two logs that agree on one entry
//! agree on all before it.

use protocol::{
    domain::{Cursor, Entry, EntryId},
    frames::Page,
};
use std::{collections::VecDeque, sync::Arc};

#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    entries: VecDeque<Arc<Entry>>,
    /// The place of the last entry ever taken in; stays when `entries` is empty.
    cursor: Cursor,
    older: bool,
}

/// What became of a live entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    Appended,
    /// It is here already, or so old that it was trimmed.
    Duplicate,
    /// Entries before it are missing here: join again with the cursor.
    Gap,
    /// It belongs to another log than this one: join again with the cursor, which the server will answer with a reset.
    Diverged,
}

/// The page does not fit here, or is not a run without a hole. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit;

impl Timeline {
    /// Starts with the newest page of a log.
    ///
    /// # Errors
    /// The page has a hole.
    pub fn newest(page: Page) -> Result<Self, Unfit> {
        if !is_run(&page) {
            return Err(Unfit);
        }
        let Page { entries, cursor, older } = page;
        Ok(Self { entries: entries.into_iter().map(Arc::new).collect(), cursor, older })
    }

    /// Forgets everything and starts again with `page`. The only way in which the tail may move back.
    ///
    /// # Errors
    /// The page has a hole.
    pub fn reset(&mut self, page: Page) -> Result<(), Unfit> {
        *self = Self::newest(page)?;
        Ok(())
    }

    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Arc<Entry>> + ExactSizeIterator {
        self.entries.iter()
    }

    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// Whether the log holds entries before the first one here.
    pub fn older(&self) -> bool {
        self.older
    }

    /// The seq before which [`prepend`](Self::prepend) needs entries.
    pub fn first_seq(&self) -> u64 {
        self.front().0
    }

    /// Takes in one live entry.
    pub fn apply(&mut self, entry: Entry) -> Applied {
        if self.cursor.precedes(&entry) {
            self.append(entry);
            Applied::Appended
        } else if entry.epoch == self.cursor.epoch && entry.seq > self.cursor.seq + 1 {
            Applied::Gap
        } else if self.has(entry.cursor()).unwrap_or(true) {
            Applied::Duplicate
        } else {
            Applied::Diverged
        }
    }

    /// Takes in a page that follows a cursor this timeline had; what arrived live since then is skipped. Returns how many
    /// entries are new.
    ///
    /// # Errors
    /// The page starts beyond the tail, contradicts what is here, or ends so early that nothing here can confirm it.
    pub fn resume(&mut self, page: Page) -> Result<usize, Unfit> {
        if !is_run(&page) {
            return Err(Unfit);
        }
        let known = page.entries.iter().take_while(|entry| entry.seq <= self.cursor.seq).count();
        let fits = match (known.checked_sub(1), page.entries.get(known)) {
            // Agreeing on the last of the known ones is agreeing on all of them.
            (Some(last), next) => {
                self.has(page.entries[last].cursor()) == Some(true)
                    && next.is_none_or(|next| self.cursor.precedes(next))
            }
            (None, Some(next)) => self.cursor.precedes(next),
            (None, None) => self.has(page.cursor) == Some(true),
        };
        if !fits {
            return Err(Unfit);
        }
        let fresh = page.entries.len() - known;
        for entry in page.entries.into_iter().skip(known) {
            self.append(entry);
        }
        Ok(fresh)
    }

    /// Takes in the page of history that ends exactly where this timeline starts. Returns how many entries are new.
    ///
    /// # Errors
    /// The page does not join the first entry, for instance because the timeline was trimmed or reset since it was asked
    /// for.
    pub fn prepend(&mut self, page: Page) -> Result<usize, Unfit> {
        let (seq, prev) = self.front();
        let end = Cursor { epoch: self.cursor.epoch, seq: seq.saturating_sub(1), id: prev };
        if !is_run(&page) {
            return Err(Unfit);
        }
        match page.entries.last() {
            Some(last) if last.cursor() != end => return Err(Unfit),
            None if page.older || page.cursor.epoch != end.epoch => return Err(Unfit),
            _ => {}
        }
        let added = page.entries.len();
        self.entries.reserve(added);
        for entry in page.entries.into_iter().rev() {
            self.entries.push_front(Arc::new(entry));
        }
        self.older = page.older;
        Ok(added)
    }

    /// Whether `earlier` reaches to where this timeline begins, and no further than where it ends.
    pub fn meets(&self, earlier: &Self) -> bool {
        (self.first_seq() - 1..=self.cursor.seq).contains(&earlier.cursor.seq)
    }

    /// Takes in what a run that [`meets`](Self::meets) this timeline has before it. Returns how many entries are new.
    ///
    /// # Errors
    /// They are of two logs, or do not meet.
    pub fn join(&mut self, earlier: &Self) -> Result<usize, Unfit> {
        let (seq, prev) = self.front();
        let end = Cursor { epoch: self.cursor.epoch, seq: seq - 1, id: prev };
        let fits = if earlier.first_seq() < seq { earlier.has(end) } else { self.has(earlier.cursor) };
        if fits != Some(true) {
            return Err(Unfit);
        }
        let added = earlier.entries.partition_point(|entry| entry.seq < seq);
        for entry in earlier.entries.range(..added).rev() {
            self.entries.push_front(Arc::clone(entry));
        }
        if earlier.first_seq() < seq {
            self.older = earlier.older;
        }
        Ok(added)
    }

    /// Drops the oldest entries beyond `max`; history brings them back.
    pub fn trim_front(&mut self, max: usize) {
        let surplus = self.entries.len().saturating_sub(max);
        if surplus > 0 {
            self.entries.drain(..surplus);
            self.older = true;
        }
    }

    /// Whether this timeline's log has exactly this entry; `None` if it is too old to tell.
    pub fn has(&self, at: Cursor) -> Option<bool> {
        if at.epoch != self.cursor.epoch || at.seq > self.cursor.seq {
            return Some(false);
        }
        let (first, prev) = self.front();
        if at.seq == self.cursor.seq {
            return Some(at.id == self.cursor.id);
        }
        if at.seq + 1 == first {
            return Some(at.id == prev);
        }
        let index = usize::try_from(at.seq.checked_sub(first)?).ok()?;
        self.entries.get(index).map(|entry| entry.id == at.id)
    }

    fn append(&mut self, entry: Entry) {
        self.cursor = entry.cursor();
        self.entries.push_back(Arc::new(entry));
    }

    /// The seq of the first entry and the id of the one before it, were it here.
    fn front(&self) -> (u64, EntryId) {
        match self.entries.front() {
            Some(entry) => (entry.seq, entry.prev),
            None => (self.cursor.seq + 1, self.cursor.id),
        }
    }
}

fn is_run(page: &Page) -> bool {
    let chained = page.entries.windows(2).all(|pair| pair[0].cursor().precedes(&pair[1]));
    chained && page.entries.last().is_none_or(|last| last.cursor() == page.cursor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{entry, forked, log, page};
    use proptest::prelude::*;

    fn seqs(timeline: &Timeline) -> Vec<u64> {
        timeline.entries().map(|entry| entry.seq).collect()
    }

    #[test]
    fn a_live_entry_is_appended_only_in_its_place() {
        let log = log(1, 6);
        let mut timeline = Timeline::newest(page(&log[..3])).unwrap();
        assert_eq!(timeline.apply(log[3].clone()), Applied::Appended);
        assert_eq!(timeline.apply(log[3].clone()), Applied::Duplicate);
        assert_eq!(timeline.apply(log[0].clone()), Applied::Duplicate);
        assert_eq!(timeline.apply(log[5].clone()), Applied::Gap);
        assert_eq!(seqs(&timeline), [1, 2, 3, 4]);
        assert_eq!(timeline.cursor(), log[3].cursor());
    }

    #[test]
    fn an_entry_of_another_log_is_never_a_duplicate() {
        let ours = log(1, 4);
        let mut timeline = Timeline::newest(page(&ours)).unwrap();
        // Rolled back to seq 2 and written again.
        let other = entry(1, 3, 0x77, ours[1].id);
        let next = entry(1, 5, 0x79, EntryId(0x78));
        for stranger in [other, next, log(2, 4)[3].clone(), log(2, 9)[8].clone()] {
            assert_eq!(timeline.apply(stranger), Applied::Diverged);
        }
        assert_eq!(timeline.cursor(), ours[3].cursor());
    }

    #[test]
    fn what_was_trimmed_counts_as_a_duplicate_and_can_be_fetched_again() {
        let log = log(1, 9);
        let mut timeline = Timeline::newest(page(&log)).unwrap();
        assert!(!timeline.older());
        timeline.trim_front(4);
        assert_eq!((seqs(&timeline), timeline.older()), (vec![6, 7, 8, 9], true));
        assert_eq!(timeline.apply(log[1].clone()), Applied::Duplicate);
        assert_eq!(timeline.prepend(page(&log[2..4])), Err(Unfit));
        assert_eq!(timeline.prepend(page(&log[2..5])), Ok(3));
        assert_eq!(timeline.prepend(page(&log[..2])), Ok(2));
        assert_eq!((seqs(&timeline).len(), timeline.older()), (9, false));
    }

    #[test]
    fn a_resumed_page_may_overlap_with_what_came_live() {
        let log = log(1, 8);
        let mut timeline = Timeline::newest(page(&log[..5])).unwrap();
        assert_eq!(timeline.resume(page(&log[3..7])), Ok(2));
        assert_eq!(timeline.resume(page(&log[3..6])), Ok(0));
        let empty = Page { entries: vec![], cursor: log[4].cursor(), older: true };
        assert_eq!(timeline.resume(empty.clone()), Ok(0));
        let astray = Page { cursor: Cursor { id: EntryId(9), ..log[4].cursor() }, ..empty };
        assert_eq!(timeline.resume(astray), Err(Unfit));
        assert_eq!(timeline.resume(page(&crate::testing::log(1, 9)[8..])), Err(Unfit));
        assert_eq!(timeline.cursor(), log[6].cursor());
    }

    #[test]
    fn a_page_with_a_hole_is_refused_everywhere() {
        let log = log(1, 9);
        let mut holed = page(&log[3..8]);
        holed.entries.remove(2);
        assert_eq!(Timeline::newest(holed.clone()), Err(Unfit));
        let mut timeline = Timeline::newest(page(&log[..3])).unwrap();
        assert_eq!(timeline.resume(holed.clone()), Err(Unfit));
        assert_eq!(timeline.reset(holed), Err(Unfit));
        assert_eq!(seqs(&timeline), [1, 2, 3]);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Live(usize),
        Resume(usize, usize),
        History(usize, usize),
        Trim(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..60usize).prop_map(Step::Live),
            2 => (0..60usize, 0..20usize).prop_map(|(from, len)| Step::Resume(from, len)),
            2 => (1..60usize, 1..20usize).prop_map(|(to, len)| Step::History(to, len)),
            1 => (0..30usize).prop_map(Step::Trim),
        ]
    }

    proptest! {
        /// I4: whatever arrives in whatever order, the run has no hole, is the log's, and its tail moves only forward.
        #[test]
        fn the_tail_only_moves_forward_and_nothing_is_missing(
            start in 0..40usize, steps in prop::collection::vec((step(), any::<bool>()), 0..60),
        ) {
            let ours = log(1, 60);
            let forged = forked(&ours, 20);
            let mut timeline = Timeline::newest(page(&ours[start..start + 10])).unwrap();
            for (step, forge) in steps {
                let before = timeline.cursor();
                let source = if forge { &forged } else { &ours };
                match step {
                    Step::Live(i) => { timeline.apply(source[i].clone()); }
                    Step::Resume(i, len) => { let _ = timeline.resume(page(&source[i..(i + len).min(60)])); }
                    Step::History(i, len) => { let _ = timeline.prepend(page(&source[i.saturating_sub(len)..i])); }
                    Step::Trim(max) => timeline.trim_front(max),
                }
                prop_assert!(timeline.cursor().seq >= before.seq);
                if !matches!(step, Step::Live(_) | Step::Resume(..)) {
                    prop_assert_eq!(timeline.cursor(), before);
                }
                let shown: Vec<&Entry> = timeline.entries().map(AsRef::as_ref).collect();
                prop_assert!(shown.windows(2).all(|pair| pair[0].cursor().precedes(pair[1])));
                prop_assert!(shown.last().is_none_or(|last| last.cursor() == timeline.cursor()));
                prop_assert!(timeline.older() || shown.first().is_none_or(|first| first.seq == 1));
            }
        }
    }
}

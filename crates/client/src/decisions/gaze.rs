//! How far somebody has read: up to the last message whose end was in view for long enough.

use std::collections::VecDeque;

/// Whose end was in view for this long has been read.
pub const READ_MS: u64 = 500;

/// The messages whose ends were in view lately: from when on, the first and the last of them.
#[derive(Debug, Clone, Default)]
pub struct Gaze(VecDeque<(u64, u64, u64)>);

impl Gaze {
    /// Notes that from `now` on the ends of messages `first` to `last` are in view; `None`: nobody is looking. Returns the
    /// last one that was there all along for long enough.
    pub fn look(&mut self, now: u64, in_view: Option<(u64, u64)>) -> Option<u64> {
        let Some((first, last)) = in_view else {
            self.0.clear();
            return None;
        };
        // What was in view before stayed there until now.
        let long_ago = |at: u64| at + READ_MS <= now;
        while self.0.get(1).is_some_and(|(at, ..)| long_ago(*at)) {
            self.0.pop_front();
        }
        let steady = self.0.front().is_some_and(|(at, ..)| long_ago(*at));
        if self.0.back().is_none_or(|(_, f, l)| (*f, *l) != (first, last)) {
            self.0.push_back((now, first, last));
        }
        let from = self.0.iter().map(|(_, first, _)| *first).max()?;
        let to = self.0.iter().map(|(.., last)| *last).min()?;
        (steady && from <= to).then_some(to)
    }

    /// Whether more may have been read by merely waiting.
    pub fn waits(&self) -> bool {
        self.0.len() > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_stays_in_view_for_half_a_second_is_read() {
        let mut gaze = Gaze::default();
        assert_eq!(gaze.look(1_000, Some((3, 9))), None);
        assert_eq!(gaze.look(1_499, Some((3, 9))), None);
        assert_eq!(gaze.look(1_500, Some((3, 9))), Some(9));
        // A new message has to wait for its own half second.
        assert_eq!(gaze.look(1_600, Some((4, 10))), Some(9));
        assert!(gaze.waits());
        assert_eq!(gaze.look(2_100, Some((4, 10))), Some(10));
        assert!(!gaze.waits());
    }

    #[test]
    fn what_only_flew_by_is_not() {
        let mut gaze = Gaze::default();
        gaze.look(0, Some((1, 5)));
        assert_eq!(gaze.look(100, Some((50, 55))), None);
        assert_eq!(gaze.look(599, Some((50, 55))), None);
        assert_eq!(gaze.look(600, Some((50, 55))), Some(55));
    }

    #[test]
    fn looking_away_starts_over() {
        let mut gaze = Gaze::default();
        gaze.look(0, Some((1, 5)));
        assert_eq!(gaze.look(400, None), None);
        assert_eq!(gaze.look(600, Some((1, 5))), None);
        assert_eq!(gaze.look(1_100, Some((1, 5))), Some(5));
    }

    proptest! {
        /// Against the definition: in view at every look of the last half second, and at the one that held when it began.
        #[test]
        fn read_is_what_was_in_view_all_along(steps in prop::collection::vec((1_u64..400, 0_u64..30, 0_u64..12), 1..60)) {
            let mut gaze = Gaze::default();
            let (mut now, mut looks) = (0, Vec::new());
            for (passed, first, more) in steps {
                now += passed;
                looks.push((now, first, first + more));
                let base = looks.iter().rposition(|(at, ..)| at + READ_MS <= now);
                let expected = base.and_then(|base| {
                    (0..=first + more).rev().find(|seq| looks[base..].iter().all(|(_, f, l)| f <= seq && seq <= l))
                });
                prop_assert_eq!(gaze.look(now, Some((first, first + more))), expected);
            }
        }
    }
}

//! Numbers from a seed.

use super::millis;
use std::time::Duration;

/// `SplitMix64`.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number other than 0.
    pub fn id(&mut self) -> u64 {
        loop {
            let id = self.draw();
            if id != 0 {
                return id;
            }
        }
    }

    /// Another row of numbers, which depends on how far this one is.
    pub fn fork(&mut self) -> Self {
        Self(self.draw())
    }

    /// A number less than `end`.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.draw() % end).unwrap_or(0)
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }

    /// Whole milliseconds, as many as `longest` or fewer.
    pub fn within(&mut self, longest: Duration) -> Duration {
        match millis(longest) {
            0 => Duration::ZERO,
            longest => Duration::from_millis(self.draw() % (longest + 1)),
        }
    }

    pub fn happens(&mut self, times_in_1000: u32) -> bool {
        times_in_1000 > 0 && self.draw() % 1_000 < times_in_1000.into()
    }
}

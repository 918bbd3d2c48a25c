//! Buckets of tokens, as the generic cell rate algorithm keeps them (ITU-T I.371): a bucket is one moment, the one at which
//! it will be full again.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How much a bucket holds, and how fast it fills.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Tokens in a full bucket.
    pub burst: f64,
    /// Tokens that come back each second.
    pub per_second: f64,
}

impl Rate {
    pub const fn new(burst: f64, per_second: f64) -> Self {
        Self { burst, per_second }
    }

    /// As much of it as `factor` says, and one token at least.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self { burst: (self.burst * factor).max(1.0), per_second: self.per_second * factor }
    }

    /// How long an empty bucket takes to be full.
    fn span(self) -> Duration {
        Duration::from_secs_f64(self.burst / self.per_second)
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    full_at: Instant,
}

impl Bucket {
    pub fn full(now: Instant) -> Self {
        Self { full_at: now }
    }

    pub fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }

    /// Takes `amount` if it is there; else says how long until it will be.
    pub fn take(&mut self, rate: Rate, amount: f64, now: Instant) -> Result<(), Duration> {
        self.book(rate, amount, Duration::ZERO, now).map(|_| ())
    }

    /// Takes `amount` if it will be there within `patience`, and says how long until then: those who come later wait for longer.
    /// Else says how much longer than that it would be.
    pub fn book(&mut self, rate: Rate, amount: f64, patience: Duration, now: Instant) -> Result<Duration, Duration> {
        let full_at = self.full_at.max(now) + Duration::from_secs_f64(amount / rate.per_second);
        let missing = full_at.saturating_duration_since(now + rate.span());
        match missing.checked_sub(patience).filter(|too_long| !too_long.is_zero()) {
            None => {
                self.full_at = full_at;
                Ok(missing)
            }
            Some(too_long) => Err(too_long),
        }
    }

    /// Takes `amount`, be it there or not: what is missing has to come back before anything is in the bucket again.
    pub fn charge(&mut self, rate: Rate, amount: f64, now: Instant) {
        self.full_at = self.full_at.max(now) + Duration::from_secs_f64(amount / rate.per_second);
    }

    /// When something will be in the bucket again; `None` if there is something now.
    pub fn opens_at(&self, rate: Rate, now: Instant) -> Option<Instant> {
        // A whole bucket is missing: nothing is in it.
        let opens = self.full_at.checked_sub(rate.span())?;
        (opens >= now && self.full_at > now).then_some(opens)
    }
}

/// Buckets of one rate by key. What is full is forgotten, which changes nothing; while more are not full than are kept,
/// all others share one.
pub struct Buckets<K> {
    rate: Rate,
    most: usize,
    known: Mutex<Known<K>>,
}

struct Known<K> {
    buckets: HashMap<K, Bucket>,
    shared: Bucket,
    /// Full ones are looked for when there are so many.
    next_sweep: usize,
    /// Not before this moment: it costs as much as there are.
    sweeps_at: Instant,
}

const SWEEPS_APART: Duration = Duration::from_secs(1);

impl<K: Eq + Hash> Buckets<K> {
    /// At most `most` buckets are kept.
    pub fn new(rate: Rate, most: usize) -> Self {
        let now = Instant::now();
        let (shared, next_sweep) = (Bucket::full(now), 1_024.min(most));
        let known = Known { buckets: HashMap::new(), shared, next_sweep, sweeps_at: now };
        Self { rate, most, known: Mutex::new(known) }
    }

    /// Takes `amount` from the bucket of `key`, whose rate is `times` the usual one; else says how long until it can be had.
    pub fn take(&self, key: K, times: f64, amount: f64) -> Result<(), Duration> {
        self.book(key, times, amount, Duration::ZERO).map(|_| ())
    }

    /// Takes it if it can be had within `patience`; says how long until then, or how much longer than that it would be.
    pub fn book(&self, key: K, times: f64, amount: f64, patience: Duration) -> Result<Duration, Duration> {
        let (now, rate) = (Instant::now(), self.rate.times(times));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.buckets.len() >= known.next_sweep && !known.buckets.contains_key(&key) {
            if now >= known.sweeps_at {
                known.buckets.retain(|_, bucket| !bucket.is_full(now));
                known.sweeps_at = now + SWEEPS_APART;
            }
            known.next_sweep = (known.buckets.len() * 2).clamp(1_024.min(self.most), self.most);
            if known.buckets.len() >= self.most {
                return known.shared.book(rate, amount, patience, now);
            }
        }
        known.buckets.entry(key).or_insert_with(|| Bucket::full(now)).book(rate, amount, patience, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate::new(10.0, 2.0);

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn a_burst_is_there_at_once_and_comes_back_at_its_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        for _ in 0..10 {
            bucket.take(RATE, 1.0, start).unwrap();
        }
        let wait = bucket.take(RATE, 1.0, start).unwrap_err();
        assert_eq!(wait.as_millis(), 500);
        assert!(bucket.take(RATE, 1.0, after(start, 499)).is_err());
        bucket.take(RATE, 1.0, after(start, 501)).unwrap();
        assert!(bucket.is_full(after(start, 5_501)) && !bucket.is_full(after(start, 5_000)));
    }

    #[test]
    fn what_was_refused_costs_nothing() {
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        bucket.take(RATE, 10.0, start).unwrap();
        for _ in 0..1_000 {
            bucket.take(RATE, 1.0, start).unwrap_err();
        }
        bucket.take(RATE, 1.0, after(start, 501)).unwrap();
    }

    #[test]
    fn those_who_can_wait_are_let_in_one_after_the_other() {
        let (start, patience) = (Instant::now(), Duration::from_secs(2));
        let mut bucket = Bucket::full(start);
        bucket.take(RATE, 10.0, start).unwrap();
        for turn in 1..=4 {
            assert_eq!(bucket.book(RATE, 1.0, patience, start).unwrap().as_millis(), turn * 500);
        }
        assert_eq!(bucket.book(RATE, 1.0, patience, start).unwrap_err().as_millis(), 500);
        assert_eq!(bucket.book(RATE, 1.0, patience, after(start, 501)).unwrap().as_millis(), 1_999);
    }

    #[test]
    fn a_debt_is_paid_back_before_the_bucket_opens() {
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        assert_eq!(bucket.opens_at(RATE, start), None);
        bucket.charge(RATE, 9.0, start);
        assert_eq!(bucket.opens_at(RATE, start), None, "one is left");
        bucket.charge(RATE, 5.0, start);
        let opens = bucket.opens_at(RATE, start).unwrap();
        assert_eq!((opens - start).as_millis(), 2_000);
        assert_eq!(bucket.opens_at(RATE, after(start, 2_001)), None);
    }

    #[test]
    fn the_table_is_bounded_and_forgets_no_debt() {
        let buckets = Buckets::new(RATE, 2_000);
        buckets.take(0, 1.0, 10.0).unwrap();
        // Each of them owes something, so that none is forgotten.
        for key in 1..10_000 {
            let _ = buckets.take(key, 1.0, 10.0);
        }
        assert!(buckets.known.lock().unwrap().buckets.len() <= 2_000);
        assert!(buckets.take(0, 1.0, 1.0).is_err());
        assert!(buckets.take(77_777, 1.0, 10.0).is_err(), "those beyond share one");
    }

    #[test]
    fn what_is_full_makes_room() {
        let buckets = Buckets::new(Rate::new(1.0, 1e9), 100);
        for key in 0..=100 {
            buckets.take(key, 1.0, 1.0).unwrap();
        }
        assert_eq!(buckets.known.lock().unwrap().buckets.len(), 1);
    }
}

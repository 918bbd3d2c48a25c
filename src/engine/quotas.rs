//! Buckets of tokens that the store keeps, so that all instances and the next start count on.

use super::{StoreError, TokenHash};
use async_trait::async_trait;
use hmac::{Hmac, KeyInit, Mac};
use std::time::Duration;

/// How much a bucket holds and how fast it fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Tokens in a full bucket.
    pub burst: u32,
    /// How long one token takes to come back.
    pub every: Duration,
}

impl Quota {
    /// As much of it as `factor` says, and one token at least.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates
    pub fn times(self, factor: f64) -> Self {
        let every = Duration::try_from_secs_f64(self.every.as_secs_f64() / factor).unwrap_or(Duration::MAX);
        Self { burst: ((f64::from(self.burst) * factor) as u32).max(1), every }
    }

    pub(super) fn every_ms(self) -> i64 {
        i64::try_from(self.every.as_millis()).unwrap_or(i64::MAX).max(1)
    }

    /// How long an empty bucket takes to be full.
    pub(super) fn span_ms(self) -> i64 {
        self.every_ms().saturating_mul(self.burst.into())
    }
}

#[async_trait]
pub trait Quotas: Send + Sync {
    /// Takes a token out of the bucket, or says how long until there is one. By the store's clock; a bucket that is not full
    /// is kept for as long as it takes to fill, under a keyed hash of its name (HMAC-SHA256; the key never leaves the store).
    ///
    /// Tries at the same moment may get more than there is: one more for each.
    async fn take(&self, bucket: &str, quota: Quota) -> Result<Result<(), Duration>, StoreError>;
    /// Whether sessions from `place`, which is kept as a bucket's name is, hold as many names as `most`.
    async fn is_full(&self, place: &str, most: u32) -> Result<bool, StoreError>;
    /// Counts the name of a session as held from these places, for as long as the session is there.
    async fn hold(&self, token: TokenHash, places: &[String]) -> Result<(), StoreError>;
}

/// The name of a bucket in the store.
pub(super) fn hidden(secret: &[u8], bucket: &str) -> [u8; 16] {
    let mut whole = [0; 16];
    // A key of any length will do.
    if let Ok(mut mac) = Hmac::<sha2::Sha256>::new_from_slice(secret) {
        mac.update(bucket.as_bytes());
        whole.copy_from_slice(&mac.finalize().into_bytes()[..16]);
    }
    whole
}

/// The generic cell rate algorithm (ITU-T I.371): what is kept is when the bucket will be full. Returns that moment after a
/// token was taken, or how long until one can be. All in ms.
///
/// A moment further ahead than an empty bucket is one of a clock that was wrong, and counts as an empty one.
pub(super) fn taken(full_at: Option<i64>, now: i64, quota: Quota) -> Result<i64, Duration> {
    let span = quota.span_ms();
    let full_at = full_at.unwrap_or(now).clamp(now, now.saturating_add(span)).saturating_add(quota.every_ms());
    match full_at - now - span {
        ..=0 => Ok(full_at),
        missing => Err(Duration::from_millis(missing.unsigned_abs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota { burst: 3, every: Duration::from_secs(2) };

    #[test]
    fn a_burst_is_there_at_once_and_the_rest_comes_back() {
        let mut full_at = None;
        for _ in 0..3 {
            full_at = Some(taken(full_at, 1_000, QUOTA).unwrap());
        }
        assert_eq!(taken(full_at, 1_000, QUOTA), Err(Duration::from_secs(2)));
        assert_eq!(taken(full_at, 2_500, QUOTA), Err(Duration::from_millis(500)));
        assert_eq!(taken(full_at, 3_000, QUOTA), Ok(9_000));
        assert_eq!(taken(full_at, 100_000, QUOTA), Ok(102_000), "full, not more than full");
    }

    #[test]
    fn a_clock_that_was_ahead_costs_one_bucket_at_most() {
        let year = 400 * 86_400_000;
        assert_eq!(taken(Some(year), 1_000, QUOTA), Err(Duration::from_secs(2)));
        assert_eq!(taken(Some(1_000), year, QUOTA), Ok(year + 2_000));
    }

    #[test]
    fn names_are_hidden_by_a_key() {
        assert_ne!(hidden(b"a", "x"), hidden(b"b", "x"));
        assert_ne!(hidden(b"a", "x"), hidden(b"a", "y"));
        assert_eq!(hidden(b"a", "x"), hidden(b"a", "x"));
    }
}

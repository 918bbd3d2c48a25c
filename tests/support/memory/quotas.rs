//! Buckets of tokens. Nobody looks into this store, so their names are kept as they are.

use super::{Memory, millis, state::Turn};
use async_trait::async_trait;
use hubbub::engine::{Quota, Quotas, StoreError, TokenHash};
use std::time::Duration;

#[async_trait]
impl Quotas for Memory {
    async fn take(&self, bucket: &str, quota: Quota) -> Result<Result<(), Duration>, StoreError> {
        let bucket = bucket.to_owned();
        self.ask(move |turn| turn.take(bucket, quota)).await
    }

    async fn is_full(&self, place: &str, most: u32) -> Result<bool, StoreError> {
        let place = place.to_owned();
        self.ask(move |turn| {
            let held = turn.state.holders.get(&place).into_iter().flatten().filter(|token| turn.lives(token));
            u32::try_from(held.count()).unwrap_or(u32::MAX) >= most
        })
        .await
    }

    async fn hold(&self, token: TokenHash, places: &[String]) -> Result<(), StoreError> {
        let places = places.to_vec();
        self.ask(move |turn| {
            // Unless the session ended meanwhile.
            if turn.lives(&token.0) {
                for place in places {
                    turn.state.holders.entry(place).or_default().insert(token.0);
                }
            }
        })
        .await
    }
}

impl Turn<'_> {
    /// The generic cell rate algorithm (ITU-T I.371): what is kept is when the bucket will be full.
    fn take(&mut self, bucket: String, quota: Quota) -> Result<(), Duration> {
        let every = millis(quota.every).max(1);
        let full_at = self.state.buckets.get(&bucket).map_or(self.now, |full_at| self.now.max(*full_at));
        let full_at = full_at.saturating_add(every);
        match full_at.saturating_sub(self.now).saturating_sub(every.saturating_mul(quota.burst.into())) {
            0 => {
                self.state.buckets.insert(bucket, full_at);
                Ok(())
            }
            missing => Err(Duration::from_millis(missing)),
        }
    }
}

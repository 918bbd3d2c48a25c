//! Buckets of tokens: one key each, in a slot of its own, that goes when the bucket is full.

use super::{
    Redis,
    script::{HELD, HOLD, TAKE},
    sessions::millis,
};
use crate::engine::{
    Quota, StoreError, TokenHash, hex,
    quotas::{Quotas, hidden},
    random_id,
};
use async_trait::async_trait;
use fred::prelude::{Expiration, KeysInterface, SetOptions, SortedSetsInterface};
use std::time::Duration;

impl Redis {
    /// Made by the first instance that asks, and the same for all.
    async fn secret(&self) -> Result<&str, StoreError> {
        let read = async || {
            let words: [u64; 4] = std::array::from_fn(|_| random_id());
            let new = hex(words.map(u64::to_ne_bytes).as_flattened());
            let _: Option<String> = self.client.set(self.keys.secret(), new, None, Some(SetOptions::NX), false).await?;
            Ok::<String, StoreError>(self.client.get(self.keys.secret()).await?)
        };
        self.secret.get_or_try_init(read).await.map(String::as_str)
    }

    async fn hidden(&self, name: &str) -> Result<String, StoreError> {
        Ok(hex(&hidden(self.secret().await?.as_bytes(), name)))
    }

    /// Keeps the name of a session counted that was used.
    pub(super) async fn hold_on(&self, token: TokenHash) -> Result<(), StoreError> {
        let places: Option<String> = self.client.get(self.keys.places_of(token)).await?;
        match places {
            Some(places) => self.hold_from(token, &places).await,
            None => Ok(()),
        }
    }

    /// Counts the name of a session no more. Should that fail, it ends by itself.
    pub(super) async fn let_go(&self, token: TokenHash) -> Result<(), StoreError> {
        let key = self.keys.places_of(token);
        let places: Option<String> = self.client.get(&key).await?;
        for place in places.iter().flat_map(|places| places.split(' ')) {
            self.client.zrem::<(), _, _>(self.keys.held_from(place), token.to_hex()).await?;
        }
        Ok(self.client.del(key).await?)
    }

    /// `places` are hidden, with blanks between them.
    async fn hold_from(&self, token: TokenHash, places: &str) -> Result<(), StoreError> {
        let ttl = millis(self.session_ttl);
        let key = self.keys.places_of(token);
        self.client.set::<(), _, _>(key, places, Some(Expiration::PX(ttl)), None, false).await?;
        for place in places.split(' ') {
            let args = vec![token.to_hex().into(), ttl.into()];
            HOLD.run::<()>(&self.client, vec![self.keys.held_from(place)], args).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Quotas for Redis {
    async fn take(&self, bucket: &str, quota: Quota) -> Result<Result<(), Duration>, StoreError> {
        let key = self.keys.quota(&self.hidden(bucket).await?);
        let args = vec![quota.every_ms().into(), quota.span_ms().into()];
        let missing: u64 = TAKE.run(&self.client, vec![key], args).await?;
        Ok(if missing == 0 { Ok(()) } else { Err(Duration::from_millis(missing)) })
    }
    async fn is_full(&self, place: &str, most: u32) -> Result<bool, StoreError> {
        let key = self.keys.held_from(&self.hidden(place).await?);
        Ok(HELD.run(&self.client, vec![key], vec![most.into(), self.longest_ttl().into()]).await?)
    }

    async fn hold(&self, token: TokenHash, places: &[String]) -> Result<(), StoreError> {
        let mut hidden = Vec::new();
        for place in places {
            hidden.push(self.hidden(place).await?);
        }
        if hidden.is_empty() { Ok(()) } else { self.hold_from(token, &hidden.join(" ")).await }
    }
}

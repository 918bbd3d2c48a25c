//! What happens elsewhere, and the engine's end.

use super::{APPENDS_MAX, Redis, health::vitals, keys::TYPING};
use crate::{
    engine::{Live, LiveSink, StoreError, Unwritable, Vitals},
    metrics::StoreMeters,
};
use app::{domain::RoomKey, protocol::Person};
use async_trait::async_trait;
use fred::{
    prelude::{ClientLike, KeysInterface, PubsubInterface},
    types::Expiration,
};
use std::{sync::Arc, time::Duration};
use tracing::warn;

/// How long each step of a shutdown may take; the whole process has ten seconds.
const STEP: Duration = Duration::from_secs(2);

#[async_trait]
impl Live for Redis {
    fn attach(&self, sink: Arc<dyn LiveSink>) {
        self.subscriptions.attach(sink);
    }

    async fn follow(&self, room: &RoomKey) -> Result<(), StoreError> {
        self.subscriptions.follow(room).await
    }

    async fn unfollow(&self, room: &RoomKey) {
        self.subscriptions.unfollow(room).await;
    }

    async fn follow_again(&self, room: &RoomKey) -> Result<(), StoreError> {
        self.subscriptions.follow_again(room).await
    }

    async fn typing(&self, room: &RoomKey, person: &Person) -> Result<(), StoreError> {
        // Not kept for a server that is away: by then it would not be so any more.
        if !self.client.is_connected() {
            return Err(StoreError("not connected to Redis".to_owned()));
        }
        let json = serde_json::to_string(person).map_err(|error| StoreError(error.to_string()))?;
        Ok(self.client.spublish(self.keys.room(room).channel(), format!("{TYPING}{json}")).await?)
    }

    fn may_miss(&self) -> bool {
        true
    }

    async fn writable(&self) -> Result<(), Unwritable> {
        self.can_write().await
    }

    async fn vitals(&self) -> Vitals {
        vitals(&self.client).await
    }

    async fn notice(&self) -> Result<Option<String>, StoreError> {
        Ok(self.client.get(self.keys.notice()).await?)
    }

    fn meters(&self) -> StoreMeters {
        self.meters.clone()
    }

    async fn shutdown(&self) {
        if tokio::time::timeout(STEP, self.under_way.acquire_many(APPENDS_MAX)).await.is_err() {
            warn!("shutting down with messages whose outcome Redis has not told");
        }
        self.under_way.close();
        // Before the presence is released, so that nothing renews it afterwards.
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(STEP, self.tasks.wait()).await.is_err() {
            warn!("a background task did not end in time");
        }
        if tokio::time::timeout(STEP, self.here.release()).await.is_err() {
            warn!("presence was not released in time; it ends with its lease");
        }
        let closing = async { tokio::join!(self.appends.quit(), self.client.quit(), self.subscriptions.close()) };
        if tokio::time::timeout(STEP, closing).await.is_err() {
            warn!("the connections to Redis were not closed in time");
        }
        self.closed.cancel();
    }
}

impl Redis {
    /// Has everybody told something for so long, or nothing any more.
    ///
    /// # Errors
    /// The store did not do it.
    pub async fn set_notice(&self, to: Option<(&str, Duration)>) -> Result<(), StoreError> {
        let key = self.keys.notice();
        match to {
            Some((text, lasts)) => {
                let lasts = i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX);
                self.client.set::<(), _, _>(key, text, Some(Expiration::PX(lasts)), None, false).await?;
            }
            None => self.client.del::<(), _>(key).await?,
        }
        Ok(())
    }
}

//! Rooms and their members; sessions are in [`super::sessions`].

use super::{
    Redis,
    keys::{self, ACTIVE_ROOMS, ROOM_NAMES, RoomKeys},
    script::{ADD_MEMBER, CREATE_ROOM, LIST_ROOMS, REMOVE_MEMBER, TOUCH_ROOM},
};
use crate::engine::{Directory, OpenError, Session, StoreError, TokenHash, random_id};
use app::{
    domain::{Epoch, NameKey, RoomKey, RoomName, UserId, UserName},
    page::{RoomLine, RoomRef},
};
use async_trait::async_trait;
use fred::{
    bytes_utils::Str,
    prelude::{Client, ClientLike, HashesInterface, KeysInterface, SortedSetsInterface},
};
use futures_util::future::{join_all, try_join_all};
use serde::{
    Deserialize,
    de::{IntoDeserializer, value},
};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    task::{Context, Waker},
    time::{Duration, Instant},
};
use tracing::debug;

/// How often one instance tells the directory that a room is active.
const TOUCH_EVERY: Duration = Duration::from_secs(10);
/// Sessions that one command counts.
const COUNTED: usize = 128;
/// A list of rooms, with its marks, outlives the session it belongs to, but not for ever.
pub(super) const MEMBERS_KEPT: Duration = Duration::from_hours(30 * 24);

/// When this instance last told the directory of each room.
#[derive(Default)]
pub struct Touches(Mutex<HashMap<RoomKeys, Instant>>);

impl Touches {
    fn is_due(&self, room: &RoomKeys) -> bool {
        let mut touched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if touched.get(room).is_some_and(|at| at.elapsed() < TOUCH_EVERY) {
            return false;
        }
        if touched.len() >= 10_000 {
            touched.retain(|_, at| at.elapsed() < TOUCH_EVERY);
        }
        touched.insert(room.clone(), Instant::now());
        true
    }
}

#[async_trait]
impl Directory for Redis {
    async fn create_room(&self, name: &RoomName) -> Result<RoomRef, StoreError> {
        let key = name.key();
        let keys = RoomKeys::of(&key);
        let args = vec![Epoch(random_id()).to_string().into(), key.as_str().into(), name.as_str().into()];
        let (name, at): (String, u64) = CREATE_ROOM.run(&self.client, vec![keys.meta(), keys.log()], args).await?;
        let room = RoomRef { key, name: stored(name)? };
        // Also for a room that exists, in case its creator died before this.
        write_touch(self.client.clone(), keys, room.clone(), at).await?;
        Ok(room)
    }

    async fn room(&self, key: &RoomKey) -> Result<Option<RoomRef>, StoreError> {
        let name: Option<String> = self.client.hget(RoomKeys::of(key).meta(), "name").await?;
        name.map(|name| Ok(RoomRef { key: key.clone(), name: stored(name)? })).transpose()
    }

    async fn rooms(&self, limit: usize) -> Result<Vec<RoomLine>, StoreError> {
        let keys = vec![ACTIVE_ROOMS.to_owned(), ROOM_NAMES.to_owned()];
        let listed: Vec<Str> = LIST_ROOMS.run(&self.client, keys, vec![limit.to_string().into()]).await?;
        let rooms = listed.as_chunks::<3>().0.iter().filter_map(|[tag, _, room]| {
            let room: RoomRef = serde_json::from_str(room).ok()?;
            Some(self.room_line(RoomKeys::with_tag(tag.to_string()), room))
        });
        let lines = join_all(rooms).await;
        let mut lines = lines.into_iter().filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?;
        // The directory lags behind by some seconds, the rooms themselves do not.
        lines.sort_by(|a, b| b.active_at.cmp(&a.active_at).then_with(|| a.room.key.cmp(&b.room.key)));
        Ok(lines)
    }

    async fn open_session(&self, token: TokenHash, name: &UserName) -> Result<Session, OpenError> {
        self.claim_and_open(token, name).await
    }

    async fn session(&self, token: TokenHash) -> Result<Option<Session>, StoreError> {
        self.use_session(token).await
    }

    async fn close_session(&self, token: TokenHash) -> Result<(), StoreError> {
        self.end_session(token).await
    }

    async fn ended_sessions(&self, tokens: &[TokenHash]) -> Result<Vec<TokenHash>, StoreError> {
        // In a Cluster each may be on another node; elsewhere one command counts many. Together they take one round trip.
        if !self.client.is_clustered() {
            let counted = tokens.chunks(COUNTED).map(|some| async move {
                let keys: Vec<_> = some.iter().map(|&token| keys::session(token)).collect();
                let there: usize = self.client.exists(keys).await?;
                Ok::<_, StoreError>(there == some.len())
            });
            if try_join_all(counted).await?.into_iter().all(|all| all) {
                return Ok(Vec::new());
            }
        }
        let asked = tokens.iter().map(|&token| async move {
            let there: bool = self.client.exists(keys::session(token)).await?;
            Ok::<_, StoreError>((!there).then_some(token))
        });
        Ok(try_join_all(asked).await?.into_iter().flatten().collect())
    }

    async fn name_is_free(&self, key: &NameKey) -> Result<bool, StoreError> {
        let held: bool = self.client.exists(keys::name(&keys::name_hash(key))).await?;
        Ok(!held)
    }

    async fn add_member(&self, user: UserId, room: &RoomKey) -> Result<(), StoreError> {
        let mark = self.mark_at_the_end(room).await?;
        let kept = MEMBERS_KEPT.as_secs().to_string();
        let args = vec![RoomKeys::of(room).into_tag().into(), kept.into(), mark.into()];
        ADD_MEMBER.run::<()>(&self.client, keys::of_member(user), args).await?;
        Ok(())
    }

    async fn remove_member(&self, user: UserId, room: &RoomKey) -> Result<(), StoreError> {
        let args = vec![RoomKeys::of(room).into_tag().into()];
        REMOVE_MEMBER.run::<()>(&self.client, keys::of_member(user), args).await?;
        Ok(())
    }

    async fn rooms_of(&self, user: UserId) -> Result<Vec<RoomRef>, StoreError> {
        let tags: Vec<String> = self.client.zrange(keys::rooms_of(user), 0, -1, None, false, None, false).await?;
        let rooms = tags.into_iter().map(|tag| async move {
            // The room itself, not the directory, which may not have heard of it yet.
            let known: Vec<Option<String>> =
                self.client.hmget(RoomKeys::with_tag(tag).meta(), vec!["key", "name"]).await?;
            let [Some(key), Some(name)] = known.as_slice() else { return Ok(None) };
            Ok::<_, StoreError>(Some(RoomRef { key: stored(key.clone())?, name: stored(name.clone())? }))
        });
        Ok(try_join_all(rooms).await?.into_iter().flatten().collect())
    }
}

impl Redis {
    async fn room_line(&self, keys: RoomKeys, room: RoomRef) -> Result<Option<RoomLine>, StoreError> {
        let (active_at, people) = tokio::join!(
            async { self.client.hget::<Option<u64>, _, _>(keys.meta(), "at").await.map_err(StoreError::from) },
            self.here.people(&keys),
        );
        let people = people?.len();
        Ok(active_at?.map(|active_at| RoomLine { room, people, active_at }))
    }

    /// Tells the directory, in the background, that a room was active at `at`.
    pub(super) fn touch(&self, room: &RoomRef, at: u64) {
        let keys = RoomKeys::of(&room.key);
        if !self.touches.is_due(&keys) {
            return;
        }
        let write = {
            let (client, room) = (self.client.clone(), room.clone());
            move || write_touch(client.clone(), keys.clone(), room.clone(), at)
        };
        let mut writing = Box::pin(write());
        // Polled once here, so that the command is queued before anything that the caller of `append` asks for next.
        if writing.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return;
        }
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let mut outcome = writing.await;
            while let Err(error) = outcome {
                debug!(%error, "the directory was not told of a room's activity; trying again");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(Duration::from_secs(1)) => outcome = write().await,
                }
            }
        });
    }
}

async fn write_touch(client: Client, keys: RoomKeys, room: RoomRef, at: u64) -> Result<(), StoreError> {
    let json = serde_json::to_string(&room).map_err(|error| StoreError(error.to_string()))?;
    let args = vec![keys.into_tag().into(), at.to_string().into(), json.into()];
    TOUCH_ROOM.run::<()>(&client, vec![ACTIVE_ROOMS.to_owned(), ROOM_NAMES.to_owned()], args).await?;
    Ok(())
}

/// A name or key that was validated before it was stored.
pub(super) fn stored<T: for<'de> Deserialize<'de>>(text: String) -> Result<T, StoreError> {
    let reader: value::StringDeserializer<value::Error> = text.into_deserializer();
    T::deserialize(reader).map_err(|error| StoreError(format!("a stored name is not readable: {error}")))
}

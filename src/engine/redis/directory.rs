//! Rooms and their members; how rooms are made is in [`super::making`], sessions are in [`super::sessions`].

use super::{
    Redis,
    cluster::{is_away, redirected},
    condition::MonitoredClient,
    keys::RoomKeys,
    marks::stored_mark,
    script::{ADD_MEMBER, GLANCE, LIST_ROOMS, REMOVE_MEMBER, TOUCH_ROOM},
};
use crate::engine::{
    CreateError, Directory, EXCERPT_MAX, Ended, Listed, OpenError, ROOMS_LISTED, Session, StoreError, TIME_AHEAD_MAX,
    TokenHash, excerpt,
};
use app::{
    domain::{NameKey, RoomKey, RoomName, RoomRef, UserId, UserName},
    protocol::ReadMark,
};
use async_trait::async_trait;
use fred::{
    bytes_utils::Str,
    prelude::{ClientLike, HashesInterface, KeysInterface, SortedSetsInterface},
};
use futures_util::future::{join_all, try_join_all};
use serde::{
    Deserialize,
    de::{IntoDeserializer, value},
};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Waker},
    time::Duration,
};
use tokio::time::Instant;
use tracing::debug;

/// How often one instance tells the directory that a room is active.
const TOUCH_EVERY: Duration = Duration::from_secs(10);
/// Sessions that one command counts.
const COUNTED: usize = 128;
/// A list of rooms, with its marks, outlives the session it belongs to, but not for ever.
pub(super) const MEMBERS_KEPT: Duration = Duration::from_hours(30 * 24);

/// What this instance told the directory of each room, by its tag.
#[derive(Default)]
pub struct Touches(Mutex<HashMap<String, Touch>>);

struct Touch {
    told: Instant,
    /// When the room was active, if the directory is still to be told.
    untold: Option<u64>,
}

impl Touches {
    /// Whether the directory is to be told now that the room was active at `active`.
    fn is_due(&self, tag: &str, active: u64) -> bool {
        let mut touches = self.touches();
        match touches.get_mut(tag) {
            // Whoever tries to tell it tells this.
            Some(Touch { untold: Some(untold), .. }) => {
                *untold = active.max(*untold);
                return false;
            }
            Some(touch) if touch.told.elapsed() < TOUCH_EVERY => return false,
            _ => {}
        }
        if touches.len() >= 10_000 {
            touches.retain(|_, touch| touch.untold.is_some() || touch.told.elapsed() < TOUCH_EVERY);
        }
        touches.insert(tag.to_owned(), Touch { told: Instant::now(), untold: None });
        true
    }

    /// It could not be told: when the room was active by now, which is to be tried next.
    fn not_told(&self, tag: &str, active: u64) -> u64 {
        let mut touches = self.touches();
        let touch = touches.entry(tag.to_owned()).or_insert_with(|| Touch { told: Instant::now(), untold: None });
        *touch.untold.insert(touch.untold.map_or(active, |untold| untold.max(active)))
    }

    fn told(&self, tag: &str) {
        if let Some(touch) = self.touches().get_mut(tag) {
            touch.untold = None;
        }
    }

    fn touches(&self) -> MutexGuard<'_, HashMap<String, Touch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Directory for Redis {
    async fn create_room(&self, name: &RoomName) -> Result<RoomRef, CreateError> {
        self.find_or_create(name).await
    }

    async fn restore_room(&self, room: &RoomRef) -> Result<(), StoreError> {
        self.make_again(room).await
    }

    async fn room(&self, key: &RoomKey) -> Result<Option<RoomRef>, StoreError> {
        let keys = self.keys.room(key);
        let name: Option<String> = redirected(|| self.client.hget(keys.meta(), "name")).await?;
        if let Some(name) = name {
            return Ok(Some(RoomRef { key: key.clone(), name: stored(name)? }));
        }
        // Its meta may be lost, while its log is there and the directory knows how it is called.
        let listed: Option<String> = self.client.hget(self.keys.room_names(), keys.tag()).await?;
        let Some(room) = listed.and_then(|json| serde_json::from_str::<RoomRef>(&json).ok()) else { return Ok(None) };
        Ok(self.mend(key, Some(&room.name)).await?.then_some(room))
    }

    async fn find_room(&self, name: &RoomName) -> Result<Option<RoomRef>, StoreError> {
        self.find(name).await
    }

    async fn rooms(&self, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let keys = vec![self.keys.active_rooms(), self.keys.room_names()];
        let listed: Vec<Str> = LIST_ROOMS.run(&self.client, keys, vec![limit.to_string().into()]).await?;
        let rooms = listed.as_chunks::<3>().0.iter().filter_map(|[tag, active_at, room]| {
            let (room, active_at): (RoomRef, _) = (serde_json::from_str(room).ok()?, active_at.parse().ok()?);
            Some(async move {
                match self.glance(self.keys.room_with_tag(tag.to_string()), room.clone()).await {
                    // Nothing more is known of it now than that there is such a room.
                    Err(error) if is_away(&error.0) => {
                        Ok(Some(Listed { room, people: Vec::new(), active_at, last: None }))
                    }
                    seen => seen,
                }
            })
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

    async fn ended_sessions(&self, tokens: &[TokenHash]) -> Result<Ended, StoreError> {
        // In a Cluster each may be on another node; elsewhere one command counts many. Together they take one round trip.
        if !self.client.is_clustered() {
            let counted = tokens.chunks(COUNTED).map(|some| async move {
                let keys: Vec<_> = some.iter().map(|&token| self.keys.session(token)).collect();
                let there: usize = self.client.exists(keys).await?;
                Ok::<_, StoreError>(there == some.len())
            });
            if try_join_all(counted).await?.into_iter().all(|all| all) {
                return Ok(Ended::default());
            }
        }
        let ask = |&token| async move { (token, self.client.exists::<bool, _>(self.keys.session(token)).await) };
        let mut told = Ended::default();
        for (token, there) in join_all(tokens.iter().map(ask)).await {
            match there {
                Ok(true) => {}
                Ok(false) => told.ended.push(token),
                Err(error) if is_away(error.details()) => told.unknown.push(token),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(told)
    }

    async fn name_is_free(&self, key: &NameKey) -> Result<bool, StoreError> {
        self.no_one_has(key).await
    }

    async fn add_member(&self, user: UserId, room: &RoomKey) -> Result<(), StoreError> {
        self.add_member_with_mark(user, room, self.mark_at_the_end(room).await?).await
    }

    async fn remove_member(&self, user: UserId, room: &RoomKey) -> Result<Option<ReadMark>, StoreError> {
        let args = vec![self.keys.room(room).into_tag().into()];
        let mark: String = REMOVE_MEMBER.run(&self.client, self.keys.of_member(user), args).await?;
        Ok(stored_mark(&mark))
    }

    async fn restore_member(&self, user: UserId, room: &RoomKey, read: ReadMark) -> Result<(), StoreError> {
        self.add_member_with_mark(user, room, self.mark_not_after(room, read).await?).await
    }

    async fn rooms_of(&self, user: UserId) -> Result<Vec<RoomRef>, StoreError> {
        let first = -i64::try_from(ROOMS_LISTED).unwrap_or(i64::MAX);
        let tags: Vec<String> =
            self.client.zrange(self.keys.rooms_of(user), first, -1, None, false, None, false).await?;
        let rooms = tags.into_iter().map(|tag| async move {
            // The room itself, not the directory, which may not have heard of it yet.
            let known: Result<Vec<Option<String>>, _> =
                self.client.hmget(self.keys.room_with_tag(tag.clone()).meta(), vec!["key", "name"]).await;
            let known = match known {
                Err(error) if is_away(error.details()) => return Ok(self.listed_as(tag).await),
                known => known?,
            };
            let [Some(key), Some(name)] = known.as_slice() else { return Ok(None) };
            Ok::<_, StoreError>(Some(RoomRef { key: stored(key.clone())?, name: stored(name.clone())? }))
        });
        Ok(try_join_all(rooms).await?.into_iter().flatten().collect())
    }
}

impl Redis {
    /// As the directory has it.
    async fn listed_as(&self, tag: String) -> Option<RoomRef> {
        let listed: Option<String> = self.client.hget(self.keys.room_names(), tag).await.ok()?;
        serde_json::from_str(&listed?).ok()
    }

    async fn glance(&self, keys: RoomKeys, room: RoomRef) -> Result<Option<Listed>, StoreError> {
        let (seen, people) = tokio::join!(
            GLANCE.run::<Vec<String>>(
                &self.client,
                vec![keys.meta(), keys.log()],
                vec![EXCERPT_MAX.saturating_add(1).to_string().into()]
            ),
            self.here.people(&keys),
        );
        let (mut seen, people) = (seen?.into_iter(), people?);
        let Some(active_at) = seen.next().and_then(|at| at.parse().ok()) else { return Ok(None) };
        let last = match (seen.next(), seen.next()) {
            (Some(name), Some(text)) => Some(excerpt(stored(name)?, &text)),
            _ => None,
        };
        Ok(Some(Listed { room, people, active_at, last }))
    }

    async fn add_member_with_mark(&self, user: UserId, room: &RoomKey, mark: String) -> Result<(), StoreError> {
        let kept = MEMBERS_KEPT.as_secs().to_string();
        let args = vec![self.keys.room(room).into_tag().into(), kept.into(), mark.into()];
        ADD_MEMBER.run::<()>(&self.client, self.keys.of_member(user), args).await?;
        Ok(())
    }

    /// Tells the directory, in the background, that a room was active at `at`.
    pub(super) fn touch(&self, room: &RoomRef, at: u64) {
        let keys = self.keys.room(&room.key);
        if !self.touches.is_due(keys.tag(), at) {
            return;
        }
        let tag = keys.tag().to_owned();
        let write = {
            let (client, room) = (self.client.clone(), room.clone());
            move |at| write_touch(client.clone(), keys.clone(), room.clone(), at)
        };
        let mut writing = Box::pin(write(at));
        // Polled once here, so that the command is queued before anything that the caller of `append` asks for next.
        if writing.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return;
        }
        let (stop, touches) = (self.stop.clone(), self.touches.clone());
        self.tasks.spawn(async move {
            let mut outcome = writing.await;
            while let Err(error) = outcome {
                debug!(%error, "the directory was not told of a room's activity; trying again");
                // One at a time tries for a room, however long the directory is away.
                touches.not_told(&tag, at);
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                }
                outcome = write(touches.not_told(&tag, at)).await;
            }
            touches.told(&tag);
        });
    }
}

pub(super) async fn write_touch(
    client: MonitoredClient,
    keys: RoomKeys,
    room: RoomRef,
    at: u64,
) -> Result<(), StoreError> {
    let json = serde_json::to_string(&room).map_err(|error| StoreError(error.to_string()))?;
    let directory = vec![keys.all().active_rooms(), keys.all().room_names()];
    let ahead = TIME_AHEAD_MAX.as_millis().to_string();
    let args = vec![keys.into_tag().into(), at.to_string().into(), json.into(), ahead.into()];
    TOUCH_ROOM.run::<()>(&client, directory, args).await?;
    Ok(())
}

/// A name or key that was validated before it was stored.
pub(super) fn stored<T: for<'de> Deserialize<'de>>(text: String) -> Result<T, StoreError> {
    let reader: value::StringDeserializer<value::Error> = text.into_deserializer();
    T::deserialize(reader).map_err(|error| StoreError(format!("a stored name is not readable: {error}")))
}

//! How rooms are made.
//!
//! A room and its looks, by which its look-alikes are refused, may live on three nodes of a Cluster. So the looks are claimed one
//! after the other for some time, the room is made within a part of it, and the looks are kept for good. Whatever breaks in between
//! undoes itself or is made up for when somebody enters the room.

use super::{
    Redis,
    directory::{stored, write_touch},
    log::MISFIT,
    script::{CLAIM_LOOK, CREATE_ROOM, FREE_LOOK, KEEP_LOOK},
};
use crate::engine::{CreateError, Directory, StoreError, random_id};
use app::domain::{Epoch, RoomKey, RoomName, RoomRef};
use fred::prelude::KeysInterface;
use futures_util::future::try_join_all;
use std::time::Duration;
use tokio::time::Instant;

/// For how long looks are claimed. The nodes' clocks may differ by what it is longer than [`MAKING`].
const CLAIM: Duration = Duration::from_secs(10);
/// Within which time of its claim a room is made, or not at all.
const MAKING: Duration = Duration::from_secs(4);
/// For how long to wait for a room that has the look and is not there yet, and how often to ask.
const PATIENCE: Duration = Duration::from_secs(3);
const ASK_EVERY: Duration = Duration::from_millis(50);

/// What a room that was not made any more is answered by.
const LATE: &str = "late";

/// One attempt to make a room.
struct Attempt<'a> {
    key: &'a RoomKey,
    looks: [String; 2],
    /// Tells its claims from those of others who make the same room.
    id: String,
}

impl Redis {
    pub(super) async fn find_or_create(&self, name: &RoomName) -> Result<RoomRef, CreateError> {
        let key = name.key();
        if let Some((room, at)) = self.make(&key, name, 0).await? {
            // In case its creator died before this.
            self.note(&room, at).await?;
            return Ok(room);
        }
        let attempt = Attempt { key: &key, looks: self.keys.looks(&name.looks()), id: Epoch(random_id()).to_string() };
        let began = self.claim_looks(&attempt, name).await?;
        let until = self.clock.at(began + MAKING).unwrap_or(i64::MAX);
        let made = self.make(&key, name, until).await?;
        if let Some((room, at)) = &made {
            self.note(room, *at).await?;
        }
        // What is kept by now stays; but somebody may have made the room under another spelling.
        self.free_looks(&attempt).await?;
        let (room, _) = made.ok_or_else(|| StoreError("it took too long to make a room".to_owned()))?;
        Ok(room)
    }

    /// The room of that name, or one that looks like it; none that is only being made.
    pub(super) async fn find(&self, name: &RoomName) -> Result<Option<RoomRef>, StoreError> {
        let room = self.room(&name.key()).await?;
        if room.is_some() {
            return Ok(room);
        }
        for look in self.keys.looks(&name.looks()) {
            let held: Option<String> = self.client.get(look).await?;
            let Some((_, holder)) = held.as_deref().and_then(|held| held.split_once(' ')) else { continue };
            let twin = self.room(&stored(holder.to_owned())?).await?;
            if twin.is_some() {
                return Ok(twin);
            }
        }
        Ok(None)
    }

    pub(super) async fn make_again(&self, room: &RoomRef) -> Result<(), StoreError> {
        if let Some((room, at)) = self.make(&room.key, &room.name, i64::MAX).await? {
            self.note(&room, at).await?;
        }
        Ok(())
    }

    /// The room, made if there is none and the server's clock does not show more than `until` yet, and when it was active last.
    async fn make(&self, key: &RoomKey, name: &RoomName, until: i64) -> Result<Option<(RoomRef, u64)>, StoreError> {
        let keys = self.keys.room(key);
        let epoch = Epoch(random_id()).to_string();
        let args = vec![epoch.into(), key.as_str().into(), name.as_str().into(), until.into()];
        let make = || CREATE_ROOM.run::<Vec<String>>(&self.client, vec![keys.meta(), keys.log()], args.clone());
        let mut answer = make().await?;
        if answer == [MISFIT] {
            self.mend(key, Some(name)).await?;
            answer = make().await?;
        }
        if answer == [LATE] {
            return Ok(None);
        }
        let unreadable = || StoreError("a room that was created is not readable".to_owned());
        let [name, at] = <[String; 2]>::try_from(answer).map_err(|_| unreadable())?;
        let at = at.parse().map_err(|_| unreadable())?;
        Ok(Some((RoomRef { key: key.clone(), name: stored(name)? }, at)))
    }

    /// Lists a room that exists, and keeps its looks for it.
    async fn note(&self, room: &RoomRef, at: u64) -> Result<(), StoreError> {
        let kept = self.keys.looks(&room.name.looks()).map(|look| {
            let args = vec![room.key.as_str().into()];
            async move { KEEP_LOOK.run::<()>(&self.client, vec![look], args).await.map_err(StoreError::from) }
        });
        let touched = write_touch(self.client.clone(), self.keys.room(&room.key), room.clone(), at);
        tokio::try_join!(touched, try_join_all(kept))?;
        Ok(())
    }

    /// Claims both looks, unless the room is there by then, and returns since when; or finds out which room has one of them.
    async fn claim_looks(&self, attempt: &Attempt<'_>, name: &RoomName) -> Result<Instant, CreateError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let began = Instant::now();
            let Some((look, holder)) = self.try_to_claim(attempt).await? else {
                if !name.mixes_scripts() {
                    return Ok(began);
                }
                self.free_looks(attempt).await?;
                return Err(CreateError::MixedScripts);
            };
            match self.room(&holder).await? {
                Some(_) if holder == *attempt.key => return Ok(began),
                Some(twin) => return Err(CreateError::LooksLike(twin)),
                None => {}
            }
            if Instant::now() < deadline {
                // It is being made, or was not made after all.
                tokio::time::sleep(ASK_EVERY).await;
                continue;
            }
            // What was kept for a room that is not there any more was kept for one that the store has lost.
            let args = vec![holder.as_str().into(), "".into()];
            let is_free: bool = FREE_LOOK.run(&self.client, vec![look], args).await.map_err(StoreError::from)?;
            if !is_free {
                return Err(StoreError("a room that looks like this one is being made".to_owned()).into());
            }
        }
    }

    /// The look that is not to be had, and the room that has it. Then nothing stays claimed.
    async fn try_to_claim(&self, attempt: &Attempt<'_>) -> Result<Option<(String, RoomKey)>, StoreError> {
        for look in &attempt.looks {
            let args = vec![attempt.key.as_str().into(), attempt.id.as_str().into(), millis(CLAIM).into()];
            let holder: String = CLAIM_LOOK.run(&self.client, vec![look.clone()], args).await?;
            if !holder.is_empty() {
                self.free_looks(attempt).await?;
                return Ok(Some((look.clone(), stored(holder)?)));
            }
        }
        Ok(None)
    }

    /// In the reverse order of their claims.
    async fn free_looks(&self, attempt: &Attempt<'_>) -> Result<(), StoreError> {
        for look in attempt.looks.iter().rev() {
            let args = vec![attempt.key.as_str().into(), attempt.id.as_str().into()];
            FREE_LOOK.run::<()>(&self.client, vec![look.clone()], args).await?;
        }
        Ok(())
    }
}

fn millis(time: Duration) -> i64 {
    time.as_millis().try_into().unwrap_or(i64::MAX)
}

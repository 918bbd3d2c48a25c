//! Who is who: signing in and out.

use super::{Chat, rooms::NoRoom};
use crate::{
    address::Asker,
    audit,
    store::{Ended, OpenError, Session, StoreError, TokenHash},
};
use app::domain::{RoomName, RoomRef, USER_NAME_MAX, UserName};
use std::time::Duration;

/// Free names to offer instead of one that is taken.
const SUGGESTIONS: usize = 3;

/// Why somebody was not signed in, or did not get into the room.
pub enum NoEntry {
    Open(OpenError),
    /// The room is not there, and none of that name is made.
    RoomMixed,
    /// Too many sessions or rooms were asked for; this long until there may be more.
    Later(Duration),
}

impl From<NoRoom> for NoEntry {
    fn from(refused: NoRoom) -> Self {
        match refused {
            NoRoom::Store(error) => Self::Open(error.into()),
            NoRoom::Mixed => Self::RoomMixed,
            NoRoom::Later(wait) => Self::Later(wait),
        }
    }
}

impl Chat {
    /// The session of a token, if there is one.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn session(&self, token: TokenHash) -> Result<Option<Session>, StoreError> {
        self.engine.session(token).await
    }

    /// Opens a session under `token` and enters the room. `old` is the one that this browser had, under another name. The session
    /// stays open where only the room failed, so that trying again does not find the name taken by oneself.
    pub async fn sign_in(
        &self,
        asker: &Asker,
        old: Option<&Session>,
        name: &UserName,
        room: &RoomName,
        token: TokenHash,
    ) -> (Result<RoomRef, NoEntry>, Option<Session>) {
        let (entered, session) = async {
            let is_new = match self.may_enter(asker, room).await {
                Ok(is_new) => is_new,
                Err(refused) => return (Err(refused), None),
            };
            let session = match self.engine.open_session(token, name).await {
                Ok(session) => session,
                Err(error) => {
                    if matches!(error, OpenError::Taken) {
                        audit::name_refused(asker);
                    }
                    return (Err(NoEntry::Open(error)), None);
                }
            };
            audit::signed_in(asker, session.person.id);
            self.limits.holds(&*self.engine, session.token, asker).await;
            if let Some(old) = old {
                // One browser, one name: the other is free again.
                self.give_up(old.token).await;
            }
            let entered = self.put_in(asker, &session, room, is_new).await;
            (entered.map_err(NoEntry::from), Some(session))
        }
        .await;
        let outcome = match &entered {
            _ if session.is_some() => "opened",
            Err(NoEntry::Open(OpenError::Taken)) => "taken",
            Err(NoEntry::Later(_)) => "limited",
            Err(NoEntry::Open(OpenError::Store(_))) => "store",
            _ => "refused",
        };
        self.hub.metrics.sign_ins.with_label_values(&[outcome]).inc();
        (entered, session)
    }

    /// Whether one more session may be opened from there, to enter `room`. Says whether that room is new.
    async fn may_enter(&self, asker: &Asker, room: &RoomName) -> Result<bool, NoEntry> {
        let is_new = self.may_make(asker, None, room).await?;
        self.limits.session(&*self.engine, asker).await.map_err(NoEntry::Later)?;
        Ok(is_new)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// The store did not answer: it goes on.
    pub async fn sign_out(&self, asker: &Asker, session: &Session) -> Result<(), StoreError> {
        self.engine.close_session(session.token).await?;
        audit::signed_out(asker, session.person.id);
        self.hub.metrics.sign_outs.inc();
        Ok(())
    }

    /// Ends a session that nobody can use any more, so that its name is free. Should this fail, it lapses by itself.
    pub async fn give_up(&self, token: TokenHash) {
        self.engine.close_session(token).await.ok();
    }

    /// Whether a session ended just before its socket was there to be told; not asked where nothing is missed.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn has_ended(&self, token: TokenHash) -> Result<bool, StoreError> {
        if self.engine.may_miss() {
            // The lease asks about it.
            return Ok(false);
        }
        let Ended { ended, .. } = self.engine.ended_sessions(&[token]).await?;
        Ok(!ended.is_empty())
    }

    /// Names like the one that is taken and free.
    pub async fn suggestions(&self, taken: &UserName) -> Vec<String> {
        let mut free = Vec::new();
        let Some(taken) = taken.unmixed() else { return free };
        let digits = 10 + self.hub.random() % 90;
        let endings = ["2", "3", "4", "5", "7"].map(str::to_owned).into_iter().chain([digits.to_string()]);
        for ending in endings {
            let room_left = USER_NAME_MAX - ending.chars().count() - 1;
            let stem: String = taken.as_str().chars().take(room_left).collect();
            let Ok(name) = UserName::parse(&format!("{} {ending}", stem.trim_end())) else { continue };
            if self.engine.name_is_free(&name.key()).await.unwrap_or(false) {
                free.push(name.as_str().to_owned());
            }
            if free.len() == SUGGESTIONS {
                break;
            }
        }
        free
    }
}

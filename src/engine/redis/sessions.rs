//! Sessions and the names they hold.
//!
//! In a Cluster a session and its name live on different nodes, so no script can write both. Instead the name is claimed
//! for a short time, the session is written, and the name is kept for as long as the session; whatever breaks in between
//! undoes itself. A session's time to live is always renewed before its name's, so that the name never goes first. A name is two
//! keys, which are claimed one after the other and let go in the reverse order: of two names that clash one is refused.
//!
//! Redis ages by its server's time of day. What was written while that was ahead would last for as much longer: it is set back
//! when a session is used, and when somebody else asks for its name.

use super::{
    Redis,
    cluster::redirected,
    control::Word,
    directory::{MEMBERS_KEPT, stored},
    keys,
    script::{EXTEND_NAME, OPEN_SESSION, RELEASE_NAME},
};
use crate::engine::{OpenError, Session, StoreError, TIME_AHEAD_MAX, TokenHash, random_id};
use app::{
    domain::{NameKey, UserId, UserName},
    protocol::Person,
};
use fred::prelude::{Expiration, HashesInterface, KeysInterface, SetOptions};
use futures_util::future::{join_all, try_join_all};
use std::time::Duration;
use tracing::warn;

/// For how long a name is claimed before its session is written.
const CLAIM: Duration = Duration::from_secs(10);

impl Redis {
    pub(super) async fn claim_and_open(&self, token: TokenHash, name: &UserName) -> Result<Session, OpenError> {
        let key = name.key();
        if name.mixes_scripts() {
            let is_free = self.no_one_has(&key).await?;
            return Err(if is_free { OpenError::MixedScripts } else { OpenError::Taken });
        }
        let held = keys::held(&key);
        let person = Person { id: UserId(random_id()), name: name.clone() };
        if let Err(error) = self.claim(token, &held).await {
            // What was claimed before the other half turned out to be taken. It would end by itself, but later.
            self.release(token, &held).await.ok();
            return Err(error);
        }
        match self.write_session(token, &person, &held).await {
            Ok(()) => Ok(Session { token, person }),
            Err(error) => {
                // What cannot be undone now, because the store is away, ends with the claim.
                let (released, deleted) = tokio::join!(self.release(token, &held), self.delete_session(token));
                if let Err(undoing) = released.and(deleted) {
                    warn!(%undoing, "a session that could not be opened was not removed");
                }
                Err(error.into())
            }
        }
    }

    pub(super) async fn no_one_has(&self, name: &NameKey) -> Result<bool, StoreError> {
        let held = self.keys.names(&keys::held(name)).into_iter().map(|key| self.client.exists::<bool, _>(key));
        Ok(!try_join_all(held).await?.contains(&true))
    }

    async fn claim(&self, token: TokenHash, held: &str) -> Result<(), OpenError> {
        let keys = self.keys.names(held);
        for key in &keys {
            if !self.claim_one(token, key).await? {
                // Both halves, or whoever comes back for the name would find the other one too far ahead.
                for set_back in join_all(keys.iter().map(|key| self.set_back(key))).await {
                    if let Err(error) = set_back {
                        warn!(%error, "it is not known whether a name is held for too long");
                    }
                }
                return Err(OpenError::Taken);
            }
        }
        Ok(())
    }

    async fn claim_one(&self, token: TokenHash, key: &str) -> Result<bool, StoreError> {
        let expire = Some(Expiration::PX(millis(CLAIM)));
        let set: Option<String> = self.client.set(key, token.to_hex(), expire, Some(SetOptions::NX), false).await?;
        if set.is_some() {
            return Ok(true);
        }
        // The claim may have been repeated after its first answer was lost.
        let holder: Option<String> = self.client.get(key).await?;
        Ok(holder == Some(token.to_hex()))
    }

    /// Lets a name that is held be held for no longer than a session lasts that is not used.
    async fn set_back(&self, key: &str) -> Result<(), StoreError> {
        let (holder, left): (Option<String>, i64) = tokio::try_join!(self.client.get(key), self.client.pttl(key))?;
        if let Some(holder) = holder.filter(|_| left > self.longest_ttl()) {
            let args = vec![holder.into(), millis(self.session_ttl).into()];
            EXTEND_NAME.run::<()>(&self.client, vec![key.to_owned()], args).await?;
        }
        Ok(())
    }

    /// More than this is left, in ms, only of what was written while the server's clock was ahead. The clock of a replica that
    /// took over may differ a little.
    pub(super) fn longest_ttl(&self) -> i64 {
        millis(self.session_ttl.saturating_add(TIME_AHEAD_MAX))
    }

    async fn write_session(&self, token: TokenHash, person: &Person, held: &str) -> Result<(), StoreError> {
        let args = vec![
            person.id.to_string().into(),
            person.name.as_str().into(),
            held.into(),
            millis(self.session_ttl).into(),
        ];
        OPEN_SESSION.run::<()>(&self.client, vec![self.keys.session(token)], args).await?;
        if self.extend(token, held).await? {
            return Ok(());
        }
        Err(StoreError("the claim of a name lapsed before its session was written".to_owned()))
    }

    pub(super) async fn use_session(&self, token: TokenHash) -> Result<Option<Session>, StoreError> {
        let key = self.keys.session(token);
        let ask = || async {
            tokio::try_join!(self.client.hmget(&key, vec!["user", "name", "held"]), self.client.pttl(&key))
        };
        let (fields, left): (Vec<Option<String>>, i64) = redirected(ask).await?;
        let [Some(user), Some(name), Some(held)] = fields.as_slice() else { return Ok(None) };
        let id = user.parse().map_err(|_| StoreError("a session's user is not readable".to_owned()))?;
        let session = Session { token, person: Person { id, name: stored(name.clone())? } };
        let ttl = millis(self.session_ttl);
        if (ttl - ttl / 24 + 1..=self.longest_ttl()).contains(&left) {
            return Ok(Some(session));
        }
        let there: bool = self.client.pexpire(&key, ttl, None).await?;
        if !there {
            return Ok(None);
        }
        match self.extend(token, held).await {
            Ok(true) => {}
            Ok(false) => {
                // Signed out meanwhile, or the name was lost: either way there is no session without its name, nor half of a
                // name without its session.
                self.release(token, held).await?;
                self.delete_session(token).await?;
                return Ok(None);
            }
            Err(error) => {
                // Or the session would outlive its name.
                if let Err(error) = self.client.pexpire::<(), _>(&key, left.min(ttl), None).await {
                    warn!(%error, "a session was renewed, and its name was not");
                }
                return Err(error);
            }
        }
        if let Err(error) = self.hold_on(token).await {
            warn!(%error, "a name that goes on being held is not counted");
        }
        let kept = MEMBERS_KEPT.as_secs().try_into().unwrap_or(i64::MAX);
        for key in self.keys.of_member(id) {
            self.client.expire::<(), _>(key, kept, None).await?;
        }
        Ok(Some(session))
    }

    pub(super) async fn end_session(&self, token: TokenHash) -> Result<(), StoreError> {
        // The name first: while the session is there, a second try finds out which name it is.
        let held: Option<String> = redirected(|| self.client.hget(self.keys.session(token), "held")).await?;
        if let Some(held) = held {
            self.release(token, &held).await?;
        }
        self.delete_session(token).await?;
        if let Err(error) = self.let_go(token).await {
            warn!(%error, "a name that was let go is still counted");
        }
        self.subscriptions.report_ended(token);
        // The session is gone; an instance that does not hear of it asks for ended sessions by itself.
        self.tell_others(&Word::Ended(token)).await;
        Ok(())
    }

    async fn extend(&self, token: TokenHash, held: &str) -> Result<bool, StoreError> {
        let args = vec![token.to_hex().into(), millis(self.session_ttl).into()];
        let extended =
            self.keys.names(held).into_iter().map(|key| EXTEND_NAME.run(&self.client, vec![key], args.clone()));
        Ok(try_join_all(extended).await?.into_iter().all(|held: bool| held))
    }

    async fn release(&self, token: TokenHash, held: &str) -> Result<(), StoreError> {
        for key in self.keys.names(held).into_iter().rev() {
            RELEASE_NAME.run::<()>(&self.client, vec![key], vec![token.to_hex().into()]).await?;
        }
        Ok(())
    }

    async fn delete_session(&self, token: TokenHash) -> Result<(), StoreError> {
        Ok(self.client.del(self.keys.session(token)).await?)
    }
}

pub(super) fn millis(time: Duration) -> i64 {
    time.as_millis().try_into().unwrap_or(i64::MAX)
}

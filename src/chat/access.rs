//! Who may act in a room. This is the one place that says so: a room that is not for everybody is refused here and nowhere else.

use super::Chat;
use crate::store::StoreError;
use app::{
    domain::{RoomKey, RoomRef},
    protocol::Person,
};
use tokio::time::Instant;

/// That somebody may act in a room. It is won with a wait, once, where they enter; what is done often asks this value, so that
/// nothing is waited for before an append and one sender's messages stay in order.
#[derive(Debug, Clone)]
pub struct RoomAccess {
    person: Person,
    room: RoomRef,
    until: Option<Instant>,
}

/// Why somebody does not get into a room.
#[derive(Debug, thiserror::Error)]
pub enum NoAccess {
    #[error("there is no such room")]
    Unknown,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RoomAccess {
    /// Of somebody for whom the hub has entered the room, which made sure that it exists.
    pub(crate) fn entered(person: Person, room: RoomRef) -> Self {
        Self { person, room, until: Some(Instant::now()) }
    }

    pub fn person(&self) -> &Person {
        &self.person
    }

    pub fn room(&self) -> &RoomRef {
        &self.room
    }

    /// The same for as long as the session behind it counts by what is known now; `None` where its end is never missed.
    #[must_use]
    pub fn until(&self, until: Option<Instant>) -> Self {
        Self { until, ..self.clone() }
    }

    /// Until when something may be committed by it.
    pub(super) fn ends(&self) -> Option<Instant> {
        self.until
    }

    pub(super) fn into_parts(self) -> (Person, RoomRef, Option<Instant>) {
        (self.person, self.room, self.until)
    }
}

impl Chat {
    /// Lets somebody into a room whose session counts until then. Whoever has one may enter every room there is.
    ///
    /// # Errors
    /// There is no such room, or the store did not answer.
    pub async fn access(&self, who: &Person, key: &RoomKey, until: Option<Instant>) -> Result<RoomAccess, NoAccess> {
        let room = self.engine.room(key).await?.ok_or(NoAccess::Unknown)?;
        Ok(RoomAccess { person: who.clone(), room, until })
    }
}

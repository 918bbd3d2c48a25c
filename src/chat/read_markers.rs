//! How far people have read.

use super::Chat;
use crate::store::StoreError;
use app::{
    domain::{RoomKey, UserId},
    protocol::ReadMark,
};

impl Chat {
    /// Keeps that a person has read up to `mark`, unless it is known already.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn raise_mark(&self, me: UserId, room: &RoomKey, mark: ReadMark) -> Result<(), StoreError> {
        self.engine.raise_mark(me, room, mark).await.map(drop)
    }

    /// How far a person has read each of `rooms` that has a mark.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn marks(&self, me: UserId, rooms: Vec<RoomKey>) -> Result<Vec<(RoomKey, ReadMark)>, StoreError> {
        let marks = self.engine.marks(me, &rooms).await?;
        Ok(rooms.into_iter().zip(marks).filter_map(|(room, mark)| Some((room, mark?))).collect())
    }
}

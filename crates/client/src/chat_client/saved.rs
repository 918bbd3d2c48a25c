//! What a tab must not forget over a reload: its outboxes.
//!
//! A tab is a producer of messages. A reload, or another tab in its stead, goes on under the same producer and the same
//! numbers, so that what was under way when it ended becomes exactly one entry, whether or not it had been committed.

use super::{ChatClient, FollowedRoom};
use crate::outbox::Outbox;
use protocol::{
    domain::{MessageText, ProducerId, RoomKey, RoomRef, UserId, UserName},
    frames::Reading,
};
use serde::{Deserialize, Serialize};

/// The outboxes of one tab. To be put into storage before the commands of the same moment are carried out, and to be in
/// one tab's hands at a time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Saved {
    user: UserId,
    /// A later session of this name in the same browser is taken for the same person.
    #[serde(default)]
    name: Option<UserName>,
    rooms: Vec<SavedRoom>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct SavedRoom {
    room: RoomRef,
    /// The tab's own one first, if there is anything in it.
    outboxes: Vec<Outbox>,
}

impl Saved {
    pub fn user(&self) -> UserId {
        self.user
    }

    /// There is nothing worth keeping: what was stored before is to be removed.
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }

    /// What was not acknowledged when the session ended, for its person's drafts; nothing if that was somebody else.
    pub fn take_unsent(self, name: &UserName) -> Vec<(RoomKey, Vec<MessageText>)> {
        let rooms = self.rooms.into_iter().filter(|_| self.name.as_ref() == Some(name));
        let texts = |mut saved: SavedRoom| {
            let texts = saved.outboxes.iter_mut().rev().flat_map(Outbox::take_unsent).collect();
            (saved.room.key, texts)
        };
        rooms.map(texts).collect()
    }
}

impl ChatClient {
    /// The outboxes, if they changed since the last call: to be stored before [`commands`](Self::commands) are carried
    /// out. A message whose number might be given to another one after a reload must not be under way.
    ///
    /// What cannot be stored must not leave an older value behind. `None` once the session ended: nobody could send it.
    pub fn take_saved(&mut self) -> Option<Saved> {
        let changed = self.rooms.iter_mut().fold(false, |changed, room| room.outboxes.take_changed() | changed)
            | self.changed.saved;
        self.changed.saved = false;
        if !changed || self.sockets.is_signed_out() {
            return None;
        }
        let stored = self.rooms.iter().filter(|room| !room.leaving).map(|room| {
            let outboxes = room.outboxes.to_store();
            SavedRoom { room: room.which.clone(), outboxes }
        });
        let rooms = stored.filter(|room| !room.outboxes.is_empty()).collect();
        Some(Saved { user: self.me.id, name: Some(self.me.name.clone()), rooms })
    }

    /// Goes on with what this tab before a reload, or another tab that is gone, left behind. Ignored if it is another
    /// person's. Whoever calls makes sure that nobody else does so with the same value, or goes on with the same tab.
    pub fn adopt(&mut self, saved: Saved) {
        if saved.user != self.me.id || self.sockets.is_signed_out() {
            return;
        }
        for SavedRoom { room: which, outboxes } in saved.rooms {
            let i = match self.index(&which.key) {
                Some(i) => i,
                // It was left meanwhile. What was written there before is still to go out.
                None if outboxes.iter().any(Outbox::needs_room) => {
                    let p = ProducerId((self.random)());
                    self.rooms.push(FollowedRoom::new(which, p, Reading::default()));
                    self.rooms.len() - 1
                }
                None => continue,
            };
            let room = &mut self.rooms[i];
            for outbox in outboxes {
                room.outboxes.adopt(outbox);
            }
            // Before it is looked for what became of them.
            self.expire(i);
            self.rooms[i].look_for_adopted(self.me.id);
            self.room_changed(i);
        }
        self.join_rooms();
    }

    /// The moment by the calendar, in milliseconds since 1970-01-01 UTC.
    pub(super) fn date(&self) -> Option<u64> {
        self.calendar.map(|zero| zero + self.now)
    }

    /// Gives up what was tried for long enough in a room.
    pub(super) fn expire(&mut self, i: usize) {
        if self.date().is_some_and(|date| self.rooms[i].outboxes.expire(date)) {
            self.room_changed(i);
        }
    }

    /// What was not committed when the session ended, with its rooms: for its author to decide about, who is to come back as
    /// another person as far as the log knows.
    pub fn take_unsent(&mut self) -> Vec<(RoomKey, Vec<MessageText>)> {
        self.changed.rows = true;
        let texts = self.rooms.iter_mut().map(|room| (room.which.key.clone(), room.outboxes.take_unsent()));
        texts.filter(|(_, texts)| !texts.is_empty()).collect()
    }

    /// Whether every message is committed or failed.
    pub fn is_settled(&self) -> bool {
        self.rooms.iter().all(|room| room.outboxes.is_settled())
    }
}

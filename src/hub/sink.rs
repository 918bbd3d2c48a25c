//! What the engine reports.

use super::{Hub, wake::Wake};
use crate::{
    engine::LiveSink,
    store::{Record, TokenHash},
};
use app::{
    domain::{RoomKey, UserId},
    protocol::{Person, ReadMark},
};
use std::sync::Weak;

/// The engine's way into the hub. Weak, because the hub owns the engine.
pub struct Sink(pub Weak<Hub>);

impl LiveSink for Sink {
    fn committed(&self, key: &RoomKey, record: Record) {
        let Some(hub) = self.0.upgrade() else { return };
        let Some(room) = hub.known(key) else { return };
        if room.committed(record).needs_refill() {
            hub.refill(&room);
        }
    }

    fn presence_changed(&self, key: &RoomKey) {
        if let Some(hub) = self.0.upgrade() {
            hub.stale.add(key.clone());
        }
    }

    fn session_ended(&self, token: TokenHash) {
        if let Some(hub) = self.0.upgrade() {
            hub.sockets.end_session(token);
        }
    }

    fn read(&self, user: UserId, key: &RoomKey, mark: ReadMark) {
        if let Some(hub) = self.0.upgrade() {
            hub.sockets.read(user, key, mark);
        }
    }

    fn typing(&self, key: &RoomKey, person: Person) {
        let Some(hub) = self.0.upgrade() else { return };
        if let Some(room) = hub.known(key) {
            hub.typing(&room, person);
        }
    }

    fn doubt(&self, key: Option<&RoomKey>) {
        let Some(hub) = self.0.upgrade() else { return };
        let Some(key) = key else {
            hub.sockets.each(Wake::miss_marks);
            // Which of the logs went on is asked for all of them together.
            hub.doubt.raise();
            for room in hub.all_rooms() {
                hub.stale.add(room.key().clone());
            }
            return;
        };
        if let Some(room) = hub.known(key) {
            hub.refill(&room);
            hub.stale.add(room.key().clone());
        }
    }
}

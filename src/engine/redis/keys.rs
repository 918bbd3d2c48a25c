//! The names of everything in Redis. No key holds anything that a person typed: names are hashed, and what belongs to
//! one room shares the tag `{…}`, so that it lives in one slot of a Cluster and one script may touch all of it.

use crate::engine::{TokenHash, hex, sha256};
use app::domain::{NameKey, ProducerId, RoomKey, UserId};

/// Room tags by last activity.
pub const ACTIVE_ROOMS: &str = "hubbub:{rooms}:active";
/// Room tag to `RoomRef` as JSON.
pub const ROOM_NAMES: &str = "hubbub:{rooms}:names";
/// Instance ids by the time their leases end.
pub const INSTANCES: &str = "hubbub:instances";
/// Channel on which instances tell each other of what concerns people rather than rooms: ended sessions, and how far
/// somebody has read.
pub const CONTROL_CHANNEL: &str = "hubbub:{control}:sessions";

/// The keys of one room.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoomKeys {
    tag: String,
}

impl RoomKeys {
    pub fn of(room: &RoomKey) -> Self {
        Self::with_tag(hex(&sha256(room.as_str().as_bytes())[..16]))
    }

    /// From a tag read out of the directory.
    pub fn with_tag(tag: String) -> Self {
        Self { tag }
    }

    pub fn tag(&self) -> &str {
        &self.tag
    }

    pub fn into_tag(self) -> String {
        self.tag
    }

    /// Hash: epoch, seq, id and at of the last entry; key and name of the room; created.
    pub fn meta(&self) -> String {
        format!("hubbub:{{{}}}:meta", self.tag)
    }

    /// Stream: one entry's JSON under `<seq>-0`.
    pub fn log(&self) -> String {
        format!("hubbub:{{{}}}:log", self.tag)
    }

    /// Hash: the epoch, the producer's last number, and what became of its latest 64.
    pub fn producer(&self, user: UserId, producer: ProducerId) -> String {
        format!("hubbub:{{{}}}:producer:{user}:{producer}", self.tag)
    }

    /// Hash: `<instance>:<user>` to the person's name.
    pub fn people(&self) -> String {
        format!("hubbub:{{{}}}:people", self.tag)
    }

    /// Channel: entries' JSON, [`PRESENCE_CHANGED`], and [`TYPING`] with a person.
    pub fn channel(&self) -> String {
        format!("hubbub:{{{}}}:live", self.tag)
    }
}

/// What a room's channel says when somebody entered or left. An entry's JSON begins with a brace.
pub const PRESENCE_CHANGED: &str = "presence";
/// What it says when somebody is typing, before the person as JSON.
pub const TYPING: &str = "typing ";

/// Hash: user, name, held (the hash of the name's key).
pub fn session(token: TokenHash) -> String {
    format!("hubbub:session:{}", token.to_hex())
}

pub fn name_hash(name: &NameKey) -> String {
    hex(&sha256(name.as_str().as_bytes()))
}

/// String: the token hash of the session that holds the name.
pub fn name(hash: &str) -> String {
    format!("hubbub:name:{hash}")
}

/// Room tags by the time this person joined.
pub fn rooms_of(user: UserId) -> String {
    format!("hubbub:user:{user}:rooms")
}

/// Hash: room tag to epoch and seq up to which this person has read. Tagged with the name of the key beside it, so that
/// both are in one slot.
pub fn marks(user: UserId) -> String {
    format!("hubbub:{{{}}}:marks", rooms_of(user))
}

/// What a person's membership is kept in.
pub fn of_member(user: UserId) -> Vec<String> {
    vec![rooms_of(user), marks(user)]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use app::domain::{RoomName, UserName};

    #[test]
    fn a_key_holds_nothing_that_was_typed_and_one_room_has_one_tag() {
        let room = RoomName::parse("Café {x}").unwrap().key();
        let keys = RoomKeys::of(&room);
        let all = [keys.meta(), keys.log(), keys.producer(UserId(1), ProducerId(2)), keys.people(), keys.channel()];
        for key in &all {
            assert!(key.is_ascii() && !key.contains("caf"), "{key}");
            assert!(key.contains(&format!("{{{}}}", keys.tag())), "{key}");
        }
        assert_eq!(keys.tag().len(), 32);
        let holder = UserName::parse("Zoë").unwrap();
        assert!(name(&name_hash(&holder.key())).is_ascii());
    }
}

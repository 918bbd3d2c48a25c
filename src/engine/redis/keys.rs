//! The names of everything in Redis. No key holds anything that a person typed: names are hashed, and what belongs to
//! one room shares the tag `{…}`, so that it lives in one slot of a Cluster and one script may touch all of it.
//!
//! All begin with one prefix. Channels know nothing of databases, so those of another database than 0 name it behind the
//! prefix: what shares no keys hears nothing of each other either.

use crate::engine::{TokenHash, hex, sha256};
use app::domain::{NameKey, ProducerId, RoomKey, UserId};
use std::sync::Arc;

/// What all names begin with, before a colon, unless another prefix was set.
pub const PREFIX: &str = "hubbub";
const PREFIX_MAX: usize = 64;

/// A prefix from the settings.
///
/// # Errors
/// What is wrong with it: it would hide the tags, be a pattern, or be read as part of what follows.
pub fn parse_prefix(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if text.is_empty() || text.len() > PREFIX_MAX || !text.bytes().all(fits) {
        return Err("expected 1 to 64 ASCII letters, digits, dots, hyphens and underscores".to_owned());
    }
    Ok(text.to_owned())
}

/// The names that one deployment uses.
#[derive(Debug, Clone)]
pub struct Keys {
    prefix: Arc<str>,
    channels: Arc<str>,
}

impl Keys {
    pub fn new(prefix: &str, database: u8) -> Self {
        let channels = if database == 0 { format!("{prefix}:") } else { format!("{prefix}:#{database}:") };
        Self { prefix: format!("{prefix}:").into(), channels: channels.into() }
    }

    /// Room tags by last activity.
    pub fn active_rooms(&self) -> String {
        format!("{}{{rooms}}:active", self.prefix)
    }

    /// Room tag to `RoomRef` as JSON.
    pub fn room_names(&self) -> String {
        format!("{}{{rooms}}:names", self.prefix)
    }

    /// String: the number of the format of all the others.
    pub fn format(&self) -> String {
        format!("{}format", self.prefix)
    }

    /// String: what everybody is told, for as long as it is.
    pub fn notice(&self) -> String {
        format!("{}notice", self.prefix)
    }

    /// String: what names of buckets are hidden with.
    pub fn secret(&self) -> String {
        format!("{}secret", self.prefix)
    }

    /// String: when the bucket will be full.
    pub fn quota(&self, hidden: &str) -> String {
        format!("{}quota:{hidden}", self.prefix)
    }

    /// Sessions that hold names from somewhere, by when they end.
    pub fn held_from(&self, hidden: &str) -> String {
        format!("{}held:{hidden}", self.prefix)
    }

    /// String: from where the session holds its name.
    pub fn places_of(&self, token: TokenHash) -> String {
        format!("{}from:{}", self.prefix, token.to_hex())
    }

    /// Instance ids by the time their leases end.
    pub fn instances(&self) -> String {
        format!("{}instances", self.prefix)
    }

    /// String: how the instance was started, as JSON, for as long as it is alive.
    pub fn instance(&self, id: &str) -> String {
        format!("{}instance:{id}", self.prefix)
    }

    /// Channel on which whoever drew the number hears itself alone.
    pub fn echo_channel(&self, number: u64) -> String {
        format!("{}{{echo}}:{number:016x}", self.channels)
    }

    /// Channel on which instances tell each other of what concerns people rather than rooms: ended sessions, and how far
    /// somebody has read.
    pub fn control_channel(&self) -> String {
        format!("{}{{control}}:sessions", self.channels)
    }

    /// A key that holds nothing for longer than one script runs, in the slot of `tag`, and a channel there on which
    /// nobody listens.
    pub fn probe(&self, tag: &str) -> [String; 2] {
        [format!("{}{{{tag}}}:probe", self.prefix), format!("{}{{{tag}}}:probe", self.channels)]
    }

    pub fn room(&self, room: &RoomKey) -> RoomKeys {
        self.room_with_tag(hex(&sha256(room.as_str().as_bytes())[..16]))
    }

    /// From a tag read out of the directory.
    pub fn room_with_tag(&self, tag: String) -> RoomKeys {
        RoomKeys { keys: self.clone(), tag }
    }

    /// Hash: user, name, held (the hashes of the name's keys, with a space between them).
    pub fn session(&self, token: TokenHash) -> String {
        format!("{}session:{}", self.prefix, token.to_hex())
    }

    /// Strings: the token hash of the session that holds the name. A name has two of them, each in a space of its own and,
    /// in a Cluster, on a node of its own; whoever has a name has both. (One that was taken before there were two has one.)
    pub fn names(&self, held: &str) -> Vec<String> {
        let spaces = ["name", "drawn"].into_iter().zip(held.split(' '));
        spaces.map(|(space, hash)| format!("{}{space}:{hash}", self.prefix)).collect()
    }

    /// Strings: an id while it is only claimed, a space, and the key of the room that looks like this. Two of them, as of
    /// names.
    pub fn looks(&self, looks: &NameKey) -> [String; 2] {
        let spaces = [("folded", looks.folded()), ("drawn", looks.drawn())];
        spaces.map(|(space, look)| format!("{}look:{space}:{}", self.prefix, hash(look)))
    }

    /// Room tags by the time this person joined.
    pub fn rooms_of(&self, user: UserId) -> String {
        format!("{}user:{user}:rooms", self.prefix)
    }

    /// Hash: room tag to epoch and seq up to which this person has read. Tagged with the name of the key beside it, so
    /// that both are in one slot.
    pub fn marks(&self, user: UserId) -> String {
        format!("{}{{{}}}:marks", self.prefix, self.rooms_of(user))
    }

    /// What a person's membership is kept in.
    pub fn of_member(&self, user: UserId) -> Vec<String> {
        vec![self.rooms_of(user), self.marks(user)]
    }
}

/// The keys of one room.
#[derive(Debug, Clone)]
pub struct RoomKeys {
    keys: Keys,
    tag: String,
}

impl RoomKeys {
    /// The names of what is beside the room.
    pub fn all(&self) -> &Keys {
        &self.keys
    }

    pub fn tag(&self) -> &str {
        &self.tag
    }

    pub fn into_tag(self) -> String {
        self.tag
    }

    /// Hash: epoch, seq, id and at of the last entry; key and name of the room; created.
    pub fn meta(&self) -> String {
        self.key("meta")
    }

    /// Stream: one entry's JSON under `<seq>-0`.
    pub fn log(&self) -> String {
        self.key("log")
    }

    /// Hash: the epoch, the producer's last number, what became of its latest 64, and whether all were voids.
    pub fn producer(&self, user: UserId, producer: ProducerId) -> String {
        self.key(&format!("producer:{user}:{producer}"))
    }

    /// Hash: `<instance>:<user>` to the person's name.
    pub fn people(&self) -> String {
        self.key("people")
    }

    /// Channel: entries' JSON, [`PRESENCE_CHANGED`], and [`TYPING`] with a person.
    pub fn channel(&self) -> String {
        format!("{}{{{}}}:live", self.keys.channels, self.tag)
    }

    fn key(&self, what: &str) -> String {
        format!("{}{{{}}}:{what}", self.keys.prefix, self.tag)
    }
}

/// What a room's channel says when somebody entered or left. An entry's JSON begins with a brace.
pub const PRESENCE_CHANGED: &str = "presence";
/// What it says when somebody is typing, before the person as JSON.
pub const TYPING: &str = "typing ";

/// What a session keeps of the keys of its name.
pub fn held(name: &NameKey) -> String {
    format!("{} {}", hash(name.folded()), hash(name.drawn()))
}

fn hash(text: &str) -> String {
    hex(&sha256(text.as_bytes()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use app::domain::{RoomName, UserName};

    #[test]
    fn a_key_holds_nothing_that_was_typed_and_one_room_has_one_tag() {
        let room = RoomName::parse("Café {x}").unwrap().key();
        let names = Keys::new(PREFIX, 0);
        let keys = names.room(&room);
        let all = [keys.meta(), keys.log(), keys.producer(UserId(1), ProducerId(2)), keys.people(), keys.channel()];
        for key in &all {
            assert!(key.is_ascii() && !key.contains("caf"), "{key}");
            assert!(key.contains(&format!("{{{}}}", keys.tag())), "{key}");
        }
        assert_eq!(keys.tag().len(), 32);
        let holder = UserName::parse("Zoë").unwrap();
        let held = names.names(&held(&holder.key()));
        assert_eq!(held.len(), 2);
        let looks = names.looks(&RoomName::parse("Café").unwrap().looks());
        assert!(held.iter().chain(&looks).all(|key| key.is_ascii() && !key.contains("caf")));
    }

    #[test]
    fn only_channels_name_the_database_and_everything_the_prefix() {
        let room = RoomName::parse("lobby").unwrap().key();
        let of = |prefix, database| {
            let keys = Keys::new(prefix, database);
            (keys.room(&room).meta(), keys.room(&room).channel(), keys.control_channel())
        };
        let (first, second) = (of(PREFIX, 0), of(PREFIX, 1));
        assert_eq!(first.0, second.0);
        assert!(first.1 != second.1 && first.2 != second.2);
        assert!(second.1.starts_with("hubbub:#1:{") && second.2.starts_with("hubbub:#1:{"));
        let other = of("team.b", 0);
        assert!([&other.0, &other.1, &other.2].iter().all(|name| name.starts_with("team.b:{")), "{other:?}");
    }

    #[test]
    fn a_prefix_hides_no_tag_and_is_no_pattern() {
        for prefix in ["hubbub", "a", "team-b_chat.2", &"x".repeat(64)] {
            assert!(parse_prefix(prefix).is_ok(), "{prefix}");
        }
        for prefix in ["", " ", "a b", "a:b", "a{b}", "a*", "a?", "[a]", "a\\b", "a#1", "é", "a\n", &"x".repeat(65)] {
            assert!(parse_prefix(prefix).is_err(), "{prefix}");
        }
    }
}

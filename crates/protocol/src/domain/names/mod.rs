//! Names of people and rooms.
//!
//! | module | what it is for |
//! |---|---|
//! | `parse` | what is typed, made into a name |
//! | `characters` | which characters may stand where |
//! | `scripts` | which letters may stand in one word |
//! | `looks` | what two names must differ in to be told apart |
//!
//! Parsing needs Unicode tables that would double the size of the browser's module, so only the server parses; the
//! browser receives names that were parsed already and treats them as opaque.

use serde::{Deserialize, Serialize};

/// Longest name of a person, in Unicode scalar values after normalisation.
pub const USER_NAME_MAX: usize = 32;
/// Longest name of a room, in Unicode scalar values after normalisation.
pub const ROOM_NAME_MAX: usize = 64;

/// Why a text is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameProblem {
    Empty,
    TooLong,
    /// `.` and `..`, which every URL parser would take for a path.
    Dots,
    /// `/` or `\`, which proxies rewrite.
    Slash,
    /// Control, bidi-override, unassigned or otherwise invisible characters; a joiner where nothing is spelt with it; half of an
    /// emoji.
    Invisible,
    /// A mark on something that bears none, or a pile of them.
    Marks,
    /// No letter, digit, emoji or other picture: nothing to tell it from another name by.
    Nameless,
}

/// A person's name as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserName(String);

impl UserName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A room's name as its creator wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RoomName(String);

impl RoomName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A room's name normalised (NFC, case-folded): names that differ only in case or composition are one room. It is what
/// the URL and the protocol carry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RoomKey(String);

impl RoomKey {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The room's one address, percent-encoded: `/r/<key>`.
    pub fn path(&self) -> String {
        let mut path = String::with_capacity(3 + self.0.len() * 3);
        path.push_str("/r/");
        for byte in self.0.bytes() {
            // RFC 3986 "unreserved"; everything else is encoded, so that one key has one spelling.
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                path.push(char::from(byte));
            } else {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                path.push('%');
                path.push(char::from(HEX[usize::from(byte >> 4)]));
                path.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
        path
    }
}

#[cfg(feature = "server")]
mod characters;
#[cfg(feature = "server")]
mod looks;
#[cfg(feature = "server")]
mod parse;
#[cfg(feature = "server")]
mod scripts;
#[cfg(all(test, feature = "server"))]
mod tests;

#[cfg(feature = "server")]
pub use looks::NameKey;

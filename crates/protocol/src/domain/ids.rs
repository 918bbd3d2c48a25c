//! Random 64-bit identifiers. On the wire each is 16 lower-case hexadecimal digits, because a JSON number in a browser
//! keeps only 53 bits.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};

/// The text was not 16 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnId;

impl fmt::Display for NotAnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected 16 lower-case hexadecimal digits")
    }
}

fn parse_hex(text: &str) -> Result<u64, NotAnId> {
    let digits = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if text.len() != 16 || !text.bytes().all(digits) {
        return Err(NotAnId);
    }
    u64::from_str_radix(text, 16).map_err(|_| NotAnId)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:016x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                parse_hex(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

id! {
    /// One incarnation of a room's log. A new one means that nothing remembered of the old one may be trusted.
    Epoch
}
id! {
    /// One entry, whatever its seq: made by whoever appends it, so that a log that was rolled back and written again is
    /// told from the one before. `0` stands before the first entry.
    EntryId
}
id! {
    /// A person for as long as a session lives. A later holder of the same name has another.
    UserId
}
id! {
    /// One tab as a source of messages; numbers its messages 1, 2, 3 … in each room.
    ProducerId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_the_wire() {
        for value in [0, 1, u64::MAX, 0x0123_4567_89ab_cdef] {
            let json = serde_json::to_string(&EntryId(value)).unwrap();
            assert_eq!(json.len(), 18);
            assert_eq!(serde_json::from_str::<EntryId>(&json).unwrap(), EntryId(value));
        }
    }

    #[test]
    fn anything_but_16_lower_case_hex_digits_is_refused() {
        for text in ["", "1", "0123456789ABCDEF", "0123456789abcdeg", "+123456789abcdef", "0123456789abcdef0"] {
            assert_eq!(text.parse::<Epoch>(), Err(NotAnId), "{text}");
        }
    }
}

//! What a store keeps, in the words of whoever shows it: the port to it is [`engine`](crate::engine).

use crate::digest::{hex, sha256};
use app::{
    domain::{Cursor, EntryId, Epoch, RoomRef},
    page::LastMessage,
    protocol::Person,
};
use std::{fmt, sync::Arc};

/// The store did not answer, or not with what was asked for.
#[derive(Debug, Clone, thiserror::Error)]
#[error("store: {0}")]
pub struct StoreError(pub String);

/// An entry as the log keeps it: its place, and its JSON exactly as clients receive it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub epoch: Epoch,
    pub seq: u64,
    pub id: EntryId,
    pub prev: EntryId,
    /// An [`app::domain::Entry`].
    pub json: Arc<str>,
}

impl Record {
    pub fn cursor(&self) -> Cursor {
        Cursor { epoch: self.epoch, seq: self.seq, id: self.id }
    }
}

/// What a store says of itself; what it does not say, or is not its to say, is not there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Bytes of memory that the fullest server of Redis uses, and may use.
    pub redis_used_bytes: Option<u64>,
    pub redis_max_bytes: Option<u64>,
    /// Keys that servers of Redis deleted for want of memory.
    pub redis_evicted_keys: Option<u64>,
    /// All servers refuse writes rather than delete something.
    pub redis_noeviction: Option<bool>,
    /// Bytes of the embedded store's file and of its write-ahead log.
    pub sqlite_file_bytes: Option<u64>,
    pub sqlite_wal_bytes: Option<u64>,
    /// The disk that they are on, and what is free of it.
    pub disk_bytes: Option<u64>,
    pub disk_free_bytes: Option<u64>,
}

/// What follows a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// `records` follow it without a hole; `top` is the place of the log's last entry when it was read.
    Entries { records: Vec<Record>, top: Cursor },
    /// The cursor is not of this log: another epoch, another entry at its seq, or beyond the end.
    Reset,
}

/// A run of records without a hole, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordPage {
    pub records: Vec<Record>,
    /// The place after the last of `records` (for an empty log, its origin).
    pub cursor: Cursor,
    /// Whether the log holds entries before the first of `records`.
    pub older: bool,
}

impl RecordPage {
    /// Of its entries.
    pub fn bytes(&self) -> usize {
        self.records.iter().map(|record| record.json.len()).sum()
    }
}

/// Rooms of one person that are shown: as many as their socket may be in.
pub const ROOMS_LISTED: usize = app::protocol::ROOMS_MAX;

/// What the store says of sessions that it was asked about. The others go on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    pub ended: Vec<TokenHash>,
    /// Of these it could not tell: the part of it that holds them is away.
    pub unknown: Vec<TokenHash>,
}

/// SHA-256 of a session's token: the token itself is in the person's cookie and nowhere else.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    pub fn of(token: &str) -> Self {
        Self(sha256(token.as_bytes()))
    }

    pub fn to_hex(self) -> String {
        hex(&self.0)
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenHash({}…)", hex(&self.0[..4]))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub token: TokenHash,
    pub person: Person,
}

/// A room in the directory.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    pub room: RoomRef,
    /// Everyone who is there now, as [`Presence::people`](crate::engine::Presence::people) lists them.
    pub people: Vec<Person>,
    /// Milliseconds since 1970-01-01 UTC of the last message, or of the room's creation.
    pub active_at: u64,
    /// `None` if the log ends with no message.
    pub last: Option<LastMessage>,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum OpenError {
    #[error("somebody else has this name or one that looks like it")]
    Taken,
    #[error("a word of the name mixes scripts that are not written together")]
    MixedScripts,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a room was not created.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CreateError {
    #[error("the room {} looks like it", .0.key.as_str())]
    LooksLike(RoomRef),
    #[error("a word of the name mixes scripts that are not written together")]
    MixedScripts,
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// The message is this entry, now or since an earlier try.
    Entry(Cursor),
    /// The number is used up and is no entry.
    Voided,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// `n` is neither `last + 1` nor one of the latest 64.
    #[error("number out of order: the last one is {last}")]
    OutOfOrder { last: u64 },
    /// The number was used before, with other content.
    #[error("number used before with other content")]
    Conflict,
    /// Nothing was written.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// It may or may not have been written; the same draft again will tell.
    #[error("outcome unknown: {0}")]
    Unknown(String),
}

/// Characters of a notice.
const LENGTH_MAX: usize = 280;

/// What a notice says: one line of 1 to 280 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeText(String);

impl NoticeText {
    /// # Errors
    /// Says what keeps it from being one.
    pub fn parse(typed: &str) -> Result<Self, String> {
        let text = typed.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.is_empty() {
            return Err("expected a text; --clear takes a notice back".to_owned());
        }
        if text.chars().any(char::is_control) {
            return Err("it has characters that nobody sees".to_owned());
        }
        match text.chars().count() {
            long if long > LENGTH_MAX => Err(format!("it has {long} characters, and may have {LENGTH_MAX}")),
            _ => Ok(Self(text)),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why messages cannot be written at present.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Unwritable {
    pub reason: Reason,
    /// For the log; names nothing that a person typed.
    pub detail: String,
}

/// The kinds of it, each with a stable word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It does not answer.
    Unreachable,
    /// Its disk or memory is full.
    Full,
    /// It takes no writes, as a replica does.
    ReadOnly,
    /// Its parts do not fit together.
    Corrupt,
    /// This server lacks a right there.
    Rights,
    Other,
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Full => "full",
            Self::ReadOnly => "read_only",
            Self::Corrupt => "corrupt",
            Self::Rights => "rights",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<StoreError> for Unwritable {
    fn from(StoreError(detail): StoreError) -> Self {
        Self { reason: Reason::Unreachable, detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_one_line_that_can_be_read() {
        let parse = |text: &str| NoticeText::parse(text).map(|text| text.0);
        assert_eq!(parse(" We restart\n at  15:00 \n"), Ok("We restart at 15:00".to_owned()));
        assert_eq!(parse(&"공".repeat(280)), Ok("공".repeat(280)));
        for no in ["", " \n ", "a\u{7}b", "\u{1b}[31mred", &"x".repeat(281)] {
            assert!(parse(no).is_err(), "{no:?}");
        }
    }
}

//! The frames of the WebSocket at `/ws`. `docs/protocol.md` is the reference, with an example of each.
//!
//! Both sides ignore fields they do not know; a client ignores kinds of frame it does not know.

use crate::domain::{Cursor, Entry, Epoch, ProducerId, RoomKey, RoomName, UserId, UserName};
use serde::{Deserialize, Deserializer, Serialize, de};

pub const SUBPROTOCOL: &str = "hubbub.v1";

/// What the names of all versions begin with.
pub const SUBPROTOCOLS: &str = "hubbub.v";

/// Largest frame a client may send, in bytes of UTF-8.
pub const FRAME_MAX: usize = 64 * 1024;
/// Rooms one socket may have joined at once.
pub const ROOMS_MAX: usize = 200;
/// Unacknowledged messages one producer may have under way in one room.
pub const IN_FLIGHT_MAX: usize = 64;
/// How many of a producer's latest numbers can be sent again and still get the answer they got before.
pub const REPEAT_WINDOW: u64 = 64;
/// Numbers of earlier tries that a message may name.
pub const EARLIER_MAX: usize = 8;
/// Entries in a page: the first one of a room, and each older one.
pub const PAGE_ENTRIES: usize = 50;
/// A client further behind than this is moved to the newest page instead.
pub const RESUME_MAX: u64 = 1_000;
/// People listed in a frame; `count` is exact beyond it.
pub const PEOPLE_MAX: usize = 50;
/// Unread messages are counted up to this number; people are shown "99+".
pub const UNREAD_MAX: usize = 100;
/// A client says at most this often that its person is typing.
pub const TYPING_EVERY_MS: u64 = 1_000;
/// Who was said to be typing is shown so for this long.
pub const TYPING_SHOWN_MS: u64 = 5_000;
/// The server closes a socket that was silent for this long.
pub const SILENCE_SERVER_SECS: u64 = 60;
/// A client that heard nothing for this long sends `ping` …
pub const SILENCE_CLIENT_SECS: u64 = 40;
/// … and gives the socket up after waiting this long for any frame.
pub const PONG_WAIT_SECS: u64 = 5;

/// What a client sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum ClientFrame {
    /// Follow a room from a cursor, or from its newest page without one.
    Join {
        room: RoomKey,
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "object_or_null")]
        cursor: Option<Cursor>,
    },
    /// Stop following a room and take it off this person's list.
    Leave {
        room: RoomKey,
    },
    /// Append a message. `n` is this producer's next number in this room.
    Send {
        room: RoomKey,
        p: ProducerId,
        n: u64,
        text: String,
        /// Where the same message was acknowledged before and then found to be lost, at most [`EARLIER_MAX`]: should it
        /// be there after all, that entry is the answer.
        #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "objects")]
        earlier: Vec<Earlier>,
    },
    /// Use up `n` without a message, unless it became one already.
    Void {
        room: RoomKey,
        p: ProducerId,
        n: u64,
    },
    /// The page of entries before `before`.
    History {
        room: RoomKey,
        epoch: Epoch,
        before: u64,
    },
    /// This person has read the room up to and including `mark`.
    Read {
        room: RoomKey,
        #[serde(deserialize_with = "object")]
        mark: ReadMark,
    },
    /// This person is typing in the room; at most once in [`TYPING_EVERY_MS`].
    Typing {
        room: RoomKey,
    },
    Ping,
}

/// What the server sends. `E` is an entry: typed in a client, already encoded in the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum ServerFrame<E = Entry> {
    /// First frame on every socket.
    Hello {
        me: Person,
        build: String,
        /// What everybody is told at present.
        #[serde(skip_serializing_if = "Option::is_none")]
        notice: Option<String>,
    },
    /// Answers `join`. `entries` follow the cursor given, or replace what the client had; see `how`.
    Joined {
        room: RoomKey,
        name: RoomName,
        how: JoinedHow,
        page: Page<E>,
        count: usize,
        people: Vec<Person>,
        /// How far this person has read, and how much others wrote after that.
        reading: Reading,
    },
    /// Answers `leave`.
    Left {
        room: RoomKey,
    },
    /// One entry, in order.
    Entry {
        room: RoomKey,
        entry: E,
    },
    /// The log is not what this client's cursor says: forget the room's entries and start from `page`.
    Reset {
        room: RoomKey,
        how: JoinedHow,
        page: Page<E>,
    },
    /// Answers `history`.
    History {
        room: RoomKey,
        before: u64,
        page: Page<E>,
    },
    /// Who is here, whenever it changed. `entered` and `left` are the change; they may be missed.
    Presence {
        room: RoomKey,
        count: usize,
        people: Vec<Person>,
        entered: Vec<Person>,
        left: Vec<Person>,
    },
    /// This person has read up to `mark`, here or in another tab or on another device.
    Read {
        room: RoomKey,
        mark: ReadMark,
    },
    /// Others who were typing within the last second. May be missed.
    Typing {
        room: RoomKey,
        people: Vec<Person>,
    },
    /// The message is committed as this entry.
    Ack {
        room: RoomKey,
        p: ProducerId,
        n: u64,
        at: Cursor,
    },
    /// `n` is used up and is no message.
    Voided {
        room: RoomKey,
        p: ProducerId,
        n: u64,
    },
    /// A `send` or `void` that was not done. With `retry` the client sends the same again later.
    Refused {
        room: RoomKey,
        p: ProducerId,
        n: u64,
        code: ErrorCode,
        retry: bool,
        /// With `out_of_order`: the last number the log has of this producer.
        #[serde(skip_serializing_if = "Option::is_none")]
        last: Option<u64>,
    },
    /// What whoever runs the server tells everybody, in place of what was told before. Without a text: nothing any more.
    Notice {
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// Open another socket, resume there, then close this one; the server closes it after `within_ms`.
    Move {
        within_ms: u64,
    },
    Pong,
    /// The frame that caused it was not done.
    Error {
        code: ErrorCode,
        detail: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        room: Option<RoomKey>,
        /// The number of the message that the frame was about, which was not used up.
        #[serde(skip_serializing_if = "Option::is_none")]
        p: Option<ProducerId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        n: Option<u64>,
        retry: bool,
    },
    Unknown,
}

/// Reads a `T` that is an object: serde would take an array of its fields as well.
fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Object<T>(std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Object<T> {
        type Value = T;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<M: de::MapAccess<'de>>(self, map: M) -> Result<T, M::Error> {
            T::deserialize(de::value::MapAccessDeserializer::new(map))
        }
    }
    deserializer.deserialize_map(Object(std::marker::PhantomData))
}

/// What [`object`] reads, inside something else.
#[derive(Deserialize)]
#[serde(transparent, bound(deserialize = "T: Deserialize<'de>"))]
struct Within<T>(#[serde(deserialize_with = "object")] T);

fn object_or_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(Option::<Within<T>>::deserialize(deserializer)?.map(|Within(object)| object))
}

fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Vec::<Within<T>>::deserialize(deserializer)?.into_iter().map(|Within(object)| object).collect())
}

/// A number that a message had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Earlier {
    pub p: ProducerId,
    pub n: u64,
}

/// A run of entries without a hole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<E = Entry> {
    pub entries: Vec<E>,
    /// The place after the last of `entries`.
    pub cursor: Cursor,
    /// Whether the log holds entries before the first of `entries`.
    pub older: bool,
}

/// How far a person has read a room: the highest seq they saw. Within an epoch it only rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ReadMark {
    pub epoch: Epoch,
    pub seq: u64,
}

/// Where a person is in a room's log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// `None`: never here before, so nothing is unread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<ReadMark>,
    /// Others' messages after the mark, at most [`UNREAD_MAX`]. With a page of the room those up to its end: what follows is
    /// counted as it comes.
    #[serde(default)]
    pub unread: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinedHow {
    /// No cursor was given: the newest page.
    Newest,
    /// `entries` follow the cursor; nothing is missing.
    Resumed,
    /// Too far behind: the newest page, with a gap before it that `history` can fill.
    Jumped,
    /// The cursor is not of this log: whatever was shown may be gone.
    Reset,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Person {
    pub id: UserId,
    pub name: UserName,
}

/// What went wrong, as a stable word. The page turns it into a sentence in the reader's language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    NameEmpty,
    NameTooLong,
    NameInvalid,
    /// A word of it mixes scripts. Only forms are refused for it, which the server draws.
    #[cfg(feature = "server")]
    NameMixed,
    NameTaken,
    RoomEmpty,
    RoomTooLong,
    RoomInvalid,
    #[cfg(feature = "server")]
    RoomMixed,
    RoomUnknown,
    TextEmpty,
    TextTooLong,
    TextInvalid,
    /// Not JSON, or a field is missing or has the wrong type.
    BadFrame,
    /// JSON with a `t` that this server does not know.
    UnknownFrame,
    /// A binary frame.
    NotText,
    NotJoined,
    TooManyRooms,
    /// `n` is neither the next number nor one of the latest.
    OutOfOrder,
    /// `n` was used before with other content.
    Conflict,
    /// The epoch in the request is not the log's.
    EpochUnknown,
    SessionExpired,
    /// There is no such page.
    NotFound,
    /// The request came from a page of another site.
    OriginRefused,
    /// More was asked than one person or one address may. Try again later.
    TooMany,
    /// The store does not answer, is full or is starting. Try again.
    Unavailable,
    // Only pages say these; the browser is not sent them.
    /// The browser would not keep the session's cookie.
    #[cfg(feature = "server")]
    NoCookie,
    /// A request that is none, or a form of a kind that is not read.
    #[cfg(feature = "server")]
    BadRequest,
    /// A request whose body, or whose answer, took too long.
    #[cfg(feature = "server")]
    TooSlow,
    /// A form of more bytes than are read.
    #[cfg(feature = "server")]
    TooLarge,
    #[serde(other)]
    Internal,
}

impl ErrorCode {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NameEmpty => "name_empty",
            Self::NameTooLong => "name_too_long",
            Self::NameInvalid => "name_invalid",
            #[cfg(feature = "server")]
            Self::NameMixed => "name_mixed",
            Self::NameTaken => "name_taken",
            Self::RoomEmpty => "room_empty",
            Self::RoomTooLong => "room_too_long",
            Self::RoomInvalid => "room_invalid",
            #[cfg(feature = "server")]
            Self::RoomMixed => "room_mixed",
            Self::RoomUnknown => "room_unknown",
            Self::TextEmpty => "text_empty",
            Self::TextTooLong => "text_too_long",
            Self::TextInvalid => "text_invalid",
            Self::BadFrame => "bad_frame",
            Self::UnknownFrame => "unknown_frame",
            Self::NotText => "not_text",
            Self::NotJoined => "not_joined",
            Self::TooManyRooms => "too_many_rooms",
            Self::OutOfOrder => "out_of_order",
            Self::Conflict => "conflict",
            Self::EpochUnknown => "epoch_unknown",
            Self::SessionExpired => "session_expired",
            Self::NotFound => "not_found",
            Self::OriginRefused => "origin_refused",
            Self::TooMany => "too_many",
            Self::Unavailable => "unavailable",
            #[cfg(feature = "server")]
            Self::NoCookie => "no_cookie",
            #[cfg(feature = "server")]
            Self::BadRequest => "bad_request",
            #[cfg(feature = "server")]
            Self::TooSlow => "too_slow",
            #[cfg(feature = "server")]
            Self::TooLarge => "too_large",
            Self::Internal => "internal",
        }
    }

    pub fn for_user_name(problem: crate::domain::NameProblem) -> Self {
        use crate::domain::NameProblem;
        match problem {
            NameProblem::Empty => Self::NameEmpty,
            NameProblem::TooLong => Self::NameTooLong,
            _ => Self::NameInvalid,
        }
    }

    pub fn for_room_name(problem: crate::domain::NameProblem) -> Self {
        use crate::domain::NameProblem;
        match problem {
            NameProblem::Empty => Self::RoomEmpty,
            NameProblem::TooLong => Self::RoomTooLong,
            _ => Self::RoomInvalid,
        }
    }

    pub fn for_text(problem: crate::domain::TextProblem) -> Self {
        use crate::domain::TextProblem;
        match problem {
            TextProblem::Empty => Self::TextEmpty,
            TextProblem::TooLong => Self::TextTooLong,
        }
    }
}

/// Why the server closed a socket: the code of the close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum CloseCode {
    /// Frame that breaks the rules of RFC 6455.
    Protocol = 1002,
    /// Text that is not UTF-8 (RFC 6455).
    NotUtf8 = 1007,
    /// Too many frames that could not be made out, or a message that took too long (RFC 6455, "violates its policy").
    Policy = 1008,
    /// Message larger than [`FRAME_MAX`], or of too many frames (RFC 6455).
    TooBig = 1009,
    /// The server is stopping: reconnect, to any instance (RFC 6455 registry, "service restart").
    Restarting = 1012,
    /// More sockets than this instance may have, or its store does not answer: reconnect later (registry, "try again later").
    Busy = 1013,
    /// The session ended. Do not reconnect before signing in again.
    SessionEnded = 4001,
    /// Nothing heard for [`SILENCE_SERVER_SECS`].
    Silent = 4002,
    /// Less than 1 KiB a second was taken for 35 s.
    Stalled = 4003,
    /// The socket reached its lifetime after `move`.
    Moved = 4004,
    /// The client offered only other versions of the protocol; the reason is the server's build.
    Incompatible = 4005,
    /// The session has more sockets than it may, and this one's person did nothing for longest: it stays closed until the
    /// person is back at it.
    TooManySockets = 4006,
}

impl CloseCode {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Protocol,
        Self::NotUtf8,
        Self::Policy,
        Self::TooBig,
        Self::Restarting,
        Self::Busy,
        Self::SessionEnded,
        Self::Silent,
        Self::Stalled,
        Self::Moved,
        Self::Incompatible,
        Self::TooManySockets,
    ];

    pub fn code(self) -> u16 {
        self as u16
    }

    /// Whether it is what the client sent that ends the socket.
    pub fn is_for_bad_input(self) -> bool {
        matches!(self, Self::Protocol | Self::NotUtf8 | Self::Policy | Self::TooBig)
    }
}

#[cfg(test)]
mod tests;

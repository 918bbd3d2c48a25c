//! Reads a [`ServerFrame`]: first its fields as they stand there, then those of its kind as what they are.
//!
//! Serde would keep a whole frame in memory until it knows its kind, and then read each kind with code of its own. This is a
//! tenth of that code, and the page has to load it.

use crate::frames::ServerFrame;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::value::RawValue;
use std::collections::HashMap;

/// A frame's fields by their names. Those of other kinds are never looked at.
struct Fields<'de>(HashMap<String, &'de RawValue>);

impl<'de, E: Deserialize<'de>> Deserialize<'de> for ServerFrame<E> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Fields(HashMap::deserialize(deserializer)?);
        fields
            .frame()
            .ok_or_else(|| D::Error::custom("a field that this kind of frame has is missing, or is something else"))
    }
}

impl<'de> Fields<'de> {
    /// `None` if it is not there, or is something else.
    fn get<T: Deserialize<'de>>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.0.get(name)?.get()).ok()
    }

    fn frame<E: Deserialize<'de>>(&self) -> Option<ServerFrame<E>> {
        let kind: String = self.get("t")?;
        Some(match kind.as_str() {
            "hello" => {
                ServerFrame::Hello { me: self.get("me")?, build: self.get("build")?, notice: self.get("notice") }
            }
            "joined" => ServerFrame::Joined {
                room: self.get("room")?,
                name: self.get("name")?,
                how: self.get("how")?,
                page: self.get("page")?,
                count: self.get("count")?,
                people: self.get("people")?,
                reading: self.get("reading").unwrap_or_default(),
            },
            "left" => ServerFrame::Left { room: self.get("room")? },
            "entry" => ServerFrame::Entry { room: self.get("room")?, entry: self.get("entry")? },
            "reset" => ServerFrame::Reset { room: self.get("room")?, how: self.get("how")?, page: self.get("page")? },
            "history" => {
                ServerFrame::History { room: self.get("room")?, before: self.get("before")?, page: self.get("page")? }
            }
            "presence" => ServerFrame::Presence {
                room: self.get("room")?,
                count: self.get("count")?,
                people: self.get("people")?,
                entered: self.get("entered")?,
                left: self.get("left")?,
            },
            "read" => ServerFrame::Read { room: self.get("room")?, mark: self.get("mark")? },
            "typing" => ServerFrame::Typing { room: self.get("room")?, people: self.get("people")? },
            "ack" => {
                ServerFrame::Ack { room: self.get("room")?, p: self.get("p")?, n: self.get("n")?, at: self.get("at")? }
            }
            "voided" => ServerFrame::Voided { room: self.get("room")?, p: self.get("p")?, n: self.get("n")? },
            "refused" => ServerFrame::Refused {
                room: self.get("room")?,
                p: self.get("p")?,
                n: self.get("n")?,
                code: self.get("code")?,
                retry: self.get("retry")?,
                last: self.get("last"),
            },
            "notice" => ServerFrame::Notice { text: self.get("text") },
            "move" => ServerFrame::Move { within_ms: self.get("within_ms")? },
            "pong" => ServerFrame::Pong,
            "error" => ServerFrame::Error {
                code: self.get("code")?,
                detail: self.get("detail")?,
                room: self.get("room"),
                p: self.get("p"),
                n: self.get("n"),
                retry: self.get("retry").unwrap_or_default(),
            },
            _ => ServerFrame::Unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Body, Cursor, Entry, EntryId, Epoch, MessageText, ProducerId, RoomKey, UserId},
        frames::{ErrorCode, JoinedHow, Page, Person, ReadMark, Reading},
    };
    use serde::de::DeserializeOwned;

    /// A name that was parsed elsewhere.
    fn name<T: DeserializeOwned>(name: &str) -> T {
        serde_json::from_value(name.into()).unwrap()
    }

    fn error(code: ErrorCode, room: Option<RoomKey>, number: Option<(ProducerId, u64)>, retry: bool) -> ServerFrame {
        let (p, n) = number.unzip();
        ServerFrame::Error { code, detail: "d".to_owned(), room, p, n, retry }
    }

    /// A kind that is written and not read would be a frame that is ignored.
    #[test]
    fn every_kind_of_frame_is_read_as_it_was_written() {
        let (key, user) = (name::<RoomKey>("a"), name("a"));
        let (p, n, me) = (ProducerId(7), 3, Person { id: UserId(1), name: user });
        let at = Cursor { epoch: Epoch(1), seq: 2, id: EntryId(12) };
        let body = Body::Message { text: MessageText::parse("hi").unwrap() };
        let Person { id: by, name: called } = me.clone();
        let entry = Entry {
            epoch: at.epoch,
            seq: at.seq,
            id: at.id,
            prev: EntryId(11),
            at: 1_000,
            by,
            name: called,
            p,
            n,
            body,
        };
        let (page, people) = (Page { entries: vec![entry], cursor: at, older: true }, vec![me.clone()]);
        let mark = ReadMark { epoch: at.epoch, seq: 1 };
        let frames: Vec<ServerFrame> = vec![
            ServerFrame::Hello { me, build: "b".to_owned(), notice: None },
            ServerFrame::Joined {
                room: key.clone(),
                name: name("a"),
                how: JoinedHow::Resumed,
                page: page.clone(),
                count: 1,
                people: people.clone(),
                reading: Reading { mark: Some(mark), unread: 4 },
            },
            ServerFrame::Left { room: key.clone() },
            ServerFrame::Entry { room: key.clone(), entry: page.entries[0].clone() },
            ServerFrame::Reset { room: key.clone(), how: JoinedHow::Reset, page: page.clone() },
            ServerFrame::History { room: key.clone(), before: 9, page },
            ServerFrame::Presence {
                room: key.clone(),
                count: 2,
                people: people.clone(),
                entered: people.clone(),
                left: Vec::new(),
            },
            ServerFrame::Read { room: key.clone(), mark },
            ServerFrame::Typing { room: key.clone(), people },
            ServerFrame::Ack { room: key.clone(), p, n, at },
            ServerFrame::Voided { room: key.clone(), p, n },
            ServerFrame::Refused { room: key.clone(), p, n, code: ErrorCode::Conflict, retry: true, last: Some(2) },
            ServerFrame::Refused { room: key.clone(), p, n, code: ErrorCode::TextEmpty, retry: false, last: None },
            ServerFrame::Move { within_ms: 3_000 },
            ServerFrame::Pong,
            error(ErrorCode::NotJoined, Some(key.clone()), None, true),
            error(ErrorCode::BadFrame, Some(key), Some((p, n)), false),
            error(ErrorCode::BadFrame, None, None, false),
        ];
        for frame in frames {
            let json = serde_json::to_string(&frame).unwrap();
            assert_eq!(serde_json::from_str::<ServerFrame>(&json).unwrap(), frame, "{json}");
        }
    }

    #[test]
    fn a_frame_without_one_of_its_fields_is_none() {
        for json in [r#"{"t":"left"}"#, r#"{"t":"ack","room":"a"}"#, r#"{"room":"a"}"#, r#"{"t":"move"}"#, "[]", "5"] {
            assert!(serde_json::from_str::<ServerFrame>(json).is_err(), "{json}");
        }
        let other = r#"{"t":"fireworks","room":5,"page":"blue","n":null}"#;
        assert_eq!(serde_json::from_str::<ServerFrame>(other).unwrap(), ServerFrame::Unknown, "another kind's fields");
        let frame = r#"{"t":"error","code":"bad_frame","detail":"d"}"#;
        assert_eq!(serde_json::from_str::<ServerFrame>(frame).unwrap(), error(ErrorCode::BadFrame, None, None, false));
    }
}

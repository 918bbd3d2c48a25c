//! A room's log: entries, and cursors over it.

use super::{EntryId, Epoch, MessageText, ProducerId, UserId, UserName};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A place in a room's log: "everything up to and including this entry was seen".
///
/// `seq` 0 with [`EntryId`] 0 is the place before the first entry of its epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cursor {
    pub epoch: Epoch,
    pub seq: u64,
    pub id: EntryId,
}

impl Cursor {
    /// Before the first entry of `epoch`.
    pub fn origin(epoch: Epoch) -> Self {
        Self { epoch, seq: 0, id: EntryId(0) }
    }

    /// Whether `entry` is the very next one: same epoch, next seq, and it names this cursor's entry as its predecessor.
    pub fn precedes(&self, entry: &Entry) -> bool {
        self.epoch == entry.epoch && self.seq + 1 == entry.seq && self.id == entry.prev
    }
}

/// One entry of a room's log. Its envelope never changes once it was committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub epoch: Epoch,
    /// 1, 2, 3 … within the epoch, with no holes.
    pub seq: u64,
    pub id: EntryId,
    /// The id of the entry before, `0` for the first.
    pub prev: EntryId,
    /// Milliseconds since 1970-01-01 UTC by the engine's clock; before the previous entry's only where that
    /// came from a clock that was wrong.
    pub at: u64,
    pub by: UserId,
    pub name: UserName,
    /// The producer and its number: how a sender recognises its own message.
    pub p: ProducerId,
    pub n: u64,
    pub body: Body,
}

impl Entry {
    pub fn cursor(&self) -> Cursor {
        Cursor { epoch: self.epoch, seq: self.seq, id: self.id }
    }

    /// The text to show, if this kind of entry has one.
    pub fn text(&self) -> Option<&str> {
        self.body.text()
    }
}

/// What an entry says. A reader that meets a kind it does not know keeps the entry's place and shows nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", try_from = "Flat")]
pub enum Body {
    Message { text: MessageText },
    Unknown,
}

impl Body {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Message { text } => Some(text.as_str()),
            Self::Unknown => None,
        }
    }
}

/// A [`Body`] as it is read. What serde makes for an enum with a tag would cost the page more.
#[derive(Deserialize)]
struct Flat {
    kind: String,
    /// Whatever this means to another kind.
    text: Option<Box<RawValue>>,
}

impl TryFrom<Flat> for Body {
    type Error = serde_json::Error;

    fn try_from(Flat { kind, text }: Flat) -> Result<Self, Self::Error> {
        match kind.as_str() {
            "message" => {
                serde_json::from_str(text.as_deref().map_or("null", RawValue::get)).map(|text| Self::Message { text })
            }
            _ => Ok(Self::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_kind_keeps_its_place() {
        let json = r#"{"epoch":"00000000000000aa","seq":3,"id":"0000000000000003","prev":"0000000000000002","at":5,
            "by":"0000000000000009","name":"지우","p":"0000000000000007","n":1,"body":{"kind":"poll","q":"?"},"new":1}"#;
        let entry: Entry = serde_json::from_str(json).unwrap();
        assert_eq!(entry.body, Body::Unknown);
        assert!(Cursor { epoch: Epoch(0xaa), seq: 2, id: EntryId(2) }.precedes(&entry));
        assert!(!Cursor { epoch: Epoch(0xaa), seq: 2, id: EntryId(8) }.precedes(&entry));
    }

    #[test]
    fn a_message_has_a_text_and_another_kind_may_have_anything() {
        let message = Body::Message { text: MessageText::parse("안녕 \"a\"\n😀").unwrap() };
        let json = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<Body>(&json).unwrap(), message);
        assert_eq!(serde_json::from_str::<Body>(r#"{"text":"a\u0062","kind":"message"}"#).unwrap().text(), Some("ab"));
        for json in
            [r#"{"kind":"message"}"#, r#"{"kind":"message","text":5}"#, r#"{"kind":"message","text":null}"#, "{}"]
        {
            assert!(serde_json::from_str::<Body>(json).is_err(), "{json}");
        }
        for json in [r#"{"kind":"unknown"}"#, r#"{"kind":"poll","text":{"q":[1]}}"#, r#"{"text":5,"kind":"card"}"#] {
            assert_eq!(serde_json::from_str::<Body>(json).unwrap(), Body::Unknown, "{json}");
        }
    }
}

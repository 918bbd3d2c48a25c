//! The frames the server writes.

use crate::store::RecordPage;
use app::{
    domain::{Cursor, ProducerId, RoomKey},
    protocol::{ErrorCode, Page, ServerFrame},
};
use serde::{Serialize, Serializer, ser::Error};
use serde_json::value::RawValue;
use std::sync::Arc;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// An entry's JSON as the engine keeps it, written as it is.
#[derive(Debug, Clone)]
pub struct Raw(Arc<str>);

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(&self.0).map_err(S::Error::custom)?.serialize(serializer)
    }
}

pub type Frame = ServerFrame<Raw>;

pub fn page(page: RecordPage) -> Page<Raw> {
    let entries = page.records.into_iter().map(|record| Raw(record.json)).collect();
    Page { entries, cursor: page.cursor, older: page.older }
}

pub fn encode(frame: &Frame) -> Utf8Bytes {
    // Fails only if the store holds an entry that is no JSON.
    serde_json::to_string(frame)
        .unwrap_or_else(|error| {
            tracing::error!(%error, "cannot encode a frame");
            r#"{"t":"error","code":"internal","detail":"the log holds an entry that cannot be read"}"#.to_owned()
        })
        .into()
}

pub fn error(code: ErrorCode, detail: impl Into<String>, room: Option<RoomKey>) -> Frame {
    ServerFrame::Error { code, detail: detail.into(), room, p: None, n: None, retry: code == ErrorCode::Unavailable }
}

pub fn unavailable(room: RoomKey) -> Frame {
    error(ErrorCode::Unavailable, "the store does not answer; try again", Some(room))
}

/// The number a client gave a message.
#[derive(Debug, Clone)]
pub struct Number {
    pub room: RoomKey,
    pub p: ProducerId,
    pub n: u64,
}

impl Number {
    pub fn ack(self, at: Cursor) -> Frame {
        ServerFrame::Ack { room: self.room, p: self.p, n: self.n, at }
    }

    pub fn voided(self) -> Frame {
        ServerFrame::Voided { room: self.room, p: self.p, n: self.n }
    }

    pub fn refused(self, code: ErrorCode, last: Option<u64>) -> Frame {
        let retry = code == ErrorCode::Unavailable;
        ServerFrame::Refused { room: self.room, p: self.p, n: self.n, code, retry, last }
    }
}

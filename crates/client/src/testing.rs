//! Logs to test the models with.

use crate::clock::{Local, MINUTE, utc};
use protocol::{
    domain::{
        Body, Cursor, Entry, EntryId, Epoch, MessageText, ProducerId, RoomKey, RoomName, RoomRef, UserId, UserName,
    },
    frames::{Page, Person},
};

/// One of Haeun's messages.
pub fn entry(epoch: u64, seq: u64, id: u64, prev: EntryId) -> Entry {
    let Person { id: by, name } = haeun();
    let body = Body::Message { text: text(&format!("message {seq}")) };
    let (epoch, id) = (Epoch(epoch), EntryId(id));
    Entry { epoch, seq, id, prev, at: 1_000 * seq, by, name, p: ProducerId(0xbeef), n: seq, body }
}

/// `len` entries from seq 1 on, their ids peculiar to the epoch.
pub fn log(epoch: u64, len: u64) -> Vec<Entry> {
    grow(vec![], epoch, len, epoch * 1_000)
}

/// Another log that shares the first `common` entries with `log`: what a store has after a rollback.
pub fn forked(log: &[Entry], common: usize) -> Vec<Entry> {
    grow(log[..common].to_vec(), log[0].epoch.0, log.len() as u64, 900_000)
}

fn grow(mut log: Vec<Entry>, epoch: u64, len: u64, ids: u64) -> Vec<Entry> {
    while (log.len() as u64) < len {
        let seq = log.len() as u64 + 1;
        log.push(entry(epoch, seq, ids + seq, log.last().map_or(EntryId(0), |last| last.id)));
    }
    log
}

pub fn page(entries: &[Entry]) -> Page {
    let cursor = entries.last().map_or(Cursor::origin(Epoch(1)), Entry::cursor);
    Page { entries: entries.to_vec(), cursor, older: entries.first().is_some_and(|first| first.seq > 1) }
}

pub fn text(text: &str) -> MessageText {
    MessageText::parse(text).unwrap()
}

pub fn person(id: u64, name: &str) -> Person {
    Person { id: UserId(id), name: serde_json::from_value::<UserName>(name.into()).unwrap() }
}

pub fn jiwoo() -> Person {
    person(1, "지우")
}

pub fn haeun() -> Person {
    person(2, "하은")
}

pub fn room(name: &str) -> RoomRef {
    RoomRef {
        key: serde_json::from_value::<RoomKey>(name.into()).unwrap(),
        name: serde_json::from_value::<RoomName>(name.into()).unwrap(),
    }
}

/// The normalization form D.
pub fn decomposed(text: &str) -> String {
    icu_normalizer::DecomposingNormalizerBorrowed::new_nfd().normalize(text).into_owned()
}

/// The wall clock in Seoul, where no hour is ever skipped.
pub fn seoul(at: u64) -> Local {
    utc(at + 9 * 60 * MINUTE)
}

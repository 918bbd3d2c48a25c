//! A store in memory that can go back, and answers as the server does.

use crate::testing::{jiwoo, page, room, text};
use protocol::{
    domain::{Body, Cursor, Entry, EntryId, Epoch, ProducerId},
    frames::{Earlier, ErrorCode, JoinedHow, Page, Person, REPEAT_WINDOW, ServerFrame},
};
use std::collections::HashMap;

/// The room's log and what it knows of producers.
#[derive(Clone)]
pub(super) struct Store {
    pub log: Vec<Entry>,
    /// Each number's entry; `None` is a void.
    producers: HashMap<ProducerId, Vec<Option<Cursor>>>,
    pub ids: u64,
}

impl Store {
    pub fn new() -> Self {
        Self { log: vec![], producers: HashMap::new(), ids: 0 }
    }

    pub fn top(&self) -> Cursor {
        self.log.last().map_or(Cursor::origin(Epoch(1)), Entry::cursor)
    }

    pub fn append(&mut self, by: Person, p: ProducerId, n: u64, message: &str) -> Cursor {
        self.ids += 1;
        let top = self.top();
        let body = Body::Message { text: text(message) };
        let Person { id: by, name } = by;
        let (seq, id) = (top.seq + 1, EntryId(self.ids));
        let entry = Entry { epoch: top.epoch, seq, id, prev: top.id, at: self.ids, by, name, p, n, body };
        let at = entry.cursor();
        self.log.push(entry);
        at
    }

    pub fn send(&mut self, p: ProducerId, n: u64, message: Option<&str>, earlier: &[Earlier]) -> ServerFrame {
        let room = room("a").key;
        let last = self.producers.get(&p).map_or(0, |answers| answers.len() as u64);
        if n > last + 1 || n + REPEAT_WINDOW <= last {
            let code = ErrorCode::OutOfOrder;
            return ServerFrame::Refused { room, p, n, code, retry: false, last: Some(last) };
        }
        if n == last + 1 {
            let slot = |Earlier { p, n }: &Earlier| *self.producers.get(p)?.get(usize::try_from(n - 1).ok()?)?;
            let stands = message.and_then(|_| earlier.iter().find_map(slot));
            let answer = stands.or_else(|| message.map(|message| self.append(jiwoo(), p, n, message)));
            self.producers.entry(p).or_default().push(answer);
        }
        match self.producers[&p][usize::try_from(n - 1).unwrap()] {
            Some(at) => ServerFrame::Ack { room, p, n, at },
            None => ServerFrame::Voided { room, p, n },
        }
    }

    pub fn after(&self, cursor: Option<Cursor>) -> (JoinedHow, Page) {
        let newest = page(&self.log[self.log.len().saturating_sub(5)..]);
        let Some(cursor) = cursor else { return (JoinedHow::Newest, newest) };
        let index = usize::try_from(cursor.seq).unwrap();
        let known = index == 0 || self.log.get(index - 1).is_some_and(|entry| entry.id == cursor.id);
        if !known {
            (JoinedHow::Reset, newest)
        } else if self.log.len() - index > 20 {
            (JoinedHow::Jumped, newest)
        } else {
            let entries = self.log[index..].to_vec();
            (JoinedHow::Resumed, Page { entries, cursor: self.top(), older: true })
        }
    }

    pub fn roll_back(&mut self, len: usize) {
        self.log.truncate(len);
        for answers in self.producers.values_mut() {
            let kept = answers.iter().take_while(|at| at.is_none_or(|at| at.seq <= len as u64)).count();
            answers.truncate(kept);
        }
    }
}

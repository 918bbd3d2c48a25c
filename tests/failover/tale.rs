//! What one client sent and saw, and when.

use app::domain::{Cursor, Entry, ProducerId};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

#[derive(Default)]
pub struct Tale {
    told: Mutex<Told>,
}

#[derive(Default)]
pub struct Told {
    /// When each number was first sent, from 1 on.
    pub sent: Vec<Instant>,
    /// Where each number stands, by an acknowledgement or by the entry itself, and since when that is known.
    pub known: BTreeMap<u64, (Cursor, Instant)>,
    /// What the client shows: it grows at its end alone.
    pub timeline: Vec<Entry>,
    /// When each of these was heard.
    pub heard: Vec<Instant>,
    pub has_joined: bool,
    /// What the protocol does not allow, or what tells of a loss.
    pub wrong: Vec<String>,
    pub refused: usize,
    pub sockets: usize,
}

impl Tale {
    pub fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    pub fn cursor(&self) -> Option<Cursor> {
        self.timeline.last().map(Entry::cursor)
    }

    /// The numbers whose fate is not known, the oldest first.
    pub fn unanswered(&self) -> impl Iterator<Item = u64> {
        (1..=self.sent.len() as u64).filter(|n| !self.known.contains_key(n))
    }

    pub fn is_answered(&self) -> bool {
        self.known.len() == self.sent.len()
    }

    /// The message is committed there.
    pub fn stands(&mut self, n: u64, at: Cursor) {
        let (known, _) = *self.known.entry(n).or_insert_with(|| (at, Instant::now()));
        if known != at {
            self.wrong.push(format!("{n} stands at {known:?} and at {at:?}"));
        }
    }

    /// Takes the next entry, or a repeat of one that is there; says whether it was either.
    pub fn hear(&mut self, entry: Entry, own: ProducerId) -> bool {
        let follows = match self.cursor() {
            Some(cursor) => cursor.precedes(&entry),
            None => entry.seq == 1,
        };
        if !follows {
            return self.timeline.iter().rev().any(|there| *there == entry);
        }
        if entry.p == own {
            self.stands(entry.n, entry.cursor());
        }
        self.timeline.push(entry);
        self.heard.push(Instant::now());
        true
    }

    /// When the first message was known to be committed that was first sent after `since`.
    pub fn sent_again(&self, since: Instant) -> Option<Instant> {
        let first = self.sent.partition_point(|at| *at < since) as u64;
        self.known.range(first + 1..).map(|(_, (_, at))| *at).min()
    }
}

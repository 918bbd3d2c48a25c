//! The recent entries of one room as encoded frames, shared by every socket in it.

use crate::{metrics::TIMED_EVERY, store::Record};
use app::domain::{Cursor, EntryId};
use std::collections::VecDeque;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// A bounded run of frames without a hole, ending at the newest entry this instance knows of.
#[derive(Debug)]
pub struct Ring {
    /// The place before the first frame.
    start: Cursor,
    frames: VecDeque<Frame>,
    bytes: usize,
}

#[derive(Debug, Clone)]
struct Frame {
    id: EntryId,
    text: Utf8Bytes,
    /// When this instance heard of it, if its way to the sockets is timed.
    heard: Option<Instant>,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Push {
    /// It is the newest now.
    Pushed,
    /// It was there already.
    Known,
    /// Entries before it are missing here.
    Gap,
    /// It contradicts what is here: the log was rolled back or started anew.
    Diverged,
}

impl Push {
    /// Whether the log has to be read to bring the ring up to it.
    pub fn needs_refill(self) -> bool {
        matches!(self, Self::Gap | Self::Diverged)
    }
}

/// What a reader at some cursor gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// The reader is here now; `more` frames may follow.
    Upto { cursor: Cursor, more: bool },
    /// The reader has everything.
    Nothing,
    /// The reader is beyond the newest entry here: it read ahead from the log, or the log was set back.
    Ahead,
    /// What follows the cursor has left the ring already.
    Behind,
    /// The cursor's entry is not the one at its seq here.
    Diverged,
}

impl Ring {
    /// An empty ring: the next entry is the one after `top`.
    pub fn new(top: Cursor) -> Self {
        Self { start: top, frames: VecDeque::new(), bytes: 0 }
    }

    /// The place of the newest entry.
    pub fn top(&self) -> Cursor {
        let seq = self.start.seq + self.frames.len() as u64;
        let id = self.frames.back().map_or(self.start.id, |frame| frame.id);
        Cursor { epoch: self.start.epoch, seq, id }
    }

    pub fn count(&self) -> u64 {
        self.frames.len() as u64
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The id of the entry at `seq`, if this ring knows it.
    fn id_at(&self, seq: u64) -> Option<EntryId> {
        let offset = usize::try_from(seq.checked_sub(self.start.seq)?).ok()?;
        match offset {
            0 => Some(self.start.id),
            _ => self.frames.get(offset - 1).map(|frame| frame.id),
        }
    }

    /// Takes a record of which this instance has `heard` now.
    pub fn push(&mut self, record: &Record, heard: Instant, encode: impl FnOnce(&str) -> Utf8Bytes) -> Push {
        let top = self.top();
        if record.epoch != top.epoch {
            return Push::Diverged;
        }
        if record.seq <= top.seq {
            return match self.id_at(record.seq) {
                Some(id) if id != record.id => Push::Diverged,
                _ => Push::Known,
            };
        }
        if record.seq > top.seq + 1 {
            return Push::Gap;
        }
        if record.prev != top.id {
            return Push::Diverged;
        }
        let text = encode(&record.json);
        self.bytes += text.len();
        let heard = record.seq.is_multiple_of(TIMED_EVERY).then_some(heard);
        self.frames.push_back(Frame { id: record.id, text, heard });
        Push::Pushed
    }

    /// Whether everything after `cursor` is here, and its own entry is the one this ring has at its seq.
    pub fn holds(&self, cursor: Cursor) -> bool {
        cursor.epoch == self.start.epoch && self.id_at(cursor.seq) == Some(cursor.id)
    }

    /// Drops the oldest frame; returns its bytes.
    pub fn pop(&mut self) -> Option<usize> {
        let frame = self.frames.pop_front()?;
        self.start.seq += 1;
        self.start.id = frame.id;
        self.bytes -= frame.text.len();
        Some(frame.text.len())
    }

    /// Hands frames that follow `cursor` to `sink`, until they come to `max_bytes` (one frame is always given); with those that
    /// are timed, when they were heard of.
    pub fn take(&self, cursor: Cursor, max_bytes: usize, mut sink: impl FnMut(Utf8Bytes, Option<Instant>)) -> Take {
        if cursor.epoch != self.start.epoch {
            return Take::Diverged;
        }
        let top = self.top();
        if cursor.seq > top.seq {
            return Take::Ahead;
        }
        if cursor.seq < self.start.seq {
            return Take::Behind;
        }
        if self.id_at(cursor.seq) != Some(cursor.id) {
            return Take::Diverged;
        }
        if cursor.seq == top.seq {
            return Take::Nothing;
        }
        // In range: start.seq <= cursor.seq < top.seq, and the ring's length is a usize.
        let from = usize::try_from(cursor.seq - self.start.seq).unwrap_or(usize::MAX);
        let (mut at, mut bytes) = (cursor, 0);
        for frame in self.frames.range(from..) {
            if bytes > 0 && bytes + frame.text.len() > max_bytes {
                return Take::Upto { cursor: at, more: true };
            }
            bytes += frame.text.len();
            sink(frame.text.clone(), frame.heard);
            at = Cursor { seq: at.seq + 1, id: frame.id, ..at };
        }
        Take::Upto { cursor: at, more: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::domain::Epoch;

    const EPOCH: Epoch = Epoch(7);

    fn record(seq: u64) -> Record {
        let json = format!("{seq}").into();
        Record { epoch: EPOCH, seq, id: EntryId(seq * 11), prev: EntryId((seq - 1) * 11), json }
    }

    fn encode(json: &str) -> Utf8Bytes {
        json.into()
    }

    fn push(ring: &mut Ring, record: &Record) -> Push {
        ring.push(record, Instant::now(), encode)
    }

    fn cursor(seq: u64) -> Cursor {
        Cursor { epoch: EPOCH, seq, id: EntryId(seq * 11) }
    }

    fn ring(seqs: std::ops::RangeInclusive<u64>) -> Ring {
        let mut ring = Ring::new(cursor(seqs.start() - 1));
        for seq in seqs {
            assert_eq!(push(&mut ring, &record(seq)), Push::Pushed);
        }
        ring
    }

    fn taken(ring: &Ring, from: Cursor, max: usize) -> (Take, Vec<String>) {
        let mut texts = Vec::new();
        let take = ring.take(from, max, |text, _| texts.push(text.to_string()));
        (take, texts)
    }

    #[test]
    fn a_reader_gets_what_follows_its_cursor_and_no_more_than_it_asked_for() {
        let ring = ring(10..=15);
        assert_eq!(
            taken(&ring, cursor(12), 4),
            (Take::Upto { cursor: cursor(14), more: true }, vec!["13".into(), "14".into()])
        );
        assert_eq!(taken(&ring, cursor(14), 1), (Take::Upto { cursor: cursor(15), more: false }, vec!["15".into()]));
        assert_eq!(taken(&ring, cursor(15), 9).0, Take::Nothing);
        assert_eq!(taken(&ring, cursor(99), 9).0, Take::Ahead);
    }

    #[test]
    fn a_reader_that_fell_out_or_saw_another_log_is_told_so() {
        let mut ring = ring(10..=15);
        assert_eq!(ring.pop(), Some(2));
        assert_eq!(taken(&ring, cursor(9), 9).0, Take::Behind);
        assert_eq!(taken(&ring, cursor(10), 2).1, ["11"]);
        assert_eq!(taken(&ring, Cursor { id: EntryId(1), ..cursor(12) }, 9).0, Take::Diverged);
        assert_eq!(taken(&ring, Cursor { epoch: Epoch(8), ..cursor(12) }, 9).0, Take::Diverged);
    }

    #[test]
    fn only_the_very_next_entry_enters() {
        let mut ring = ring(10..=12);
        assert_eq!(push(&mut ring, &record(11)), Push::Known);
        assert_eq!(push(&mut ring, &record(14)), Push::Gap);
        assert_eq!(push(&mut ring, &Record { id: EntryId(5), ..record(12) }), Push::Diverged);
        assert_eq!(push(&mut ring, &Record { prev: EntryId(5), ..record(13) }), Push::Diverged);
        assert_eq!(push(&mut ring, &Record { epoch: Epoch(8), ..record(13) }), Push::Diverged);
        assert_eq!(push(&mut ring, &record(13)), Push::Pushed);
        assert_eq!(ring.top(), cursor(13));
    }

    #[test]
    fn one_entry_in_so_many_says_when_it_was_heard_of() {
        let ring = ring(1..=2 * TIMED_EVERY);
        let mut timed = Vec::new();
        ring.take(cursor(0), usize::MAX, |text, heard| timed.extend(heard.map(|_| text.to_string())));
        assert_eq!(timed, [TIMED_EVERY, 2 * TIMED_EVERY].map(|seq| seq.to_string()));
    }

    #[test]
    fn bytes_are_those_of_the_frames_inside() {
        let mut ring = ring(8..=11);
        assert_eq!(ring.bytes(), 6);
        while ring.pop().is_some() {}
        assert_eq!((ring.bytes(), ring.top()), (0, cursor(11)));
    }
}

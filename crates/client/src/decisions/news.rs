//! Which messages on the page are news: others' messages that were appended since the last look.

use crate::rows::Row;
use protocol::domain::{Entry, Epoch, UserId};
use std::sync::Arc;

/// How far the page was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Seen {
    #[default]
    Nothing,
    /// A room in which nobody had written anything.
    Empty,
    UpTo(Epoch, u64),
}

impl Seen {
    /// Moves to the end of `rows` and returns others' messages that lie between. The first look, and the first one
    /// after the log was reset, find nothing: what a page opens with is not news. `whole`: the rows begin where the room
    /// begins, so that none means an empty room, not one that is still loading.
    pub fn advance<'a>(&mut self, rows: &'a [Row], me: UserId, whole: bool) -> Vec<&'a Arc<Entry>> {
        let mut news: Vec<&Arc<Entry>> = Vec::new();
        let entries = rows.iter().rev().filter_map(|row| match row {
            Row::Message { entry, .. } => Some(entry),
            _ => None,
        });
        let before = *self;
        if before == Self::Nothing && whole {
            *self = Self::Empty;
        }
        for (i, entry) in entries.enumerate() {
            if i == 0 {
                *self = Self::UpTo(entry.epoch, entry.seq);
            }
            match before {
                Self::Nothing => break,
                Self::UpTo(epoch, seq) if entry.epoch != epoch || entry.seq <= seq => break,
                Self::Empty | Self::UpTo(..) => {}
            }
            if entry.by != me && entry.text().is_some() {
                news.push(entry);
            }
        }
        news.reverse();
        news
    }

    pub fn forget(&mut self) {
        *self = Self::Nothing;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::domain::{Body, EntryId, MessageText, ProducerId, UserName};

    fn row(epoch: u64, seq: u64, by: u64) -> Row {
        let entry = Entry {
            epoch: Epoch(epoch),
            seq,
            id: EntryId(seq),
            prev: EntryId(seq - 1),
            at: 0,
            by: UserId(by),
            name: UserName::parse("x").unwrap(),
            p: ProducerId(0),
            n: 0,
            body: Body::Message { text: MessageText::parse("x").unwrap() },
        };
        Row::Message { entry: Arc::new(entry), head: false }
    }

    fn seqs(news: &[&Arc<Entry>]) -> Vec<u64> {
        news.iter().map(|entry| entry.seq).collect()
    }

    #[test]
    fn the_first_message_in_an_empty_room_is_news() {
        let me = UserId(1);
        let rows = [row(1, 1, 2), row(1, 2, 2)];
        let mut seen = Seen::default();
        assert!(seen.advance(&[], me, true).is_empty());
        assert_eq!(seqs(&seen.advance(&rows, me, true)), [1, 2]);
        assert!(seen.advance(&rows, me, true).is_empty());
        seen.forget();
        assert!(seen.advance(&[], me, false).is_empty());
        assert!(seen.advance(&rows, me, true).is_empty(), "a room that was still loading was not empty");
    }

    #[test]
    fn only_others_messages_at_the_end_are_news_and_only_once() {
        let me = UserId(1);
        let mut seen = Seen::default();
        let mut rows = vec![row(1, 5, 2), row(1, 6, 2)];
        assert!(seen.advance(&rows, me, false).is_empty());
        rows.extend([row(1, 7, 2), row(1, 8, 1), row(1, 9, 3)]);
        assert_eq!(seqs(&seen.advance(&rows, me, false)), [7, 9]);
        assert!(seen.advance(&rows, me, false).is_empty());
        rows.insert(0, row(1, 4, 2));
        assert!(seen.advance(&rows, me, false).is_empty(), "older pages are not news");
        assert!(seen.advance(&[row(2, 1, 2)], me, false).is_empty(), "nor is a log that was reset");
        assert_eq!(seqs(&seen.advance(&[row(2, 1, 2), row(2, 2, 2)], me, false)), [2]);
        seen.forget();
        assert!(seen.advance(&[row(2, 3, 2)], me, false).is_empty(), "nor is another room");
    }
}

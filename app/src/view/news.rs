//! Which messages on the page are news: others' messages that were appended since the last look.

use crate::{
    domain::{Entry, Epoch, UserId},
    rows::Row,
};
use std::sync::Arc;

/// How far the page was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen(Option<(Epoch, u64)>);

impl Seen {
    /// Moves to the end of `rows` and returns others' messages that lie between. The first look, and the first one
    /// after the log was reset, find nothing: what a page opens with is not news.
    pub fn advance<'a>(&mut self, rows: &'a [Row], me: UserId) -> Vec<&'a Arc<Entry>> {
        let mut news: Vec<&Arc<Entry>> = Vec::new();
        let entries = rows.iter().rev().filter_map(|row| match row {
            Row::Message { entry, .. } => Some(entry),
            _ => None,
        });
        let before = self.0;
        for (i, entry) in entries.enumerate() {
            let here = (entry.epoch, entry.seq);
            if i == 0 {
                self.0 = Some(here);
            }
            let Some((epoch, seq)) = before else { break };
            if here.0 != epoch || here.1 <= seq {
                break;
            }
            if entry.by != me && entry.text().is_some() {
                news.push(entry);
            }
        }
        news.reverse();
        news
    }

    pub fn forget(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
#[cfg(feature = "ssr")]
mod tests {
    use super::*;
    use crate::domain::{Body, EntryId, MessageText, ProducerId, UserName};

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
    fn only_others_messages_at_the_end_are_news_and_only_once() {
        let me = UserId(1);
        let mut seen = Seen::default();
        let mut rows = vec![row(1, 5, 2), row(1, 6, 2)];
        assert!(seen.advance(&rows, me).is_empty());
        rows.extend([row(1, 7, 2), row(1, 8, 1), row(1, 9, 3)]);
        assert_eq!(seqs(&seen.advance(&rows, me)), [7, 9]);
        assert!(seen.advance(&rows, me).is_empty());
        rows.insert(0, row(1, 4, 2));
        assert!(seen.advance(&rows, me).is_empty(), "older pages are not news");
        assert!(seen.advance(&[row(2, 1, 2)], me).is_empty(), "nor is a log that was reset");
        assert_eq!(seqs(&seen.advance(&[row(2, 1, 2), row(2, 2, 2)], me)), [2]);
        seen.forget();
        assert!(seen.advance(&[row(2, 3, 2)], me).is_empty(), "nor is another room");
    }
}

//! A [`Page`] in columns, as a room's page brings it: what its entries share is written once.
//!
//! All of them are of one epoch and follow each other, so that a row needs neither its seq nor its predecessor. Most come from few
//! producers, within seconds of each other.

use protocol::{
    domain::{Body, Cursor, Entry, EntryId, MessageText, ProducerId, UserId, UserName},
    frames::Page,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

#[derive(Serialize, Deserialize)]
struct Columns {
    cursor: Cursor,
    older: bool,
    /// The seq of the first row, and the id of the entry before it.
    first: (u64, EntryId),
    producers: Vec<(ProducerId, UserId, UserName)>,
    rows: Vec<Row>,
}

/// An entry: its id, milliseconds since the row before (in the first row since 1970-01-01 UTC), the place of its producer in
/// [`Columns::producers`], the producer's number for it, and the text of a message.
#[derive(Serialize, Deserialize)]
struct Row(EntryId, i64, usize, u64, Option<MessageText>);

pub fn serialize<S: Serializer>(page: &Page, serializer: S) -> Result<S::Ok, S::Error> {
    let mut producers = Vec::new();
    let mut before = 0;
    let rows = page.entries.iter().map(|entry| {
        let producer = (entry.p, entry.by, entry.name.clone());
        let place = producers.iter().position(|known| *known == producer).unwrap_or_else(|| {
            producers.push(producer);
            producers.len() - 1
        });
        let since = entry.at.wrapping_sub(before).cast_signed();
        before = entry.at;
        let text = match &entry.body {
            Body::Message { text } => Some(text.clone()),
            Body::Unknown => None,
        };
        Row(entry.id, since, place, entry.n, text)
    });
    let rows = rows.collect();
    let first = page.entries.first().map_or((0, EntryId(0)), |first| (first.seq, first.prev));
    Columns { cursor: page.cursor, older: page.older, first, producers, rows }.serialize(serializer)
}

/// # Errors
/// Says that a row names a producer that is not there, besides what is no such page at all.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Page, D::Error> {
    let Columns { cursor, older, first: (mut seq, mut prev), producers, rows } = Columns::deserialize(deserializer)?;
    let mut at = 0_u64;
    let mut entries = Vec::with_capacity(rows.len());
    for Row(id, since, place, n, text) in rows {
        let (p, by, name) =
            producers.get(place).cloned().ok_or_else(|| D::Error::custom("there is no such producer"))?;
        at = at.wrapping_add_signed(since);
        let body = text.map_or(Body::Unknown, |text| Body::Message { text });
        entries.push(Entry { epoch: cursor.epoch, seq, id, prev, at, by, name, p, n, body });
        (seq, prev) = (seq + 1, id);
    }
    Ok(Page { entries, cursor, older })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{entry, haeun, jiwoo, log, page};
    use proptest::prelude::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Shown(#[serde(with = "super")] Page);

    fn json(page: &Page) -> String {
        serde_json::to_string(&Shown(page.clone())).unwrap()
    }

    #[test]
    fn what_entries_share_is_written_once() {
        let written = json(&page(&log(9, 50)[10..]));
        for shared in ["0000000000000009", "000000000000beef", "하은", "epoch"] {
            assert_eq!(written.matches(shared).count(), 1, "{shared} in {written}");
        }
    }

    #[test]
    fn a_row_of_a_producer_that_is_not_there_is_refused() {
        let written = json(&page(&log(9, 2))).replace(",1000,0,", ",1000,1,");
        let error = serde_json::from_str::<Shown>(&written).unwrap_err();
        assert!(error.to_string().contains("no such producer"), "{error}");
    }

    prop_compose! {
        /// A run of entries by any of two people and three producers, at any times, some of an unknown kind.
        fn run()(
            first in 1..1_u64 << 40,
            prev in any::<u64>(),
            rows in prop::collection::vec((any::<u64>(), any::<u64>(), 0..3_u64, any::<u64>(), any::<bool>(), any::<bool>()), 0..20),
        ) -> Vec<Entry> {
            let mut prev = EntryId(prev);
            (first..)
                .zip(rows)
                .map(|(seq, (id, at, p, n, is_mine, is_known))| {
                    let mut entry = Entry { at, p: ProducerId(p), n, ..entry(9, seq, id, prev) };
                    let person = if is_mine { jiwoo() } else { haeun() };
                    (entry.by, entry.name) = (person.id, person.name);
                    if !is_known {
                        entry.body = Body::Unknown;
                    }
                    prev = entry.id;
                    entry
                })
                .collect()
        }
    }

    proptest! {
        #[test]
        fn a_page_is_what_it_was(run in run()) {
            let page = page(&run);
            prop_assert_eq!(serde_json::from_str::<Shown>(&json(&page)).unwrap().0, page);
        }
    }
}

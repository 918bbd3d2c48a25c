//! A timeline laid out as the rows of a page: days, messages grouped by sender, who came and went, what is still unsent.

use crate::clock::{Day, Local};
use protocol::{
    domain::{Entry, EntryId, Epoch, UserId},
    frames::{ErrorCode, Person},
};
use std::sync::Arc;

/// Messages of one sender closer together than this stand under one name.
pub const GROUP_MS: u64 = 5 * 60 * 1_000;

/// One row of the list.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// The first message of a day follows; `seq` is that message's.
    Day { day: Day, seq: u64 },
    /// `head`: the first of a group, with the sender's avatar and name.
    Message { entry: Arc<Entry>, head: bool },
    /// This tab's own message that is not in the log yet.
    Pending { n: u64, text: String, head: bool, state: Pending },
    /// Who came and went, folded; `id` counts up within the page.
    Arrivals { id: u64, entered: bool, people: Vec<Person> },
    /// Others' messages from here on were not read when the room was opened; it was read up to `after`.
    New { after: u64 },
    /// Entries are missing here: the client was too far behind or the log was reset.
    Gap { id: u64, reset: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pending {
    Waiting,
    Failed(ErrorCode),
}

/// A message of this tab that is not in the log yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsent {
    pub n: u64,
    pub text: String,
    pub state: Pending,
    /// When it would be committed if it were now, by the reader's clock and in milliseconds since 1970-01-01 UTC: it is laid
    /// out as it is going to stay. `None` where there is no such clock.
    pub at: Option<u64>,
}

/// A [`Row::Arrivals`] or [`Row::Gap`] shown after the entry `after_seq`, before the next one.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    pub after_seq: u64,
    pub row: Row,
}

/// What a row is to the page: rows with equal keys look the same, so that one is kept where the other stood.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    Day { day: Day, seq: u64 },
    Message { epoch: Epoch, seq: u64, id: EntryId, head: bool },
    Pending { n: u64, text: String, head: bool, state: Pending },
    Arrivals { id: u64, entered: bool, people: Vec<UserId> },
    New { after: u64 },
    Gap { id: u64, reset: bool },
}

impl Row {
    pub fn key(&self) -> Key {
        match self {
            Self::Day { day, seq } => Key::Day { day: *day, seq: *seq },
            Self::Message { entry, head } => {
                Key::Message { epoch: entry.epoch, seq: entry.seq, id: entry.id, head: *head }
            }
            // The first that is written in another room has the same `n`.
            Self::Pending { n, text, head, state } => {
                Key::Pending { n: *n, text: text.clone(), head: *head, state: *state }
            }
            Self::Arrivals { id, entered, people } => {
                Key::Arrivals { id: *id, entered: *entered, people: people.iter().map(|person| person.id).collect() }
            }
            Self::New { after } => Key::New { after: *after },
            Self::Gap { id, reset } => Key::Gap { id: *id, reset: *reset },
        }
    }
}

/// Lays out `entries` (a run in log order) for a reader whose wall clock shows `local` at a moment, `notes` between them (in order of `after_seq`; those
/// before the run are left out) and what `me` has not sent yet at the end. `me` had read up to `divider`.
pub fn layout(
    entries: &[Arc<Entry>],
    divider: Option<u64>,
    unsent: &[Unsent],
    notes: &[Note],
    local: &dyn Fn(u64) -> Local,
    me: &Person,
) -> Vec<Row> {
    let mut rows = Vec::with_capacity(entries.len() + unsent.len() + notes.len() + 4);
    let first = entries.first().map_or(0, |entry| entry.seq);
    let mut notes = notes.iter().skip_while(|note| note.after_seq + 1 < first).peekable();
    // The message that the next one may join; none after anything that breaks a group.
    let mut above: Option<&Entry> = None;
    let mut today: Option<Day> = None;
    // Where the run begins later than that, what is new begins further up.
    let mut divider = divider.filter(|after| first <= after + 1);
    for entry in entries {
        while let Some(note) = notes.next_if(|note| note.after_seq < entry.seq) {
            rows.push(note.row.clone());
            above = None;
        }
        if entry.text().is_none() {
            rows.push(Row::Message { entry: Arc::clone(entry), head: false });
            continue;
        }
        let day = local(entry.at).day;
        if today != Some(day) {
            rows.push(Row::Day { day, seq: entry.seq });
            today = Some(day);
            above = None;
        }
        if let Some(after) = divider.take_if(|after| entry.seq > *after && entry.by != me.id) {
            rows.push(Row::New { after });
            above = None;
        }
        let joins = |above: &Entry| above.by == entry.by && entry.at.saturating_sub(above.at) < GROUP_MS;
        rows.push(Row::Message { entry: Arc::clone(entry), head: !above.is_some_and(joins) });
        above = Some(entry);
    }
    for note in notes {
        rows.push(note.row.clone());
        above = None;
    }
    let next = entries.last().map_or(1, |entry| entry.seq + 1);
    let mut joins = false;
    for Unsent { n, text, state, at } in unsent {
        let day = at.map(|at| local(at).day);
        if let Some(day) = day.filter(|day| today.is_none_or(|today| today < *day)) {
            rows.push(Row::Day { day, seq: next });
            (today, above) = (Some(day), None);
        }
        let soon = |above: &Entry| at.is_none_or(|at| at.saturating_sub(above.at) < GROUP_MS);
        joins = joins || above.is_some_and(|above| above.by == me.id && soon(above));
        rows.push(Row::Pending { n: *n, text: text.clone(), head: !joins, state: *state });
        joins = true;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::utc, testing::seoul};
    use protocol::domain::{Body, MessageText, ProducerId, UserName};
    use std::collections::HashSet;

    /// 2026-11-22T14:02Z
    const AFTERNOON: u64 = 1_795_356_120_000;
    const MINUTE: u64 = 60_000;

    fn person(id: u64) -> Person {
        Person { id: UserId(id), name: UserName::parse(&format!("p{id}")).unwrap() }
    }

    fn entry(seq: u64, by: u64, at: u64) -> Arc<Entry> {
        Arc::new(Entry {
            epoch: Epoch(1),
            seq,
            id: EntryId(seq * 100),
            prev: EntryId((seq - 1) * 100),
            at,
            by: UserId(by),
            name: person(by).name,
            p: ProducerId(by),
            n: seq,
            body: Body::Message { text: MessageText::parse("안녕").unwrap() },
        })
    }

    fn unsent(n: u64) -> Unsent {
        Unsent { n, text: "아직".to_owned(), state: Pending::Waiting, at: None }
    }

    fn gap(after_seq: u64, id: u64) -> Note {
        Note { after_seq, row: Row::Gap { id, reset: false } }
    }

    /// One letter a row: `D`ay, `H`ead, `m`essage, `P`ending head, `p`ending, `G`ap, `*` where what is new begins.
    fn shape(rows: &[Row]) -> String {
        let letter = |row: &Row| match row {
            Row::Day { .. } => 'D',
            Row::Message { head: true, .. } => 'H',
            Row::Message { .. } => 'm',
            Row::Pending { head: true, .. } => 'P',
            Row::Pending { .. } => 'p',
            Row::Arrivals { .. } => 'N',
            Row::New { .. } => '*',
            Row::Gap { .. } => 'G',
        };
        rows.iter().map(letter).collect()
    }

    #[test]
    fn one_senders_messages_stand_together_for_five_minutes() {
        let at = |minutes: u64| AFTERNOON + minutes * MINUTE;
        let entries =
            [entry(1, 1, at(0)), entry(2, 1, at(4)), entry(3, 2, at(4)), entry(4, 1, at(4)), entry(5, 1, at(9))];
        assert_eq!(shape(&layout(&entries, None, &[], &[], &utc, &person(1))), "DHmHHH");
    }

    #[test]
    fn a_day_begins_at_the_readers_midnight() {
        // 23:58 and 00:01 in Seoul, both in the afternoon of one day in UTC.
        let midnight = AFTERNOON + 58 * MINUTE;
        let entries = [entry(1, 1, midnight - 2 * MINUTE), entry(2, 1, midnight + MINUTE)];
        assert_eq!(shape(&layout(&entries, None, &[], &[], &seoul, &person(1))), "DHDH");
        assert_eq!(shape(&layout(&entries, None, &[], &[], &utc, &person(1))), "DHm");
    }

    #[test]
    fn notes_stand_after_their_entry_and_end_a_group() {
        let entries = [entry(5, 1, AFTERNOON), entry(6, 1, AFTERNOON), entry(7, 1, AFTERNOON)];
        let notes = [gap(2, 1), gap(4, 2), gap(5, 3), gap(9, 4)];
        assert_eq!(shape(&layout(&entries, None, &[], &notes, &utc, &person(1))), "GDHGHmG");
        assert_eq!(shape(&layout(&[], None, &[], &notes, &utc, &person(1))), "GGGG");
    }

    #[test]
    fn what_is_unsent_stands_last_and_joins_ones_own_group() {
        let entries = [entry(1, 1, AFTERNOON)];
        assert_eq!(shape(&layout(&entries, None, &[unsent(1), unsent(2)], &[], &utc, &person(1))), "DHpp");
        assert_eq!(shape(&layout(&entries, None, &[unsent(1), unsent(2)], &[], &utc, &person(2))), "DHPp");
        assert_eq!(shape(&layout(&[], None, &[unsent(1)], &[], &utc, &person(2))), "P");
    }

    #[test]
    fn what_is_unsent_stands_as_it_is_going_to() {
        let entries = [entry(1, 1, AFTERNOON)];
        let shape = |entries: &[Arc<Entry>], minutes: i64| {
            let at = AFTERNOON.checked_add_signed(minutes * 60_000);
            let unsent = [Unsent { at, ..unsent(1) }, Unsent { at, ..unsent(2) }];
            shape(&layout(entries, None, &unsent, &[], &utc, &person(1)))
        };
        assert_eq!(shape(&entries, 4), "DHpp");
        assert_eq!(shape(&entries, 5), "DHPp", "too late for the group");
        assert_eq!(shape(&entries, 24 * 60), "DHDPp", "the first of a day");
        assert_eq!(shape(&entries, -24 * 60), "DHpp", "a clock that is behind");
        assert_eq!(shape(&[], 0), "DPp");
    }

    #[test]
    fn an_entry_of_an_unknown_kind_keeps_its_row_and_splits_nothing() {
        let mut odd = (*entry(2, 2, AFTERNOON)).clone();
        odd.body = Body::Unknown;
        let entries = [entry(1, 1, AFTERNOON), Arc::new(odd), entry(3, 1, AFTERNOON)];
        assert_eq!(shape(&layout(&entries, None, &[], &[], &utc, &person(1))), "DHmm");
    }

    #[test]
    fn what_is_new_begins_with_the_first_message_of_another_after_the_mark() {
        let entries: Vec<_> = [1, 2, 1, 2, 2].into_iter().zip(5..).map(|(by, seq)| entry(seq, by, AFTERNOON)).collect();
        let shape = |divider| shape(&layout(&entries, divider, &[], &[], &utc, &person(1)));
        assert_eq!(shape(None), "DHHHHm");
        assert_eq!(shape(Some(4)), "DH*HHHm", "the run begins with what is new");
        assert_eq!(shape(Some(6)), "DHHH*Hm", "an own message is not new");
        assert_eq!(shape(Some(8)), "DHHHH*H", "a group is split");
        assert_eq!(shape(Some(9)), "DHHHHm", "nothing is new");
        assert_eq!(shape(Some(3)), "DHHHHm", "what is new begins further up");
    }

    #[test]
    fn no_two_rows_share_a_key_and_a_new_head_is_a_new_row() {
        let entries: Vec<_> = (1..60).map(|seq| entry(seq, seq / 3, AFTERNOON + seq * 25 * MINUTE)).collect();
        let rows = layout(&entries, None, &[unsent(1), unsent(2)], &[gap(3, 1), gap(3, 2)], &seoul, &person(1));
        let keys: HashSet<_> = rows.iter().map(Row::key).collect();
        assert_eq!(keys.len(), rows.len());
        let (one, other) = (entry(1, 1, AFTERNOON), entry(1, 1, AFTERNOON));
        assert_ne!(Row::Message { entry: one, head: true }.key(), Row::Message { entry: other, head: false }.key());
    }

    #[test]
    fn the_first_unsent_messages_of_two_rooms_are_two_rows() {
        let pending = |text: &str| Row::Pending { n: 1, text: text.to_owned(), head: true, state: Pending::Waiting };
        assert_ne!(pending("하나").key(), pending("둘").key());
        let arrivals = |person_id| Row::Arrivals { id: 1, entered: true, people: vec![person(person_id)] };
        assert_ne!(arrivals(1).key(), arrivals(2).key());
    }
}

//! That a loss is excused by what was read in the logs, and by nothing else.

use super::{
    History, Invariant, Slot,
    loss::{Entries, Excuse},
    sessions, verdict,
};
use crate::chaos::workload::TabState;
use app::domain::{Body, Cursor, Entry, EntryId, Epoch, MessageText, ProducerId, RoomName, RoomRef, UserId};
use std::{collections::BTreeMap, sync::Arc};

const ROOM: usize = 0;
const TAB: usize = 0;
const BY: UserId = UserId(7);

fn history() -> History {
    let name = RoomName::parse("lunch").unwrap();
    let mut history = History::new(vec![RoomRef { key: name.key(), name }], None);
    history.names.insert(BY, "jiwoo".to_owned());
    history
}

/// The message `n` of the one tab, as it stands at `seq` under `id`.
fn entry(n: u64, seq: u64, id: u64, prev: u64) -> Entry {
    Entry {
        epoch: Epoch(1),
        seq,
        id: EntryId(id),
        prev: EntryId(prev),
        at: super::history::wall_ms(),
        by: BY,
        name: serde_json::from_value("jiwoo".into()).unwrap(),
        p: ProducerId(1),
        n,
        body: Body::Message { text: MessageText::parse(&format!("message {n}")).unwrap() },
    }
}

fn slot(n: u64) -> Slot {
    Slot { by: BY, p: ProducerId(1), room: ROOM, n }
}

/// Somebody sends the message and is given an acknowledgement.
fn acked(history: &mut History, entry: &Entry) -> Cursor {
    let (text, now) = (format!("message {}", entry.n), history.now());
    history.submit(&text, TAB, ROOM, BY);
    history.send(slot(entry.n), Some(&text));
    history.ack(slot(entry.n), entry.cursor(), now);
    entry.cursor()
}

/// The store is set back around everything that happened so far.
fn set_back(history: &mut History, lost: Option<Entries>) {
    history.rollbacks.begin(0, 0);
    history.rollbacks.end(u64::MAX, lost);
}

fn lost(places: &[Cursor]) -> Entries {
    places.iter().map(|at| (ROOM, *at)).collect()
}

/// What the final checker says of a tab that closed: violations and excuses.
fn verdict(history: &mut History, log: Vec<Entry>) -> (BTreeMap<Invariant, u64>, BTreeMap<Excuse, u64>) {
    verdict::at_the_end(history, &[vec![log]], &[TabState::default()]);
    (history.counts.clone(), history.excused.clone())
}

#[test]
fn an_entry_that_the_store_lost_is_excused_by_its_id() {
    let mut history = history();
    let (kept, gone) = (entry(1, 1, 10, 0), entry(2, 2, 20, 10));
    acked(&mut history, &kept);
    let at = acked(&mut history, &gone);
    history.show(TAB, ROOM, &Arc::new(gone));
    set_back(&mut history, Some(lost(&[at])));
    // Acknowledged, and shown.
    assert_eq!(verdict(&mut history, vec![kept]), (BTreeMap::new(), BTreeMap::from([(Excuse::ById, 2)])));
}

#[test]
fn an_entry_that_the_store_did_not_lose_is_missed_however_near_the_rollback_was() {
    let gone = entry(1, 1, 10, 0);
    let at = gone.cursor();
    let others = [
        lost(&[]),
        lost(&[Cursor { id: EntryId(11), ..at }]),
        lost(&[Cursor { seq: 2, ..at }]),
        lost(&[Cursor { epoch: Epoch(2), ..at }]),
        [(1, at)].into(),
    ];
    for lost in others {
        let mut history = history();
        acked(&mut history, &gone);
        history.show(TAB, ROOM, &Arc::new(gone.clone()));
        set_back(&mut history, Some(lost));
        let expected = BTreeMap::from([(Invariant::I1, 2)]);
        assert_eq!(verdict(&mut history, vec![]), (expected, BTreeMap::new()));
    }
}

#[test]
fn every_place_that_was_acknowledged_is_accounted_for() {
    let (first, second) = (entry(1, 1, 10, 0), entry(1, 1, 20, 0));
    for (read, expected) in [
        // The first was lost, and the message was sent again.
        (lost(&[first.cursor()]), (BTreeMap::new(), BTreeMap::from([(Excuse::ById, 2)]))),
        // Neither was: one message at two places, of which one is gone.
        (lost(&[]), (BTreeMap::from([(Invariant::I1, 1), (Invariant::I3, 1)]), BTreeMap::new())),
    ] {
        let mut history = history();
        history.rollbacks.begin(0, 0);
        acked(&mut history, &first);
        acked(&mut history, &second);
        assert_eq!(history.counts, BTreeMap::new(), "what was lost is not known yet");
        history.rollbacks.end(u64::MAX, Some(read));
        assert_eq!(verdict(&mut history, vec![second.clone()]), expected);
    }
}

#[test]
fn time_excuses_where_the_logs_could_not_be_read_and_says_so() {
    let mut history = history();
    acked(&mut history, &entry(1, 1, 10, 0));
    set_back(&mut history, None);
    assert_eq!(verdict(&mut history, vec![]), (BTreeMap::new(), BTreeMap::from([(Excuse::ByTime, 1)])));
}

#[test]
fn what_was_committed_long_after_a_rollback_that_could_not_be_read_is_missed() {
    let mut history = history();
    history.rollbacks.begin(0, 0);
    history.rollbacks.end(0, None);
    while history.now() == 0 {
        std::thread::yield_now();
    }
    acked(&mut history, &entry(1, 1, 10, 0));
    assert_eq!(verdict(&mut history, vec![]), (BTreeMap::from([(Invariant::I1, 1)]), BTreeMap::new()));
}

#[test]
fn a_run_without_a_rollback_excuses_nothing() {
    let mut history = history();
    let (one, other) = (entry(1, 1, 10, 0), entry(1, 2, 20, 10));
    acked(&mut history, &one);
    acked(&mut history, &other);
    assert_eq!(history.counts, BTreeMap::from([(Invariant::I3, 1)]), "at once");
    history.miss(Invariant::I5, ROOM, &[one.cursor()], 0, || "a page without it".to_owned());
    history.signed_out.insert(BY, 0);
    sessions::committed_after_sign_out(&mut history, BY, &Entry { at: u64::MAX, ..one });
    let (counts, excused) = verdict(&mut history, vec![]);
    let expected = [(Invariant::I1, 2), (Invariant::I3, 1), (Invariant::I5, 1), (Invariant::I8, 1)];
    assert_eq!((counts, excused), (expected.into(), BTreeMap::new()));
}

#[test]
fn a_page_may_lack_what_was_not_lost_only_while_the_store_is_set_back() {
    for (until, expected) in [(u64::MAX, (None, Some(&1))), (0, (Some(&1), None))] {
        let mut history = history();
        let kept = entry(1, 1, 10, 0);
        acked(&mut history, &kept);
        history.rollbacks.begin(0, 0);
        history.miss(Invariant::I5, ROOM, &[kept.cursor()], 1, || "a page without it".to_owned());
        history.rollbacks.end(until, Some(lost(&[])));
        let (counts, excused) = verdict(&mut history, vec![kept]);
        assert_eq!((counts.get(&Invariant::I5), excused.get(&Excuse::Page)), expected);
    }
}

#[test]
fn who_saw_what_was_lost_has_to_be_told() {
    let mut history = history();
    let gone = entry(1, 1, 10, 0);
    let at = acked(&mut history, &gone);
    history.show(TAB, ROOM, &Arc::new(gone));
    set_back(&mut history, Some(lost(&[at])));
    history.discard("message 1");
    let open = TabState { alive: true, rooms: vec![(ROOM, 0)], ..TabState::default() };
    verdict::at_the_end(&mut history, &[vec![vec![]]], &[open]);
    assert_eq!(history.counts, BTreeMap::from([(Invariant::I4, 1)]));
}

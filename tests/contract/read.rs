//! Reading from a cursor, and paging.

use super::{Fixture, support::*};
use app::domain::{Cursor, EntryId, Epoch};
use hubbub::engine::{After, Engine, Record};

fn seqs(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.seq).collect()
}

async fn entries_after(engine: &dyn Engine, tab: &Tab, cursor: Cursor, limit: usize) -> (Vec<Record>, Cursor) {
    match engine.read_after(&tab.room.key, cursor, limit).await.unwrap() {
        After::Entries { records, top } => (records, top),
        After::Reset => panic!("{cursor:?} is of this log"),
    }
}

pub async fn what_follows_a_cursor_is_read_without_a_hole<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&room("Design"));
    let places = fill(&**engine, &tab, 20).await;
    let top = places[19];
    let (all, at) = entries_after(&**engine, &tab, Cursor::origin(top.epoch), 100).await;
    assert_eq!((check_run(&all, Cursor::origin(top.epoch)).len(), at), (20, top));
    for (i, place) in places.iter().enumerate() {
        let (records, at) = entries_after(&**engine, &tab, *place, 100).await;
        assert_eq!((records.as_slice(), at), (&all[i + 1..], top));
    }
}

pub async fn many_tops_are_read_at_once<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tabs = ["Design", "Sales", "Lunch"].map(|name| Tab::new(&room(name)));
    let (design, sales) = (fill(&**engine, &tabs[0], 3).await[2], fill(&**engine, &tabs[1], 1).await[0]);
    let keys = [1, 2, 0].map(|at: usize| tabs[at].room.key.clone());
    assert_eq!(engine.tops(&keys).await.unwrap(), [Ok(Some(sales)), Ok(None), Ok(Some(design))]);
}

pub async fn a_read_in_steps_sees_everything_once<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&room("Design"));
    let top = *fill(&**engine, &tab, 3_000).await.last().unwrap();
    let origin = Cursor::origin(top.epoch);
    let (mut cursor, mut all) = (origin, Vec::new());
    while cursor != top {
        let (records, at) = entries_after(&**engine, &tab, cursor, 700).await;
        assert_eq!(at, top);
        assert!(!records.is_empty() && records.len() <= 700);
        cursor = records.last().unwrap().cursor();
        all.extend(records);
    }
    assert_eq!(check_run(&all, origin).len(), 3_000);
}

pub async fn a_cursor_of_another_history_gets_a_reset<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&room("Design"));
    let places = fill(&**engine, &tab, 5).await;
    let (second, top) = (places[1], places[4]);
    let strange = [
        ("another epoch", Cursor { epoch: Epoch(second.epoch.0 ^ 1), ..second }),
        ("the origin of another epoch", Cursor::origin(Epoch(second.epoch.0 ^ 1))),
        ("another entry at its seq", Cursor { id: EntryId(second.id.0 ^ 1), ..second }),
        ("another entry at the top", Cursor { id: EntryId(top.id.0 ^ 1), ..top }),
        ("the neighbour's id", Cursor { id: places[2].id, ..second }),
        ("no id", Cursor { id: EntryId(0), ..second }),
        ("an id before the first entry", Cursor { seq: 0, ..second }),
        ("beyond the end", Cursor { seq: 6, ..top }),
        ("far beyond the end", Cursor { seq: u64::MAX, ..top }),
    ];
    for (what, cursor) in strange {
        assert_eq!(engine.read_after(&tab.room.key, cursor, 10).await.unwrap(), After::Reset, "{what}");
    }
}

pub async fn a_room_that_is_not_there_has_no_log<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let nowhere = room("nowhere").key;
    assert_eq!(engine.top(&nowhere).await.unwrap(), None);
    assert_eq!(engine.newest(&nowhere, 50).await.unwrap(), None);
    assert_eq!(engine.read_before(&nowhere, Epoch(1), 10, 50).await.unwrap(), None);
    assert_eq!(engine.read_after(&nowhere, Cursor::origin(Epoch(1)), 50).await.unwrap(), After::Reset);
}

pub async fn a_new_room_has_an_empty_log<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&engine.create_room(&room("Design").name).await.unwrap());
    let page = engine.newest(&tab.room.key, 50).await.unwrap().unwrap();
    let origin = Cursor::origin(page.cursor.epoch);
    assert_eq!((page.records.len(), page.cursor, page.older), (0, origin, false));
    assert_eq!(engine.top(&tab.room.key).await.unwrap(), Some(origin));
    assert_eq!(entries_after(&**engine, &tab, origin, 50).await, (vec![], origin));
    assert_eq!(entry(engine.append(tab.draft(1, "a")).await).epoch, origin.epoch, "the same log from then on");
    assert_eq!(seqs(&entries_after(&**engine, &tab, origin, 50).await.0), [1]);
}

pub async fn the_newest_page_ends_where_the_log_ends<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&room("Design"));
    let places = fill(&**engine, &tab, 10).await;
    for (limit, first, older) in [(3, 8, true), (9, 2, true), (10, 1, false), (11, 1, false)] {
        let page = engine.newest(&tab.room.key, limit).await.unwrap().unwrap();
        assert_eq!(seqs(&page.records), (first..=10).collect::<Vec<_>>());
        assert_eq!((page.cursor, page.older), (places[9], older), "{limit}");
    }
}

pub async fn paging_back_reaches_the_first_entry<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&room("Design"));
    let places = fill(&**engine, &tab, 120).await;
    let epoch = places[0].epoch;
    let mut page = engine.newest(&tab.room.key, 50).await.unwrap().unwrap();
    let mut all = page.records.clone();
    while page.older {
        let before = page.records[0].clone();
        page = engine.read_before(&tab.room.key, epoch, before.seq, 50).await.unwrap().unwrap();
        assert_eq!((page.cursor.seq, page.cursor.id), (before.seq - 1, before.prev), "right before the last page");
        all.splice(0..0, page.records.clone());
    }
    assert_eq!(check_run(&all, Cursor::origin(epoch)).len(), 120);

    for (before, limit, first, last) in
        [(11, 10, 1, 10), (12, 10, 2, 11), (1_000, 5, 116, 120), (u64::MAX, 1, 120, 120)]
    {
        let page = engine.read_before(&tab.room.key, epoch, before, limit).await.unwrap().unwrap();
        assert_eq!(seqs(&page.records), (first..=last).collect::<Vec<_>>(), "before {before}");
        assert_eq!(page.older, first > 1);
    }
    for before in [0, 1] {
        let page = engine.read_before(&tab.room.key, epoch, before, 10).await.unwrap().unwrap();
        assert_eq!((page.records.len(), page.cursor, page.older), (0, Cursor::origin(epoch), false));
    }
}

pub async fn paging_back_in_another_epoch_is_refused<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&room("Design"));
    let epoch = fill(&**engine, &tab, 3).await[0].epoch;
    assert_eq!(engine.read_before(&tab.room.key, Epoch(epoch.0 ^ 1), 3, 10).await.unwrap(), None);
}

pub async fn what_was_acknowledged_can_be_read_at_once<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&room("Design"));
    for n in 1..=50 {
        let place = entry(engine.append(tab.draft(n, "m")).await);
        assert_eq!(engine.top(&tab.room.key).await.unwrap(), Some(place));
        let page = engine.newest(&tab.room.key, 1).await.unwrap().unwrap();
        assert_eq!((page.cursor, seqs(&page.records)), (place, vec![n]));
    }
}

//! How far people have read, and what is unread to them.

use super::{Fixture, support::*};
use app::{
    domain::{Epoch, MESSAGE_MAX, RoomKey, RoomRef, UserId},
    protocol::{Person, ReadMark, Reading, UNREAD_MAX},
};
use hubbub::engine::Engine;
use proptest::{
    collection::vec,
    prelude::{Just, Strategy},
    prop_oneof,
    test_runner::{Config, TestRunner},
};
use tokio::{runtime::Handle, task::block_in_place};

/// The log's end as a mark.
async fn end(engine: &dyn Engine, room: &RoomKey) -> ReadMark {
    let top = engine.top(room).await.unwrap().unwrap();
    ReadMark { epoch: top.epoch, seq: top.seq }
}

async fn reading(engine: &dyn Engine, user: UserId, room: &RoomKey) -> Reading {
    let reading = reading_to(engine, user, room, u64::MAX).await;
    assert_eq!(engine.marks(user, std::slice::from_ref(room)).await.unwrap(), [reading.mark]);
    reading
}

/// Without what comes after seq `to`.
async fn reading_to(engine: &dyn Engine, user: UserId, room: &RoomKey, to: u64) -> Reading {
    engine.readings(user, &[(room.clone(), to)]).await.unwrap()[0]
}

/// A room with `count` messages of somebody else, and a member who was there before them.
async fn behind(engine: &dyn Engine, count: u64) -> (Tab, UserId, Epoch) {
    let (tab, me) = (Tab::new(&room("Design")), person("Ann").id);
    engine.create_room(&tab.room.name).await.unwrap();
    engine.add_member(me, &tab.room.key).await.unwrap();
    fill(engine, &tab, count).await;
    let epoch = end(engine, &tab.room.key).await.epoch;
    (tab, me, epoch)
}

pub async fn a_mark_only_rises<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let (tab, me, epoch) = behind(&**engine, 5).await;
    for (seq, rises) in [(0, false), (2, true), (1, false), (2, false), (5, true), (4, false)] {
        let mark = ReadMark { epoch, seq };
        let rose = engine.raise_mark(me, &tab.room.key, mark).await.unwrap();
        assert_eq!(rose, rises.then_some(mark));
    }
    assert_eq!(
        reading(&**engine, me, &tab.room.key).await,
        Reading { mark: Some(ReadMark { epoch, seq: 5 }), unread: 0 }
    );
}

pub async fn a_mark_ends_where_the_log_ends<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let (tab, me, epoch) = behind(&**engine, 3).await;
    for (seq, rose) in [(u64::MAX, Some(3)), (4, None), (1 << 53, None), (1 << 63, None)] {
        let mark = engine.raise_mark(me, &tab.room.key, ReadMark { epoch, seq }).await.unwrap();
        assert_eq!(mark.map(|mark| mark.seq), rose, "{seq}");
    }
    // So what comes is unread.
    entry(engine.append(tab.draft(4, "m4")).await);
    assert_eq!(reading(&**engine, me, &tab.room.key).await.unread, 1);
}

pub async fn a_mark_of_another_epoch_changes_nothing<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let (tab, me, epoch) = behind(&**engine, 3).await;
    let before = reading(&**engine, me, &tab.room.key).await;
    for epoch in [Epoch(0), Epoch(epoch.0 ^ 1), Epoch(u64::MAX)] {
        let mark = ReadMark { epoch, seq: 2 };
        assert_eq!(engine.raise_mark(me, &tab.room.key, mark).await.unwrap(), None);
    }
    assert_eq!(reading(&**engine, me, &tab.room.key).await, before);
}

pub async fn nothing_is_unread_to_who_just_came<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let (tab, _, _) = behind(&**engine, 3).await;
    let late = person("Ben").id;
    engine.add_member(late, &tab.room.key).await.unwrap();
    let mark = Some(end(&**engine, &tab.room.key).await);
    assert_eq!(reading(&**engine, late, &tab.room.key).await, Reading { mark, unread: 0 });
    entry(engine.append(tab.draft(4, "m4")).await);
    // Who is a member already stays where they were.
    engine.add_member(late, &tab.room.key).await.unwrap();
    assert_eq!(reading(&**engine, late, &tab.room.key).await, Reading { mark, unread: 1 });
}

pub async fn who_is_no_member_has_no_mark<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let (tab, _, epoch) = behind(&**engine, 3).await;
    let other = person("Ben").id;
    assert_eq!(engine.raise_mark(other, &tab.room.key, ReadMark { epoch, seq: 2 }).await.unwrap(), None);
    assert_eq!(reading(&**engine, other, &tab.room.key).await, Reading::default());
    let nowhere = room("Nowhere").key;
    engine.add_member(other, &nowhere).await.unwrap();
    assert_eq!(engine.raise_mark(other, &nowhere, ReadMark { epoch, seq: 2 }).await.unwrap(), None);
    assert_eq!(reading(&**engine, other, &nowhere).await, Reading::default());
}

pub async fn leaving_a_room_forgets_its_mark<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let (tab, me, epoch) = behind(&**engine, 3).await;
    engine.raise_mark(me, &tab.room.key, ReadMark { epoch, seq: 1 }).await.unwrap();
    engine.remove_member(me, &tab.room.key).await.unwrap();
    assert_eq!(reading(&**engine, me, &tab.room.key).await, Reading::default());
    engine.raise_mark(me, &tab.room.key, ReadMark { epoch, seq: 2 }).await.unwrap();
    assert_eq!(reading(&**engine, me, &tab.room.key).await, Reading::default(), "too late");
    engine.add_member(me, &tab.room.key).await.unwrap();
    let mark = Some(ReadMark { epoch, seq: 3 });
    assert_eq!(reading(&**engine, me, &tab.room.key).await, Reading { mark, unread: 0 });
}

pub async fn leaving_a_room_can_be_undone_with_its_mark<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let (tab, me, epoch) = behind(&**engine, 3).await;
    let key = &tab.room.key;
    engine.raise_mark(me, key, ReadMark { epoch, seq: 1 }).await.unwrap();
    let mark = engine.remove_member(me, key).await.unwrap();
    assert_eq!(mark, Some(ReadMark { epoch, seq: 1 }));
    assert_eq!(engine.remove_member(me, key).await.unwrap(), None, "nothing was left");
    engine.restore_member(me, key, mark.unwrap()).await.unwrap();
    assert_eq!(reading(&**engine, me, key).await, Reading { mark, unread: 2 });
    assert_eq!(engine.rooms_of(me).await.unwrap(), std::slice::from_ref(&tab.room));

    let read = |seq| Reading { mark: Some(ReadMark { epoch, seq }), unread: 0 };
    engine.raise_mark(me, key, ReadMark { epoch, seq: 3 }).await.unwrap();
    engine.restore_member(me, key, mark.unwrap()).await.unwrap();
    assert_eq!(reading(&**engine, me, key).await, read(3), "who is a member keeps what they have read");
    for elsewhere in [ReadMark { epoch, seq: u64::MAX }, ReadMark { epoch: Epoch(epoch.0 ^ 1), seq: 1 }] {
        engine.remove_member(me, key).await.unwrap();
        engine.restore_member(me, key, elsewhere).await.unwrap();
        assert_eq!(reading(&**engine, me, key).await, read(3), "no place in this log: its end");
    }
    let nowhere = room("Nowhere").key;
    assert_eq!(engine.remove_member(me, &nowhere).await.unwrap(), None);
    engine.restore_member(me, &nowhere, mark.unwrap()).await.unwrap();
    assert_eq!(reading(&**engine, me, &nowhere).await, Reading::default());
}

pub async fn unread_messages_are_those_of_others_after_the_mark<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let (tab, me, epoch) = behind(&**engine, 3).await;
    let mine = Tab { by: Person { id: me, ..person("Ann") }, ..Tab::new(&tab.room) };
    let unread = async || reading(&**engine, me, &tab.room.key).await.unread;
    assert_eq!(unread().await, 3);
    entry(engine.append(mine.draft(1, "own")).await);
    engine.append(tab.void(4)).await.unwrap();
    entry(engine.append(tab.draft(5, "m5")).await);
    assert_eq!(unread().await, 4);
    engine.raise_mark(me, &tab.room.key, ReadMark { epoch, seq: 2 }).await.unwrap();
    assert_eq!(unread().await, 2);
    engine.raise_mark(me, &tab.room.key, ReadMark { epoch, seq: 5 }).await.unwrap();
    assert_eq!(unread().await, 0);
}

pub async fn unread_messages_are_counted_to_a_limit<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let (tab, me, epoch) = behind(&**engine, 250).await;
    for (read, unread) in [(100, UNREAD_MAX), (149, UNREAD_MAX), (150, 100), (151, 99), (250, 0)] {
        engine.raise_mark(me, &tab.room.key, ReadMark { epoch, seq: read }).await.unwrap();
        assert_eq!(reading(&**engine, me, &tab.room.key).await.unread, unread, "after {read}");
    }
}

pub async fn unread_messages_are_counted_up_to_a_place<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let (tab, me, epoch) = behind(&**engine, 300).await;
    let mark = ReadMark { epoch, seq: 20 };
    engine.raise_mark(me, &tab.room.key, mark).await.unwrap();
    for (to, unread) in [(0, 0), (19, 0), (20, 0), (21, 1), (119, 99), (120, 100), (121, 100), (300, 100)] {
        let reading = reading_to(&**engine, me, &tab.room.key, to).await;
        assert_eq!(reading, Reading { mark: Some(mark), unread }, "up to {to}");
    }
}

pub async fn own_messages_without_end_are_not_read_without_end<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let (tab, me, _) = behind(&**engine, 10).await;
    let mine = Tab { by: Person { id: me, ..person("Ann") }, ..Tab::new(&tab.room) };
    fill(&**engine, &mine, 1_010).await;
    entry(engine.append(tab.draft(11, "near")).await);
    fill_from(&**engine, &mine, 1_011, 1_040).await;
    entry(engine.append(tab.draft(12, "far")).await);
    assert_eq!(reading(&**engine, me, &tab.room.key).await.unread, 11);
}

pub async fn long_messages_of_one_s_own_are_not_all_read<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let (tab, me, _) = behind(&**engine, 10).await;
    let mine = Tab { by: Person { id: me, ..person("Ann") }, ..Tab::new(&tab.room) };
    let long = "\u{1F4AC}".repeat(MESSAGE_MAX);
    for n in 1..=40 {
        entry(engine.append(mine.draft(n, &long)).await);
        if n == 10 {
            entry(engine.append(tab.draft(11, "near")).await);
        }
    }
    entry(engine.append(tab.draft(12, "far")).await);
    assert_eq!(reading(&**engine, me, &tab.room.key).await.unread, 11);
}

pub async fn many_rooms_are_read_at_once<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let me = person("Ann").id;
    let tabs: Vec<Tab> = (0..30).map(|i| Tab::new(&room(&format!("room {i}")))).collect();
    for (i, tab) in tabs.iter().enumerate() {
        engine.create_room(&tab.room.name).await.unwrap();
        // In every third one is nobody.
        if i % 3 > 0 {
            engine.add_member(me, &tab.room.key).await.unwrap();
        }
        fill(&**engine, tab, i as u64).await;
    }
    let places: Vec<_> = tabs.iter().map(|tab| (tab.room.key.clone(), u64::MAX)).collect();
    let readings = engine.readings(me, &places).await.unwrap();
    let unread: Vec<_> = readings.iter().map(|reading| reading.unread).collect();
    assert_eq!(unread, (0..30).map(|i| if i % 3 > 0 { i } else { 0 }).collect::<Vec<_>>());
    assert!(readings.iter().enumerate().all(|(i, reading)| reading.mark.is_some() == (i % 3 > 0)));
    assert_eq!(engine.readings(me, &[]).await.unwrap(), []);
    assert_eq!(engine.marks(me, &[]).await.unwrap(), []);
}

pub async fn a_mark_that_rose_is_reported_once<F: Fixture>() {
    let Opened { engine, reports, .. } = &open::<F>().await;
    let (tab, me, epoch) = behind(&**engine, 5).await;
    for seq in [3, 2, 3, u64::MAX] {
        engine.raise_mark(me, &tab.room.key, ReadMark { epoch, seq }).await.unwrap();
    }
    let read = |seq| Report::Read(me, tab.room.key.clone(), ReadMark { epoch, seq });
    eventually("reported", async || reports.count(&read(5)) > 0).await;
    let reads: Vec<_> = reports.all().into_iter().filter(|report| matches!(report, Report::Read(..))).collect();
    assert_eq!(reads, [read(3), read(5)]);
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// So many messages of this person.
    Write(usize, u64),
    Void,
    /// This person has read up to so many entries before the end (or beyond it).
    Read(usize, i64),
    ReadElsewhere(usize),
    Enter(usize),
    Leave(usize),
}

/// A room as one would write it down: who wrote each entry, and the mark of each of three people.
#[derive(Default)]
struct Model {
    entries: Vec<usize>,
    marks: [Option<usize>; 3],
}

impl Model {
    fn unread(&self, who: usize) -> usize {
        let after = |mark: usize| self.entries[mark..].iter().filter(|&&by| by != who).count();
        self.marks[who].map_or(0, after).min(UNREAD_MAX)
    }
}

async fn run(engine: &dyn Engine, room: &RoomRef, steps: &[Step]) {
    engine.create_room(&room.name).await.unwrap();
    let tabs: [Tab; 3] = std::array::from_fn(|_| Tab { by: person("Ann"), ..Tab::new(room) });
    let (mut next, mut model) = ([1; 3], Model::default());
    let epoch = end(engine, &room.key).await.epoch;
    for &step in steps {
        match step {
            Step::Write(by, count) => {
                fill_from(engine, &tabs[by], next[by], next[by] + count - 1).await;
                next[by] += count;
                model.entries.extend((0..count).map(|_| by));
            }
            Step::Void => {
                engine.append(tabs[0].void(next[0])).await.unwrap();
                next[0] += 1;
            }
            Step::Read(who, back) => {
                let end = model.entries.len();
                let seq = (end as u64).saturating_add_signed(-back);
                let rose = engine.raise_mark(tabs[who].by.id, &room.key, ReadMark { epoch, seq }).await.unwrap();
                let seq = usize::try_from(seq).unwrap().min(end);
                let rises = model.marks[who].is_some_and(|mark| mark < seq);
                assert_eq!(rose.map(|mark| mark.seq), rises.then_some(seq as u64));
                if rises {
                    model.marks[who] = Some(seq);
                }
            }
            Step::ReadElsewhere(who) => {
                let mark = ReadMark { epoch: Epoch(epoch.0 ^ 1), seq: 1 };
                assert_eq!(engine.raise_mark(tabs[who].by.id, &room.key, mark).await.unwrap(), None);
            }
            Step::Enter(who) => {
                engine.add_member(tabs[who].by.id, &room.key).await.unwrap();
                model.marks[who].get_or_insert(model.entries.len());
            }
            Step::Leave(who) => {
                engine.remove_member(tabs[who].by.id, &room.key).await.unwrap();
                model.marks[who] = None;
            }
        }
    }
    for (who, tab) in tabs.iter().enumerate() {
        let mark = model.marks[who].map(|seq| ReadMark { epoch, seq: seq as u64 });
        let expected = Reading { mark, unread: model.unread(who) };
        assert_eq!(reading(engine, tab.by.id, &room.key).await, expected);
    }
}

pub async fn readings_are_what_a_naive_model_says<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let step = prop_oneof![
        6 => (0..3_usize, 1..60_u64).prop_map(|(by, count)| Step::Write(by, count)),
        1 => Just(Step::Void),
        6 => (0..3_usize, -3..150_i64).prop_map(|(who, back)| Step::Read(who, back)),
        1 => (0..3_usize).prop_map(Step::ReadElsewhere),
        4 => (0..3_usize).prop_map(Step::Enter),
        1 => (0..3_usize).prop_map(Step::Leave),
    ];
    let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    let mut rooms = 0..;
    let names = std::cell::RefCell::new(&mut rooms);
    let check = |steps: Vec<Step>| {
        let room = room(&format!("room {}", names.borrow_mut().next().unwrap_or(0)));
        block_in_place(|| Handle::current().block_on(run(&**engine, &room, &steps)));
        Ok(())
    };
    runner.run(&vec(step, 1..40), check).unwrap();
}

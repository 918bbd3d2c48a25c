//! How the store in memory fails, on which simulations rely. What it promises while nothing goes wrong is in
//! `engine_contract.rs`.
#![allow(clippy::unwrap_used)]

#[allow(dead_code, unused_imports, unused_macros, reason = "of the promises only their tools")]
mod contract;
#[path = "support/memory/mod.rs"]
mod memory_store;
mod support;

use app::domain::{Entry, ProducerId, UserId};
use contract::support::{Recorder, Report, Tab, append_all, entry, fill, person, room, texts, token, user_name};
use hubbub::engine::{After, AppendError, Appended, Directory, Draft, Live, LiveSink, Presence, RoomLog};
use memory_store::{
    Memory, Options, Store,
    faults::{Events, Plan, Requests},
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, advance, sleep};

const START: u64 = 1_700_000_000_000;
const ALWAYS: u32 = 1_000;

fn store(seed: u64, may_miss: bool) -> Store {
    Store::new(Options { seed, start: START, session_ttl: Duration::from_hours(24), may_miss })
}

fn instance(store: &Store) -> (Arc<Memory>, Arc<Recorder>) {
    let (engine, reports) = (store.instance(), Arc::new(Recorder::default()));
    engine.attach(Arc::clone(&reports) as Arc<dyn LiveSink>);
    (engine, reports)
}

fn appends(appends: Requests) -> Plan {
    Plan { appends, ..Plan::default() }
}

fn events(events: Events) -> Plan {
    Plan { events, ..Plan::default() }
}

/// Has everything happen that is due.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

/// The log of the one room that there is.
fn entries(store: &Store) -> Vec<Entry> {
    let logs = store.logs();
    let [log] = logs.as_slice() else { panic!("{logs:?}") };
    log.entries.iter().map(|entry| Entry::clone(entry)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_one_to_something_that_was_done() {
    let store = store(1, true);
    let (engine, _) = instance(&store);
    let tab = Tab::new(&room("Design"));
    store.faults().plan(engine.number(), appends(Requests { unanswered: ALWAYS, ..Requests::default() }));
    let lost = engine.append(tab.draft(1, "m1")).await;
    assert!(matches!(lost, Err(AppendError::Unknown(_))), "{lost:?}");
    assert_eq!(texts(&entries(&store)), ["m1"]);
    store.faults().plan(engine.number(), Plan::default());
    assert_eq!(entry(engine.append(tab.draft(1, "m1")).await), entries(&store)[0].cursor());
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_was_not_done() {
    let store = store(1, true);
    let (engine, _) = instance(&store);
    let refused = Requests { refused: ALWAYS, ..Requests::default() };
    store.faults().plan(engine.number(), Plan { appends: refused, others: refused, ..Plan::default() });
    let answer = engine.append(Tab::new(&room("Design")).draft(1, "m1")).await;
    assert!(matches!(answer, Err(AppendError::Unavailable(_))), "{answer:?}");
    engine.create_room(&room("Lunch").name).await.unwrap_err();
    assert_eq!(store.logs(), []);
}

#[tokio::test(start_paused = true)]
async fn some_of_many_requests_fail_where_that_is_asked_for() {
    let store = store(1, true);
    let (engine, _) = instance(&store);
    store.faults().plan(engine.number(), appends(Requests { refused: 200, unanswered: 200, ..Requests::default() }));
    let (tab, mut tries) = (Tab::new(&room("Design")), Vec::new());
    for n in 1..=100 {
        let mut times = 1;
        while engine.append(tab.draft(n, "m")).await.is_err() {
            times += 1;
        }
        tries.push(times);
    }
    assert_eq!(entries(&store).len(), 100);
    assert!(tries.contains(&1) && tries.contains(&2) && tries.iter().sum::<i32>() < 250, "{tries:?}");
}

#[tokio::test(start_paused = true)]
async fn drafts_keep_their_order_and_take_their_time() {
    let store = store(1, true);
    let (engine, _) = instance(&store);
    let (there, back) = (Duration::from_millis(300), Duration::from_millis(200));
    store.faults().plan(engine.number(), appends(Requests { there, back, ..Requests::default() }));
    let (tab, began) = (Tab::new(&room("Design")), Instant::now());
    let answers = append_all(&*engine, tab.drafts(1..=30)).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert!(entries(&store).iter().map(|entry| entry.n).eq(1..=30));
    let took = began.elapsed();
    assert!(took > there && took <= there + back, "{took:?}");
    let last = entries(&store)[29].at - START;
    assert!(last > 250 && last <= 300, "the store's clock is the runtime's: {last}");
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_is_done_though_nobody_waits_for_it() {
    let store = store(1, true);
    let (engine, _) = instance(&store);
    let slow = Requests { there: Duration::from_secs(1), ..Requests::default() };
    store.faults().plan(engine.number(), appends(slow));
    let tab = Tab::new(&room("Design"));
    let given_up = tokio::time::timeout(Duration::from_millis(1), append_all(&*engine, tab.drafts(1..=20))).await;
    assert!(given_up.is_err() && store.logs().iter().all(|log| log.entries.len() < 20));
    sleep(slow.there).await;
    assert_eq!(entries(&store).len(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_draft_that_comes_too_late_is_not_taken() {
    let store = store(1, true);
    let (engine, _) = instance(&store);
    let tab = Tab::new(&room("Design"));
    let until = |time| Draft { until: Some(Instant::now() + time), ..tab.draft(1, "m1") };
    let in_time = until(Duration::from_secs(1));
    store.faults().freeze(engine.number());
    let thaw = async {
        sleep(Duration::from_secs(2)).await;
        store.faults().thaw(engine.number());
    };
    let (late, ()) = tokio::join!(engine.append(in_time), thaw);
    assert!(matches!(late, Err(AppendError::Unavailable(_))), "{late:?}");
    entry(engine.append(until(Duration::from_secs(1))).await);
}

#[tokio::test(start_paused = true)]
async fn events_are_lost_late_and_doubled_by_instance() {
    let store = store(1, true);
    let ((a, seen_by_a), (b, seen_by_b)) = (instance(&store), instance(&store));
    let tab = Tab::new(&room("Design"));
    for engine in [&a, &b] {
        engine.follow(&tab.room.key).await.unwrap();
    }
    store.faults().plan(b.number(), events(Events { lost: ALWAYS, ..Events::default() }));
    entry(a.append(tab.draft(1, "m1")).await);
    settle().await;
    let seen = |reports: &Recorder| reports.commits(&tab.room.key).iter().map(|record| record.seq).collect::<Vec<_>>();
    assert_eq!((seen(&seen_by_a), seen(&seen_by_b)), (vec![1], vec![]));
    assert_eq!(seen_by_b.count(&Report::Doubt), 0, "without a word");

    let delay = Duration::from_millis(500);
    store.faults().plan(b.number(), events(Events { delay, doubled: ALWAYS, ..Events::default() }));
    for n in 2..=21 {
        entry(a.append(tab.draft(n, "m")).await);
    }
    settle().await;
    assert_eq!(seen(&seen_by_a).len(), 21);
    assert!(seen(&seen_by_b).len() < 40);
    sleep(delay).await;
    assert_eq!(seen(&seen_by_b), (2..=21).flat_map(|seq| [seq, seq]).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_sign_out_may_be_lost_to_other_instances_only() {
    let store = store(1, true);
    let ((a, seen_by_a), (b, seen_by_b)) = (instance(&store), instance(&store));
    for engine in [&a, &b] {
        store.faults().plan(engine.number(), events(Events { lost: ALWAYS, ..Events::default() }));
    }
    let mine = token();
    a.open_session(mine, &user_name("지우")).await.unwrap();
    a.close_session(mine).await.unwrap();
    settle().await;
    assert_eq!([seen_by_a, seen_by_b].map(|seen| seen.count(&Report::Ended(mine))), [1, 0]);
    assert_eq!(b.ended_sessions(&[mine]).await.unwrap().ended, [mine]);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_may_be_missed_it_is_told_before_the_answer() {
    let store = store(1, false);
    let (engine, reports) = instance(&store);
    store.faults().plan(engine.number(), events(Events { lost: ALWAYS, ..Events::default() }));
    let tab = Tab::new(&room("Design"));
    engine.follow(&tab.room.key).await.unwrap();
    assert!(!engine.may_miss());
    for n in 1..=20 {
        let at = entry(engine.append(tab.draft(n, "m")).await);
        assert_eq!(reports.commits(&tab.room.key).last().unwrap().cursor(), at);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_reaches_or_leaves_a_frozen_instance_until_it_is_thawed() {
    let store = store(1, true);
    let ((a, _), (b, seen_by_b)) = (instance(&store), instance(&store));
    let (tab, ann) = (Tab::new(&room("Design")), person("Ann"));
    b.follow(&tab.room.key).await.unwrap();
    b.enter(&tab.room.key, &ann).await.unwrap();
    settle().await;
    store.faults().freeze(b.number());
    let theirs = Tab::new(&tab.room);
    let frozen = tokio::spawn({
        let (b, theirs) = (b.clone(), theirs.clone());
        async move { fill(&*b, &theirs, 2).await }
    });
    entry(a.append(tab.draft(1, "m1")).await);
    assert_eq!(a.people(&tab.room.key).await.unwrap().len(), 1);
    sleep(Duration::from_secs(20)).await;
    assert_eq!(texts(&entries(&store)), ["m1"]);
    assert!(!frozen.is_finished() && seen_by_b.commits(&tab.room.key).is_empty());
    assert_eq!(a.people(&tab.room.key).await.unwrap(), [], "it counts as dead");

    store.faults().thaw(b.number());
    assert_eq!(frozen.await.unwrap().len(), 2);
    settle().await;
    assert_eq!(seen_by_b.commits(&tab.room.key).len(), 3);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(a.people(&tab.room.key).await.unwrap(), [ann]);
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_when_an_instance_is_cut_off_is_lost() {
    let store = store(1, true);
    let (engine, _) = instance(&store);
    let (tab, second) = (Tab::new(&room("Design")), Duration::from_secs(1));
    let on_the_way_back = Requests { back: second, ..Requests::default() };
    let on_the_way_there = Requests { there: second, ..Requests::default() };
    for (n, slow) in [(1, on_the_way_back), (2, on_the_way_there)] {
        store.faults().plan(engine.number(), appends(slow));
        let cut = async {
            settle().await;
            store.faults().cut(engine.number());
        };
        let (answer, ()) = tokio::join!(engine.append(tab.draft(n, "m")), cut);
        assert!(matches!(answer, Err(AppendError::Unknown(_))), "{answer:?}");
        sleep(second).await;
        assert_eq!(entries(&store).len(), 1, "done the first time, and not the second");
        let refused = engine.append(tab.draft(n, "m")).await;
        assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
        assert!(engine.top(&tab.room.key).await.is_err() && engine.writable().await.is_err());
        store.faults().heal(engine.number());
    }
    entry(engine.append(tab.draft(2, "m")).await);
}

#[tokio::test(start_paused = true)]
async fn who_was_cut_off_knows_that_something_may_have_been_missed() {
    let store = store(1, true);
    let ((a, seen_by_a), (b, seen_by_b)) = (instance(&store), instance(&store));
    let (tab, [ann, ben]) = (Tab::new(&room("Design")), ["Ann", "Ben"].map(person));
    let key = &tab.room.key;
    for engine in [&a, &b] {
        engine.follow(key).await.unwrap();
    }
    b.enter(key, &ann).await.unwrap();
    sleep(Duration::from_secs(6)).await;
    store.faults().cut(b.number());
    entry(a.append(tab.draft(1, "m1")).await);
    b.enter(key, &ben).await.unwrap_err();
    let told = seen_by_a.count(&Report::Presence(key.clone()));
    sleep(Duration::from_secs(20)).await;
    assert_eq!(a.people(key).await.unwrap(), []);
    assert!(seen_by_a.count(&Report::Presence(key.clone())) > told, "of a lease that lapsed");

    store.faults().heal(b.number());
    settle().await;
    assert_eq!((seen_by_b.commits(key).len(), seen_by_b.count(&Report::Doubt)), (0, 1));
    b.follow_again(key).await.unwrap();
    entry(a.append(tab.draft(2, "m2")).await);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(seen_by_b.commits(key).len(), 1);
    assert_eq!(a.people(key).await.unwrap(), [ann, ben], "and who came meanwhile");
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_gone_counts_until_its_lease_lapses() {
    let store = store(1, true);
    let ((a, _), (b, _)) = (instance(&store), instance(&store));
    let (design, ann) = (room("Design").key, person("Ann"));
    b.enter(&design, &ann).await.unwrap();
    drop(b);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(a.people(&design).await.unwrap(), [ann]);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(a.people(&design).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_was_set_back_goes_on_with_other_entries() {
    let store = store(1, true);
    let ((a, seen_by_a), (b, seen_by_b)) = (instance(&store), instance(&store));
    let tab = Tab::new(&room("Design"));
    let kept = fill(&*a, &tab, 3).await[2];
    let (mine, before) = (token(), store.snapshot());
    let gone = entry(a.append(tab.draft(4, "m4")).await);
    a.open_session(mine, &user_name("지우")).await.unwrap();
    store.faults().rollback(&before);
    settle().await;
    assert_eq!([seen_by_a, seen_by_b].map(|seen| seen.count(&Report::Doubt)), [1, 1]);
    assert_eq!(texts(&entries(&store)), ["m1", "m2", "m3"]);
    assert_eq!(b.session(mine).await.unwrap(), None);
    let again = entry(b.append(tab.draft(4, "m4")).await);
    assert_eq!((again.epoch, again.seq), (gone.epoch, gone.seq), "the same place");
    assert_eq!(b.read_after(&tab.room.key, gone, 9).await.unwrap(), After::Reset, "another entry");
    let follows = b.read_after(&tab.room.key, kept, 9).await.unwrap();
    assert!(matches!(follows, After::Entries { records, top } if records.len() == 1 && top == again));
}

#[tokio::test(start_paused = true)]
async fn numbers_that_were_only_voided_are_forgotten() {
    let store = store(1, true);
    let (engine, _) = instance(&store);
    let (tab, other) = (Tab::new(&room("Design")), Tab::new(&room("Design")));
    engine.append(tab.void(1)).await.unwrap();
    entry(engine.append(other.draft(1, "m1")).await);
    engine.append(other.void(2)).await.unwrap();
    advance(Duration::from_mins(16)).await;
    assert_eq!(engine.append(tab.draft(2, "m2")).await, Err(AppendError::OutOfOrder { last: 0 }));
    assert_eq!(engine.append(other.void(2)).await, Ok(Appended::Voided));
    advance(Duration::from_hours(31 * 24)).await;
    assert_eq!(engine.append(other.draft(3, "m3")).await, Err(AppendError::OutOfOrder { last: 0 }));
}

/// What became of some messages by several people on two instances, while things go wrong.
async fn run(seed: u64) -> (Vec<Entry>, Vec<String>, Vec<Report>) {
    let store = store(seed, true);
    let ((a, seen_by_a), (b, _)) = (instance(&store), instance(&store));
    let ms = Duration::from_millis;
    let requests = Requests { there: ms(40), back: ms(40), refused: 100, unanswered: 100 };
    let plan = Plan {
        appends: requests,
        others: Requests { there: ms(30), back: ms(30), ..Requests::default() },
        events: Events { delay: ms(50), lost: 100, doubled: 100 },
    };
    for engine in [&a, &b] {
        store.faults().plan(engine.number(), plan);
    }
    let (design, name) = (room("Design"), user_name("지우"));
    a.follow(&design.key).await.unwrap();
    let senders: Vec<_> = (1..=6)
        .map(|sender| {
            let engine = if sender % 2 == 0 { a.clone() } else { b.clone() };
            let by = app::protocol::Person { id: UserId(sender), name: name.clone() };
            let tab = Tab { room: design.clone(), by, p: ProducerId(sender) };
            tokio::spawn(async move {
                let mut answers = Vec::new();
                for n in 1..=30 {
                    answers.push(format!("{:?}", engine.append(tab.draft(n, "m")).await));
                    engine.enter(&tab.room.key, &tab.by).await.unwrap();
                }
                answers
            })
        })
        .collect();
    let mut answers = Vec::new();
    for sender in senders {
        answers.extend(sender.await.unwrap());
    }
    sleep(ms(100)).await;
    (entries(&store), answers, seen_by_a.all())
}

#[test]
fn of_one_seed_everything_happens_again() {
    let run = |seed| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(run(seed))
    };
    let (first, other) = (run(7), run(8));
    assert!(first.0.len() > 20 && first.2.len() > 20, "{first:?}");
    for _ in 0..5 {
        assert_eq!(run(7), first);
    }
    assert_ne!(other.0, first.0);
}

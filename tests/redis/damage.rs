//! What is told when somebody deleted, trimmed or restored a part of what is in Redis: never a page of nothing with a head
//! behind it, and never an acknowledgement of what is not there.

use super::faults::{append_until_known, connect};
use crate::{contract::support::*, support::redis::RedisServer};
use app::domain::{Cursor, Entry, RoomRef};
use hubbub::engine::{After, Appended, Directory, Engine, Reads, Record, RoomLog};

/// The whole of a log that may have lost its beginning.
async fn what_is_left(engine: &dyn Engine, room: &RoomRef) -> (Cursor, Vec<Entry>) {
    let page = engine.newest(&room.key, 1_000).await.unwrap().expect("the room is there");
    let end = page.records.last().map_or(Cursor::origin(page.cursor.epoch), Record::cursor);
    assert_eq!(page.cursor, end, "no head without its entries");
    let before =
        page.records.first().map_or(end, |first| Cursor { seq: first.seq - 1, id: first.prev, ..first.cursor() });
    (page.cursor, check_run(&page.records, before))
}

/// Ten messages, of which the first five were also copied; then `damage`, in which `META`, `LOG`, `META5` and `LOG5` stand
/// for keys. Returns how many of the ten are left.
async fn left_after(damage: &[&str]) -> usize {
    let server = RedisServer::start(&[]);
    let (engine, _) = connect(&server).await;
    let (tab, other) = (Tab::new(&room("Design")), Tab::new(&room("Lunch")));
    engine.create_room(&tab.room.name).await.unwrap();
    let mut places = fill(&*engine, &tab, 5).await;
    let [meta, log] = ["meta", "log"].map(|kind| server.cli(&["KEYS", &format!("hubbub:{{*}}:{kind}")]));
    let copies = [&meta, &log].map(|key| format!("{key}5"));
    for (key, copy) in [(&meta, &copies[0]), (&log, &copies[1])] {
        assert_eq!(server.cli(&["COPY", key, copy]), "1");
    }
    places.extend(fill_from(&*engine, &tab, 6, 10).await);
    fill(&*engine, &other, 3).await;
    for command in damage {
        let words = command.split(' ').map(|word| match word {
            "META" => &meta,
            "LOG" => &log,
            "META5" => &copies[0],
            "LOG5" => &copies[1],
            word => word,
        });
        let answer = server.cli(&words.collect::<Vec<_>>());
        assert!(!answer.starts_with("ERR"), "{command}: {answer}");
    }

    assert_eq!(engine.room(&tab.room.key).await.unwrap().as_ref(), Some(&tab.room), "{damage:?}");
    let (end, left) = what_is_left(&*engine, &tab.room).await;
    assert_eq!(engine.tops(std::slice::from_ref(&tab.room.key)).await.unwrap(), [Ok(Some(end))]);
    for &place in &places {
        let stands = left.iter().any(|entry| entry.cursor() == place);
        match engine.read_after(&tab.room.key, place, 100).await.unwrap() {
            After::Entries { top, .. } => assert!(stands && top == end, "{damage:?}: {place:?}"),
            After::Reset => assert!(!stands, "{damage:?}: {place:?}"),
        }
    }
    // Everybody goes on, whoever asks again is told the truth, and nothing is there twice.
    let after = append_until_known(&*engine, &Tab::new(&tab.room).draft(1, "after it")).await;
    assert_eq!((after.epoch, after.seq), (end.epoch, end.seq + 1), "{damage:?}");
    let mut told = Vec::new();
    for n in 1..=10 {
        told.extend(engine.append(tab.draft(n, &format!("m{n}"))).await.ok());
    }
    append_until_known(&*engine, &Tab::new(&tab.room).draft(1, "the end")).await;
    let (_, entries) = what_is_left(&*engine, &tab.room).await;
    for told in told {
        assert!(entries.iter().any(|entry| Appended::Entry(entry.cursor()) == told), "{damage:?}: {told:?}");
    }
    let mut numbers: Vec<_> = entries.iter().map(|entry| (entry.p, entry.n)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), entries.len(), "{damage:?}");
    assert_eq!(log_of(&*engine, &other).await, ["m1", "m2", "m3"], "another room");
    left.len()
}

async fn log_of(engine: &dyn Engine, tab: &Tab) -> Vec<String> {
    texts(&log(engine, &tab.room.key).await).into_iter().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_gone_begins_anew() {
    assert_eq!(left_after(&["DEL LOG"]).await, 0);
    assert_eq!(left_after(&["XTRIM LOG MAXLEN 0"]).await, 0);
    assert_eq!(left_after(&["UNLINK LOG", "XADD LOG 1-0 e x", "XDEL LOG 1-0"]).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_whose_head_is_gone_is_still_the_log() {
    assert_eq!(left_after(&["DEL META"]).await, 10);
    assert_eq!(left_after(&["HDEL META seq"]).await, 10);
    assert_eq!(left_after(&["DEL META", "COPY META5 META"]).await, 10);
    assert_eq!(left_after(&["HSET META seq 12"]).await, 10);
    assert_eq!(left_after(&["HSET META epoch 00000000000000aa seq 3"]).await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_lost_its_end_ends_where_it_ends() {
    assert_eq!(left_after(&["XDEL LOG 10-0"]).await, 9);
    assert_eq!(left_after(&["XDEL LOG 8-0 9-0 10-0"]).await, 7);
    assert_eq!(left_after(&["DEL LOG", "COPY LOG5 LOG"]).await, 5);
    assert_eq!(left_after(&["DEL META LOG", "COPY META5 META", "COPY LOG5 LOG"]).await, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_trimmed_begins_later() {
    assert_eq!(left_after(&["XTRIM LOG MAXLEN 4"]).await, 4);
    assert_eq!(left_after(&["XTRIM LOG MAXLEN 4", "DEL META"]).await, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_hubbub_did_not_write_is_not_shown_and_not_written_to() {
    let server = RedisServer::start(&[]);
    let (engine, _) = connect(&server).await;
    let tab = Tab::new(&room("Design"));
    fill(&*engine, &tab, 3).await;
    let log = server.cli(&["KEYS", "hubbub:{*}:log"]);
    server.cli(&["XADD", &log, "7-0", "e", "something else"]);
    assert!(engine.newest(&tab.room.key, 10).await.is_err());
    assert!(engine.append(tab.draft(4, "m4")).await.is_err());
    assert_eq!(server.cli(&["XLEN", &log]), "4");
    server.cli(&["XDEL", &log, "7-0"]);
    assert_eq!(append_until_known(&*engine, &tab.draft(4, "m4")).await.seq, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_damaged_log_hides_no_other() {
    let server = RedisServer::start(&[]);
    let (engine, _) = connect(&server).await;
    let (tab, other, me) = (Tab::new(&room("Design")), Tab::new(&room("Lunch")), person("Ann").id);
    let rooms = [&tab, &other].map(|tab| tab.room.key.clone());
    for tab in [&tab, &other] {
        engine.create_room(&tab.room.name).await.unwrap();
        engine.add_member(me, &tab.room.key).await.unwrap();
    }
    fill(&*engine, &tab, 3).await;
    let log = server.cli(&["KEYS", "hubbub:{*}:log"]);
    let end = *fill(&*engine, &other, 3).await.last().unwrap();
    server.cli(&["XADD", &log, "7-0", "e", "something else"]);
    let tops = engine.tops(&rooms).await.unwrap();
    assert!(tops[0].is_err(), "{tops:?}");
    assert_eq!(tops[1], Ok(Some(end)));
    let readings = engine.readings(me, &rooms.map(|room| (room, u64::MAX))).await.unwrap();
    assert_eq!(readings.iter().map(|reading| reading.unread).collect::<Vec<_>>(), [0, 3]);
    // Nobody's place in it is taken from what cannot be read.
    assert!(engine.add_member(person("Min").id, &tab.room.key).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_was_wrong_once_does_not_mark_what_comes_after_it() {
    let server = RedisServer::start(&[]);
    let (engine, _) = connect(&server).await;
    let tab = Tab::new(&room("Design"));
    engine.create_room(&tab.room.name).await.unwrap();
    fill(&*engine, &tab, 2).await;
    let meta = server.cli(&["KEYS", "hubbub:{*}:meta"]);
    let now = || server.cli(&["TIME"]).lines().next().unwrap().parse::<u64>().unwrap() * 1_000;
    let times = async || {
        let page = engine.newest(&tab.room.key, 10).await.unwrap().unwrap();
        page.records.iter().map(|record| serde_json::from_str::<Entry>(&record.json).unwrap().at).collect::<Vec<_>>()
    };
    let days = |count: u64| count * 24 * 60 * 60 * 1_000;
    // As it was written while the clock was ahead.
    let ahead = now() + days(400);
    server.cli(&["HSET", &meta, "at", &ahead.to_string()]);
    entry(engine.append(tab.draft(3, "m3")).await);
    let at = times().await[2];
    assert!((now() - 10_000..=now() + 61_000).contains(&at), "{at} at {}", now());
    // Where clocks of servers differ a little, times do not go back.
    let ahead = now() + 50_000;
    server.cli(&["HSET", &meta, "at", &ahead.to_string()]);
    entry(engine.append(tab.draft(4, "m4")).await);
    assert_eq!(times().await[3], ahead);
    // Nor does the room lead the directory for as long.
    let tag = meta.trim_start_matches("hubbub:{").trim_end_matches("}:meta");
    server.cli(&["ZADD", "hubbub:{rooms}:active", &(now() + days(400)).to_string(), tag]);
    engine.create_room(&tab.room.name).await.unwrap();
    let score: u64 = server.cli(&["ZSCORE", "hubbub:{rooms}:active", tag]).parse().unwrap();
    assert!(score < now() + 61_000, "{score}");
}

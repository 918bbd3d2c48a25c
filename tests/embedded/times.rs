//! A clock that was wrong. Moving what is stored by the difference is the same to the store as moving the clock.

use super::reopen;
use crate::contract::support::*;
use app::domain::Entry;
use hubbub::engine::{AppendError, Appended, Engine};
use rusqlite::Connection;
use std::{
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};
use tempfile::TempDir;

const YEAR_AHEAD: i64 = 400 * 24 * 3_600_000;

fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn change(dir: &Path, sql: &str) {
    Connection::open(dir.join("hubbub.sqlite3")).unwrap().execute_batch(sql).unwrap();
}

/// As if the store's last user had had a clock that was so far ahead of what it is now.
fn set_clock_back(dir: &Path, by: i64) {
    change(
        dir,
        &format!(
            "UPDATE clock SET time = time + {by}; UPDATE rooms SET active_at = active_at + {by}, listed_at = listed_at + {by};"
        ),
    );
}

async fn last(engine: &dyn Engine, tab: &Tab) -> Entry {
    let record = engine.newest(&tab.room.key, 1).await.unwrap().unwrap().records.pop().unwrap();
    serde_json::from_str(&record.json).unwrap()
}

#[tokio::test]
async fn a_clock_that_was_ahead_does_not_mark_a_room_for_years() {
    let dir = TempDir::new().unwrap();
    let (engine, tab) = (reopen(dir.path()), Tab::new(&room("Design")));
    fill(&*engine, &tab, 2).await;
    engine.shutdown().await;
    set_clock_back(dir.path(), YEAR_AHEAD);
    let engine = reopen(dir.path());
    for n in 3..6 {
        entry(engine.append(tab.draft(n, "now")).await);
        let at = last(&*engine, &tab).await.at;
        assert!(at.abs_diff(now()) <= 60_000, "{at} is not now");
    }
    assert!(engine.rooms(1).await.unwrap()[0].active_at.abs_diff(now()) <= 60_000);
}

#[tokio::test]
async fn a_small_step_back_of_the_clock_does_not_show() {
    let dir = TempDir::new().unwrap();
    let (engine, tab) = (reopen(dir.path()), Tab::new(&room("Design")));
    fill(&*engine, &tab, 2).await;
    engine.shutdown().await;
    set_clock_back(dir.path(), 30_000);
    let engine = reopen(dir.path());
    let before = engine.rooms(1).await.unwrap()[0].active_at;
    entry(engine.append(tab.draft(3, "m3")).await);
    let at = last(&*engine, &tab).await.at;
    assert!(at >= before && at <= now() + 60_000, "{at}, before it {before}");
}

#[tokio::test]
async fn no_jump_of_the_clock_ends_a_session_or_forgets_a_number() {
    for by in [YEAR_AHEAD, -YEAR_AHEAD] {
        let dir = TempDir::new().unwrap();
        let engine = reopen(dir.path());
        let (mine, name) = (token(), user_name("지우"));
        let session = engine.open_session(mine, &name).await.unwrap();
        let tab = Tab { by: session.person.clone(), ..Tab::new(&room("Design")) };
        fill(&*engine, &tab, 3).await;
        // There and back again, with a start and something to write each time.
        for by in [by, -by] {
            engine.shutdown().await;
            set_clock_back(dir.path(), by);
            let engine = reopen(dir.path());
            engine.create_room(&room("Lunch").name).await.unwrap();
            assert_eq!(engine.session(mine).await.unwrap(), Some(session.clone()));
            assert_eq!(engine.ended_sessions(&[mine]).await.unwrap().ended, []);
            assert!(!engine.name_is_free(&name.key()).await.unwrap());
            engine.append(tab.draft(3, "m3")).await.unwrap();
            engine.shutdown().await;
        }
    }
}

#[tokio::test]
async fn a_name_is_not_held_longer_for_a_clock_that_was_ahead() {
    let dir = TempDir::new().unwrap();
    let engine = reopen(dir.path());
    let name = user_name("지우");
    engine.open_session(token(), &name).await.unwrap();
    engine.shutdown().await;
    // As versions before this one stored it: by the time of day.
    change(dir.path(), &format!("UPDATE sessions SET seen_at = seen_at + {YEAR_AHEAD}; DELETE FROM clock"));
    reopen(dir.path()).shutdown().await;
    // Two days at work, each followed by a stop.
    change(dir.path(), "UPDATE clock SET working = working + 2 * 86400000");
    let engine = reopen(dir.path());
    assert!(engine.name_is_free(&name.key()).await.unwrap());
    engine.open_session(token(), &name).await.unwrap();
}

#[tokio::test]
async fn numbers_outlive_a_long_time_without_a_server() {
    let dir = TempDir::new().unwrap();
    let (engine, tab) = (reopen(dir.path()), Tab::new(&room("Design")));
    let places = fill(&*engine, &tab, 3).await;
    for _ in 0..5 {
        engine.shutdown().await;
        set_clock_back(dir.path(), -YEAR_AHEAD);
        let engine = reopen(dir.path());
        engine.create_room(&room("Lunch").name).await.unwrap();
        assert_eq!(engine.append(tab.draft(3, "m3")).await, Ok(Appended::Entry(places[2])));
        assert_eq!(engine.append(tab.draft(1, "other")).await, Err(AppendError::Conflict));
        engine.shutdown().await;
    }
}

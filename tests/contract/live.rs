//! What is reported as it happens, who is where, and the end.

use super::{Fixture, support::*};
use app::domain::{Cursor, UserId};
use hubbub::engine::AppendError;

pub async fn every_commit_to_a_followed_room_is_reported_once_in_order<F: Fixture>() {
    const EACH: u64 = 256;
    let Opened { engine, reports, .. } = &open::<F>().await;
    let design = engine.create_room(&room("Design").name).await.unwrap();
    engine.follow(&design.key).await.unwrap();
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let (engine, tab) = (engine.clone(), Tab::new(&design));
            tokio::spawn(async move { fill(&*engine, &tab, EACH).await })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    eventually("all commits reported", async || reports.commits(&design.key).len() as u64 >= 4 * EACH).await;
    let commits = reports.commits(&design.key);
    let page = engine.newest(&design.key, 10_000).await.unwrap().unwrap();
    check_run(&commits, Cursor::origin(page.cursor.epoch));
    assert_eq!(commits, page.records, "the same records as the log has");
}

pub async fn only_followed_rooms_are_reported<F: Fixture>() {
    let Opened { engine, reports, .. } = &open::<F>().await;
    let (a, b) = (Tab::new(&room("a")), Tab::new(&room("b")));
    engine.follow(&b.room.key).await.unwrap();
    fill(&**engine, &a, 1).await;
    engine.follow(&a.room.key).await.unwrap();
    entry(engine.append(a.draft(2, "m2")).await);
    eventually("a reported", async || !reports.commits(&a.room.key).is_empty()).await;
    engine.unfollow(&a.room.key).await;
    entry(engine.append(a.draft(3, "m3")).await);
    // Once this one was reported, the ones before it would have been.
    fill(&**engine, &b, 1).await;
    eventually("b reported", async || reports.commits(&b.room.key).len() == 1).await;
    assert_eq!(reports.commits(&a.room.key).iter().map(|record| record.seq).collect::<Vec<_>>(), [2]);
}

pub async fn nothing_is_reported_for_a_repeat_a_void_or_a_refusal<F: Fixture>() {
    let Opened { engine, reports, .. } = &open::<F>().await;
    let tab = Tab::new(&room("Design"));
    engine.follow(&tab.room.key).await.unwrap();
    let drafts = [
        tab.draft(1, "m1"),
        tab.draft(1, "m1"),
        tab.draft(1, "other"),
        tab.void(2),
        tab.void(2),
        tab.draft(9, "m9"),
        tab.draft(3, "m3"),
    ];
    append_all(&**engine, drafts).await;
    eventually("both reported", async || reports.commits(&tab.room.key).len() >= 2).await;
    assert_eq!(texts(&log(&**engine, &tab.room.key).await), ["m1", "m3"]);
    assert_eq!(reports.commits(&tab.room.key).len(), 2);
}

pub async fn an_ended_session_is_reported<F: Fixture>() {
    let Opened { engine, reports, .. } = &open::<F>().await;
    let (ended, other) = (token(), token());
    engine.open_session(ended, &user_name("지우")).await.unwrap();
    engine.open_session(other, &user_name("하은")).await.unwrap();
    engine.close_session(ended).await.unwrap();
    eventually("reported", async || reports.count(&Report::Ended(ended)) > 0).await;
    assert_eq!(reports.count(&Report::Ended(other)), 0);
}

pub async fn a_change_of_presence_is_reported<F: Fixture>() {
    let Opened { engine, reports, .. } = &open::<F>().await;
    let design = room("Design").key;
    engine.follow(&design).await.unwrap();
    let ann = person("Ann");
    let told = || reports.count(&Report::Presence(design.clone()));
    engine.enter(&design, &ann).await.unwrap();
    eventually("entering reported", async || told() >= 1).await;
    let before = told();
    engine.leave(&design, ann.id).await.unwrap();
    eventually("leaving reported", async || told() > before).await;
}

pub async fn people_are_listed_once_in_their_natural_order<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let design = room("Design").key;
    let mut people: Vec<_> = ["Ann", "Ann", "Ben", "guest2", "Guest10", "지우", "하은"].map(person).into();
    people[..2].sort_by_key(|person| person.id);
    for person in people.iter().rev() {
        engine.enter(&design, person).await.unwrap();
        engine.enter(&design, person).await.unwrap();
    }
    assert_eq!(engine.people(&design).await.unwrap(), people);
    engine.leave(&design, people[1].id).await.unwrap();
    engine.leave(&design, people[1].id).await.unwrap();
    engine.leave(&design, UserId(5)).await.unwrap();
    people.remove(1);
    assert_eq!(engine.people(&design).await.unwrap(), people);
}

pub async fn presence_is_by_room<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let (a, b) = (room("a").key, room("b").key);
    let ann = person("Ann");
    engine.enter(&a, &ann).await.unwrap();
    assert_eq!(engine.people(&b).await.unwrap(), []);
    engine.enter(&b, &ann).await.unwrap();
    engine.leave(&a, ann.id).await.unwrap();
    assert_eq!(engine.people(&a).await.unwrap(), []);
    assert_eq!(engine.people(&b).await.unwrap(), [ann]);
}

pub async fn typing_is_reported_to_who_follows_the_room<F: Fixture>() {
    let Opened { engine, reports, .. } = &open::<F>().await;
    let (followed, other, ann) = (room("a").key, room("b").key, person("Ann"));
    engine.follow(&followed).await.unwrap();
    engine.typing(&other, &ann).await.unwrap();
    engine.typing(&followed, &ann).await.unwrap();
    eventually("reported", async || reports.count(&Report::Typing(followed.clone(), ann.clone())) == 1).await;
    assert_eq!(reports.count(&Report::Typing(other.clone(), ann.clone())), 0);
    assert_eq!(reports.count(&Report::Doubt), 0, "it is not taken for an entry that cannot be read");
}

pub async fn a_store_that_works_answers_a_ping<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    engine.writable().await.unwrap();
}

pub async fn after_a_shutdown_nothing_is_taken<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&room("Design"));
    let under_way = tokio::spawn({
        let (engine, tab) = (engine.clone(), tab.clone());
        async move { append_all(&*engine, tab.drafts(1..=32)).await }
    });
    let answers = under_way.await.unwrap();
    assert!(answers.iter().all(Result::is_ok));
    engine.shutdown().await;
    engine.shutdown().await;
    let late = engine.append(tab.draft(33, "late")).await;
    assert!(matches!(late, Err(AppendError::Unavailable(_) | AppendError::Unknown(_))), "{late:?}");
    assert!(engine.writable().await.is_err());
}

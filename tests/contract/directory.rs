//! Rooms, sessions, names, members.

use super::{Fixture, support::*};
use app::domain::{RoomName, UserId};
use hubbub::engine::{Ended, Engine, Listed, OpenError};
use std::time::{Duration, Instant};

pub async fn a_room_keeps_the_name_its_creator_wrote<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let created = engine.create_room(&RoomName::parse("Design Review").unwrap()).await.unwrap();
    assert_eq!(created, room("Design Review"));
    let again = engine.create_room(&RoomName::parse("design REVIEW").unwrap()).await.unwrap();
    assert_eq!(again, created);
    assert_eq!(engine.room(&created.key).await.unwrap(), Some(created.clone()));
    let tab = Tab::new(&room("DESIGN review"));
    entry(engine.append(tab.draft(1, "a")).await);
    assert_eq!(engine.room(&created.key).await.unwrap(), Some(created));
}

pub async fn creating_a_room_again_leaves_its_log_alone<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&room("Design"));
    let top = *fill(&**engine, &tab, 3).await.last().unwrap();
    engine.create_room(&tab.room.name).await.unwrap();
    assert_eq!(engine.top(&tab.room.key).await.unwrap(), Some(top));
}

pub async fn asking_for_a_room_does_not_create_it<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&room("nowhere"));
    assert_eq!(engine.room(&tab.room.key).await.unwrap(), None);
    engine.newest(&tab.room.key, 5).await.unwrap();
    engine.follow(&tab.room.key).await.unwrap();
    engine.append(tab.draft(2, "refused")).await.unwrap_err();
    assert_eq!(engine.room(&tab.room.key).await.unwrap(), None);
    assert_eq!(engine.rooms(5).await.unwrap(), []);
}

async fn listed(engine: &dyn Engine, limit: usize) -> Vec<String> {
    engine.rooms(limit).await.unwrap().into_iter().map(|line| line.room.name.as_str().to_owned()).collect()
}

/// Makes the next activity a later one than those before.
async fn next_millisecond() {
    let start = Instant::now();
    eventually("time passes", async || start.elapsed() > Duration::from_millis(2)).await;
}

pub async fn rooms_are_listed_by_their_last_activity<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tabs = ["A", "B", "C"].map(|name| Tab::new(&room(name)));
    for tab in &tabs {
        engine.create_room(&tab.room.name).await.unwrap();
        next_millisecond().await;
    }
    assert_eq!(listed(&**engine, 10).await, ["C", "B", "A"]);
    let before = engine.rooms(10).await.unwrap()[2].active_at;
    entry(engine.append(tabs[0].draft(1, "a")).await);
    next_millisecond().await;
    entry(engine.append(tabs[1].draft(1, "b")).await);
    assert_eq!(listed(&**engine, 10).await, ["B", "A", "C"]);
    assert_eq!(listed(&**engine, 2).await, ["B", "A"]);
    let last = log(&**engine, &tabs[0].room.key).await[0].at;
    let active_at = engine.rooms(10).await.unwrap()[1].active_at;
    assert_eq!(active_at, last, "the time of its last message");
    assert!(active_at > before);
}

pub async fn a_room_is_listed_with_its_people<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let (full, empty) = (room("full"), room("empty"));
    for room in [&full, &empty] {
        engine.create_room(&room.name).await.unwrap();
    }
    for person in ["Ann", "Ben"].map(person) {
        engine.enter(&full.key, &person).await.unwrap();
    }
    let names = |listed: &Listed| -> Vec<String> {
        listed.people.iter().map(|person| person.name.as_str().to_owned()).collect()
    };
    for listed in engine.rooms(10).await.unwrap() {
        let expected: &[&str] = if listed.room == full { &["Ann", "Ben"] } else { &[] };
        assert_eq!(names(&listed), expected);
    }
}

pub async fn a_room_is_listed_with_the_beginning_of_its_last_message<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&room("full"));
    engine.create_room(&room("empty").name).await.unwrap();
    let last = async || {
        let listed = engine.rooms(10).await.unwrap();
        assert!(listed.iter().filter(|listed| listed.room != tab.room).all(|empty| empty.last.is_none()));
        let last = listed.into_iter().find(|listed| listed.room == tab.room).unwrap().last.unwrap();
        assert_eq!(last.name, tab.by.name);
        last.text
    };
    let long = "가나다 ".repeat(500);
    for (n, (text, line)) in [
        ("first", "first".to_owned()),
        ("two\n\n  lines \"with\" \\ signs\t😀", "two lines \"with\" \\ signs 😀".to_owned()),
        (&long, format!("{}…", "가나다 ".repeat(24).trim_end())),
        (&"👩‍💻".repeat(300), format!("{}👩…", "👩‍💻".repeat(21))),
        ("short", "short".to_owned()),
    ]
    .into_iter()
    .enumerate()
    {
        entry(engine.append(tab.draft(n as u64 + 1, text)).await);
        assert_eq!(last().await, line, "{text}");
    }
    engine.append(tab.void(6)).await.unwrap();
    assert_eq!(last().await, "short", "a void is no message");
}

pub async fn a_session_is_found_by_its_token<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let (mine, other) = (token(), token());
    let session = engine.open_session(mine, &user_name("지우")).await.unwrap();
    assert_eq!((session.token, &session.person.name), (mine, &user_name("지우")));
    assert_eq!(engine.session(mine).await.unwrap(), Some(session.clone()));
    assert_eq!(engine.session(other).await.unwrap(), None);
    let another = engine.open_session(other, &user_name("하은")).await.unwrap();
    assert_ne!(another.person.id, session.person.id);
    assert_ne!(session.person.id, UserId(0));
}

pub async fn a_look_alike_of_a_held_name_is_taken<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    engine.open_session(token(), &user_name("Paul")).await.unwrap();
    for name in ["Paul", "paul", "P\u{430}ul", "Ｐａｕｌ", "PA UL"] {
        let refused = token();
        assert!(matches!(engine.open_session(refused, &user_name(name)).await, Err(OpenError::Taken)), "{name}");
        assert!(!engine.name_is_free(&user_name(name).key()).await.unwrap(), "{name}");
        assert_eq!(engine.session(refused).await.unwrap(), None);
    }
    assert!(engine.name_is_free(&user_name("Paul 2").key()).await.unwrap());
    engine.open_session(token(), &user_name("Paul 2")).await.unwrap();
}

pub async fn one_of_many_claims_of_a_name_wins<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let claims: Vec<_> = (0..16)
        .map(|_| {
            let engine = engine.clone();
            tokio::spawn(async move { engine.open_session(token(), &user_name("지우")).await.is_ok() })
        })
        .collect();
    let mut won = 0;
    for claim in claims {
        won += usize::from(claim.await.unwrap());
    }
    assert_eq!(won, 1);
}

pub async fn a_name_is_free_after_sign_out<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let (first, second) = (token(), token());
    let before = engine.open_session(first, &user_name("지우")).await.unwrap();
    engine.close_session(first).await.unwrap();
    engine.close_session(first).await.unwrap();
    assert_eq!(engine.session(first).await.unwrap(), None);
    assert!(engine.name_is_free(&user_name("지우").key()).await.unwrap());
    let after = engine.open_session(second, &user_name("지우")).await.unwrap();
    assert_ne!(before.person.id, after.person.id, "a later holder is someone else");
    engine.close_session(first).await.unwrap();
    assert_eq!(engine.session(second).await.unwrap(), Some(after), "an old sign-out does not end a new session");
}

pub async fn a_session_ends_when_it_is_not_used<F: Fixture>() {
    let Opened { engine, .. } = &open_with_ttl::<F>(Duration::from_secs(1)).await;
    let mine = token();
    let name = user_name("지우");
    engine.open_session(mine, &name).await.unwrap();
    assert!(!engine.name_is_free(&name.key()).await.unwrap());
    eventually("the name is free", async || engine.name_is_free(&name.key()).await.unwrap()).await;
    eventually("the session is gone", async || engine.session(mine).await.unwrap().is_none()).await;
    assert_eq!(engine.ended_sessions(&[mine]).await.unwrap().ended, [mine]);
}

pub async fn a_session_in_use_lives_on<F: Fixture>() {
    let ttl = Duration::from_secs(2);
    let Opened { engine, .. } = &open_with_ttl::<F>(ttl).await;
    let mine = token();
    let session = engine.open_session(mine, &user_name("지우")).await.unwrap();
    let start = Instant::now();
    eventually("twice its time to live has passed", async || {
        assert_eq!(engine.session(mine).await.unwrap().as_ref(), Some(&session), "after {:?}", start.elapsed());
        assert!(!engine.name_is_free(&session.person.name.key()).await.unwrap());
        start.elapsed() > ttl * 2
    })
    .await;
    assert!(engine.ended_sessions(&[mine]).await.unwrap().ended.is_empty());
}

pub async fn a_name_that_ran_out_can_be_claimed_by_someone_else<F: Fixture>() {
    let Opened { engine, .. } = &open_with_ttl::<F>(Duration::from_secs(1)).await;
    let (first, second) = (token(), token());
    let before = engine.open_session(first, &user_name("지우")).await.unwrap();
    eventually("claimed", async || match engine.open_session(second, &user_name("지우")).await {
        Ok(after) => {
            assert_ne!(before.person.id, after.person.id);
            true
        }
        Err(OpenError::Taken) => false,
        Err(error) => panic!("{error}"),
    })
    .await;
    assert_eq!(engine.session(first).await.unwrap(), None);
    engine.close_session(first).await.unwrap();
    assert_eq!(engine.session(second).await.unwrap().map(|session| session.token), Some(second));
}

pub async fn ended_sessions_are_told_from_living_ones<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let (living, ended, unknown) = (token(), token(), token());
    engine.open_session(living, &user_name("지우")).await.unwrap();
    engine.open_session(ended, &user_name("하은")).await.unwrap();
    engine.close_session(ended).await.unwrap();
    let mut found = engine.ended_sessions(&[living, ended, unknown]).await.unwrap().ended;
    found.sort_by_key(|token| *token != ended);
    assert_eq!(found, [ended, unknown]);
    assert_eq!(engine.ended_sessions(&[]).await.unwrap(), Ended::default());
}

pub async fn rooms_of_a_person_are_in_the_order_of_joining<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let session = engine.open_session(token(), &user_name("지우")).await.unwrap();
    let (me, other) = (session.person.id, person("하은").id);
    let rooms = ["C", "a", "B"].map(room);
    for room in &rooms {
        engine.create_room(&room.name).await.unwrap();
        engine.add_member(me, &room.key).await.unwrap();
        next_millisecond().await;
    }
    engine.add_member(me, &rooms[0].key).await.unwrap();
    assert_eq!(engine.rooms_of(me).await.unwrap(), rooms, "joining again keeps the place");
    assert_eq!(engine.rooms_of(other).await.unwrap(), []);
    engine.remove_member(me, &rooms[1].key).await.unwrap();
    engine.remove_member(me, &rooms[1].key).await.unwrap();
    assert_eq!(engine.rooms_of(me).await.unwrap(), [rooms[0].clone(), rooms[2].clone()]);
    next_millisecond().await;
    engine.add_member(me, &rooms[1].key).await.unwrap();
    assert_eq!(engine.rooms_of(me).await.unwrap(), [rooms[0].clone(), rooms[2].clone(), rooms[1].clone()]);
}

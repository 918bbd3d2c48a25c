//! Buckets of tokens.

use super::{Fixture, support::*};
use hubbub::engine::Quota;
use std::time::Duration;

const QUOTA: Quota = Quota { burst: 5, every: Duration::from_mins(1) };

pub async fn a_bucket_gives_what_it_holds_and_then_says_how_long<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    for _ in 0..QUOTA.burst {
        engine.take("a", QUOTA).await.unwrap().unwrap();
        // A write that is answered comes after the one before.
        engine.create_room(&room("a").name).await.unwrap();
    }
    let wait = engine.take("a", QUOTA).await.unwrap().unwrap_err();
    assert!(wait <= QUOTA.every && wait > QUOTA.every / 2, "{wait:?}");
    engine.take("b", QUOTA).await.unwrap().unwrap();
}

pub async fn a_bucket_fills_again<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let quota = Quota { burst: 1, every: Duration::from_millis(50) };
    for _ in 0..4 {
        eventually("a token came back", async || engine.take("a", quota).await.unwrap().is_ok()).await;
    }
}

pub async fn names_are_counted_where_they_are_held_until_they_are_let_go<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let places = ["here".to_owned(), "around here".to_owned()];
    let mut tokens = Vec::new();
    for name in ["Ann", "Bea", "Cleo"] {
        assert!(!engine.is_full("here", 3).await.unwrap());
        let token = token();
        engine.open_session(token, &user_name(name)).await.unwrap();
        for _ in 0..2 {
            engine.hold(token, &places).await.unwrap();
        }
        tokens.push(token);
    }
    for place in &places {
        assert!(engine.is_full(place, 3).await.unwrap() && !engine.is_full(place, 4).await.unwrap());
    }
    assert!(!engine.is_full("elsewhere", 1).await.unwrap());
    engine.close_session(tokens[1]).await.unwrap();
    assert!(!engine.is_full("here", 3).await.unwrap() && engine.is_full("here", 2).await.unwrap());
}

pub async fn names_of_sessions_that_ran_out_are_not_counted<F: Fixture>() {
    let Opened { engine, .. } = &open_with_ttl::<F>(Duration::from_millis(300)).await;
    let token = token();
    engine.open_session(token, &user_name("Ann")).await.unwrap();
    engine.hold(token, &["here".to_owned()]).await.unwrap();
    eventually("the name is free", async || !engine.is_full("here", 1).await.unwrap()).await;
}

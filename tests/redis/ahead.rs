//! What is made of keys that were written while the server's clock was ahead.

use super::faults::connect;
use crate::{contract::support::*, support::redis::RedisServer};
use hubbub::engine::{Directory, OpenError, Quotas};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// The keys of sessions and names of a kind.
fn keys(server: &RedisServer, kind: &str) -> Vec<String> {
    server.cli(&["KEYS", &format!("hubbub:{kind}:*")]).lines().map(str::to_owned).collect()
}

/// As if they had been written while the clock was 400 days ahead.
fn set_ahead(server: &RedisServer, kinds: &[&str]) {
    for key in kinds.iter().flat_map(|kind| keys(server, kind)) {
        assert_eq!(server.cli(&["PEXPIRE", &key, &(400 * DAY_MS).to_string()]), "1");
    }
}

/// How long those of a kind are left, in ms.
fn left(server: &RedisServer, kind: &str) -> Vec<i64> {
    keys(server, kind).iter().map(|key| server.cli(&["PTTL", key]).parse().unwrap()).collect()
}

fn is_a_day(left: &[i64]) -> bool {
    left.len() == 1 && (DAY_MS - 60_000..=DAY_MS).contains(&left[0])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_a_clock_that_was_ahead_is_set_back_when_it_is_used() {
    const KINDS: [&str; 4] = ["session", "name", "drawn", "from"];
    let server = RedisServer::start(&[]);
    let (engine, _) = connect(&server).await;
    let token = token();
    let session = engine.open_session(token, &user_name("Ann")).await.unwrap();
    engine.hold(token, &["here".to_owned()]).await.unwrap();
    set_ahead(&server, &KINDS);
    assert_eq!(engine.session(token).await.unwrap(), Some(session));
    for kind in KINDS {
        assert!(is_a_day(&left(&server, kind)), "{kind}: {:?}", left(&server, kind));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_of_a_clock_that_was_ahead_is_set_back_when_somebody_else_asks_for_it() {
    let server = RedisServer::start(&[]);
    let (engine, _) = connect(&server).await;
    let holder = token();
    let session = engine.open_session(holder, &user_name("Ann")).await.unwrap();
    set_ahead(&server, &["session", "name", "drawn"]);
    assert!(matches!(engine.open_session(token(), &user_name("ann")).await, Err(OpenError::Taken)));
    for kind in ["name", "drawn"] {
        assert!(is_a_day(&left(&server, kind)), "{kind}: {:?}", left(&server, kind));
    }
    // Its holder has it still, and nobody's is set back that is not ahead.
    assert_eq!(engine.session(holder).await.unwrap(), Some(session));
    server.cli(&["PEXPIRE", &keys(&server, "name")[0], "5000000"]);
    assert!(matches!(engine.open_session(token(), &user_name("ann")).await, Err(OpenError::Taken)));
    assert!(left(&server, "name")[0] <= 5_000_000, "asking for it makes it last longer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_a_clock_that_was_ahead_counted_are_not_counted_for_ever() {
    let server = RedisServer::start(&[]);
    let (engine, _) = connect(&server).await;
    let places = ["here".to_owned()];
    let [kept, gone] = [token(), token()];
    for (token, name) in [(kept, "Ann"), (gone, "Bea")] {
        engine.open_session(token, &user_name(name)).await.unwrap();
        engine.hold(token, &places).await.unwrap();
    }
    assert!(engine.is_full("here", 2).await.unwrap());
    let key = keys(&server, "held").remove(0);
    for token in [kept, gone] {
        assert_eq!(server.cli(&["ZINCRBY", &key, &(400 * DAY_MS).to_string(), &token.to_hex()]).len(), 13);
    }
    assert!(!engine.is_full("here", 1).await.unwrap());
    // Whose session is used counts again.
    set_ahead(&server, &["session"]);
    engine.session(kept).await.unwrap();
    assert!(engine.is_full("here", 1).await.unwrap() && !engine.is_full("here", 2).await.unwrap());
}

//! Browsers that keep no cookie. Over plain HTTP they drop a Secure one without a word, and the name would then be taken by
//! nobody. Where a browser does not say how it came (no `Origin`), its next request tells whether the cookie was kept.

use crate::store::TokenHash;
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How soon a browser has to follow the redirect, for the session to be ended.
const WITHIN: Duration = Duration::from_mins(1);
/// Sign-ins watched at a time; the oldest is no longer.
const WATCHED_MAX: usize = 1_024;

/// Sessions opened a moment ago, each under a number that only its browser was told.
#[derive(Default)]
pub struct Unkept(Mutex<Vec<Watched>>);

struct Watched {
    number: u64,
    since: Instant,
    token: TokenHash,
    name: String,
}

impl Unkept {
    /// What to put into the query of where the browser is led, with a random `number`.
    pub fn watch(&self, number: u64, token: TokenHash, name: &str) -> String {
        let since = Instant::now();
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|watched| watched.since.elapsed() < WITHIN);
        if watched.len() >= WATCHED_MAX {
            watched.remove(0);
        }
        watched.push(Watched { number, since, token, name: name.to_owned() });
        format!("in={number:016x}")
    }

    /// The session that was opened for the browser that was led to `query`, and its name. It is no longer watched.
    pub fn back(&self, number: &str) -> Option<(TokenHash, String)> {
        let number = u64::from_str_radix(number, 16).ok()?;
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = watched.iter().position(|watched| watched.number == number && watched.since.elapsed() < WITHIN)?;
        let watched = watched.remove(at);
        Some((watched.token, watched.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_that_comes_back_is_known_once() {
        let unkept = Unkept::default();
        let token = TokenHash([7; 32]);
        let query = unkept.watch(5, token, "Kim");
        let number = query.strip_prefix("in=").unwrap();
        assert_eq!(unkept.back("1"), None);
        assert_eq!(unkept.back("x"), None);
        assert_eq!(unkept.back(number), Some((token, "Kim".to_owned())));
        assert_eq!(unkept.back(number), None);
        for number in 0..WATCHED_MAX * 2 {
            unkept.watch(number as u64, token, "Kim");
        }
        assert_eq!(unkept.0.lock().unwrap().len(), WATCHED_MAX);
    }
}

//! Structured logs on standard error. No message bodies, no tokens: what is logged is named field by field.

use clap::ValueEnum;
use std::{
    io::{IsTerminal, stderr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
    /// JSON with the fields that Google's Cloud Logging reads: `severity`, `time`, `message`
    Google,
}

/// Starts logging. Tests that start several servers in one process may call it again; only the first call counts.
pub fn start(filter: &str, format: LogFormat) {
    let filter = EnvFilter::builder().parse_lossy(filter);
    if format == LogFormat::Google {
        let layer = tracing_stackdriver::layer().with_writer(stderr);
        let _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
        return;
    }
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    let builder = builder.with_ansi(stderr().is_terminal());
    // An error means that a subscriber is there already.
    let _ = match format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text | LogFormat::Google => builder.try_init(),
    };
}

/// Lets through what strangers can cause at will: each name once a minute, and only so many names; the rest is counted.
///
/// ```text
/// static REFUSED: Seldom = Seldom::new(8);
/// if let Some(others) = REFUSED.say(name) {
///     tracing::warn!(target: "audit", name, others, "refused");
/// }
/// ```
pub struct Seldom {
    names_max: usize,
    state: Mutex<State>,
}

struct State {
    /// What was let through within the last minute, oldest first.
    said: Vec<(String, Instant)>,
    /// How often nothing was since then.
    others: u64,
}

impl Seldom {
    const EVERY: Duration = Duration::from_mins(1);
    /// Longest part of a name by which it is known, in bytes.
    const NAME_MAX: usize = 256;

    /// Lets at most `names_max` names through in a minute.
    pub const fn new(names_max: usize) -> Self {
        Self { names_max, state: Mutex::new(State { said: Vec::new(), others: 0 }) }
    }

    /// Whether to log what is about `name` now; if so, how much was not since the last time.
    pub fn say(&self, name: &str) -> Option<u64> {
        self.say_at(name, Instant::now())
    }

    fn say_at(&self, name: &str, now: Instant) -> Option<u64> {
        let name = &name[..name.floor_char_boundary(Self::NAME_MAX)];
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.said.retain(|(_, at)| now.saturating_duration_since(*at) < Self::EVERY);
        if state.said.len() >= self.names_max || state.said.iter().any(|(said, _)| said == name) {
            state.others += 1;
            return None;
        }
        state.said.push((name.to_owned(), now));
        Some(std::mem::take(&mut state.others))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_let_through_once_a_minute_and_few_names_are() {
        let (seldom, start) = (Seldom::new(2), Instant::now());
        let say = |name: &str, seconds: u64| seldom.say_at(name, start + Duration::from_secs(seconds));
        assert_eq!(say("a", 0), Some(0));
        assert_eq!(say("a", 1), None);
        assert_eq!(say("b", 30), Some(2 - 1));
        assert_eq!(say("c", 31), None);
        assert_eq!(say("a", 59), None);
        assert_eq!(say("a", 60), Some(2));
        // A minute after each: never more than two names in any minute.
        assert_eq!(say("c", 89), None);
        assert_eq!(say("c", 90), Some(1));
        let long = "가".repeat(1_000);
        assert_eq!(Seldom::new(1).say(&long), Some(0));
    }
}

//! Structured logs on standard error. No message bodies, no tokens: what is logged is named field by field.

#[cfg(feature = "opentelemetry")]
mod traces;

use axum::http::{HeaderMap, StatusCode};
use clap::ValueEnum;
use std::{
    io::{IsTerminal, stderr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use tracing::{Span, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer, fmt, layer::SubscriberExt, registry, registry::LookupSpan, util::SubscriberInitExt,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
    /// JSON with the fields that Google's Cloud Logging reads: `severity`, `time`, `message`
    Google,
}

/// Starts logging, and traces where there are any. Tests that start several servers in one process may call it again; only the first call
/// counts.
pub fn start(filter: &str, format: LogFormat) {
    let filter = EnvFilter::builder().parse_lossy(filter);
    // An error means that a subscriber is there already.
    #[cfg(not(feature = "opentelemetry"))]
    let _ = registry().with(filter).with(lines(format)).try_init();
    // What is logged has nothing to do with what is traced.
    #[cfg(feature = "opentelemetry")]
    let _ = registry().with(lines(format).with_filter(filter)).with(traces::layer()).try_init();
}

/// Sends what is left of the traces. After it none are made.
pub fn end() {
    #[cfg(feature = "opentelemetry")]
    traces::flush();
}

fn lines<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let lines = || fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal());
    match format {
        LogFormat::Text => lines().boxed(),
        LogFormat::Json => lines().json().flatten_event(true).boxed(),
        LogFormat::Google => tracing_stackdriver::layer().with_writer(stderr).boxed(),
    }
}

/// The span of a request. At this level, so that whatever is logged about a request names it.
pub fn request(id: u64, method: &str, route: &str, headers: &HeaderMap) -> Span {
    #[cfg(not(feature = "opentelemetry"))]
    {
        let _ = headers;
        tracing::error_span!("request", id = %format_args!("{id:016x}"), method = %method, route)
    }
    #[cfg(feature = "opentelemetry")]
    {
        let span = tracing::error_span!("request", id = %format_args!("{id:016x}"), method = %method, route,
            otel.name = %traces::name(method, route), otel.kind = "server");
        traces::begin(&span, method, route, headers);
        span
    }
}

/// How that request was answered.
#[cfg_attr(not(feature = "opentelemetry"), allow(unused_variables))]
pub fn answered(span: &Span, status: StatusCode) {
    #[cfg(feature = "opentelemetry")]
    traces::answered(span, status);
}

/// What a socket asked for, as a trace of its own: a socket lasts for an hour.
#[cfg(not(feature = "opentelemetry"))]
pub fn command<F: Future>(_: &'static str, work: F) -> F {
    work
}

/// What a socket asked for, as a trace of its own: a socket lasts for an hour.
#[cfg(feature = "opentelemetry")]
pub fn command<F: Future>(name: &'static str, work: F) -> tracing::instrument::Instrumented<F> {
    tracing::Instrument::instrument(work, tracing::debug_span!(parent: None, "command", otel.name = name))
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

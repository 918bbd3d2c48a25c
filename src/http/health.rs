//! Whether this instance should be sent people.
//!
//! Three questions, three answers: `/health/live` says that the process runs, `/health/serve` that people can be sent here,
//! `/health/ready` that what they write will be stored. An instance whose store takes no writes still shows pages and
//! history, so a balancer that went by the last one would turn "read only" into "gone", on all instances at once.

use crate::{
    chat::Chat,
    store::{Reason, Unwritable},
};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long an answer stands, however many ask.
const STANDS: Duration = Duration::from_secs(1);
/// How long the store may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// So many failures in a row, over so long, are told: one lost answer takes no instance out.
const FAILURES: u32 = 3;
const FAILING_FOR: Duration = Duration::from_secs(5);

/// The routes below `/health`. They ask for no session and write nothing.
pub fn routes<S>(chat: Arc<Chat>) -> Router<S> {
    let health = Arc::new(Health { chat, found: Mutex::default(), asking: tokio::sync::Mutex::default() });
    Router::new()
        .route("/health/live", get(|| async { answer(StatusCode::OK, "ok") }))
        .route("/health/ready", get(ready))
        .route("/health/serve", get(serve))
        .with_state(health)
}

async fn ready(State(health): State<Arc<Health>>) -> Response {
    if health.chat.hub.stopping() {
        return unavailable("stopping");
    }
    let told = health.writable().await;
    health.watch_if_in_doubt();
    match told {
        Ok(()) => answer(StatusCode::OK, "ok"),
        Err(reason) => unavailable(format!("the store cannot be written to: {reason}")),
    }
}

async fn serve(State(health): State<Arc<Health>>) -> Response {
    if health.chat.hub.stopping() {
        return unavailable("stopping");
    }
    // Nothing is listened to before the store has answered.
    answer(StatusCode::OK, "ok")
}

fn unavailable(why: impl IntoResponse) -> Response {
    answer(StatusCode::SERVICE_UNAVAILABLE, why)
}

fn answer(status: StatusCode, body: impl IntoResponse) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], body).into_response()
}

/// Asks the store on behalf of everybody who asks.
struct Health {
    chat: Arc<Chat>,
    found: Mutex<Found>,
    /// Held by the one who asks the store.
    asking: tokio::sync::Mutex<()>,
}

impl Health {
    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is told at present; asks the store if that is too old.
    async fn writable(&self) -> Result<(), Reason> {
        if let Some(told) = self.standing() {
            return told;
        }
        let _asking = self.asking.lock().await;
        match self.standing() {
            Some(told) => told,
            None => self.ask().await,
        }
    }

    fn standing(&self) -> Option<Result<(), Reason>> {
        let found = self.found();
        found.at.is_some_and(|at| at.elapsed() < STANDS).then_some(found.told)
    }

    async fn ask(&self) -> Result<(), Reason> {
        let late = |_| Err(Unwritable { reason: Reason::Unreachable, detail: "no answer in time".to_owned() });
        let outcome = tokio::time::timeout(ANSWER_WITHIN, self.chat.writable()).await.unwrap_or_else(late);
        let mut found = self.found();
        let before = found.told;
        found.note(outcome.as_ref().map(drop).map_err(|error| error.reason), Instant::now());
        match (&outcome, before, found.told) {
            (Err(error), Ok(()), Err(_)) => tracing::error!(%error, "the store cannot be written to: {error}"),
            (_, Err(_), Ok(())) => tracing::info!("the store can be written to again"),
            _ => {}
        }
        found.told
    }

    /// Has the store asked on until it is certain, so that this does not depend on how often others ask.
    fn watch_if_in_doubt(self: &Arc<Self>) {
        let mut found = self.found();
        if found.in_doubt() && !found.watched {
            found.watched = true;
            tokio::spawn(Arc::clone(self).watch());
        }
    }

    async fn watch(self: Arc<Self>) {
        while self.found().in_doubt() && !self.chat.hub.stopping() {
            tokio::time::sleep(STANDS).await;
            let _ = self.writable().await;
        }
        self.found().watched = false;
    }
}

/// What was found out about the store.
#[derive(Debug)]
struct Found {
    told: Result<(), Reason>,
    /// Failures since the last success, and when the first of them was.
    failures: u32,
    since: Option<Instant>,
    at: Option<Instant>,
    /// Whether somebody asks on until it is certain.
    watched: bool,
}

impl Default for Found {
    fn default() -> Self {
        Self { told: Err(Reason::Unreachable), failures: 0, since: None, at: None, watched: false }
    }
}

impl Found {
    /// A success is told at once, a failure once it lasts.
    fn note(&mut self, outcome: Result<(), Reason>, now: Instant) {
        self.at = Some(now);
        if outcome.is_ok() {
            (self.told, self.failures, self.since) = (Ok(()), 0, None);
            return;
        }
        self.failures += 1;
        let since = *self.since.get_or_insert(now);
        let lasts = self.failures >= FAILURES && now.duration_since(since) >= FAILING_FOR;
        if self.told.is_err() || lasts {
            self.told = outcome;
        }
    }

    /// Whether it fails and was not told to.
    fn in_doubt(&self) -> bool {
        self.told.is_ok() && self.failures > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: &[u64]) -> (Found, Instant) {
        let (mut found, start) = (Found::default(), Instant::now());
        found.note(Ok(()), start);
        for second in seconds {
            found.note(Err(Reason::Full), start + Duration::from_secs(*second));
        }
        (found, start)
    }

    #[test]
    fn a_failure_is_told_once_it_lasts_and_a_success_at_once() {
        for passing in [&[][..], &[1], &[1, 9], &[1, 2, 3, 4, 5]] {
            assert_eq!(after(passing).0.told, Ok(()), "failures after {passing:?} s");
        }
        for lasting in [&[1, 2, 6][..], &[1, 30, 60]] {
            let (mut found, start) = after(lasting);
            assert_eq!(found.told, Err(Reason::Full), "failures after {lasting:?} s");
            found.note(Err(Reason::ReadOnly), start + Duration::from_secs(61));
            assert_eq!(found.told, Err(Reason::ReadOnly), "the latest reason");
            found.note(Ok(()), start + Duration::from_secs(62));
            found.note(Err(Reason::Full), start + Duration::from_secs(63));
            assert_eq!(found.told, Ok(()), "counted anew");
        }
    }

    #[test]
    fn before_the_first_success_every_failure_is_told() {
        let mut found = Found::default();
        found.note(Err(Reason::Unreachable), Instant::now());
        assert_eq!(found.told, Err(Reason::Unreachable));
        found.note(Err(Reason::Full), Instant::now());
        assert_eq!(found.told, Err(Reason::Full));
    }
}

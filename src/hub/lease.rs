//! For how long this instance may act for the sessions of its sockets.
//!
//! Word of a sign-out elsewhere can be lost, and a process that stood still has heard of nothing. So a session counts only
//! for a short time after the store was last asked about it: without an answer nothing is taken from its sockets and no
//! entry is given to them.

use super::{Hub, upkeep::every, wake::Wake};
use crate::store::{StoreError, TokenHash};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How long what the store said of a session holds. With a request's way to the store it stays below the five seconds after
/// which a session that ended has to be without effect.
const HOLDS: Duration = Duration::from_secs(4);
/// How long after that question something may still be committed for the session. Between the two lies a request's way.
const COMMITS: Duration = Duration::from_millis(4_900);
/// How often the store is asked about all sessions.
const SWEEP: Duration = Duration::from_millis(1_500);
/// Pause before it is asked again that did not answer.
const RETRY: Duration = Duration::from_millis(100);
/// How often an engine is asked that reports the end of a session by itself, but for those that nobody uses.
const EXPIRY_SWEEP: Duration = Duration::from_mins(1);
/// Sessions asked for at once.
const AT_ONCE: usize = 1_024;

pub struct Lease {
    /// The runtime's clock, which is the system's monotonic one outside of tests: it goes on while the process is stopped.
    began: Instant,
    /// When the latest round that was answered began, in milliseconds since `began`.
    asked: AtomicU64,
    /// Sessions of which it told nothing, and when the round before began that did.
    behind: Mutex<HashMap<TokenHash, u64>>,
    /// Whether there are any.
    some_behind: AtomicBool,
    /// A socket waits for the next round.
    awaited: AtomicBool,
    /// Nothing about sessions goes unreported, so that nothing lapses.
    endless: bool,
}

/// What a socket knows of its session by itself.
#[derive(Debug, Clone, Copy)]
pub struct Admission {
    pub token: TokenHash,
    /// When the store was asked about the session.
    pub asked: Instant,
    /// When the socket had been registered: rounds that began later included it.
    pub registered: Instant,
}

/// That something may be done for a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Until when it may be committed; `None` where no word of a session's end is lost.
    pub until: Option<Instant>,
}

impl Lease {
    pub fn new(endless: bool) -> Self {
        Self {
            began: Instant::now(),
            asked: AtomicU64::new(0),
            behind: Mutex::default(),
            some_behind: AtomicBool::new(false),
            awaited: AtomicBool::new(false),
            endless,
        }
    }

    /// Since the latest round began that was answered; `None` where nothing lapses.
    pub fn age(&self) -> Option<Duration> {
        (!self.endless).then(|| (self.began + Duration::from_millis(self.asked.load(Ordering::SeqCst))).elapsed())
    }

    /// Whether what the store said of the session of a socket still counts, be it that it ended since. If it does not, its
    /// socket is woken after the next round.
    pub fn holds(&self, admission: Admission) -> bool {
        self.endless || self.is_recent(admission) || {
            self.awaited.store(true, Ordering::SeqCst);
            // The round may have come to its end in between.
            self.is_recent(admission)
        }
    }

    /// What may be done now for the session of a socket; `None` if nothing. It has ended then, or counts again after the next
    /// round, when its socket is woken.
    pub fn grant(&self, admission: Admission, wake: &Wake) -> Option<Grant> {
        let until = (!self.endless).then(|| commit_until(self.asked(admission)));
        // The end is looked for last: sockets are told of it before the round counts that found it, so that no deadline of a
        // later round is given to a session that it ended.
        (self.holds(admission) && !wake.ended.load(Ordering::SeqCst)).then_some(Grant { until })
    }

    fn is_recent(&self, admission: Admission) -> bool {
        self.asked(admission).elapsed() < HOLDS
    }

    /// When the store was last asked about the session.
    fn asked(&self, admission: Admission) -> Instant {
        // Before what it told nothing of is looked up, which is written in the other order.
        let mut asked = self.asked.load(Ordering::SeqCst);
        if self.some_behind.load(Ordering::SeqCst) {
            let behind = self.behind.lock().unwrap_or_else(PoisonError::into_inner);
            asked = behind.get(&admission.token).copied().unwrap_or(asked);
        }
        let round = self.began + Duration::from_millis(asked);
        if round >= admission.registered { round } else { admission.asked }
    }

    /// A round that began then was answered but for `unknown`, and the sockets of ended sessions know. Says whether a socket
    /// waits for it.
    fn renew(&self, began: Instant, unknown: &[TokenHash]) -> bool {
        {
            let last = self.asked.load(Ordering::SeqCst);
            let mut behind = self.behind.lock().unwrap_or_else(PoisonError::into_inner);
            let since = |token: &TokenHash| (*token, behind.get(token).copied().unwrap_or(last));
            *behind = unknown.iter().map(since).collect();
            self.some_behind.store(!behind.is_empty(), Ordering::SeqCst);
        }
        // Rounded down: a lease may be shorter than it could be, never longer.
        let asked = u64::try_from((began - self.began).as_millis()).unwrap_or(u64::MAX);
        self.asked.store(asked, Ordering::SeqCst);
        self.awaited.swap(false, Ordering::SeqCst)
    }
}

pub async fn keep(hub: Arc<Hub>) {
    let pause = if hub.lease.endless { EXPIRY_SWEEP.min(hub.session_use) } else { SWEEP };
    let mut ticks = every(pause);
    loop {
        ticks.tick().await;
        while let Err(error) = ask(&hub).await {
            tracing::debug!(%error, "cannot ask whether sessions ended; trying again");
            sleep(RETRY).await;
        }
    }
}

async fn ask(hub: &Hub) -> Result<(), StoreError> {
    let began = Instant::now();
    let mut unknown = Vec::new();
    for tokens in hub.sockets.tokens().chunks(AT_ONCE) {
        let told = hub.engine.ended_sessions(tokens).await?;
        for token in told.ended {
            hub.sockets.end_session(token);
        }
        unknown.extend(told.unknown);
    }
    if hub.lease.renew(began, &unknown) {
        hub.sockets.each(Wake::news);
    }
    Ok(())
}

/// Until when something may be committed for a session about which the store was asked then.
pub fn commit_until(asked: Instant) -> Instant {
    asked + COMMITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_counts_for_a_while_after_it_was_asked_about() {
        let ago = |secs| Instant::now().checked_sub(Duration::from_secs(secs)).unwrap();
        let mut lease = Lease::new(false);
        lease.began = ago(60);
        let token = TokenHash::of("one");
        let old = Admission { token, asked: ago(50), registered: ago(50) };
        let new = Admission { token, asked: ago(1), registered: ago(1) };
        // Stood still between the question and the registration.
        let slow = Admission { token, asked: ago(20), registered: ago(0) };
        assert_eq!([old, new, slow].map(|admission| lease.holds(admission)), [false, true, false]);
        assert!(lease.renew(ago(2), &[]), "somebody waits");
        assert_eq!([old, new, slow].map(|admission| lease.holds(admission)), [true, true, false]);
        assert!(lease.renew(Instant::now() + Duration::from_millis(5), &[]) && lease.holds(slow));
        lease.renew(ago(5), &[]);
        assert!(!lease.holds(old));
        assert!(Lease::new(true).holds(old));
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_lapses_by_the_clock_of_its_runtime() {
        let (lease, now) = (Lease::new(false), Instant::now());
        let admission = Admission { token: TokenHash::of("one"), asked: now, registered: now };
        tokio::time::advance(HOLDS.checked_sub(Duration::from_millis(1)).unwrap()).await;
        assert!(lease.holds(admission));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!lease.holds(admission));
    }

    #[test]
    fn nothing_is_granted_to_a_session_by_the_round_that_ended_it() {
        for endless in [false, true] {
            let (lease, wake) = (Lease::new(endless), Wake::default());
            let asked = lease.began;
            let admission = Admission { token: TokenHash::of("one"), asked, registered: asked };
            let until = (!endless).then(|| commit_until(asked));
            assert_eq!(lease.grant(admission, &wake), Some(Grant { until }));
            // As a round does, while the socket's task is at a frame.
            wake.end();
            lease.renew(Instant::now(), &[]);
            assert!(lease.holds(admission));
            assert_eq!(lease.grant(admission, &wake), None);
        }
    }

    #[test]
    fn what_the_store_could_not_tell_of_lapses_alone() {
        let ago = |secs| Instant::now().checked_sub(Duration::from_secs(secs)).unwrap();
        let mut lease = Lease::new(false);
        lease.began = ago(60);
        let [here, away] = ["here", "away"].map(TokenHash::of);
        let [mine, theirs] = [here, away].map(|token| Admission { token, asked: ago(50), registered: ago(50) });
        lease.renew(ago(3), &[]);
        lease.renew(ago(2), &[away]);
        assert_eq!(
            [mine, theirs].map(|admission| lease.holds(admission)),
            [true, true],
            "for as long as was told before"
        );
        lease.renew(ago(5), &[]);
        lease.renew(ago(2), &[away]);
        lease.renew(ago(1), &[away]);
        assert_eq!([mine, theirs].map(|admission| lease.holds(admission)), [true, false]);
        let again = Admission { asked: ago(1), registered: ago(1), ..theirs };
        assert!(lease.holds(again), "its own question was answered");
        assert!(lease.renew(ago(1), &[]), "somebody waits");
        assert_eq!([mine, theirs].map(|admission| lease.holds(admission)), [true, true]);
    }
}

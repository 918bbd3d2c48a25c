//! What one session has left on this instance, over all its sockets and requests.

use super::bucket::{Bucket, Rate};
use crate::store::TokenHash;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Frames that change something. A minute of honest talk is at most 60; an outbox or a paste of 200 passes at once.
const FRAMES: Rate = Rate::new(200.0, 10.0);
/// Bytes of frames.
const BYTES: Rate = Rate::new(1_048_576.0, 16_384.0);
/// Rooms left: each is a write to the store and a notice to all who are there.
const LEAVES: Rate = Rate::new(60.0, 1.0);
/// Sockets opened.
const OPENS: Rate = Rate::new(40.0, 4.0);
/// Pages.
const PAGES: Rate = Rate::new(100.0, 3.0);
/// Bytes of logs that are read for it alone: rooms' pages, history, pages of joins and resets, what follows a cursor far behind.
const HISTORY: Rate = Rate::new(16_777_216.0, 1_048_576.0);

/// Forms of one session that may wait for their turn, and for how long.
const WAITING_MAX: usize = 4;
const FORM_PATIENCE: Duration = Duration::from_secs(5);

pub struct Allowance {
    /// How many times the usual.
    factor: f64,
    left: Mutex<Left>,
    waiting: AtomicUsize,
}

struct Left {
    frames: Bucket,
    bytes: Bucket,
    leaves: Bucket,
    opens: Bucket,
    pages: Bucket,
    history: Bucket,
}

/// What a frame costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    pub frames: f64,
    pub bytes: usize,
    pub leaves: f64,
}

impl Cost {
    /// A message of `bytes`.
    pub fn message(bytes: usize) -> Self {
        Self { frames: 1.0, bytes, leaves: 0.0 }
    }

    /// Leaving a room.
    pub fn leave() -> Self {
        Self { frames: 1.0, bytes: 0, leaves: 1.0 }
    }
}

impl Allowance {
    fn new(factor: f64) -> Self {
        let full = Bucket::full(Instant::now());
        let left = Left { frames: full, bytes: full, leaves: full, opens: full, pages: full, history: full };
        Self { factor, left: Mutex::new(left), waiting: AtomicUsize::new(0) }
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what a frame that was read costs, be it there or not.
    pub fn charge(&self, cost: Cost, now: Instant) {
        let mut left = self.left();
        left.frames.charge(FRAMES.times(self.factor), cost.frames, now);
        #[allow(clippy::cast_precision_loss)] // a frame has at most 64 KiB
        left.bytes.charge(BYTES.times(self.factor), cost.bytes as f64, now);
        if cost.leaves > 0.0 {
            left.leaves.charge(LEAVES.times(self.factor), cost.leaves, now);
        }
    }

    /// When the next frame may be read; `None`: now.
    pub fn reads_at(&self, now: Instant) -> Option<Instant> {
        let left = self.left();
        let at = |bucket: &Bucket, rate: Rate| bucket.opens_at(rate.times(self.factor), now);
        [at(&left.frames, FRAMES), at(&left.bytes, BYTES), at(&left.leaves, LEAVES)].into_iter().flatten().max()
    }

    /// Whether one more socket may be opened now.
    ///
    /// # Errors
    /// How long until it may.
    pub fn open(&self) -> Result<(), Duration> {
        self.left().opens.take(OPENS.times(self.factor), 1.0, Instant::now())
    }

    /// Books one more page: how long until it may be rendered.
    ///
    /// # Errors
    /// Longer than `patience`, by so much.
    pub fn page(&self, patience: Duration) -> Result<Duration, Duration> {
        self.left().pages.book(PAGES.times(self.factor), 1.0, patience, Instant::now())
    }

    /// Counts bytes of history that were read for the session.
    pub fn charge_history(&self, bytes: usize) {
        #[allow(clippy::cast_precision_loss)] // a page of entries has at most 1 MiB
        self.left().history.charge(HISTORY.times(self.factor), bytes as f64, Instant::now());
    }

    /// Waits until history may be read for the session.
    pub async fn history(&self) {
        while let Some(at) = self.history_at() {
            tokio::time::sleep_until(at).await;
        }
    }

    /// The same, for as long as `patience`.
    ///
    /// # Errors
    /// It would be too long: how much too long.
    pub async fn history_within(&self, patience: Duration) -> Result<(), Duration> {
        let until = Instant::now() + patience;
        while let Some(at) = self.history_at() {
            if at > until {
                return Err(at - until);
            }
            tokio::time::sleep_until(at).await;
        }
        Ok(())
    }

    /// When history may be read for the session; `None`: now.
    fn history_at(&self) -> Option<Instant> {
        self.left().history.opens_at(HISTORY.times(self.factor), Instant::now())
    }

    /// Waits for the turn of a form, which costs what a frame does. Says whether it had to wait.
    ///
    /// # Errors
    /// It would be too long, or too many wait: how long until it is worth a try.
    pub async fn form(&self, cost: Cost) -> Result<bool, Duration> {
        let now = Instant::now();
        let turn = self.reads_at(now);
        if let Some(at) = turn {
            let wait = at - now;
            let waiting = Waiting::one_more(&self.waiting);
            if wait > FORM_PATIENCE || waiting.count > WAITING_MAX {
                return Err(wait);
            }
            tokio::time::sleep(wait).await;
        }
        self.charge(cost, Instant::now());
        Ok(turn.is_some())
    }

    fn is_full(&self, now: Instant) -> bool {
        let left = self.left();
        [left.frames, left.bytes, left.leaves, left.opens, left.pages, left.history]
            .iter()
            .all(|bucket| bucket.is_full(now))
    }
}

/// One that waits, counted as long as this lives.
struct Waiting<'a> {
    waiting: &'a AtomicUsize,
    count: usize,
}

impl<'a> Waiting<'a> {
    fn one_more(waiting: &'a AtomicUsize) -> Self {
        Self { waiting, count: waiting.fetch_add(1, Ordering::Relaxed) + 1 }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Of each session what it has left. A session that used up nothing and has no socket is not kept: it would be the same
/// anew. There are never more than the store lets people have, since a session without a record there is refused before.
pub struct Allowances {
    factor: f64,
    known: Mutex<Known>,
}

struct Known {
    sessions: HashMap<TokenHash, Arc<Allowance>>,
    next_sweep: usize,
}

const SWEEP_AT: usize = 1_024;

impl Allowances {
    pub fn new(factor: f64) -> Self {
        Self { factor, known: Mutex::new(Known { sessions: HashMap::new(), next_sweep: SWEEP_AT }) }
    }

    pub fn of(&self, token: TokenHash) -> Arc<Allowance> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.sessions.len() >= known.next_sweep {
            let now = Instant::now();
            known.sessions.retain(|_, allowance| Arc::strong_count(allowance) > 1 || !allowance.is_full(now));
            known.next_sweep = (known.sessions.len() * 2).max(SWEEP_AT);
        }
        known.sessions.entry(token).or_insert_with(|| Arc::new(Allowance::new(self.factor))).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    const FRAME: Cost = Cost { frames: 1.0, bytes: 100, leaves: 0.0 };

    #[test]
    fn two_hundred_frames_pass_at_once_and_then_ten_a_second() {
        let (allowance, start) = (Allowance::new(1.0), Instant::now());
        for _ in 0..200 {
            assert_eq!(allowance.reads_at(start), None);
            allowance.charge(FRAME, start);
        }
        let at = allowance.reads_at(start).unwrap();
        assert!(
            at - start < Duration::from_millis(1),
            "the next one is read as soon as a token is whole: {:?}",
            at - start
        );
        allowance.charge(FRAME, start);
        assert_eq!((allowance.reads_at(start).unwrap() - start).as_millis(), 100);
    }

    #[test]
    fn large_frames_are_paid_by_their_bytes_and_leaves_by_themselves() {
        let (allowance, start) = (Allowance::new(1.0), Instant::now());
        allowance.charge(Cost { frames: 1.0, bytes: 2 << 20, leaves: 0.0 }, start);
        assert_eq!((allowance.reads_at(start).unwrap() - start).as_secs(), 64);
        let allowance = Allowance::new(1.0);
        for _ in 0..62 {
            allowance.charge(Cost { leaves: 1.0, ..FRAME }, start);
        }
        assert_eq!((allowance.reads_at(start).unwrap() - start).as_secs(), 2);
    }

    #[test]
    fn a_session_keeps_its_debt_while_it_has_no_socket() {
        let allowances = Allowances::new(1.0);
        let token = |n: u32| TokenHash::of(&n.to_string());
        let start = Instant::now();
        allowances.of(token(0)).charge(Cost { frames: 10_000.0, ..FRAME }, start);
        for n in 1..5_000 {
            allowances.of(token(n));
        }
        assert!(allowances.known.lock().unwrap().sessions.len() <= SWEEP_AT + 1);
        assert!(allowances.of(token(0)).reads_at(start).is_some());
    }

    #[tokio::test]
    async fn a_page_waits_for_what_was_read_before_it_and_not_for_long() {
        let patience = Duration::from_secs(2);
        let of_seconds = |seconds: usize| seconds * 1_048_576;
        let allowance = Allowance::new(1.0);
        allowance.charge_history(of_seconds(16) - 1);
        assert_eq!(allowance.history_within(patience).now_or_never(), Some(Ok(())), "something is left");
        allowance.charge_history(of_seconds(1));
        let mut waits = Box::pin(allowance.history_within(patience));
        assert_eq!((&mut waits).now_or_never(), None);
        assert_eq!(waits.await, Ok(()));
        allowance.charge_history(of_seconds(10));
        let too_long = allowance.history_within(patience).now_or_never().unwrap().unwrap_err();
        assert!((7..10).contains(&too_long.as_secs()), "{too_long:?}");
    }

    #[tokio::test]
    async fn a_few_forms_wait_and_the_others_are_told_to_come_back() {
        let allowance = Allowance::new(1.0);
        allowance.charge(Cost { frames: 203.0, ..FRAME }, Instant::now());
        let forms = futures_util::future::join_all((0..10).map(|_| allowance.form(FRAME))).await;
        assert_eq!(forms.iter().filter(|form| form.is_ok()).count(), WAITING_MAX);
        let allowance = Allowance::new(1.0);
        allowance.charge(Cost { frames: 300.0, ..FRAME }, Instant::now());
        assert!(allowance.form(FRAME).await.unwrap_err() > FORM_PATIENCE);
    }
}

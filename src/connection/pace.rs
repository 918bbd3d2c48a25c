//! How long a connection may take for what it is doing.

use std::time::Duration;
use tokio::time::Instant;

/// From the first byte of a request's head, or from the connection's beginning, to the head's end.
pub const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// The same where there are hardly places left.
pub const HURRIED_HEAD_WITHIN: Duration = Duration::from_secs(2);
/// From a request's head to the last byte of its answer: what the answer may take to begin, and five minutes, in which a phone
/// reads 300 kB at 2 kB/s.
const ANSWERED_WITHIN: Duration = Duration::from_secs(330);
/// Bytes a second that a reader must take, once it is slower than what is written.
const READ_PER_SECOND: f64 = 1_024.0;
/// How far a reader may fall behind that. The kernel asks for more only when a third of its buffer was taken, which on a slow way
/// may be 60 kB: at 2 kB/s it is silent for 30 s.
const BEHIND_MAX: f64 = 30.0 * READ_PER_SECOND;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing was asked yet.
    Fresh,
    /// Between a request's head and the last byte of its answer.
    Busy,
    /// Between two requests.
    Idle,
    /// A head has begun.
    Head,
}

/// Knows what a connection is doing and until when it may.
#[derive(Debug)]
pub struct Pace {
    phase: Phase,
    until: Instant,
    /// The answer is complete but for what lies in the buffers.
    answered: bool,
    /// Bytes that the reader is behind.
    behind: f64,
    /// Since when nothing more could be written.
    blocked: Option<Instant>,
}

impl Pace {
    pub fn fresh(within: Duration, now: Instant) -> Self {
        Self { phase: Phase::Fresh, until: now + within, answered: false, behind: 0.0, blocked: None }
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// A whole head was read.
    pub fn busy(&mut self, now: Instant) {
        (self.phase, self.until, self.answered) = (Phase::Busy, now + ANSWERED_WITHIN, false);
    }

    /// The last byte of the answer is in the buffers.
    pub fn answered(&mut self) {
        self.answered = self.phase == Phase::Busy;
    }

    /// The buffers are empty. Whether that ends an answer, so that the connection is idle from now on.
    pub fn flushed(&mut self, keep_alive: Duration, now: Instant) -> bool {
        let ends = self.answered;
        if ends {
            (self.phase, self.until, self.answered) = (Phase::Idle, now + keep_alive, false);
        }
        ends
    }

    /// The first byte of a head was read.
    pub fn head(&mut self, now: Instant) {
        (self.phase, self.until) = (Phase::Head, now + HEAD_WITHIN);
    }

    /// A write would block.
    pub fn blocked(&mut self, now: Instant) {
        self.blocked.get_or_insert(now);
    }

    /// The kernel took `bytes`.
    pub fn wrote(&mut self, bytes: usize, now: Instant) {
        if let Some(since) = self.blocked.take() {
            self.behind += now.saturating_duration_since(since).as_secs_f64() * READ_PER_SECOND;
        }
        #[allow(clippy::cast_precision_loss)] // a write has at most some hundred KiB
        let bytes = bytes as f64;
        self.behind = (self.behind - bytes).max(0.0);
    }

    /// When its time is over.
    pub fn due(&self) -> Instant {
        self.too_slow_at().map_or(self.until, |slow| slow.min(self.until))
    }

    /// Whether it is its reader that took too long.
    pub fn is_too_slow(&self, now: Instant) -> bool {
        self.too_slow_at().is_some_and(|at| at <= now)
    }

    fn too_slow_at(&self) -> Option<Instant> {
        let left = (BEHIND_MAX - self.behind).max(0.0) / READ_PER_SECOND;
        self.blocked.map(|since| since + Duration::from_secs_f64(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Duration = Duration::from_secs(620);

    fn secs(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn each_phase_has_its_time() {
        let now = Instant::now();
        let mut pace = Pace::fresh(HEAD_WITHIN, now);
        assert_eq!(pace.due(), now + secs(10.0));
        pace.busy(now);
        assert_eq!(pace.due(), now + ANSWERED_WITHIN);
        assert!(!pace.flushed(KEEP, now), "its head was flushed, not its end");
        pace.answered();
        assert!(pace.flushed(KEEP, now) && !pace.flushed(KEEP, now));
        assert_eq!((pace.phase(), pace.due()), (Phase::Idle, now + KEEP));
        pace.head(now + KEEP / 2);
        assert_eq!(pace.due(), now + KEEP / 2 + secs(10.0));
    }

    /// The moment at which a reader of `bytes` each `apart` was given up, within five minutes.
    fn given_up(bytes: usize, apart: f64) -> Option<f64> {
        let start = Instant::now();
        let mut pace = Pace::fresh(HEAD_WITHIN, start);
        pace.busy(start);
        pace.blocked(start);
        let mut at = 0.0;
        while at < 300.0 {
            at += apart;
            if pace.due() <= start + secs(at) {
                assert!(pace.is_too_slow(start + secs(at)));
                return Some((pace.due() - start).as_secs_f64());
            }
            pace.wrote(bytes, start + secs(at));
            pace.blocked(start + secs(at));
        }
        None
    }

    #[test]
    fn a_reader_is_given_up_when_it_falls_thirty_seconds_behind() {
        assert_eq!(given_up(0, 1_000.0), Some(30.0));
        // A phone at 2 kB/s: the kernel tells of 56 kB at a time.
        assert_eq!(given_up(56_000, 28.0), None);
        assert_eq!(given_up(1_024, 1.0), None);
        // A byte a second, and a burst that comes just before the time is over.
        assert!(given_up(1, 1.0).is_some_and(|at| at < 31.0));
        assert!(given_up(4_096, 29.9).is_some_and(|at| at < 60.0));
    }

    #[test]
    fn what_is_read_fast_is_no_credit_for_later() {
        let now = Instant::now();
        let mut pace = Pace::fresh(HEAD_WITHIN, now);
        pace.busy(now);
        pace.wrote(1_000_000, now);
        pace.blocked(now);
        assert_eq!(pace.due(), now + secs(30.0));
    }
}

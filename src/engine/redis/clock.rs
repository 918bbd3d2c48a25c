//! What time it is for the server, as far as this instance knows.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};
use tokio::time::Instant;

/// Nothing was heard of the server's clock yet.
const UNKNOWN: i64 = i64::MIN;

/// The server's clock, followed by a monotonic one, which goes on while the process is stopped.
pub struct ServerClock {
    began: Instant,
    /// The server's milliseconds since 1970 at `began`. Too small by the time that its answer took, so that a deadline in
    /// the server's time is never later than meant.
    at_began: AtomicI64,
}

impl ServerClock {
    pub fn new() -> Self {
        Self { began: Instant::now(), at_began: AtomicI64::new(UNKNOWN) }
    }

    /// The server says that its clock shows `now`, in milliseconds since 1970.
    pub fn told(&self, now: i64) {
        self.at_began.store(now - millis(self.began.elapsed()), Ordering::Relaxed);
    }

    /// What the server's clock shows at `moment`; `None` before it was heard of.
    pub fn at(&self, moment: Instant) -> Option<i64> {
        let at_began = self.at_began.load(Ordering::Relaxed);
        let (after, before) =
            (moment.saturating_duration_since(self.began), self.began.saturating_duration_since(moment));
        (at_began != UNKNOWN).then(|| at_began + millis(after) - millis(before))
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 2)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_in_the_servers_time_and_corrected() {
        let clock = ServerClock::new();
        let soon = clock.began + Duration::from_secs(100);
        assert_eq!(clock.at(soon), None);
        clock.told(1_000_000);
        let first = clock.at(soon).unwrap();
        assert!((1_090_000..=1_100_000).contains(&first), "{first}");
        let past = clock.began.checked_sub(Duration::from_secs(1)).unwrap();
        assert_eq!(clock.at(past).unwrap(), first - 101_000, "before this clock was started");
        // Another server took over, whose clock is behind.
        clock.told(500_000);
        assert!((590_000..=600_000).contains(&clock.at(soon).unwrap()));
    }
}

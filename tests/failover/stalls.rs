//! How long the machine had no time for its processes, as seen by one that only wants to wake up.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

const EVERY: Duration = Duration::from_millis(10);
/// As late as this a thread may wake up on a busy machine.
const LATE: Duration = Duration::from_millis(100);

#[derive(Clone, Default)]
pub struct Stalls(Arc<Mutex<Vec<(Instant, Duration)>>>);

impl Stalls {
    /// Watches until all copies of the answer are gone.
    pub fn watch() -> Self {
        let stalls = Self::default();
        let seen = Arc::downgrade(&stalls.0);
        thread::spawn(move || {
            while let Some(stalls) = seen.upgrade() {
                let asleep = Instant::now();
                thread::sleep(EVERY);
                let late = asleep.elapsed().saturating_sub(EVERY);
                if late > LATE {
                    stalls.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), late));
                }
            }
        });
        stalls
    }

    /// Of all stalls that ended since then.
    pub fn since(&self, since: Instant) -> Duration {
        let stalls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stalls.iter().filter(|(ended, _)| *ended >= since).map(|(_, late)| *late).sum()
    }
}

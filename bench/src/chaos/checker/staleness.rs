//! How old what arrives may be.
//!
//! A connection that trickles, is cut off for a while or belongs to a frozen instance delivers late what was said before or
//! meanwhile. The tab that gets it sees a silence, and then everything at once.

/// Among people who talk all the time, a silence of this length has a reason, in milliseconds.
const SILENCE_MS: u64 = 1_000;
/// What was held up has arrived this long after the silence ended.
const FLOOD_MS: u64 = 2_000;

/// One socket's silences.
#[derive(Debug, Clone, Copy)]
pub struct Staleness {
    last_ms: u64,
    /// Since when it was silent, and until when what arrives may be of then.
    silence: Option<(u64, u64)>,
}

impl Staleness {
    /// The socket was opened.
    pub fn new(now: u64) -> Self {
        Self { last_ms: now, silence: None }
    }

    /// Something arrived; returns the earliest moment at which it may have been said.
    pub fn heard(&mut self, now: u64) -> u64 {
        if now > self.last_ms + SILENCE_MS {
            self.silence = Some((self.last_ms, now + FLOOD_MS));
        }
        self.last_ms = now;
        self.silence.filter(|(_, until)| now <= *until).map_or(now, |(since, _)| since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_silence_may_be_as_old_as_that() {
        let mut socket = Staleness::new(100);
        let heard: Vec<_> = [200, 1_200, 9_000, 9_001, 10_500, 11_001].map(|now| (now, socket.heard(now))).into();
        let expected = [(200, 200), (1_200, 1_200), (9_000, 1_200), (9_001, 1_200), (10_500, 9_001), (11_001, 9_001)];
        assert_eq!(heard, expected);
        assert_eq!(socket.heard(12_001), 9_001, "another silence began where the flood paused");
        assert_eq!([12_502, 12_600].map(|now| socket.heard(now)), [12_502, 12_600]);
    }
}

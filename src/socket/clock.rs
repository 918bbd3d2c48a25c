//! What the clock alone makes a socket do: ask whether the client is there, give it up, send it elsewhere.

use crate::hub::Hub;
use app::protocol::SILENCE_SERVER_SECS;
use std::time::Duration;
use tokio::time::Instant;

const SILENCE: Duration = Duration::from_secs(SILENCE_SERVER_SECS);
/// A client that only reads is asked for a sign of life by a protocol ping, which browsers answer by themselves.
const PING_AFTER: Duration = Duration::from_secs(25);
/// One that did not give it does not count as here any more, so that presence is true 45 s after somebody vanished; their
/// socket may still come to life again.
const ABSENT_AFTER: Duration = Duration::from_secs(35);
/// So late is something that cannot be written, if its client was to count as gone already.
const WRITE_LATE: Duration = Duration::from_secs(9);
/// How long a socket that was told to move may stay.
const MOVE_WITHIN: Duration = Duration::from_mins(1);
/// How long clients have to move to another instance when this one stops.
pub const DRAIN: Duration = Duration::from_secs(5);
/// Over how long an instance that stops spreads telling its sockets to move.
const STOP_SPREAD: Duration = Duration::from_secs(2);
/// How long a socket that is closed because the server ends waits for an acknowledgement under way.
const STOP_PATIENCE: Duration = Duration::from_secs(1);

/// When a client was heard of, and what was made of its silence since.
pub struct Pulse {
    heard: Instant,
    pinged: bool,
    pub absent: bool,
}

impl Pulse {
    pub fn new() -> Self {
        Self { heard: Instant::now(), pinged: false, absent: false }
    }

    /// Says whether the client had counted as absent.
    pub fn heard(&mut self, now: Instant) -> bool {
        self.heard = now;
        self.pinged = false;
        std::mem::take(&mut self.absent)
    }

    /// Silence counts from now on, since so far nobody had listened.
    pub fn nobody_listened(&mut self) {
        self.heard = Instant::now();
    }

    /// When there will be something to do.
    pub fn next(&self) -> Instant {
        let after = match (self.pinged, self.absent) {
            (false, _) => PING_AFTER,
            (true, false) => ABSENT_AFTER,
            (true, true) => SILENCE,
        };
        self.heard + after
    }

    pub fn is_faint(&self) -> bool {
        self.heard.elapsed() >= ABSENT_AFTER
    }

    pub fn is_gone(&self) -> bool {
        self.heard.elapsed() >= SILENCE
    }

    /// Whether to ask for a sign of life; once.
    pub fn asks(&mut self) -> bool {
        let asks = !self.pinged && self.heard.elapsed() >= PING_AFTER;
        self.pinged |= asks;
        asks
    }

    /// When a client does not count as here any more to which something is being written since now. Nobody listens to it
    /// meanwhile.
    pub fn late(&self) -> Instant {
        (self.heard + ABSENT_AFTER).max(Instant::now() + WRITE_LATE)
    }
}

/// When a socket has to make way: for its successor, since platforms cut long connections, or because the server stops.
pub struct Stay {
    moves_at: Instant,
    told_to_move: bool,
    /// When the client was or will be told that this instance stops.
    drains_at: Option<Instant>,
    told_to_drain: bool,
    /// When the server ended.
    stopped_at: Option<Instant>,
}

pub enum Due {
    /// The client is to be told to move within this time.
    Move(Duration),
    Close,
}

impl Stay {
    pub fn new(lifetime: Duration, hub: &Hub) -> Self {
        let moves_at = Instant::now() + lifetime.mul_f64(1.0 - spread(hub) / 10.0);
        Self { moves_at, told_to_move: false, drains_at: None, told_to_drain: false, stopped_at: None }
    }

    pub fn next(&self) -> Instant {
        let moving = if self.told_to_move { self.moves_at + MOVE_WITHIN } else { self.moves_at };
        let drains = self.drains_at.filter(|_| !self.told_to_drain);
        let stops = self.stopped_at.map(|stopped| stopped + STOP_PATIENCE);
        drains.into_iter().chain(stops).fold(moving, Instant::min)
    }

    pub fn due(&mut self) -> Option<Due> {
        let now = Instant::now();
        if self.told_to_move && now >= self.moves_at + MOVE_WITHIN {
            return Some(Due::Close);
        }
        if !self.told_to_move && now >= self.moves_at {
            self.told_to_move = true;
            return Some(Due::Move(MOVE_WITHIN));
        }
        if !self.told_to_drain && self.drains_at.is_some_and(|drains| now >= drains) {
            self.told_to_drain = true;
            return Some(Due::Move(DRAIN.saturating_sub(STOP_SPREAD)));
        }
        None
    }

    /// Whether the server has ended for this socket. One that stops has its clients move first, each at a time of its own;
    /// what is left when it ends is closed, once acknowledgements under way have gone out.
    pub fn is_over(&mut self, hub: &Hub, awaits_acknowledgements: bool) -> bool {
        if hub.stopping() {
            self.drains_at.get_or_insert_with(|| Instant::now() + STOP_SPREAD.mul_f64(spread(hub)));
        }
        hub.stopped() && {
            let stopped = *self.stopped_at.get_or_insert_with(Instant::now);
            !awaits_acknowledgements || stopped.elapsed() >= STOP_PATIENCE
        }
    }
}

/// A number from 0 to 1, to spread what would otherwise happen at once. Not a secret.
fn spread(hub: &Hub) -> f64 {
    f64::from(u32::try_from(hub.random() >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

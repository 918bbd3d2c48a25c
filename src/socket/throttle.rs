//! How fast a socket is read from.
//!
//! A session that asks for more than it may is not answered with errors: what it sends is left unread until its turn, which
//! keeps its order. It is never left unread for so long that a client would take the server for dead.

use crate::limits::{
    allowance::{Allowance, Cost},
    bucket::{Bucket, Rate},
};
use app::protocol::ClientFrame;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Joins of one socket: all its rooms at once, and those of the socket before it.
const JOINS: Rate = Rate::new(250.0, 5.0);
/// A join that needed nothing from the log, as of a socket that takes over.
const RESUMED: f64 = 0.2;
/// Frames that could not be made out, on one socket: ten at once, ten a minute.
const BAD_FRAMES: Rate = Rate::new(10.0, 10.0 / 60.0);
/// One frame is read after so long whatever was used up: clients give a socket up on which nothing is answered for 5 s.
const FLOOR: Duration = Duration::from_secs(2);
/// How often a socket that is not read from is looked at, whether its client is gone. Its close frame lies unread.
const LOOK: Duration = Duration::from_millis(250);

/// What frames cost that ask for little, and a void that makes a record of its own: it shows in no room.
const CHEAP: f64 = 0.05;
const FIRST_VOID: f64 = 5.0;

/// What may be read now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Any,
    /// One frame, although nothing is left.
    One,
    /// Nothing before this moment.
    Wait(Instant),
    /// Nothing before some of the work is done.
    Busy,
}

pub struct Throttle {
    /// `None` where nothing is limited.
    allowance: Option<Arc<Allowance>>,
    joins: Bucket,
    bad_frames: Bucket,
    read: Instant,
}

impl Throttle {
    pub fn new(allowance: Option<Arc<Allowance>>) -> Self {
        let now = Instant::now();
        Self { allowance, joins: Bucket::full(now), bad_frames: Bucket::full(now), read: now }
    }

    pub fn turn(&self) -> Turn {
        let Some(allowance) = &self.allowance else { return Turn::Any };
        let now = Instant::now();
        let Some(at) = allowance.reads_at(now).max(self.joins.opens_at(JOINS, now)) else { return Turn::Any };
        let floor = self.read + FLOOR;
        if floor <= now { Turn::One } else { Turn::Wait(at.min(floor)) }
    }

    /// When to look again whether the client is gone, while nothing is read.
    pub fn next_look() -> Instant {
        Instant::now() + LOOK
    }

    /// A frame of `bytes` was read; `None` is one that could not be made out.
    pub fn charge(&mut self, frame: Option<&ClientFrame>, bytes: usize) {
        let Some(allowance) = &self.allowance else { return };
        let now = Instant::now();
        self.read = now;
        let (frames, leaves) = match frame {
            Some(ClientFrame::Read { .. } | ClientFrame::Typing { .. } | ClientFrame::Ping) => (CHEAP, 0.0),
            Some(ClientFrame::Join { cursor, .. }) => {
                self.joins.charge(JOINS, if cursor.is_some() { RESUMED } else { 1.0 }, now);
                (CHEAP, 0.0)
            }
            Some(ClientFrame::Leave { .. }) => (CHEAP, 1.0),
            Some(ClientFrame::Void { n: 1, .. }) => (FIRST_VOID, 0.0),
            Some(ClientFrame::Send { .. } | ClientFrame::Void { .. } | ClientFrame::History { .. }) | None => {
                (1.0, 0.0)
            }
        };
        allowance.charge(Cost { frames, bytes, leaves }, now);
    }

    /// Takes note of a frame that could not be made out, and says whether it was one too many.
    pub fn is_enough(&mut self) -> bool {
        self.allowance.is_some() && self.bad_frames.take(BAD_FRAMES, 1.0, Instant::now()).is_err()
    }

    /// A join whose cursor the ring did not hold after all.
    pub fn charge_join(&mut self) {
        if self.allowance.is_some() {
            self.joins.charge(JOINS, 1.0 - RESUMED, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{limits::allowance::Allowances, store::TokenHash};
    use app::domain::{ProducerId, RoomName};

    fn throttle() -> Throttle {
        Throttle::new(Some(Allowances::new(1.0).of(TokenHash::of("a"))))
    }

    fn key() -> app::domain::RoomKey {
        RoomName::parse("a").unwrap().key()
    }

    fn turns(throttle: &mut Throttle, frame: &ClientFrame) -> usize {
        (0..10_000).take_while(|_| throttle.turn() == Turn::Any && (throttle.charge(Some(frame), 60), true).1).count()
    }

    #[test]
    fn an_outbox_passes_and_a_flood_waits() {
        let frame = ClientFrame::Send { room: key(), p: ProducerId(1), n: 1, text: "x".to_owned(), earlier: vec![] };
        let mut throttle = throttle();
        let passed = turns(&mut throttle, &frame);
        assert!((200..230).contains(&passed), "{passed}");
        let Turn::Wait(at) = throttle.turn() else { panic!("it may be read") };
        assert!(at <= throttle.read + FLOOR);
    }

    #[test]
    fn voids_of_fresh_producers_cost_more_and_signs_of_life_little() {
        let passed = turns(&mut throttle(), &ClientFrame::Void { room: key(), p: ProducerId(1), n: 1 });
        assert!((40..50).contains(&passed), "{passed}");
        let passed = turns(&mut throttle(), &ClientFrame::Ping);
        assert!(passed >= 4_000, "{passed}");
    }

    #[test]
    fn all_rooms_are_joined_at_once_and_taken_over_twice() {
        let passed = turns(&mut throttle(), &ClientFrame::Join { room: key(), cursor: None });
        assert!((250..300).contains(&passed), "{passed}");
    }

    #[test]
    fn ten_bad_frames_are_forgiven() {
        let mut limited = throttle();
        assert_eq!((0..20).take_while(|_| !limited.is_enough()).count(), 10);
        let mut unlimited = Throttle::new(None);
        assert!((0..100).all(|_| !unlimited.is_enough()));
    }

    #[test]
    fn nothing_is_limited_where_nothing_is_to_be() {
        assert_eq!(turns(&mut Throttle::new(None), &ClientFrame::Ping), 10_000);
    }

    #[test]
    fn one_frame_is_read_each_two_seconds() {
        let mut throttle = throttle();
        for _ in 0..300 {
            throttle.charge(None, 60);
        }
        assert!(matches!(throttle.turn(), Turn::Wait(_)));
        throttle.read -= FLOOR;
        assert_eq!(throttle.turn(), Turn::One);
        throttle.charge(None, 60);
        assert!(matches!(throttle.turn(), Turn::Wait(_)));
    }
}

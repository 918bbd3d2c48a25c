//! How a socket's task is told of what happens.

use app::{domain::RoomKey, protocol::ReadMark};
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering, fence},
    },
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// How a socket's task is told that there may be something to do, and what others may know of the socket.
#[derive(Debug)]
pub struct Wake {
    pub notify: Notify,
    /// The session ended: the socket has to close.
    pub ended: AtomicBool,
    /// The server ends now: the socket has to close.
    pub stopped: AtomicBool,
    /// The peer takes nothing at present: news of rooms would only wake the task for nothing.
    blocked: AtomicBool,
    /// How far its person has read since the task last looked, here or elsewhere: of each room the latest.
    marks: Mutex<Vec<(RoomKey, ReadMark)>>,
    /// There are some.
    marked: AtomicBool,
    /// Some may have gone unreported: the store has to be asked.
    pub marks_missed: AtomicBool,
    /// Another socket of the session takes its place.
    evicted: AtomicBool,
    /// Its client was told to open another one.
    moving: AtomicBool,
    /// What the moments below are counted from, in milliseconds.
    began: Instant,
    /// When something was heard of it, and when its person last did something.
    heard: AtomicU64,
    acted: AtomicU64,
}

impl Default for Wake {
    fn default() -> Self {
        Self {
            notify: Notify::new(),
            ended: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            marks: Mutex::default(),
            marked: AtomicBool::new(false),
            marks_missed: AtomicBool::new(false),
            evicted: AtomicBool::new(false),
            moving: AtomicBool::new(false),
            began: Instant::now(),
            heard: AtomicU64::new(0),
            acted: AtomicU64::new(0),
        }
    }
}

impl Wake {
    fn since_began(&self, moment: Instant) -> u64 {
        u64::try_from(moment.saturating_duration_since(self.began).as_millis()).unwrap_or(u64::MAX)
    }

    /// There may be something to write.
    pub fn news(&self) {
        // Pairs with `unblock`: whatever is news was stored before this, so one of the two sees what the other did.
        fence(Ordering::SeqCst);
        if !self.blocked.load(Ordering::SeqCst) {
            self.notify.notify_one();
        }
    }

    pub fn block(&self) {
        self.blocked.store(true, Ordering::SeqCst);
    }

    /// The peer reads again, and there may have been news.
    pub fn unblock(&self) {
        self.blocked.store(false, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.notify.notify_one();
    }

    pub fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.notify.notify_one();
    }

    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.notify.notify_one();
    }

    /// The session has more sockets than it may, and this one is missed least.
    pub fn evict(&self) {
        self.evicted.store(true, Ordering::Release);
        self.notify.notify_one();
    }

    pub fn is_evicted(&self) -> bool {
        self.evicted.load(Ordering::Acquire)
    }

    pub fn told_to_move(&self) {
        self.moving.store(true, Ordering::Relaxed);
    }

    pub fn is_moving(&self) -> bool {
        self.moving.load(Ordering::Relaxed)
    }

    /// Something was heard of the client.
    pub fn hears(&self, now: Instant) {
        self.heard.store(self.since_began(now), Ordering::Relaxed);
    }

    /// For how long nothing was.
    pub fn silent_for(&self, now: Instant) -> Duration {
        Duration::from_millis(self.since_began(now).saturating_sub(self.heard.load(Ordering::Relaxed)))
    }

    /// What was heard last was its person, doing something.
    pub fn acts(&self) {
        self.acted.store(self.heard.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// When its person last did something.
    pub fn acted(&self) -> Instant {
        self.began + Duration::from_millis(self.acted.load(Ordering::Relaxed))
    }

    /// The socket's person has read a room up to `mark`.
    pub fn mark(&self, room: &RoomKey, mark: ReadMark) {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        match marks.iter_mut().find(|(other, _)| other == room) {
            Some((_, known)) if known.epoch == mark.epoch => known.seq = known.seq.max(mark.seq),
            Some((_, known)) => *known = mark,
            None => marks.push((room.clone(), mark)),
        }
        self.marked.store(true, Ordering::Release);
        drop(marks);
        self.news();
    }

    /// What was said of the rooms that are not to `wait`.
    pub fn take_marks(&self, wait: impl Fn(&RoomKey) -> bool) -> Vec<(RoomKey, ReadMark)> {
        if !self.marked.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = marks.extract_if(.., |(room, _)| !wait(room)).collect();
        self.marked.store(!marks.is_empty(), Ordering::Release);
        taken
    }

    /// Marks of its person may have risen without a word.
    pub fn miss_marks(&self) {
        self.marks_missed.store(true, Ordering::Release);
        self.news();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::domain::{Epoch, RoomName};

    #[test]
    fn of_each_room_the_furthest_mark_is_taken_once() {
        let (wake, [a, b]) = (Wake::default(), ["a", "b"].map(|name| RoomName::parse(name).unwrap().key()));
        let mark = |epoch, seq| ReadMark { epoch: Epoch(epoch), seq };
        for (room, mark) in [(&a, mark(7, 5)), (&b, mark(7, 1)), (&a, mark(7, 9)), (&a, mark(7, 3))] {
            wake.mark(room, mark);
        }
        assert_eq!(wake.take_marks(|room| *room == b), [(a.clone(), mark(7, 9))]);
        wake.mark(&b, mark(8, 0));
        assert_eq!(wake.take_marks(|_| false), [(b, mark(8, 0))]);
        assert_eq!(wake.take_marks(|_| false), []);
    }
}

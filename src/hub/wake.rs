//! How a socket's task is told of what happens.

use app::{domain::RoomKey, protocol::ReadMark};
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering, fence},
};
use tokio::sync::Notify;

/// How a socket's task is told that there may be something to do.
#[derive(Debug, Default)]
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
}

impl Wake {
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
        self.ended.store(true, Ordering::Release);
        self.notify.notify_one();
    }

    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.notify.notify_one();
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

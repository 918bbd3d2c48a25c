//! How far this person has read a room, and what the server knows of it.

use super::ChatClient;
use crate::unread::Unread;
use protocol::{
    domain::RoomKey,
    frames::{ClientFrame, ReadMark, Reading},
};

/// The server is told of a room at most this often.
const SAY_EVERY_MS: u64 = 1_000;
/// An answer to what the server was told is not older than this.
const ANSWER_MS: u64 = 5_000;
/// What arrives under somebody's eyes is not worth a number until they had the time to read it.
const GRACE_MS: u64 = 1_500;

pub(super) struct RoomReadState {
    pub unread: Unread,
    /// The server has it.
    confirmed: Option<ReadMark>,
    /// What the server was told over the present socket.
    said: Option<ReadMark>,
    said_at: Option<u64>,
    /// There is something to say, but not before this moment.
    say_at: Option<u64>,
    /// Until then nothing is shown as unread while the end of the room is in view.
    grace: Option<u64>,
}

impl RoomReadState {
    pub fn new(reading: Reading) -> Self {
        let (unread, confirmed) = (Unread::new(reading), reading.mark);
        Self { unread, confirmed, said: None, said_at: None, say_at: None, grace: None }
    }

    pub fn confirm(&mut self, mark: Option<ReadMark>, now: u64) {
        self.confirmed = mark;
        // The server lost what it was told, and another tab may have said less since.
        if self.said_at.is_none_or(|at| now >= at + ANSWER_MS) {
            self.said = None;
        }
    }

    /// Nothing that was said may have arrived.
    pub fn disconnected(&mut self) {
        (self.said, self.say_at) = (None, None);
    }

    /// What is to be said now.
    fn say(&mut self, now: u64) -> Option<ReadMark> {
        let mark = self.unread.mark()?;
        let knows = |told: Option<ReadMark>| told.is_some_and(|it| it.epoch == mark.epoch && it.seq >= mark.seq);
        if knows(self.confirmed) || knows(self.said) {
            self.say_at = None;
            return None;
        }
        self.say_at = self.said_at.map(|at| at + SAY_EVERY_MS).filter(|at| now < *at);
        if self.say_at.is_some() {
            return None;
        }
        (self.said, self.said_at) = (Some(mark), Some(now));
        self.said
    }

    /// Others' messages came while everything before was read and the end of the room is in view.
    pub fn be_patient(&mut self, now: u64) {
        self.grace = (self.unread.count() > 0).then_some(now + GRACE_MS);
    }

    /// This person is reading what came; there may be more by now.
    fn read_on(&mut self, now: u64) {
        if self.grace.is_some() {
            self.be_patient(now);
        }
    }

    /// The number to show.
    pub fn shown(&self, end_in_view: bool) -> usize {
        if end_in_view && self.grace.is_some() { 0 } else { self.unread.count() }
    }

    /// Whether there is something to say now.
    pub fn tick(&mut self, now: u64) {
        self.grace.take_if(|until| now >= *until);
        self.say_at.take_if(|at| now >= *at);
    }

    pub fn next_wake(&self) -> Option<u64> {
        self.say_at.into_iter().chain(self.grace).min()
    }
}

impl ChatClient {
    /// The end of this entry of the open room was in view long enough.
    pub fn read_to(&mut self, seq: u64) {
        let (Some(i), me, now) = (self.index(&self.open), self.me.id, self.now) else { return };
        let room = &mut self.rooms[i];
        let Some(shown) = room.shown() else { return };
        let end = shown.cursor();
        let mark = ReadMark { epoch: end.epoch, seq: seq.min(end.seq) };
        // Nothing of an empty room was read.
        if mark.seq > 0 && room.marks.unread.raise(mark, room.timeline.as_ref(), me) {
            room.marks.read_on(now);
            self.flush(i);
        }
    }

    /// This person has read on elsewhere, or the server got to know that they did here.
    pub(super) fn read_elsewhere(&mut self, i: usize, mark: ReadMark) {
        let (me, now) = (self.me.id, self.now);
        let room = &mut self.rooms[i];
        room.marks.confirm(Some(mark), now);
        if room.marks.unread.raise(mark, room.timeline.as_ref(), me) {
            room.marks.read_on(now);
        }
        self.flush(i);
        self.count_better(i);
    }

    /// The server said with a `joined` where this person is.
    pub(super) fn is_at(&mut self, i: usize, reading: Reading) {
        let (me, now) = (self.me.id, self.now);
        let room = &mut self.rooms[i];
        room.marks.confirm(reading.mark, now);
        if let Some(timeline) = &room.timeline {
            room.marks.unread.told(reading, timeline, me);
        }
        self.count_better(i);
    }

    /// Fetches what is missing for the true number of unread messages.
    pub(super) fn count_better(&mut self, i: usize) {
        let Some(socket) = self.sockets.primary() else { return };
        if self.rooms[i].marks.unread.wants_older()
            && let Some(frame) = self.rooms[i].ask_to_count(socket)
        {
            self.transmit(socket, frame);
        }
    }

    /// Tells the server how far this person has read; the socket has joined.
    pub(super) fn say_read(&mut self, i: usize) -> Option<ClientFrame> {
        let room = &mut self.rooms[i];
        let mark = room.marks.say(self.now)?;
        Some(ClientFrame::Read { room: room.which.key.clone(), mark })
    }

    /// Others' messages in a room that were not read.
    pub fn unread_in(&self, key: &RoomKey) -> Option<usize> {
        self.index(key).map(|i| self.rooms[i].marks.unread.count())
    }

    /// Others' unread messages in all rooms.
    pub fn unread(&self) -> usize {
        self.rooms().iter().map(|line| line.unread).sum()
    }
}

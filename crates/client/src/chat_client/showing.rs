//! What the page shows.

use super::{ChatClient, FollowedRoom};
use crate::{
    clock::Local,
    rows::{self, Row},
    state::{ConnectionState, Older, SidebarRoom},
    timeline::Timeline,
};
use protocol::{
    domain::{RoomKey, RoomRef},
    frames::{ClientFrame, ErrorCode, Person},
};
use std::sync::Arc;

/// A message that is not answered for this long is worth a word.
const SLOW_MS: u64 = 5_000;

impl ChatClient {
    pub fn me(&self) -> &Person {
        &self.me
    }

    /// The open room, unless it was left.
    pub fn open_room(&self) -> Option<&RoomRef> {
        self.current().map(|room| &room.which)
    }

    pub fn rooms(&self) -> Vec<SidebarRoom> {
        let line = |room: &FollowedRoom| {
            let unread = room.marks.shown(self.reader_of(room).reading);
            SidebarRoom { room: room.which.clone(), unread, refused: room.outboxes.given_up() }
        };
        self.rooms.iter().map(line).collect()
    }

    pub fn connection(&self) -> ConnectionState {
        self.sockets.connection(self.now)
    }

    /// The build of the server, once it said hello.
    pub fn server_build(&self) -> Option<&str> {
        self.build.as_deref()
    }

    /// What whoever runs the server tells everybody.
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    pub fn older(&self) -> Older {
        self.current().map_or(Older::No, FollowedRoom::older)
    }

    pub fn count(&self) -> usize {
        // Whoever is looking is here, whatever the store has forgotten.
        self.current().map_or(0, |room| room.count.max(1))
    }

    pub fn people(&self) -> &[Person] {
        self.current().map_or(&[], |room| &room.people)
    }

    pub fn trouble(&self) -> Option<ErrorCode> {
        self.current().and_then(|room| room.trouble)
    }

    /// How many messages are on their way, in all rooms, if the oldest of them has been for long on a socket that is there.
    pub fn slow(&self) -> usize {
        if self.slow_at().is_none_or(|at| self.now < at) || self.trouble().is_some() {
            return 0;
        }
        self.unsent().0
    }

    /// How many messages are not answered yet, and how many were refused, in all rooms.
    pub fn unsent(&self) -> (usize, usize) {
        self.rooms.iter().fold((0, 0), |(waiting, refused), room| {
            (waiting + room.outboxes.unanswered().count(), refused + room.outboxes.given_up())
        })
    }

    /// When that is so.
    pub(super) fn slow_at(&self) -> Option<u64> {
        self.sockets.primary()?;
        let since = self.rooms.iter().flat_map(|room| room.outboxes.unanswered()).flatten().min();
        since.map(|since| since + SLOW_MS)
    }

    /// Others who are typing in the open room.
    pub fn others_typing(&self) -> Vec<Person> {
        self.current().map_or_else(Vec::new, |room| room.typing.people())
    }

    /// Something was typed in the open room. Others hear of it now and then.
    pub fn typing(&mut self) {
        self.wake_up();
        let (Some(socket), Some(i)) = (self.sockets.primary().filter(|_| self.visible), self.index(&self.open)) else {
            return;
        };
        let room = &mut self.rooms[i];
        if room.following.has_joined(socket) && room.typing.say(self.now) {
            let frame = ClientFrame::Typing { room: room.which.key.clone() };
            self.transmit(socket, frame);
        }
    }

    /// Up to where the open room was read when it was opened.
    pub fn divider(&self) -> Option<u64> {
        self.divider
    }

    /// Marks where what is unread begins, if anything is.
    pub(super) fn divide(&mut self) {
        let unread = self.current().map(|room| &room.marks.unread).filter(|unread| unread.count() > 0);
        self.divider = unread.and_then(crate::unread::Unread::mark).map(|mark| mark.seq);
        self.changed.rows = true;
    }

    /// The timeline of a room, once its first page arrived.
    pub fn timeline(&self, key: &RoomKey) -> Option<&Timeline> {
        self.index(key).and_then(|i| self.rooms[i].timeline.as_ref())
    }

    /// Whether the open room's rows are others than at the last call.
    pub fn take_rows_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed.rows)
    }

    /// The open room laid out for a reader whose wall clock shows `local` at a moment.
    pub fn rows(&self, local: &dyn Fn(u64) -> Local) -> Vec<Row> {
        let Some(room) = self.current() else { return Vec::new() };
        let entries: Vec<Arc<_>> = room.shown().into_iter().flat_map(Timeline::entries).cloned().collect();
        if room.excerpt.is_some() {
            return rows::layout(&entries, self.divider, &[], &[], local, &self.me);
        }
        let mut unsent = room.outboxes.unsent();
        for message in &mut unsent {
            message.at = self.date();
        }
        rows::layout(&entries, self.divider, &unsent, &room.notes, local, &self.me)
    }
}

//! What the server's frames do to the session.

use super::{ChatClient, FollowedRoom, SocketId, following::Following, room::Viewer};
use crate::{
    outbox::{Refusal, Verdict},
    timeline::{Applied, Unfit},
};
use protocol::{
    domain::{ProducerId, RoomKey},
    frames::{ErrorCode, JoinedHow, Page, Person, Reading, ServerFrame},
};

impl ChatClient {
    /// A frame arrived on a socket.
    pub fn received(&mut self, socket: SocketId, frame: ServerFrame) {
        if !self.sockets.heard(socket, self.now) {
            return;
        }
        match frame {
            ServerFrame::Hello { me, build, notice } => {
                self.notice = notice;
                self.welcomed(socket, &me, build);
            }
            ServerFrame::Notice { text } => self.notice = text,
            ServerFrame::Read { room, mark } => self.with_room(&room, |chat, i| chat.read_elsewhere(i, mark)),
            ServerFrame::Typing { room, mut people } => self.with_room(&room, |chat, i| {
                people.retain(|person| person.id != chat.me.id);
                chat.rooms[i].typing.heard(people, chat.now);
            }),
            ServerFrame::Joined { room, how, page, count, people, reading, .. } => {
                self.with_room(&room, |chat, i| chat.joined(socket, i, how, (page, reading), count, people));
            }
            ServerFrame::Left { room } => {
                self.rooms.retain(|other| other.which.key != room);
                self.changed.saved = true;
                self.join_rooms();
            }
            ServerFrame::Entry { room, entry } => self.with_room(&room, |chat, i| {
                let (reader, seq) = (chat.reader(i), entry.seq);
                match chat.rooms[i].take_entry(entry, &reader) {
                    Applied::Gap | Applied::Diverged => return chat.doubt(socket, i),
                    Applied::Appended => chat.room_changed(i),
                    Applied::Duplicate => {}
                }
                chat.rooms[i].following.reached(socket, seq);
            }),
            ServerFrame::Reset { room, how, page } => self.with_room(&room, |chat, i| {
                let reached = page.cursor.seq;
                match chat.take_page(i, how, page) {
                    Ok(()) => {
                        chat.rooms[i].following.reached(socket, reached);
                        chat.count_better(i);
                    }
                    Err(Unfit) => chat.doubt(socket, i),
                }
            }),
            ServerFrame::History { room, before, page } => self.with_room(&room, |chat, i| {
                chat.take_history(socket, i, before, page);
                chat.room_changed(i);
            }),
            ServerFrame::Presence { room, count, people, entered, left } => self.with_room(&room, |chat, i| {
                for person in &left {
                    chat.rooms[i].typing.stopped(person.id);
                }
                (chat.rooms[i].count, chat.rooms[i].people) = (count, people);
                for (entered, mut who) in [(true, entered), (false, left)] {
                    who.retain(|person| {
                        person.id != chat.me.id && !(entered && chat.rooms[i].was_here(person, chat.now))
                    });
                    let id = chat.note_id();
                    chat.rooms[i].take_arrivals(entered, who, id);
                }
                chat.room_changed(i);
            }),
            ServerFrame::Ack { room, p, n, at } => self.with_room(&room, |chat, i| {
                chat.rooms[i].acked(p, n, at);
                chat.answered();
                chat.room_changed(i);
            }),
            ServerFrame::Voided { room, p, n } => self.with_room(&room, |chat, i| {
                if chat.rooms[i].outboxes.voided(p, n) {
                    chat.rooms[i].relieved();
                }
                chat.answered();
                chat.room_changed(i);
            }),
            // What was under way on another socket was sent again on this one.
            ServerFrame::Refused { room, p, n, code, retry, last } if self.sockets.is_primary(socket) => {
                self.with_room(&room, |chat, i| {
                    chat.refused(socket, i, p, n, Refusal { code, retry, last });
                });
            }
            ServerFrame::Move { .. } => self.sockets.told_to_move(socket, self.now, &mut self.commands),
            ServerFrame::Error { code: ErrorCode::SessionExpired, .. } => self.sign_out(),
            // The frame could not be read: nothing of it was done.
            ServerFrame::Error { code, room: Some(room), p: Some(p), n: Some(n), retry, .. } => {
                if self.sockets.is_primary(socket) {
                    let refusal = Refusal { code, retry, last: None };
                    self.with_room(&room, |chat, i| chat.refused(socket, i, p, n, refusal));
                }
            }
            ServerFrame::Error { code, room: Some(room), retry, .. } => {
                self.with_room(&room, |chat, i| chat.failed(socket, i, code, retry));
            }
            ServerFrame::Error { .. } | ServerFrame::Refused { .. } | ServerFrame::Pong | ServerFrame::Unknown => {}
        }
    }

    fn with_room(&mut self, room: &RoomKey, act: impl FnOnce(&mut Self, usize)) {
        if let Some(i) = self.index(room) {
            act(self, i);
        }
    }

    fn welcomed(&mut self, socket: SocketId, me: &Person, build: String) {
        // Signed in as somebody else in another tab: what was written here is not theirs to send.
        if me.id != self.me.id {
            self.sign_out();
            return;
        }
        self.build = Some(build);
        self.sockets.welcomed(socket, self.now);
        self.join_rooms();
    }

    fn joined(
        &mut self,
        socket: SocketId,
        i: usize,
        how: JoinedHow,
        came: (Page, Reading),
        count: usize,
        people: Vec<Person>,
    ) {
        if self.rooms[i].following.get(socket) != Some(Following::Asked) || self.rooms[i].leaving {
            return;
        }
        self.rooms[i].met_again(count, people, self.now);
        let (page, reading) = came;
        let reached = page.cursor.seq;
        if self.take_page(i, how, page).is_ok() {
            self.rooms[i].joined(socket, reached);
            self.is_at(i, reading);
            self.flush(i);
        } else {
            let spread = (self.random)();
            self.rooms[i].doubt(socket, self.now, spread);
        }
        self.join_rooms();
    }

    fn take_page(&mut self, i: usize, how: JoinedHow, page: Page) -> Result<(), Unfit> {
        let (reader, id) = (self.reader(i), self.note_id());
        let taken = self.rooms[i].take_page(how, page, &reader, id);
        if how == JoinedHow::Reset && reader.open {
            (self.target, self.divider) = (None, None);
        }
        self.room_changed(i);
        taken
    }

    fn take_history(&mut self, socket: SocketId, i: usize, before: u64, page: Page) {
        match self.rooms[i].take_history(before, page) {
            Err(Unfit) => return self.doubt(socket, i),
            Ok(Some(seq)) if self.rooms[i].which.key == self.open => self.target = Some(seq),
            Ok(_) => {}
        }
        if let FollowedRoom { timeline: Some(timeline), marks, .. } = &mut self.rooms[i] {
            marks.unread.recount(timeline, self.me.id);
        }
        self.count_better(i);
    }

    fn refused(&mut self, socket: SocketId, i: usize, p: ProducerId, n: u64, refusal: Refusal) {
        let verdict = self.rooms[i].outboxes.refused(p, n, refusal, || ProducerId((self.random)()));
        self.answered();
        match verdict {
            Verdict::Proceed | Verdict::ProducerLost => {}
            Verdict::Wait => {
                let spread = (self.random)();
                self.rooms[i].send_later(self.now, spread);
                if refusal.code == ErrorCode::NotJoined {
                    self.rooms[i].following.remove(socket);
                    self.join_rooms();
                } else if refusal.code != ErrorCode::OutOfOrder {
                    self.rooms[i].trouble = Some(refusal.code);
                }
            }
        }
        self.room_changed(i);
    }

    /// An `error` about a room: to a join, a leave or a request for history.
    fn failed(&mut self, socket: SocketId, i: usize, code: ErrorCode, retry: bool) {
        let spread = (self.random)();
        let now = self.now;
        let room = &mut self.rooms[i];
        match room.following.get(socket) {
            // Nothing to leave is as good as left.
            Some(Following::Asked) if room.leaving && !retry => {
                self.rooms.remove(i);
                self.changed.saved = true;
            }
            Some(Following::Asked) => {
                room.trouble = Some(code);
                if retry {
                    room.join_later(socket, now, spread);
                } else {
                    room.following.set(socket, Following::Refused);
                }
            }
            Some(Following::Joined { .. }) if matches!(code, ErrorCode::NotJoined | ErrorCode::EpochUnknown) => {
                room.forget_history();
                room.doubt(socket, now, spread);
            }
            _ => {
                if room.forget_history() {
                    room.trouble = Some(code);
                }
            }
        }
        self.join_rooms();
    }

    /// The live tail of a room does not fit: join it again, unless that is under way.
    fn doubt(&mut self, socket: SocketId, i: usize) {
        if self.rooms[i].following.has_joined(socket) {
            let spread = (self.random)();
            self.rooms[i].doubt(socket, self.now, spread);
            self.join_rooms();
        }
    }

    /// Something about a room changed that may show, or may let it send.
    pub(super) fn room_changed(&mut self, i: usize) {
        self.changed.rows |= self.rooms[i].which.key == self.open;
        self.flush(i);
    }

    fn reader(&self, i: usize) -> Viewer {
        self.reader_of(&self.rooms[i])
    }

    pub(super) fn reader_of(&self, room: &FollowedRoom) -> Viewer {
        let open = room.which.key == self.open;
        let reading = open && self.visible && self.at_bottom && room.excerpt.is_none();
        Viewer { me: self.me.id, open, at_bottom: self.at_bottom, reading, now: self.now }
    }

    fn note_id(&mut self) -> u64 {
        self.next_note += 1;
        self.next_note
    }
}

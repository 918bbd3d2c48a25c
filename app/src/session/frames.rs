//! What the server's frames do to the session.

use super::{Command, Session, SocketId, following::Following, room::Reader};
use crate::{
    domain::{ProducerId, RoomKey},
    outbox::{Op, Refusal, Verdict},
    protocol::{ClientFrame, ErrorCode, JoinedHow, Page, Person, ServerFrame},
    timeline::{Applied, Unfit},
};

/// Joins under way at once, so that a person with many rooms sees the open one first.
const JOINS_AT_ONCE: usize = 8;

impl Session {
    /// A frame arrived on a socket.
    pub fn received(&mut self, socket: SocketId, frame: ServerFrame) {
        if !self.sockets.heard(socket, self.now) {
            return;
        }
        match frame {
            ServerFrame::Hello { me, build } => self.welcomed(socket, &me, build),
            ServerFrame::Joined { room, how, page, count, people, .. } => {
                self.with_room(&room, |session, i| session.joined(socket, i, how, page, count, people));
            }
            ServerFrame::Left { room } => {
                self.rooms.retain(|other| other.which.key != room);
                self.changed.saved = true;
                self.join_rooms();
            }
            ServerFrame::Entry { room, entry } => self.with_room(&room, |session, i| {
                let (reader, seq) = (session.reader(i), entry.seq);
                match session.rooms[i].take_entry(entry, &reader) {
                    Applied::Gap | Applied::Diverged => return session.doubt(socket, i),
                    Applied::Appended => session.room_changed(i),
                    Applied::Duplicate => {}
                }
                session.rooms[i].following.reached(socket, seq);
            }),
            ServerFrame::Reset { room, how, page } => self.with_room(&room, |session, i| {
                let reached = page.cursor.seq;
                match session.take_page(i, how, page) {
                    Ok(()) => session.rooms[i].following.reached(socket, reached),
                    Err(Unfit) => session.doubt(socket, i),
                }
            }),
            ServerFrame::History { room, before, page } => self.with_room(&room, |session, i| {
                if !session.rooms[i].take_history(before, page) {
                    session.doubt(socket, i);
                }
                session.room_changed(i);
            }),
            ServerFrame::Presence { room, count, people, entered, left } => self.with_room(&room, |session, i| {
                (session.rooms[i].count, session.rooms[i].people) = (count, people);
                for (entered, mut who) in [(true, entered), (false, left)] {
                    who.retain(|person| person.id != session.me.id && !(entered && session.rooms[i].was_here(person)));
                    let id = session.note_id();
                    session.rooms[i].take_arrivals(entered, who, id);
                }
                session.room_changed(i);
            }),
            ServerFrame::Ack { room, p, n, at } => self.with_room(&room, |session, i| {
                session.rooms[i].acked(p, n, at);
                session.room_changed(i);
            }),
            ServerFrame::Voided { room, p, n } => self.with_room(&room, |session, i| {
                if session.rooms[i].outboxes.voided(p, n) {
                    session.rooms[i].relieved();
                }
                session.room_changed(i);
            }),
            // What was under way on another socket was sent again on this one.
            ServerFrame::Refused { room, p, n, code, retry, last } if self.sockets.is_primary(socket) => {
                self.with_room(&room, |session, i| {
                    session.refused(socket, i, p, n, Refusal { code, retry, last });
                });
            }
            ServerFrame::Move { .. } => self.sockets.told_to_move(socket, self.now, &mut self.commands),
            ServerFrame::Error { code: ErrorCode::SessionExpired, .. } => self.sign_out(),
            ServerFrame::Error { code, room: Some(room), retry, .. } => {
                self.with_room(&room, |session, i| session.failed(socket, i, code, retry));
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

    fn joined(&mut self, socket: SocketId, i: usize, how: JoinedHow, page: Page, count: usize, people: Vec<Person>) {
        if self.rooms[i].following.get(socket) != Some(Following::Asked) || self.rooms[i].leaving {
            return;
        }
        self.rooms[i].met_again(count, people);
        let reached = page.cursor.seq;
        if self.take_page(i, how, page).is_ok() {
            self.rooms[i].joined(socket, reached);
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
        self.room_changed(i);
        taken
    }

    fn refused(&mut self, socket: SocketId, i: usize, p: ProducerId, n: u64, refusal: Refusal) {
        let verdict = self.rooms[i].outboxes.refused(p, n, refusal, || ProducerId((self.random)()));
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

    /// Joins what is not followed yet, the open room first, on every socket that said hello. A successor that follows
    /// everything takes over.
    pub(super) fn join_rooms(&mut self) {
        let sockets: Vec<SocketId> = self.sockets.primary().into_iter().chain(self.sockets.successor()).collect();
        for socket in sockets {
            let asked = |room: &&super::Room| room.following.get(socket) == Some(Following::Asked);
            let free = JOINS_AT_ONCE.saturating_sub(self.rooms.iter().filter(asked).count());
            let open = self.index(&self.open);
            let open_first = open.into_iter().chain((0..self.rooms.len()).filter(|i| Some(*i) != open));
            let missing: Vec<usize> =
                open_first.filter(|&i| self.rooms[i].following.get(socket).is_none()).take(free).collect();
            for i in missing {
                self.rooms[i].following.set(socket, Following::Asked);
                let frame = self.rooms[i].join();
                self.transmit(socket, frame);
            }
        }
        let Some(next) = self.sockets.successor() else { return };
        let settled = |following| matches!(following, Some(Following::Joined { .. } | Following::Refused));
        if self.rooms.iter().all(|room| settled(room.following.get(next))) {
            let old = self.sockets.primary();
            self.sockets.promote(self.now, &mut self.commands);
            for room in &mut self.rooms {
                if let Some(old) = old {
                    room.following.remove(old);
                }
            }
            self.hand_over();
        }
    }

    /// Another socket is the primary now, or none.
    pub(super) fn hand_over(&mut self) {
        let primary = self.sockets.primary();
        for i in 0..self.rooms.len() {
            self.rooms[i].handed_over(primary);
            self.flush(i);
        }
        self.join_rooms();
    }

    /// Sends what the room's outbox has to send.
    pub(super) fn flush(&mut self, i: usize) {
        let Some(socket) = self.sockets.primary() else { return };
        if self.rooms[i].following.has_joined(socket) {
            for out in self.rooms[i].outboxes.next_to_send() {
                let (room, p, n) = (self.rooms[i].which.key.clone(), out.p, out.n);
                let frame = match out.op {
                    Op::Message { text } => {
                        ClientFrame::Send { room, p, n, text: text.as_str().to_owned(), earlier: out.earlier }
                    }
                    Op::Void => ClientFrame::Void { room, p, n },
                };
                self.transmit(socket, frame);
            }
        }
        self.rooms[i].watch(self.now);
    }

    pub(super) fn transmit(&mut self, socket: SocketId, frame: ClientFrame) {
        self.sockets.sent(socket, self.now);
        self.commands.push(Command::Send(socket, frame));
    }

    /// Closes a socket that is worth nothing.
    pub(super) fn give_up(&mut self, socket: SocketId) {
        self.commands.push(Command::Close(socket));
        self.closed(socket, None);
    }

    pub(super) fn sign_out(&mut self) {
        self.sockets.sign_out(&mut self.commands);
        for room in &mut self.rooms {
            room.following.clear();
            room.handed_over(None);
        }
    }

    pub(super) fn mark_read(&mut self) {
        if let Some(i) = self.index(&self.open).filter(|_| self.visible && self.at_bottom) {
            self.rooms[i].unread = 0;
        }
    }

    /// Something about a room changed that may show, or may let it send.
    pub(super) fn room_changed(&mut self, i: usize) {
        self.changed.rows |= self.rooms[i].which.key == self.open;
        self.flush(i);
    }

    fn reader(&self, i: usize) -> Reader {
        let open = self.rooms[i].which.key == self.open;
        let reading = open && self.visible && self.at_bottom;
        Reader { me: self.me.id, open, at_bottom: self.at_bottom, reading }
    }

    fn note_id(&mut self) -> u64 {
        self.next_note += 1;
        self.next_note
    }
}

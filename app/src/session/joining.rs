//! What goes out over the sockets: joins, messages, marks; and which socket they go over.

use super::{Command, Room, Session, SocketId, following::Following};
use crate::{outbox::Op, protocol::ClientFrame};

/// Joins under way at once, so that a person with many rooms sees the open one first.
const JOINS_AT_ONCE: usize = 8;

impl Session {
    /// Joins what is not followed yet, the open room first, on every socket that said hello. A successor that follows
    /// everything takes over.
    pub(super) fn join_rooms(&mut self) {
        let sockets: Vec<SocketId> = self.sockets.primary().into_iter().chain(self.sockets.successor()).collect();
        for socket in sockets {
            let asked = |room: &&Room| room.following.get(socket) == Some(Following::Asked);
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
            self.count_better(i);
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
            if let Some(frame) = self.say_read(i) {
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
}

//! What goes out over the sockets: joins, messages, marks; and which socket they go over.

use super::{ChatClient, Command, FollowedRoom, SocketId, following::Following};
use crate::outbox::Moment;
use protocol::domain::Operation;
use protocol::frames::{ClientFrame, IN_FLIGHT_MAX};

/// Joins under way at once, so that a person with many rooms sees the open one first.
const JOINS_AT_ONCE: usize = 8;

impl ChatClient {
    /// Joins what is not followed yet, the open room first, on every socket that said hello. A successor that follows
    /// everything takes over.
    pub(super) fn join_rooms(&mut self) {
        let sockets: Vec<SocketId> = self.sockets.primary().into_iter().chain(self.sockets.successor()).collect();
        for socket in sockets {
            let asked = |room: &&FollowedRoom| room.following.get(socket) == Some(Following::Asked);
            let free = JOINS_AT_ONCE.saturating_sub(self.rooms.iter().filter(asked).count());
            let missing = |&i: &usize| self.rooms[i].following.get(socket).is_none();
            for i in self.open_first().into_iter().filter(missing).take(free).collect::<Vec<_>>() {
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
        for room in &mut self.rooms {
            room.handed_over(primary);
        }
        self.flush_all();
        for i in 0..self.rooms.len() {
            self.count_better(i);
        }
        self.join_rooms();
    }

    fn open_first(&self) -> Vec<usize> {
        let open = self.index(&self.open);
        open.into_iter().chain((0..self.rooms.len()).filter(|i| Some(*i) != open)).collect()
    }

    /// Sends what the rooms' outboxes have to send, the open room's first.
    pub(super) fn flush_all(&mut self) {
        self.held = false;
        self.open_first().into_iter().for_each(|i| self.flush(i));
    }

    /// Something was answered: what waited for that can go out.
    pub(super) fn answered(&mut self) {
        self.answered = self.now;
        if self.held {
            self.flush_all();
        }
    }

    /// Sends what the room's outbox has to send, while no more is under way on the socket than the server has under way for
    /// it: in all rooms together, so that none waits for its answer behind hundreds of others.
    pub(super) fn flush(&mut self, i: usize) {
        let Some(socket) = self.sockets.primary() else { return };
        if self.rooms[i].following.has_joined(socket) && !self.rooms[i].outboxes.are_drained() {
            let under_way: usize = self.rooms.iter().map(|room| room.outboxes.under_way()).sum();
            let most = IN_FLIGHT_MAX.saturating_sub(under_way);
            let moment = Moment { now: self.now, date: self.date() };
            let ready = self.rooms[i].outboxes.send_at(moment, most);
            self.held |= ready.len() == most;
            for out in ready {
                let (room, p, n) = (self.rooms[i].which.key.clone(), out.p, out.n);
                let frame = match out.operation {
                    Operation::Message { text } => {
                        ClientFrame::Send { room, p, n, text: text.as_str().to_owned(), earlier: out.earlier }
                    }
                    Operation::Void => ClientFrame::Void { room, p, n },
                };
                self.transmit(socket, frame);
            }
        }
        if self.rooms[i].following.has_joined(socket)
            && let Some(frame) = self.say_read(i)
        {
            self.transmit(socket, frame);
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

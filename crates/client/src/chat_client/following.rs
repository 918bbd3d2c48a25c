//! How each socket follows a room.

use super::SocketId;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Following {
    /// `join` (or `leave`) is under way.
    Asked,
    /// The live tail comes through this socket, and was at this seq when it last did.
    Joined { reached: u64 },
    /// The server will not have it; asking again is of no use.
    Refused,
    /// To be asked again at this moment.
    Later(u64),
}

/// One for each socket, of which there are at most two.
#[derive(Debug, Default)]
pub(super) struct Followers(Vec<(SocketId, Following)>);

impl Followers {
    pub fn get(&self, socket: SocketId) -> Option<Following> {
        self.0.iter().find(|(id, _)| *id == socket).map(|(_, following)| *following)
    }

    pub fn set(&mut self, socket: SocketId, following: Following) {
        self.remove(socket);
        self.0.push((socket, following));
    }

    /// The socket is gone, or the room is to be joined on it again.
    pub fn remove(&mut self, socket: SocketId) {
        self.0.retain(|(id, _)| *id != socket);
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn has_joined(&self, socket: SocketId) -> bool {
        matches!(self.get(socket), Some(Following::Joined { .. }))
    }

    pub fn is_refused(&self) -> bool {
        self.0.iter().any(|(_, following)| *following == Following::Refused)
    }

    /// The live tail that comes through this socket is at `seq`.
    pub fn reached(&mut self, socket: SocketId, seq: u64) {
        for (_, following) in self.0.iter_mut().filter(|(id, _)| *id == socket) {
            if let Following::Joined { reached } = following {
                *reached = seq;
            }
        }
    }

    /// Ends the waits that are over.
    pub fn tick(&mut self, now: u64) {
        self.0.retain(|(_, following)| !matches!(following, Following::Later(at) if now >= *at));
    }

    pub fn next_wake(&self) -> Option<u64> {
        let waits = self.0.iter().filter_map(|(_, following)| match following {
            Following::Later(at) => Some(*at),
            _ => None,
        });
        waits.min()
    }
}

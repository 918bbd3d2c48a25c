//! How a tab stands, for whoever waits for something.

use super::Tab;
use client::{
    clock::utc,
    rows::{Pending, Row},
    state::ConnectionState,
};

impl Tab {
    /// Says how this tab stands. `all`: including what takes a walk through its rooms.
    pub(super) fn report(&mut self, all: bool) {
        let followed = self.online.follows_all(self.sockets.iter().map(|(id, _)| *id));
        let mut states = self.shared.states.borrow_mut();
        let state = &mut states[self.id];
        (state.alive, state.rooms) = (true, self.online.rooms());
        state.online = followed && self.chat.connection() == ConnectionState::Online;
        if !all {
            return;
        }
        let history = self.shared.history.borrow();
        let rooms = self.chat.rooms().into_iter().map(|room| room.room.key);
        let keys: Vec<_> = rooms.filter_map(|key| Some((history.room_id(&key)?, key))).collect();
        drop(history);
        state.me = Some(self.chat.me().clone());
        (state.people, state.failed, state.waiting) = Default::default();
        for (room, key) in keys {
            if !self.chat.open(&key) {
                continue;
            }
            state.people.push((room, self.chat.count(), self.chat.people().to_vec()));
            let pending = self.chat.rows(&utc).into_iter();
            for row in pending {
                if let Row::Pending { text, state: pending, .. } = row {
                    match pending {
                        Pending::Waiting => state.waiting.push(text),
                        Pending::Failed(_) => state.failed.push(text),
                    }
                }
            }
        }
    }
}

//! Loading a page: a tab's beginning, and what a reload keeps.

use super::{
    super::{
        Login, Shared,
        http::{self, Load},
    },
    Tab,
};
use crate::chaos::checker::{OnlineChecker, RoomId};
use app::protocol::Person;
use client::{chat_client::ChatClient, opening::Opening};
use std::time::Duration;
use tokio::{
    sync::mpsc::unbounded_channel,
    time::{Instant, sleep},
};

impl Tab {
    /// Leaves the page as a browser does, and loads that of `room`; `false` if the session turned out to be over.
    pub(super) async fn load_anew(&mut self, room: RoomId) -> bool {
        for (_, socket) in self.sockets.drain(..) {
            if self.random.bool() {
                socket.abandon();
            }
        }
        {
            let mut states = self.shared.states.borrow_mut();
            let state = &mut states[self.id];
            (state.loads, state.loading, state.online) = (state.loads + 1, true, false);
        }
        // Whatever was still on its way belongs to a page that is gone.
        let (sender, events) = unbounded_channel();
        (self.sender, self.events) = (sender, events);
        let Some((me, screen)) = load(&self.shared, &self.login, room).await else { return false };
        self.shared.states.borrow_mut()[self.id].loading = false;
        self.started = Instant::now();
        self.shared.history.borrow_mut().trace(self.id, 0, "loaded", &self.storage);
        self.online = OnlineChecker::default();
        self.told_to_move = None;
        let rooms = self.shared.history.borrow().rooms.len();
        for room in 0..rooms {
            self.shared.history.borrow_mut().tell(self.id, room);
        }
        let by = me.id;
        self.chat = ChatClient::new(me, &screen, 0, numbers(&mut self.random));
        let mut history = self.shared.history.borrow_mut();
        for room in 0..history.rooms.len() {
            // Left in another tab.
            if !screen.rooms.iter().any(|mine| mine.room == history.rooms[room]) {
                history.abandon_room(by, room);
            }
        }
        drop(history);
        if let Some(saved) = self.storage.take() {
            // As storage would give it back.
            let kept = serde_json::to_string(&saved).ok().and_then(|json| serde_json::from_str(&json).ok());
            if let Some(kept) = kept {
                self.chat.adopt(kept);
            }
        }
        self.after();
        true
    }
}

/// Numbers for the session, from the tab's own.
pub fn numbers(random: &mut fastrand::Rng) -> Box<dyn FnMut() -> u64> {
    let mut own = random.fork();
    Box::new(move || own.u64(1..))
}

/// Loads a room's page, as often as it takes; `None` if the session is over.
pub async fn load(shared: &Shared, login: &Login, room: RoomId) -> Option<(Person, Opening)> {
    let path = shared.history.borrow().rooms[room].key.path();
    loop {
        match http::load(&shared.http, shared.front, &login.cookie, &path).await {
            Load::Page(page) => return Some((page.me, page.screen.opening)),
            Load::SignedOut => return None,
            Load::Failed if login.over.get() => return None,
            Load::Failed => sleep(Duration::from_millis(100)).await,
        }
    }
}

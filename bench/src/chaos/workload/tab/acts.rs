//! What people do in a tab.

use super::Tab;
use app::domain::MessageText;
use client::{
    clock::utc,
    rows::{Pending, Row},
};

impl Tab {
    /// Does one of the things people do; `false` if the session turned out to be over.
    pub(super) async fn act(&mut self) -> bool {
        match self.random.u32(0..1_000) {
            0..=5 => return self.reload().await,
            6..=15 => self.chat.load_older(),
            16..=20 => self.discard_one(),
            21..=60 => self.retry_failed(),
            61..=70 => {
                for _ in 0..self.random.u32(5..30) {
                    self.say();
                }
            }
            71..=74 => self.chat.come_back(),
            75..=78 => return self.come_and_go().await,
            _ => self.say(),
        }
        self.after();
        true
    }

    fn say(&mut self) {
        let rooms = self.chat.rooms();
        let Some(room) = self.random.choice(&rooms).map(|room| room.room.key.clone()) else { return };
        if !self.chat.open(&room) {
            return;
        }
        self.written += 1;
        let length = self.random.usize(0..self.shared.longest_text);
        let letter = *self.random.choice(&['x', '가', '😀', '"', '\\']).unwrap_or(&'x');
        let padding: String = std::iter::repeat_n(letter, length).collect();
        let text = format!("{}.{} {padding}", self.id, self.written).trim_end().to_owned();
        let Ok(message) = MessageText::parse(&text) else { return };
        let mut history = self.shared.history.borrow_mut();
        if let Some(room) = history.room_id(&room) {
            history.submit(&text, self.id, room, self.chat.me().id);
        }
        drop(history);
        self.chat.send(message);
    }

    /// Rows of the open room that are not in the log yet.
    fn pending(&self) -> Vec<(u64, String, Pending)> {
        let rows = self.chat.rows(&utc).into_iter();
        let pending = |row| if let Row::Pending { n, text, state, .. } = row { Some((n, text, state)) } else { None };
        rows.filter_map(pending).collect()
    }

    fn discard_one(&mut self) {
        let Some((id, text, _)) = self.random.choice(self.pending()) else { return };
        self.shared.history.borrow_mut().discard(&text);
        self.chat.discard(id);
    }

    /// Tries what failed again, in every room.
    fn retry_failed(&mut self) {
        for room in self.chat.rooms() {
            if !self.chat.open(&room.room.key) {
                continue;
            }
            for (id, text, state) in self.pending() {
                if matches!(state, Pending::Failed(_)) {
                    let mut history = self.shared.history.borrow_mut();
                    if let Some(room) = history.room_id(&room.room.key) {
                        history.submit(&text, self.id, room, self.chat.me().id);
                    }
                    drop(history);
                    self.chat.retry(id);
                }
            }
        }
    }

    /// Loads the page anew, with what the browser kept.
    async fn reload(&mut self) -> bool {
        let open = self.chat.open_room().and_then(|room| self.shared.history.borrow().room_id(&room.key));
        self.load_anew(open.unwrap_or(0)).await
    }

    /// Leaves a room, or goes into another one.
    async fn come_and_go(&mut self) -> bool {
        let rooms = self.chat.rooms();
        let all = self.shared.history.borrow().rooms.len();
        if rooms.len() > 2 && self.random.bool() {
            if let Some(room) = self.random.choice(&rooms) {
                let room = room.room.key.clone();
                let mut history = self.shared.history.borrow_mut();
                if let Some(room) = history.room_id(&room) {
                    history.abandon_room(self.chat.me().id, room);
                }
                drop(history);
                self.chat.leave(&room);
                self.after();
            }
            return true;
        }
        let room = self.random.usize(0..all);
        self.load_anew(room).await
    }
}

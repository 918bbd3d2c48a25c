//! The workload: what people do at their tabs.

use super::tab::{RoomState, State, Tab};
use app::{
    client::{
        clock::utc,
        rows::{Pending, Row},
        state::ConnectionState,
    },
    domain::{MessageText, RoomKey},
};
use std::{iter::repeat_n, rc::Rc};

/// The names of the rooms there are.
pub const ROOMS: [&str; 3] = ["alpha", "beta", "gamma"];

impl Tab {
    /// Does one of the things people do; `false` if the session turned out to be over.
    pub(super) async fn act(&mut self) -> bool {
        if self.has_signed_out() {
            // Nothing of this may come to anything, so it is tried more than all else.
            self.say();
            self.after();
            return true;
        }
        match self.chance.below(1_000) {
            0..20 => {
                let room = self.chat.open_room().map(|room| room.key.path());
                let kept = !self.chance.happens(200);
                return self.load_anew(&room.unwrap_or_else(|| "/r/alpha".to_owned()), kept).await;
            }
            20..35 => self.chat.load_older(),
            35..45 => self.discard_one(),
            45..100 => self.retry_failed(),
            100..120 => (0..self.chance.below(12)).for_each(|_| self.say()),
            120..135 => self.chat.come_back(),
            135..165 => return self.come_and_go().await,
            165..250 => self.type_a_little(),
            250..400 => self.read(),
            400..450 => self.look_elsewhere(),
            _ => self.say(),
        }
        self.after();
        true
    }

    /// Whether its person signed out in another tab; nobody has told this one.
    fn has_signed_out(&self) -> bool {
        self.world.record.borrow().signed_out.contains_key(&self.chat.me().id)
    }

    fn keys(&self) -> Vec<RoomKey> {
        self.chat.rooms().into_iter().map(|line| line.room.key).collect()
    }

    fn look_elsewhere(&mut self) {
        let keys = self.keys();
        if let Some(key) = self.chance.pick(&keys) {
            self.world.trace.line(format_args!("tab {} looks at {}", self.id, key.as_str()));
            self.chat.open(key);
        }
    }

    fn type_a_little(&mut self) {
        self.world.trace.line(format_args!("tab {} types", self.id));
        self.chat.typing();
    }

    /// Reads on in the open room, not always to its end.
    fn read(&mut self) {
        let Some(room) = self.chat.open_room().map(|room| room.key.clone()) else { return };
        let Some((first, end)) = self.chat.timeline(&room).map(|it| (it.first_seq(), it.cursor().seq)) else {
            return;
        };
        let seq = end.saturating_sub(self.chance.below(6) as u64).max(first);
        self.world.trace.line(format_args!("tab {} reads {} to {seq}", self.id, room.as_str()));
        self.chat.read_to(seq);
    }

    pub(super) fn read_all(&mut self) {
        for key in self.keys() {
            if self.chat.open(&key) {
                self.chat.read_to(u64::MAX);
            }
        }
    }

    pub(super) fn say(&mut self) {
        let keys = self.keys();
        let Some(room) = self.chance.pick(&keys).cloned() else { return };
        if !self.chat.open(&room) {
            return;
        }
        self.written += 1;
        let padding: String = repeat_n('가', self.chance.below(80)).collect();
        let text = format!("{}.{} {padding}", self.id, self.written).trim_end().to_owned();
        self.world.trace.line(format_args!("tab {} writes {}.{} in {}", self.id, self.id, self.written, room.as_str()));
        self.world.record.borrow_mut().submit(&text, self.id, &room, self.chat.me().id);
        self.chat.send(MessageText::parse(&text).unwrap());
    }

    /// Rows of the open room that are not in the log yet.
    fn pending(&self) -> Vec<(u64, String, Pending)> {
        let rows = self.chat.rows(&utc).into_iter();
        let pending = |row| if let Row::Pending { n, text, state, .. } = row { Some((n, text, state)) } else { None };
        rows.filter_map(pending).collect()
    }

    fn discard_one(&mut self) {
        let pending = self.pending();
        let Some((id, text, _)) = self.chance.pick(&pending) else { return };
        self.world.trace.line(format_args!("tab {} takes {text} back", self.id));
        self.world.record.borrow_mut().discard(text);
        self.chat.discard(*id);
    }

    /// Tries what failed again, in every room.
    fn retry_failed(&mut self) {
        for room in self.keys() {
            if !self.chat.open(&room) {
                continue;
            }
            for (id, text, state) in self.pending() {
                if matches!(state, Pending::Failed(_)) {
                    self.world.trace.line(format_args!("tab {} tries {text} again", self.id));
                    self.world.record.borrow_mut().submit(&text, self.id, &room, self.chat.me().id);
                    self.chat.retry(id);
                }
            }
        }
    }

    /// Leaves a room, or goes into another one.
    async fn come_and_go(&mut self) -> bool {
        let keys = self.keys();
        if keys.len() > 1 && self.chance.happens(500) {
            if let Some(room) = self.chance.pick(&keys) {
                let me = self.chat.me().id;
                self.world.trace.line(format_args!("tab {} leaves {}", self.id, room.as_str()));
                let mut record = self.world.record.borrow_mut();
                record.abandon(|it| it.by == me && it.room == *room);
                record.left.insert((me, room.clone()));
                drop(record);
                self.chat.leave(room);
                self.after();
            }
            return true;
        }
        let room = ROOMS[self.chance.below(ROOMS.len())];
        self.load_anew(&format!("/r/{room}"), true).await
    }

    /// Says how this tab stands.
    pub(super) fn report(&mut self) {
        let mut rooms = Vec::new();
        for key in self.keys() {
            if !self.chat.open(&key) {
                continue;
            }
            let entries = self.chat.timeline(&key).map(|timeline| timeline.entries().cloned().collect());
            let (mut waiting, mut failed) = (Vec::new(), Vec::new());
            for (_, text, state) in self.pending() {
                if state == Pending::Waiting { waiting.push(text) } else { failed.push(text) }
            }
            let (unread, count) = (self.chat.unread_in(&key).unwrap_or(0), self.chat.count());
            let people = self.chat.people().to_vec();
            rooms.push(RoomState { key, entries, unread, count, people, waiting, failed });
        }
        *self.state.borrow_mut() = Rc::new(State {
            me: Some(self.chat.me().clone()),
            signed_out: false,
            online: self.chat.connection() == ConnectionState::Online,
            sockets: self.wires.len(),
            rooms,
        });
    }
}

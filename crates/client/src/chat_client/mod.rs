//! What a tab says and hears, without a browser: its sockets, the rooms it follows, their timelines and outboxes.
//!
//! A [`ChatClient`] is told what happens (a socket opened, a frame arrived, a moment passed, the person did something) and
//! answers with [`Command`]s. It touches no clock, no network and no page, so that tests and the fault injector can run
//! thousands of them.
//!
//! What must outlive the tab is [`Saved`]: to be stored before the commands of the same moment are carried out.
//!
//! Every room is followed by cursor. Whatever goes wrong with the live tail has one remedy: join again with the cursor.

#[cfg(test)]
mod agreement;
mod excerpt;
mod following;
mod frames;
mod joining;
mod outboxes;
mod presence;
mod reading;
mod room;
mod saved;
mod showing;
#[cfg(test)]
mod simulation;
mod sockets;
#[cfg(test)]
mod tests;

use crate::{opening::Opening, timeline::Timeline};
use outboxes::Outboxes;
use protocol::{
    domain::{MessageText, ProducerId, RoomKey},
    frames::{ClientFrame, CloseCode, Person, Reading},
};
use room::FollowedRoom;
pub use saved::Saved;
use sockets::SocketPair;

/// Names a socket for the life of the tab.
pub type SocketId = u32;

/// What a chat client wants done. To be carried out in order; what concerns a socket that is gone is skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Open a socket. Its frames go to [`ChatClient::received`], its end to [`ChatClient::closed`].
    Open(SocketId),
    Send(SocketId, ClientFrame),
    /// Close a socket. Nothing needs to be reported of it any more.
    Close(SocketId),
}

/// How often to look for what was tried for long enough.
const EXPIRE_EVERY_MS: u64 = 60_000;

/// What changed since somebody asked.
#[derive(Default)]
struct Changed {
    /// The rows of the open room.
    rows: bool,
    /// Which rooms have outboxes to be saved.
    saved: bool,
}

pub struct ChatClient {
    me: Person,
    now: u64,
    /// What a calendar's clock showed when `now` was 0, in milliseconds since 1970-01-01 UTC, if there is one.
    calendar: Option<u64>,
    random: Box<dyn FnMut() -> u64>,
    sockets: SocketPair,
    /// In the order of the sidebar.
    rooms: Vec<FollowedRoom>,
    open: RoomKey,
    visible: bool,
    /// Unread messages in the open room when the page was hidden.
    hidden_with_unread: Option<usize>,
    at_bottom: bool,
    /// The message that is highlighted.
    target: Option<u64>,
    /// Up to where the open room was read when it was opened.
    divider: Option<u64>,
    build: Option<String>,
    notice: Option<String>,
    next_note: u64,
    changed: Changed,
    commands: Vec<Command>,
    /// When anything that was sent was last answered.
    answered: u64,
    /// Some messages are not under way because as many others are as may be.
    held: bool,
    /// When to look next for what was tried for long enough.
    expire_at: u64,
}

impl ChatClient {
    /// Continues from the page that the server rendered. `now` is in milliseconds of any clock that never goes back;
    /// `random` makes numbers nobody can guess.
    pub fn new(me: Person, opening: &Opening, now: u64, mut random: Box<dyn FnMut() -> u64>) -> Self {
        let p = ProducerId(random());
        let mut rooms: Vec<FollowedRoom> =
            opening.rooms.iter().map(|mine| FollowedRoom::new(mine.room.clone(), p, mine.reading)).collect();
        if !opening.rooms.iter().any(|mine| mine.room.key == opening.room.key) {
            rooms.push(FollowedRoom::new(opening.room.clone(), p, Reading::default()));
        }
        for room in rooms.iter_mut().filter(|room| room.which.key == opening.room.key) {
            room.count = opening.count;
            room.people.clone_from(&opening.people);
            // A page further back is not the end of the log and cannot be continued.
            let run = Timeline::newest(opening.page.clone()).ok();
            (room.timeline, room.excerpt) = if opening.newest { (run, None) } else { (None, run) };
            if let Some(timeline) = &room.timeline {
                room.marks.unread.recount(timeline, me.id);
            }
        }
        let mut chat = Self {
            me,
            now,
            calendar: None,
            random,
            sockets: SocketPair::new(now),
            rooms,
            open: opening.room.key.clone(),
            visible: true,
            hidden_with_unread: None,
            at_bottom: true,
            target: opening.target,
            divider: opening.divider(),
            build: None,
            notice: None,
            next_note: 1,
            changed: Changed::default(),
            commands: Vec::new(),
            answered: now,
            held: false,
            expire_at: now,
        };
        chat.tick(now);
        chat
    }

    /// Says what time of the day it is for people: `now`, in milliseconds since 1970-01-01 UTC.
    pub fn set_calendar(&mut self, now: u64) {
        self.calendar = now.checked_sub(self.now);
    }

    /// Goes on from the notice that the page shows.
    pub fn set_notice(&mut self, notice: Option<String>) {
        self.notice = notice;
    }

    /// What is to be done since the last call.
    pub fn commands(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.commands)
    }

    /// When to call [`tick`](Self::tick) next; may be earlier than anything is due.
    pub fn next_wake(&self) -> Option<u64> {
        let rooms = self.rooms.iter().filter_map(|room| room.next_wake(self.answered));
        rooms.chain(self.sockets.next_wake(self.now)).chain(self.slow_at().filter(|at| *at > self.now)).min()
    }

    /// Time passed.
    pub fn tick(&mut self, now: u64) {
        self.now = self.now.max(now);
        for hopeless in self.sockets.tick(self.now, &mut self.commands) {
            self.give_up(hopeless);
        }
        if self.rooms.iter().filter_map(|room| room.stuck_at(self.answered)).any(|at| self.now >= at) {
            self.sockets.primary().into_iter().for_each(|stuck| self.give_up(stuck));
        }
        if self.now >= self.expire_at {
            self.expire_at = self.now + EXPIRE_EVERY_MS;
            (0..self.rooms.len()).for_each(|i| self.expire(i));
        }
        for room in &mut self.rooms {
            room.tick(self.now);
        }
        if self.sockets.is_resting() && !self.is_settled() {
            self.wake_up();
        }
        self.flush_all();
        self.join_rooms();
    }

    fn wake_up(&mut self) {
        self.sockets.wake_up(self.now, &mut self.commands);
    }

    /// Somebody came to the page, or wants it connected. A socket that was closed because others of the session were used more
    /// is opened again.
    pub fn come_back(&mut self) {
        self.wake_up();
        self.nudge();
    }

    /// A socket ended, or could not be opened; `code` as in the close frame.
    pub fn closed(&mut self, socket: SocketId, code: Option<u16>) {
        let spread = (self.random)();
        let may_rest = self.is_settled();
        let was_primary = self.sockets.closed(socket, code, may_rest, self.now, spread);
        for room in &mut self.rooms {
            room.following.remove(socket);
        }
        if code == Some(CloseCode::SessionEnded.code()) {
            self.sign_out();
        }
        if was_primary {
            self.hand_over();
        }
    }

    /// There is reason to look after the sockets at once, such as that the network came back.
    pub fn nudge(&mut self) {
        if let Some(hopeless) = self.sockets.nudge(self.now, &mut self.commands) {
            self.give_up(hopeless);
            self.sockets.nudge(self.now, &mut self.commands);
        }
    }

    /// Whether anybody can see the page.
    pub fn set_visible(&mut self, visible: bool) {
        let (back, read) = (visible && !self.visible, self.hidden_with_unread == Some(0));
        self.visible = visible;
        let unread = self.current().map(|room| room.marks.unread.count());
        if !visible {
            self.hidden_with_unread = unread;
        } else if back && read && unread > Some(0) {
            // Everything was read then: what came meanwhile is new.
            self.divide();
        }
    }

    /// Whether the newest row is in view.
    pub fn set_at_bottom(&mut self, at_bottom: bool) {
        self.at_bottom = at_bottom;
    }

    /// Shows another of the rooms; `false` if it is not among those that are followed.
    pub fn open(&mut self, key: &RoomKey) -> bool {
        let Some(i) = self.index(key).filter(|&i| !self.rooms[i].following.is_refused() && !self.rooms[i].leaving)
        else {
            return false;
        };
        self.to_newest();
        let key = &self.rooms[i].which.key;
        if self.open != *key {
            self.open = key.clone();
            self.at_bottom = true;
            self.to_newest();
            self.divide();
        }
        true
    }

    /// Queues a message for the open room.
    pub fn send(&mut self, text: MessageText) {
        self.to_newest();
        self.with_open_outboxes(|outboxes| outboxes.push(text));
    }

    /// Sends a failed message of the open room again; `id` is its row's.
    pub fn retry(&mut self, id: u64) {
        self.with_open_outboxes(|outboxes| outboxes.retry(id));
    }

    /// Forgets a failed message of the open room.
    pub fn discard(&mut self, id: u64) {
        self.with_open_outboxes(|outboxes| outboxes.discard(id));
    }

    fn with_open_outboxes(&mut self, change: impl FnOnce(&mut Outboxes)) {
        let Some(i) = self.index(&self.open) else { return };
        change(&mut self.rooms[i].outboxes);
        self.changed.rows = true;
        if self.sockets.is_resting() && !self.is_settled() {
            self.wake_up();
        }
        self.flush(i);
    }

    /// Takes a room off this person's list; it goes once the server confirmed.
    pub fn leave(&mut self, key: &RoomKey) {
        let Some(i) = self.index(key) else { return };
        self.rooms[i].leaving = true;
        self.changed.saved = true;
        self.rooms[i].following.clear();
        self.join_rooms();
    }

    fn current(&self) -> Option<&FollowedRoom> {
        self.index(&self.open).map(|i| &self.rooms[i])
    }

    fn index(&self, key: &RoomKey) -> Option<usize> {
        self.rooms.iter().position(|room| room.which.key == *key)
    }
}

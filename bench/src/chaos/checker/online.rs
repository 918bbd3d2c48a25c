//! The online checker: each socket's stream of entries, and the timelines that its tab makes of them, as they come.

use super::{
    history::{History, RoomId, TabId},
    invariant::Invariant::I4,
};
use app::{
    domain::{Cursor, Entry},
    protocol::{ClientFrame, JoinedHow, Page, RESUME_MAX, ServerFrame},
};
use client::chat_client::{ChatClient, SocketId};
use std::{collections::HashMap, sync::Arc};

/// What one tab's sockets and timelines were so far. It only watches: the tab never asks it anything that changes what it does.
#[derive(Default)]
pub struct OnlineChecker {
    /// Where each socket's live tail is in each room.
    tails: HashMap<(SocketId, RoomId), Cursor>,
    /// The cursor of the latest join, until it is answered.
    asked: HashMap<(SocketId, RoomId), Option<Cursor>>,
    models: HashMap<RoomId, Model>,
    /// The room whose log the frame at hand replaces.
    told: Option<RoomId>,
    /// The frame at hand is an entry as it was committed.
    live: bool,
}

struct Model {
    cursor: Cursor,
    first_seq: u64,
}

impl OnlineChecker {
    /// A frame that the tab is about to send.
    pub fn outgoing(&mut self, history: &History, socket: SocketId, frame: &ClientFrame) {
        match frame {
            ClientFrame::Join { room, cursor } => {
                if let Some(room) = history.room_id(room) {
                    self.asked.insert((socket, room), *cursor);
                }
            }
            ClientFrame::Leave { room } => {
                if let Some(room) = history.room_id(room) {
                    self.tails.remove(&(socket, room));
                }
            }
            _ => {}
        }
    }

    /// A frame that arrived, before the tab takes it in.
    pub fn incoming(&mut self, history: &mut History, tab: TabId, socket: SocketId, frame: &ServerFrame) {
        (self.told, self.live) = (None, false);
        match frame {
            ServerFrame::Joined { room, how, page, .. } => {
                let Some(room) = history.room_id(room) else { return };
                let asked = self.asked.remove(&(socket, room)).flatten();
                self.replaced(history, tab, socket, room, *how, asked, page);
            }
            ServerFrame::Reset { room, how, page } => {
                let Some(room) = history.room_id(room) else { return };
                let before = self.tails.get(&(socket, room)).copied();
                self.replaced(history, tab, socket, room, *how, before, page);
            }
            ServerFrame::Entry { room, entry } => {
                let Some(room) = history.room_id(room) else { return };
                match self.tails.get_mut(&(socket, room)) {
                    Some(tail) if tail.precedes(entry) => *tail = entry.cursor(),
                    Some(tail) => {
                        let (before, after) = (*tail, entry.cursor());
                        *tail = after;
                        history.violate(I4, || {
                            format!("tab {tab}, room {room}: a socket delivered {after:?} after {before:?}")
                        });
                    }
                    // A leave crosses entries on their way.
                    None => {}
                }
                self.live = true;
            }
            ServerFrame::Move { .. } => {
                let now = history.now();
                history.moves.push((tab, now));
            }
            _ => {}
        }
    }

    #[allow(clippy::too_many_arguments)] // one frame's worth
    fn replaced(
        &mut self,
        history: &mut History,
        tab: TabId,
        socket: SocketId,
        room: RoomId,
        how: JoinedHow,
        before: Option<Cursor>,
        page: &Page,
    ) {
        self.tails.insert((socket, room), page.cursor);
        if let Some(broken) = hole(&page.entries) {
            history.violate(I4, || format!("tab {tab}, room {room}: a page with a hole at {broken}"));
        }
        match how {
            JoinedHow::Resumed => {
                let start = page.entries.first().map_or(page.cursor, |first| Cursor {
                    seq: first.seq - 1,
                    id: first.prev,
                    epoch: first.epoch,
                });
                if before != Some(start) {
                    history.violate(I4, || {
                        format!("tab {tab}, room {room}: asked for what follows {before:?}, got what follows {start:?}")
                    });
                }
            }
            JoinedHow::Jumped => {
                self.told = Some(room);
                let near = before.is_none_or(|before| page.cursor.seq <= before.seq + RESUME_MAX);
                if near {
                    let to = page.cursor.seq;
                    history.violate(I4, || format!("tab {tab}, room {room}: a jump from {before:?} to {to}"));
                }
            }
            JoinedHow::Reset => {
                self.told = Some(room);
                history.tell(tab, room);
                if history.rollbacks.is_empty() {
                    let to = page.cursor;
                    history.violate(I4, || {
                        format!("tab {tab}, room {room}: a reset from {before:?} to {to:?} although nothing was lost")
                    });
                }
            }
            JoinedHow::Newest => self.told = Some(room),
        }
    }

    /// What became of the timelines.
    pub fn look(&mut self, history: &mut History, tab: TabId, chat: &ChatClient) {
        for room in 0..history.rooms.len() {
            let key = history.rooms[room].key.clone();
            let Some(timeline) = chat.timeline(&key) else {
                self.models.remove(&room);
                continue;
            };
            let (cursor, first_seq) = (timeline.cursor(), timeline.first_seq());
            let mut fresh: Vec<Arc<Entry>> = Vec::new();
            match self.models.get(&room).map(|model| (model.cursor, model.first_seq)) {
                Some((was, first)) if was == cursor => {
                    if first == first_seq {
                        continue;
                    }
                    // History above, or trimmed: the run must still be one.
                    check_run(history, tab, room, timeline.entries());
                }
                Some((was, _))
                    if cursor.epoch == was.epoch && cursor.seq > was.seq && timeline.has(was) == Some(true) =>
                {
                    fresh.extend(timeline.entries().rev().take_while(|entry| entry.seq > was.seq).cloned());
                    fresh.reverse();
                    for entry in fresh.iter().filter(|_| self.live) {
                        history.arrived(tab, entry);
                    }
                    if fresh.first().is_none_or(|first| !was.precedes(first)) || hole(&fresh).is_some() {
                        history.violate(I4, || format!("tab {tab}, room {room}: a hole after {was:?}"));
                    }
                }
                Some((was, _)) if self.told != Some(room) => {
                    history.violate(I4, || {
                        format!("tab {tab}, room {room}: the tail went from {was:?} to {cursor:?} without a word")
                    });
                }
                Some(_) | None => {
                    check_run(history, tab, room, timeline.entries());
                    fresh.extend(timeline.entries().cloned());
                }
            }
            self.models.insert(room, Model { cursor, first_seq });
            for entry in &fresh {
                history.show(tab, room, entry);
            }
        }
        (self.told, self.live) = (None, false);
    }

    /// The rooms that are shown, with the seq at the end of each.
    pub fn rooms(&self) -> Vec<(RoomId, u64)> {
        self.models.iter().map(|(&room, model)| (room, model.cursor.seq)).collect()
    }

    /// Whether one of these sockets follows every room that is shown.
    pub fn follows_all(&self, sockets: impl IntoIterator<Item = SocketId>) -> bool {
        sockets.into_iter().any(|socket| self.models.keys().all(|&room| self.tails.contains_key(&(socket, room))))
    }
}

fn check_run<'a>(history: &mut History, tab: TabId, room: RoomId, entries: impl Iterator<Item = &'a Arc<Entry>>) {
    let entries: Vec<_> = entries.cloned().collect();
    if let Some(seq) = hole(&entries) {
        history.violate(I4, || format!("tab {tab}, room {room}: the list has a hole at {seq}"));
    }
}

/// The seq of the first entry that does not follow the one before.
fn hole<E: std::borrow::Borrow<Entry>>(entries: &[E]) -> Option<u64> {
    let broken = entries.windows(2).find(|two| !two[0].borrow().cursor().precedes(two[1].borrow()));
    broken.map(|two| two[1].borrow().seq)
}

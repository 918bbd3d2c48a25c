//! What one tab checks while it happens: each socket's stream of entries, the timelines made of it, and its moves.

use super::record::{
    Invariant::{I4, Marks, Moves},
    Record,
};
use app::{
    client::{
        chat_client::{ChatClient, SocketId},
        state::ConnectionState,
    },
    domain::{Cursor, Entry, RoomKey},
    protocol::{ClientFrame, JoinedHow, Page, RESUME_MAX, ReadMark, ServerFrame},
};
use std::{borrow::Borrow, collections::BTreeMap, sync::Arc};

/// How long what says so may be on its way: links stand still for a while.
const MOVES_WITHIN_MS: u64 = 30_000;

/// Handing over takes no longer, unless a socket was given up for another reason.
const HAND_OVER_MS: u64 = 3_000;

/// More frames within a millisecond than any run has cause for: the two sides answer each other without end, and the clock, which
/// waits for them, stands still.
const FLOOD: u32 = 5_000;

#[derive(Default)]
pub struct Eye {
    /// Where each socket's live tail is in each room.
    tails: BTreeMap<(SocketId, RoomKey), Cursor>,
    /// The cursor of the latest join, until it is answered.
    asked: BTreeMap<(SocketId, RoomKey), Option<Cursor>>,
    /// Where each timeline ends and begins.
    models: BTreeMap<RoomKey, (Cursor, u64)>,
    /// By when each socket has to be told to move, or to be gone since it was.
    moves: BTreeMap<SocketId, u64>,
    /// When each socket was told to move.
    leaving: BTreeMap<SocketId, u64>,
    /// How far its person has read each room, as each socket was told last.
    marks: BTreeMap<(SocketId, RoomKey), ReadMark>,
    /// The room whose log the frame at hand replaces.
    told: Option<RoomKey>,
    /// The moment of the latest frame, and how many came in it.
    burst: (u64, u32),
}

impl Eye {
    /// A frame that the tab is about to send.
    pub fn outgoing(&mut self, socket: SocketId, frame: &ClientFrame) {
        match frame {
            ClientFrame::Join { room, cursor } => {
                self.asked.insert((socket, room.clone()), *cursor);
            }
            ClientFrame::Leave { room } => {
                self.tails.remove(&(socket, room.clone()));
            }
            _ => {}
        }
    }

    pub fn opened(&mut self, socket: SocketId, moves_by: u64) {
        self.moves.insert(socket, moves_by);
    }

    pub fn closed(&mut self, socket: SocketId) {
        self.moves.remove(&socket);
        self.leaving.remove(&socket);
        self.tails.retain(|(other, _), _| *other != socket);
        self.marks.retain(|(other, _), _| *other != socket);
    }

    /// The tab closes a socket. One that was told to move stays until another one follows every room that is shown.
    pub fn gave_up(&mut self, record: &mut Record, tab: usize, socket: SocketId, chat: &ChatClient, now: u64) {
        let is_over = chat.connection() == ConnectionState::SignedOut;
        let was_told = !is_over && self.leaving.get(&socket).is_some_and(|told| now < told + HAND_OVER_MS);
        self.closed(socket);
        let follows_all =
            |other: SocketId| self.models.keys().all(|key| self.tails.contains_key(&(other, key.clone())));
        if was_told && !self.moves.keys().any(|other| follows_all(*other)) {
            record.violate(Moves, format!("tab {tab} left socket {socket} before another one followed its rooms"));
        }
    }

    /// Within an epoch a mark only rises.
    fn marked(&mut self, record: &mut Record, tab: usize, socket: SocketId, room: &RoomKey, mark: ReadMark) {
        let before = self.marks.insert((socket, room.clone()), mark);
        if before.is_some_and(|before| before.epoch == mark.epoch && before.seq >= mark.seq) {
            record.violate(Marks, format!("tab {tab}.{socket} was told of {mark:?} in {room:?} after {before:?}"));
        }
    }

    /// A frame that arrived, before the tab takes it in.
    pub fn incoming(&mut self, record: &mut Record, tab: usize, socket: SocketId, frame: &ServerFrame, now: u64) {
        self.told = None;
        self.burst = if self.burst.0 == now { (now, self.burst.1 + 1) } else { (now, 1) };
        if self.burst.1 == FLOOD {
            record.violate(I4, format!("tab {tab}.{socket} is flooded"));
        }
        if let Some(by) = self.moves.get(&socket).filter(|by| now > **by + MOVES_WITHIN_MS) {
            record.violate(Moves, format!("tab {tab}.{socket} was to be told to move, or to be gone, by {by}"));
            self.moves.remove(&socket);
        }
        match frame {
            ServerFrame::Joined { room, how, page, reading, .. } => {
                self.marks.remove(&(socket, room.clone()));
                self.marks.extend(reading.mark.map(|mark| ((socket, room.clone()), mark)));
                let asked = self.asked.remove(&(socket, room.clone())).flatten();
                self.replaced(record, tab, socket, room, *how, asked, page);
            }
            ServerFrame::Read { room, mark } => self.marked(record, tab, socket, room, *mark),
            ServerFrame::Reset { room, how, page } => {
                if *how == JoinedHow::Reset {
                    // Marks may have been set back with the log.
                    self.marks.remove(&(socket, room.clone()));
                }
                let before = self.tails.get(&(socket, room.clone())).copied();
                self.replaced(record, tab, socket, room, *how, before, page);
            }
            ServerFrame::Entry { room, entry } => {
                // A leave crosses entries on their way.
                let Some(tail) = self.tails.get_mut(&(socket, room.clone())) else { return };
                if !tail.precedes(entry) {
                    let after = entry.cursor();
                    record.violate(I4, format!("tab {tab}.{socket} was given {after:?} after {tail:?}"));
                }
                *tail = entry.cursor();
            }
            ServerFrame::Move { within_ms } => {
                self.leaving.entry(socket).or_insert(now);
                self.moves.insert(socket, now + within_ms);
            }
            _ => {}
        }
    }

    #[allow(clippy::too_many_arguments)] // one frame's worth
    fn replaced(
        &mut self,
        record: &mut Record,
        tab: usize,
        socket: SocketId,
        room: &RoomKey,
        how: JoinedHow,
        before: Option<Cursor>,
        page: &Page,
    ) {
        self.tails.insert((socket, room.clone()), page.cursor);
        if let Some(broken) = hole(&page.entries) {
            record.violate(I4, format!("tab {tab}, {room:?}: a page with a hole at {broken}"));
        }
        match how {
            JoinedHow::Resumed => {
                let start = page.entries.first().map_or(page.cursor, |first| Cursor {
                    seq: first.seq - 1,
                    id: first.prev,
                    epoch: first.epoch,
                });
                if before != Some(start) {
                    record
                        .violate(I4, format!("tab {tab}, {room:?}: asked for what follows {before:?}, got {start:?}"));
                }
            }
            JoinedHow::Jumped if before.is_none_or(|before| page.cursor.seq <= before.seq + RESUME_MAX) => {
                record.violate(I4, format!("tab {tab}, {room:?}: a jump from {before:?} to {}", page.cursor.seq));
            }
            JoinedHow::Reset if record.set_back.is_empty() => {
                record.violate(I4, format!("tab {tab}, {room:?}: a reset from {before:?} although nothing was lost"));
            }
            JoinedHow::Jumped | JoinedHow::Reset | JoinedHow::Newest => {}
        }
        if how != JoinedHow::Resumed {
            self.told = Some(room.clone());
        }
    }

    pub fn is_flooded(&self) -> bool {
        self.burst.1 >= FLOOD
    }

    /// What became of the timelines.
    pub fn look(&mut self, record: &mut Record, tab: usize, chat: &ChatClient) {
        let keys: Vec<_> = chat.rooms().into_iter().map(|line| line.room.key).collect();
        self.models.retain(|key, _| keys.contains(key));
        for key in keys {
            let Some(timeline) = chat.timeline(&key) else {
                self.models.remove(&key);
                continue;
            };
            let (cursor, first) = (timeline.cursor(), timeline.first_seq());
            let was = self.models.insert(key.clone(), (cursor, first));
            if was == Some((cursor, first)) {
                continue;
            }
            let entries: Vec<_> = timeline.entries().cloned().collect();
            if let Some(seq) = hole::<Arc<Entry>>(&entries) {
                record.violate(I4, format!("tab {tab}, {key:?}: the list has a hole at {seq}"));
            }
            if let Some((was, _)) = was {
                let grew = cursor == was
                    || (cursor.epoch == was.epoch && cursor.seq > was.seq && timeline.has(was) == Some(true));
                if !grew && self.told.as_ref() != Some(&key) {
                    let what = format!("tab {tab}, {key:?}: the tail went from {was:?} to {cursor:?} without a word");
                    record.violate(I4, what);
                }
            }
            for entry in &entries {
                record.show(tab, &key, entry);
            }
        }
        self.told = None;
    }
}

/// The seq of the first entry that does not follow the one before.
fn hole<E: Borrow<Entry>>(entries: &[E]) -> Option<u64> {
    let broken = entries.windows(2).find(|two| !two[0].borrow().cursor().precedes(two[1].borrow()));
    broken.map(|two| two[1].borrow().seq)
}

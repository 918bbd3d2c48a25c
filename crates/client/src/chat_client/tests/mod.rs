//! A session and a server that says what the test makes it say.

mod excerpt;
mod following;
mod reading;
mod saved;
mod sending;
mod showing;
mod sockets;

use super::*;
use crate::{
    clock::utc,
    opening::MyRoom,
    rows::{Pending, Row},
    state::{ConnectionState, Older},
    testing::{forked, haeun, jiwoo, log, page, person, room, text},
};
use protocol::{
    domain::{Cursor, Entry, Epoch, RoomRef, UserId},
    frames::{ErrorCode, JoinedHow, Page, ServerFrame},
};

const EPOCH: u64 = 1;

/// A session and what a server would see of it.
struct Tab {
    chat: ChatClient,
    now: u64,
    /// Sockets opened and not closed since.
    open: Vec<SocketId>,
    sent: Vec<(SocketId, ClientFrame)>,
    /// What was saved last.
    stored: Option<String>,
}

impl Tab {
    /// Jiwoo's, with the room "a" on screen, its first 3 entries rendered, and the room "b" beside it.
    fn new() -> Self {
        Self::with_numbers_after(100)
    }

    fn with_numbers_after(next: u64) -> Self {
        Self::of(&Self::screen(), next)
    }

    fn screen() -> Opening {
        Opening {
            room: room("a"),
            page: page(&log(EPOCH, 3)),
            newest: true,
            rooms: [room("b"), room("a")].map(|room| MyRoom { room, reading: Reading::default() }).into(),
            target: None,
            count: 1,
            people: vec![jiwoo()],
        }
    }

    fn of(screen: &Opening, mut next: u64) -> Self {
        let random = Box::new(move || {
            next += 1;
            next
        });
        let chat = ChatClient::new(jiwoo(), screen, 0, random);
        let mut tab = Self { chat, now: 0, open: vec![], sent: vec![], stored: None };
        tab.collect();
        tab
    }

    /// The same tab after a reload, with what it had saved. Its entries say no more than a rendered page does.
    fn reloaded(&mut self) -> Self {
        let mut tab = Self::with_numbers_after(1_100);
        tab.chat.adopt(self.saved());
        tab.collect();
        tab
    }

    /// What is in storage: it went there and back as text.
    fn saved(&mut self) -> Saved {
        self.collect();
        serde_json::from_str(self.stored.as_ref().expect("something was saved")).unwrap()
    }

    /// As [`new`](Self::new), with both rooms joined on socket 1.
    fn online() -> Self {
        let mut tab = Self::new();
        tab.hello(1);
        tab.joined(1, "a", JoinedHow::Resumed, resumed(3));
        tab.joined(1, "b", JoinedHow::Newest, page(&log(7, 2)));
        tab.sent.clear();
        tab
    }

    fn collect(&mut self) {
        if let Some(saved) = self.chat.take_saved() {
            self.stored = Some(serde_json::to_string(&saved).unwrap());
        }
        for command in self.chat.commands() {
            match command {
                Command::Open(id) => self.open.push(id),
                Command::Close(id) => self.open.retain(|open| *open != id),
                Command::Send(id, frame) => {
                    assert!(self.open.contains(&id), "sent on a socket that is not there: {frame:?}");
                    self.sent.push((id, frame));
                }
            }
        }
    }

    fn act(&mut self, act: impl FnOnce(&mut ChatClient)) {
        act(&mut self.chat);
        self.collect();
    }

    fn receive(&mut self, socket: SocketId, frame: ServerFrame) {
        self.act(|chat| chat.received(socket, frame));
    }

    fn hello(&mut self, socket: SocketId) {
        self.receive(socket, ServerFrame::Hello { me: jiwoo(), build: "1".to_owned(), notice: None });
    }

    fn joined(&mut self, socket: SocketId, key: &str, how: JoinedHow, page: Page) {
        self.joined_at(socket, key, how, page, Reading::default());
    }

    fn joined_at(&mut self, socket: SocketId, key: &str, how: JoinedHow, page: Page, reading: Reading) {
        let RoomRef { key: room, name } = room(key);
        self.receive(
            socket,
            ServerFrame::Joined { room, name, how, page, count: 2, people: vec![jiwoo(), haeun()], reading },
        );
    }

    fn entry(&mut self, socket: SocketId, key: &str, entry: &Entry) {
        self.receive(socket, ServerFrame::Entry { room: room(key).key, entry: entry.clone() });
    }

    fn closed(&mut self, socket: SocketId, code: u16) {
        self.open.retain(|open| *open != socket);
        self.act(|chat| chat.closed(socket, Some(code)));
    }

    /// Lets `ms` pass, waking the session whenever it wants to be woken.
    fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        while let Some(at) = self.chat.next_wake().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.act(|chat| chat.tick(at));
            assert!(self.chat.next_wake().is_none_or(|next| next > at), "woken again at once");
        }
        self.now = end;
        self.act(|chat| chat.tick(end));
    }

    fn take_sent(&mut self) -> Vec<(SocketId, ClientFrame)> {
        std::mem::take(&mut self.sent)
    }

    fn seqs(&self, key: &str) -> Vec<u64> {
        self.chat.timeline(&room(key).key).into_iter().flat_map(Timeline::entries).map(|entry| entry.seq).collect()
    }

    fn pending(&self) -> Vec<Pending> {
        let state = |row| if let Row::Pending { state, .. } = row { Some(state) } else { None };
        self.chat.rows(&utc).into_iter().filter_map(state).collect()
    }

    fn unread(&self) -> Vec<usize> {
        self.chat.rooms().iter().map(|line| line.unread).collect()
    }
}

fn cursor(seq: u64) -> Cursor {
    log(EPOCH, seq).last().map_or(Cursor::origin(Epoch(EPOCH)), Entry::cursor)
}

/// Nothing new after `seq`.
fn resumed(seq: u64) -> Page {
    Page { entries: vec![], cursor: cursor(seq), older: true }
}

fn join(key: &str, cursor: Option<Cursor>) -> ClientFrame {
    ClientFrame::Join { room: room(key).key, cursor }
}

fn send(n: u64, message: &str) -> ClientFrame {
    ClientFrame::Send { room: room("a").key, p: ProducerId(101), n, text: message.to_owned(), earlier: vec![] }
}

fn ack(n: u64, seq: u64) -> ServerFrame {
    ServerFrame::Ack { room: room("a").key, p: ProducerId(101), n, at: cursor(seq) }
}

fn refused(n: u64, code: ErrorCode, retry: bool, last: Option<u64>) -> ServerFrame {
    ServerFrame::Refused { room: room("a").key, p: ProducerId(101), n, code, retry, last }
}

fn error(key: &str, code: ErrorCode, retry: bool) -> ServerFrame {
    ServerFrame::Error { code, detail: String::new(), room: Some(room(key).key), p: None, n: None, retry }
}

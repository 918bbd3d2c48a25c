//! A session against a server in memory, over sockets that break, move and deliver late; and a store that goes back.

use super::*;
use crate::{
    domain::{Body, Cursor, Entry, EntryId, Epoch},
    page::Post,
    protocol::{JoinedHow, Page, REPEAT_WINDOW, ServerFrame},
    testing::{haeun, jiwoo, page, room, text},
};
use proptest::prelude::*;
use std::collections::{HashMap, VecDeque};

/// The room's log and what it knows of producers.
struct Store {
    log: Vec<Entry>,
    /// Each number's entry; `None` is a void.
    producers: HashMap<ProducerId, Vec<Option<Cursor>>>,
    ids: u64,
}

impl Store {
    fn top(&self) -> Cursor {
        self.log.last().map_or(Cursor::origin(Epoch(1)), Entry::cursor)
    }

    fn append(&mut self, by: Person, p: ProducerId, n: u64, message: &str) -> Cursor {
        self.ids += 1;
        let top = self.top();
        let body = Body::Message { text: text(message) };
        let Person { id: by, name } = by;
        let (seq, id) = (top.seq + 1, EntryId(self.ids));
        let entry = Entry { epoch: top.epoch, seq, id, prev: top.id, at: self.ids, by, name, p, n, body };
        let at = entry.cursor();
        self.log.push(entry);
        at
    }

    fn send(&mut self, p: ProducerId, n: u64, message: Option<&str>) -> ServerFrame {
        let room = room("a").key;
        let last = self.producers.get(&p).map_or(0, |answers| answers.len() as u64);
        if n > last + 1 || n + REPEAT_WINDOW <= last {
            let code = ErrorCode::OutOfOrder;
            return ServerFrame::Refused { room, p, n, code, retry: false, last: Some(last) };
        }
        if n == last + 1 {
            let answer = message.map(|message| self.append(jiwoo(), p, n, message));
            self.producers.entry(p).or_default().push(answer);
        }
        match self.producers[&p][usize::try_from(n - 1).unwrap()] {
            Some(at) => ServerFrame::Ack { room, p, n, at },
            None => ServerFrame::Voided { room, p, n },
        }
    }

    fn after(&self, cursor: Option<Cursor>) -> (JoinedHow, Page) {
        let newest = page(&self.log[self.log.len().saturating_sub(5)..]);
        let Some(cursor) = cursor else { return (JoinedHow::Newest, newest) };
        let index = usize::try_from(cursor.seq).unwrap();
        let known = index == 0 || self.log.get(index - 1).is_some_and(|entry| entry.id == cursor.id);
        if !known {
            (JoinedHow::Reset, newest)
        } else if self.log.len() - index > 20 {
            (JoinedHow::Jumped, newest)
        } else {
            let entries = self.log[index..].to_vec();
            (JoinedHow::Resumed, Page { entries, cursor: self.top(), older: true })
        }
    }

    fn roll_back(&mut self, len: usize) {
        self.log.truncate(len);
        for answers in self.producers.values_mut() {
            let kept = answers.iter().take_while(|at| at.is_none_or(|at| at.seq <= len as u64)).count();
            answers.truncate(kept);
        }
    }
}

#[derive(Default)]
struct Wire {
    up: VecDeque<ClientFrame>,
    down: VecDeque<ServerFrame>,
    greeted: bool,
    /// Where the server is with this socket.
    cursor: Option<Cursor>,
}

struct World {
    session: Session,
    store: Store,
    wires: Vec<(SocketId, Wire)>,
    now: u64,
    written: Vec<String>,
}

#[derive(Debug, Clone)]
enum Event {
    Write,
    Other,
    /// The server takes what came in on one of the sockets.
    Serve(usize),
    /// The server is down for the next frame.
    Refuse(usize),
    /// The client takes what came down.
    Hear(usize),
    Break(usize),
    Move,
    Older,
    Pass(u64),
    RollBack(usize),
}

impl World {
    fn new() -> Self {
        let screen = RoomScreen {
            room: room("a"),
            page: page(&[]),
            newest: true,
            rooms: vec![room("a")],
            count: 1,
            people: vec![],
            post: Post { p: ProducerId(9), text: String::new(), error: None },
        };
        let mut next = 100;
        let random = Box::new(move || {
            next += 1;
            next
        });
        let session = Session::new(jiwoo(), &screen, 0, random);
        let store = Store { log: vec![], producers: HashMap::new(), ids: 0 };
        let mut world = Self { session, store, wires: vec![], now: 0, written: vec![] };
        world.obey();
        world
    }

    fn obey(&mut self) {
        for command in self.session.commands() {
            match command {
                Command::Open(id) => self.wires.push((id, Wire::default())),
                Command::Close(id) => self.wires.retain(|(other, _)| *other != id),
                Command::Send(id, frame) => {
                    let wire = self.wires.iter_mut().find(|(other, _)| *other == id);
                    wire.expect("the session sends only on sockets that are open").1.up.push_back(frame);
                }
            }
        }
    }

    /// Live entries, as far as each socket's cursor lags behind.
    fn fan_out(&mut self) {
        for (_, wire) in &mut self.wires {
            let Some(cursor) = wire.cursor else { continue };
            let (how, page) = self.store.after(Some(cursor));
            wire.cursor = Some(page.cursor);
            let room = room("a").key;
            match how {
                JoinedHow::Resumed => wire
                    .down
                    .extend(page.entries.into_iter().map(|entry| ServerFrame::Entry { room: room.clone(), entry })),
                how => wire.down.push_back(ServerFrame::Reset { room, how, page }),
            }
        }
    }

    fn wire(&mut self, i: usize) -> Option<&mut (SocketId, Wire)> {
        let len = self.wires.len();
        self.wires.get_mut(i % len.max(1))
    }

    fn step(&mut self, event: &Event) {
        match *event {
            Event::Write => {
                let message = format!("m{}", self.written.len());
                self.session.send(text(&message));
                self.written.push(message);
            }
            Event::Other => drop(self.store.append(haeun(), ProducerId(5), 1, "other")),
            Event::Serve(i) => self.serve(i, false),
            Event::Refuse(i) => self.serve(i, true),
            Event::Hear(i) => {
                if let Some((id, frame)) = self.wire(i).and_then(|(id, wire)| Some((*id, wire.down.pop_front()?))) {
                    self.session.received(id, frame);
                }
            }
            Event::Break(i) => {
                if let Some(id) = self.wire(i).map(|(id, _)| *id) {
                    self.wires.retain(|(other, _)| *other != id);
                    self.session.closed(id, Some(1006));
                }
            }
            Event::Move => {
                if let Some((_, wire)) = self.wires.first_mut().filter(|(_, wire)| wire.greeted) {
                    wire.down.push_back(ServerFrame::Move { within_ms: 1_000 });
                }
            }
            Event::Older => self.session.load_older(),
            Event::Pass(ms) => {
                self.now += ms;
                self.session.tick(self.now);
            }
            Event::RollBack(len) => self.store.roll_back(len),
        }
        self.obey();
        self.check();
    }

    fn serve(&mut self, i: usize, down: bool) {
        let room = room("a");
        let len = self.wires.len();
        let Some((_, wire)) = self.wires.get_mut(i % len.max(1)) else { return };
        if !wire.greeted {
            wire.greeted = true;
            wire.down.push_back(ServerFrame::Hello { me: jiwoo(), build: String::new() });
        }
        let Some(frame) = wire.up.pop_front() else { return self.fan_out() };
        let (code, retry) = (ErrorCode::Unavailable, true);
        let answer = match frame {
            ClientFrame::Send { p, n, .. } | ClientFrame::Void { p, n, .. } if down => {
                ServerFrame::Refused { room: room.key, p, n, code, retry, last: None }
            }
            ClientFrame::Join { .. } | ClientFrame::History { .. } if down => {
                ServerFrame::Error { code, detail: String::new(), room: Some(room.key), retry }
            }
            ClientFrame::Join { cursor, .. } => {
                let (how, page) = self.store.after(cursor);
                wire.cursor = Some(page.cursor);
                ServerFrame::Joined { room: room.key, name: room.name, how, page, count: 1, people: vec![] }
            }
            ClientFrame::Send { p, n, text, .. } => self.store.send(p, n, Some(&text)),
            ClientFrame::Void { p, n, .. } => self.store.send(p, n, None),
            ClientFrame::History { before, .. } => {
                let end = usize::try_from(before - 1).unwrap().min(self.store.log.len());
                let page = page(&self.store.log[end.saturating_sub(4)..end]);
                ServerFrame::History { room: room.key, before, page }
            }
            ClientFrame::Leave { .. } | ClientFrame::Ping => ServerFrame::Pong,
        };
        wire.down.push_back(answer);
        // Without a hub in between, an answer may overtake the entry or come after it.
        if self.store.ids.is_multiple_of(2) {
            self.fan_out();
        }
    }

    /// I2 and I4, at every moment.
    fn check(&self) {
        let Some(timeline) = self.session.timeline(&room("a").key) else { return };
        let shown: Vec<_> = timeline.entries().collect();
        assert!(shown.windows(2).all(|pair| pair[0].cursor().precedes(pair[1])), "a hole in {shown:?}");
    }

    fn settle(&mut self) {
        for _ in 0..400 {
            for i in 0..self.wires.len() {
                self.step(&Event::Serve(i));
                self.step(&Event::Hear(i));
            }
            self.step(&Event::Pass(500));
        }
    }

    fn live_through(&mut self, events: &[Event]) {
        for event in events {
            self.step(event);
        }
        self.settle();
        let timeline = self.session.timeline(&room("a").key).expect("the room was joined");
        assert_eq!(timeline.cursor(), self.store.top());
        assert!(timeline.entries().all(|entry| self.store.log[usize::try_from(entry.seq - 1).unwrap()] == **entry));
    }

    fn own(&self) -> Vec<String> {
        let own = self.store.log.iter().filter(|entry| entry.by == jiwoo().id);
        own.map(|entry| entry.text().unwrap_or_default().to_owned()).collect()
    }

    fn shown_unsent(&self) -> Vec<String> {
        let unsent = |row| if let Row::Pending { text, .. } = row { Some(text) } else { None };
        self.session.rows("UTC").into_iter().filter_map(unsent).collect()
    }
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => Just(Event::Write),
        4 => Just(Event::Other),
        12 => (0..2usize).prop_map(Event::Serve),
        1 => (0..2usize).prop_map(Event::Refuse),
        16 => (0..2usize).prop_map(Event::Hear),
        1 => (0..2usize).prop_map(Event::Break),
        1 => Just(Event::Move),
        1 => Just(Event::Older),
        3 => (0..3_000u64).prop_map(Event::Pass),
    ]
}

proptest! {
    #[test]
    fn a_session_loses_doubles_and_reorders_nothing(events in prop::collection::vec(event(), 0..250)) {
        let mut world = World::new();
        world.live_through(&events);
        prop_assert_eq!(world.own(), world.written.clone());
        prop_assert!(world.shown_unsent().is_empty());
    }

    #[test]
    fn a_store_that_goes_back_is_followed_and_what_it_lost_is_marked(
        events in prop::collection::vec(prop_oneof![30 => event(), 1 => (0..30usize).prop_map(Event::RollBack)], 0..250),
    ) {
        let mut world = World::new();
        world.live_through(&events);
        let (own, marked) = (world.own(), world.shown_unsent());
        let order: Vec<_> = own.iter().map(|own| world.written.iter().position(|it| it == own).unwrap()).collect();
        prop_assert!(order.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", own);
        for message in &world.written {
            prop_assert!(own.contains(message) || marked.contains(message), "{} is gone without a word", message);
        }
    }
}

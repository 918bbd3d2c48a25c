//! One person's two tabs against a server in memory: over sockets that break, move and deliver late; tabs that are reloaded
//! and closed at any moment; and a store that goes back.

mod store;

use super::*;
use crate::{
    clock::utc,
    opening::MyRoom,
    rows::{Pending, Row},
    testing::{haeun, jiwoo, page, room, text},
};
use proptest::prelude::*;
use protocol::{
    domain::Cursor,
    frames::{ErrorCode, JoinedHow, ServerFrame},
};
use std::collections::{HashSet, VecDeque};
use store::Store;

#[derive(Default)]
struct Wire {
    up: VecDeque<ClientFrame>,
    down: VecDeque<ServerFrame>,
    greeted: bool,
    /// Where the server is with this socket.
    cursor: Option<Cursor>,
}

struct Tab {
    chat: ChatClient,
    wires: Vec<(SocketId, Wire)>,
    /// What is in storage under this tab's name.
    stored: Option<String>,
    /// Whose messages keep their order: a reload goes on, another tab does not.
    life: usize,
}

struct World {
    tabs: Vec<Tab>,
    store: Store,
    now: u64,
    /// What tabs that are gone left in storage.
    orphans: Vec<String>,
    /// Frames of sockets whose tab is gone, which the server has yet to read.
    late: VecDeque<ClientFrame>,
    /// Each message with the life of the tab it was written in.
    written: Vec<(usize, String)>,
    sessions: u64,
    lives: usize,
    /// Entries on a rendered page.
    page: usize,
    rolled_back: bool,
    /// Another server that takes itself for the master, with the state it had when the two parted.
    twin: Option<Store>,
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
    /// The page is loaded anew; it was rendered before the latest entries.
    Reload {
        behind: usize,
    },
    /// The tab is closed, and a new one opened.
    Close,
    /// A tab takes up what one that is gone left behind.
    Adopt,
    /// The server reads a frame of a socket whose tab is gone.
    Late,
    RollBack(usize),
    /// Two servers are the master from now on.
    Part,
    /// Everybody talks to the other one.
    Turn,
    /// The person tries again what failed.
    Retry,
}

impl World {
    fn new(page: usize) -> Self {
        let store = Store::new();
        let (orphans, late, written) = (vec![], VecDeque::new(), vec![]);
        let mut world = Self {
            tabs: vec![],
            store,
            now: 0,
            orphans,
            late,
            written,
            sessions: 0,
            lives: 0,
            page,
            rolled_back: false,
            twin: None,
        };
        for _ in 0..2 {
            let tab = world.open(0, None);
            world.tabs.push(tab);
        }
        (0..2).for_each(|tab| world.obey(tab));
        world
    }

    /// Loads the page, rendered `behind` entries ago; `before` is the tab in whose place it stands.
    fn open(&mut self, behind: usize, before: Option<Tab>) -> Tab {
        let end = self.store.log.len().saturating_sub(behind);
        let mut page = page(&self.store.log[end.saturating_sub(self.page)..end]);
        // A rendered page does not say what produced others' entries.
        page.entries.iter_mut().filter(|entry| entry.by != jiwoo().id).for_each(|entry| entry.p = ProducerId(0));
        let screen = Opening {
            room: room("a"),
            page,
            newest: true,
            rooms: vec![MyRoom { room: room("a"), reading: Reading::default() }],
            target: None,
            count: 1,
            people: vec![],
        };
        self.sessions += 1;
        let mut next = self.sessions << 32;
        let random = Box::new(move || {
            next += 1;
            next
        });
        let mut chat = ChatClient::new(jiwoo(), &screen, self.now, random);
        let Some(before) = before else {
            self.lives += 1;
            return Tab { chat, wires: vec![], stored: None, life: self.lives };
        };
        self.leave(before.wires);
        if let Some(stored) = &before.stored {
            chat.adopt(serde_json::from_str(stored).expect("what was stored can be read"));
        }
        Tab { chat, wires: vec![], stored: before.stored, life: before.life }
    }

    /// What was sent and not read by the server may still be.
    fn leave(&mut self, wires: Vec<(SocketId, Wire)>) {
        if !self.rolled_back {
            self.late.extend(wires.into_iter().flat_map(|(_, wire)| wire.up));
        }
    }

    fn obey(&mut self, tab: usize) {
        let tab = &mut self.tabs[tab];
        if let Some(saved) = tab.chat.take_saved() {
            let json = serde_json::to_string(&saved).expect("what is saved can be written");
            tab.stored = (!saved.is_empty()).then_some(json);
        }
        for command in tab.chat.commands() {
            match command {
                Command::Open(id) => tab.wires.push((id, Wire::default())),
                Command::Close(id) => tab.wires.retain(|(other, _)| *other != id),
                Command::Send(id, frame) => {
                    let wire = tab.wires.iter_mut().find(|(other, _)| *other == id);
                    wire.expect("the session sends only on sockets that are open").1.up.push_back(frame);
                }
            }
        }
    }

    /// Live entries, as far as each socket's cursor lags behind.
    fn fan_out(&mut self) {
        for (_, wire) in self.tabs.iter_mut().flat_map(|tab| &mut tab.wires) {
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

    fn step(&mut self, tab: usize, event: &Event) {
        let now = self.now;
        let Tab { chat, wires, life, .. } = &mut self.tabs[tab];
        let wire = |i: usize| i % wires.len().max(1);
        match *event {
            Event::Write => {
                let message = format!("m{}", self.written.len());
                chat.send(text(&message));
                self.written.push((*life, message));
            }
            Event::Other => drop(self.store.append(haeun(), ProducerId(5), 1, "other")),
            Event::Serve(i) => self.serve(tab, i, false),
            Event::Refuse(i) => self.serve(tab, i, true),
            Event::Hear(i) => {
                let i = wire(i);
                if let Some((id, frame)) = wires.get_mut(i).and_then(|(id, wire)| Some((*id, wire.down.pop_front()?))) {
                    chat.received(id, frame);
                }
            }
            Event::Break(i) => {
                if let Some(id) = wires.get(wire(i)).map(|(id, _)| *id) {
                    wires.retain(|(other, _)| *other != id);
                    chat.closed(id, Some(1006));
                }
            }
            Event::Move => {
                if let Some((_, wire)) = wires.first_mut().filter(|(_, wire)| wire.greeted) {
                    wire.down.push_back(ServerFrame::Move { within_ms: 1_000 });
                }
            }
            Event::Older => chat.load_older(),
            Event::Pass(ms) => {
                self.now = now + ms;
                chat.tick(self.now);
            }
            Event::Reload { behind } => {
                let before = self.tabs.remove(tab);
                let reloaded = self.open(behind, Some(before));
                self.tabs.insert(tab, reloaded);
            }
            Event::Close => {
                let closed = self.tabs.remove(tab);
                self.orphans.extend(closed.stored);
                self.leave(closed.wires);
                let opened = self.open(0, None);
                self.tabs.insert(tab, opened);
            }
            Event::Adopt => {
                if self.rolled_back {
                    // What is looked for has to be on the page.
                    self.step(tab, &Event::Reload { behind: 0 });
                }
                let chat = &mut self.tabs[tab].chat;
                if let Some(orphan) = self.orphans.pop() {
                    chat.adopt(serde_json::from_str(&orphan).expect("what was stored can be read"));
                }
            }
            Event::Late => match self.late.pop_front() {
                Some(ClientFrame::Send { p, n, text, earlier, .. }) => {
                    drop(self.store.send(p, n, Some(&text), &earlier));
                }
                Some(ClientFrame::Void { p, n, .. }) => drop(self.store.send(p, n, None, &[])),
                _ => {}
            },
            // A store that goes back takes with it what it was about to do: were that done later, after its tab took a new
            // producer, it would be done twice.
            Event::RollBack(len) => {
                self.store.roll_back(len);
                self.late.clear();
                self.rolled_back = true;
            }
            Event::Part => self.twin = Some(self.store.clone()),
            Event::Turn => {
                if let Some(twin) = &mut self.twin {
                    // Entries of both have ids of their own.
                    twin.ids = self.store.ids;
                    std::mem::swap(&mut self.store, twin);
                    self.late.clear();
                    self.rolled_back = true;
                }
            }
            Event::Retry => {
                let failed = |row: &Row| match row {
                    Row::Pending { n, state: Pending::Failed(_), .. } => Some(*n),
                    _ => None,
                };
                for id in chat.rows(&utc).iter().filter_map(failed).collect::<Vec<_>>() {
                    chat.retry(id);
                }
            }
        }
        self.obey(tab);
        self.check(tab);
    }

    fn serve(&mut self, tab: usize, i: usize, down: bool) {
        let room = room("a");
        let wires = &mut self.tabs[tab].wires;
        let len = wires.len();
        let Some((_, wire)) = wires.get_mut(i % len.max(1)) else { return };
        if !wire.greeted {
            wire.greeted = true;
            wire.down.push_back(ServerFrame::Hello { me: jiwoo(), build: String::new(), notice: None });
        }
        let Some(frame) = wire.up.pop_front() else { return self.fan_out() };
        let (code, retry) = (ErrorCode::Unavailable, true);
        let answer = match frame {
            ClientFrame::Send { p, n, .. } | ClientFrame::Void { p, n, .. } if down => {
                ServerFrame::Refused { room: room.key, p, n, code, retry, last: None }
            }
            ClientFrame::Join { .. } | ClientFrame::History { .. } if down => {
                ServerFrame::Error { code, detail: String::new(), room: Some(room.key), p: None, n: None, retry }
            }
            ClientFrame::Join { cursor, .. } => {
                let (how, page) = self.store.after(cursor);
                wire.cursor = Some(page.cursor);
                ServerFrame::Joined {
                    room: room.key,
                    name: room.name,
                    how,
                    page,
                    count: 1,
                    people: vec![],
                    reading: Reading::default(),
                }
            }
            ClientFrame::Send { p, n, text, earlier, .. } => self.store.send(p, n, Some(&text), &earlier),
            ClientFrame::Void { p, n, .. } => self.store.send(p, n, None, &[]),
            ClientFrame::History { before, .. } => {
                let end = usize::try_from(before - 1).unwrap().min(self.store.log.len());
                let page = page(&self.store.log[end.saturating_sub(4)..end]);
                ServerFrame::History { room: room.key, before, page }
            }
            ClientFrame::Leave { .. } | ClientFrame::Read { .. } | ClientFrame::Typing { .. } | ClientFrame::Ping => {
                ServerFrame::Pong
            }
        };
        wire.down.push_back(answer);
        // Without a hub in between, an answer may overtake the entry or come after it.
        if self.store.ids.is_multiple_of(2) {
            self.fan_out();
        }
    }

    /// I2 and I4, at every moment.
    fn check(&self, tab: usize) {
        let Some(timeline) = self.tabs[tab].chat.timeline(&room("a").key) else { return };
        let shown: Vec<_> = timeline.entries().collect();
        assert!(shown.windows(2).all(|pair| pair[0].cursor().precedes(pair[1])), "a hole in {shown:?}");
    }

    fn check_rows(&self, tab: usize) {
        let rows = self.tabs[tab].chat.rows(&utc);
        let keys: HashSet<_> = rows.iter().map(Row::key).collect();
        assert_eq!(keys.len(), rows.len(), "two rows share a key: {rows:?}");
    }

    fn settle(&mut self) {
        while !self.late.is_empty() {
            self.step(0, &Event::Late);
        }
        while !self.orphans.is_empty() {
            self.step(0, &Event::Adopt);
        }
        for _ in 0..400 {
            for tab in 0..self.tabs.len() {
                for i in 0..self.tabs[tab].wires.len() {
                    self.step(tab, &Event::Serve(i));
                    self.step(tab, &Event::Hear(i));
                }
                self.step(tab, &Event::Pass(250));
            }
        }
    }

    fn live_through(&mut self, events: &[(usize, Event)]) {
        for (tab, event) in events {
            self.step(*tab, event);
            self.check_rows(*tab);
        }
        self.settle();
        for tab in &self.tabs {
            let timeline = tab.chat.timeline(&room("a").key).expect("the room was joined");
            assert_eq!(timeline.cursor(), self.store.top());
            for entry in timeline.entries() {
                assert_eq!(self.store.log[usize::try_from(entry.seq - 1).unwrap()].cursor(), entry.cursor());
            }
            assert!(tab.chat.is_settled());
        }
    }

    /// Each of this person's messages in the log, by its place among those written.
    fn own(&self) -> Vec<usize> {
        let own = self.store.log.iter().filter(|entry| entry.by == jiwoo().id);
        own.map(|entry| self.written.iter().position(|(_, text)| Some(text.as_str()) == entry.text()).unwrap())
            .collect()
    }

    /// I6: whoever wrote two messages in one tab finds them in this order.
    fn is_in_order(&self) -> bool {
        let own = self.own();
        (0..=self.lives).all(|life| {
            let of_life: Vec<_> = own.iter().filter(|&&i| self.written[i].0 == life).collect();
            of_life.windows(2).all(|pair| pair[0] < pair[1])
        })
    }

    fn shown_unsent(&self) -> Vec<String> {
        let unsent = |row| if let Row::Pending { text, .. } = row { Some(text) } else { None };
        self.tabs.iter().flat_map(|tab| tab.chat.rows(&utc)).filter_map(unsent).collect()
    }
}

fn event() -> impl Strategy<Value = (usize, Event)> {
    let event = prop_oneof![
        8 => Just(Event::Write),
        4 => Just(Event::Other),
        16 => (0..2usize).prop_map(Event::Serve),
        1 => (0..2usize).prop_map(Event::Refuse),
        20 => (0..2usize).prop_map(Event::Hear),
        1 => (0..2usize).prop_map(Event::Break),
        1 => Just(Event::Move),
        1 => Just(Event::Older),
        3 => (0..3_000u64).prop_map(Event::Pass),
        1 => (0..4usize).prop_map(|behind| Event::Reload { behind }),
        1 => Just(Event::Close),
        1 => Just(Event::Adopt),
        2 => Just(Event::Late),
    ];
    (prop::sample::select(vec![0, 0, 1]), event)
}

fn with_roll_backs() -> impl Strategy<Value = (usize, Event)> {
    prop_oneof![30 => event(), 1 => (0..30usize).prop_map(|len| (0, Event::RollBack(len)))]
}

/// A failover on which two servers are the master for a while, and people who do not wait for it to end.
fn with_two_masters() -> impl Strategy<Value = (usize, Event)> {
    let change = prop_oneof![1 => Just(Event::Part), 2 => Just(Event::Turn), 6 => Just(Event::Retry)];
    prop_oneof![12 => event(), 1 => (Just(0), change)]
}

proptest! {
    #[test]
    fn tabs_lose_double_and_reorder_nothing(events in prop::collection::vec(event(), 0..300)) {
        let mut world = World::new(5);
        world.live_through(&events);
        let mut own = world.own();
        prop_assert!(world.is_in_order(), "{:?}", own);
        own.sort_unstable();
        prop_assert_eq!(own, (0..world.written.len()).collect::<Vec<_>>());
        prop_assert_eq!(world.shown_unsent(), Vec::<String>::new());
    }

    /// A tab that takes up an outbox knows of the loss of what its page reaches back to, which here is everything.
    #[test]
    fn a_store_that_goes_back_is_followed_and_what_it_lost_is_marked(
        events in prop::collection::vec(with_roll_backs(), 0..300),
    ) {
        let mut world = World::new(1_000);
        world.live_through(&events);
        let (own, marked) = (world.own(), world.shown_unsent());
        prop_assert!(world.is_in_order(), "{:?}", own);
        for (i, (_, message)) in world.written.iter().enumerate() {
            prop_assert!(own.contains(&i) || marked.contains(message), "{} is gone without a word", message);
        }
    }

    #[test]
    fn what_was_lost_on_one_master_and_tried_again_stands_once_on_the_other(
        events in prop::collection::vec(with_two_masters(), 0..400),
    ) {
        let mut world = World::new(1_000);
        world.live_through(&events);
        let (mut own, marked) = (world.own(), world.shown_unsent());
        for (i, (_, message)) in world.written.iter().enumerate() {
            prop_assert!(own.contains(&i) || marked.contains(message), "{} is gone without a word", message);
        }
        own.sort_unstable();
        let twice = own.windows(2).find(|two| two[0] == two[1]).map(|two| &world.written[two[0]]);
        prop_assert_eq!(twice, None);
    }
}

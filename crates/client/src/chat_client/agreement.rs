//! One person's three tabs on two instances agree on what is unread, however late everything arrives.

use super::*;
use crate::{
    opening::MyRoom,
    testing::{haeun, jiwoo, page, room, text},
};
use proptest::prelude::*;
use protocol::{
    domain::{Body, Cursor, Entry, EntryId, Epoch, UserId},
    frames::{JoinedHow, PAGE_ENTRIES, Page, ReadMark, ServerFrame, UNREAD_MAX},
};
use std::collections::VecDeque;

/// The room's log, and how far Jiwoo has read it.
struct Store {
    epoch: u64,
    ids: u64,
    log: Vec<Entry>,
    mark: Option<ReadMark>,
}

impl Store {
    fn top(&self) -> Cursor {
        self.log.last().map_or(Cursor::origin(Epoch(self.epoch)), Entry::cursor)
    }

    fn append(&mut self, by: Person) {
        self.ids += 1;
        let (top, Person { id: by, name }) = (self.top(), by);
        // Now and then something that is no message.
        let body = if self.ids.is_multiple_of(7) { Body::Unknown } else { Body::Message { text: text("x") } };
        let (seq, id, p) = (top.seq + 1, EntryId(self.ids), ProducerId(0));
        self.log.push(Entry { epoch: top.epoch, seq, id, prev: top.id, at: 0, by, name, p, n: 0, body });
    }

    /// As the server does: what is of another log is nothing, what is beyond the end ends there, and it only rises.
    fn raise(&mut self, mark: ReadMark) {
        let top = self.top();
        let known = self.mark.filter(|known| known.epoch == top.epoch).map_or(0, |known| known.seq);
        if mark.epoch == top.epoch && mark.seq > known {
            self.mark = Some(ReadMark { seq: mark.seq.min(top.seq), ..mark });
        }
    }

    fn reading(&self) -> Reading {
        let mark = self.mark.filter(|mark| mark.epoch.0 == self.epoch);
        let is_unread = |entry: &&Entry| entry.seq > mark.map_or(u64::MAX, |mark| mark.seq);
        let unread = self.log.iter().filter(is_unread).filter(|entry| entry.by != UserId(1) && entry.text().is_some());
        Reading { mark, unread: unread.count().min(UNREAD_MAX) }
    }

    fn before(&self, seq: u64) -> Page {
        let end = usize::try_from(seq.saturating_sub(1)).unwrap().min(self.log.len());
        let mut page = page(&self.log[end.saturating_sub(PAGE_ENTRIES)..end]);
        page.cursor.epoch = Epoch(self.epoch);
        page
    }

    fn after(&self, cursor: Option<Cursor>) -> (JoinedHow, Page) {
        let Some(cursor) = cursor else { return (JoinedHow::Newest, self.before(u64::MAX)) };
        let index = usize::try_from(cursor.seq).unwrap();
        let known = index == 0 || self.log.get(index - 1).is_some_and(|entry| entry.id == cursor.id);
        if !known || cursor.epoch.0 != self.epoch {
            (JoinedHow::Reset, self.before(u64::MAX))
        } else if self.log.len() - index > 120 {
            (JoinedHow::Jumped, self.before(u64::MAX))
        } else {
            (JoinedHow::Resumed, Page { entries: self.log[index..].to_vec(), cursor: self.top(), older: index > 0 })
        }
    }
}

#[derive(Default)]
struct Wire {
    up: VecDeque<ClientFrame>,
    down: VecDeque<ServerFrame>,
    greeted: bool,
    cursor: Option<Cursor>,
}

struct Tab {
    chat: ChatClient,
    wires: Vec<(SocketId, Wire)>,
}

struct World {
    store: Store,
    tabs: Vec<Tab>,
    now: u64,
    seed: u64,
}

#[derive(Debug, Clone)]
enum Event {
    /// Somebody else writes.
    Others(usize),
    /// Jiwoo writes, on a device that is not here.
    Own,
    /// A tab reads up to so many entries before its last.
    Read(u64),
    Older,
    Show(u64),
    ToNewest,
    Bottom(bool),
    Visible(bool),
    /// The server takes what came in from a tab. `late`: somebody writes between what it says and what it sends.
    Serve {
        late: bool,
    },
    Hear,
    /// Live entries go out to the tabs of an instance.
    FanOut,
    /// An instance hears of the mark.
    Tell,
    Break,
    Reload,
    Pass(u64),
    /// The log starts anew.
    Anew,
}

impl World {
    fn new() -> Self {
        let store = Store { epoch: 1, ids: 0, log: vec![], mark: Some(ReadMark { epoch: Epoch(1), seq: 0 }) };
        let mut world = Self { store, tabs: vec![], now: 0, seed: 0 };
        for _ in 0..3 {
            let tab = world.load();
            world.tabs.push(tab);
        }
        (0..3).for_each(|tab| world.obey(tab));
        world
    }

    fn load(&mut self) -> Tab {
        self.seed += 1;
        let mut next = self.seed << 32;
        let screen = Opening {
            room: room("a"),
            page: self.store.before(u64::MAX),
            newest: true,
            rooms: vec![MyRoom { room: room("a"), reading: self.store.reading() }],
            target: None,
            count: 1,
            people: vec![],
        };
        let random = Box::new(move || {
            next += 1;
            next
        });
        Tab { chat: ChatClient::new(jiwoo(), &screen, self.now, random), wires: vec![] }
    }

    fn obey(&mut self, tab: usize) {
        let Tab { chat, wires } = &mut self.tabs[tab];
        for command in chat.commands() {
            match command {
                Command::Open(id) => wires.push((id, Wire::default())),
                Command::Close(id) => wires.retain(|(other, _)| *other != id),
                Command::Send(id, frame) => {
                    let wire = wires.iter_mut().find(|(other, _)| *other == id);
                    wire.expect("sent on an open socket").1.up.push_back(frame);
                }
            }
        }
    }

    /// The wires of the instance that serves this tab: the first two tabs share one.
    fn wires_beside(&mut self, tab: usize) -> impl Iterator<Item = &mut Wire> {
        let tabs = if tab == 2 { &mut self.tabs[2..] } else { &mut self.tabs[..2] };
        tabs.iter_mut().flat_map(|tab| &mut tab.wires).map(|(_, wire)| wire)
    }

    fn step(&mut self, tab: usize, event: &Event) {
        let Tab { chat, wires } = &mut self.tabs[tab];
        match *event {
            Event::Others(n) => (0..n).for_each(|_| self.store.append(haeun())),
            Event::Own => self.store.append(jiwoo()),
            Event::Read(back) => {
                let end = chat.timeline(&room("a").key).map_or(0, |timeline| timeline.cursor().seq);
                chat.read_to(end.saturating_sub(back));
            }
            Event::Older => chat.load_older(),
            Event::Show(seq) => _ = chat.show(seq),
            Event::ToNewest => chat.to_newest(),
            Event::Bottom(yes) => chat.set_at_bottom(yes),
            Event::Visible(yes) => chat.set_visible(yes),
            Event::Serve { late } => self.serve(tab, late),
            Event::Hear => {
                if let Some((id, frame)) = wires.first_mut().and_then(|(id, wire)| Some((*id, wire.down.pop_front()?)))
                {
                    chat.received(id, frame);
                }
            }
            Event::FanOut => {
                let pages: Vec<_> = self.wires_beside(tab).map(|wire| wire.cursor).collect();
                let pages: Vec<_> = pages.into_iter().map(|cursor| Some(self.store.after(Some(cursor?)))).collect();
                self.wires_beside(tab).zip(pages).for_each(|(wire, news)| wire.deliver(news));
            }
            Event::Tell => {
                let Some(mark) = self.store.mark else { return };
                for wire in self.wires_beside(tab).filter(|wire| wire.cursor.is_some()) {
                    wire.down.push_back(ServerFrame::Read { room: room("a").key, mark });
                }
            }
            Event::Break => {
                for (id, _) in wires.drain(..) {
                    chat.closed(id, Some(1006));
                }
            }
            Event::Reload => self.tabs[tab] = self.load(),
            Event::Pass(ms) => {
                self.now += ms;
                chat.tick(self.now);
            }
            Event::Anew => {
                self.store.epoch += 1;
                self.store.log.clear();
            }
        }
        self.obey(tab);
    }

    fn serve(&mut self, tab: usize, late: bool) {
        let (room, store) = (room("a"), &mut self.store);
        let Some((_, wire)) = self.tabs[tab].wires.first_mut() else { return };
        if !wire.greeted {
            wire.greeted = true;
            wire.down.push_back(ServerFrame::Hello { me: jiwoo(), build: String::new(), notice: None });
        }
        match wire.up.pop_front() {
            Some(ClientFrame::Join { cursor, .. }) => {
                let reading = store.reading();
                if late {
                    store.append(haeun());
                }
                let (how, page) = store.after(cursor);
                wire.cursor = Some(page.cursor);
                let (people, count, name, room) = (vec![], 1, room.name, room.key);
                wire.down.push_back(ServerFrame::Joined { room, name, how, page, count, people, reading });
            }
            Some(ClientFrame::History { before, epoch, .. }) if epoch.0 == store.epoch => {
                wire.down.push_back(ServerFrame::History { room: room.key, before, page: store.before(before) });
            }
            Some(ClientFrame::History { .. }) => {
                let (code, detail, room) = (protocol::frames::ErrorCode::EpochUnknown, String::new(), Some(room.key));
                wire.down.push_back(ServerFrame::Error { code, detail, room, p: None, n: None, retry: false });
            }
            Some(ClientFrame::Read { mark, .. }) => store.raise(mark),
            _ => {}
        }
    }

    fn settle(&mut self) {
        for _ in 0..60 {
            for tab in 0..3 {
                for event in [Event::FanOut, Event::Tell, Event::Pass(300)] {
                    self.step(tab, &event);
                }
                while self.tabs[tab].wires.iter().any(|(_, wire)| !wire.up.is_empty() || !wire.greeted) {
                    self.step(tab, &Event::Serve { late: false });
                }
                while self.tabs[tab].wires.iter().any(|(_, wire)| !wire.down.is_empty()) {
                    self.step(tab, &Event::Hear);
                }
            }
        }
    }
}

impl Wire {
    fn deliver(&mut self, news: Option<(JoinedHow, Page)>) {
        let Some((how, page)) = news else { return };
        self.cursor = Some(page.cursor);
        let key = || room("a").key;
        if how == JoinedHow::Resumed {
            let entries = page.entries.into_iter();
            self.down.extend(entries.map(|entry| ServerFrame::Entry { room: key(), entry }));
        } else {
            self.down.push_back(ServerFrame::Reset { room: key(), how, page });
        }
    }
}

fn event() -> impl Strategy<Value = (usize, Event)> {
    let event = prop_oneof![
        6 => (1..4usize).prop_map(Event::Others),
        2 => (20..70usize).prop_map(Event::Others),
        2 => Just(Event::Own),
        6 => (0..90u64).prop_map(Event::Read),
        2 => Just(Event::Read(0)),
        1 => Just(Event::Older),
        1 => (1..300u64).prop_map(Event::Show),
        1 => Just(Event::ToNewest),
        1 => any::<bool>().prop_map(Event::Bottom),
        1 => any::<bool>().prop_map(Event::Visible),
        12 => any::<bool>().prop_map(|late| Event::Serve { late }),
        16 => Just(Event::Hear),
        6 => Just(Event::FanOut),
        4 => Just(Event::Tell),
        2 => Just(Event::Break),
        1 => Just(Event::Reload),
        6 => (0..3_000u64).prop_map(Event::Pass),
    ];
    let event = prop_oneof![80 => event, 1 => Just(Event::Anew)];
    (0..3usize, event)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn tabs_agree_with_each_other_and_with_the_log(events in prop::collection::vec(event(), 0..150)) {
        let mut world = World::new();
        let before = |tab: &Tab| tab.chat.rooms()[0].unread;
        for (tab, event) in &events {
            world.step(*tab, event);
            prop_assert!(world.tabs.iter().map(before).all(|unread| unread <= UNREAD_MAX));
        }
        world.settle();
        let naive = world.store.reading().unread;
        let counts: Vec<_> = world.tabs.iter().map(|tab| tab.chat.unread_in(&room("a").key)).collect();
        prop_assert_eq!(counts, vec![Some(naive); 3]);
        let shown: Vec<_> = world.tabs.iter().map(|tab| tab.chat.unread()).collect();
        prop_assert_eq!(shown, vec![naive; 3], "and the page says so");
    }
}

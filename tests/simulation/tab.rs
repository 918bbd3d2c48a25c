//! One tab of a person's browser: the product's own client over sockets in memory.

use super::{
    eye::Eye,
    http::{self, Load},
    record::Slot,
    trace::millis,
    wire::{Event, Wire},
    world::{START, World},
};
use crate::memory_store::chance::Chance;
use app::{
    client::{
        chat_client::{ChatClient, Command, Saved, SocketId},
        opening::Opening,
        state::ConnectionState,
    },
    domain::{Entry, RoomKey},
    protocol::{ClientFrame, Person, ServerFrame},
};
use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{Instant, sleep, sleep_until},
};

/// How often a tab that rests says in full how it stands.
const LOOK: Duration = Duration::from_millis(200);

/// How a tab stands, for whoever compares.
#[derive(Default)]
pub struct State {
    pub me: Option<Person>,
    pub signed_out: bool,
    pub online: bool,
    pub sockets: usize,
    pub rooms: Vec<RoomState>,
}

pub struct RoomState {
    pub key: RoomKey,
    pub entries: Option<Vec<Arc<Entry>>>,
    pub unread: usize,
    pub count: usize,
    pub people: Vec<Person>,
    /// Texts that are not in the log yet.
    pub waiting: Vec<String>,
    pub failed: Vec<String>,
}

/// Where a tab says how it stands.
pub type Seat = Rc<RefCell<Rc<State>>>;

pub struct Tab {
    pub(super) id: usize,
    pub(super) world: Rc<World>,
    pub(super) cookie: String,
    pub(super) chance: Chance,
    pub(super) chat: ChatClient,
    pub(super) eye: Eye,
    pub(super) wires: Vec<(SocketId, Wire)>,
    events: UnboundedReceiver<Event>,
    sender: UnboundedSender<Event>,
    started: Instant,
    /// What a browser would keep over a reload.
    storage: Option<Saved>,
    pub(super) written: u64,
    /// Of the messages it was asked for, those it wrote.
    answered: u32,
    pub(super) state: Seat,
    /// How long a pause between two acts may be.
    pub(super) pause: Duration,
}

impl Tab {
    /// Loads the page of a room and comes alive; `None` if the session is over.
    pub async fn open(
        id: usize,
        world: Rc<World>,
        cookie: String,
        room: &str,
        mut chance: Chance,
        state: Seat,
    ) -> Option<Self> {
        let (me, opening) = load(&world, &mut chance, &cookie, &format!("/r/{room}")).await?;
        let (sender, events) = unbounded_channel();
        world.trace.line(format_args!("tab {id} is {} ({})", me.name.as_str(), me.id));
        world.record.borrow_mut().cookies.insert(cookie.clone(), me.id);
        let chat = ChatClient::new(me, &opening, 0, numbers(&mut chance));
        Some(Self {
            id,
            world,
            cookie,
            chat,
            eye: Eye::default(),
            wires: Vec::new(),
            events,
            sender,
            started: Instant::now(),
            storage: None,
            written: 0,
            answered: 0,
            state,
            pause: Duration::from_millis(*chance.pick(&[300, 1_500, 6_000, 40_000])?),
            chance,
        })
    }

    /// Lives until its session ends; then it only says so.
    pub async fn live(mut self) {
        self.after();
        let mut next_act = Instant::now() + self.chance.within(self.pause);
        let mut next_look = Instant::now();
        while self.chat.connection() != ConnectionState::SignedOut && !self.eye.is_flooded() {
            let wake = self.chat.next_wake().map(|ms| self.started + Duration::from_millis(ms));
            tokio::select! {
                biased;
                Some(event) = self.events.recv() => {
                    self.happened(event);
                    while let Ok(event) = self.events.try_recv() {
                        self.happened(event);
                    }
                }
                () = sleep_until(wake.unwrap_or(next_act)), if wake.is_some() => {}
                () = sleep_until(next_act), if self.world.busy.get() => {
                    if !self.act().await {
                        break;
                    }
                    next_act = Instant::now() + self.chance.within(self.pause);
                }
                // Somebody may look at the state.
                () = sleep_until(next_look), if !self.world.busy.get() => {
                    if self.answered < self.world.asked.get() {
                        self.answered += 1;
                        self.say();
                        if self.world.read_all.get() {
                            self.read_all();
                        }
                        self.after();
                    }
                    self.report();
                    next_look = Instant::now() + LOOK;
                }
            }
            self.tick();
        }
        self.world.trace.line(format_args!("tab {} is signed out", self.id));
        self.world.record.borrow_mut().abandon(|it| it.tab == self.id);
        self.wires.clear();
        *self.state.borrow_mut() = Rc::new(State { signed_out: true, ..State::default() });
    }

    fn now(&self) -> u64 {
        millis(self.started.elapsed())
    }

    fn tick(&mut self) {
        self.chat.tick(self.now());
        self.after();
    }

    fn happened(&mut self, event: Event) {
        self.chat.tick(self.now());
        match event {
            Event::Frame(socket, frame) => {
                // What comes on a socket that the session gave up is nobody's business.
                if self.wires.iter().any(|(id, _)| *id == socket) {
                    self.tap(socket, &frame);
                    self.chat.received(socket, *frame);
                }
            }
            Event::Closed(socket, code) => {
                let before = self.wires.len();
                self.wires.retain(|(id, _)| *id != socket);
                if self.wires.len() < before {
                    self.eye.closed(socket);
                    self.world.trace.line(format_args!("tab {}.{socket} closed {code:?}", self.id));
                    self.chat.closed(socket, code);
                }
            }
        }
        self.after();
    }

    /// Notes what arrived.
    fn tap(&mut self, socket: SocketId, frame: &ServerFrame) {
        self.world.trace.frame(self.id, socket, '<', frame);
        let mut record = self.world.record.borrow_mut();
        self.eye.incoming(&mut record, self.id, socket, frame, self.world.trace.now());
        let by = self.chat.me().id;
        match frame {
            ServerFrame::Ack { room, p, n, at } => {
                record.ack(&Slot { by, p: *p, room: room.clone(), n: *n }, *at);
            }
            ServerFrame::Voided { room, p, n } => {
                record.voided.insert(Slot { by, p: *p, room: room.clone(), n: *n });
            }
            ServerFrame::Entry { entry, .. } => record.delivered(by, entry, entry.at.saturating_sub(START)),
            _ => {}
        }
    }

    /// Looks at what became of it, and does what the session commands.
    pub(super) fn after(&mut self) {
        self.eye.look(&mut self.world.record.borrow_mut(), self.id, &self.chat);
        // Before anything of it is sent, as in the browser.
        if let Some(saved) = self.chat.take_saved() {
            self.storage = Some(saved);
        }
        loop {
            let commands = self.chat.commands();
            if commands.is_empty() {
                return;
            }
            for command in commands {
                match command {
                    Command::Open(id) => {
                        self.eye.opened(id, self.world.trace.now() + millis(self.world.setup.socket_lifetime));
                        self.world.trace.line(format_args!("tab {}.{id} opens", self.id));
                        let (chance, sender) = (self.chance.fork(), self.sender.clone());
                        self.wires.push((id, Wire::open(id, &self.world, chance, &self.cookie, sender)));
                    }
                    Command::Send(id, frame) => self.send(id, &frame),
                    Command::Close(id) => {
                        self.world.trace.line(format_args!("tab {}.{id} closes", self.id));
                        self.wires.retain(|(other, _)| *other != id);
                        let (mut record, now) = (self.world.record.borrow_mut(), self.world.trace.now());
                        self.eye.gave_up(&mut record, self.id, id, &self.chat, now);
                    }
                }
            }
        }
    }

    fn send(&mut self, socket: SocketId, frame: &ClientFrame) {
        let Some((_, wire)) = self.wires.iter().find(|(id, _)| *id == socket) else { return };
        self.world.trace.frame(self.id, socket, '>', frame);
        self.eye.outgoing(socket, frame);
        let (mut record, by) = (self.world.record.borrow_mut(), self.chat.me().id);
        match frame {
            ClientFrame::Send { room, p, n, text, .. } => {
                record.send(Slot { by, p: *p, room: room.clone(), n: *n }, Some(text));
            }
            ClientFrame::Void { room, p, n } => record.send(Slot { by, p: *p, room: room.clone(), n: *n }, None),
            _ => {}
        }
        wire.send(frame);
    }

    /// Loads a page in the place of this one, with what the browser kept, if it kept it. `false` if the session is over.
    pub(super) async fn load_anew(&mut self, path: &str, kept: bool) -> bool {
        self.world.trace.line(format_args!("tab {} loads {path}, kept: {kept}", self.id));
        for (_, wire) in self.wires.drain(..) {
            if self.chance.happens(500) {
                wire.abandon();
            }
        }
        if !kept {
            self.storage = None;
            self.world.record.borrow_mut().abandon(|it| it.tab == self.id);
        }
        // Whatever was still on its way belongs to a page that is gone.
        (self.sender, self.events) = unbounded_channel();
        let Some((me, opening)) = load(&self.world, &mut self.chance, &self.cookie, path).await else { return false };
        self.started = Instant::now();
        self.eye = Eye::default();
        let by = me.id;
        self.chat = ChatClient::new(me, &opening, 0, numbers(&mut self.chance));
        // Left in another tab.
        self.world
            .record
            .borrow_mut()
            .abandon(|it| it.by == by && !opening.rooms.iter().any(|mine| mine.room.key == it.room));
        if let Some(saved) = self.storage.take() {
            // As storage would give it back.
            let kept = serde_json::to_string(&saved).unwrap();
            self.chat.adopt(serde_json::from_str(&kept).unwrap());
        }
        self.after();
        true
    }
}

/// Numbers for the session, from the tab's own.
fn numbers(chance: &mut Chance) -> Box<dyn FnMut() -> u64> {
    let mut own = chance.fork();
    Box::new(move || own.id())
}

async fn load(world: &Rc<World>, chance: &mut Chance, cookie: &str, path: &str) -> Option<(Person, Opening)> {
    loop {
        match http::load(world, chance.fork(), cookie, path).await {
            Load::Page(me, opening) => return Some((me, *opening)),
            Load::SignedOut => return None,
            Load::Failed => sleep(chance.within(Duration::from_millis(400))).await,
        }
    }
}

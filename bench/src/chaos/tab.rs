//! One tab of a person's browser: the product's own client model over real sockets.

use super::{
    eye::Eye,
    late::Late,
    people::{self, Load},
    record::{Invariant, Record, RoomId, Slot, TabId},
    wire::{Event, Wire},
};
use app::{
    domain::MessageText,
    protocol::{ClientFrame, Person, ServerFrame},
};
use client::{
    clock::utc,
    opening::Opening,
    rows::{Pending, Row},
    session::{Command, Saved, Session, SocketId},
    state::Link,
};
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{Instant, sleep, sleep_until},
};

/// How often a tab that rests says in full how it stands.
const LOOK: Duration = Duration::from_millis(200);
/// A hand-over takes less, unless something else is wrong.
const HAND_OVER: Duration = Duration::from_secs(3);

/// What every tab of a run shares.
pub struct Shared {
    pub record: RefCell<Record>,
    pub http: reqwest::Client,
    pub front: SocketAddr,
    /// Whether anybody still does anything.
    pub busy: Cell<bool>,
    /// Mean pause between two acts of one tab.
    pub pause: Duration,
    pub longest_text: usize,
    /// How each tab stands, for whoever waits for something.
    pub states: RefCell<Vec<State>>,
    /// Acknowledgements to be read back on any instance.
    pub probes: UnboundedSender<Probe>,
}

/// Something that was acknowledged, and to whom.
pub struct Probe {
    pub cookie: String,
    pub room: RoomId,
    pub at: app::domain::Cursor,
    pub when: u64,
}

/// What a tab shows of itself to the outside.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub alive: bool,
    /// Has a socket that follows every room.
    pub online: bool,
    /// Sockets lost so far.
    pub losses: u32,
    /// Reloads begun so far, and whether one is going on.
    pub loads: u32,
    pub loading: bool,
    /// Who, and in which rooms with which seq at the end of the list.
    pub me: Option<Person>,
    pub rooms: Vec<(RoomId, u64)>,
    /// What each room says of who is here.
    pub people: Vec<(RoomId, usize, Vec<Person>)>,
    /// The texts that failed.
    pub failed: Vec<String>,
    /// Texts that are still waiting.
    pub waiting: Vec<String>,
}

/// Who sits at a tab.
#[derive(Clone)]
pub struct Login {
    pub cookie: String,
    pub over: Rc<Cell<bool>>,
}

pub struct Tab {
    id: TabId,
    shared: Rc<Shared>,
    login: Login,
    random: fastrand::Rng,
    session: Session,
    eye: Eye,
    wires: Vec<(SocketId, Wire)>,
    late: HashMap<SocketId, Late>,
    events: UnboundedReceiver<Event>,
    sender: UnboundedSender<Event>,
    started: Instant,
    /// What a browser would keep over a reload.
    storage: Option<Saved>,
    written: u64,
    /// The socket that is to be left, and since when.
    told_to_move: Option<(SocketId, Instant)>,
}

impl Tab {
    /// Loads the page of a room and comes alive; `None` if the session is over.
    pub async fn open(id: TabId, shared: Rc<Shared>, login: Login, room: RoomId, seed: u64) -> Option<Self> {
        let mut random = fastrand::Rng::with_seed(seed);
        let (me, screen) = load(&shared, &login, room).await?;
        shared.record.borrow_mut().names.insert(me.id, me.name.as_str().to_owned());
        let (sender, events) = unbounded_channel();
        let session = Session::new(me, &screen, 0, numbers(&mut random));
        Some(Self {
            id,
            shared,
            login,
            random,
            session,
            eye: Eye::default(),
            wires: Vec::new(),
            late: HashMap::new(),
            events,
            sender,
            started: Instant::now(),
            storage: None,
            written: 0,
            told_to_move: None,
        })
    }

    /// Lives until its person signs out.
    pub async fn live(mut self) {
        self.after();
        let mut next_act = Instant::now() + self.next_pause();
        let mut next_look = Instant::now();
        loop {
            let wake = self.session.next_wake().map(|ms| self.started + Duration::from_millis(ms));
            tokio::select! {
                Some(event) = self.events.recv() => {
                    self.happened(event);
                    while let Ok(event) = self.events.try_recv() {
                        self.happened(event);
                    }
                }
                () = sleep_until(wake.unwrap_or(next_act)), if wake.is_some() => {}
                () = sleep_until(next_act), if self.shared.busy.get() => {
                    if !self.act().await {
                        break;
                    }
                    next_act = Instant::now() + self.next_pause();
                }
                // Somebody may look at the state.
                () = sleep_until(next_look), if !self.shared.busy.get() => {
                    self.report(true);
                    next_look = Instant::now() + LOOK;
                }
            }
            self.tick();
            if self.session.link() == Link::SignedOut || self.login.over.get() {
                break;
            }
        }
        self.shared.record.borrow_mut().abandon(self.id);
        self.shared.states.borrow_mut()[self.id] = State::default();
    }

    fn next_pause(&mut self) -> Duration {
        // Exponential, so that tabs neither march in step nor ever all rest.
        self.shared.pause.mul_f64((-(1.0 - self.random.f64()).ln()).min(8.0))
    }

    fn tick(&mut self) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.session.tick(now);
        self.after();
    }

    fn happened(&mut self, event: Event) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.session.tick(now);
        match event {
            Event::Frame(socket, frame) => {
                // What comes on a socket that the session gave up is nobody's business.
                if self.wires.iter().any(|(id, _)| *id == socket) {
                    self.tap(socket, &frame);
                    self.session.received(socket, *frame);
                }
            }
            Event::Closed(socket, code) => {
                let before = self.wires.len();
                self.wires.retain(|(id, _)| *id != socket);
                if self.wires.len() < before {
                    self.shared.states.borrow_mut()[self.id].losses += 1;
                    self.session.closed(socket, code);
                }
            }
        }
        self.after();
    }

    /// Notes what arrived.
    fn tap(&mut self, socket: SocketId, frame: &ServerFrame) {
        let mut record = self.shared.record.borrow_mut();
        record.trace(self.id, socket, "<", frame);
        self.eye.incoming(&mut record, self.id, socket, frame);
        let by = self.session.me().id;
        let now = record.now();
        let said = self.late.entry(socket).or_insert_with(|| Late::new(now)).heard(now);
        match frame {
            ServerFrame::Ack { room, p, n, at } => {
                let Some(room) = record.room_id(room) else { return };
                record.ack(Slot { by, p: *p, room, n: *n }, *at, said);
                super::judge::accepted_after_sign_out(&mut record, Slot { by, p: *p, room, n: *n });
                if self.random.u8(..) < 4 {
                    let (cookie, when) = (self.login.cookie.clone(), record.now());
                    let _ = self.shared.probes.send(Probe { cookie, room, at: *at, when });
                }
            }
            ServerFrame::Voided { room, p, n } => {
                let Some(room) = record.room_id(room) else { return };
                record.void(Slot { by, p: *p, room, n: *n }, said);
            }
            ServerFrame::Move { .. } => self.told_to_move = Some((socket, Instant::now())),
            ServerFrame::Refused { room, p, n, retry: true, .. } => {
                let Some(room) = record.room_id(room) else { return };
                record.refused(Slot { by, p: *p, room, n: *n });
            }
            ServerFrame::Entry { entry, .. } => super::judge::committed_after_sign_out(&mut record, by, entry),
            _ => {}
        }
    }

    /// Looks at what became of it, and does what the session commands.
    fn after(&mut self) {
        self.eye.look(&mut self.shared.record.borrow_mut(), self.id, &self.session);
        // Before anything of it is sent, as in the browser.
        if let Some(saved) = self.session.take_saved() {
            self.storage = Some(saved);
        }
        loop {
            let commands = self.session.commands();
            if commands.is_empty() {
                break;
            }
            for command in commands {
                match command {
                    Command::Open(id) => {
                        let wire = Wire::open(id, self.shared.front, &self.login.cookie, self.sender.clone());
                        self.late.remove(&id);
                        self.wires.push((id, wire));
                    }
                    Command::Send(id, frame) => self.send(id, &frame),
                    Command::Close(id) => {
                        self.wires.retain(|(other, _)| *other != id);
                        self.check_hand_over(id);
                    }
                }
            }
        }
        self.report(false);
    }

    /// A socket that was told to move is given up only once another one follows everything.
    fn check_hand_over(&mut self, closed: SocketId) {
        let Some((socket, told)) = self.told_to_move.take_if(|(socket, _)| *socket == closed) else { return };
        let followed = self.eye.follows_all(self.wires.iter().map(|(id, _)| *id));
        // Later it may have been given up for its silence.
        if !followed && told.elapsed() < HAND_OVER && !self.login.over.get() && self.session.link() != Link::SignedOut {
            self.shared.record.borrow_mut().violate(Invariant::I4, || {
                format!("tab {} left socket {socket} before another one followed its rooms", self.id)
            });
        }
    }

    fn send(&mut self, socket: SocketId, frame: &ClientFrame) {
        let Some((_, wire)) = self.wires.iter().find(|(id, _)| *id == socket) else { return };
        let mut record = self.shared.record.borrow_mut();
        record.trace(self.id, socket, ">", frame);
        self.eye.outgoing(&record, socket, frame);
        let by = self.session.me().id;
        match frame {
            ClientFrame::Send { room, p, n, text, .. } => {
                if let Some(room) = record.room_id(room) {
                    record.send(Slot { by, p: *p, room, n: *n }, Some(text));
                }
            }
            ClientFrame::Void { room, p, n } => {
                if let Some(room) = record.room_id(room) {
                    record.send(Slot { by, p: *p, room, n: *n }, None);
                }
            }
            _ => {}
        }
        // Frames are structs of strings and numbers.
        wire.send(serde_json::to_string(frame).unwrap_or_default());
    }

    /// Does one of the things people do; `false` if the session turned out to be over.
    async fn act(&mut self) -> bool {
        match self.random.u32(0..1_000) {
            0..=5 => return self.reload().await,
            6..=15 => self.session.load_older(),
            16..=20 => self.discard_one(),
            21..=60 => self.retry_failed(),
            61..=70 => {
                for _ in 0..self.random.u32(5..30) {
                    self.say();
                }
            }
            71..=74 => self.session.come_back(),
            75..=78 => return self.come_and_go().await,
            _ => self.say(),
        }
        self.after();
        true
    }

    fn say(&mut self) {
        let rooms = self.session.rooms();
        let Some(room) = self.random.choice(&rooms).map(|room| room.room.key.clone()) else { return };
        if !self.session.open(&room) {
            return;
        }
        self.written += 1;
        let length = self.random.usize(0..self.shared.longest_text);
        let letter = *self.random.choice(&['x', '가', '😀', '"', '\\']).unwrap_or(&'x');
        let padding: String = std::iter::repeat_n(letter, length).collect();
        let text = format!("{}.{} {padding}", self.id, self.written).trim_end().to_owned();
        let Ok(message) = MessageText::parse(&text) else { return };
        let mut record = self.shared.record.borrow_mut();
        if let Some(room) = record.room_id(&room) {
            record.submit(&text, self.id, room, self.session.me().id);
        }
        drop(record);
        self.session.send(message);
    }

    /// Rows of the open room that are not in the log yet.
    fn pending(&self) -> Vec<(u64, String, Pending)> {
        let rows = self.session.rows(&utc).into_iter();
        let pending = |row| if let Row::Pending { n, text, state, .. } = row { Some((n, text, state)) } else { None };
        rows.filter_map(pending).collect()
    }

    fn discard_one(&mut self) {
        let Some((id, text, _)) = self.random.choice(self.pending()) else { return };
        self.shared.record.borrow_mut().discard(&text);
        self.session.discard(id);
    }

    /// Tries what failed again, in every room.
    fn retry_failed(&mut self) {
        for room in self.session.rooms() {
            if !self.session.open(&room.room.key) {
                continue;
            }
            for (id, text, state) in self.pending() {
                if matches!(state, Pending::Failed(_)) {
                    let mut record = self.shared.record.borrow_mut();
                    if let Some(room) = record.room_id(&room.room.key) {
                        record.submit(&text, self.id, room, self.session.me().id);
                    }
                    drop(record);
                    self.session.retry(id);
                }
            }
        }
    }

    /// Loads the page anew, with what the browser kept.
    async fn reload(&mut self) -> bool {
        let open = self.session.open_room().and_then(|room| self.shared.record.borrow().room_id(&room.key));
        self.load_anew(open.unwrap_or(0)).await
    }

    /// Leaves a room, or goes into another one.
    async fn come_and_go(&mut self) -> bool {
        let rooms = self.session.rooms();
        let all = self.shared.record.borrow().rooms.len();
        if rooms.len() > 2 && self.random.bool() {
            if let Some(room) = self.random.choice(&rooms) {
                let room = room.room.key.clone();
                let mut record = self.shared.record.borrow_mut();
                if let Some(room) = record.room_id(&room) {
                    record.abandon_room(self.session.me().id, room);
                }
                drop(record);
                self.session.leave(&room);
                self.after();
            }
            return true;
        }
        let room = self.random.usize(0..all);
        self.load_anew(room).await
    }

    async fn load_anew(&mut self, room: RoomId) -> bool {
        for (_, wire) in self.wires.drain(..) {
            if self.random.bool() {
                wire.abandon();
            }
        }
        {
            let mut states = self.shared.states.borrow_mut();
            let state = &mut states[self.id];
            (state.loads, state.loading, state.online) = (state.loads + 1, true, false);
        }
        // Whatever was still on its way belongs to a page that is gone.
        let (sender, events) = unbounded_channel();
        (self.sender, self.events) = (sender, events);
        let Some((me, screen)) = load(&self.shared, &self.login, room).await else { return false };
        self.shared.states.borrow_mut()[self.id].loading = false;
        self.started = Instant::now();
        self.shared.record.borrow_mut().trace(self.id, 0, "loaded", &self.storage);
        self.eye = Eye::default();
        self.told_to_move = None;
        let rooms = self.shared.record.borrow().rooms.len();
        for room in 0..rooms {
            self.shared.record.borrow_mut().tell(self.id, room);
        }
        let by = me.id;
        self.session = Session::new(me, &screen, 0, numbers(&mut self.random));
        let mut record = self.shared.record.borrow_mut();
        for room in 0..record.rooms.len() {
            // Left in another tab.
            if !screen.rooms.iter().any(|mine| mine.room == record.rooms[room]) {
                record.abandon_room(by, room);
            }
        }
        drop(record);
        if let Some(saved) = self.storage.take() {
            // As storage would give it back.
            let kept = serde_json::to_string(&saved).ok().and_then(|json| serde_json::from_str(&json).ok());
            if let Some(kept) = kept {
                self.session.adopt(kept);
            }
        }
        self.after();
        true
    }

    /// Says how this tab stands. `all`: including what takes a walk through its rooms.
    fn report(&mut self, all: bool) {
        let followed = self.eye.follows_all(self.wires.iter().map(|(id, _)| *id));
        let mut states = self.shared.states.borrow_mut();
        let state = &mut states[self.id];
        (state.alive, state.rooms) = (true, self.eye.rooms());
        state.online = followed && self.session.link() == Link::Online;
        if !all {
            return;
        }
        let record = self.shared.record.borrow();
        let rooms = self.session.rooms().into_iter().map(|room| room.room.key);
        let keys: Vec<_> = rooms.filter_map(|key| Some((record.room_id(&key)?, key))).collect();
        drop(record);
        state.me = Some(self.session.me().clone());
        (state.people, state.failed, state.waiting) = Default::default();
        for (room, key) in keys {
            if !self.session.open(&key) {
                continue;
            }
            state.people.push((room, self.session.count(), self.session.people().to_vec()));
            let pending = self.session.rows(&utc).into_iter();
            for row in pending {
                if let Row::Pending { text, state: pending, .. } = row {
                    match pending {
                        Pending::Waiting => state.waiting.push(text),
                        Pending::Failed(_) => state.failed.push(text),
                    }
                }
            }
        }
    }
}

/// Numbers for the session, from the tab's own.
fn numbers(random: &mut fastrand::Rng) -> Box<dyn FnMut() -> u64> {
    let mut own = random.fork();
    Box::new(move || own.u64(1..))
}

async fn load(shared: &Shared, login: &Login, room: RoomId) -> Option<(Person, Opening)> {
    let path = shared.record.borrow().rooms[room].key.path();
    loop {
        match people::load(&shared.http, shared.front, &login.cookie, &path).await {
            Load::Page(page) => return Some((page.me, page.screen.opening)),
            Load::SignedOut => return None,
            Load::Failed if login.over.get() => return None,
            Load::Failed => sleep(Duration::from_millis(100)).await,
        }
    }
}

//! One tab of a person's browser: the product's own client model over real sockets.

//!
//! | module | what it is for |
//! |---|---|
//! | [`acts`] | what people do in it |
//! | [`frames`] | what it hears and says, as the history has it |
//! | [`page`] | loading a page, and what a reload keeps |
//! | [`standing`] | how it stands, for whoever waits for something |

mod acts;
mod frames;
mod page;
mod standing;

use super::{
    Login, Shared, TabState,
    socket::{Event, Socket},
};
use crate::chaos::checker::{Invariant, OnlineChecker, RoomId, Staleness, TabId};
use client::{
    chat_client::{ChatClient, Command, Saved, SocketId},
    state::ConnectionState,
};
use std::{collections::HashMap, rc::Rc, time::Duration};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{Instant, sleep_until},
};

/// How often a tab that rests says in full how it stands.
const LOOK: Duration = Duration::from_millis(200);
/// A hand-over takes less, unless something else is wrong.
const HAND_OVER: Duration = Duration::from_secs(3);

/// The model, its sockets, and what checks them. It lives on the thread that started it: the model is not `Send`.
pub struct Tab {
    id: TabId,
    shared: Rc<Shared>,
    login: Login,
    random: fastrand::Rng,
    chat: ChatClient,
    online: OnlineChecker,
    sockets: Vec<(SocketId, Socket)>,
    staleness: HashMap<SocketId, Staleness>,
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
        let (me, screen) = page::load(&shared, &login, room).await?;
        shared.history.borrow_mut().names.insert(me.id, me.name.as_str().to_owned());
        let (sender, events) = unbounded_channel();
        let chat = ChatClient::new(me, &screen, 0, page::numbers(&mut random));
        Some(Self {
            id,
            shared,
            login,
            random,
            chat,
            online: OnlineChecker::default(),
            sockets: Vec::new(),
            staleness: HashMap::new(),
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
            let wake = self.chat.next_wake().map(|ms| self.started + Duration::from_millis(ms));
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
            if self.chat.connection() == ConnectionState::SignedOut || self.login.over.get() {
                break;
            }
        }
        self.shared.history.borrow_mut().abandon(self.id);
        self.shared.states.borrow_mut()[self.id] = TabState::default();
    }

    fn next_pause(&mut self) -> Duration {
        // Exponential, so that tabs neither march in step nor ever all rest.
        self.shared.pause.mul_f64((-(1.0 - self.random.f64()).ln()).min(8.0))
    }

    fn tick(&mut self) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.chat.tick(now);
        self.after();
    }

    fn happened(&mut self, event: Event) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.chat.tick(now);
        match event {
            Event::Frame(socket, frame) => {
                // What comes on a socket that the session gave up is nobody's business.
                if self.sockets.iter().any(|(id, _)| *id == socket) {
                    self.tap(socket, &frame);
                    self.chat.received(socket, *frame);
                }
            }
            Event::Closed(socket, code) => {
                let before = self.sockets.len();
                self.sockets.retain(|(id, _)| *id != socket);
                if self.sockets.len() < before {
                    self.shared.states.borrow_mut()[self.id].losses += 1;
                    self.chat.closed(socket, code);
                }
            }
        }
        self.after();
    }

    /// Looks at what became of it, and does what the session commands.
    fn after(&mut self) {
        self.online.look(&mut self.shared.history.borrow_mut(), self.id, &self.chat);
        // Before anything of it is sent, as in the browser.
        if let Some(saved) = self.chat.take_saved() {
            self.storage = Some(saved);
        }
        loop {
            let commands = self.chat.commands();
            if commands.is_empty() {
                break;
            }
            for command in commands {
                match command {
                    Command::Open(id) => {
                        let socket = Socket::open(id, self.shared.front, &self.login.cookie, self.sender.clone());
                        self.staleness.remove(&id);
                        self.sockets.push((id, socket));
                    }
                    Command::Send(id, frame) => self.send(id, &frame),
                    Command::Close(id) => {
                        self.sockets.retain(|(other, _)| *other != id);
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
        let followed = self.online.follows_all(self.sockets.iter().map(|(id, _)| *id));
        // Later it may have been given up for its silence.
        if !followed
            && told.elapsed() < HAND_OVER
            && !self.login.over.get()
            && self.chat.connection() != ConnectionState::SignedOut
        {
            self.shared.history.borrow_mut().violate(Invariant::I4, || {
                format!("tab {} left socket {socket} before another one followed its rooms", self.id)
            });
        }
    }
}

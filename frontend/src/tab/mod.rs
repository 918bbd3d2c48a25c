//! Glue between the [`ChatClient`] and the browser: sockets, time, events of the window, the address bar.
//!
//! | module | what it is for |
//! |---|---|
//! | `socket` | one WebSocket, as the session's commands want it |
//! | `window` | what the browser tells the session: visible, online, back and forth |
//! | `storage` | where the outboxes outlive the tab |
//! | `drafts` | where what is not sent yet outlives the page |
//! | `locks` | one tab at a time goes on with an outbox |
//! | `paint` | the session's state into the signals of the page, once per frame |
//! | `actions` | what the page asks for |
//!
//! There is one client in a tab, and it is only ever entered through [`with`]. Signals are set outside of it, so that
//! whatever they set off may come back in.

mod actions;
mod drafts;
mod locks;
mod paint;
mod socket;
mod storage;
mod window;

use crate::whole::is_whole;
use app::{
    client::{
        chat_client::{ChatClient, Command, SocketId},
        drafts::Drafts,
        opening::Opening,
        state::ConnectionState,
    },
    domain::MessageText,
    view::room_view::RoomView,
};
use leptos::{prelude::*, tachys::dom::document, task::spawn_local};
use socket::BrowserSocket;
use std::{cell::RefCell, sync::Arc, time::Duration};
use storage::Storage;

thread_local! {
    static CLIENT: RefCell<Option<Client>> = const { RefCell::new(None) };
}

struct Client {
    view: RoomView,
    chat: ChatClient,
    /// Which build the page is of.
    build: String,
    /// Which build a server is of that does not speak this page's protocol.
    incompatible: Option<String>,
    sockets: Vec<(SocketId, BrowserSocket)>,
    storage: Storage,
    drafts: Drafts<drafts::Browser>,
    clock: Clock,
    /// The timer that is set, and when it goes off.
    wake: Option<(u64, TimeoutHandle)>,
    /// A repaint is due already.
    painting: bool,
}

/// Opens the socket and keeps `view` current as soon as it is known what this tab left behind when it was last here, so
/// that what is written from now on goes behind that. Until then the plain forms do the work.
pub fn attach(view: RoomView, opening: Opening, build: String) {
    let me = view.me.get_value();
    spawn_local(async move {
        let (storage, saved) = Storage::open(me.id).await;
        let mut clock = Clock::start();
        let mut chat = ChatClient::new(me, &opening, clock.now(), Box::new(window::random));
        chat.set_calendar(crate::clock::servers());
        chat.set_visible(window::is_visible());
        chat.set_notice(view.notice.get_untracked());
        if let Some(saved) = saved {
            chat.adopt(saved);
        }
        storage.watch();
        let name = &chat.me().name;
        let mut drafts = drafts::open(name);
        for (room, texts) in storage.take_strays().into_iter().flat_map(|stray| stray.take_unsent(name)) {
            drafts.put_before(&room, texts.iter().map(MessageText::as_str));
        }
        CLIENT.set(Some(Client {
            view,
            chat,
            build,
            incompatible: None,
            sockets: Vec::new(),
            storage,
            drafts,
            clock,
            wake: None,
            painting: false,
        }));
        window::listen();
        view.set_actions(Arc::new(actions::Hand));
        with(|_| ());
        // From here on the page's own script leaves the keys to this one.
        if let Some(html) = document().document_element() {
            let _ = html.set_attribute("data-script", "on");
        }
    });
}

/// Lets the session act at the present moment and does what it commands. `None` before [`attach`], and if the client is
/// being entered already.
fn with<T>(act: impl FnOnce(&mut ChatClient) -> T) -> Option<T> {
    let (mut act, mut answer) = (Some(act), None);
    enter(&mut |chat| answer = act.take().map(|act| act(chat)));
    answer
}

/// [`with`], compiled once for all that is done so.
fn enter(act: &mut dyn FnMut(&mut ChatClient)) {
    if !is_whole() {
        return;
    }
    CLIENT.with(|client| {
        let Ok(mut client) = client.try_borrow_mut() else { return };
        let Some(client) = client.as_mut() else { return };
        let now = client.clock.now();
        client.chat.tick(now);
        act(&mut client.chat);
        client.carry_out();
        client.set_timer(now);
        paint::soon(client);
    });
}

/// Drops a socket that closed.
fn forget(id: SocketId) {
    CLIENT.with_borrow_mut(|client| {
        if let Some(client) = client {
            client.sockets.retain(|(other, _)| *other != id);
        }
    });
}

/// The server is of a build that speaks another version of the protocol.
fn incompatible(build: String) {
    CLIENT.with_borrow_mut(|client| {
        if let Some(client) = client {
            client.incompatible = Some(build);
        }
    });
}

impl Client {
    fn carry_out(&mut self) {
        loop {
            // Before anything is sent: what has a number keeps it.
            if let Some(saved) = self.chat.take_saved() {
                self.storage.save(&saved);
            }
            let commands = self.chat.commands();
            if commands.is_empty() {
                break;
            }
            for command in commands {
                match command {
                    Command::Open(id) => match BrowserSocket::open(id) {
                        Some(socket) => self.sockets.push((id, socket)),
                        None => self.chat.closed(id, None),
                    },
                    Command::Send(id, frame) => {
                        if let Some((_, socket)) = self.sockets.iter().find(|(other, _)| *other == id) {
                            socket.send(&frame);
                        }
                    }
                    Command::Close(id) => self.sockets.retain(|(other, _)| *other != id),
                }
            }
        }
        if self.chat.connection() == ConnectionState::SignedOut {
            for (room, texts) in self.chat.take_unsent() {
                self.drafts.put_before(&room, texts.iter().map(MessageText::as_str));
            }
            self.storage.sign_out();
        }
        if !self.drafts.are_stored() {
            self.storage.ask_before_leaving();
        }
    }

    /// A timer that goes off too early costs less than setting it anew with each frame that arrives.
    fn set_timer(&mut self, now: u64) {
        let Some(at) = self.chat.next_wake() else { return };
        if let Some((set, timer)) = self.wake.take() {
            if set <= at {
                self.wake = Some((set, timer));
                return;
            }
            timer.clear();
        }
        let go_off = || {
            CLIENT.with_borrow_mut(|client| {
                if let Some(client) = client {
                    client.wake = None;
                }
            });
            with(|_| ());
        };
        self.wake =
            set_timeout_with_handle(go_off, Duration::from_millis(at.saturating_sub(now))).ok().map(|t| (at, t));
    }
}

/// Milliseconds that passed, by the wall clock: it counts the time a laptop sleeps. Set back, it stands still for a
/// moment.
struct Clock {
    last: u64,
    passed: u64,
}

impl Clock {
    fn start() -> Self {
        Self { last: crate::clock::now(), passed: 0 }
    }

    fn now(&mut self) -> u64 {
        let now = crate::clock::now();
        self.passed += now.saturating_sub(self.last);
        self.last = now;
        self.passed
    }
}

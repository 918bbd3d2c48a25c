//! Somebody who does not take no for an answer: their socket outlives its session.

use super::{
    Login, Shared,
    person::seat,
    socket::{Event, Socket},
};
use crate::chaos::checker::{RoomId, Slot, TabId, sessions};
use app::{
    domain::{ProducerId, UserId},
    protocol::{ClientFrame, ServerFrame},
};
use std::{rc::Rc, time::Duration};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::{Instant, sleep, timeout},
};

/// How long after a sign-out somebody who does not take no for an answer goes on.
const HAUNTING: Duration = Duration::from_secs(12);
const HAUNT_PACE: Duration = Duration::from_millis(250);

/// A socket that stays open beyond its session, as that of a modified client might.
pub struct Ghost {
    shared: Rc<Shared>,
    tab: TabId,
    pub me: UserId,
    room: RoomId,
    socket: Socket,
    events: UnboundedReceiver<Event>,
    p: ProducerId,
}

impl Ghost {
    /// Joins a room with a session that is about to end; `None` if that takes too long.
    pub async fn appear(shared: Rc<Shared>, login: &Login, room: RoomId, seed: u64) -> Option<Self> {
        let (sender, mut events) = unbounded_channel();
        let socket = Socket::open(0, shared.front, &login.cookie, sender);
        let key = shared.history.borrow().rooms[room].key.clone();
        let joined = async {
            let mut who = None;
            loop {
                match events.recv().await? {
                    Event::Frame(_, frame) => match *frame {
                        ServerFrame::Hello { me, .. } => {
                            who = Some(me);
                            let join = ClientFrame::Join { room: key.clone(), cursor: None };
                            socket.send(serde_json::to_string(&join).ok()?);
                        }
                        ServerFrame::Joined { .. } => return who,
                        ServerFrame::Error { .. } => return None,
                        _ => {}
                    },
                    Event::Closed(..) => return None,
                }
            }
        };
        let me = timeout(Duration::from_secs(3), joined).await.ok()??;
        shared.history.borrow_mut().names.insert(me.id, me.name.as_str().to_owned());
        let tab = seat(&shared);
        Some(Self { shared, tab, me: me.id, room, socket, events, p: ProducerId(seed | 1) })
    }

    /// Sends on, and notes what is answered, until it is thrown out.
    pub async fn haunt(mut self) {
        let end = Instant::now() + HAUNTING;
        let key = self.shared.history.borrow().rooms[self.room].key.clone();
        let mut n = 0;
        while Instant::now() < end {
            n += 1;
            let text = format!("ghost {}.{n}", self.tab);
            let slot = Slot { by: self.me, p: self.p, room: self.room, n };
            {
                let mut history = self.shared.history.borrow_mut();
                history.submit(&text, self.tab, self.room, self.me);
                history.abandon(self.tab);
                history.send(slot, Some(&text));
            }
            let frame = ClientFrame::Send { room: key.clone(), p: self.p, n, text, earlier: Vec::new() };
            self.socket.send(serde_json::to_string(&frame).unwrap_or_default());
            let pause = sleep(HAUNT_PACE);
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    () = &mut pause => break,
                    event = self.events.recv() => match event {
                        Some(Event::Frame(_, frame)) => self.heard(*frame),
                        Some(Event::Closed(..)) | None => return,
                    },
                }
            }
        }
    }

    fn heard(&self, frame: ServerFrame) {
        let mut history = self.shared.history.borrow_mut();
        match frame {
            ServerFrame::Ack { room, p, n, at } => {
                let Some(room) = history.room_id(&room) else { return };
                let slot = Slot { by: self.me, p, room, n };
                let now = history.now();
                history.ack(slot, at, now);
                sessions::accepted_after_sign_out(&mut history, slot);
            }
            ServerFrame::Entry { entry, .. } => sessions::committed_after_sign_out(&mut history, self.me, &entry),
            _ => {}
        }
    }
}

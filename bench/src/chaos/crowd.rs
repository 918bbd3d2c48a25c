//! People come, talk in a few tabs, sign out, and come back as somebody else.

use super::{
    judge, people,
    record::{RoomId, Slot, TabId},
    tab::{Login, Shared, State, Tab},
    wire::{Event, Wire},
};
use app::{
    domain::{Cursor, EntryId, Epoch, ProducerId, UserId},
    protocol::{ClientFrame, Page, ServerFrame},
};
use std::{cell::Cell, rc::Rc, time::Duration};
use tokio::{
    sync::mpsc::unbounded_channel,
    task::spawn_local,
    time::{Instant, sleep, timeout},
};

/// How long after a sign-out somebody who does not take no for an answer goes on.
const HAUNTING: Duration = Duration::from_secs(12);
const HAUNT_PACE: Duration = Duration::from_millis(250);

pub struct Person {
    pub name: String,
    pub tabs: usize,
    /// How long one identity lasts, on average; `None`: for the whole run.
    pub stays: Option<Duration>,
    pub seed: u64,
}

/// One person's life, under changing names.
pub async fn live(person: Person, shared: Rc<Shared>) {
    let mut random = fastrand::Rng::with_seed(person.seed);
    let rooms = shared.record.borrow().rooms.len();
    for life in 0.. {
        let first = random.usize(0..rooms);
        let room = shared.record.borrow().rooms[first].name.as_str().to_owned();
        let name = format!("{}-{life}", person.name);
        let Ok(cookie) = people::sign_in(&shared.http, shared.front, &name, &room).await else {
            eprintln!("  {name} could not sign in");
            continue;
        };
        let login = Login { cookie, over: Rc::new(Cell::new(false)) };
        for tab in 0..person.tabs {
            let room = if tab == 0 { first } else { random.usize(0..rooms) };
            let id = seat(&shared);
            let (shared, login, seed) = (shared.clone(), login.clone(), random.u64(..));
            spawn_local(async move {
                if let Some(tab) = Tab::open(id, shared, login, room, seed).await {
                    tab.live().await;
                }
            });
        }
        let Some(stays) = person.stays else { return };
        sleep(stays.mul_f64(0.5 + random.f64())).await;
        if !shared.busy.get() {
            return;
        }
        leave(&shared, &login, random.usize(0..rooms), random.u64(..)).await;
    }
}

/// A place for a tab's state.
fn seat(shared: &Shared) -> TabId {
    let mut states = shared.states.borrow_mut();
    states.push(State::default());
    states.len() - 1
}

/// Signs out, while somebody holds on to one more socket of the session.
async fn leave(shared: &Rc<Shared>, login: &Login, room: RoomId, seed: u64) {
    let ghost = Ghost::appear(shared.clone(), login, room, seed).await;
    if people::sign_out(&shared.http, shared.front, &login.cookie).await.is_ok()
        && let Some(ghost) = ghost
    {
        let mut record = shared.record.borrow_mut();
        let now = record.now();
        record.signed_out.insert(ghost.me, now);
        drop(record);
        spawn_local(ghost.haunt());
    }
    // Long enough for each tab to be told, short enough for the next life.
    sleep(Duration::from_secs(6)).await;
    login.over.set(true);
}

/// A socket that stays open beyond its session, as that of a modified client might.
struct Ghost {
    shared: Rc<Shared>,
    tab: TabId,
    me: UserId,
    room: RoomId,
    wire: Wire,
    events: tokio::sync::mpsc::UnboundedReceiver<Event>,
    p: ProducerId,
}

impl Ghost {
    async fn appear(shared: Rc<Shared>, login: &Login, room: RoomId, seed: u64) -> Option<Self> {
        let (sender, mut events) = unbounded_channel();
        let wire = Wire::open(0, shared.front, &login.cookie, sender);
        let key = shared.record.borrow().rooms[room].key.clone();
        let joined = async {
            let mut who = None;
            loop {
                match events.recv().await? {
                    Event::Frame(_, frame) => match *frame {
                        ServerFrame::Hello { me, .. } => {
                            who = Some(me);
                            let join = ClientFrame::Join { room: key.clone(), cursor: None };
                            wire.send(serde_json::to_string(&join).ok()?);
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
        shared.record.borrow_mut().names.insert(me.id, me.name.as_str().to_owned());
        let tab = seat(&shared);
        Some(Self { shared, tab, me: me.id, room, wire, events, p: ProducerId(seed | 1) })
    }

    async fn haunt(mut self) {
        let end = Instant::now() + HAUNTING;
        let key = self.shared.record.borrow().rooms[self.room].key.clone();
        let mut n = 0;
        while Instant::now() < end {
            n += 1;
            let text = format!("ghost {}.{n}", self.tab);
            let slot = Slot { by: self.me, p: self.p, room: self.room, n };
            {
                let mut record = self.shared.record.borrow_mut();
                record.submit(&text, self.tab, self.room, self.me);
                record.abandon(self.tab);
                record.send(slot, Some(&text));
            }
            let frame = ClientFrame::Send { room: key.clone(), p: self.p, n, text, earlier: Vec::new() };
            self.wire.send(serde_json::to_string(&frame).unwrap_or_default());
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
        let mut record = self.shared.record.borrow_mut();
        match frame {
            ServerFrame::Ack { room, p, n, at } => {
                let Some(room) = record.room_id(&room) else { return };
                let slot = Slot { by: self.me, p, room, n };
                let now = record.now();
                record.ack(slot, at, now);
                judge::accepted_after_sign_out(&mut record, slot);
            }
            ServerFrame::Entry { entry, .. } => judge::committed_after_sign_out(&mut record, self.me, &entry),
            _ => {}
        }
    }
}

/// Reads acknowledged messages back through whichever instance answers.
pub async fn read_back(shared: Rc<Shared>, mut probes: tokio::sync::mpsc::UnboundedReceiver<super::tab::Probe>) {
    while let Some(probe) = probes.recv().await {
        let path = shared.record.borrow().rooms[probe.room].key.path();
        let people::Load::Page(page) = people::load(&shared.http, shared.front, &probe.cookie, &path).await else {
            continue;
        };
        let mut record = shared.record.borrow_mut();
        let now = record.now();
        let Page { entries, cursor: top, .. } = &page.screen.opening.page;
        let listed = top.seq < probe.at.seq + entries.len().max(40) as u64;
        let there = top.epoch == probe.at.epoch
            && top.seq >= probe.at.seq
            && (!listed || entries.iter().any(|entry| entry.cursor() == probe.at));
        if !there && !record.set_back_between(probe.when, now) {
            record.violate(super::record::Invariant::I5, || {
                format!("room {}: {:?} was acknowledged, then a page ended at {top:?} without it", probe.room, probe.at)
            });
        }
    }
}

/// The history of a room as one client reads it, newest page first, then back to the beginning.
pub async fn history(shared: &Rc<Shared>, cookie: &str, room: RoomId) -> crate::Result<Vec<app::domain::Entry>> {
    let key = shared.record.borrow().rooms[room].key.clone();
    let (sender, mut events) = unbounded_channel();
    let wire = Wire::open(0, shared.front, cookie, sender);
    let mut pages: Vec<Vec<app::domain::Entry>> = Vec::new();
    let ask = |epoch: Epoch, before: u64| {
        serde_json::to_string(&ClientFrame::History { room: key.clone(), epoch, before }).unwrap_or_default()
    };
    loop {
        let event = timeout(Duration::from_secs(20), events.recv()).await?.ok_or("no more events")?;
        let Event::Frame(_, frame) = event else { return Err("the socket was closed".into()) };
        let page = match *frame {
            ServerFrame::Hello { .. } => {
                wire.send(serde_json::to_string(&ClientFrame::Join { room: key.clone(), cursor: None })?);
                continue;
            }
            ServerFrame::Joined { page, .. } | ServerFrame::History { page, .. } => page,
            ServerFrame::Error { code, .. } => return Err(format!("{code:?}").into()),
            _ => continue,
        };
        let (epoch, older) = (page.cursor.epoch, page.older);
        let first = page.entries.first().map_or(Cursor { epoch, seq: 0, id: EntryId(0) }, app::domain::Entry::cursor);
        pages.push(page.entries);
        if !older {
            wire.send(serde_json::to_string(&ClientFrame::Leave { room: key.clone() })?);
            // Gone from the room before anybody counts who is there.
            while let Ok(Some(Event::Frame(_, frame))) = timeout(Duration::from_secs(5), events.recv()).await {
                if matches!(*frame, ServerFrame::Left { .. }) {
                    break;
                }
            }
            return Ok(pages.into_iter().rev().flatten().collect());
        }
        wire.send(ask(epoch, first.seq));
    }
}

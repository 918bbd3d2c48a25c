//! What instances are told.

use super::Memory;
use app::{
    domain::{RoomKey, UserId},
    protocol::{Person, ReadMark},
};
use async_trait::async_trait;
use hubbub::engine::{Live, LiveSink, Record, StoreError, TokenHash, Unwritable};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

/// How long a shutdown waits for what was asked for before.
const STEP: Duration = Duration::from_secs(2);

#[derive(Debug, Clone)]
pub enum Event {
    Committed(RoomKey, Record),
    Presence(RoomKey),
    Typing(RoomKey, Person),
    Ended(TokenHash),
    Read(UserId, RoomKey, ReadMark),
    Doubt,
}

impl Event {
    /// The room that has to be followed to hear of it.
    pub fn room(&self) -> Option<&RoomKey> {
        match self {
            Self::Committed(room, _) | Self::Presence(room) | Self::Typing(room, _) => Some(room),
            Self::Ended(_) | Self::Read(..) | Self::Doubt => None,
        }
    }
}

/// What is on its way to an instance, and whom to tell it.
#[derive(Default)]
pub struct Inbox {
    sink: OnceLock<Arc<dyn LiveSink>>,
    queue: Mutex<Queue>,
    /// Who passes events on does so alone, so that they are told in their order.
    turn: Mutex<()>,
    pub news: Notify,
}

#[derive(Default)]
struct Queue {
    followed: BTreeSet<RoomKey>,
    /// By when it arrives, and what was sent before it.
    coming: BTreeMap<(Instant, u64), Event>,
    sent: u64,
    /// When the last one arrives of those that overtake none.
    last: Option<Instant>,
    /// Marks of which the latest word was lost, and nothing else that would have them asked for.
    missed: BTreeSet<(UserId, RoomKey)>,
}

impl Queue {
    fn push(&mut self, event: Event, due: Instant) {
        match &event {
            Event::Read(user, room, _) => drop(self.missed.remove(&(*user, room.clone()))),
            Event::Doubt => self.missed.clear(),
            _ => {}
        }
        self.sent += 1;
        self.coming.insert((due, self.sent), event);
    }
}

impl Inbox {
    pub fn wants(&self, event: &Event) -> bool {
        event.room().is_none_or(|room| self.queue.lock().unwrap().followed.contains(room))
    }

    /// Arrives now, whatever else is on its way.
    pub fn push(&self, event: Event) {
        self.queue.lock().unwrap().push(event, Instant::now());
    }

    /// Arrives then, or as soon as all that was sent before it in this manner.
    pub fn push_in_order(&self, event: Event, due: Instant) {
        let mut queue = self.queue.lock().unwrap();
        let due = queue.last.map_or(due, |last| last.max(due));
        queue.last = Some(due);
        queue.push(event, due);
    }

    /// It does not arrive, and nobody tells the instance.
    pub fn lose(&self, event: &Event) {
        if let Event::Read(user, room, _) = event {
            self.queue.lock().unwrap().missed.insert((*user, room.clone()));
        }
    }

    pub fn misses_mark(&self, user: UserId, room: &RoomKey) -> bool {
        self.queue.lock().unwrap().missed.contains(&(user, room.clone()))
    }

    pub fn lose_all(&self) {
        let mut queue = self.queue.lock().unwrap();
        queue.coming.clear();
        queue.last = None;
    }

    /// Returns when the next event arrives.
    pub fn pass_on_what_is_due(&self) -> Option<Instant> {
        let _turn = self.turn.lock().unwrap();
        loop {
            let event = {
                let mut queue = self.queue.lock().unwrap();
                let next = queue.coming.first_entry()?;
                let (due, _) = *next.key();
                if due > Instant::now() {
                    return Some(due);
                }
                next.remove()
            };
            // No other lock is held while the sink is called: what it does is its own business.
            if self.wants(&event)
                && let Some(sink) = self.sink.get()
            {
                pass_on(event, &**sink);
            }
        }
    }

    pub fn followed(&self) -> BTreeSet<RoomKey> {
        self.queue.lock().unwrap().followed.clone()
    }

    fn follow(&self, room: RoomKey) {
        self.queue.lock().unwrap().followed.insert(room);
    }

    fn unfollow(&self, room: &RoomKey) {
        self.queue.lock().unwrap().followed.remove(room);
    }
}

fn pass_on(event: Event, sink: &dyn LiveSink) {
    match event {
        Event::Committed(room, record) => sink.committed(&room, record),
        Event::Presence(room) => sink.presence_changed(&room),
        Event::Typing(room, person) => sink.typing(&room, person),
        Event::Ended(token) => sink.session_ended(token),
        Event::Read(user, room, mark) => sink.read(user, &room, mark),
        Event::Doubt => sink.doubt(None),
    }
}

#[async_trait]
impl Live for Memory {
    fn attach(&self, sink: Arc<dyn LiveSink>) {
        assert!(self.line.inbox.sink.set(sink).is_ok(), "a second sink was attached");
    }

    async fn follow(&self, room: &RoomKey) -> Result<(), StoreError> {
        let followed = room.clone();
        let answer = self.ask(move |turn| turn.by.inbox.follow(followed)).await;
        if answer.is_err() {
            self.line.inbox.unfollow(room);
        }
        answer
    }

    async fn unfollow(&self, room: &RoomKey) {
        self.line.inbox.unfollow(room);
    }

    async fn follow_again(&self, _: &RoomKey) -> Result<(), StoreError> {
        // What is followed stays so, whatever of it is lost.
        self.ask(|_| ()).await
    }

    async fn typing(&self, room: &RoomKey, person: &Person) -> Result<(), StoreError> {
        let typing = Event::Typing(room.clone(), person.clone());
        self.ask(move |turn| turn.tell(typing)).await
    }

    fn may_miss(&self) -> bool {
        self.line.store.options.may_miss
    }

    async fn writable(&self) -> Result<(), Unwritable> {
        Ok(self.ask(|_| ()).await?)
    }

    async fn shutdown(&self) {
        // Of an instance that stands still nothing arrives; its presence ends with its lease.
        if timeout(STEP, self.line.close()).await.is_ok() {
            self.line.release();
        }
    }
}

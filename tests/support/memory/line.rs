//! What connects an instance with the store. A request goes there on one of two ways, on which none overtakes another; is
//! done, whether or not anybody still waits for it; and its answer comes back by itself.

use super::{
    Memory, Shared,
    chance::Chance,
    faults::{Events, Trip},
    live::{Event, Inbox},
    presence::Here,
    state::Turn,
    ways::{Job, Kind, Ways},
};
use hubbub::engine::{AppendError, StoreError};
use std::{
    pin::pin,
    sync::{Arc, Mutex},
};
use tokio::{
    sync::{Notify, oneshot},
    task::yield_now,
    time::{Instant, sleep},
};

pub struct Line {
    pub number: usize,
    pub store: Arc<Shared>,
    pub inbox: Inbox,
    pub here: Here,
    condition: Mutex<Condition>,
    pub ways: Ways,
    /// Rings when the condition is another one, or a request was done.
    pub changed: Notify,
}

#[derive(Debug, Clone, Copy)]
pub struct Condition {
    pub connected: bool,
    pub frozen: bool,
    pub closed: bool,
    /// Rises with every connection that broke.
    connection: u64,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy)]
pub enum Failure {
    /// Nothing was done.
    Refused(&'static str),
    /// It may have been done.
    Unknown(&'static str),
}

impl From<Failure> for StoreError {
    fn from((Failure::Refused(why) | Failure::Unknown(why)): Failure) -> Self {
        Self(why.to_owned())
    }
}

impl From<Failure> for AppendError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(why) => Self::Unavailable(why.to_owned()),
            Failure::Unknown(why) => Self::Unknown(why.to_owned()),
        }
    }
}

impl Memory {
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        request: impl FnOnce(&mut Turn<'_>) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        Ok(self.line.ask(Kind::Other, request).await?)
    }
}

impl Line {
    pub fn new(number: usize, store: Arc<Shared>) -> Self {
        Self {
            number,
            store,
            inbox: Inbox::default(),
            here: Here::default(),
            condition: Mutex::new(Condition { connected: true, frozen: false, closed: false, connection: 0 }),
            ways: Ways::default(),
            changed: Notify::new(),
        }
    }

    /// Nothing is awaited before the request is on its way.
    pub async fn ask<T: Send + 'static>(
        &self,
        kind: Kind,
        request: impl FnOnce(&mut Turn<'_>) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let Condition { connected, closed, connection, .. } = self.condition();
        if closed {
            return Err(Failure::Refused("the engine was shut down"));
        }
        if !connected {
            return Err(Failure::Refused("not connected to the store"));
        }
        let trip = self.store.chances.lock().unwrap().trip(self.number, kind);
        let Trip { there, back, refused, unanswered } = trip;
        if refused {
            return Err(Failure::Refused("refused by the store"));
        }
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |turn| {
            let done = request(turn);
            Box::new(move || {
                // Whoever asked may have gone.
                let _ = answer.send(done);
            })
        });
        self.ways.send(kind, Instant::now() + there, job);
        self.work_off(kind);
        let done = answered.await.map_err(|_| Failure::Unknown("the connection broke"))?;
        // As from any store, an answer is never there at once.
        yield_now().await;
        if !back.is_zero() {
            sleep(back).await;
        }
        self.thawed().await;
        if self.condition().connection != connection {
            return Err(Failure::Unknown("the connection broke"));
        }
        if unanswered { Err(Failure::Unknown("no answer from the store")) } else { Ok(done) }
    }

    pub fn condition(&self) -> Condition {
        *self.condition.lock().unwrap()
    }

    fn set(&self, set: impl FnOnce(&mut Condition)) {
        set(&mut self.condition.lock().unwrap());
        self.changed.notify_waiters();
    }

    pub fn set_frozen(&self, frozen: bool) {
        self.set(|condition| condition.frozen = frozen);
        self.ways.ring();
        self.inbox.news.notify_one();
    }

    /// Takes no request any more, and waits until those are done that it took.
    pub async fn close(&self) {
        self.set(|condition| condition.closed = true);
        self.until(|line| line.ways.are_empty()).await;
    }

    /// Whether it was connected.
    pub fn cut(&self) -> bool {
        let was = self.condition().connected;
        self.set(|condition| {
            condition.connected = false;
            condition.connection += 1;
        });
        self.ways.lose_all();
        self.inbox.lose_all();
        self.changed.notify_waiters();
        was
    }

    pub fn heal(&self) {
        self.set(|condition| condition.connected = true);
        // The store may have come back with what it knew long ago.
        self.here.doubt();
        self.inbox.push(Event::Doubt);
        self.hand_over();
    }

    /// Puts an event on its way to the instance, if it is one for it.
    pub fn hear(&self, event: &Event, faults: Events, chance: &mut Chance) {
        if !self.condition().connected || !self.inbox.wants(event) {
            return;
        }
        if chance.happens(faults.lost) {
            return self.inbox.lose(event);
        }
        let due = Instant::now() + chance.within(faults.delay);
        for _ in 0..=usize::from(chance.happens(faults.doubled)) {
            self.inbox.push_in_order(event.clone(), due);
        }
    }

    /// Where nothing may be missed everything is passed on at once.
    pub fn hand_over(&self) {
        if !self.store.options.may_miss && !self.condition().frozen {
            self.inbox.pass_on_what_is_due();
        }
        self.inbox.news.notify_one();
    }

    async fn until(&self, met: impl Fn(&Self) -> bool) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if met(self) {
                return;
            }
            changed.await;
        }
    }

    pub async fn thawed(&self) {
        self.until(|line| !line.condition().frozen).await;
    }
}

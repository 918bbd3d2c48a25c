//! Who is where: each instance says who is at its sockets, and is believed for as long as it renews its lease.

use super::{Memory, line::Line, live::Event, millis, state::Turn};
use app::{
    domain::{RoomKey, UserId},
    order::natural,
    protocol::Person,
};
use async_trait::async_trait;
use hubbub::engine::{Presence, StoreError};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::sleep;

/// An instance that was silent for this long counts as dead.
pub const LEASE: Duration = Duration::from_secs(15);

type Rooms = BTreeMap<RoomKey, BTreeMap<UserId, Person>>;

/// The presence of one instance.
#[derive(Default)]
pub struct Here {
    /// The truth, whatever the store knows of it.
    rooms: Mutex<Rooms>,
    /// The store may say something else.
    doubtful: AtomicBool,
}

impl Here {
    pub fn doubt(&self) {
        self.doubtful.store(true, Ordering::SeqCst);
    }

    fn doubt_if_failed(&self, written: Result<(), StoreError>) -> Result<(), StoreError> {
        if written.is_err() {
            self.doubt();
        }
        written
    }
}

#[async_trait]
impl Presence for Memory {
    async fn enter(&self, room: &RoomKey, person: &Person) -> Result<(), StoreError> {
        let here = &self.line.here;
        here.rooms.lock().unwrap().entry(room.clone()).or_default().insert(person.id, person.clone());
        let (room, person) = (room.clone(), person.clone());
        here.doubt_if_failed(self.ask(move |turn| turn.enter(room, person)).await)
    }

    async fn leave(&self, room: &RoomKey, user: UserId) -> Result<(), StoreError> {
        let here = &self.line.here;
        if let Some(people) = here.rooms.lock().unwrap().get_mut(room) {
            people.remove(&user);
        }
        let room = room.clone();
        here.doubt_if_failed(self.ask(move |turn| turn.leave(room, user)).await)
    }

    async fn people(&self, room: &RoomKey) -> Result<Vec<Person>, StoreError> {
        let room = room.clone();
        self.ask(move |turn| turn.people_in(&room)).await
    }
}

impl Turn<'_> {
    fn enter(&mut self, room: RoomKey, person: Person) {
        let people = self.state.people.entry(room.clone()).or_default();
        if people.insert((self.by.number, person.id), person.clone()) != Some(person) {
            self.tell(Event::Presence(room));
        }
    }

    fn leave(&mut self, room: RoomKey, user: UserId) {
        let people = self.state.people.get_mut(&room);
        if people.and_then(|people| people.remove(&(self.by.number, user))).is_some() {
            self.tell(Event::Presence(room));
        }
    }

    /// As the instances say that are alive, and this one.
    pub fn people_in(&self, room: &RoomKey) -> Vec<Person> {
        let (alive, people) = (self.alive(), self.state.people.get(room));
        let here = people.into_iter().flatten().filter(|((instance, _), _)| alive.contains(instance));
        let here: BTreeMap<_, _> = here.map(|((_, user), person)| (*user, person.clone())).collect();
        let mut people: Vec<Person> = here.into_values().collect();
        people.sort_by(|a, b| natural(a.name.as_str(), b.name.as_str()).then(a.id.cmp(&b.id)));
        people
    }

    fn alive(&self) -> BTreeSet<usize> {
        let alive = self.state.leases.iter().filter(|(_, until)| **until > self.now).map(|(instance, _)| *instance);
        alive.chain([self.by.number]).collect()
    }

    /// Whether the lease had not lapsed.
    fn renew_lease(&mut self) -> bool {
        let until = self.now + millis(LEASE);
        self.state.leases.insert(self.by.number, until).is_some_and(|until| until > self.now)
    }

    /// Makes the store say of this instance that these are there, and nobody else.
    fn enter_only(&mut self, rooms: &Rooms) {
        let mine = self.by.number;
        for (room, people) in &mut self.state.people {
            people.retain(|(instance, _), _| *instance != mine);
            self.events.push(Event::Presence(room.clone()));
        }
        for (room, person) in rooms.iter().flat_map(|(room, people)| people.values().map(move |person| (room, person)))
        {
            self.enter(room.clone(), person.clone());
        }
    }
}

impl Line {
    /// Returns the instances that are alive.
    pub fn renew_lease(&self) -> BTreeSet<usize> {
        self.store.change(self, |turn| {
            let doubtful = self.here.doubtful.swap(false, Ordering::SeqCst);
            if !turn.renew_lease() || doubtful {
                turn.enter_only(&self.here.rooms.lock().unwrap());
            }
            turn.alive()
        })
    }

    /// Takes this instance and its people away.
    pub fn release(&self) {
        if self.condition().connected {
            self.store.change(self, |turn| {
                turn.enter_only(&Rooms::new());
                turn.state.leases.remove(&self.number);
            });
        }
    }

    /// Nobody else notices for us: a dead instance tells no one.
    fn report_presence_everywhere(&self) {
        for room in self.inbox.followed() {
            self.inbox.push(Event::Presence(room));
        }
        self.hand_over();
    }
}

/// Keeps the lease, and notices when another one has lapsed.
pub async fn keep(line: Arc<Line>) {
    let mut alive = BTreeSet::new();
    loop {
        sleep(LEASE / 3).await;
        line.thawed().await;
        let condition = line.condition();
        if condition.closed {
            return;
        }
        if condition.connected {
            let now = line.renew_lease();
            if alive.difference(&now).next().is_some() {
                line.report_presence_everywhere();
            }
            alive = now;
        }
    }
}

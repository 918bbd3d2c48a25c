//! Where to report, about which rooms, and who is in them.

use crate::engine::{LiveSink, Record, in_order};
use app::{
    domain::{RoomKey, UserId},
    protocol::Person,
};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock},
};

#[derive(Default)]
pub(super) struct Reports {
    sink: OnceLock<Arc<dyn LiveSink>>,
    followed: RwLock<HashSet<RoomKey>>,
    /// Rooms with nobody in them have no place here.
    people: Mutex<HashMap<RoomKey, HashMap<UserId, Person>>>,
}

impl Reports {
    pub fn attach(&self, sink: Arc<dyn LiveSink>) {
        if self.sink.set(sink).is_err() {
            tracing::error!("a second sink was attached to the store and is ignored");
        }
    }

    pub fn sink(&self) -> Option<&dyn LiveSink> {
        self.sink.get().map(AsRef::as_ref)
    }

    pub fn follow(&self, room: &RoomKey) {
        self.followed.write().unwrap_or_else(PoisonError::into_inner).insert(room.clone());
    }

    pub fn unfollow(&self, room: &RoomKey) {
        self.followed.write().unwrap_or_else(PoisonError::into_inner).remove(room);
    }

    fn follows(&self, room: &RoomKey) -> bool {
        self.followed.read().unwrap_or_else(PoisonError::into_inner).contains(room)
    }

    // No lock is held while the sink is called: what it does is its own business.

    pub fn committed(&self, room: &RoomKey, record: Record) {
        if let Some(sink) = self.sink()
            && self.follows(room)
        {
            sink.committed(room, record);
        }
    }

    pub fn typing(&self, room: &RoomKey, person: &Person) {
        if let Some(sink) = self.sink()
            && self.follows(room)
        {
            sink.typing(room, person.clone());
        }
    }

    fn presence_changed(&self, room: &RoomKey) {
        if let Some(sink) = self.sink()
            && self.follows(room)
        {
            sink.presence_changed(room);
        }
    }

    pub fn enter(&self, room: &RoomKey, person: &Person) {
        let before = self.with_people(|rooms| {
            let people = match rooms.get_mut(room) {
                Some(people) => people,
                None => rooms.entry(room.clone()).or_default(),
            };
            people.insert(person.id, person.clone())
        });
        if before.as_ref() != Some(person) {
            self.presence_changed(room);
        }
    }

    pub fn leave(&self, room: &RoomKey, user: UserId) {
        let left = self.with_people(|rooms| {
            let people = rooms.get_mut(room)?;
            let left = people.remove(&user);
            if people.is_empty() {
                rooms.remove(room);
            }
            left
        });
        if left.is_some() {
            self.presence_changed(room);
        }
    }

    /// In the natural order of names, then by id.
    pub fn people(&self, room: &RoomKey) -> Vec<Person> {
        let mut people: Vec<Person> = self
            .with_people(|rooms| rooms.get(room).map(|people| people.values().cloned().collect()).unwrap_or_default());
        people.sort_unstable_by(in_order);
        people
    }

    /// Everyone has left every room, and nobody is told.
    pub fn clear(&self) {
        self.with_people(HashMap::clear);
    }

    fn with_people<T>(&self, f: impl FnOnce(&mut HashMap<RoomKey, HashMap<UserId, Person>>) -> T) -> T {
        f(&mut self.people.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

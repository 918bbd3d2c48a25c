//! What the store holds, and one change of it.

use super::{chance::Chance, line::Line, live::Event, producers::Producer};
use app::{
    domain::{Entry, Epoch, NameKey, ProducerId, RoomKey, RoomRef, UserId},
    protocol::{Person, ReadMark},
};
use hubbub::engine::Record;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A [`TokenHash`](hubbub::engine::TokenHash), with an order.
pub type Token = [u8; 32];

/// Times are in milliseconds since 1970-01-01 UTC.
#[derive(Clone, Default)]
pub struct State {
    pub rooms: BTreeMap<RoomKey, Room>,
    pub sessions: BTreeMap<Token, Held>,
    /// The rooms of each person, in the order in which they were joined.
    pub members: BTreeMap<UserId, Vec<Member>>,
    /// Whom each instance says to be in a room.
    pub people: BTreeMap<RoomKey, BTreeMap<(usize, UserId), Person>>,
    /// Until when each instance counts as alive.
    pub leases: BTreeMap<usize, u64>,
    /// When each bucket will be full.
    pub buckets: BTreeMap<String, u64>,
    /// The sessions whose names are held from a place, and some that have ended.
    pub holders: BTreeMap<String, BTreeSet<Token>>,
}

#[derive(Clone)]
pub struct Room {
    pub at: RoomRef,
    pub looks: NameKey,
    pub epoch: Epoch,
    pub active_at: u64,
    pub log: Vec<Kept>,
    pub producers: BTreeMap<(UserId, ProducerId), Producer>,
}

/// An entry as clients receive it, and as it is looked at here.
#[derive(Clone)]
pub struct Kept {
    pub record: Record,
    pub entry: Arc<Entry>,
}

#[derive(Clone)]
pub struct Held {
    pub person: Person,
    pub key: NameKey,
    pub seen_at: u64,
}

#[derive(Clone)]
pub struct Member {
    pub room: RoomKey,
    pub mark: ReadMark,
}

/// One change of the store, or a look at it: nothing else happens meanwhile.
pub struct Turn<'a> {
    pub state: &'a mut State,
    pub ids: &'a mut Chance,
    pub now: u64,
    /// How long a session lives without being used.
    pub ttl: u64,
    pub by: &'a Line,
    /// What is to be told of it.
    pub events: Vec<Event>,
}

impl Turn<'_> {
    pub fn tell(&mut self, event: Event) {
        self.events.push(event);
    }
}

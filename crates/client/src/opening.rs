//! What a tab begins with.

use protocol::{
    domain::RoomRef,
    frames::{Page, Person, Reading},
};
use serde::{Deserialize, Serialize};

/// The room on screen and the page of its log that is shown, as of one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opening {
    pub room: RoomRef,
    #[serde(with = "crate::columns")]
    pub page: Page,
    /// Whether `page` ends where the log ends; not so when paging back without JavaScript.
    pub newest: bool,
    /// The rooms of this person, this one included.
    pub rooms: Vec<MyRoom>,
    /// The message this page was asked for by its address, to be shown and highlighted.
    pub target: Option<u64>,
    pub count: usize,
    pub people: Vec<Person>,
}

impl Opening {
    /// How far this person has read the room on screen.
    pub fn reading(&self) -> Reading {
        self.rooms.iter().find(|mine| mine.room.key == self.room.key).map_or_else(Reading::default, |mine| mine.reading)
    }

    /// Up to where it was read, if there is more: the place of [`Row::New`](crate::rows::Row::New).
    pub fn divider(&self) -> Option<u64> {
        let Reading { mark, unread } = self.reading();
        mark.filter(|mark| unread > 0 && mark.epoch == self.page.cursor.epoch).map(|mark| mark.seq)
    }
}

/// A room of a person, and how far they have read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MyRoom {
    pub room: RoomRef,
    pub reading: Reading,
}

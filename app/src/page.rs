//! What a page is rendered from.
//!
//! The server fills a [`PageData`] and renders the app from it; the browser reads the same value back out of the page
//! and hydrates. Messages are not sent a second time: everything but [`RoomScreen::page`]'s entries travels as JSON in
//! the page's head, the entries are read from the rendered rows (`PageData::from_document`).

use crate::{
    domain::{ProducerId, RoomKey, RoomName},
    i18n::Lang,
    protocol::{ErrorCode, Page, Person, Reading},
    theme::Theme,
};
use serde::{Deserialize, Serialize};

/// The id of the `<script type="application/json">` that carries the [`PageData`].
pub const PAGE_DATA_ID: &str = "page-data";

/// Where signing out leads: the door, which erases there what its visitor was writing.
pub const SIGNED_OUT: &str = "/?out";

/// What the keys of stored outboxes begin with, in the browser's `localStorage`; a person's id follows.
pub const OUTBOX_KEYS: &str = "hubbub.outbox.";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PageData {
    pub lang: Lang,
    pub theme: Theme,
    /// IANA name of the reader's time zone; `UTC` until a cookie says otherwise.
    pub zone: String,
    /// Milliseconds since 1970-01-01 UTC when the page was rendered, so that both renders agree on what is "today".
    pub now: u64,
    /// Which build rendered the page; `hello` carries the server's.
    pub build: String,
    pub me: Option<Person>,
    /// Path and query this page was asked for, so that choosing a language or a theme leads back to it.
    pub here: String,
    pub screen: Screen,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "screen", rename_all = "snake_case")]
pub enum Screen {
    Door(Door),
    Room(Box<RoomScreen>),
    Rooms(RoomsScreen),
    Problem(Problem),
}

/// The sign-in form, with what was typed and what was wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Door {
    pub name: String,
    pub room: String,
    /// The address that was asked for in the room, to lead there once inside.
    pub at: String,
    pub name_error: Option<ErrorCode>,
    pub room_error: Option<ErrorCode>,
    /// Free names like the one that was taken.
    pub suggestions: Vec<String>,
    /// What went wrong with neither field, such as a store that does not answer.
    pub error: Option<ErrorCode>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoomScreen {
    pub room: RoomRef,
    pub page: Page,
    /// Whether `page` ends where the log ends; not so when paging back without JavaScript.
    pub newest: bool,
    /// The rooms of this person, this one included.
    pub rooms: Vec<MyRoom>,
    /// The message this page was asked for by its address, to be shown and highlighted.
    pub target: Option<u64>,
    pub count: usize,
    pub people: Vec<Person>,
    pub post: Post,
}

impl RoomScreen {
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

/// The composer as a plain form. Its own producer makes a form that is sent twice count once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Post {
    pub p: ProducerId,
    /// What was typed into a form that was refused.
    pub text: String,
    pub error: Option<ErrorCode>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RoomRef {
    pub key: RoomKey,
    pub name: RoomName,
}

/// A room of a person, and how far they have read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MyRoom {
    pub room: RoomRef,
    pub reading: Reading,
}

/// The directory of rooms, most recently active first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RoomsScreen {
    pub rooms: Vec<RoomLine>,
    /// The rooms of this person.
    pub mine: Vec<RoomRef>,
    /// What was typed into the "create" form and refused.
    pub create: String,
    pub error: Option<ErrorCode>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoomLine {
    pub room: RoomRef,
    pub people: usize,
    /// Milliseconds since 1970-01-01 UTC of the last message, or of the room's creation.
    pub active_at: u64,
}

/// A page that says what went wrong and what to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    pub status: u16,
    pub code: ErrorCode,
    /// With `room_unknown`: the name to offer to create.
    pub room: Option<String>,
    /// The fields of the form that was posted and not taken, to be sent again; `None`: this was no form.
    pub form: Option<Vec<(String, String)>>,
}

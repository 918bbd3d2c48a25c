//! What a page is rendered from.
//!
//! The server fills a [`PageData`] and renders the app from it; the browser reads the same value, which travels as JSON in the
//! page's head, and hydrates. The document is output: nothing is read back from it. Where the JSON itself was changed on its way,
//! it is asked for again at the address of the page.

#[cfg(feature = "ssr")]
use crate::density::Density;
use crate::{
    client::opening::Opening,
    clock::Dial,
    domain::{ProducerId, RoomRef, UserName},
    i18n::Lang,
    protocol::{ErrorCode, Person, ReadMark},
    theme::Theme,
};
use serde::{Deserialize, Serialize};

/// The id of the `<script type="application/json">` that carries the [`PageData`].
pub const PAGE_DATA_ID: &str = "page-data";

/// The id of the element that holds the app, and nothing else: what extensions put beside it changes nothing in it.
pub const LIVE_ID: &str = "live";

/// Where signing out leads: the door, which erases there what its visitor was writing.
pub const SIGNED_OUT: &str = "/?out";

/// What the keys of a person's muted rooms begin with, in the browser's `localStorage`; their name follows.
pub const MUTED_KEYS: &str = "hubbub.muted.";

/// What the keys of stored outboxes begin with, in the browser's `localStorage`; a person's id follows.
pub const OUTBOX_KEYS: &str = "hubbub.outbox.";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PageData {
    pub lang: Lang,
    pub theme: Theme,
    /// Only the document's own element says so: the browser is not sent it.
    #[cfg(feature = "ssr")]
    #[serde(skip)]
    pub density: Density,
    /// IANA name of the reader's time zone; empty until a cookie tells it.
    pub zone: String,
    /// Whether the reader tells the time by twice twelve hours.
    pub halves: bool,
    /// Milliseconds since 1970-01-01 UTC when the page was rendered, so that both renders agree on what is "today".
    pub now: u64,
    /// Which build rendered the page; `hello` carries the server's.
    pub build: String,
    pub me: Option<Person>,
    /// Where this server is reached, such as `https://chat.example.com`. The browser knows better.
    #[serde(skip)]
    pub origin: String,
    /// Path and query this page was asked for, so that choosing a language or a theme leads back to it.
    pub here: String,
    /// What whoever runs the server tells everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    pub screen: Screen,
}

impl PageData {
    /// What of it may be sent: a room only to somebody who is signed in, to anybody else the door.
    #[cfg(feature = "ssr")]
    #[must_use]
    pub fn admitted(mut self) -> Self {
        if self.me.is_none() && matches!(self.screen, Screen::Room(_)) {
            self.screen = Screen::Door(Door::default());
        }
        self
    }

    /// How the reader of this page tells the time.
    pub fn dial(&self) -> Dial<'_> {
        Dial { zone: &self.zone, halves: self.halves }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "screen", rename_all = "snake_case")]
pub enum Screen {
    Door(Door),
    Room(Box<RoomScreen>),
    Rooms(RoomsScreen),
    People(PeopleScreen),
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
    /// Rooms where people are, to be entered by one press, each with how many.
    pub lively: Vec<(RoomRef, usize)>,
}

/// The room that comes alive in the browser: what its session begins with, and the form that needs no script.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoomScreen {
    pub opening: Opening,
    pub post: Post,
}

/// The composer as a plain form. Its own producer makes a form that is sent twice count once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Post {
    pub p: ProducerId,
    /// What was typed into a form that was refused.
    pub text: String,
    pub error: Option<ErrorCode>,
}

/// The directory of rooms, most recently active first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RoomsScreen {
    pub rooms: Vec<RoomLine>,
    /// What was typed to find some of them.
    pub find: String,
    /// There are rooms that were active less lately and are not listed.
    pub cut: bool,
    /// The room to go back to.
    pub back: Option<RoomRef>,
    pub left: Option<LeftRoom>,
    /// What was typed into the "create" form and refused.
    pub create: String,
    pub error: Option<ErrorCode>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoomLine {
    pub room: RoomRef,
    /// This person is a member, and has not read so much.
    pub mine: Option<usize>,
    /// How many others are there now, and the first of them.
    pub people: usize,
    pub here: Vec<Person>,
    /// Milliseconds since 1970-01-01 UTC of the last message, or of the room's creation; `None` if it was too long ago to be
    /// looked at.
    pub active_at: Option<u64>,
    pub last: Option<LastMessage>,
}

/// The beginning of a room's last message, on one line, and who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastMessage {
    pub name: UserName,
    pub text: String,
}

/// A room that this person has just left, and how far they had read it: what it takes to undo that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeftRoom {
    pub room: RoomRef,
    pub read: Option<ReadMark>,
}

/// Everyone in a room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeopleScreen {
    pub room: RoomRef,
    /// As many as are listed at most.
    pub people: Vec<Person>,
    pub count: usize,
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
    /// With `origin_refused`: where people reach the server.
    #[cfg(feature = "ssr")]
    #[serde(default)]
    pub address: Option<String>,
}

//! The state the room page shows, as signals, and what a person can ask of it.
//!
//! On the server a [`RoomView`] is filled once from [`PageData`](crate::page::PageData) and nothing ever changes it. In the
//! browser `client` keeps it current and implements [`Actions`].

use super::strings;
use crate::{
    client::{
        opening::Opening,
        rows::Row,
        state::{ConnectionState, Older, SidebarRoom},
    },
    domain::{RoomKey, RoomRef, TextProblem},
    i18n::Strings,
    platform::Platform,
    protocol::{ErrorCode, Person},
};
use leptos::prelude::*;
use std::sync::Arc;

/// Handle to the signals of the room page; copied freely, provided as context.
#[derive(Clone, Copy)]
pub struct RoomView {
    pub platform: &'static Platform,
    /// In the reader's language.
    pub strings: &'static Strings,
    pub me: StoredValue<Person>,
    /// IANA name of the reader's time zone, for [`layout`](crate::client::rows::layout).
    pub zone: RwSignal<Arc<str>>,
    /// The room on opening.
    pub room: RwSignal<RoomRef>,
    /// How often a room was gone to, be it the one that was on screen already: its end is what is shown then.
    pub opened: RwSignal<usize>,
    /// Its timeline, laid out.
    pub rows: RwSignal<Vec<Row>>,
    pub older: RwSignal<Older>,
    /// The rows end before the room does: there is more below, and what comes below is no reason to follow it.
    pub newer: RwSignal<bool>,
    /// The message to be highlighted and brought into view.
    pub target: RwSignal<Option<u64>>,
    /// Up to where this person had read when the room was opened, if there was more.
    pub divider: RwSignal<Option<u64>>,
    pub count: RwSignal<usize>,
    pub people: RwSignal<Vec<Person>>,
    /// Others who are typing in the room on opening.
    pub typing: RwSignal<Vec<Person>>,
    /// This person's rooms.
    pub rooms: RwSignal<Vec<SidebarRoom>>,
    pub connection: RwSignal<ConnectionState>,
    /// A transient problem to tell about the open room, such as "the store does not answer".
    pub trouble: RwSignal<Option<ErrorCode>>,
    /// How many messages are on their way, while that takes long; else 0.
    pub slow: RwSignal<usize>,
    /// How many messages are not answered yet, and how many were refused, in all rooms.
    pub unsent: RwSignal<(usize, usize)>,
    /// The connection was lost and is back, which is told for a moment: so many messages went out.
    pub back: RwSignal<Option<usize>>,
    /// Whether there are [`Actions`] yet.
    pub alive: RwSignal<bool>,
    /// What whoever runs the server tells everybody, until it is put away.
    pub notice: RwSignal<Option<String>>,
    /// The server is of another build than the page.
    pub outdated: RwSignal<bool>,
    actions: StoredValue<Option<Arc<dyn Actions>>>,
}

/// What the page asks of whatever keeps the [`RoomView`] current. All of it returns at once; the signals tell the rest.
pub trait Actions: Send + Sync {
    /// Queues a message for the open room.
    ///
    /// # Errors
    /// Says what keeps `typed` from being a message; nothing was queued.
    fn send(&self, typed: &str) -> Result<(), TextProblem>;
    /// Shows the end of a room of this person's without loading a page.
    fn open(&self, room: &RoomRef);
    /// Fetches the page of entries above the first row.
    fn load_older(&self);
    /// Tries the socket now instead of when its turn comes.
    fn reconnect(&self);
    /// Puts the notice away, in all tabs of this browser.
    fn put_notice_away(&self);
    /// Sends a refused message again, as a new one at the end.
    fn retry(&self, n: u64);
    /// Forgets a refused message.
    fn discard(&self, n: u64);
    /// Says whether the newest row is in view: then the oldest ones may go.
    fn at_bottom(&self, yes: bool);
    /// Says that something was typed; may be called with each letter.
    fn typing(&self);
    /// Says that the end of this entry was in view long enough to be read.
    fn read_to(&self, seq: u64);
    /// Fetches the page below the last row, where the rows end before the room does.
    fn load_newer(&self);
    /// Shows the end of the room.
    fn to_newest(&self);
    /// Shows this message of the open room, with those around it.
    fn show(&self, seq: u64);
    /// What was typed in the open room and not sent.
    fn draft(&self) -> String;
    /// Keeps what stands in the field for the open room.
    fn set_draft(&self, text: &str);
}

impl RoomView {
    pub fn new(platform: &'static Platform, me: Person, opening: &Opening, rows: Vec<Row>, zone: &str) -> Self {
        let rooms = opening.rooms.iter().map(|mine| SidebarRoom {
            room: mine.room.clone(),
            unread: mine.reading.unread,
            refused: 0,
        });
        Self {
            platform,
            strings: strings(),
            me: StoredValue::new(me),
            zone: RwSignal::new(zone.into()),
            room: RwSignal::new(opening.room.clone()),
            opened: RwSignal::new(0),
            rows: RwSignal::new(rows),
            older: RwSignal::new(if opening.page.older { Older::Yes } else { Older::No }),
            newer: RwSignal::new(!opening.newest),
            target: RwSignal::new(opening.target),
            divider: RwSignal::new(opening.divider()),
            count: RwSignal::new(opening.count),
            people: RwSignal::new(opening.people.clone()),
            typing: RwSignal::new(Vec::new()),
            rooms: RwSignal::new(rooms.collect()),
            connection: RwSignal::new(ConnectionState::Connecting),
            trouble: RwSignal::new(None),
            slow: RwSignal::new(0),
            unsent: RwSignal::new((0, 0)),
            back: RwSignal::new(None),
            alive: RwSignal::new(false),
            notice: RwSignal::new(None),
            outdated: RwSignal::new(false),
            actions: StoredValue::new(None),
        }
    }

    /// Others' messages in one of this person's rooms that they have not read.
    pub fn unread(self, room: &RoomKey) -> usize {
        self.rooms.with(|rooms| rooms.iter().find(|line| line.room.key == *room).map_or(0, |line| line.unread))
    }

    pub fn set_actions(self, actions: Arc<dyn Actions>) {
        self.actions.set_value(Some(actions));
        self.alive.set(true);
    }

    /// `None` on the server and before the client has started: the plain forms do the work then.
    pub fn actions(self) -> Option<Arc<dyn Actions>> {
        self.actions.get_value()
    }
}

//! What the server and the browser share.
//!
//! | module | what it is for |
//! |---|---|
//! | [`domain`] | names, messages, entries, cursors: validated on construction |
//! | [`protocol`] | the frames of the WebSocket, their limits and codes |
//! | [`timeline`] | a room's log as one client sees it: contiguous, forward only |
//! | [`unread`] | how many messages of others a person has not read |
//! | [`typing`] | who is typing in a room |
//! | [`drafts`] | what somebody was writing and has not sent |
//! | [`outbox`] | what this tab has sent and does not yet know the fate of |
//! | [`session`] | what a tab says and hears: its sockets, rooms, timelines and outboxes, without a browser |
//! | [`page`] | what a page is rendered from, on the server and again when it hydrates |
//! | [`rows`] | a timeline laid out: days, groups by sender |
//! | [`letters`] | which names a few typed letters mean |
//! | [`links`] | web addresses in the text of a message |
//! | `flat` | reads a server's frame field by field |
//! | `steps` | counts what reading a text costs, for tests |
//! | `looks` | which texts are large or folded |
//! | [`clock`] | a moment in the reader's time zone |
//! | [`theme`] | light, dark, or the system's |
//! | `density` | how much room a message takes (server only) |
//! | [`order`] | names in a list, as people look for them (server only) |
//! | [`i18n`] | every string a person reads, in Korean and English |
//! | [`view`] | the pages and their components |
//! | [`client`] | glue to the browser: socket, storage, scrolling (WASM only) |
//!
//! Nothing here knows the server: `src` depends on `app`, never the other way round.

// The type of a view nests as deep as its elements do.
#![recursion_limit = "256"]

pub mod clock;
#[cfg(feature = "ssr")]
pub mod density;
pub mod domain;
pub mod drafts;
mod flat;
pub mod i18n;
pub mod letters;
pub mod links;
mod looks;
#[cfg(feature = "ssr")]
pub mod order;
pub mod outbox;
pub mod page;
pub mod protocol;
pub mod rows;
pub mod session;
mod steps;
pub mod theme;
pub mod timeline;
pub mod typing;
pub mod unread;
pub mod view;

#[cfg(feature = "hydrate")]
pub mod client;

#[cfg(test)]
mod testing;

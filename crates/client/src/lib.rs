//! A tab without a screen.
//!
//! | module | what it is for |
//! |---|---|
//! | [`chat_client`] | what a tab says and hears: its sockets, rooms, timelines and outboxes |
//! | [`opening`] | what a tab begins with: the room on screen and its first page |
//! | [`timeline`] | a room's log as one client sees it: contiguous, forward only |
//! | [`outbox`] | what this tab has sent and does not yet know the fate of |
//! | [`unread`] | how many messages of others a person has not read |
//! | [`typing`] | who is typing in a room |
//! | [`drafts`] | what somebody was writing and has not sent |
//! | [`rows`] | a timeline laid out: days, groups by sender |
//! | [`state`] | how a tab stands, as far as a person cares |
//! | [`clock`] | days and times of day |
//! | [`decisions`] | what a page decides by itself: keys, news, what was read, which room is meant |
//!
//! Nothing here knows a browser, a clock or a network: a page, the fault injector and tests drive the same code.

pub mod chat_client;
pub mod clock;
mod columns;
pub mod decisions;
pub mod drafts;
pub mod opening;
pub mod outbox;
pub mod rows;
pub mod state;
pub mod timeline;
pub mod typing;
pub mod unread;

#[cfg(test)]
mod testing;

//! What the server and the browser share.
//!
//! | module | what it is for |
//! |---|---|
//! | [`domain`] | names, messages, entries, cursors: validated on construction |
//! | [`protocol`] | the frames of the WebSocket, their limits and codes |
//! | [`client`] | a tab without a screen: session, timelines, outboxes |
//! | [`page`] | what a page is rendered from, on the server and again when it hydrates |
//! | [`platform`] | what a page needs of whatever renders it |
//! | [`view`] | the pages and their components |
//! | [`i18n`] | every string a person reads, in Korean and English |
//! | [`links`] | web addresses in the text of a message |
//! | `looks` | which texts are large or folded |
//! | [`clock`] | how a reader is told the time |
//! | [`theme`] | light, dark, or the system's |
//! | `density` | how much room a message takes (server only) |
//! | [`order`] | names in a list, as people look for them (server only) |
//!
//! The first three are crates of their own, which neither the server nor the browser's glue goes around this one to: `domain` and
//! `protocol` know nobody, `client` knows them, and the pages know all three. Nothing here knows the server or the browser.

// The type of a view nests as deep as its elements do.
#![recursion_limit = "256"]

pub mod clock;
#[cfg(feature = "ssr")]
pub mod density;
pub mod i18n;
pub mod links;
mod looks;
#[cfg(feature = "ssr")]
pub mod order;
pub mod page;
pub mod platform;
pub mod theme;
pub mod view;

pub use ::client;
pub use ::protocol::{domain, frames as protocol};

use ::protocol::steps;

//! What a client and a server say to each other.
//!
//! | module | what it is for |
//! |---|---|
//! | [`domain`] | names, messages, entries, cursors: validated on construction |
//! | [`frames`] | the frames of the WebSocket, their limits and codes |
//! | `flat` | reads a server's frame field by field |
//! | [`steps`] | counts what reading a text costs, for tests |
//!
//! It knows neither side: everything else depends on it, and it on none of it.

pub mod domain;
mod flat;
pub mod frames;
pub mod steps;

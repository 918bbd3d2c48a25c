//! What a page decides by itself, as plain functions: whatever is worth a test is here rather than where the browser is.
//!
//! | module | what it is for |
//! |---|---|
//! | [`back`] | what to say when a connection that was lost is back |
//! | [`find`] | which rooms a few letters mean |
//! | [`gaze`] | how far somebody has read |
//! | [`ime`] | whether Enter ends a word or a message |
//! | [`keys`] | which keys are letters |
//! | [`letters`] | which names a few typed letters mean |
//! | [`news`] | which messages on the page are news |

pub mod back;
pub mod find;
pub mod gaze;
pub mod ime;
pub mod keys;
pub mod letters;
pub mod news;

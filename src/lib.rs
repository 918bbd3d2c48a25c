//! The Hubbub server.

pub mod engine;

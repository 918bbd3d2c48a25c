//! The pages and their components.

pub mod chat;

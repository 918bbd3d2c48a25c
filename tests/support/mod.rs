//! What several test programs need.
#![allow(dead_code, unused_imports, reason = "each of them needs a part")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod bytes;
pub mod certificates;
pub mod metadata;
pub mod person;
pub mod raw;
pub mod server;
pub mod tools;

pub use testkit::{proxy, redis};

//! What several test programs need.
#![allow(dead_code, reason = "each of them needs a part")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod bytes;
pub mod person;
pub mod proxy;
pub mod raw;
pub mod redis;
pub mod server;

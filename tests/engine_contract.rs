//! What every engine promises, and what each promises besides.
//!
//! `contract` holds the list that all run; an engine's own module provides its [`contract::Fixture`].
#![allow(clippy::unwrap_used)]

mod contract;
mod embedded;
mod redis;
mod support;

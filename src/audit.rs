//! Security events, each a line in the log with `target: "audit"`: who from where did what, or was refused what. An address
//! is logged as its prefix and a person as an id; names, texts and tokens never are.
//!
//! What strangers can cause at will is logged once a minute of each kind, with how often it happened besides.

use crate::{
    address::{Asker, Prefix},
    telemetry::Seldom,
};
use app::domain::UserId;

/// Kinds of refusals there are at most.
const KINDS: usize = 16;

static REFUSED: Seldom = Seldom::new(KINDS);

/// Something was asked for more often than it may be: `what` says what.
pub fn limited(what: &'static str, by: Prefix) {
    if let Some(others) = REFUSED.say(what) {
        tracing::warn!(
            target: "audit", event = "limited", what, address = %by, others,
            "{by} asked for more {what} than it may, and {others} requests before it"
        );
    }
}

/// A name that somebody else holds was asked for.
pub fn name_refused(asker: &Asker) {
    if let Some(others) = REFUSED.say("names that are taken") {
        tracing::info!(
            target: "audit", event = "name_refused", address = %asker.prefix(), others,
            "a name that is taken was asked for"
        );
    }
}

pub fn signed_in(asker: &Asker, user: UserId) {
    tracing::info!(target: "audit", event = "signed_in", address = %asker.prefix(), %user, "somebody signed in");
}

pub fn signed_out(asker: &Asker, user: UserId) {
    tracing::info!(target: "audit", event = "signed_out", address = %asker.prefix(), %user, "somebody signed out");
}

pub fn room_made(asker: &Asker, user: UserId) {
    tracing::info!(target: "audit", event = "room_made", address = %asker.prefix(), %user, "a room was made");
}

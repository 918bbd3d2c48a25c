//! I8, as answers and entries arrive: a session that ended sends and hears nothing.

use super::{
    history::{History, Slot},
    invariant::Invariant::I8,
    loss::Excuse,
};
use app::domain::{Entry, UserId};

/// From this long after a sign-out on nothing may be accepted from that session, and nothing delivered to it that was
/// committed later.
const SIGN_OUT_MS: u64 = 5_000;

/// An acknowledgement arrived; was its message written by a session that had ended?
pub fn accepted_after_sign_out(history: &mut History, slot: Slot) {
    let Some(&out) = history.signed_out.get(&slot.by) else { return };
    let written = history.sent.get(&slot).and_then(|text| history.submitted.get(text.as_ref()?)).map(|it| it.at_ms);
    if written.is_some_and(|written| written > out + SIGN_OUT_MS) {
        broken(history, out, || format!("{slot:?} was accepted although its sender had signed out at {out} ms"));
    }
}

/// An entry arrived at `by`; was it committed after their session had ended?
pub fn committed_after_sign_out(history: &mut History, by: UserId, entry: &Entry) {
    let Some(&out) = history.signed_out.get(&by) else { return };
    if entry.at > history.wall(out + SIGN_OUT_MS) {
        let seq = entry.seq;
        broken(history, out, || format!("entry {seq} was delivered to {by}, who had signed out at {out} ms"));
    }
}

/// By time, for a session is in no log that could be read: a store that is set back may know it again.
fn broken(history: &mut History, out: u64, what: impl FnOnce() -> String) {
    if history.rollbacks.between(out, history.now()) {
        history.excuse(Excuse::Session);
    } else {
        history.violate(I8, what);
    }
}

//! I8, as answers and entries arrive: a session that ended sends and hears nothing.

use super::{
    history::{History, Slot},
    invariant::Invariant::I8,
};
use app::domain::{Entry, UserId};

/// From this long after a sign-out on nothing may be accepted from that session, and nothing delivered to it that was
/// committed later.
const SIGN_OUT_MS: u64 = 5_000;

/// An acknowledgement arrived; was its message written by a session that had ended?
pub fn accepted_after_sign_out(history: &mut History, slot: Slot) {
    let Some(&out) = history.signed_out.get(&slot.by) else { return };
    let written = history.sent.get(&slot).and_then(|text| history.submitted.get(text.as_ref()?)).map(|it| it.at_ms);
    // A store that is set back may know the session again.
    if written.is_some_and(|written| written > out + SIGN_OUT_MS) && !history.set_back_between(out, history.now()) {
        history.violate(I8, || format!("{slot:?} was accepted although its sender had signed out at {out} ms"));
    }
}

/// An entry arrived at `by`; was it committed after their session had ended?
pub fn committed_after_sign_out(history: &mut History, by: UserId, entry: &Entry) {
    let Some(&out) = history.signed_out.get(&by) else { return };
    if entry.at > history.wall(out + SIGN_OUT_MS) && !history.set_back_between(out, history.now()) {
        let seq = entry.seq;
        history.violate(I8, || format!("entry {seq} was delivered to {by}, who had signed out at {out} ms"));
    }
}

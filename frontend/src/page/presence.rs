//! Whether somebody is there. A page in front of everything may stand behind a locked screen, or before an empty chair.

use super::on;
use crate::clock;
use leptos::tachys::dom::{document, window};
use std::cell::Cell;
use web_sys::Event;

/// Nobody is there who has touched nothing for this long. The longest message takes most of it to read, so that a reader who sits
/// still is not taken for one who left; and screens commonly go dark a minute later.
const AWAY_MS: u64 = 4 * 60 * 1_000;

thread_local! {
    /// When somebody last did something.
    static TOUCHED: Cell<u64> = const { Cell::new(0) };
}

/// Runs `f` when somebody comes back to the page, be it from another window or from elsewhere in the world.
pub fn on_return(f: impl Fn() + Clone + 'static) {
    // To open a page is a sign of life.
    TOUCHED.set(clock::now());
    let heard = move |ev: Event| {
        let (was_away, came) = (is_away(), matches!(ev.type_().as_str(), "focus" | "visibilitychange"));
        if !document().hidden() {
            TOUCHED.set(clock::now());
        }
        if was_away || came {
            f();
        }
    };
    for event in ["focus", "keydown", "pointerdown", "pointermove", "touchstart", "wheel"] {
        on(&window(), event, heard.clone());
    }
    on(&document(), "visibilitychange", heard);
}

fn is_away() -> bool {
    clock::now() > TOUCHED.get() + AWAY_MS
}

/// Whether somebody looks at this page rather than at another one, or at none.
pub fn is_looked_at() -> bool {
    document().has_focus().unwrap_or(true) && !document().hidden() && !is_away()
}

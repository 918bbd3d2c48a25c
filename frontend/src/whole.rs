//! Whether the page has started and nothing broke since. What was set off before a hydration broke must not open a socket.

use std::cell::Cell;

thread_local! {
    static WHOLE: Cell<bool> = const { Cell::new(false) };
}

pub fn set(whole: bool) {
    WHOLE.set(whole);
}

pub fn is_whole() -> bool {
    WHOLE.get()
}

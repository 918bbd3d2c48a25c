//! Counts the steps of what reads people's texts, so that tests can bound what one text may cost: a clock cannot tell a quadratic
//! loop from a busy machine. Counted in debug builds alone; in a release it is nothing.

use std::cell::Cell;

thread_local! {
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

/// Notes that `n` characters were looked at.
#[inline]
pub fn take(n: usize) {
    if cfg!(debug_assertions) {
        TAKEN.set(TAKEN.get() + n);
    }
}

/// How many steps `work` took on this thread.. Does not compile in a release, where none are counted.
pub fn of<T>(work: impl FnOnce() -> T) -> usize {
    const { assert!(cfg!(debug_assertions), "steps are counted in debug builds alone") };
    let before = TAKEN.get();
    work();
    TAKEN.get() - before
}

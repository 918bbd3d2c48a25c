//! Counts the steps of what reads people's texts, so that tests can bound what one text may cost: a clock cannot tell a quadratic
//! loop from a busy machine. Outside of this crate's tests it is nothing.

#[cfg(test)]
use std::cell::Cell;

#[cfg(test)]
thread_local! {
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

/// Notes that `n` characters were looked at.
#[inline]
pub fn take(n: usize) {
    #[cfg(test)]
    TAKEN.set(TAKEN.get() + n);
    #[cfg(not(test))]
    let _ = n;
}

/// How many steps `work` took.
#[cfg(test)]
pub fn of<T>(work: impl FnOnce() -> T) -> usize {
    let before = TAKEN.get();
    work();
    TAKEN.get() - before
}

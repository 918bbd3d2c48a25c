//! What is checked, and what was found to be otherwise.

/// The invariants of the product, named as in `docs/reliability.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub enum Invariant {
    /// What was acknowledged is in the history and reached every member who stayed.
    I1,
    /// One entry per place of the log, the same everywhere.
    I2,
    /// At most one entry per producer and number.
    I3,
    /// A live tail only moves forward, without a hole unless told of a reset; so also a hand-over is no interruption.
    I4,
    /// A sender reads its own write on any instance.
    I5,
    /// Nothing appears that nobody sent; a sender's messages keep their order.
    I6,
    /// Presence becomes the truth again in time.
    I7,
    /// A session that ended sends and hears nothing.
    I8,
    /// What was sent is 0 or 1 entries, and its sender knows which.
    I9,
}

#[derive(Debug, Clone)]
pub struct Violation {
    pub invariant: Invariant,
    pub at_ms: u64,
    pub what: String,
}

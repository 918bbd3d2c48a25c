//! Whether the promises were kept. It sees what clients see, and what the nemesis says it did to the store.
//!
//! | module | what it is for |
//! |---|---|
//! | [`invariant`] | the promises, and what was found to break one |
//! | [`history`] | what the clients did and saw |
//! | [`loss`] | what the store lost when it was set back, and what that excuses |
//! | [`online`], [`sessions`] | what is checked as it arrives |
//! | [`staleness`] | how old what arrives may be |
//! | [`verdict`], [`presence`] | what is checked at the end |
//! | [`latency`], [`recovery`] | how old entries are when they arrive, and how long clients take to recover |

mod history;
mod invariant;
mod latency;
mod loss;
mod online;
pub mod presence;
mod recovery;
pub mod sessions;
mod staleness;
#[cfg(test)]
mod tests;
pub mod verdict;

pub use history::{History, RoomId, Slot, TabId};
pub use invariant::Invariant;
pub use loss::Excuse;
pub use online::OnlineChecker;
pub use recovery::{Recoveries, Whom, percentile, until_recovered};
pub use staleness::Staleness;

//! Real servers as processes, and the network between them in one's hands: what tests, the chaos and the measurements share.
//!
//! | module | what it is for |
//! |---|---|
//! | [`process`] | child processes that end with this one, and free ports |
//! | [`redis`] | Redis servers, alone or as a Cluster, and commands past everything else |
//! | [`proxy`], [`faults`] | the way to a Redis server, and what is wrong on it |
//! | [`resp`] | what clients say to Redis, cut into whole requests |
//!
//! It knows no server of ours, so that who starts the program as a process does not compile it. And it owns nobody's clock:
//! no time stands still for what it starts.

pub mod faults;
pub mod process;
pub mod proxy;
pub mod redis;
pub mod resp;

/// What may go wrong is said to whoever reads the output.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

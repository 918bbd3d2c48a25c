//! What people do: they talk through the load balancer, in tabs that run the product's own client model.
//!
//! | module | what it is for |
//! |---|---|
//! | [`person`] | who comes, goes and signs out |
//! | [`tab`] | one tab of a person's browser |
//! | [`ghost`] | who goes on after their session ended |
//! | [`reading`] | who reads back what was acknowledged |
//! | [`socket`], [`http`] | the ways to the servers |

mod ghost;
pub mod http;
mod person;
pub mod reading;
mod socket;
mod tab;

pub use person::{Person, live};

use super::checker::{History, RoomId};
use app::{domain::Cursor, protocol::Person as Identity};
use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};
use tokio::sync::mpsc::UnboundedSender;

/// What every tab of a run shares.
pub struct Shared {
    pub history: RefCell<History>,
    pub http: reqwest::Client,
    pub front: SocketAddr,
    /// Whether anybody still does anything.
    pub busy: Cell<bool>,
    /// Mean pause between two acts of one tab.
    pub pause: Duration,
    pub longest_text: usize,
    /// How each tab stands, for whoever waits for something.
    pub states: RefCell<Vec<TabState>>,
    /// Acknowledgements to be read back on any instance.
    pub probes: UnboundedSender<Probe>,
}

/// Something that was acknowledged, and to whom.
pub struct Probe {
    pub cookie: String,
    pub room: RoomId,
    pub at: Cursor,
    pub when: u64,
}

/// What a tab shows of itself to the outside.
#[derive(Debug, Clone, Default)]
pub struct TabState {
    pub alive: bool,
    /// Has a socket that follows every room.
    pub online: bool,
    /// Sockets lost so far.
    pub losses: u32,
    /// Reloads begun so far, and whether one is going on.
    pub loads: u32,
    pub loading: bool,
    /// Who, and in which rooms with which seq at the end of the list.
    pub me: Option<Identity>,
    pub rooms: Vec<(RoomId, u64)>,
    /// What each room says of who is here.
    pub people: Vec<(RoomId, usize, Vec<Identity>)>,
    /// The texts that failed.
    pub failed: Vec<String>,
    /// Texts that are still waiting.
    pub waiting: Vec<String>,
}

/// Who sits at a tab.
#[derive(Clone)]
pub struct Login {
    pub cookie: String,
    pub over: Rc<Cell<bool>>,
}

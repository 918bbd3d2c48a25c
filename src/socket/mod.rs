//! One WebSocket: a task that reads requests, and writes whatever follows its cursors.
//!
//! | module | what it is for |
//! |---|---|
//! | [`serve`] | who may open one, and its limits |
//! | [`conn`] | the task: reading, writing, heartbeats, closing |
//! | [`clock`] | what the clock makes it do |
//! | [`end`] | why it ends |
//! | [`joined`] | one room of the socket: its cursor |
//! | [`request`] | what each frame of a client asks, worked on beside the task |
//! | [`signals`] | read marks and typing |
//! | [`reply`] | the frames the server writes |
//!
//! A message is acknowledged after its commit; entries come from the room's ring, or from the log for who fell behind.

mod clock;
mod conn;
mod end;
mod joined;
mod reply;
mod request;
mod signals;

pub use clock::DRAIN;

use crate::{engine::Session, hub::Hub};
use app::protocol::{FRAME_MAX, SUBPROTOCOL};
use axum::{extract::ws::WebSocketUpgrade, response::Response};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::OwnedSemaphorePermit;

/// What every socket of this server has in common.
#[derive(Clone)]
pub struct Sockets {
    pub hub: Arc<Hub>,
    pub build: Arc<str>,
    pub lifetime: Duration,
}

/// Who may open a socket.
pub struct Admitted {
    pub session: Session,
    /// When the store was asked about the session.
    pub asked: Instant,
    pub place: OwnedSemaphorePermit,
}

/// Read buffer of a socket, allocated at once: most frames of a client are smaller (axum's default is 128 KiB).
const READ_BUFFER: usize = 1024;
/// Frames are collected up to here before they are written: one write for many frames.
const WRITE_BUFFER: usize = 32 * 1024;

/// A frame that is too large is still read up to here, so that it can be answered with its close code: a connection that
/// is closed with bytes unread is reset, and the code may be lost on the way.
const MESSAGE_READ_MAX: usize = 4 * FRAME_MAX;

/// Upgrades a request whose session and origin were checked.
pub fn serve(upgrade: WebSocketUpgrade, sockets: Sockets, admitted: Admitted) -> Response {
    upgrade
        .protocols([SUBPROTOCOL])
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(MESSAGE_READ_MAX)
        .max_frame_size(MESSAGE_READ_MAX)
        .on_upgrade(async move |socket| {
            conn::run(socket, sockets, admitted.session, admitted.asked).await;
            drop(admitted.place);
        })
}

//! One WebSocket: a task that reads requests, and writes whatever follows its cursors.
//!
//! | module | what it is for |
//! |---|---|
//! | here | what each one has, and its limits |
//! | [`guard`], [`scan`] | what a client sends, before it is read: the rules of RFC 6455, half messages |
//! | [`conn`] | the task: reading, writing, heartbeats, closing |
//! | [`clock`] | what the clock makes it do |
//! | [`end`] | why it ends |
//! | [`joined`] | one room of the socket: its cursor |
//! | [`pages`] | what it may read of logs, and when |
//! | [`request`] | what each frame of a client asks, worked on beside the task |
//! | [`signals`] | read marks and typing |
//! | [`throttle`] | how fast it is read from |
//! | `traffic` | how much it said and was told |
//! | [`reply`] | the frames the server writes |
//!
//! A message is acknowledged after its commit; entries come from the room's ring, or from the log for who fell behind.

mod clock;
mod conn;
mod end;
mod guard;
mod reply;
mod request;
mod scan;
mod signals;
mod subscription;
mod throttle;
mod traffic;

pub use clock::DRAIN;
pub use conn::run;

use crate::{chat::Chat, connection::wire::Wire, limits::places::Place, store::Session};
use app::protocol::{CloseCode, FRAME_MAX};
use futures_util::{SinkExt, StreamExt};
use guard::Guarded;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{CloseFrame, Role, WebSocketConfig},
    },
};

/// What every socket of this server has in common.
#[derive(Clone)]
pub struct SocketContext {
    pub chat: Arc<Chat>,
    pub build: Arc<str>,
    pub lifetime: Duration,
}

/// Who may open a socket.
pub struct Admitted {
    pub session: Session,
    /// When the store was asked about the session.
    pub asked: Instant,
    pub place: Place,
    /// The connection beneath it.
    pub wire: Wire,
}

/// Read buffer of a socket, allocated at once: most frames of a client are smaller.
const READ_BUFFER: usize = 1024;
/// Frames are collected up to here before they are written: one write for many frames.
const WRITE_BUFFER: usize = 32 * 1024;
/// How long the client's close frame is waited for.
const HANDSHAKE: Duration = Duration::from_secs(2);

pub type WebSocket = WebSocketStream<Guarded<TokioIo<Upgraded>>>;

/// The WebSocket on a connection whose opening handshake is done.
pub async fn upgraded(connection: Upgraded) -> WebSocket {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(Some(FRAME_MAX))
        .max_frame_size(Some(FRAME_MAX));
    WebSocketStream::from_raw_socket(Guarded::new(TokioIo::new(connection)), Role::Server, Some(config)).await
}

/// Closes a socket that may not be opened.
pub async fn refuse(mut ws: WebSocket, code: CloseCode, reason: String) {
    let closing = async {
        ws.send(close(code, reason)).await.ok();
        // Nothing that it says matters.
        while let Some(Ok(_)) = ws.next().await {}
    };
    let _ = tokio::time::timeout(HANDSHAKE, closing).await;
}

fn close(code: CloseCode, reason: impl Into<String>) -> Message {
    Message::Close(Some(CloseFrame { code: code.code().into(), reason: reason.into().into() }))
}

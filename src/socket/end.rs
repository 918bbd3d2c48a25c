//! Why a socket ends, and waiting for a peer without waiting for ever.

use crate::hub::room::Wake;
use app::protocol::CloseCode;
use std::{sync::atomic::Ordering, time::Duration};
use tokio::time::timeout;

/// A socket to which nothing could be written for so long is given up.
const STALL: Duration = Duration::from_secs(35);

/// Why the task ends.
pub enum End {
    /// The network, or the client without a word.
    Gone,
    /// The client closed the socket.
    Closed,
    Close(CloseCode, &'static str),
}

impl End {
    pub const SIGNED_OUT: Self = Self::Close(CloseCode::SessionEnded, "signed out");
}

impl From<axum::Error> for End {
    fn from(error: axum::Error) -> Self {
        use std::error::Error;
        // What tungstenite says of a frame is only in its error's text and type, which axum hides.
        let text = error.source().map(ToString::to_string).unwrap_or_default();
        if text.contains("too big") || text.contains("too long") || text.contains("Space limit") {
            Self::Close(CloseCode::TooBig, "frame larger than 64 KiB")
        } else if text.to_ascii_lowercase().contains("utf-8") || text.to_ascii_lowercase().contains("utf8") {
            Self::Close(CloseCode::NotUtf8, "text frame is not UTF-8")
        } else {
            Self::Gone
        }
    }
}

/// Waits for something to be written, unless the session ends or the peer takes nothing for too long.
pub async fn patiently(wake: &Wake, writing: impl Future<Output = Result<(), axum::Error>>) -> Result<(), End> {
    let mut writing = std::pin::pin!(writing);
    if let std::task::Poll::Ready(written) = futures_util::poll!(&mut writing) {
        return Ok(written?);
    }
    let mut woken = false;
    let ended = async {
        while !wake.ended.load(Ordering::Acquire) {
            wake.notify.notified().await;
            woken = true;
        }
    };
    let written = tokio::select! {
        biased;
        written = timeout(STALL, writing) => Some(written),
        () = ended => None,
    };
    if woken {
        // It may have been about a room as well.
        wake.notify.notify_one();
    }
    match written {
        Some(Ok(written)) => Ok(written?),
        Some(Err(_)) => Err(End::Close(CloseCode::Stalled, "nothing could be written for 35 s")),
        None => Err(End::SIGNED_OUT),
    }
}

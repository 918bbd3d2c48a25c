//! Why a socket ends, and waiting for a peer without waiting for ever.

use super::scan::Fault;
use crate::hub::wake::Wake;
use app::protocol::CloseCode;
use std::{sync::atomic::Ordering, time::Duration};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite;

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
    pub const EVICTED: Self = Self::Close(CloseCode::TooManySockets, "too many sockets of this session");
    pub const STOPPING: Self = Self::Close(CloseCode::Restarting, "server is stopping");
}

impl From<tungstenite::Error> for End {
    fn from(error: tungstenite::Error) -> Self {
        use tungstenite::{Error, error::ProtocolError};
        match error {
            Error::Io(error) => match error.get_ref().and_then(|error| error.downcast_ref::<Fault>()) {
                Some(fault) => Self::Close(fault.code(), fault.reason()),
                None => Self::Gone,
            },
            Error::Capacity(_) => Self::Close(CloseCode::TooBig, Fault::TooLarge.reason()),
            Error::Utf8(_) => Self::Close(CloseCode::NotUtf8, "text frame is not UTF-8"),
            Error::Protocol(
                ProtocolError::ResetWithoutClosingHandshake
                | ProtocolError::SendAfterClosing
                | ProtocolError::ReceivedAfterClosing,
            ) => Self::Gone,
            Error::Protocol(_) => Self::Close(CloseCode::Protocol, "a rule of WebSockets was broken"),
            _ => Self::Gone,
        }
    }
}

/// Waits for something to be written, unless the session or the server ends or the peer takes nothing for too long. Calls
/// `on_late` once if it has not been written by `late`.
pub async fn patiently(
    wake: &Wake,
    writing: impl Future<Output = tungstenite::Result<()>>,
    late: Instant,
    on_late: impl FnOnce(),
) -> Result<(), End> {
    let mut writing = std::pin::pin!(writing);
    if let std::task::Poll::Ready(written) = futures_util::poll!(&mut writing) {
        return Ok(written?);
    }
    wake.block();
    let ended = async {
        let mut on_late = Some(on_late);
        loop {
            if wake.ended.load(Ordering::Acquire) {
                return End::SIGNED_OUT;
            }
            if wake.is_evicted() {
                return End::EVICTED;
            }
            if wake.stopped.load(Ordering::Acquire) {
                return End::STOPPING;
            }
            tokio::select! {
                () = wake.notify.notified() => {}
                () = sleep_until(late), if on_late.is_some() => {
                    if let Some(on_late) = on_late.take() {
                        on_late();
                    }
                }
            }
        }
    };
    let written = tokio::select! {
        biased;
        written = timeout(STALL, writing) => Ok(written),
        end = ended => Err(end),
    };
    wake.unblock();
    match written {
        Ok(Ok(written)) => Ok(written?),
        Ok(Err(_)) => Err(End::Close(CloseCode::Stalled, "nothing could be written for 35 s")),
        Err(end) => Err(end),
    }
}

//! Why a socket ends, and waiting for a peer without waiting for ever.

use super::scan::Fault;
use crate::hub::wake::Wake;
use app::protocol::CloseCode;
use std::{sync::atomic::Ordering, time::Duration};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite;

/// A socket to which too little could be written in so long is given up.
const STALL: Duration = Duration::from_secs(35);
/// Bytes that a client takes in that time at least: 1 KiB a second, as of pages and files. A phone takes a page of the longest
/// messages in some minutes, and would meet it again on its next socket.
const TAKEN_MIN: u64 = 35 * 1024;

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

/// Waits for something to be written, unless the session or the server ends or the peer takes too little for too long. Calls
/// `on_late` once if it has not been written by `late`. `taken` says how much the peer took so far.
pub async fn patiently(
    wake: &Wake,
    taken: impl Fn() -> u64,
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
                biased;
                () = sleep_until(late), if on_late.is_some() => {
                    if let Some(on_late) = on_late.take() {
                        on_late();
                    }
                }
                () = wake.notify.notified() => {}
            }
        }
    };
    let written = tokio::select! {
        biased;
        written = while_it_goes_on(STALL, writing, taken) => Ok(written),
        end = ended => Err(end),
    };
    wake.unblock();
    match written {
        Ok(Some(written)) => Ok(written?),
        Ok(None) => Err(End::Close(CloseCode::Stalled, "less than 1 KiB a second was taken for 35 s")),
        Err(end) => Err(end),
    }
}

/// What comes of `writing`; `None` if the peer took less than [`TAKEN_MIN`] within `stall`.
async fn while_it_goes_on<T>(
    stall: Duration,
    mut writing: impl Future<Output = T> + Unpin,
    taken: impl Fn() -> u64,
) -> Option<T> {
    loop {
        let before = taken();
        match timeout(stall, &mut writing).await {
            Ok(written) => return Some(written),
            Err(_) if taken() - before >= TAKEN_MIN => {}
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cell::Cell, future::poll_fn, task::Poll};

    /// What comes of writing `bytes` to a peer that takes `each` of them in the time in which it has to take some.
    async fn written(bytes: u64, each: u64) -> Option<()> {
        let taken = Cell::new(0);
        let writing = poll_fn(|_| if taken.get() >= bytes { Poll::Ready(()) } else { Poll::Pending });
        let takes = || {
            taken.set(taken.get() + each);
            taken.get()
        };
        while_it_goes_on(Duration::from_millis(5), writing, takes).await
    }

    #[tokio::test]
    async fn a_slow_reader_is_waited_for_and_one_that_stopped_is_not() {
        assert_eq!(written(20 * TAKEN_MIN, TAKEN_MIN).await, Some(()));
        assert_eq!(written(20 * TAKEN_MIN, TAKEN_MIN - 1).await, None);
        assert_eq!(written(20 * TAKEN_MIN, 0).await, None);
    }
}

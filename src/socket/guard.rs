//! The stream beneath a socket: what a client sends is looked at, and bounded in size and time, before it is read.

use super::scan::{Fault, Scan};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

/// How long a message may take from its first byte to its last.
const MESSAGE_WITHIN: Duration = Duration::from_secs(10);
/// Nobody read while a message's time ran out, if that is noticed so much later: its client may have been on time.
const UNHEARD: Duration = Duration::from_secs(1);

pub struct Guarded<S> {
    inner: S,
    scan: Scan,
    fault: Option<Fault>,
    /// Runs while half a message is waited for; most come whole.
    patience: Option<Pin<Box<Sleep>>>,
    within: Duration,
}

impl<S> Guarded<S> {
    pub fn new(inner: S) -> Self {
        Self { inner, scan: Scan::default(), fault: None, patience: None, within: MESSAGE_WITHIN }
    }

    /// Half a message waits for the rest, but not for ever.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.scan.is_half() {
            return Poll::Pending;
        }
        let within = self.within;
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(within)));
        loop {
            ready!(patience.as_mut().poll(cx));
            if patience.deadline().elapsed() < UNHEARD {
                self.fault = Some(Fault::TooSlow);
                return Poll::Ready(Err(io::Error::other(Fault::TooSlow)));
            }
            patience.as_mut().reset(Instant::now() + within);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(fault) = this.fault {
            return Poll::Ready(Err(io::Error::other(fault)));
        }
        let before = buf.filled().len();
        let Poll::Ready(read) = Pin::new(&mut this.inner).poll_read(cx, buf) else { return this.wait(cx) };
        read?;
        let wholes = this.scan.wholes();
        let (good, checked) = this.scan.take(&buf.filled()[before..]);
        if this.scan.wholes() != wholes {
            this.patience = None;
        }
        if let Err(fault) = checked {
            this.fault = Some(fault);
            buf.set_filled(before + good);
            // What came before it is still served.
            if good == 0 {
                return Poll::Ready(Err(io::Error::other(fault)));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    fn guarded(within_ms: u64) -> (DuplexStream, Guarded<DuplexStream>) {
        let (client, server) = duplex(1024);
        (client, Guarded { within: Duration::from_millis(within_ms), ..Guarded::new(server) })
    }

    fn fault(error: &io::Error) -> Option<Fault> {
        error.get_ref()?.downcast_ref().copied()
    }

    #[tokio::test]
    async fn half_a_message_is_waited_for_from_its_first_byte() {
        let (mut client, mut server) = guarded(300);
        let start = Instant::now();
        let trickle = tokio::spawn(async move {
            // A ping between its frames is no progress, and a byte now and then is not enough.
            let begun = [0x01, 0x81, 0, 0, 0, 0, b'a', 0x89, 0x80, 0, 0, 0, 0, 0x80, 0xe4, 0, 0, 0, 0];
            client.write_all(&begun).await.unwrap();
            while client.write_all(b"x").await.is_ok() {
                sleep(Duration::from_millis(50)).await;
            }
        });
        let mut read = vec![0; 64];
        let ended = loop {
            match server.read(&mut read).await {
                Ok(bytes) => assert!(bytes > 0),
                Err(error) => break error,
            }
        };
        assert_eq!(fault(&ended), Some(Fault::TooSlow));
        assert!(start.elapsed() >= Duration::from_millis(300));
        drop(server);
        trickle.await.unwrap();
    }

    #[tokio::test]
    async fn messages_that_are_whole_in_time_may_follow_each_other_for_ever() {
        let (mut client, mut server) = guarded(1_000);
        let talk = tokio::spawn(async move {
            client.write_all(&[0x81]).await.unwrap();
            for _ in 0..5 {
                sleep(Duration::from_millis(300)).await;
                // The rest of one and the first byte of the next.
                client.write_all(&[0x81, 0, 0, 0, 0, b'a', 0x81]).await.unwrap();
            }
        });
        let mut read = vec![0; 64];
        while server.read(&mut read).await.unwrap() > 0 {}
        talk.await.unwrap();
    }

    #[tokio::test]
    async fn what_came_while_nobody_read_was_on_time() {
        let (mut client, mut server) = guarded(100);
        let mut read = vec![0; 64];
        client.write_all(&[0x81, 0x81, 0]).await.unwrap();
        assert_eq!(server.read(&mut read).await.unwrap(), 3);
        assert!(server.read(&mut read).now_or_never().is_none());
        sleep(Duration::from_millis(100) + UNHEARD + Duration::from_millis(100)).await;
        client.write_all(&[0, 0]).await.unwrap();
        assert_eq!(server.read(&mut read).await.unwrap(), 2);
        assert!(server.read(&mut read).now_or_never().is_none());
        client.write_all(&[0, b'a']).await.unwrap();
        assert_eq!(server.read(&mut read).await.unwrap(), 2);
    }
}

//! A connection's bytes, and what they say about how it goes on.

use super::{
    connections::Place,
    pace::{HEAD_WITHIN, HURRIED_HEAD_WITHIN, Pace, Phase},
};
use axum::body::{Body, Bytes, HttpBody};
use futures_util::FutureExt;
use hyper::body::{Frame, SizeHint};
use socket2::SockRef;
use std::{
    io::{self, IoSlice},
    net::Shutdown,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
    time::Instant,
};

/// What the kernel keeps for a WebSocket's slow reader; it doubles the number for its own book-keeping. Without it the
/// kernel would grow it to megabytes.
const SOCKET_SEND_BYTES: usize = 8 * 1024;
/// What the kernel keeps of what a client sends faster than it is read, doubled as well: where it begins by itself.
const SOCKET_RECEIVE_BYTES: usize = 64 * 1024;

/// A connection that handlers can make settings of.
#[derive(Clone)]
pub struct Wire(Arc<Line>);

struct Line {
    stream: TcpStream,
    keep_alive: Duration,
    place: Place,
    pace: Mutex<Pace>,
    /// It has a clock of its own.
    is_socket: AtomicBool,
    /// Bytes that the kernel took for it since it is one.
    taken: AtomicU64,
}

impl Wire {
    pub fn new(stream: TcpStream, place: Place, keep_alive: Duration) -> Self {
        // Small frames must not wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        let within = if place.hurried { HURRIED_HEAD_WITHIN } else { HEAD_WITHIN };
        let pace = Mutex::new(Pace::fresh(within, Instant::now()));
        Self(Arc::new(Line {
            stream,
            keep_alive,
            place,
            pace,
            is_socket: AtomicBool::new(false),
            taken: AtomicU64::new(0),
        }))
    }

    /// Whether the peer will send nothing more, even if what it sent before was not read yet.
    pub fn is_read_closed(&self) -> bool {
        let ready = pin!(self.0.stream.ready(Interest::READABLE));
        ready.now_or_never().is_some_and(|ready| ready.is_ok_and(tokio::io::Ready::is_read_closed))
    }

    /// Says that nothing more will be written, and reads what the peer still sends until it ends or `most` bytes came, unseen:
    /// a connection that is closed with bytes unread is reset, and what was written to it last may be lost on the way.
    pub async fn discard(&self, most: usize) {
        let stream = &self.0.stream;
        SockRef::from(stream).shutdown(Shutdown::Write).ok();
        let (mut unseen, mut left) = (vec![0; 4096], most);
        while left > 0 && stream.readable().await.is_ok() {
            match stream.try_read(&mut unseen) {
                Ok(0) => return,
                Ok(read) => left = left.saturating_sub(read),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }

    /// Bounds what the kernel keeps for it, which for pages and files would only make them slow.
    pub fn bound_buffers(&self) {
        let socket = SockRef::from(&self.0.stream);
        let bounded = socket
            .set_send_buffer_size(SOCKET_SEND_BYTES)
            .and_then(|()| socket.set_recv_buffer_size(SOCKET_RECEIVE_BYTES));
        if let Err(error) = bounded {
            tracing::debug!(%error, "a socket's buffers could not be bounded");
        }
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.0.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_socket(&self) -> bool {
        self.0.is_socket.load(Ordering::Relaxed)
    }

    /// A whole head was read.
    pub fn busy(&self) {
        self.0.place.busy();
        self.pace().busy(Instant::now());
    }

    /// From now on it is a socket.
    pub fn upgrade(&self) {
        self.0.is_socket.store(true, Ordering::Relaxed);
    }

    /// Bytes that its peer took, but for what the kernel keeps, since it is a socket.
    pub fn taken(&self) -> u64 {
        self.0.taken.load(Ordering::Relaxed)
    }

    /// An answer's body, the end of which is noticed.
    pub fn watched(&self, body: Body) -> Watched {
        Watched { body, wire: self.clone() }
    }

    /// Until when it may go on with what it does.
    pub fn due(&self) -> Instant {
        self.pace().due()
    }

    /// To be called before it is closed because its time was over. What a slow reader did not take is thrown away: the kernel would
    /// keep it for minutes.
    pub fn give_up(&self) {
        if self.pace().is_too_slow(Instant::now()) {
            let _ = SockRef::from(&self.0.stream).set_linger(Some(Duration::ZERO));
        }
    }

    /// Something was read. Whether it still counts.
    fn has_read(&self) -> bool {
        let mut pace = self.pace();
        if pace.phase() != Phase::Idle {
            return true;
        }
        pace.head(Instant::now());
        self.0.place.wakes()
    }

    fn poll_written(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let ready = self.0.stream.poll_write_ready(cx)?;
            if ready.is_pending() && !self.is_socket() {
                self.pace().blocked(Instant::now());
            }
            ready!(ready);
            match write(&self.0.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => {
                    match &written {
                        Ok(bytes) if self.is_socket() => {
                            self.0.taken.fetch_add(*bytes as u64, Ordering::Relaxed);
                        }
                        Ok(bytes) => self.pace().wrote(*bytes, Instant::now()),
                        Err(_) => {}
                    }
                    return Poll::Ready(written);
                }
            }
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.stream.poll_read_ready(cx))?;
            match self.0.stream.try_read(buf.initialize_unfilled()) {
                Ok(read) => {
                    // To a connection whose place is another's nothing was sent.
                    if read > 0 && (self.is_socket() || self.has_read()) {
                        buf.advance(read);
                    }
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_written(cx, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_written(cx, |stream| stream.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Nothing is kept here; it is called when the caller keeps nothing any more either.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_socket() {
            let now = Instant::now();
            let is_idle = self.pace().flushed(self.0.keep_alive, now);
            if is_idle {
                self.0.place.idle(now);
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&self.0.stream).shutdown(Shutdown::Write))
    }
}

/// The body of an answer. When it is dropped, all of it is in the buffers.
pub struct Watched {
    body: Body,
    wire: Wire,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.wire.pace().answered();
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

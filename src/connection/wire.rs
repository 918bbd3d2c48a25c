//! A connection's bytes, and what they say about how it goes on.

use super::{
    pace::{HEAD_WITHIN, HURRIED_HEAD_WITHIN, Pace, Phase},
    places::ConnectionPlace,
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
    io::{AsyncRead, AsyncWrite, DuplexStream, Interest, ReadBuf},
    net::TcpStream,
    time::Instant,
};

/// What the kernel keeps for a WebSocket's slow reader; it doubles the number for its own book-keeping. Without it the
/// kernel would grow it to megabytes.
const SOCKET_SEND_BYTES: usize = 8 * 1024;
/// What the kernel keeps of what a client sends faster than it is read, doubled as well: where it begins by itself.
const SOCKET_RECEIVE_BYTES: usize = 64 * 1024;

/// What carries a connection's bytes.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// The kernel's socket, where it is one.
    fn socket(&self) -> Option<Arc<TcpStream>> {
        None
    }
}

/// Carries them within a process.
impl Transport for DuplexStream {}

/// A TCP connection, of which there are settings to make while it is read and written.
pub struct Tcp(Arc<TcpStream>);

impl Tcp {
    pub fn new(stream: TcpStream) -> Self {
        // Small frames must not wait for the acknowledgement of the one before.
        let _ = stream.set_nodelay(true);
        Self(Arc::new(stream))
    }

    fn poll_written(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match write(&self.0) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }
}

impl Transport for Tcp {
    fn socket(&self) -> Option<Arc<TcpStream>> {
        Some(self.0.clone())
    }
}

impl AsyncRead for Tcp {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            match self.0.try_read(buf.initialize_unfilled()) {
                Ok(read) => {
                    buf.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Tcp {
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

    /// Nothing is kept here.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self.0).shutdown(Shutdown::Write))
    }
}

/// A connection that handlers can make settings of.
#[derive(Clone)]
pub struct Wire(Arc<Line>);

struct Line {
    /// What the settings are made of. There are none of what is no socket of the kernel's.
    socket: Option<Arc<TcpStream>>,
    keep_alive: Duration,
    place: ConnectionPlace,
    pace: Mutex<Pace>,
    /// It has a clock of its own.
    is_socket: AtomicBool,
    /// Bytes that the kernel took for it since it is one.
    taken: AtomicU64,
}

impl Wire {
    pub fn new(stream: &impl Transport, place: ConnectionPlace, keep_alive: Duration) -> Self {
        let within = if place.hurried { HURRIED_HEAD_WITHIN } else { HEAD_WITHIN };
        let pace = Mutex::new(Pace::fresh(within, Instant::now()));
        Self(Arc::new(Line {
            socket: stream.socket(),
            keep_alive,
            place,
            pace,
            is_socket: AtomicBool::new(false),
            taken: AtomicU64::new(0),
        }))
    }

    /// Whether the peer will send nothing more, even if what it sent before was not read yet.
    pub fn is_read_closed(&self) -> bool {
        let Some(socket) = &self.0.socket else { return false };
        let ready = pin!(socket.ready(Interest::READABLE));
        ready.now_or_never().is_some_and(|ready| ready.is_ok_and(tokio::io::Ready::is_read_closed))
    }

    /// Says that nothing more will be written, and reads what the peer still sends until it ends or `most` bytes came, unseen:
    /// a connection that is closed with bytes unread is reset, and what was written to it last may be lost on the way.
    pub async fn discard(&self, most: usize) {
        let Some(stream) = &self.0.socket else { return };
        SockRef::from(&**stream).shutdown(Shutdown::Write).ok();
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
        let Some(socket) = &self.0.socket else { return };
        let socket = SockRef::from(&**socket);
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
        if let Some(socket) = &self.0.socket
            && self.pace().is_too_slow(Instant::now())
        {
            let _ = SockRef::from(&**socket).set_linger(Some(Duration::ZERO));
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

    /// Takes note of what became of a write.
    fn note(&self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Ready(Ok(bytes)) if self.is_socket() => {
                self.0.taken.fetch_add(*bytes as u64, Ordering::Relaxed);
            }
            Poll::Ready(Ok(bytes)) => self.pace().wrote(*bytes, Instant::now()),
            Poll::Pending if !self.is_socket() => self.pace().blocked(Instant::now()),
            Poll::Pending | Poll::Ready(Err(_)) => {}
        }
    }

    /// Everything was written. That may be the end of an answer.
    fn flushed(&self) {
        if !self.is_socket() {
            let now = Instant::now();
            let is_idle = self.pace().flushed(self.0.keep_alive, now);
            if is_idle {
                self.0.place.idle(now);
            }
        }
    }
}

/// What carries a connection, and what is made of the bytes that pass.
pub struct Wired<S> {
    pub stream: S,
    pub wire: Wire,
}

impl<S: Transport> AsyncRead for Wired<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let has_read = buf.filled().len() > before;
        // To a connection whose place is another's nothing was sent.
        if has_read && !self.wire.is_socket() && !self.wire.has_read() {
            buf.set_filled(before);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Transport> AsyncWrite for Wired<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wire.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wire.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Called when the caller keeps nothing any more either.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.wire.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
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

//! Accepting connections, within limits that axum's own loop has not.

use axum::{Router, http::Request};
use hyper::{
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use socket2::SockRef;
use std::{
    io::{self, IoSlice},
    net::Shutdown,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long a connection may take to send a request's headers, and how long it may be idle between two requests.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// Connections that are no sockets, at once; a browser has up to six.
const CONNECTIONS_MAX: usize = 8_192;
/// Pause when no connection can be accepted, which is so where there are no more files to open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);
/// What the kernel keeps for a WebSocket's slow reader; it doubles the number for its own book-keeping. Without it the
/// kernel would grow it to megabytes.
const SOCKET_SEND_BYTES: usize = 8 * 1024;
/// What the kernel keeps of what a client sends faster than it is read, doubled as well: where it begins by itself.
const SOCKET_RECEIVE_BYTES: usize = 64 * 1024;

/// Serves until `stop` is cancelled, then finishes the requests under way. Upgraded connections are not waited for.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            // An upgraded one, which counts as a socket, is none of them any more.
            Ok(_) if connections.len() >= CONNECTIONS_MAX => {
                tracing::warn!("more than {CONNECTIONS_MAX} connections are open; closing a new one");
            }
            Ok((stream, _)) => {
                connections.spawn(connection(stream, router.clone(), stop.clone()));
            }
            Err(error) if is_of_the_peer(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn connection(stream: TcpStream, router: Router, stop: CancellationToken) {
    // Small frames must not wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let wire = Wire(Arc::new(stream));
    let (service, of_requests) = (TowerToHyperService::new(router), wire.clone());
    let service = service_fn(move |mut request: Request<_>| {
        request.extensions_mut().insert(of_requests.clone());
        service.call(request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
    let mut connection = pin!(http.serve_connection(TokioIo::new(wire), service).with_upgrades());
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended with an error");
    }
}

/// A connection that handlers can make settings of.
#[derive(Clone)]
pub struct Wire(Arc<TcpStream>);

impl Wire {
    /// Bounds what the kernel keeps for it, which for pages and files would only make them slow.
    pub fn bound_buffers(&self) {
        let socket = SockRef::from(&*self.0);
        let bounded = socket
            .set_send_buffer_size(SOCKET_SEND_BYTES)
            .and_then(|()| socket.set_recv_buffer_size(SOCKET_RECEIVE_BYTES));
        if let Err(error) = bounded {
            tracing::debug!(%error, "a socket's buffers could not be bounded");
        }
    }
}

impl AsyncRead for Wire {
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

impl Wire {
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

    /// Nothing is kept here.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self.0).shutdown(Shutdown::Write))
    }
}

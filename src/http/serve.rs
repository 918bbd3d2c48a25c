//! Accepting connections, within limits that axum's own loop has not.

use super::{AppState, router};
use crate::{
    connection::{
        places::{Bounds, ConnectionPlace, Connections, ConnectionsFull, Source},
        wire::{Tcp, Transport, Wire, Wired},
    },
    hub::Hub,
    limits::Limits,
    telemetry::Seldom,
};
use axum::{
    Router,
    http::{HeaderValue, Request, StatusCode, header},
};
use hyper::{
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    task::{Poll, ready},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Fewest and most connections that are no sockets, at once; a browser has up to six.
const CONNECTIONS: (u64, u64) = (256, 8_192);
/// Files open beside them and the sockets: the store, the site.
const OTHER_FILES: u64 = 256;
/// Connections of one stranger, and how many of these may not have asked for anything yet.
const OF_PEER: f64 = 2_048.0;
const OF_PEER_UNPROVEN: f64 = 256.0;
/// Clients that may wait to be accepted.
pub const BACKLOG: u32 = 1_024;
/// Pause when no connection can be accepted, which is so where there are no more files to open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);
/// What is kept of a head, and of what is to be written beside a body's own pieces. A longer head is answered with 431.
const HEAD_MAX: usize = 16 * 1024;
/// Lines of a head; more of them are answered with 431.
const HEADERS_MAX: usize = 64;

/// What is told in the log within a minute; of addresses, how many.
static FULL: Seldom = Seldom::new(1);
static FULL_FOR_PEER: Seldom = Seldom::new(8);
static UNACCEPTED: Seldom = Seldom::new(1);

/// How many connections that are no sockets there may be where a process may have `files` open, of which `max_sockets` are
/// for sockets.
pub fn connections_within(files: u64, max_sockets: u32) -> usize {
    let left = files.saturating_sub(u64::from(max_sockets) + OTHER_FILES);
    usize::try_from(left.clamp(CONNECTIONS.0, CONNECTIONS.1)).unwrap_or(usize::MAX)
}

/// Files that a process has to be able to open for `max_sockets` sockets and the fewest other connections.
pub fn files_for(max_sockets: u32) -> u64 {
    u64::from(max_sockets) + OTHER_FILES + CONNECTIONS.0
}

/// What is served, and within which limits.
pub struct Serving {
    router: Router,
    hub: Arc<Hub>,
    limits: Arc<Limits>,
    /// How long a connection may be idle between two requests.
    keep_alive: Duration,
    /// Those that are no sockets.
    connections: Arc<Connections>,
    stop: CancellationToken,
}

impl Serving {
    /// The whole of the server's HTTP until `stop` is cancelled, with so many connections that are no sockets at most.
    pub fn new(state: AppState, connections: usize, stop: CancellationToken) -> Self {
        let (hub, limits, keep_alive) = (state.hub.clone(), state.limits.clone(), state.config.keep_alive);
        let (of_peer, unproven) = (limits.count(OF_PEER), limits.count(OF_PEER_UNPROVEN));
        let connections = Connections::new(Bounds { all: connections, of_peer, unproven });
        Self { router: router(state), hub, limits, keep_alive, connections, stop }
    }

    /// Serves one connection, whatever carries it, until it ends or is a socket, which goes on by itself. `None` if there is no
    /// place for it.
    pub fn connection<S: Transport>(
        &self,
        stream: S,
        peer: SocketAddr,
    ) -> Option<impl Future<Output = ()> + Send + use<S>> {
        Some(connection(stream, Peer(peer), self.admit(peer)?, self))
    }

    /// A place for a connection; if there is none, that is told in the log.
    fn admit(&self, peer: SocketAddr) -> Option<ConnectionPlace> {
        let (prefixes, proxy) = self.limits.peer(peer);
        match self.connections.admit(Source { prefixes, proxy }, Instant::now()) {
            Ok(place) => return Some(place),
            Err(ConnectionsFull::Instance) => {
                if let Some(others) = FULL.say("") {
                    let most = self.connections.most();
                    tracing::warn!(most, others, "all connections are at work: closing new ones");
                }
            }
            Err(ConnectionsFull::Peer) => {
                if let Some(others) = FULL_FOR_PEER.say(&prefixes[0].to_string()) {
                    tracing::warn!(
                        target: "audit", event = "connections_full", peer = %prefixes[0], others,
                        "closing new connections of an address that has too many"
                    );
                }
            }
        }
        None
    }
}

/// Serves until `stop` is cancelled, then finishes the requests under way. Upgraded connections are not waited for.
pub async fn serve(listener: TcpListener, serving: Serving) {
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = serving.stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Some(served) = serving.connection(Tcp::new(stream), peer) {
                    tasks.spawn(served);
                }
            }
            Err(error) if is_of_the_peer(&error) => {}
            Err(error) => {
                if let Some(others) = UNACCEPTED.say("") {
                    tracing::error!(%error, others, "cannot accept a connection");
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // Whoever is in the system's queue would be reset with the listener. A form that lies there is lost then, as no proxy sends one twice.
    if let Ok(listener) = listener.into_std() {
        // As many as there may have been; those who go on coming find nobody.
        for (stream, peer) in std::iter::from_fn(|| listener.accept().ok()).take(BACKLOG as usize) {
            let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            if let Ok(stream) = stream
                && let Some(served) = serving.connection(Tcp::new(stream), peer)
            {
                tasks.spawn(served);
            }
        }
    }
    tasks.close();
    tasks.wait().await;
}

fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// How long a connection is waited for that has just been opened, when the server ends.
const FRESH: Duration = Duration::from_secs(1);

/// Who is at the other end of the connection: the client, or a proxy.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Gives a place back, however its connection ends.
struct Leaves(ConnectionPlace);

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// One connection, until it ends or is a socket. All that changes how long it may take happens while `http` is polled, so that
/// nothing else has to wake its timer.
fn connection<S: Transport>(
    stream: S,
    peer: Peer,
    place: ConnectionPlace,
    serving: &Serving,
) -> impl Future<Output = ()> + Send + use<S> {
    let leaves = Leaves(place.clone());
    let wire = Wire::new(&stream, place.clone(), serving.keep_alive);
    let (router, of_requests) = (TowerToHyperService::new(serving.router.clone()), wire.clone());
    let (hub, hurried) = (serving.hub.clone(), place.hurried);
    let service = service_fn(move |mut request: Request<_>| {
        let (wire, hub) = (of_requests.clone(), hub.clone());
        wire.busy();
        request.extensions_mut().insert(wire.clone());
        request.extensions_mut().insert(peer);
        let answer = router.call(request);
        async move {
            let mut response = answer.await?;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                wire.upgrade();
            } else if hurried || hub.stopping() {
                // A proxy would send its next request into a connection that ends.
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, std::convert::Infallible>(response.map(|body| wire.watched(body)))
        }
    });
    let mut http = http1::Builder::new();
    // `Wire` has the timers.
    http.header_read_timeout(None).max_buf_size(HEAD_MAX).max_headers(HEADERS_MAX);
    let http = http.serve_connection(TokioIo::new(Wired { stream, wire: wire.clone() }), service).with_upgrades();
    let stop = serving.stop.clone();
    async move {
        let _leaves = leaves;
        let fresh_until = Instant::now() + FRESH;
        let stopped = async {
            stop.cancelled().await;
            // Told to end before it has read anything, it would end at once, and what is on its way to it with it. What it is asked is
            // answered as the last.
            sleep_until(fresh_until).await;
        };
        let (mut http, mut stopped, mut evicted) = (pin!(http), pin!(stopped), pin!(place.evicted.cancelled()));
        let mut timer = pin!(sleep_until(wire.due()));
        let mut told = false;
        let served = poll_fn(|cx| {
            if !told && stopped.as_mut().poll(cx).is_ready() {
                told = true;
                http.as_mut().graceful_shutdown();
            }
            if evicted.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            if let Poll::Ready(served) = http.as_mut().poll(cx) {
                return Poll::Ready(served);
            }
            let due = wire.due();
            if due < timer.deadline() {
                timer.as_mut().reset(due);
            }
            loop {
                ready!(timer.as_mut().poll(cx));
                let due = wire.due();
                if due <= Instant::now() {
                    wire.give_up();
                    return Poll::Ready(Ok(()));
                }
                timer.as_mut().reset(due);
            }
        });
        if let Err(error) = served.await {
            tracing::debug!(%error, "a connection ended with an error");
        }
    }
}

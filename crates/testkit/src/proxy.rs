//! The way to one Redis server at a time: everything that speaks to it comes through here, known by whose process it is.

use crate::{
    Result,
    faults::{Faults, OnAppend, Then},
    process::{Peer, Peers},
    resp::{Splitter, contains, encode},
};
use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    select,
    sync::{Notify, mpsc, oneshot},
    task::{JoinHandle, JoinSet},
    time::{sleep, sleep_until, timeout},
};

/// Follows an append on its connection: once this is answered, the append was.
const MARKER: &str = "committed-before-this";
const COMMIT_WITHIN: Duration = Duration::from_secs(30);

/// Closes everything when dropped.
pub struct Proxy {
    pub address: SocketAddr,
    pub faults: Arc<Faults>,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    /// Where new connections go.
    server: Mutex<SocketAddr>,
    peers: Arc<Peers>,
    faults: Arc<Faults>,
    links: Mutex<HashMap<u64, Arc<Link>>>,
    next_id: AtomicU64,
}

/// One connection.
struct Link {
    peer: Peer,
    subscribes: AtomicBool,
    /// Requests to slip in between the peer's own.
    inject: mpsc::UnboundedSender<Vec<u8>>,
    reset: Notify,
    /// Nothing passes any more, and nothing is closed.
    lost: AtomicBool,
}

enum End {
    Closed,
    Reset,
    /// Once the marker is answered.
    DropReply(oneshot::Sender<()>),
}

impl Proxy {
    /// Listens on `port` of this machine for the server on another.
    pub async fn start(port: u16, server: SocketAddr, peers: Arc<Peers>, faults: Arc<Faults>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let shared = Shared {
            server: Mutex::new(server),
            peers,
            faults: faults.clone(),
            links: Mutex::default(),
            next_id: AtomicU64::default(),
        };
        let shared = Arc::new(shared);
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self { address, faults, shared, accepting })
    }

    /// Listens on any port for a server whose clients all count as instance 0.
    pub async fn to(server: SocketAddr) -> Result<Self> {
        Self::start(0, server, Arc::new(Peers::all(Peer::Instance(0))), Arc::default()).await
    }

    /// What an instance is given that may do anything.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Ends the instance's subscriptions to shard channels as the server would: without a word that the client waits for.
    /// Answers on how many connections.
    pub fn unsubscribe(&self, instance: usize) -> usize {
        let links = self.shared.links();
        let subscribers = links
            .values()
            .filter(|link| link.peer == Peer::Instance(instance) && link.subscribes.load(Ordering::Relaxed));
        subscribers.filter(|link| link.inject.send(encode(&["SUNSUBSCRIBE"])).is_ok()).count()
    }

    /// Resets what the instance has open; answers how many connections.
    pub fn reset(&self, instance: usize) -> usize {
        self.reset_all(|peer| peer == Peer::Instance(instance))
    }

    /// New connections go to another server from now on. What instances have open stays as it is; servers and Sentinel
    /// connect anew.
    pub fn lead_to(&self, server: SocketAddr) {
        *self.shared.server() = server;
        self.reset_all(|peer| !matches!(peer, Peer::Instance(_)));
    }

    fn reset_all(&self, which: impl Fn(Peer) -> bool) -> usize {
        let links = self.shared.links();
        let mut count = 0;
        for link in links.values().filter(|link| which(link.peer)) {
            link.reset.notify_one();
            count += 1;
        }
        count
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // The task owns those of the connections.
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut links = JoinSet::new();
    loop {
        select! {
            accepted = listener.accept() => match accepted {
                Ok((client, address)) => drop(links.spawn(shared.clone().serve(client, address))),
                Err(_) => sleep(Duration::from_millis(50)).await,
            },
            Some(_) = links.join_next() => {}
        }
    }
}

impl Shared {
    async fn serve(self: Arc<Self>, mut client: TcpStream, address: SocketAddr) {
        let peer = self.peers.with_port(address.port()).await;
        if let Peer::Instance(instance) = peer
            && self.faults.is_cut(instance)
        {
            self.faults.until_not_cut(instance).await;
            return reset(&client);
        }
        let address = *self.server();
        let Ok(mut server) = TcpStream::connect(address).await else { return reset(&client) };
        let _ = client.set_nodelay(true);
        let _ = server.set_nodelay(true);
        let (inject, injected) = mpsc::unbounded_channel();
        let [subscribes, lost] = [false, false].map(AtomicBool::new);
        let link = Arc::new(Link { peer, subscribes, inject, reset: Notify::new(), lost });
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.links().insert(id, link.clone());
        let ended = self.forward(&link, &mut client, &mut server, injected).await;
        self.links().remove(&id);
        match ended {
            Ok(End::Closed) => {}
            Ok(End::DropReply(done)) => {
                let committed = timeout(COMMIT_WITHIN, read_until_marker(&mut server)).await;
                reset(&client);
                drop(client);
                if let Ok(Ok(())) = committed {
                    let _ = done.send(());
                }
            }
            Ok(End::Reset) | Err(_) => {
                reset(&client);
                reset(&server);
            }
        }
    }

    async fn forward(
        &self,
        link: &Link,
        client: &mut TcpStream,
        server: &mut TcpStream,
        injected: mpsc::UnboundedReceiver<Vec<u8>>,
    ) -> io::Result<End> {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let mut requests = Box::pin(self.requests(link, from_client, to_server, injected));
        let mut answers = Box::pin(self.answers(link, from_server, to_client));
        select! {
            biased;
            () = link.reset.notified() => Ok(End::Reset),
            ended = &mut requests => match ended? {
                End::Closed if link.lost.load(Ordering::Relaxed) => Ok(End::Closed),
                End::Closed => answers.await.map(|()| End::Closed),
                other => Ok(other),
            },
            // Who is answered no more has nothing to ask.
            ended = &mut answers => ended.map(|()| End::Closed),
        }
    }

    async fn requests(
        &self,
        link: &Link,
        mut from: ReadHalf<'_>,
        mut to: WriteHalf<'_>,
        mut injected: mpsc::UnboundedReceiver<Vec<u8>>,
    ) -> io::Result<End> {
        let mut splitter = Splitter::default();
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let length = select! {
                length = from.read(&mut buffer) => length?,
                // Never in the middle of a request: only whole ones are forwarded.
                Some(request) = injected.recv() => {
                    to.write_all(&request).await?;
                    continue;
                }
            };
            if let Some(end) = self.wait_out_a_cut(link).await {
                return Ok(end);
            }
            let is_lost = self.faults.is_lost(&link.lost);
            if length == 0 {
                if !is_lost {
                    to.shutdown().await?;
                }
                return Ok(End::Closed);
            }
            if is_lost {
                continue;
            }
            splitter.push(&buffer[..length]);
            let mut whole = Vec::new();
            while let Some(request) = splitter.request()? {
                if request.is("SSUBSCRIBE") || request.is("SUBSCRIBE") {
                    link.subscribes.store(true, Ordering::Relaxed);
                }
                let Peer::Instance(instance) = link.peer else {
                    whole.extend_from_slice(&request.raw);
                    continue;
                };
                if request.is_append() {
                    match self.faults.on_append(instance) {
                        OnAppend::Forward => {}
                        OnAppend::DropReply(done) => {
                            whole.extend_from_slice(&request.raw);
                            whole.extend_from_slice(&encode(&["PING", MARKER]));
                            to.write_all(&whole).await?;
                            return Ok(End::DropReply(done));
                        }
                        OnAppend::Hold(until, then) => {
                            // What came before is not held.
                            to.write_all(&whole).await?;
                            whole.clear();
                            sleep_until(until.into()).await;
                            if then == Then::Reset {
                                return Ok(End::Reset);
                            }
                        }
                    }
                }
                whole.extend_from_slice(&request.raw);
            }
            to.write_all(&whole).await?;
        }
    }

    async fn answers(&self, link: &Link, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> io::Result<()> {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let length = from.read(&mut buffer).await?;
            if link.peer == Peer::Redis {
                self.faults.until_replication_flows().await;
            }
            if self.wait_out_a_cut(link).await.is_some() {
                // The other direction may not notice: nothing of it waits.
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            if self.faults.is_lost(&link.lost) {
                // The client hears nothing, not even the end, until it gives up by itself.
                if length == 0 {
                    std::future::pending::<()>().await;
                }
                continue;
            }
            if length == 0 {
                return to.shutdown().await;
            }
            match self.faults.swallow(&buffer[..length]) {
                Some(rest) => to.write_all(&rest).await?,
                None => to.write_all(&buffer[..length]).await?,
            }
        }
    }

    /// What was cut is not forwarded later: the connection ends.
    async fn wait_out_a_cut(&self, link: &Link) -> Option<End> {
        let Peer::Instance(instance) = link.peer else { return None };
        if !self.faults.is_cut(instance) {
            return None;
        }
        self.faults.until_not_cut(instance).await;
        Some(End::Reset)
    }

    fn server(&self) -> MutexGuard<'_, SocketAddr> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn links(&self) -> MutexGuard<'_, HashMap<u64, Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read_until_marker(server: &mut TcpStream) -> io::Result<()> {
    let mut answers = Vec::new();
    while !contains(&answers, MARKER.as_bytes()) {
        // Enough to find a marker that arrives in two parts.
        let tail = answers.len().saturating_sub(MARKER.len());
        answers.drain(..tail);
        if server.read_buf(&mut answers).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

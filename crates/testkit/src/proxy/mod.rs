//! The way to one Redis server at a time: everything that speaks to it comes through here, known by whose process it is.

mod forward;

use crate::{
    Result,
    faults::Faults,
    process::{Peer, Peers},
    resp::encode,
};
use forward::{End, until_committed};
use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    select,
    sync::{Notify, mpsc},
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

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
        let serving = shared.clone();
        let accepting =
            tokio::spawn(serve_each(listener, move |client, address| serving.clone().serve(client, address)));
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

/// Serves each connection in a task of its own; all of them end with this future.
pub async fn serve_each<F>(listener: TcpListener, serve: impl Fn(TcpStream, SocketAddr) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        select! {
            accepted = listener.accept() => match accepted {
                Ok((client, address)) => drop(connections.spawn(serve(client, address))),
                // Out of files: there is nothing to wait for but that others close theirs.
                Err(_) => sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
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
                let committed = timeout(COMMIT_WITHIN, until_committed(&mut server)).await;
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

    fn server(&self) -> MutexGuard<'_, SocketAddr> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn links(&self) -> MutexGuard<'_, HashMap<u64, Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

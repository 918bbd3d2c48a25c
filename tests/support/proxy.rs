//! A way to Redis that can be tampered with.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
    sync::broadcast,
};

pub struct Proxy {
    address: SocketAddr,
    wires: Arc<Wires>,
}

struct Wires {
    upstream: Mutex<String>,
    unsubscribe: broadcast::Sender<()>,
    /// Whether to swallow the next message of a channel, once.
    swallow: AtomicBool,
    swallowed: AtomicBool,
    /// Whether nothing is passed on, in either direction, and nothing is closed.
    held: AtomicBool,
    /// Connections that lost something that way.
    lost: AtomicUsize,
}

const SMESSAGE: &[u8] = b">3\r\n$8\r\nsmessage\r\n";

impl Proxy {
    /// In front of a server given as `host:port`.
    pub async fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let wires = Arc::new(Wires {
            upstream: Mutex::new(upstream.to_owned()),
            unsubscribe: broadcast::channel(4).0,
            swallow: AtomicBool::new(false),
            swallowed: AtomicBool::new(false),
            held: AtomicBool::new(false),
            lost: AtomicUsize::new(0),
        });
        let mine = wires.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connection(client, mine.clone()));
            }
        });
        Self { address, wires }
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Leads what is opened from now on to another server; what is open stays where it is.
    pub fn lead_to(&self, upstream: &str) {
        upstream.clone_into(&mut self.wires.upstream.lock().unwrap());
    }

    /// Ends every subscription to a shard channel as the server would: without a word that the client waits for.
    pub fn unsubscribe(&self) {
        self.wires.unsubscribe.send(()).unwrap();
    }

    /// Loses the next message of a channel.
    pub fn swallow_a_message(&self) {
        self.wires.swallow.store(true, Ordering::SeqCst);
    }

    pub fn has_swallowed(&self) -> bool {
        self.wires.swallowed.load(Ordering::SeqCst)
    }

    /// What is open stays open, and nothing passes on it any more; what is opened later is as if nothing had been.
    pub fn lose_everything_under_way(&self) {
        self.wires.held.store(true, Ordering::SeqCst);
    }

    pub fn lost_connections(&self) -> usize {
        self.wires.lost.load(Ordering::SeqCst)
    }

    pub fn pass_new_connections(&self) {
        self.wires.held.store(false, Ordering::SeqCst);
    }
}

impl Wires {
    fn lose(&self, connection: &AtomicBool) {
        if !connection.swap(true, Ordering::SeqCst) {
            self.lost.fetch_add(1, Ordering::SeqCst);
        }
    }
}

async fn connection(client: TcpStream, wires: Arc<Wires>) {
    let upstream = wires.upstream.lock().unwrap().clone();
    let Ok(server) = TcpStream::connect(upstream).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let lost = Arc::new(AtomicBool::new(false));
    tokio::join!(
        requests(from_client, to_server, wires.clone(), lost.clone()),
        answers(from_server, to_client, wires, lost)
    );
}

async fn requests(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, wires: Arc<Wires>, lost: Arc<AtomicBool>) {
    let mut unsubscribe = wires.unsubscribe.subscribe();
    let (mut bytes, mut subscribes) = (vec![0; 64 * 1024], false);
    loop {
        let read = tokio::select! {
            read = from.read(&mut bytes) => read.unwrap_or(0),
            _ = unsubscribe.recv() => {
                if subscribes && to.write_all(b"*1\r\n$12\r\nSUNSUBSCRIBE\r\n").await.is_err() {
                    return;
                }
                continue;
            }
        };
        let some = &bytes[..read];
        subscribes |= some.windows(10).any(|word| word.eq_ignore_ascii_case(b"ssubscribe"));
        if wires.held.load(Ordering::SeqCst) {
            wires.lose(&lost);
        }
        let is_lost = lost.load(Ordering::SeqCst);
        if read == 0 || (!is_lost && to.write_all(some).await.is_err()) {
            return;
        }
    }
}

async fn answers(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, wires: Arc<Wires>, lost: Arc<AtomicBool>) {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut bytes).await.unwrap_or(0);
        if lost.load(Ordering::SeqCst) || wires.held.load(Ordering::SeqCst) {
            // The client hears nothing, not even the end, until it gives up by itself.
            wires.lose(&lost);
            if read == 0 {
                return std::future::pending().await;
            }
            continue;
        }
        let mut some = bytes[..read].to_vec();
        let entry = some.windows(SMESSAGE.len()).position(|part| part == SMESSAGE);
        if let Some(at) = entry
            && wires.swallow.swap(false, Ordering::SeqCst)
        {
            // Three strings follow the head, the first of them in it: two line ends each.
            let ends: Vec<_> = some[at..].windows(2).enumerate().filter(|(_, two)| *two == b"\r\n").collect();
            let end = at + ends[6].0 + 2;
            some.drain(at..end);
            wires.swallowed.store(true, Ordering::SeqCst);
        }
        if read == 0 || to.write_all(&some).await.is_err() {
            return;
        }
    }
}

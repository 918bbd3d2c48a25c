//! The address that clients connect to: gives each connection to one of the instances, and can hurt it.

use crate::Result;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use testkit::proxy::serve_each;
use tokio::{
    io::AsyncWriteExt,
    net::{
        TcpListener, TcpSocket, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    select,
    sync::watch,
    task::JoinHandle,
    time::{sleep, sleep_until, timeout},
};

/// A frozen instance still takes connections; this is for a machine without a free socket.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Small, so that a client that reads slowly is soon felt by its instance. The kernel doubles it. With half of it a burst
/// stalls now and then for a tenth of a second.
const RECEIVE_BUFFER: u32 = 32 * 1024;
const TRICKLE_EVERY: Duration = Duration::from_secs(1);

/// A connection of a client that is open now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    pub id: u64,
    pub instance: usize,
    /// The client's own address, by which it is known which client's it is.
    pub client: SocketAddr,
    pub since: Instant,
}

/// A TCP proxy in front of the instances. Closes everything when dropped.
pub struct Balancer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    instances: Vec<SocketAddr>,
    in_rotation: Mutex<BTreeSet<usize>>,
    connections: Mutex<BTreeMap<u64, Entry>>,
    random: Mutex<fastrand::Rng>,
    next_id: AtomicU64,
}

struct Entry {
    connection: Connection,
    mode: watch::Sender<Mode>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Open,
    /// Nothing passes in either direction, not even an end.
    HalfOpen,
    Trickle(Instant),
    /// The next bytes to the client are cut short and followed by a reset.
    ResetNext,
    Reset,
}

impl Balancer {
    /// Listens on a free port of this machine. No instance is in rotation yet.
    pub async fn start(instances: Vec<SocketAddr>, seed: u64) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            instances,
            in_rotation: Mutex::default(),
            connections: Mutex::default(),
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
            next_id: AtomicU64::new(1),
        });
        let serving = shared.clone();
        let accepting =
            tokio::spawn(serve_each(listener, move |client, address| serving.clone().serve(client, address)));
        Ok(Self { address, shared, accepting })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether new connections may go to the instance. Those it has stay.
    pub fn rotate(&self, instance: usize, in_rotation: bool) {
        let mut rotation = lock(&self.shared.in_rotation);
        if in_rotation {
            rotation.insert(instance);
        } else {
            rotation.remove(&instance);
        }
    }

    /// Oldest first.
    pub fn connections(&self) -> Vec<Connection> {
        lock(&self.shared.connections).values().map(|entry| entry.connection).collect()
    }

    /// The connection of the client whose own address this is.
    #[cfg(test)]
    pub fn connection_of(&self, client: SocketAddr) -> Option<Connection> {
        lock(&self.shared.connections).values().map(|entry| entry.connection).find(|found| found.client == client)
    }

    /// When the server next says something the client gets only a part of it, and then both sides are reset. Each of these is false where the connection is gone.
    pub fn reset_mid_frame(&self, connection: u64) -> bool {
        self.set(connection, Mode::ResetNext)
    }

    /// From now on nothing is forwarded in either direction, and neither side learns that the other closed, until
    /// [`heal`](Self::heal).
    pub fn half_open(&self, connection: u64) -> bool {
        self.set(connection, Mode::HalfOpen)
    }

    /// The client gets one byte each second, and the server can send no more than fills the buffers; after this time
    /// everything flows again.
    pub fn trickle(&self, connection: u64, time: Duration) -> bool {
        self.set(connection, Mode::Trickle(Instant::now() + time))
    }

    /// Resets both sides.
    pub fn kill(&self, connection: u64) -> bool {
        self.set(connection, Mode::Reset)
    }

    /// Ends what was done to the connection; what waited flows, ends included.
    pub fn heal(&self, connection: u64) -> bool {
        self.set(connection, Mode::Open)
    }

    pub fn heal_all(&self) {
        for entry in lock(&self.shared.connections).values() {
            entry.mode.send_if_modified(|mode| mode.change(Mode::Open));
        }
    }

    fn set(&self, connection: u64, to: Mode) -> bool {
        let connections = lock(&self.shared.connections);
        connections.get(&connection).is_some_and(|entry| entry.mode.send_if_modified(|mode| mode.change(to)))
    }
}

impl Mode {
    /// A reset is final.
    fn change(&mut self, to: Self) -> bool {
        let may = *self != Self::Reset;
        if may {
            *self = to;
        }
        may
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        // The task owns those of the connections.
        self.accepting.abort();
    }
}

impl Shared {
    async fn serve(self: Arc<Self>, mut client: TcpStream, address: SocketAddr) {
        let Some((instance, mut server)) = self.connect().await else { return };
        let _ = client.set_nodelay(true);
        let _ = server.set_nodelay(true);
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (mode, mode_now) = watch::channel(Mode::Open);
        let connection = Connection { id, instance, client: address, since: Instant::now() };
        lock(&self.connections).insert(id, Entry { connection, mode });
        let seed = lock(&self.random).u64(..);
        let ended = forward(&mut client, &mut server, &mode_now, fastrand::Rng::with_seed(seed)).await;
        lock(&self.connections).remove(&id);
        if ended.is_err() {
            let _ = client.set_zero_linger();
            let _ = server.set_zero_linger();
        }
    }

    /// To an instance in rotation, in random order until one answers.
    async fn connect(&self) -> Option<(usize, TcpStream)> {
        let mut candidates: Vec<usize> = lock(&self.in_rotation).iter().copied().collect();
        lock(&self.random).shuffle(&mut candidates);
        for instance in candidates {
            let connecting = async {
                let socket = TcpSocket::new_v4()?;
                socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
                socket.connect(self.instances[instance]).await
            };
            if let Ok(Ok(server)) = timeout(CONNECT_TIMEOUT, connecting).await {
                return Some((instance, server));
            }
        }
        None
    }
}

/// Until both sides have ended. An error is for a reset of both.
async fn forward(
    client: &mut TcpStream,
    server: &mut TcpStream,
    mode: &watch::Receiver<Mode>,
    random: fastrand::Rng,
) -> io::Result<()> {
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let mut reset = mode.clone();
    select! {
        biased;
        _ = reset.wait_for(|mode| *mode == Mode::Reset) => Err(io::ErrorKind::ConnectionReset.into()),
        ended = async { tokio::try_join!(
            upstream(from_client, to_server, mode.clone()),
            downstream(from_server, to_client, mode.clone(), random),
        ) } => ended.map(drop),
    }
}

async fn upstream(from: ReadHalf<'_>, mut to: WriteHalf<'_>, mut mode: watch::Receiver<Mode>) -> io::Result<()> {
    let mut buffer = vec![0; 8 * 1024];
    loop {
        from.readable().await?;
        // What arrived while the connection was half-open waits in the kernel.
        let _ = mode.wait_for(|mode| *mode != Mode::HalfOpen).await;
        match from.try_read(&mut buffer) {
            Ok(0) => return to.shutdown().await,
            Ok(length) => to.write_all(&buffer[..length]).await?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

async fn downstream(
    from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut mode: watch::Receiver<Mode>,
    mut random: fastrand::Rng,
) -> io::Result<()> {
    let mut buffer = vec![0; 8 * 1024];
    loop {
        from.readable().await?;
        let now = mode.wait_for(|mode| *mode != Mode::HalfOpen).await.map_or(Mode::Reset, |mode| *mode);
        let until = match now {
            Mode::Trickle(until) if until > Instant::now() => Some(until),
            _ => None,
        };
        let room = if until.is_some() { 1 } else { buffer.len() };
        match from.try_read(&mut buffer[..room]) {
            Ok(0) => return to.shutdown().await,
            Ok(length) if now == Mode::ResetNext => {
                let part = random.usize(1.min(length - 1)..length);
                to.write_all(&buffer[..part]).await?;
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            Ok(length) => to.write_all(&buffer[..length]).await?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        }
        if let Some(until) = until {
            select! {
                () = sleep(TRICKLE_EVERY) => {}
                () = sleep_until(until.into()) => {}
                _ = mode.wait_for(|mode| *mode != now) => {}
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

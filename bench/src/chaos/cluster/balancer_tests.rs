//! Each fault between a client and a server that are both this process.

use super::balancer::Balancer;
use std::{
    io::ErrorKind,
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

const PATIENCE: Duration = Duration::from_secs(10);
const MOMENT: Duration = Duration::from_millis(50);

struct Fixture {
    balancer: Balancer,
    servers: Vec<TcpListener>,
}

impl Fixture {
    async fn start(count: usize) -> Self {
        let mut servers = Vec::new();
        for _ in 0..count {
            servers.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
        }
        let addresses = servers.iter().map(|server| server.local_addr().unwrap()).collect();
        let balancer = Balancer::start(addresses, 1).await.unwrap();
        (0..count).for_each(|instance| balancer.rotate(instance, true));
        Self { balancer, servers }
    }

    /// A client and the server's side of its connection, and the connection's id.
    async fn connect(&self) -> (TcpStream, TcpStream, u64) {
        let client = TcpStream::connect(self.balancer.address()).await.unwrap();
        let (server, _) = timeout(PATIENCE, self.servers[0].accept()).await.unwrap().unwrap();
        let id = self.id(client.local_addr().unwrap()).await;
        (client, server, id)
    }

    async fn id(&self, client: SocketAddr) -> u64 {
        let begin = Instant::now();
        loop {
            if let Some(connection) = self.balancer.connection_of(client) {
                return connection.id;
            }
            assert!(begin.elapsed() < PATIENCE, "the connection is not listed");
            sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Everything up to the end or the reset.
async fn read_all(stream: &mut TcpStream) -> (usize, Result<usize, ErrorKind>) {
    let mut bytes = Vec::new();
    let ended = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("an end");
    (bytes.len(), ended.map_err(|error| error.kind()))
}

async fn is_silent(stream: &TcpStream) -> bool {
    timeout(MOMENT, stream.peek(&mut [0; 1])).await.is_err()
}

#[tokio::test]
async fn an_untouched_connection_carries_everything_and_both_ends() {
    let cluster = Fixture::start(1).await;
    let (mut client, mut server, id) = cluster.connect().await;
    let bytes = vec![7; 1 << 20];
    let answers = async {
        client.write_all(&bytes).await.unwrap();
        client.shutdown().await.unwrap();
        read_all(&mut client).await.0
    };
    let asked = async {
        let asked = read_all(&mut server).await.0;
        server.write_all(&bytes).await.unwrap();
        drop(server);
        asked
    };
    assert_eq!(tokio::join!(answers, asked), (bytes.len(), bytes.len()));
    let begin = Instant::now();
    while cluster.balancer.kill(id) {
        assert!(begin.elapsed() < PATIENCE, "the connection is still listed");
        sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn connections_go_to_instances_in_rotation_that_listen() {
    let mut cluster = Fixture::start(3).await;
    cluster.balancer.rotate(0, false);
    // Nothing listens there any more.
    drop(cluster.servers.remove(2));
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(TcpStream::connect(cluster.balancer.address()).await.unwrap());
        cluster.servers[1].accept().await.unwrap();
    }
    cluster.balancer.rotate(1, false);
    let mut client = TcpStream::connect(cluster.balancer.address()).await.unwrap();
    assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0, "nobody is there");
    cluster.balancer.rotate(0, true);
    let _client = TcpStream::connect(cluster.balancer.address()).await.unwrap();
    cluster.servers[0].accept().await.unwrap();
}

#[tokio::test]
async fn a_reset_mid_frame_cuts_what_the_server_says_next() {
    let cluster = Fixture::start(1).await;
    let (mut client, mut server, id) = cluster.connect().await;
    assert!(cluster.balancer.reset_mid_frame(id));
    client.write_all(b"ask").await.unwrap();
    server.read_exact(&mut [0; 3]).await.unwrap();
    server.write_all(&[7; 100]).await.unwrap();
    let (read, ended) = read_all(&mut client).await;
    assert!((1..100).contains(&read) && ended == Err(ErrorKind::ConnectionReset), "{read} bytes, then {ended:?}");
    assert_eq!(read_all(&mut server).await.1, Err(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn a_killed_connection_is_reset_on_both_sides() {
    let cluster = Fixture::start(1).await;
    let (mut client, mut server, id) = cluster.connect().await;
    assert!(cluster.balancer.half_open(id));
    assert!(cluster.balancer.kill(id));
    assert_eq!(read_all(&mut client).await.1, Err(ErrorKind::ConnectionReset));
    assert_eq!(read_all(&mut server).await.1, Err(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn half_open_neither_side_hears_of_the_other_until_it_is_healed() {
    let cluster = Fixture::start(1).await;
    let (mut client, mut server, id) = cluster.connect().await;
    assert!(cluster.balancer.half_open(id));
    client.write_all(b"unheard").await.unwrap();
    server.write_all(b"unseen").await.unwrap();
    assert!(is_silent(&client).await && is_silent(&server).await);
    drop(client);
    assert!(is_silent(&server).await, "the server learns of the end");
    assert!(cluster.balancer.heal(id));
    let mut heard = [0; 7];
    timeout(PATIENCE, server.read_exact(&mut heard)).await.unwrap().unwrap();
    assert_eq!(&heard, b"unheard");
    assert_eq!(read_all(&mut server).await.0, 0);
}

#[tokio::test]
async fn a_trickle_stalls_the_server_and_then_everything_comes() {
    let cluster = Fixture::start(1).await;
    let (mut client, mut server, id) = cluster.connect().await;
    assert!(cluster.balancer.trickle(id, Duration::from_millis(1_300)));
    let begin = Instant::now();
    let bytes = vec![7; 1 << 22];
    // What the kernel takes of it on the server's side and ours, with buffers that it grows as it likes on the server's.
    let mut sent = 0;
    while let Ok(Ok(length)) = timeout(MOMENT, server.write(&bytes[sent..])).await {
        sent += length;
    }
    assert!(sent < bytes.len(), "the server is not stalled");
    client.read_exact(&mut [0; 1]).await.unwrap();
    assert!(is_silent(&client).await, "more than one byte a second");
    let rest = async {
        server.write_all(&bytes[sent..]).await.unwrap();
        drop(server);
    };
    let (read, ()) = tokio::join!(read_all(&mut client), rest);
    assert_eq!(read.0, bytes.len() - 1);
    assert!(begin.elapsed() > Duration::from_millis(1_300));
}

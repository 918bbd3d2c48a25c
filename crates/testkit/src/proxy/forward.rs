//! What passes on one connection, and what does not.

use super::{Link, Shared};
use crate::{
    faults::{OnAppend, Then},
    process::Peer,
    resp::{Splitter, contains, encode},
};
use std::{io, sync::atomic::Ordering};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    select,
    sync::{mpsc, oneshot},
    time::sleep_until,
};

/// Follows an append on its connection: once this is answered, the append was.
const MARKER: &str = "committed-before-this";

/// How a connection ends.
pub enum End {
    Closed,
    Reset,
    /// Once the marker is answered.
    DropReply(oneshot::Sender<()>),
}

impl Shared {
    /// Passes everything on until either side ends, or a fault ends it.
    pub async fn forward(
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
}

/// Reads what a server answers until the append is committed that came before the marker.
pub async fn until_committed(server: &mut TcpStream) -> io::Result<()> {
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

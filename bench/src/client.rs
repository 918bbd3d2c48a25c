//! A client of the server: signs in, joins, sends.

use crate::Result;
use app::{
    domain::{Cursor, ProducerId, RoomKey, RoomName},
    protocol::{ClientFrame, IN_FLIGHT_MAX, SUBPROTOCOL, ServerFrame},
};
use futures_util::{SinkExt, StreamExt};
use reqwest::{header, redirect};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, Utf8Bytes, client::IntoClientRequest, protocol::WebSocketConfig},
};

/// The library's 128 KiB, allocated at once, would be most of this process with a thousand sockets.
const READ_BUFFER: usize = 8 * 1024;

/// The session's cookie.
pub async fn sign_in(address: SocketAddr, name: &str, room: &str) -> Result<String> {
    sign_in_from(Ipv4Addr::LOCALHOST, address, name, room).await
}

/// [`sign_in`] from an address of this machine's.
pub async fn sign_in_from(from: Ipv4Addr, address: SocketAddr, name: &str, room: &str) -> Result<String> {
    let http = reqwest::Client::builder().redirect(redirect::Policy::none()).local_address(IpAddr::V4(from)).build()?;
    let response = http.post(format!("http://{address}/signin")).form(&[("name", name), ("room", room)]).send().await?;
    let cookie = response.headers().get(header::SET_COOKIE).ok_or("not signed in")?;
    Ok(cookie.to_str()?.split(';').next().unwrap_or_default().to_owned())
}

pub fn key(room: &str) -> Result<RoomKey> {
    Ok(RoomName::parse(room).map_err(|problem| format!("{room}: {problem:?}"))?.key())
}

pub struct Client {
    ws: WebSocketStream<TcpStream>,
}

impl Client {
    pub async fn connect(address: SocketAddr, cookie: &str) -> Result<Self> {
        Self::over(TcpSocket::new_v4()?, address, cookie).await
    }

    /// [`Client::connect`] from an address of this machine's.
    pub async fn from(from: Ipv4Addr, address: SocketAddr, cookie: &str) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((from, 0)))?;
        Self::over(socket, address, cookie).await
    }

    /// Connects `socket`, whose options the caller has set.
    pub async fn over(socket: TcpSocket, address: SocketAddr, cookie: &str) -> Result<Self> {
        let mut request = format!("ws://{address}/ws").into_client_request()?;
        request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL.parse()?);
        request.headers_mut().insert(header::COOKIE, cookie.parse()?);
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
        let (ws, _) = client_async_with_config(request, stream, Some(config)).await?;
        let mut client = Self { ws };
        match client.frame().await? {
            ServerFrame::Hello { .. } => Ok(client),
            other => Err(format!("expected hello, got {other:?}").into()),
        }
    }

    /// The port at this end.
    pub fn port(&self) -> Result<u16> {
        Ok(self.ws.get_ref().local_addr()?.port())
    }

    pub async fn send(&mut self, frame: &ClientFrame) -> Result<()> {
        Ok(self.ws.send(Message::text(serde_json::to_string(frame)?)).await?)
    }

    /// Writes bytes of no frame's making.
    pub async fn write_raw(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.ws.get_mut().write_all(bytes).await?)
    }

    /// The next frame as it came; `None` once the socket is closed or lost. May be cancelled without losing a frame.
    pub async fn text(&mut self) -> Option<Utf8Bytes> {
        while let Some(Ok(message)) = self.ws.next().await {
            if let Message::Text(text) = message {
                return Some(text);
            }
        }
        None
    }

    pub async fn frame(&mut self) -> Result<ServerFrame> {
        let text = self.text().await.ok_or("the socket was closed")?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Joins and returns how many entries came and where the log ends.
    pub async fn join(&mut self, room: &RoomKey) -> Result<(usize, Cursor)> {
        self.send(&ClientFrame::Join { room: room.clone(), cursor: None }).await?;
        loop {
            match self.frame().await? {
                ServerFrame::Joined { page, .. } => return Ok((page.entries.len(), page.cursor)),
                ServerFrame::Error { code, detail, .. } => return Err(format!("{code:?}: {detail}").into()),
                _ => {}
            }
        }
    }

    /// Sends the messages of these numbers and waits until all are acknowledged.
    pub async fn fill(&mut self, room: &RoomKey, numbers: RangeInclusive<u64>) -> Result<()> {
        let text = "x".repeat(120);
        let (mut sent, mut acked) = (numbers.start() - 1, numbers.start() - 1);
        while acked < *numbers.end() {
            while sent < *numbers.end() && sent - acked < IN_FLIGHT_MAX as u64 {
                sent += 1;
                self.send(&ClientFrame::Send {
                    room: room.clone(),
                    p: ProducerId(1),
                    n: sent,
                    text: text.clone(),
                    earlier: Vec::new(),
                })
                .await?;
            }
            match self.frame().await? {
                ServerFrame::Ack { .. } => acked += 1,
                ServerFrame::Refused { n, code, .. } => return Err(format!("{n} refused: {code:?}").into()),
                _ => {}
            }
        }
        Ok(())
    }
}

//! A client of the server: signs in, joins, sends.

use crate::Result;
use app::{
    domain::{Cursor, ProducerId, RoomKey, RoomName},
    protocol::{ClientFrame, IN_FLIGHT_MAX, SUBPROTOCOL, ServerFrame},
};
use futures_util::{SinkExt, StreamExt};
use reqwest::{header, redirect};
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

/// The session's cookie.
pub async fn sign_in(address: SocketAddr, name: &str, room: &str) -> Result<String> {
    let http = reqwest::Client::builder().redirect(redirect::Policy::none()).build()?;
    let response = http.post(format!("http://{address}/signin")).form(&[("name", name), ("room", room)]).send().await?;
    let cookie = response.headers().get(header::SET_COOKIE).ok_or("not signed in")?;
    Ok(cookie.to_str()?.split(';').next().unwrap_or_default().to_owned())
}

pub fn key(room: &str) -> Result<RoomKey> {
    Ok(RoomName::parse(room).map_err(|problem| format!("{room}: {problem:?}"))?.key())
}

pub struct Client {
    ws: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    pub async fn connect(address: SocketAddr, cookie: &str) -> Result<Self> {
        let mut request = format!("ws://{address}/ws").into_client_request()?;
        request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL.parse()?);
        request.headers_mut().insert(header::COOKIE, cookie.parse()?);
        let (ws, _) = connect_async(request).await?;
        let mut client = Self { ws };
        match client.frame().await? {
            ServerFrame::Hello { .. } => Ok(client),
            other => Err(format!("expected hello, got {other:?}").into()),
        }
    }

    pub async fn send(&mut self, frame: &ClientFrame) -> Result<()> {
        Ok(self.ws.send(Message::text(serde_json::to_string(frame)?)).await?)
    }

    pub async fn frame(&mut self) -> Result<ServerFrame> {
        while let Some(message) = self.ws.next().await {
            if let Message::Text(text) = message? {
                return Ok(serde_json::from_str(&text)?);
            }
        }
        Err("the socket was closed".into())
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

    /// Sends `count` messages and waits until all are acknowledged.
    pub async fn fill(&mut self, room: &RoomKey, count: u64) -> Result<()> {
        let text = "x".repeat(120);
        let (mut sent, mut acked) = (0, 0);
        while acked < count {
            while sent < count && sent - acked < IN_FLIGHT_MAX as u64 {
                sent += 1;
                self.send(&ClientFrame::Send { room: room.clone(), p: ProducerId(1), n: sent, text: text.clone() })
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

//! One WebSocket, as a browser would have it.

use app::protocol::{SUBPROTOCOL, ServerFrame};
use client::chat_client::SocketId;
use futures_util::{SinkExt, StreamExt};
use reqwest::header;
use std::net::SocketAddr;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::{AbortHandle, spawn_local},
};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

/// What a socket tells whoever opened it.
pub enum Event {
    Frame(SocketId, Box<ServerFrame>),
    Closed(SocketId, Option<u16>),
}

/// A socket that a task of its own serves; it never waits for who writes to it. Dropped, it says so and closes.
pub struct Socket {
    outgoing: UnboundedSender<String>,
    task: AbortHandle,
}

impl Socket {
    pub fn open(id: SocketId, address: SocketAddr, cookie: &str, events: UnboundedSender<Event>) -> Self {
        let (outgoing, lines) = unbounded_channel();
        let cookie = cookie.to_owned();
        let task = spawn_local(async move {
            let code = serve(id, address, &cookie, &events, lines).await;
            let _ = events.send(Event::Closed(id, code));
        });
        Self { outgoing, task: task.abort_handle() }
    }

    pub fn send(&self, line: String) {
        let _ = self.outgoing.send(line);
    }

    /// Gone without a word, as when a browser is killed.
    pub fn abandon(self) {
        self.task.abort();
    }
}

/// Serves the socket until either side closes it; returns the code of the server's close frame.
async fn serve(
    id: SocketId,
    address: SocketAddr,
    cookie: &str,
    events: &UnboundedSender<Event>,
    mut lines: UnboundedReceiver<String>,
) -> Option<u16> {
    let mut request = format!("ws://{address}/ws").into_client_request().ok()?;
    request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL.parse().ok()?);
    request.headers_mut().insert(header::COOKIE, cookie.parse().ok()?);
    let (ws, _) = connect_async(request).await.ok()?;
    let (mut sink, mut stream) = ws.split();
    let mut code = None;
    loop {
        tokio::select! {
            line = lines.recv() => {
                let Some(line) = line else {
                    // The session closed it: say so, and hear nothing more.
                    let _ = sink.close().await;
                    return None;
                };
                sink.send(Message::text(line)).await.ok()?;
            }
            message = stream.next() => match message {
                Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                    Ok(frame) => drop(events.send(Event::Frame(id, Box::new(frame)))),
                    Err(error) => eprintln!("  a frame that is not of the protocol: {error}: {text}"),
                },
                Some(Ok(Message::Close(frame))) => code = frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return code,
            },
        }
    }
}

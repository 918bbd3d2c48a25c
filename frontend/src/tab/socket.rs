//! One WebSocket.

use super::{forget, incompatible, with};
use app::{
    client::chat_client::SocketId,
    protocol::{ClientFrame, CloseCode, SUBPROTOCOL, ServerFrame},
};
use futures_channel::mpsc::{UnboundedSender, unbounded};
use futures_util::{
    SinkExt, StreamExt,
    future::{AbortHandle, abortable},
    stream::SplitStream,
};
use gloo_net::websocket::{Message, WebSocketError, futures::WebSocket};
use leptos::{logging, tachys::dom::window, task::spawn_local};

/// Closed when dropped, and silent from then on.
pub(super) struct BrowserSocket {
    outgoing: UnboundedSender<Message>,
    reading: AbortHandle,
}

impl BrowserSocket {
    pub fn open(id: SocketId) -> Option<Self> {
        let location = window().location();
        let scheme = if location.protocol().ok()? == "https:" { "wss://" } else { "ws://" };
        let url = [scheme, &location.host().ok()?, "/ws"].concat();
        let (mut sink, stream) = WebSocket::open_with_protocol(&url, SUBPROTOCOL).ok()?.split();
        let (outgoing, mut messages) = unbounded();
        spawn_local(async move {
            while let Some(message) = messages.next().await {
                if sink.send(message).await.is_err() {
                    // The reading half says why.
                    break;
                }
            }
        });
        let (read, reading) = abortable(read(id, stream));
        spawn_local(async move {
            // Aborted when this side closed the socket: then nobody waits for its end.
            let _ = read.await;
        });
        Some(Self { outgoing, reading })
    }

    /// The session sends only on a socket that said hello. What is sent on one that is closing is lost, and sent again on
    /// the next.
    pub fn send(&self, frame: &ClientFrame) {
        if let Ok(json) = serde_json::to_string(frame) {
            let _ = self.outgoing.unbounded_send(Message::Text(json));
        }
    }
}

/// Hands every frame to the session, then the socket's end.
async fn read(id: SocketId, mut stream: SplitStream<WebSocket>) {
    let mut code = None;
    while let Some(message) = stream.next().await {
        match message {
            Ok(Message::Text(text)) => match serde_json::from_str::<ServerFrame>(&text) {
                Ok(frame) => drop(with(|chat| chat.received(id, frame))),
                // One frame less is a gap, and gaps are noticed.
                Err(error) => logging::warn!("a frame that this build cannot read: {error}"),
            },
            Err(WebSocketError::ConnectionClose(event)) => {
                code = Some(event.code);
                if event.code == CloseCode::Incompatible.code() {
                    incompatible(event.reason);
                }
                break;
            }
            // No frame of the protocol; or an error, after which the browser's close event follows.
            Ok(Message::Bytes(_)) | Err(_) => {}
        }
    }
    with(|chat| chat.closed(id, code));
    forget(id);
}

impl Drop for BrowserSocket {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

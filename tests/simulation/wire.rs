//! One WebSocket of a tab, as a browser would have it.

use super::world::World;
use crate::memory_store::chance::Chance;
use app::{
    client::chat_client::SocketId,
    protocol::{ClientFrame, SUBPROTOCOL, ServerFrame},
};
use futures_util::{SinkExt, StreamExt};
use std::rc::Rc;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::{AbortHandle, spawn_local},
};
use tokio_tungstenite::{
    client_async,
    tungstenite::{
        Message,
        client::IntoClientRequest,
        http::header::{COOKIE, SEC_WEBSOCKET_PROTOCOL},
    },
};

pub enum Event {
    Frame(SocketId, Box<ServerFrame>),
    Closed(SocketId, Option<u16>),
}

pub struct Wire {
    outgoing: UnboundedSender<String>,
    task: AbortHandle,
}

impl Wire {
    pub fn open(id: SocketId, world: &Rc<World>, chance: Chance, cookie: &str, events: UnboundedSender<Event>) -> Self {
        let (outgoing, lines) = unbounded_channel();
        let (world, cookie) = (world.clone(), cookie.to_owned());
        let task = spawn_local(async move {
            let code = serve(id, &world, chance, &cookie, &events, lines).await;
            let _ = events.send(Event::Closed(id, code));
        });
        Self { outgoing, task: task.abort_handle() }
    }

    pub fn send(&self, frame: &ClientFrame) {
        let _ = self.outgoing.send(serde_json::to_string(frame).unwrap());
    }

    /// Gone without a word, as when a browser is killed.
    pub fn abandon(self) {
        self.task.abort();
    }
}

/// Serves the socket until either side closes it; returns the code of the server's close frame.
async fn serve(
    id: SocketId,
    world: &World,
    chance: Chance,
    cookie: &str,
    events: &UnboundedSender<Event>,
    mut lines: UnboundedReceiver<String>,
) -> Option<u16> {
    let mut request = "ws://localhost:3000/ws".into_client_request().ok()?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL.parse().ok()?);
    request.headers_mut().insert(COOKIE, cookie.parse().ok()?);
    let (ws, _) = client_async(request, world.connect(chance)?).await.ok()?;
    let (mut sink, mut stream) = ws.split();
    // As a browser does, it reads on while what it writes is not taken.
    let write = async {
        while let Some(line) = lines.recv().await {
            if sink.send(Message::text(line)).await.is_err() {
                return;
            }
        }
        // The session closed it: say so, and hear nothing more.
        let _ = sink.close().await;
    };
    let read = async {
        let mut code = None;
        loop {
            match stream.next().await {
                Some(Ok(Message::Text(text))) => {
                    let frame = serde_json::from_str(&text).expect("a frame that is not of the protocol");
                    let _ = events.send(Event::Frame(id, Box::new(frame)));
                }
                Some(Ok(Message::Close(frame))) => code = frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return code,
            }
        }
    };
    tokio::select! {
        biased;
        code = read => code,
        () = write => None,
    }
}

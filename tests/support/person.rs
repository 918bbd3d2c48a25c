//! A person with a browser's cookies and sockets, and nothing else of a browser.

use super::server::At;
use app::{
    domain::{Cursor, Entry, ProducerId, RoomKey, RoomName},
    protocol::{ClientFrame, JoinedHow, Page, SUBPROTOCOL, ServerFrame},
};
use futures_util::{FutureExt, SinkExt, StreamExt};
use reqwest::{Client, Response, header, redirect};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest, protocol::CloseFrame},
};

/// Longer than anything here may take; only reached when a promise is broken.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Person {
    pub http: Client,
    pub cookies: Arc<reqwest::cookie::Jar>,
}

pub fn key(room: &str) -> RoomKey {
    RoomName::parse(room).unwrap().key()
}

impl Person {
    pub fn new() -> Self {
        let cookies = Arc::new(reqwest::cookie::Jar::default());
        let http = Client::builder().redirect(redirect::Policy::none()).cookie_provider(cookies.clone());
        Self { http: http.build().unwrap(), cookies }
    }

    /// Signed in on `server`; cookies hold for every instance on the same host.
    pub async fn signed_in(server: &impl At, name: &str, room: &str) -> Self {
        let person = Self::new();
        let response = person.post(server, "/signin", &[("name", name), ("room", room)]).await;
        assert_eq!(response.status(), 303, "{}", response.text().await.unwrap());
        person
    }

    pub async fn get(&self, server: &impl At, path: &str) -> Response {
        self.http.get(server.url(path)).send().await.unwrap()
    }

    pub async fn post(&self, server: &impl At, path: &str, form: &[(&str, &str)]) -> Response {
        self.http.post(server.url(path)).form(form).send().await.unwrap()
    }

    /// The page's HTML.
    pub async fn page(&self, server: &impl At, path: &str) -> String {
        self.get(server, path).await.text().await.unwrap()
    }

    pub fn cookie(&self, server: &impl At) -> String {
        use reqwest::cookie::CookieStore;
        let url = server.url("/").parse::<reqwest::Url>().unwrap();
        self.cookies.cookies(&url).map(|cookies| cookies.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    pub async fn socket(&self, server: &impl At) -> Socket {
        let mut socket = self.try_socket(server, None).await.unwrap();
        let hello = socket.frame().await;
        assert!(matches!(hello, ServerFrame::Hello { .. }), "{hello:?}");
        socket
    }

    pub async fn try_socket(&self, server: &impl At, origin: Option<&str>) -> Result<Socket, Error> {
        self.speak(server, SUBPROTOCOL, origin).await
    }

    /// Opens a socket with these versions of the protocol on offer.
    pub async fn speak(&self, server: &impl At, protocols: &str, origin: Option<&str>) -> Result<Socket, Error> {
        let mut request = format!("ws://{}/ws", server.address()).into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocols.parse().unwrap());
        headers.insert(header::COOKIE, self.cookie(server).parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        let (ws, _) = connect_async(request).await?;
        Ok(Socket { ws })
    }
}

pub struct Socket<S = MaybeTlsStream<TcpStream>> {
    pub ws: WebSocketStream<S>,
}

/// What came instead of a frame.
#[derive(Debug)]
pub enum Ended {
    Closed(Option<CloseFrame>),
    Lost,
}

impl Ended {
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Closed(frame) => frame.as_ref().map(|frame| frame.code.into()),
            Self::Lost => None,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    pub async fn send(&mut self, frame: &ClientFrame) {
        self.raw(Message::text(serde_json::to_string(frame).unwrap())).await;
    }

    pub async fn raw(&mut self, message: Message) {
        self.ws.send(message).await.unwrap();
    }

    pub async fn next(&mut self) -> Result<ServerFrame, Ended> {
        let next = async {
            loop {
                match self.ws.next().await {
                    Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                    Some(Ok(Message::Close(frame))) => return Err(Ended::Closed(frame)),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return Err(Ended::Lost),
                }
            }
        };
        timeout(PATIENCE, next).await.expect("nothing came for 30 s")
    }

    /// Whether the socket answers; else the code with which it was closed.
    pub async fn is_open(&mut self) -> Result<(), Option<u16>> {
        // What is written to a socket that was closed may destroy the close frame that waits to be read.
        while let Some(frame) = self.next().now_or_never() {
            if let Err(ended) = frame {
                return Err(ended.code());
            }
        }
        self.send(&ClientFrame::Ping).await;
        loop {
            match self.next().await {
                Ok(ServerFrame::Pong) => return Ok(()),
                Ok(_) => {}
                Err(ended) => return Err(ended.code()),
            }
        }
    }

    pub async fn frame(&mut self) -> ServerFrame {
        self.next().await.expect("the socket was closed")
    }

    /// The next frame that `pick` takes; others are passed over.
    pub async fn until<T>(&mut self, mut pick: impl FnMut(ServerFrame) -> Option<T>) -> T {
        loop {
            if let Some(picked) = pick(self.frame().await) {
                return picked;
            }
        }
    }

    pub async fn closed(&mut self) -> Ended {
        loop {
            if let Err(ended) = self.next().await {
                return ended;
            }
        }
    }

    pub async fn join(&mut self, room: &str, cursor: Option<Cursor>) -> (JoinedHow, Page) {
        self.send(&ClientFrame::Join { room: key(room), cursor }).await;
        self.until(|frame| match frame {
            ServerFrame::Joined { how, page, .. } => Some((how, page)),
            ServerFrame::Error { code, detail, .. } => panic!("{code:?}: {detail}"),
            _ => None,
        })
        .await
    }

    pub async fn say(&mut self, room: &str, p: ProducerId, n: u64, text: &str) {
        self.send(&ClientFrame::Send { room: key(room), p, n, text: text.to_owned(), earlier: vec![] }).await;
    }

    pub async fn entry(&mut self) -> Entry {
        self.until(|frame| match frame {
            ServerFrame::Entry { entry, .. } => Some(entry),
            _ => None,
        })
        .await
    }

    pub async fn ack(&mut self, number: u64) -> Cursor {
        self.until(|frame| match frame {
            ServerFrame::Ack { n, at, .. } if n == number => Some(at),
            ServerFrame::Refused { n, code, .. } if n == number => panic!("refused: {code:?}"),
            _ => None,
        })
        .await
    }

    /// Where the numbers from 1 to `count` were acknowledged, each once. The answers may come in another order.
    pub async fn acks(&mut self, count: u64) -> Vec<Cursor> {
        let mut at = BTreeMap::new();
        while (at.len() as u64) < count {
            let (n, cursor) = self
                .until(|frame| match frame {
                    ServerFrame::Ack { n, at, .. } => Some((n, at)),
                    ServerFrame::Refused { n, code, .. } => panic!("{n} was refused: {code:?}"),
                    _ => None,
                })
                .await;
            assert!((1..=count).contains(&n) && at.insert(n, cursor).is_none(), "{n} was acknowledged twice");
        }
        at.into_values().collect()
    }
}

//! A WebSocket without a library: frames as bytes, so that they can be wrong.

use super::{
    person::{PATIENCE, Person},
    server::At,
};
use app::protocol::SUBPROTOCOL;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// The example of RFC 6455, section 1.3.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

pub struct Raw {
    pub stream: TcpStream,
}

/// What the server sent: a frame's opcode and payload, or the end of the connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    Frame(u8, Vec<u8>),
    End,
}

impl Heard {
    /// Of a close frame.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Frame(8, payload) => Some(u16::from_be_bytes(payload.get(..2)?.try_into().unwrap())),
            _ => None,
        }
    }
}

/// A masked frame of a client; `first` is its first byte.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
        length @ 126..=0xffff => frame.extend([&[0xfe][..], &u16::try_from(length).unwrap().to_be_bytes()].concat()),
        length => frame.extend([&[0xff][..], &(length as u64).to_be_bytes()].concat()),
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// The head of a request to open a socket, with lines of the caller's choice.
pub fn handshake(server: &impl At, lines: &[&str]) -> String {
    format!("GET /ws HTTP/1.1\r\nHost: {}\r\n{}\r\n\r\n", server.address(), lines.join("\r\n"))
}

/// Sends a request and returns the answer's head.
pub async fn answer(server: &impl At, request: &str) -> String {
    ask(server, request).await.1
}

async fn ask(server: &impl At, request: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
    }
    (stream, String::from_utf8(head).unwrap())
}

impl Raw {
    /// An open socket of a person; the server's `hello` was read.
    pub async fn open(server: &impl At, person: &Person) -> Self {
        let cookie = format!("Cookie: {}", person.cookie(server));
        let key = format!("Sec-WebSocket-Key: {KEY}");
        let protocol = format!("Sec-WebSocket-Protocol: {SUBPROTOCOL}");
        let lines =
            ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", &key, &protocol, &cookie];
        let (stream, head) = ask(server, &handshake(server, &lines)).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        let mut raw = Self { stream };
        assert!(matches!(raw.heard().await, Heard::Frame(1, _)));
        raw
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next frame of the server, which are whole and not masked.
    pub async fn heard(&mut self) -> Heard {
        timeout(PATIENCE, self.next()).await.expect("nothing came for 30 s").unwrap_or(Heard::End)
    }

    async fn next(&mut self) -> std::io::Result<Heard> {
        let first = self.stream.read_u8().await?;
        assert_eq!(first & 0xf0, 0x80);
        let length = match self.stream.read_u8().await? {
            126 => usize::from(self.stream.read_u16().await?),
            127 => usize::try_from(self.stream.read_u64().await?).unwrap(),
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).await?;
        Ok(Heard::Frame(first & 0x0f, payload))
    }
}

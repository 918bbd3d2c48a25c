//! What answers in the place of a server that is away: as much as a client asks for to be content with its connection, and
//! otherwise [`AWAY`].

use super::{AWAY, Masters};
use std::{
    collections::HashSet,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

/// The longest line, words of a command and bytes of all of them: no memory for whoever is not fred.
const LINE_MAX: u64 = 4_096;
const WORDS_MAX: usize = 100_000;
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// Pause after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(50);

pub struct StandIn {
    address: SocketAddr,
    /// While the server is away: what ends the connections.
    needed: Mutex<Option<CancellationToken>>,
}

impl StandIn {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, needed: Mutex::default() }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn is_needed(&self) -> bool {
        self.needed().is_some()
    }

    /// The server is away. Says whether that is new.
    pub fn begin(&self) -> bool {
        let mut needed = self.needed();
        let is_new = needed.is_none();
        needed.get_or_insert_default();
        is_new
    }

    /// It is not away any more: ends the connections.
    pub fn end(&self) {
        if let Some(needed) = self.needed().take() {
            needed.cancel();
        }
    }

    pub async fn receive(self: Arc<Self>, listener: TcpListener, masters: Arc<Masters>) {
        let each = |socket| {
            // Otherwise whoever connects was told of it before the server came back.
            if let Some(needed) = self.needed().clone() {
                let masters = masters.clone();
                tokio::spawn(async move { serve(socket, &masters, needed).await });
            }
        };
        accept(&listener, &masters.closed, each).await;
        self.end();
    }

    fn needed(&self) -> MutexGuard<'_, Option<CancellationToken>> {
        self.needed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub async fn accept(listener: &TcpListener, closed: &CancellationToken, mut each: impl FnMut(TcpStream)) {
    loop {
        let accepted = tokio::select! {
            () = closed.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, _)) => each(socket),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Answers a client until it goes or `end`.
pub async fn serve(socket: TcpStream, masters: &Arc<Masters>, end: CancellationToken) {
    let answer = async || answer_all(socket, masters).await;
    tokio::select! {
        () = end.cancelled() => {}
        // It went, or is no client of Redis.
        _ = answer() => {}
    }
}

async fn answer_all(socket: TcpStream, masters: &Arc<Masters>) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let (from, mut to) = socket.into_split();
    let mut from = BufReader::new(from);
    let mut channels = HashSet::new();
    while let Some(command) = next_command(&mut from).await? {
        let answer = match answer(&command, &mut channels) {
            Answer::Text(text) => text,
            Answer::Slots => masters.slots().await.unwrap_or_else(|error| failure(error.details())),
        };
        to.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

enum Answer {
    Text(String),
    /// What only the living servers know.
    Slots,
}

fn answer(command: &[Vec<u8>], channels: &mut HashSet<Vec<u8>>) -> Answer {
    let word = |n: usize| command.get(n).map(|word| String::from_utf8_lossy(word).to_ascii_uppercase());
    let (first, second) = (word(0).unwrap_or_default(), word(1).unwrap_or_default());
    Answer::Text(match (first.as_str(), second.as_str()) {
        ("CLUSTER", "SLOTS") => return Answer::Slots,
        ("CLUSTER", "INFO") => bulk("cluster_state:ok\r\n"),
        ("HELLO", _) => "%1\r\n+proto\r\n:3\r\n".to_owned(),
        ("CLIENT", "ID") => ":0\r\n".to_owned(),
        ("CLIENT", "INFO") => bulk(&format!("ssub={}", channels.len())),
        ("AUTH" | "CLIENT" | "QUIT", _) => "+OK\r\n".to_owned(),
        ("PING", _) => "+PONG\r\n".to_owned(),
        // The least that there is in it, since this one knows nothing more.
        ("INFO", _) => bulk("redis_version:7.0.0\r\n"),
        // Nothing is published there while the server is away, and every subscription is made again when it is back.
        ("SSUBSCRIBE" | "SUNSUBSCRIBE", _) => {
            let what = first.to_ascii_lowercase();
            let each = command.get(1..).unwrap_or_default().iter().map(|channel| {
                if what == "ssubscribe" {
                    channels.insert(channel.clone());
                } else {
                    channels.remove(channel);
                }
                let channel = bulk(&String::from_utf8_lossy(channel));
                format!(">3\r\n{}{channel}:{}\r\n", bulk(&what), channels.len())
            });
            each.collect()
        }
        _ => failure(AWAY),
    })
}

/// A string, as Redis has it.
pub fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// On one line, as Redis has errors.
fn failure(why: &str) -> String {
    format!("-{}\r\n", why.replace(['\r', '\n'], " "))
}

/// The words of the next command: an array of strings, or a line, as fred writes its `HELLO`.
async fn next_command(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Vec<Vec<u8>>>> {
    let line = line(from).await?;
    if line.is_empty() {
        return Ok(None);
    }
    let Some(words) = line.strip_prefix(b"*") else {
        return Ok(Some(line.split(u8::is_ascii_whitespace).map(<[u8]>::to_vec).collect()));
    };
    let mut command = Vec::new();
    let mut bytes = 0;
    for _ in 0..number(words)? {
        let line = self::line(from).await?;
        let length = number(line.strip_prefix(b"$").unwrap_or_default())?;
        bytes += length;
        if command.len() == WORDS_MAX || bytes > BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut word = vec![0; length + 2];
        from.read_exact(&mut word).await?;
        word.truncate(length);
        command.push(word);
    }
    Ok(Some(command))
}

/// With its end; nothing at the end of all.
async fn line(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    from.take(LINE_MAX).read_until(b'\n', &mut line).await?;
    if line.is_empty() || line.ends_with(b"\r\n") { Ok(line) } else { Err(io::ErrorKind::InvalidData.into()) }
}

fn number(line: &[u8]) -> io::Result<usize> {
    let number = str::from_utf8(line).ok().and_then(|line| line.trim_end().parse().ok());
    number.filter(|&number| number <= BYTES_MAX).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    async fn read(mut bytes: &[u8]) -> io::Result<Option<Vec<Vec<u8>>>> {
        next_command(&mut bytes).await
    }

    #[tokio::test]
    async fn a_command_is_read_and_anything_else_ends_the_connection() {
        assert_eq!(read(b"").await.unwrap(), None);
        let command = read(b"*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n").await.unwrap().unwrap();
        assert_eq!(command, [b"GET".to_vec(), b"a\r\nb".to_vec()]);
        assert_eq!(read(b"HELLO 3\r\n").await.unwrap().unwrap()[..2], [b"HELLO".to_vec(), b"3".to_vec()]);
        for wrong in [
            &b"GET a\n"[..],
            b"GET",
            b"*1\r\n",
            b"*1\r\n$9\r\nGET\r\n",
            b"*1\r\n$-1\r\n",
            b"*1\r\n*1\r\n",
            b"*99999999999\r\n",
        ] {
            assert!(read(wrong).await.is_err(), "{wrong:?}");
        }
        assert!(read(format!("*1\r\n${BYTES_MAX}\r\n").as_bytes()).await.is_err());
    }

    #[test]
    fn it_counts_subscriptions_and_does_nothing() {
        let mut channels = HashSet::new();
        let mut ask = |text: &str| {
            let command: Vec<_> = text.split(' ').map(|word| word.as_bytes().to_vec()).collect();
            let Answer::Text(text) = answer(&command, &mut channels) else { panic!("{text}") };
            text
        };
        assert_eq!(ask("SSUBSCRIBE here"), ">3\r\n$10\r\nssubscribe\r\n$4\r\nhere\r\n:1\r\n");
        ask("ssubscribe here");
        assert_eq!(ask("CLIENT INFO"), "$6\r\nssub=1\r\n");
        assert_eq!(ask("SUNSUBSCRIBE here"), ">3\r\n$12\r\nsunsubscribe\r\n$4\r\nhere\r\n:0\r\n");
        for command in ["EVALSHA x 1 y", "GET a", "FLUSHALL", "CLUSTER RESET"] {
            assert_eq!(ask(command), format!("-{AWAY}\r\n"));
        }
    }
}

//! One question over plain HTTP that this program asks itself: of a server on its own machine, or of the platform's metadata server.

use std::{io, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

/// The longest answer: what is asked for here takes a few kilobytes at most.
const ANSWER_MAX: u64 = 64 * 1024;

/// What a server answered. It may hold a secret, and is shown nowhere.
pub struct HttpAnswer {
    /// The first line, such as `HTTP/1.1 200 OK`.
    pub line: String,
    pub body: String,
}

impl HttpAnswer {
    /// The number in the first line; 0 where there is none, as of a server that speaks something else.
    pub fn status(&self) -> u16 {
        self.line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }
}

/// Asks the server at `address`, a host and a port, for `path`. All of it takes `within` at most.
///
/// # Errors
/// There is no such server, or it does not answer in time.
pub async fn http_get(address: &str, path: &str, headers: &[(&str, &str)], within: Duration) -> io::Result<HttpAnswer> {
    timeout(within, ask(address, path, headers)).await.map_err(|_| io::Error::other("no answer in time"))?
}

async fn ask(address: &str, path: &str, headers: &[(&str, &str)]) -> io::Result<HttpAnswer> {
    let mut stream = TcpStream::connect(address).await?;
    let own = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n");
    let others: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    stream.write_all(format!("{own}{others}\r\n").as_bytes()).await?;
    let mut from = BufReader::new(stream).take(ANSWER_MAX);
    let line = next_line(&mut from).await?;
    let (mut length, mut is_chunked) = (None, false);
    loop {
        let header = next_line(&mut from).await?;
        let Some((name, value)) = header.split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok(),
            "transfer-encoding" => is_chunked = value.trim().eq_ignore_ascii_case("chunked"),
            _ => {}
        }
    }
    let mut body = Vec::new();
    if is_chunked {
        while let Some(size) = usize::from_str_radix(next_line(&mut from).await?.trim(), 16).ok().filter(|&n| n > 0) {
            read_more(&mut from, size, &mut body).await?;
            next_line(&mut from).await?;
        }
    } else if let Some(length) = length {
        read_more(&mut from, length, &mut body).await?;
    } else {
        from.read_to_end(&mut body).await?;
    }
    let body = String::from_utf8(body).map_err(|_| io::Error::other("the answer is no text"))?;
    Ok(HttpAnswer { line, body })
}

/// Without its end; nothing at the end of all.
async fn next_line(from: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<String> {
    let mut line = String::new();
    from.read_line(&mut line).await?;
    Ok(line.trim_end().to_owned())
}

async fn read_more(from: &mut (impl AsyncReadExt + Unpin), size: usize, body: &mut Vec<u8>) -> io::Result<()> {
    let read = from.take(size as u64).read_to_end(body).await?;
    if read == size { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// What is understood of `answer`, and what was asked.
    async fn asked(answer: &'static str) -> (io::Result<HttpAnswer>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut question = vec![0; 1_024];
            let read = stream.read(&mut question).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&question[..read]).into_owned()
        };
        let headers = [("Host", "here"), ("Metadata-Flavor", "Google")];
        tokio::join!(http_get(&address, "/a", &headers, Duration::from_secs(5)), serve)
    }

    #[tokio::test]
    async fn an_answer_is_read_however_its_end_is_told() {
        for answer in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
            "HTTP/1.0 200 OK\r\n\r\nhello",
        ] {
            let (answer, question) = asked(answer).await;
            let answer = answer.unwrap();
            assert_eq!((answer.status(), answer.body.as_str()), (200, "hello"));
            assert_eq!(
                question,
                "GET /a HTTP/1.1\r\nConnection: close\r\nHost: here\r\nMetadata-Flavor: Google\r\n\r\n"
            );
        }
        let (answer, _) = asked("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!(answer.unwrap().status(), 404);
        assert_eq!(asked("SSH-2.0\r\n").await.0.unwrap().status(), 0);
        assert!(asked("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe").await.0.is_err());
    }
}

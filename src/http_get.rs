//! One question over HTTP that this program asks itself: of a server on its own machine, of the platform's metadata server, or of
//! whatever answers at its public URL.

use std::{io, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

/// The longest answer: what is asked for here takes a few kilobytes at most.
const ANSWER_MAX: u64 = 64 * 1024;

/// What a server answered. It may hold a secret, and is shown nowhere.
pub struct HttpAnswer {
    /// The first line, such as `HTTP/1.1 200 OK`.
    pub line: String,
    /// In their order, with names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl HttpAnswer {
    /// The number in the first line; 0 where there is none, as of a server that speaks something else.
    pub fn status(&self) -> u16 {
        self.line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| &**value)
    }
}

/// Asks the server at `address`, a host and a port, for `path`. All of it takes `within` at most.
///
/// # Errors
/// There is no such server, or it does not answer in time.
pub async fn http_get(address: &str, path: &str, headers: &[(&str, &str)], within: Duration) -> io::Result<HttpAnswer> {
    let mut question = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n");
    for (name, value) in headers {
        question.extend([name, ": ", value, "\r\n"]);
    }
    question.push_str("\r\n");
    let asked = async { ask(TcpStream::connect(address).await?, &question).await };
    timeout(within, asked).await.map_err(|_| io::Error::other("no answer in time"))?
}

/// Sends an HTTP/1.1 request, whole as it stands, and reads the answer.
///
/// # Errors
/// The connection broke, or ended before the answer did.
pub async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> io::Result<HttpAnswer> {
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut from = BufReader::new(stream).take(ANSWER_MAX);
    let line = next_line(&mut from).await?;
    if line.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut headers = Vec::new();
    loop {
        let header = next_line(&mut from).await?;
        let Some((name, value)) = header.split_once(':') else { break };
        headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut answer = HttpAnswer { line, headers, body: String::new() };
    let length = answer.header("content-length").and_then(|length| length.parse().ok());
    let is_chunked = answer.header("transfer-encoding").is_some_and(|how| how.eq_ignore_ascii_case("chunked"));
    let mut body = Vec::new();
    if answer.status() == 101 {
        // What follows is no HTTP.
    } else if is_chunked {
        while let Some(size) = usize::from_str_radix(next_line(&mut from).await?.trim(), 16).ok().filter(|&n| n > 0) {
            read_more(&mut from, size, &mut body).await?;
            next_line(&mut from).await?;
        }
    } else if let Some(length) = length {
        read_more(&mut from, length, &mut body).await?;
    } else {
        from.read_to_end(&mut body).await?;
    }
    answer.body = String::from_utf8(body).map_err(|_| io::Error::other("the answer is no text"))?;
    Ok(answer)
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

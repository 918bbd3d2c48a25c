//! Redis by a connection of one's own, past every proxy.

use crate::{Result, resp::encode};
use std::{future::Future, io, net::SocketAddr, pin::Pin, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

/// After this a server counts as not answering.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// What Redis answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Nil,
    Number(i64),
    Text(String),
    List(Vec<Value>),
}

impl Value {
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn list(&self) -> &[Self] {
        match self {
            Self::List(values) => values,
            _ => &[],
        }
    }
}

/// Runs one command on a new connection.
///
/// # Errors
/// No answer in time, or an error as the answer.
pub async fn command(server: SocketAddr, parts: &[&str]) -> Result<Value> {
    let asking = async {
        let mut stream = BufReader::new(TcpStream::connect(server).await?);
        stream.write_all(&encode(parts)).await?;
        read(&mut stream).await
    };
    let name = parts.first().copied().unwrap_or_default();
    let answer = timeout(ANSWER_WITHIN, asking).await.map_err(|_| format!("{name}: Redis does not answer"))?;
    answer.map_err(|error| format!("{name}: {error}").into())
}

fn read(stream: &mut BufReader<TcpStream>) -> Pin<Box<dyn Future<Output = Result<Value>> + Send + '_>> {
    Box::pin(async move {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let line = line.trim_end();
        let (kind, rest) = line.split_at_checked(1).ok_or("an empty answer")?;
        Ok(match kind {
            "+" => Value::Text(rest.to_owned()),
            "-" => return Err(rest.into()),
            ":" => Value::Number(rest.parse()?),
            "$" | "*" if rest == "-1" => Value::Nil,
            "$" => {
                let mut text = vec![0; rest.parse::<usize>()? + 2];
                stream.read_exact(&mut text).await?;
                text.truncate(text.len() - 2);
                Value::Text(String::from_utf8_lossy(&text).into_owned())
            }
            "*" => {
                let mut values = Vec::new();
                for _ in 0..rest.parse::<usize>()? {
                    values.push(read(stream).await?);
                }
                Value::List(values)
            }
            _ => return Err(format!("an unknown answer: {line}").into()),
        })
    })
}

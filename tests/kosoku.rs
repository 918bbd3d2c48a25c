//! Cases 1 to 7 of the Autobahn test suite, run by kosoku against the real server. Those of larger messages (9, 10) and of
//! compression (12, 13) are of no use here.
//!
//! kosoku knows neither sessions nor a server that speaks first and echoes nothing. A relay between the two adds the cookie,
//! keeps the `hello` to itself, and puts the message that was sent in place of the server's answer to it. All other bytes
//! pass as they are, so that what is tested is what the server makes of frames.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};
use support::{person::Person, server::Server};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

const VERSION: &str = "0.1.0";

/// Where `scripts/setup.sh test` puts it.
fn folder() -> PathBuf {
    let cache = || std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").expect("a home"));
    let tools = std::env::var_os("HUBBUB_TOOLS").map(PathBuf::from);
    let tools = tools.unwrap_or_else(|| cache().unwrap_or_else(|| home().join(".cache")).join("hubbub/tools"));
    tools.join(format!("kosoku-{VERSION}"))
}

/// Messages of the client that were not answered yet: opcode and payload.
type Unanswered = Arc<Mutex<VecDeque<(u8, Vec<u8>)>>>;

async fn relay(client: TcpStream, server: SocketAddr, cookie: String) -> std::io::Result<()> {
    let (mut from_client, to_client) = client.into_split();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(from_client.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap().replacen("GET / ", "GET /ws ", 1);
    let head = format!("{}\r\nCookie: {cookie}\r\n\r\n", head.trim_end());
    let (from_server, mut to_server) = TcpStream::connect(server).await?.into_split();
    to_server.write_all(head.as_bytes()).await?;
    let unanswered = Unanswered::default();
    let _ = tokio::join!(up(from_client, to_server, unanswered.clone()), down(from_server, to_client, unanswered));
    Ok(())
}

/// Passes on what the client sends, byte for byte, and remembers its messages.
async fn up(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, unanswered: Unanswered) -> std::io::Result<()> {
    let (mut seen, mut buffer, mut message) = (Vec::new(), vec![0; 64 * 1024], (0, Vec::new()));
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        seen.extend_from_slice(&buffer[..read]);
        while let Some((first, payload, length)) = frame(&seen) {
            let opcode = first & 0x0f;
            if opcode < 8 {
                message.0 = if opcode == 0 { message.0 } else { opcode };
                message.1.extend(payload);
                if first & 0x80 != 0 {
                    unanswered.lock().unwrap().push_back(std::mem::take(&mut message));
                }
            }
            seen.drain(..length);
        }
        to.write_all(&buffer[..read]).await?;
    }
}

/// Passes on what the server sends, and the client's own messages in place of its answers to them.
async fn down(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, unanswered: Unanswered) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(from.read_u8().await?);
    }
    to.write_all(&head).await?;
    let (mut seen, mut buffer, mut is_hello) = (Vec::new(), vec![0; 64 * 1024], true);
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        seen.extend_from_slice(&buffer[..read]);
        while let Some((first, _, length)) = frame(&seen) {
            let raw: Vec<u8> = seen.drain(..length).collect();
            if first != 0x81 {
                to.write_all(&raw).await?;
            } else if !std::mem::take(&mut is_hello) {
                let (opcode, payload) = unanswered.lock().unwrap().pop_front().expect("an answer to nothing");
                to.write_all(&echo(opcode, &payload)).await?;
            }
        }
    }
}

/// The first frame of these bytes, if it is whole: its first byte, its payload, and its length in all.
fn frame(bytes: &[u8]) -> Option<(u8, Vec<u8>, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (at, length) = match second & 0x7f {
        126 => (4, u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap()))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap())),
        short => (2, u64::from(short)),
    };
    let mask = if second & 0x80 == 0 { [0; 4] } else { bytes.get(at..at + 4)?.try_into().unwrap() };
    let at = at + if second & 0x80 == 0 { 0 } else { 4 };
    let end = at.checked_add(usize::try_from(length).ok()?)?;
    let payload = bytes.get(at..end)?.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    Some((first, payload.collect(), end))
}

fn echo(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let head = match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..126), _) => vec![0x80 | opcode, short],
        (_, Ok(medium)) => [&[0x80 | opcode, 126][..], &medium.to_be_bytes()].concat(),
        _ => [&[0x80 | opcode, 127][..], &(length as u64).to_be_bytes()].concat(),
    };
    [&head, payload].concat()
}

/// What kosoku's report says of a case.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    behavior: String,
    behavior_close: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn each_case_that_applies_passes() {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let (address, cookie) = (server.address, person.cookie(&server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let front = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(relay(client, address, cookie.clone()));
        }
    });

    let (reports, folder) = (TempDir::new().unwrap(), folder());
    let mut command = Command::new(folder.join("bin/kosoku"));
    for group in 1..=7 {
        command.args(["--include", &format!("{group}.*")]);
    }
    command.args(["--parallelism", "8", "--outdir"]).arg(reports.path()).arg(front.to_string());
    command.env("PYTHONPATH", &folder).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
    let output = output.expect("kosoku is needed: scripts/setup.sh test installs it");

    let index = std::fs::read(reports.path().join("index.json")).unwrap();
    let agents: BTreeMap<String, BTreeMap<String, Case>> = serde_json::from_slice(&index).unwrap();
    let cases: BTreeMap<String, Case> = agents.into_values().flatten().collect();
    assert!(cases.len() > 200, "{} cases were run", cases.len());
    let is_good = |result: &str| ["OK", "NON-STRICT", "INFORMATIONAL"].contains(&result);
    let failed = cases.iter().filter(|(_, case)| !is_good(&case.behavior) || !is_good(&case.behavior_close));
    let failed: Vec<_> = failed.map(|(name, _)| name.as_str()).collect();
    assert!(failed.is_empty(), "{failed:?}\n{}", String::from_utf8_lossy(&output.stdout));
}

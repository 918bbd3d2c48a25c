//! Traces as a collector of OpenTelemetry gets them. Built with the feature of that name alone.
#![allow(clippy::unwrap_used)]

mod support;

use app::domain::ProducerId;
use std::{
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Instant,
};
use support::{
    person::{PATIENCE, Person},
    server::{At, free_address, site, until_it_listens},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// A field of a message in Protocol Buffers.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn number(bytes: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0, 0);
    loop {
        let (&byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return number;
        }
    }
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Value<'_>)> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let tag = number(&mut bytes);
        let length = match tag & 7 {
            0 => {
                all.push((tag >> 3, Value::Number(number(&mut bytes))));
                continue;
            }
            1 => 8,
            2 => usize::try_from(number(&mut bytes)).unwrap(),
            5 => 4,
            kind => panic!("kind {kind}"),
        };
        let (value, rest) = bytes.split_at(length);
        all.push((tag >> 3, Value::Bytes(value)));
        bytes = rest;
    }
    all
}

/// The messages that stand in a field.
fn within(bytes: &[u8], field: u64) -> Vec<&[u8]> {
    let of = |(number, value)| match value {
        Value::Bytes(bytes) if number == field => Some(bytes),
        _ => None,
    };
    fields(bytes).into_iter().filter_map(of).collect()
}

fn text(bytes: &[u8], field: u64) -> String {
    within(bytes, field).first().map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default()
}

#[derive(Debug, Clone)]
struct Span {
    service: String,
    trace: String,
    parent: String,
    name: String,
    kind: u64,
    attributes: Vec<(String, String)>,
}

impl Span {
    fn says(&self, key: &str) -> Option<&str> {
        self.attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

fn attributes(message: &[u8], field: u64) -> Vec<(String, String)> {
    let attribute = |one: &&[u8]| {
        let value = within(one, 2)[0];
        let shown = fields(value).into_iter().next().map(|(_, value)| match value {
            Value::Number(number) => number.to_string(),
            Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        });
        (text(one, 1), shown.unwrap_or_default())
    };
    within(message, field).iter().map(attribute).collect()
}

/// The spans of an `ExportTraceServiceRequest`.
fn spans(request: &[u8]) -> Vec<Span> {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let mut all = Vec::new();
    for resource in within(request, 1) {
        let own = attributes(within(resource, 1)[0], 1);
        let service = own.iter().find(|(name, _)| name == "service.name").unwrap().1.clone();
        for span in within(resource, 2).into_iter().flat_map(|scope| within(scope, 2)) {
            let id = |field| within(span, field).first().map(|id| hex(id)).unwrap_or_default();
            let kind = fields(span).into_iter().find_map(|(field, value)| match value {
                Value::Number(kind) if field == 6 => Some(kind),
                _ => None,
            });
            all.push(Span {
                service: service.clone(),
                trace: id(1),
                parent: id(4),
                name: text(span, 5),
                kind: kind.unwrap_or(0),
                attributes: attributes(span, 9),
            });
        }
    }
    all
}

struct Collector {
    address: SocketAddr,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, spans) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let got = spans.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(take(stream, got.clone()));
            }
        });
        Self { address, spans }
    }

    fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap().clone()
    }

    fn named(&self, name: &str) -> Vec<Span> {
        self.spans().into_iter().filter(|span| span.name == name).collect()
    }
}

async fn take(stream: TcpStream, spans: Arc<Mutex<Vec<Span>>>) {
    let mut stream = BufReader::new(stream);
    let (mut length, mut line) = (0, String::new());
    stream.read_line(&mut line).await.unwrap();
    assert_eq!(line, "POST /v1/traces HTTP/1.1\r\n");
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line).await.unwrap();
        let header = line.to_ascii_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    spans.lock().unwrap().extend(self::spans(&body));
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
}

struct Running {
    child: Child,
    address: SocketAddr,
    _dirs: [TempDir; 2],
}

impl At for Running {
    fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Running {
    async fn start(variables: &[(&str, &str)]) -> Self {
        let (data, site, address) = (TempDir::new().unwrap(), site(), free_address());
        let mut program = Command::new(env!("CARGO_BIN_EXE_hubbub"));
        program.env_clear().envs(variables.iter().copied());
        program.args(["--port", &address.port().to_string(), "--log", "warn"]);
        program.arg("--data-dir").arg(data.path()).arg("--site-dir").arg(site.path());
        let child = program.stdin(Stdio::null()).spawn().unwrap();
        until_it_listens(address).await;
        Self { child, address, _dirs: [data, site] }
    }

    /// By SIGTERM; returns once it is gone.
    async fn end(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").arg(id).status().unwrap().success());
        let start = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < PATIENCE, "it does not end");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_one_span_below_its_senders_and_a_command_is_one() {
    let collector = Collector::start().await;
    let endpoint = format!("http://{}", collector.address);
    let server = Running::start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("OTEL_SERVICE_NAME", "chat"),
        // Longer than this test: what arrives was sent at the end.
        ("OTEL_BSP_SCHEDULE_DELAY", "600000"),
    ])
    .await;
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let page =
        reqwest::Client::new().get(server.url("/r/none")).header("traceparent", format!("00-{trace}-{parent}-01"));
    let answer = page.send().await.unwrap();
    let (status, id) =
        (answer.status().as_u16().to_string(), answer.headers()["x-request-id"].to_str().unwrap().to_owned());

    let person = Person::signed_in(&server, "지우", "secret room").await;
    let mut socket = person.socket(&server).await;
    socket.join("secret room", None).await;
    for n in 1..=3 {
        socket.say("secret room", ProducerId(1), n, "secret text").await;
        socket.ack(n).await;
    }
    server.end().await;

    let asked: Vec<_> = collector.spans().into_iter().filter(|span| span.trace == trace).collect();
    let [span] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((span.name.as_str(), span.parent.as_str(), span.kind), ("GET /r/{room}", parent, 2));
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/r/{room}"),
        ("http.response.status_code", &status),
        ("id", &id),
    ] {
        assert_eq!(span.says(key), Some(value), "{key} of {span:?}");
    }
    let [signed_in] = &collector.named("POST /signin")[..] else { panic!("{:?}", collector.spans()) };
    assert!(signed_in.parent.is_empty() && signed_in.trace != trace, "{signed_in:?}");
    assert_eq!((collector.named("join").len(), collector.named("send").len()), (1, 3), "{:?}", collector.spans());
    let all = collector.spans();
    assert!(all.iter().all(|span| span.service == "chat"), "{all:?}");
    assert!(!format!("{all:?}").contains("secret") && !format!("{all:?}").contains("지우"), "{all:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_keeps_nobody_from_anything() {
    let nobody = format!("http://{}", free_address());
    for variables in [&[("OTEL_EXPORTER_OTLP_ENDPOINT", nobody.as_str())][..], &[]] {
        let server = Running::start(variables).await;
        let person = Person::signed_in(&server, "지우", "a").await;
        assert_eq!(person.get(&server, "/r/a").await.status(), 200);
        let start = Instant::now();
        server.end().await;
        assert!(start.elapsed().as_secs() < 10, "platforms give it no more");
    }
}

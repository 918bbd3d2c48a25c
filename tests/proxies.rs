//! Two instances on one Redis behind each proxy that `deploy/proxy/` has a configuration for, while they are restarted one after the
//! other: nobody who is connected through it is without a socket for long, and nothing is lost.
#![allow(clippy::unwrap_used)]

mod support;

use app::{domain::Cursor, protocol::ServerFrame};
use futures_util::{
    SinkExt,
    future::{join_all, try_join_all},
};
use std::{
    collections::VecDeque,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};
use support::{
    person::{PATIENCE, Person, Socket},
    redis::RedisServer,
    server::{free_address, site, until_it_listens},
    tools::tool,
};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;

/// People who listen all the time.
const LISTENERS: usize = 30;
/// Nobody is without a socket for longer.
const OFFLINE_MAX: Duration = Duration::from_secs(1);
/// How long nothing is asked, and how many forms come at once then: connections that a proxy keeps for longer than an instance would
/// be met by one.
const QUIET: Duration = Duration::from_secs(11);
const FORMS: usize = 200;
/// Between two messages.
const PACE: Duration = Duration::from_millis(20);

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // nginx ends its workers when it is asked to, and leaves them behind when it is killed.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let begun = Instant::now();
        while matches!(self.0.try_wait(), Ok(None)) && begun.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The configuration as it is shipped, but for its addresses.
fn configured(file: &str, changes: &[(&str, String)]) -> String {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/proxy").join(file);
    let mut text = std::fs::read_to_string(shipped).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{file} has no {from}");
        text = text.replace(from, to);
    }
    text
}

fn proxy(kind: &str, dir: &Path, at: SocketAddr, [one, two]: [SocketAddr; 2]) -> Process {
    let (port, one, two) = (at.port(), one.to_string(), two.to_string());
    let (file, text, args): (_, _, &[&str]) = match kind {
        "nginx" => {
            let changes = [
                ("listen 8080;", format!("listen 127.0.0.1:{port};")),
                ("hubbub-1:3000", one),
                ("hubbub-2:3000", two),
                ("/tmp/", format!("{}/", dir.display())),
            ];
            ("nginx.conf", configured("nginx.conf", &changes), &["-g", "daemon off;", "-e", "stderr", "-c"])
        }
        "haproxy" => {
            let changes = [
                // Each takes two open files, of which a machine that tests allows fewer.
                ("maxconn 40000", "maxconn 1000".to_owned()),
                (":443 ssl crt /etc/haproxy/chat.example.com.pem alpn h2,http/1.1", format!("127.0.0.1:{port}")),
                ("X-Forwarded-Proto https", "X-Forwarded-Proto http".to_owned()),
                ("127.0.0.1:3001", one),
                ("127.0.0.1:3002", two),
            ];
            ("haproxy.cfg", configured("haproxy.cfg", &changes), &["-f"])
        }
        "caddy" => {
            let changes = [
                ("chat.example.com {", format!("http://127.0.0.1:{port} {{")),
                ("127.0.0.1:3001", one),
                ("127.0.0.1:3002", two),
            ];
            ("Caddyfile", configured("Caddyfile", &changes), &["run", "--adapter", "caddyfile", "--config"])
        }
        other => unreachable!("{other}"),
    };
    let path = dir.join(file);
    std::fs::write(&path, text).unwrap();
    let mut program = Command::new(tool(kind));
    program.args(args).arg(&path).current_dir(dir).env("HOME", dir).stdin(Stdio::null());
    program.stdout(Stdio::null()).stderr(Stdio::null());
    Process(
        program.spawn().unwrap_or_else(|error| panic!("{kind} is needed, which scripts/setup.sh test gets: {error}")),
    )
}

fn instance(at: SocketAddr, proxy: SocketAddr, metrics: SocketAddr, redis: &str, site: &Path) -> Process {
    let public = format!("http://{proxy}");
    let (port, site, metrics) = (at.port().to_string(), site.to_str().unwrap(), metrics.to_string());
    let args = ["--port", &port, "--redis-url", redis, "--public-url", &public, "--trusted-proxies", "127.0.0.1"];
    let more = ["--metrics", &metrics, "--limits", "0", "--site-dir", site, "--log", "error"];
    Process(Command::new(env!("CARGO_BIN_EXE_hubbub")).args(args).args(more).stdin(Stdio::null()).spawn().unwrap())
}

/// Ends an instance as whoever rolls a release out does, and starts it again.
async fn restart(mut old: Process, start: impl FnOnce() -> Process, at: SocketAddr) -> Process {
    let ended = Command::new("kill").arg(old.0.id().to_string()).status().unwrap();
    assert!(ended.success());
    let begun = Instant::now();
    tokio::task::spawn_blocking(move || old.0.wait().unwrap()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10), "it ends within ten seconds");
    let new = start();
    until_it_listens(at).await;
    new
}

/// Waits until the proxy has found an instance again: until that was posted a message.
async fn until_it_is_found(metrics: SocketAddr) {
    let begun = Instant::now();
    loop {
        let text = reqwest::get(format!("http://{metrics}/metrics")).await.unwrap().text().await.unwrap();
        if text.contains("hubbub_http_requests_total{method=\"POST\",route=\"/r/{room}\"") {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "nothing is sent there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What the one who writes has come to.
#[derive(Clone, Copy, Default)]
struct Written {
    messages: usize,
    is_all: bool,
}

/// A client that does what `docs/protocol.md` asks for: it opens the next socket when it is told to move, and comes back by its
/// cursor whatever happens.
struct Listener<'a> {
    person: &'a Person,
    at: SocketAddr,
    cursor: Option<Cursor>,
    texts: Vec<String>,
    offline: Duration,
}

impl Listener<'_> {
    /// The next socket, and since when there is none if it is the first after a break.
    async fn connect(&mut self) -> Socket {
        let begun = Instant::now();
        loop {
            if let Ok(mut socket) = self.person.try_socket(&self.at, Some(&format!("http://{}", self.at))).await
                && let Some(page) = self.join(&mut socket).await
            {
                self.texts.extend(page);
                return socket;
            }
            assert!(begun.elapsed() < PATIENCE, "nobody lets it in");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// What it missed, if it is let in.
    async fn join(&mut self, socket: &mut Socket) -> Option<Vec<String>> {
        let frame = app::protocol::ClientFrame::Join { room: support::person::key("a"), cursor: self.cursor };
        socket.ws.send(Message::text(serde_json::to_string(&frame).unwrap())).await.ok()?;
        loop {
            match socket.next().await.ok()? {
                ServerFrame::Joined { page, .. } => {
                    self.cursor = Some(page.cursor);
                    return Some(
                        page.entries.iter().filter_map(|entry| entry.text()).map(ToString::to_string).collect(),
                    );
                }
                ServerFrame::Error { .. } => return None,
                _ => {}
            }
        }
    }

    async fn listen(mut self, mut written: watch::Receiver<Written>) -> (Vec<String>, Duration) {
        let mut socket = self.connect().await;
        loop {
            let Written { messages, is_all } = *written.borrow_and_update();
            if is_all && self.texts.len() >= messages {
                return (self.texts, self.offline);
            }
            let heard = tokio::select! {
                heard = socket.next() => heard,
                _ = written.changed(), if !is_all => continue,
            };
            match heard {
                Ok(ServerFrame::Entry { entry, .. }) => {
                    self.cursor = Some(entry.cursor());
                    self.texts.extend(entry.text().map(ToString::to_string));
                }
                Ok(ServerFrame::Move { .. }) => {
                    // The old one serves until the next one does, and what both bring is told apart by the cursor.
                    let next = self.connect().await;
                    drop(std::mem::replace(&mut socket, next));
                }
                Ok(_) => {}
                Err(_) => {
                    let lost = Instant::now();
                    socket = self.connect().await;
                    self.offline = self.offline.max(lost.elapsed());
                }
            }
        }
    }
}

/// One proxy at a time: what is measured is how it hands over, not how many of them two cores carry.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn rolls_unnoticed(kind: &str) {
    let _turn = TURN.lock().await;
    let (redis, site, dir) = (RedisServer::start(&[]), site(), TempDir::new().unwrap());
    let ([one, two], at) = ([free_address(), free_address()], free_address());
    let metrics = [free_address(), free_address()];
    let start = |own, metrics| instance(own, at, metrics, &redis.url(), site.path());
    let mut instances = VecDeque::from([start(one, metrics[0]), start(two, metrics[1])]);
    until_it_listens(one).await;
    until_it_listens(two).await;
    let _proxy = proxy(kind, dir.path(), at, [one, two]);
    until_it_listens(at).await;
    let begun = Instant::now();
    while Person::new().get(&at, "/").await.status() != 200 {
        assert!(begun.elapsed() < PATIENCE, "{kind} does not serve");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    if kind == "nginx" {
        let own = Person::new().get(&at, "/health/balancer").await.status();
        assert_eq!(own, 204, "it answers what compose.yaml has it asked");
    }

    let people =
        join_all((0..LISTENERS).map(async |n| Person::signed_in(&at, &format!("listener {n}"), "a").await)).await;
    let writer = Person::signed_in(&at, "writer", "a").await;
    let (written, rolled) = (watch::Sender::new(Written::default()), AtomicBool::new(false));
    // With a number of its own, as the page's form has, so that a proxy may send it again.
    let numbers = AtomicU64::new(1);
    let post = async |text: &str| {
        let p = format!("{:016x}", numbers.fetch_add(1, Ordering::Relaxed));
        writer.post(&at, "/r/a", &[("text", text), ("p", &p)]).await.status().as_u16()
    };
    let write = async {
        for n in 1.. {
            assert_eq!(post(&format!("message {n}")).await, 303, "{kind}: message {n}");
            let is_all = rolled.load(Ordering::Relaxed);
            written.send_replace(Written { messages: n, is_all });
            if is_all {
                break;
            }
            // As fast as somebody types who is in a hurry, twenty times over.
            tokio::time::sleep(PACE).await;
        }
    };
    let roll = async {
        // Both are at work before either ends.
        for metrics in metrics {
            until_it_is_found(metrics).await;
        }
        for (own, metrics) in [one, two].into_iter().zip(metrics) {
            let old = instances.pop_front().unwrap();
            instances.push_back(restart(old, || start(own, metrics), own).await);
            until_it_is_found(metrics).await;
        }
        rolled.store(true, Ordering::Relaxed);
    };
    let listen = join_all(people.iter().map(|person| {
        let listener = Listener { person, at, cursor: None, texts: Vec::new(), offline: Duration::ZERO };
        listener.listen(written.subscribe())
    }));
    let ((), (), heard) = tokio::join!(write, roll, listen);
    let all: Vec<_> = (1..=written.borrow().messages).map(|n| format!("message {n}")).collect();
    for (n, (texts, offline)) in heard.iter().enumerate() {
        assert!(*offline <= OFFLINE_MAX, "{kind}: listener {n} was without a socket for {offline:?}");
        assert_eq!(texts, &all, "{kind}: listener {n}");
    }

    tokio::time::sleep(QUIET).await;
    let forms = try_join_all((0..FORMS).map(async |n| match post(&format!("after a while {n}")).await {
        303 => Ok(()),
        status => Err(status),
    }));
    assert_eq!(forms.await.map(|done| done.len()), Ok(FORMS), "{kind}");
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_nginx_a_rolling_restart_is_not_noticed() {
    rolls_unnoticed("nginx").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_haproxy_a_rolling_restart_is_not_noticed() {
    rolls_unnoticed("haproxy").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_caddy_a_rolling_restart_is_not_noticed() {
    rolls_unnoticed("caddy").await;
}

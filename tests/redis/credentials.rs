//! A password that changes while messages are written: nothing that was acknowledged is lost, and nobody has to start anew.

use super::faults::append_until_known;
use crate::{
    contract::support::*,
    support::{
        metadata::Metadata,
        redis::{RedisServer, rights::NAME},
    },
};
use app::domain::{Cursor, Entry};
use hubbub::engine::{
    Live, LiveSink, RoomLog,
    redis::{PREFIX, PasswordFrom, Redis, Times},
};
use std::{cell::Cell, fs, path::PathBuf, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::sync::watch;

/// Lets the user in with these passwords alone.
fn allow(server: &RedisServer, passwords: &[&str]) {
    let rules: Vec<_> = passwords.iter().map(|password| format!(">{password}")).collect();
    server.allow(&[&["resetpass"], &rules.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat());
}

fn cut(server: &RedisServer) {
    server.cli(&["CLIENT", "KILL", "USER", NAME]);
}

/// How often somebody gave a password on a connection that was open, and how often that failed.
fn given(server: &RedisServer) -> (u64, u64) {
    let info = server.cli(&["INFO", "commandstats"]);
    let line = info.lines().find(|line| line.starts_with("cmdstat_auth:")).unwrap_or_default();
    let number = |name: &str| {
        line.split([':', ','])
            .find_map(|field| field.strip_prefix(name))
            .and_then(|n| n.trim().parse().ok())
            .unwrap_or(0)
    };
    (number("calls="), number("failed_calls="))
}

async fn connect(server: &RedisServer, scheme: &str, from: PasswordFrom) -> (Arc<Redis>, Arc<Recorder>) {
    let url = format!("{scheme}://{NAME}@{}", server.address());
    let engine = Redis::connect_by(&url, &from, PREFIX, Times::with_session_ttl(DAY)).await.unwrap();
    let reports = Arc::new(Recorder::default());
    engine.attach(Arc::clone(&reports) as Arc<dyn LiveSink>);
    (engine, reports)
}

struct InFile {
    _dir: TempDir,
    file: PathBuf,
}

impl InFile {
    fn new(password: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let this = Self { file: dir.path().join("password"), _dir: dir };
        this.put(password);
        this
    }

    /// At once, as a sidecar does it.
    fn put(&self, password: &str) {
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{password}\n")).unwrap();
        fs::rename(new, &self.file).unwrap();
    }

    fn from(&self) -> PasswordFrom {
        PasswordFrom::File(self.file.clone())
    }
}

/// Somebody who writes without a pause, and what was acknowledged to them.
struct Writer {
    written: watch::Receiver<Vec<Cursor>>,
    stop: watch::Sender<bool>,
    tab: Tab,
}

impl Writer {
    fn start(engine: &Arc<Redis>) -> Self {
        let (tab, engine) = (Tab::new(&room("Design")), engine.clone());
        let (tell, written) = watch::channel(Vec::new());
        let (stop, stopped) = watch::channel(false);
        let by = tab.clone();
        tokio::spawn(async move {
            for n in 1.. {
                let at = append_until_known(&*engine, &by.draft(n, &format!("message {n}"))).await;
                tell.send_modify(|all| all.push(at));
                if *stopped.borrow() {
                    return;
                }
            }
        });
        Self { written, stop, tab }
    }

    /// Waits until so many more were acknowledged, of which the first may have been under way before.
    async fn goes_on(&mut self) {
        let enough = self.written.borrow().len() + 5;
        let waiting = self.written.wait_for(|all| all.len() >= enough);
        tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("it goes on").unwrap();
    }

    /// Everything acknowledged is there, once and in its order, and what is new is reported.
    async fn end(mut self, engine: &Redis, reports: &Recorder) {
        self.stop.send(true).unwrap();
        let _ = self.written.wait_for(|_| false).await;
        let all = self.written.borrow().clone();
        let entries = log(engine, &self.tab.room.key).await;
        assert_eq!(entries.iter().map(Entry::cursor).collect::<Vec<_>>(), all);
        assert!(entries.iter().map(|entry| entry.n).eq(1..=all.len() as u64));
        // The subscription may come back after the rest, and what it missed is doubted.
        let next = Cell::new(all.len() as u64);
        eventually("reported", async || {
            next.set(next.get() + 1);
            entry(engine.append(self.tab.draft(next.get(), "one more")).await);
            reports.commits(&self.tab.room.key).last().is_some_and(|last| last.seq > all.len() as u64)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_changes_in_its_file_loses_nothing() {
    let server = RedisServer::start_with_rights();
    allow(&server, &["one"]);
    let file = InFile::new("one");
    let (engine, reports) = connect(&server, "redis", file.from()).await;
    engine.follow(&room("Design").key).await.unwrap();
    let mut writer = Writer::start(&engine);
    writer.goes_on().await;
    // Both are right for a while, as where somebody takes care.
    allow(&server, &["one", "two"]);
    file.put("two");
    allow(&server, &["two"]);
    cut(&server);
    writer.goes_on().await;
    // The server is first, and refuses until the file has it.
    allow(&server, &["three"]);
    cut(&server);
    eventually("refused", async || engine.writable().await.is_err()).await;
    file.put("three");
    writer.goes_on().await;
    // The file is first, is gone or empty for a moment, and lets connections go on meanwhile.
    fs::remove_file(&file.file).unwrap();
    writer.goes_on().await;
    file.put("");
    cut(&server);
    eventually("without a password", async || engine.writable().await.is_err()).await;
    file.put("four");
    allow(&server, &["four"]);
    writer.goes_on().await;
    writer.end(&engine, &reports).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_connections_are_given_the_new_password() {
    let server = RedisServer::start_with_rights();
    allow(&server, &["one", "two"]);
    let file = InFile::new("one");
    let (_engine, _reports) = connect(&server, "redis", file.from()).await;
    let ids = || {
        let list = server.cli(&["CLIENT", "LIST"]);
        let own = list.lines().filter(|line| line.contains(&format!(" user={NAME} ")));
        let ids: Vec<_> = own.map(|line| line.split(' ').next().unwrap().to_owned()).collect();
        ids
    };
    let before = ids();
    assert_eq!((before.len(), given(&server)), (3, (0, 0)));
    file.put("two");
    eventually("given", async || given(&server) == (3, 0)).await;
    assert_eq!(ids(), before);
    // One that the server does not take changes nothing, and is tried again.
    file.put("three");
    eventually("refused", async || given(&server).1 >= 3).await;
    assert_eq!(ids(), before);
    allow(&server, &["three"]);
    eventually("taken", async || {
        let (calls, failed) = given(&server);
        calls - failed >= 6
    })
    .await;
    assert_eq!(ids(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_server_of_a_cluster_is_given_the_new_password() {
    let servers = RedisServer::start_cluster_of::<2>();
    for server in &servers {
        allow(server, &["one", "two"]);
    }
    let file = InFile::new("one");
    let (engine, reports) = connect(&servers[0], "redis-cluster", file.from()).await;
    engine.follow(&room("Design").key).await.unwrap();
    let mut writer = Writer::start(&engine);
    writer.goes_on().await;
    file.put("two");
    for server in &servers {
        eventually("given", async || given(server).0 >= 3 && given(server).1 == 0).await;
    }
    for server in &servers {
        allow(server, &["two"]);
        cut(server);
    }
    writer.goes_on().await;
    writer.end(&engine, &reports).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn access_tokens_are_renewed_before_their_end_and_asked_for_again_when_refused() {
    let server = RedisServer::start_with_rights();
    let metadata = Metadata::start().await;
    allow(&server, &["token-1"]);
    metadata.give("token-1", 2);
    let from = PasswordFrom::Google { metadata_host: metadata.address.to_string() };
    let (engine, reports) = connect(&server, "redis", from).await;
    engine.follow(&room("Design").key).await.unwrap();
    let mut writer = Writer::start(&engine);
    writer.goes_on().await;
    allow(&server, &["token-1", "token-2"]);
    metadata.give("token-2", 3_600);
    eventually("renewed", async || given(&server) == (3, 0)).await;
    allow(&server, &["token-2"]);
    cut(&server);
    writer.goes_on().await;
    // Long before its end it is refused: another one is asked for, again and again, with pauses.
    let asked = metadata.asked();
    allow(&server, &["token-3"]);
    cut(&server);
    eventually("asked again", async || metadata.asked() >= asked + 2).await;
    assert!(engine.writable().await.is_err());
    metadata.give("token-3", 3_600);
    writer.goes_on().await;
    writer.end(&engine, &reports).await;
}

//! The real server, started in this process on a free port.

use super::person::PATIENCE;
use clap::Parser;
use hubbub::{config::Config, engine::Engine, listen, open_engine, run};
use std::{
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};

/// Something that answers at an address.
pub trait At {
    fn address(&self) -> SocketAddr;

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }
}

pub struct Server {
    pub address: SocketAddr,
    pub engine: Arc<dyn Engine>,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
    dirs: Vec<TempDir>,
}

impl Server {
    /// With the embedded engine in a folder of its own.
    pub async fn embedded(args: &[&str]) -> Self {
        let data = TempDir::new().unwrap();
        let data_dir = data.path().to_str().unwrap().to_owned();
        let mut server = Self::start(&[&["--data-dir", &data_dir], args].concat()).await;
        server.dirs.push(data);
        server
    }

    /// One of several instances on a Redis.
    pub async fn redis(url: &str, args: &[&str]) -> Self {
        Self::start(&[&["--redis-url", url], args].concat()).await
    }

    async fn start(args: &[&str]) -> Self {
        let site = site();
        let site_dir = site.path().to_str().unwrap().to_owned();
        // The suites ask for more than people do; those about limits name theirs, and the last one counts.
        let own = ["hubbub", "--port", "0", "--site-dir", &site_dir, "--limits", "0"];
        let config = Config::parse_from(own.iter().chain(args));
        hubbub::telemetry::start("hubbub=warn", config.log_format);
        let engine = open_engine(&config).await.unwrap();
        let listener = listen(&config).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            let _ = stopped.await;
        };
        let served = run(config, engine.clone(), listener, shutdown);
        let running = tokio::spawn(async { served.await.unwrap() });
        Self { address, engine, stop: Some(stop), running, dirs: vec![site] }
    }

    /// As on SIGTERM; returns once the server is gone.
    pub async fn stop(mut self) {
        let _ = self.stop.take().unwrap().send(());
        (&mut self.running).await.unwrap();
    }
}

impl At for Server {
    fn address(&self) -> SocketAddr {
        self.address
    }
}

impl At for SocketAddr {
    fn address(&self) -> SocketAddr {
        *self
    }
}

impl<T: At> At for &T {
    fn address(&self) -> SocketAddr {
        (*self).address()
    }
}

/// An address that nobody listens on now.
pub fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

pub async fn until_it_listens(address: SocketAddr) {
    let start = Instant::now();
    while tokio::net::TcpStream::connect(address).await.is_err() {
        assert!(start.elapsed() < PATIENCE, "the server does not listen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A folder like the one cargo-leptos builds, with files that stand for the page's: these tests load no page.
pub fn site() -> TempDir {
    let dir = TempDir::new().unwrap();
    let write = |path: &Path, text: &str| {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    for kind in ["css", "js", "wasm"] {
        write(&dir.path().join(format!("pkg/hubbub.a1b2.{kind}")), kind);
    }
    write(&dir.path().join("robots.txt"), "User-agent: *\n");
    dir
}

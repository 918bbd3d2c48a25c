//! One instance: the real router, hub and sockets on the store in memory.

use crate::{
    memory_store::{Memory, chance::Chance},
    support::server::site,
};
use clap::Parser;
use hubbub::{
    chat::Chat,
    config::Config,
    engine::{Engine, Live, Random},
    http::{AppState, Serving, Site},
    hub::Hub,
    socket::DRAIN,
};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{io::DuplexStream, time::timeout};
use tokio_util::sync::CancellationToken;

const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);
/// As in `hubbub::run`.
const CLOSE: Duration = Duration::from_millis(1_800);
const FINISH: Duration = Duration::from_millis(2_500);

pub struct Server {
    pub engine: Arc<Memory>,
    hub: Arc<Hub>,
    serving: Serving,
    stop: CancellationToken,
}

/// All that is made of an engine.
fn assemble(
    engine: Arc<dyn Engine>,
    lifetime: Duration,
    random: Random,
    stop: &CancellationToken,
) -> (Arc<Hub>, Serving) {
    let site = site();
    let lifetime = format!("{}s", lifetime.as_secs());
    let config = Config::parse_from(["hubbub", "--limits", "0", "--socket-lifetime", &lifetime]);
    let chat = Chat::start_with(engine, &config, random);
    let hub = chat.hub.clone();
    let state = AppState::new(chat, config, Site::open(site.path().to_owned(), None).unwrap(), 3000);
    (hub, Serving::new(state, 256, stop.clone()))
}

impl Server {
    pub fn start(engine: Arc<Memory>, lifetime: Duration, chance: Chance) -> Self {
        let (stop, drawn) = (CancellationToken::new(), Mutex::new(chance));
        let random = Arc::new(move || drawn.lock().unwrap().draw());
        let (hub, serving) = assemble(engine.clone(), lifetime, random, &stop);
        Self { engine, hub, serving, stop }
    }

    /// Serves what comes through this end of a connection.
    pub fn serve(&self, stream: DuplexStream) {
        tokio::spawn(self.serving.connection(stream, PEER).unwrap());
    }

    /// As on SIGTERM.
    pub async fn drain(hub: Arc<Hub>, engine: Arc<Memory>, stop: CancellationToken) {
        hub.drain();
        let _ = timeout(DRAIN, hub.drained()).await;
        hub.stop();
        let _ = timeout(CLOSE, hub.drained()).await;
        stop.cancel();
        let _ = timeout(FINISH, engine.shutdown()).await;
    }

    pub fn draining(&self) -> impl Future<Output = ()> + use<> {
        Self::drain(self.hub.clone(), self.engine.clone(), self.stop.clone())
    }

    /// What is left of it does nothing that anybody could see.
    pub fn end(&self) {
        self.hub.stop();
        self.stop.cancel();
    }
}

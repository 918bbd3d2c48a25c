//! The Hubbub server.
//!
//! ```text
//! main → start → http → socket → chat → limits → hub → engine
//! ```
//!
//! | module | what it is for |
//! |---|---|
//! | [`config`] | every setting, parsed once |
//! | [`start`] | the address, the store and the signals, before anything is served |
//! | [`telemetry`] | structured logs, and traces where they are built in |
//! | `http_get` | one question over HTTP that this program asks itself |
//! | [`doctor`] | what is wrong with the settings or around them |
//! | [`healthcheck`] | asking a running server whether it serves |
//! | [`audit`] | security events in the log |
//! | [`metrics`] | what monitoring reads |
//! | [`notice`] | what whoever runs the server tells everybody |
//! | [`store`] | what a store keeps, in the words of whoever shows it |
//! | [`engine`] | the port to the store, and its two implementations |
//! | [`address`] | from where a request came |
//! | [`authority`] | a host, and where one can be reached |
//! | [`limits`] | how much one person and one address may ask |
//! | [`hub`] | rooms on this instance: recent frames, sockets, presence |
//! | [`chat`] | what the product does, and who may do it |
//! | `connection` | one connection, whatever it carries |
//! | [`socket`] | one WebSocket |
//! | [`http`] | pages, forms, files, health |

pub mod address;
pub mod audit;
pub mod authority;
pub mod chat;
pub mod config;
mod connection;
mod digest;
pub mod doctor;
pub mod engine;
pub mod healthcheck;
pub mod http;
mod http_get;
pub mod hub;
pub mod limits;
pub mod metrics;
pub mod notice;
pub mod socket;
pub mod start;
pub mod store;
pub mod telemetry;

use chat::Chat;
use config::Config;
use engine::Engine;
use http::{AppState, Site};
use sd_notify::NotifyState;
use socket::DRAIN;
pub use start::{StartError, listen, open_engine};
use std::{io, sync::Arc, time::Duration};
use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::CancellationToken;

/// What this program is, for people: its version, the commit it was built from, and the page that lies beside it.
pub fn version(site: Option<&Site>) -> String {
    let commit =
        COMMIT.filter(|commit| !commit.is_empty()).map(|commit| format!(", commit {commit}")).unwrap_or_default();
    let page = site.map(|site| format!(", page {}", site.build)).unwrap_or_default();
    format!("{}{commit}{page}", env!("CARGO_PKG_VERSION"))
}

/// As scripts/build.sh or the image's build says.
const COMMIT: Option<&str> = option_env!("HUBBUB_COMMIT");

/// How many files this process may have open.
pub fn open_files() -> u64 {
    use rustix::process::{Resource, getrlimit};
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// How long what is left after [`DRAIN`] may take to close, and how long the rest of a stop may take: with it, less than the
/// 10 s that platforms give.
const CLOSE: Duration = Duration::from_millis(1_800);
const FINISH: Duration = Duration::from_millis(2_500);
/// How much of that requests may take which came before.
const ANSWER: Duration = Duration::from_millis(1_300);

/// Serves until `shutdown` resolves, then has the sockets move or closes them, releases presence and returns.
///
/// # Errors
/// The page's files are missing, or the listener broke.
pub async fn run(
    config: Config,
    engine: Arc<dyn Engine>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), StartError> {
    let dir = config.site_dir.clone().unwrap_or_else(http::find_site);
    let reload = config.watch.then_some(config.reload_port.unwrap_or(3001));
    let site = Site::open(dir, reload).map_err(StartError::Site)?;
    let version = version(Some(&site));
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    // Before anything is started, so that an address that is taken ends the start.
    let metrics = match config.metrics {
        Some(address) => Some(TcpListener::bind(address).await.map_err(|error| StartError::Listen { address, error })?),
        None => None,
    };
    let chat = Chat::start(engine.clone(), &config);
    let hub = chat.hub.clone();
    let address = listener.local_addr()?;
    let store = if config.redis().is_some() { "redis" } else { "embedded" };
    let connections = config
        .max_connections
        .map_or_else(|| http::connections_within(open_files(), config.max_sockets), |most| most as usize);

    let stop = CancellationToken::new();
    chat.hub.metrics.set_build(env!("CARGO_PKG_VERSION"), COMMIT.unwrap_or_default(), &site.build, store);
    if let Some(metrics) = metrics {
        let address = metrics.local_addr()?;
        tracing::info!("metrics are on http://{address}/metrics");
        tokio::spawn(http::metrics::serve(metrics, chat.clone(), stop.clone()));
    }
    tracing::info!(%address, store, version, "listening on http://{address}");
    let state = AppState::new(chat, config, site, address.port());
    let serving = http::Serving::new(state, connections, stop.clone());
    let mut serving = tokio::spawn(http::serve(listener, serving));
    start::tell(&NotifyState::Ready);
    shutdown.await;
    start::tell(&NotifyState::Stopping);

    tracing::info!("stopping: sending the clients to other instances");
    hub.drain();
    if timeout(DRAIN, hub.drained()).await.is_err() {
        tracing::info!("closing the sockets that are left");
    }
    hub.stop();
    if timeout(CLOSE, hub.drained()).await.is_err() {
        tracing::warn!("some sockets did not close in time");
    }
    stop.cancel();
    let finish = async {
        // First what was asked: a form that came at the last moment needs the store to be answered.
        let answered = timeout(ANSWER, &mut serving).await;
        engine.shutdown().await;
        match answered {
            Ok(served) => served,
            Err(_) => serving.await,
        }
    };
    if let Ok(served) = timeout(FINISH, finish).await {
        served.map_err(io::Error::other)?;
    } else {
        tracing::warn!("some requests did not end in time");
    }
    tracing::info!("stopped");
    Ok(())
}

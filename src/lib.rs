//! The Hubbub server.
//!
//! ```text
//! main → run → http → {pages, socket} → hub → engine
//! ```
//!
//! | module | what it is for |
//! |---|---|
//! | [`config`] | every setting, parsed once |
//! | [`telemetry`] | structured logs |
//! | [`engine`] | the port to the store, and its two implementations |
//! | [`hub`] | rooms on this instance: recent frames, sockets, presence |
//! | [`socket`] | one WebSocket |
//! | [`http`] | pages, forms, files, health |

pub mod config;
pub mod engine;
pub mod http;
pub mod hub;
pub mod socket;
pub mod telemetry;

use config::Config;
use engine::{Engine, embedded::Embedded, redis::Redis};
use http::{AppState, Site};
use hub::Hub;
use socket::DRAIN;
use std::{io, sync::Arc, time::Duration};
use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::CancellationToken;

/// Why the server cannot start: the one line to print.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{0}")]
    Redis(#[from] engine::redis::ConnectError),
    #[error("{0}")]
    Data(#[from] engine::embedded::OpenDataError),
    #[error("cannot listen on {address}: {error}")]
    Listen { address: String, error: io::Error },
    #[error("cannot serve the page: {0}")]
    Site(io::Error),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// The engine that the settings choose.
///
/// # Errors
/// The store cannot be opened.
pub async fn open_engine(config: &Config) -> Result<Arc<dyn Engine>, StartError> {
    Ok(match config.redis() {
        Some(url) => Redis::connect(&url, config.session_ttl).await?,
        None => Arc::new(Embedded::open(&config.data_dir, config.session_ttl)?),
    })
}

/// Binds the address that the settings name.
///
/// # Errors
/// It is taken, or not this machine's.
pub async fn listen(config: &Config) -> Result<TcpListener, StartError> {
    let address = format!("{}:{}", config.host, config.port);
    let bound = TcpListener::bind((config.host, config.port)).await;
    bound.map_err(|error| StartError::Listen { address, error })
}

/// How long what is left after [`DRAIN`] may take to close, and how long the rest of a stop may take: with it, less than the
/// 10 s that platforms give.
const CLOSE: Duration = Duration::from_millis(1_800);
const FINISH: Duration = Duration::from_millis(2_500);

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
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    // Leptos renders on this runtime. An error means that another server in this process set it already.
    let _ = any_spawner::Executor::init_tokio();
    let hub = Hub::start(engine.clone(), &config);
    let address = listener.local_addr()?;
    let store = if config.redis().is_some() { "redis" } else { "embedded" };
    let state = AppState { hub: hub.clone(), config: Arc::new(config), site: Arc::new(site) };

    let stop = CancellationToken::new();
    tracing::info!(%address, store, version = env!("CARGO_PKG_VERSION"), "listening on http://{address}");
    let serving = tokio::spawn(http::serve(listener, http::router(state), stop.clone()));
    shutdown.await;

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
        engine.shutdown().await;
        serving.await
    };
    if let Ok(served) = timeout(FINISH, finish).await {
        served.map_err(io::Error::other)?;
    } else {
        tracing::warn!("some requests did not end in time");
    }
    tracing::info!("stopped");
    Ok(())
}

//! What comes before anything is served: the address, the store, and the signals that may end even the waiting for it.

use crate::{
    config::Config,
    engine::{
        Engine,
        embedded::{Embedded, OpenDataError},
        redis::{Announcement, ConnectError, Difference, Redis, Times},
    },
    http::BACKLOG,
    version,
};
use listenfd::ListenFd;
use sd_notify::NotifyState;
use std::{
    collections::BTreeSet,
    io,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpListener, TcpSocket},
    signal::unix::{SignalKind, signal},
    task::spawn_blocking,
    time::{sleep, sleep_until},
};
use tracing::{info, warn};

/// Why the server cannot start: the one line to print.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{0}")]
    Redis(#[from] ConnectError),
    #[error("{0}")]
    Data(#[from] OpenDataError),
    #[error("cannot listen on {address}: {error}")]
    Listen { address: SocketAddr, error: io::Error },
    #[error("cannot serve the page: {0}")]
    Site(io::Error),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Pause between two tries to open the store.
const TRY_EVERY: Duration = Duration::from_millis(500);
/// How often it is said what is waited for.
const SAY_EVERY: Duration = Duration::from_secs(10);
/// A store that answered within this time was not waited for.
const AT_ONCE: Duration = Duration::from_secs(1);

/// An address that is taken, and not listened on: who connects is refused, as by a server that is not there yet. Or a socket that
/// whoever started this process listens on already, as systemd does: who connects meanwhile waits in its queue.
pub enum Reserved {
    Own { socket: TcpSocket, address: SocketAddr },
    Inherited(std::net::TcpListener),
}

/// Takes the address that the settings name, unless a listening socket was handed over instead (`LISTEN_FDS`).
///
/// # Errors
/// It is taken, or not this machine's.
pub fn reserve(config: &Config) -> Result<Reserved, StartError> {
    if let Some(listener) = ListenFd::from_env().take_tcp_listener(0)? {
        return Ok(Reserved::Inherited(listener));
    }
    let address = SocketAddr::new(config.host, config.port);
    let bind = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // Connections of the process before this one may still be closing.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(socket)
    };
    let socket = bind().map_err(|error| StartError::Listen { address, error })?;
    Ok(Reserved::Own { socket, address })
}

impl Reserved {
    /// # Errors
    /// Another process listens there.
    pub fn listen(self) -> Result<TcpListener, StartError> {
        match self {
            Self::Own { socket, address } => {
                socket.listen(BACKLOG).map_err(|error| StartError::Listen { address, error })
            }
            Self::Inherited(listener) => {
                listener.set_nonblocking(true)?;
                Ok(TcpListener::from_std(listener)?)
            }
        }
    }
}

/// Tells systemd that people are served, or not any more; nothing where it did not start this process.
pub fn tell(state: &NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(state)) {
        warn!(%error, "systemd was not told how this server stands");
    }
}

/// Listens where the settings say.
///
/// # Errors
/// The address is taken, or not this machine's.
pub fn listen(config: &Config) -> Result<TcpListener, StartError> {
    reserve(config)?.listen()
}

/// The engine that the settings choose.
///
/// # Errors
/// The store cannot be opened now.
pub async fn open_engine(config: &Config) -> Result<Arc<dyn Engine>, StartError> {
    if let Some(url) = config.redis() {
        let times = Times::with_session_ttl(config.session_ttl);
        let redis = Redis::connect_by(&url, &config.redis_password(), &config.redis_prefix, times).await?;
        let announcement = announcement(config);
        redis.announce(&announcement).await;
        warn_of_differences(&redis, &announcement).await;
        return Ok(redis);
    }
    let (dir, session_ttl) = (config.data_dir.clone(), config.session_ttl);
    // A large file takes a while to be looked through, and a signal must not wait for that.
    let opened = spawn_blocking(move || Embedded::open(&dir, session_ttl)).await;
    Ok(Arc::new(opened.map_err(io::Error::other)??.keep_free(config.keep_free())))
}

/// What the other instances of a deployment are told of this one: the settings of which each instance has its own effect on
/// everybody. None of them is secret.
pub fn announcement(config: &Config) -> Announcement {
    let settings = [
        ("--public-url", config.public_url.clone().unwrap_or_default()),
        ("--allowed-origins", config.allowed_origins.0.join(",")),
        ("--session-ttl", humantime::format_duration(config.session_ttl).to_string()),
        ("--hsts", config.hsts.0.map_or_else(|| "off".to_owned(), |seconds| seconds.to_string())),
        ("--allow-plain-http", config.allow_plain_http.to_string()),
        ("--lively-rooms", config.lively_rooms.to_string()),
        ("--limits", config.limits.to_string()),
    ];
    let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Announcement::new(version(None), settings)
}

async fn warn_of_differences(redis: &Redis, ours: &Announcement) {
    // Whoever does not answer now is not asked again: it is no more than a hint.
    let others = redis.others().await.unwrap_or_default();
    let found: BTreeSet<_> = others.iter().flatten().flat_map(|theirs| ours.differences(theirs)).collect();
    for Difference { what, theirs, ours } in found {
        if what == "version" || what == "format" {
            info!("another instance has {what} {theirs}, this one {ours}");
        } else {
            warn!(
                "another instance has {what} {theirs:?}, this one {ours:?}: people find now this, now that; give all the same"
            );
        }
    }
}

/// The engine that the settings choose, once its store is there. Says what it waits for.
///
/// # Errors
/// The store cannot be opened, and waiting would not help or did not.
pub async fn wait_for_engine(config: &Config) -> Result<Arc<dyn Engine>, StartError> {
    let began = Instant::now();
    let (mut say_at, mut why) = (began + AT_ONCE, "it does not answer".to_owned());
    loop {
        let mut attempt = pin!(open_engine(config));
        let opened = loop {
            tokio::select! {
                opened = &mut attempt => break opened,
                () = sleep_until(say_at.into()) => say(&mut say_at, began, config, &why),
            }
        };
        match opened {
            Err(StartError::Redis(error)) if !error.is_lasting() && began.elapsed() < config.store_wait => {
                why = error.to_string();
                if say_at <= Instant::now() || say_at == began + AT_ONCE {
                    say(&mut say_at, began, config, &why);
                }
            }
            opened => return opened,
        }
        sleep(TRY_EVERY).await;
    }
}

fn say(say_at: &mut Instant, began: Instant, config: &Config, why: &str) {
    let (waited, most) = (began.elapsed().as_secs(), config.store_wait.as_secs());
    warn!("waiting for Redis since {waited} s, for {most} s at most: {why}");
    *say_at = Instant::now() + SAY_EVERY;
}

/// Resolves when the process is asked to end: on SIGTERM, as platforms send it, on Ctrl+C, and when its terminal is closed
/// unless whoever started it did not want that (`nohup`). From the call on, no such signal ends it by itself.
///
/// # Errors
/// The system does not let this process handle them.
pub fn asked_to_end() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let [mut terminate, mut interrupt] = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
    let mut hang_up = if ignores_hang_up() { None } else { Some(signal(SignalKind::hangup())?) };
    Ok(async move {
        let hung_up = async {
            match &mut hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
            _ = hung_up => "SIGHUP",
        };
        info!(signal = name, "asked to end");
    })
}

/// Whether this process was started with SIGHUP ignored. Where that cannot be known it was not.
fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // The lowest bit is the first signal, which is SIGHUP.
    ignored.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).is_some_and(|bits| bits & 1 == 1)
}

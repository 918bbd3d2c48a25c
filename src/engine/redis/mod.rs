//! The Redis engine: many instances share one Redis 7 (a server, behind Sentinels, or a Cluster).
//!
//! | module | what |
//! |---|---|
//! | `clock` | what time it is there |
//! | `connection` | the clients, and what must be set for them to be safe |
//! | `credentials` | a password that changes |
//! | `cluster` | what goes on while a master of a Cluster is away |
//! | `condition`, `health` | whether the servers take messages, and what to do when they do not |
//! | `keys` | the name of everything |
//! | `script` | the Lua scripts beside these files |
//! | `append`, `log` | appending and reading: [`RoomLog`](super::RoomLog) |
//! | `directory`, `making`, `sessions` | rooms, members, sessions, names: [`Directory`](super::Directory) |
//! | `marks` | how far people have read: [`Reads`](super::Reads) |
//! | `quotas` | buckets of tokens: [`Quotas`](super::Quotas) |
//! | `presence` | who is where, leased by instance: [`Presence`](super::Presence) |
//! | `others` | how each instance was started |
//! | `live`, `subscriptions`, `control` | what happens elsewhere: [`Live`](super::Live) |

mod append;
mod clock;
mod cluster;
mod condition;
mod connect_error;
mod connection;
mod control;
mod credentials;
mod directory;
mod examine;
mod health;
mod keys;
mod live;
mod log;
mod making;
mod marks;
mod others;
mod presence;
mod quotas;
mod script;
mod sessions;
mod subscriptions;

pub use connect_error::ConnectError;
pub use credentials::PasswordFrom;
pub use examine::ServerReport;
pub use keys::{PREFIX, parse_prefix};
pub use others::{Announcement, Difference};

use super::StoreError;
use crate::metrics::StoreMeters;
use clock::ServerClock;
use condition::MonitoredClient;
use connection::Location;
use directory::Touches;
use health::Probed;
use keys::Keys;
use presence::Here;
use script::Reloading;
use std::{sync::Arc, time::Duration};
use subscriptions::Subscriptions;
use tokio::sync::{OnceCell, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Appends that may be under way at once in one instance; more are refused before anything is sent.
const APPENDS_MAX: u32 = 16_384;

/// One instance's view of the store. Dropping it without [`shutdown`](super::Live::shutdown) is a crash as far as the
/// others are concerned: its presence ends with its lease.
pub struct Redis {
    appends: MonitoredClient,
    client: MonitoredClient,
    keys: Keys,
    probed: Probed,
    under_way: Semaphore,
    reloading: Reloading,
    session_ttl: Duration,
    touches: Arc<Touches>,
    subscriptions: Arc<Subscriptions>,
    here: Arc<Here>,
    /// What names of buckets are hidden with.
    secret: OnceCell<String>,
    clock: Arc<ServerClock>,
    meters: StoreMeters,
    tasks: TaskTracker,
    /// Ends the background tasks; the connections stay.
    stop: CancellationToken,
    /// Closes the connections and ends everything.
    closed: CancellationToken,
}

/// How long things last.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// A session that was not used for this long ends.
    pub session_ttl: Duration,
    /// An instance that was silent for this long counts as dead.
    pub lease: Duration,
}

impl Times {
    pub fn with_session_ttl(session_ttl: Duration) -> Self {
        Self { session_ttl, lease: Duration::from_secs(15) }
    }
}

impl Redis {
    /// Opens the store at `url`: `redis://`, `rediss://` (TLS), `redis-sentinel://`, `redis-cluster://` (and their
    /// `rediss-` forms) or `redis+unix://`.
    pub async fn connect(url: &str, session_ttl: Duration) -> Result<Arc<Self>, ConnectError> {
        Self::connect_with(url, Times::with_session_ttl(session_ttl)).await
    }

    pub async fn connect_with(url: &str, times: Times) -> Result<Arc<Self>, ConnectError> {
        Self::connect_as(url, PREFIX, times).await
    }

    /// With names of keys and channels that begin with `prefix` and a colon, so that another deployment may use the same server.
    pub async fn connect_as(url: &str, prefix: &str, times: Times) -> Result<Arc<Self>, ConnectError> {
        Self::connect_by(url, &PasswordFrom::Url, prefix, times).await
    }

    /// The same with a password that may stand elsewhere than in the URL.
    pub async fn connect_by(
        url: &str,
        password: &PasswordFrom,
        prefix: &str,
        times: Times,
    ) -> Result<Arc<Self>, ConnectError> {
        let place = Location::parse(url, password)?;
        let keys = Keys::new(prefix, place.database());
        let tasks = TaskTracker::new();
        // From here on, leaving early ends the tasks and closes the connections.
        let closed = CancellationToken::new();
        let guard = closed.clone().drop_guard();
        let stop = closed.child_token();
        let meters = StoreMeters::default();
        let clients = connection::connect(&place, &meters, &closed).await?;
        let unusable = |error: StoreError| place.unusable(error);
        script::load_all(&clients.client).await.map_err(|error| unusable(error.into()))?;
        health::check_rights(&clients, &keys, &place).await?;
        health::check_format(&clients, &keys, &place).await?;
        let subscriptions = Arc::new(Subscriptions::new(clients.subscriber, keys.clone(), meters.clone()));
        subscriptions.start(&tasks, &stop).await.map_err(unusable)?;
        let clock = Arc::new(ServerClock::new());
        let here =
            Arc::new(Here::new(clients.client.clone(), keys.clone(), times.lease, clock.clone(), meters.clone()));
        here.start(subscriptions.clone(), &tasks, &stop).await.map_err(unusable)?;
        Ok(Arc::new(Self {
            appends: clients.appends,
            client: clients.client,
            keys,
            probed: Probed::default(),
            under_way: Semaphore::new(APPENDS_MAX as usize),
            reloading: Reloading::default(),
            session_ttl: times.session_ttl,
            touches: Arc::default(),
            subscriptions,
            here,
            secret: OnceCell::new(),
            clock,
            meters,
            tasks,
            stop,
            closed: guard.disarm(),
        }))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

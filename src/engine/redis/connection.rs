//! Connecting to Redis, with every default of the client that would lose or double something replaced.

use super::{
    cluster,
    condition::{Condition, MonitoredClient, is_about_rights},
    connect_error::{ConnectError, connect_error, what_is_wrong},
    credentials::{Credentials, PasswordFrom},
    health::{find_the_master, warn_of_eviction, watch_memory},
};
use crate::{engine::StoreError, metrics::StoreMeters};
use fred::{
    clients::SubscriberClient,
    prelude::{
        Builder, Client, ClientLike, Config, ConnectionConfig, Error, ErrorKind, EventInterface, Options,
        PerformanceConfig, ReconnectPolicy, TcpConfig,
    },
    types::{
        ConnectHandle, RespVersion,
        config::{CredentialProvider, UnresponsiveConfig},
    },
};
use std::{sync::Arc, time::Duration};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How long a command may take before its outcome counts as unknown.
pub const COMMAND_TIMEOUT: Duration = Duration::from_secs(4);
/// How long a new connection may take, and then the first commands on it. Short, because the way to the server may be
/// clear again a moment after a try was lost; a server that is slow to answer keeps the second of the two.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const SETUP_TIMEOUT: Duration = Duration::from_secs(2);
/// Pause before a lost connection is made again, and how much longer it may be by chance. Constant: whoever waits for the
/// server is to hear of it soon, and an attempt costs next to nothing.
const RECONNECT_MS: u32 = 80;
const RECONNECT_JITTER_MS: u32 = 40;
/// Pause before a client whose task ended is started again.
const RESTART_PAUSE: Duration = Duration::from_millis(200);
/// How often a connection is asked whether it lives, and how late its answer may be.
pub const PING_EVERY: Duration = Duration::from_millis(500);
pub const PING_LATE: Duration = Duration::from_secs(2);
/// How many messages may wait between the subscriber's connection and its reader before some are dropped, which the
/// reader then learns of. Each costs some 200 bytes at once.
const MESSAGES_WAITING: usize = 4096;

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

/// The connections of one instance.
#[derive(Clone)]
pub struct Clients {
    /// Appends alone, so that a long page of history is never in front of one. One connection (to each node) keeps
    /// their order.
    pub appends: MonitoredClient,
    pub client: MonitoredClient,
    pub subscriber: SubscriberClient,
}

/// Where the store is.
pub struct Location {
    config: Config,
    /// Where the password changes.
    credentials: Option<Arc<Credentials>>,
    /// As it is named to people, without a password.
    pub server: String,
}

impl Location {
    pub fn parse(url: &str, password: &PasswordFrom) -> Result<Self, ConnectError> {
        let mut config = Config::from_url(url).map_err(|error| ConnectError::Url(what_is_wrong(&error)))?;
        let credentials = match password {
            PasswordFrom::Url => None,
            _ if config.password.is_some() => {
                return Err(ConnectError::Url(format!("it has a password, and another one comes from {password}")));
            }
            // fred asks for a password of Sentinels by the same way, and does not say that it is for one of them.
            _ if config.server.is_sentinel() => {
                return Err(ConnectError::Url(format!(
                    "behind Sentinels the password has to stand in it, and not to come from {password}"
                )));
            }
            _ => Some(Arc::new(Credentials::new(password.clone(), config.username.clone()))),
        };
        config.credential_provider = credentials.clone().map(|credentials| credentials as Arc<dyn CredentialProvider>);
        // Confirmations and messages on one connection with replies.
        config.version = RespVersion::RESP3;
        // A server that is not there when the instance starts is an error to show; later it is waited for.
        config.fail_fast = true;
        let server = config.server.hosts().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        Ok(Self { config, credentials, server })
    }

    /// Channels know nothing of it.
    pub fn database(&self) -> u8 {
        self.config.database.unwrap_or(0)
    }

    /// An error that came after the connections were made.
    pub fn unusable(&self, error: StoreError) -> ConnectError {
        if is_about_rights(&error.0) {
            let missing = error.0.trim_start_matches("Unknown Error: ").to_owned();
            return ConnectError::Rights { server: self.server.clone(), missing };
        }
        ConnectError::Unusable(error)
    }
}

/// Connects; the connections last until `closed`.
pub async fn connect(
    place: &Location,
    meters: &StoreMeters,
    closed: &CancellationToken,
) -> Result<Clients, ConnectError> {
    let server = place.server.clone();
    let refuse = |error: Error| connect_error(&server, place.credentials.as_deref().map(Credentials::from), &error);
    if let Some(credentials) = &place.credentials {
        credentials.renew().await?;
    }
    let mut config = place.config.clone();
    cluster::look_after(&mut config, closed).await.map_err(refuse)?;
    let mut builder = Builder::from_config(config);
    let mut policy = ReconnectPolicy::new_constant(0, RECONNECT_MS);
    policy.set_jitter(RECONNECT_JITTER_MS);
    builder.set_policy(policy);
    builder.set_performance_config(performance_config(32));
    let unbuildable = |error: Error| ConnectError::Url(what_is_wrong(&error));
    // fred cannot know what became of an append whose answer was lost: it is tried once.
    builder.set_connection_config(connection_config(1));
    let appends = builder.build().map_err(unbuildable)?;
    // Everything else may be repeated.
    builder.set_connection_config(connection_config(3));
    let client = builder.build().map_err(unbuildable)?;
    builder.set_performance_config(performance_config(MESSAGES_WAITING));
    let subscriber = builder.build_subscriber_client().map_err(unbuildable)?;

    keep_connected(&client, start(&client).await.map_err(refuse)?, closed);
    if let Some(version) = client.server_version().filter(|version| version.major < 7) {
        return Err(ConnectError::TooOld { server, version: version.to_string() });
    }
    keep_connected(&appends, start(&appends).await.map_err(refuse)?, closed);
    keep_connected(&subscriber, start(&subscriber).await.map_err(refuse)?, closed);
    count_reconnects(&appends, "appends", meters, closed);
    count_reconnects(&client, "commands", meters, closed);
    count_reconnects(&subscriber, "subscriber", meters, closed);
    warn_of_eviction(&client).await;
    tokio::spawn(watch(appends.clone(), closed.clone()));
    tokio::spawn(watch(client.clone(), closed.clone()));
    let condition = Arc::new(Condition::new());
    let (appends, client) = (MonitoredClient::new(appends, condition.clone()), MonitoredClient::new(client, condition));
    tokio::spawn(watch_memory(client.clone(), closed.clone()));
    let clients = Clients { appends, client, subscriber };
    if let Some(credentials) = &place.credentials {
        credentials.look_after(&clients, closed);
    }
    tokio::spawn(find_the_master(clients.clone(), closed.clone()));
    Ok(clients)
}

fn connection_config(max_command_attempts: u32) -> ConnectionConfig {
    ConnectionConfig {
        connection_timeout: CONNECT_TIMEOUT,
        internal_command_timeout: SETUP_TIMEOUT,
        max_command_attempts,
        // To follow an ASK, fred writes ASKING behind what is under way on the other connection and takes the next answer there for
        // that one's: each of these commands is given another one's. So it follows nothing. Where the slots are by now it asks
        // all the same; see `cluster::redirected`.
        max_redirections: 0,
        // Not bounded here: fred puts its own "reconnect" into the same queue, and a full one would end the client for
        // good. What goes in is bounded by the engine instead.
        max_command_buffer_len: 0,
        // For a connection that nothing is written to; see `watch`.
        unresponsive: UnresponsiveConfig {
            max_timeout: Some(Duration::from_secs(6)),
            interval: Duration::from_secs(1),
        },
        tcp: TcpConfig { nodelay: Some(true), ..TcpConfig::default() },
        ..ConnectionConfig::default()
    }
}

fn performance_config(broadcast_channel_capacity: usize) -> PerformanceConfig {
    PerformanceConfig {
        default_command_timeout: COMMAND_TIMEOUT,
        broadcast_channel_capacity,
        ..PerformanceConfig::default()
    }
}

async fn start<C: ClientLike>(client: &C) -> Result<ConnectHandle, Error> {
    let late = || Error::new(ErrorKind::Timeout, "no answer");
    tokio::time::timeout((CONNECT_TIMEOUT + SETUP_TIMEOUT) * 2, client.init()).await.map_err(|_| late())?
}

/// The client reconnects by itself except after what it holds to be a mistake in the configuration, such as a node that
/// left its cluster: then its task ends, and is started again here.
fn keep_connected<C: ClientLike + 'static>(client: &C, first: ConnectHandle, closed: &CancellationToken) {
    let (client, closed) = (client.clone(), closed.clone());
    tokio::spawn(async move {
        let mut connection = first;
        loop {
            tokio::select! {
                // The task owns the connection, which would outlive every client.
                () = closed.cancelled() => return connection.abort(),
                ended = &mut connection => {
                    let error = ended.ok().and_then(Result::err);
                    warn!(?error, "the connection to Redis ended; starting it again");
                }
            }
            tokio::select! {
                () = closed.cancelled() => return,
                () = tokio::time::sleep(RESTART_PAUSE) => connection = client.connect(),
            }
        }
    });
}

/// Counts how often a client's connections were lost and are there again. `name`: as what.
fn count_reconnects<C>(client: &C, name: &str, meters: &StoreMeters, closed: &CancellationToken)
where
    C: ClientLike + EventInterface + 'static,
{
    let (client, closed) = (client.clone(), closed.clone());
    let count = meters.reconnects.with_label_values(&[name]);
    tokio::spawn(async move {
        loop {
            let mut reconnects = client.reconnect_rx();
            loop {
                tokio::select! {
                    () = closed.cancelled() => return,
                    reconnect = reconnects.recv() => match reconnect {
                        Ok(_) => count.inc(),
                        Err(RecvError::Lagged(missed)) => count.inc_by(missed),
                        // The client replaces its channels when its task is started again.
                        Err(RecvError::Closed) => break,
                    },
                }
            }
            tokio::time::sleep(RESTART_PAUSE).await;
        }
    });
}

/// Asks a client's connections whether they live, for fred's own check is put off by every command that is written.
async fn watch(client: Client, closed: CancellationToken) {
    loop {
        tokio::select! {
            () = closed.cancelled() => return,
            () = tokio::time::sleep(PING_EVERY) => {}
        }
        if tokio::time::timeout(PING_LATE, ping_all(&client)).await.is_err() {
            make_anew(&client).await;
        }
    }
}

/// An answer from every server that the client is connected to.
pub async fn ping_all(client: &Client) -> Result<(), Error> {
    let servers = client.active_connections();
    let ping = |server| async {
        let cluster_node = client.is_clustered().then_some(server);
        client.with_options(&Options { cluster_node, ..Options::default() }).ping::<()>(None).await
    };
    futures_util::future::try_join_all(servers.into_iter().map(ping)).await.map(drop)
}

/// Gives up connections from which nothing comes, or nothing of use: a peer that vanished without a word ends none by
/// itself.
pub async fn make_anew<C: ClientLike>(client: &C) {
    // Otherwise it is being made already.
    if client.is_connected() {
        warn!("making a connection to Redis anew");
        // It goes on until it works, whether it is waited for or not.
        let _ = tokio::time::timeout(PING_LATE, client.force_reconnection()).await;
    }
}

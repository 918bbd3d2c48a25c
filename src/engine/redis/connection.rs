//! Connecting to Redis, with every default of the client that would lose or double something replaced.

use crate::engine::StoreError;
use fred::{
    clients::SubscriberClient,
    prelude::{
        Builder, Client, ClientLike, Config, ConnectionConfig, Error, ErrorKind, PerformanceConfig, ReconnectPolicy,
        TcpConfig,
    },
    types::{ClusterHash, ConnectHandle, CustomCommand, RespVersion, config::UnresponsiveConfig},
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How long a command may take before its outcome counts as unknown.
pub const COMMAND_TIMEOUT: Duration = Duration::from_secs(4);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How many messages may wait between the subscriber's connection and its reader before some are dropped, which the
/// reader then learns of. Each costs some 200 bytes at once.
const MESSAGES_WAITING: usize = 4096;

/// Why the engine could not be opened; says what to do, never the password.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConnectError {
    #[error("the Redis URL is not usable: {0}")]
    Url(String),
    #[error("cannot reach Redis at {server}: {why}")]
    Unreachable { server: String, why: String },
    #[error("Redis at {server} refused the user name or password: {why}")]
    Refused { server: String, why: String },
    #[error("Redis at {server} is version {version}; Hubbub needs 7.0 or later")]
    TooOld { server: String, version: String },
    #[error("Redis does not do what Hubbub needs: {0}")]
    Unusable(StoreError),
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

/// The connections of one instance.
pub struct Clients {
    /// Appends alone, so that a long page of history is never in front of one. One connection (to each node) keeps
    /// their order.
    pub appends: Client,
    pub client: Client,
    pub subscriber: SubscriberClient,
}

/// Connects; the connections last until `closed`.
pub async fn connect(url: &str, closed: &CancellationToken) -> Result<Clients, ConnectError> {
    let mut config = Config::from_url(url).map_err(|error| ConnectError::Url(what_is_wrong(&error)))?;
    // Confirmations and messages on one connection with replies.
    config.version = RespVersion::RESP3;
    // A server that is not there when the instance starts is an error to show; later it is waited for.
    config.fail_fast = true;
    let server = config.server.hosts().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");

    let mut builder = Builder::from_config(config);
    let mut policy = ReconnectPolicy::new_exponential(0, 50, 2_000, 2);
    policy.set_jitter(50);
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

    let refuse = |error: Error| connect_error(&server, &error);
    keep_connected(&client, start(&client).await.map_err(refuse)?, closed);
    if let Some(version) = client.server_version().filter(|version| version.major < 7) {
        return Err(ConnectError::TooOld { server, version: version.to_string() });
    }
    keep_connected(&appends, start(&appends).await.map_err(refuse)?, closed);
    keep_connected(&subscriber, start(&subscriber).await.map_err(refuse)?, closed);
    warn_of_eviction(&client).await;
    Ok(Clients { appends, client, subscriber })
}

fn connection_config(max_command_attempts: u32) -> ConnectionConfig {
    ConnectionConfig {
        connection_timeout: CONNECT_TIMEOUT,
        internal_command_timeout: CONNECT_TIMEOUT,
        max_command_attempts,
        // Not bounded here: fred puts its own "reconnect" into the same queue, and a full one would end the client for
        // good. What goes in is bounded by the engine instead.
        max_command_buffer_len: 0,
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
    tokio::time::timeout(CONNECT_TIMEOUT * 2, client.init()).await.map_err(|_| late())?
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
                () = tokio::time::sleep(Duration::from_secs(1)) => connection = client.connect(),
            }
        }
    });
}

fn connect_error(server: &str, error: &Error) -> ConnectError {
    let (server, why) = (server.to_owned(), what_is_wrong(error));
    // HELLO is what older servers and ones without the user refuse.
    if *error.kind() == ErrorKind::Auth || why.starts_with("NOPERM") {
        ConnectError::Refused { server, why }
    } else {
        ConnectError::Unreachable { server, why }
    }
}

/// What an error says, on one line.
fn what_is_wrong(error: &Error) -> String {
    let text = error.details().split_whitespace().collect::<Vec<_>>().join(" ");
    // fred shows I/O errors as `Os { code: 111, kind: ConnectionRefused, message: "Connection refused" }`.
    match text.split('"').collect::<Vec<_>>().as_slice() {
        [before, message, _] if before.contains(" { ") => (*message).to_owned(),
        _ => text,
    }
}

/// Evicted keys would be lost messages.
async fn warn_of_eviction(client: &Client) {
    let command = CustomCommand::new_static("CONFIG", ClusterHash::Random, false);
    // Managed servers refuse CONFIG: nothing is known, nothing is said.
    let Ok(answer) = client.custom::<Vec<String>, _>(command, vec!["GET", "maxmemory-policy"]).await else { return };
    if let [_, policy] = answer.as_slice()
        && policy != "noeviction"
    {
        warn!(policy, "Redis may delete messages when its memory is full: set maxmemory-policy to noeviction");
    }
}

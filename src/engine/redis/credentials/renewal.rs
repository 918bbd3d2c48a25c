//! Has open connections follow when the password changes: servers that take access tokens end connections that do not.

use super::{Credentials, PasswordFrom};
use crate::engine::redis::connection::Clients;
use fred::{
    interfaces::ClientLike,
    prelude::{Error, ErrorKind, EventInterface, Options},
    types::{ClusterHash, CustomCommand},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::broadcast::error::RecvError,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How often the file is looked at. Whoever writes it leaves a while in which both passwords are right.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Pause after a token could not be had: the first one, and the longest.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// Pause before a client is listened to that was closed and starts again.
const LISTEN_AGAIN: Duration = Duration::from_millis(200);

impl Credentials {
    /// Looks after the password of these connections, until `closed`.
    pub fn look_after(self: &Arc<Self>, clients: &Clients, closed: &CancellationToken) {
        tokio::spawn(self.clone().listen((*clients.appends).clone(), closed.clone()));
        tokio::spawn(self.clone().listen((*clients.client).clone(), closed.clone()));
        tokio::spawn(self.clone().listen(clients.subscriber.clone(), closed.clone()));
        tokio::spawn(self.clone().follow(clients.clone(), closed.clone()));
    }

    /// Hears what becomes of a client's attempts to connect.
    async fn listen<C: ClientLike + EventInterface>(self: Arc<Self>, client: C, closed: CancellationToken) {
        loop {
            let (mut errors, mut connected) = (client.error_rx(), client.reconnect_rx());
            loop {
                tokio::select! {
                    () = closed.cancelled() => return,
                    error = errors.recv() => match error {
                        Ok((error, _)) if *error.kind() == ErrorKind::Auth => self.refused(error.details()),
                        Err(RecvError::Closed) => break,
                        _ => {}
                    },
                    server = connected.recv() => match server {
                        Ok(_) => self.accepted(),
                        Err(RecvError::Closed) => break,
                        Err(RecvError::Lagged(_)) => {}
                    },
                }
            }
            sleep(LISTEN_AGAIN).await;
        }
    }

    async fn follow(self: Arc<Self>, clients: Clients, closed: CancellationToken) {
        let mut told = self.state().used.clone();
        let mut retry = RETRY;
        let mut next = self.next_look();
        loop {
            tokio::select! {
                () = closed.cancelled() => return,
                () = sleep_until(next) => {}
                () = self.was_refused.notified() => {
                    // By then there may be another one.
                    let until = self.state().refused.as_ref().map(|refused| refused.until);
                    next = until.unwrap_or_else(Instant::now).min(next);
                    continue;
                }
            }
            match self.renew().await {
                Ok(()) => {
                    retry = RETRY;
                    next = self.next_look();
                }
                Err(error) => {
                    self.say(&format!("the password of Redis cannot be renewed: {error}"));
                    next = Instant::now() + retry;
                    retry = (retry * 2).min(RETRY_MAX);
                    continue;
                }
            }
            let Ok(password) = self.password() else { continue };
            if told.as_ref() == Some(&password) {
                continue;
            }
            match self.authenticate(&clients, &password).await {
                Ok(true) => {
                    info!("the connections to Redis have its new password, from {}", self.from);
                    told = Some(password);
                }
                // What is not connected takes the new one by itself. All are asked again once they are.
                Ok(false) => next = next.min(Instant::now() + LOOK_EVERY),
                Err(error) => {
                    warn!("open connections go on with the password before: {error}");
                    next = next.min(Instant::now() + retry);
                    retry = (retry * 2).min(RETRY_MAX);
                }
            }
        }
    }

    fn next_look(&self) -> Instant {
        let token = match &self.from {
            PasswordFrom::Google { .. } => self.state().token.as_ref().map(|token| token.renew_at),
            PasswordFrom::File(_) | PasswordFrom::Url => None,
        };
        token.unwrap_or_else(|| Instant::now() + LOOK_EVERY)
    }

    /// Gives open connections this password. Says whether all clients were connected.
    async fn authenticate(&self, clients: &Clients, password: &str) -> Result<bool, Error> {
        let user = self.user.as_deref().unwrap_or("default");
        let [one, two, three] = tokio::try_join!(
            give(&*clients.appends, user, password),
            give(&*clients.client, user, password),
            give(&clients.subscriber, user, password),
        )
        .map(<[bool; 3]>::from)?;
        Ok(one && two && three)
    }
}

/// On each of a client's connections. Not by its own `AUTH`, which on a Cluster has all commands wait for all servers.
async fn give<C: ClientLike>(client: &C, user: &str, password: &str) -> Result<bool, Error> {
    let servers = client.active_connections();
    if servers.is_empty() || !client.is_connected() {
        return Ok(false);
    }
    let each = |server| {
        let cluster_node = client.is_clustered().then_some(server);
        let client = client.with_options(&Options { cluster_node, ..Options::default() });
        async move {
            let command = CustomCommand::new_static("AUTH", ClusterHash::Random, false);
            client.custom::<(), _>(command, vec![user, password]).await
        }
    };
    futures_util::future::try_join_all(servers.into_iter().map(each)).await?;
    Ok(true)
}

//! What a server of Redis says of itself to whoever sets one up. Nothing that an instance needs while it serves.

use super::{Redis, condition::field, health::info_of_all, subscriptions::subscribe};
use crate::engine::{StoreError, random_id};
use fred::{
    bytes_utils::Str,
    prelude::{ClientLike, EventInterface, PubsubInterface},
    types::{ClusterHash, CustomCommand},
};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::broadcast::error::RecvError;

/// Round trips that are timed.
const ROUND_TRIPS: usize = 50;
/// How long a word may be under way from here to here.
const ECHO_WITHIN: Duration = Duration::from_secs(2);

/// What is not said is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerReport {
    /// All servers write to an append-only file.
    pub appends_to_file: Option<bool>,
    /// All of them sync it before they answer.
    pub syncs_always: Option<bool>,
    /// By how much the server's clock and this machine's differ.
    pub clock_off: Option<Duration>,
    /// The middle one and the longest of fifty.
    pub round_trip: Option<(Duration, Duration)>,
}

impl Redis {
    /// Asks the servers.
    pub async fn examine(&self) -> ServerReport {
        let client = &*self.client;
        let persistence = info_of_all(client, "persistence").await;
        let aof = persistence.iter().map(|(_, info)| field(info, "aof_enabled").map(|is| is == "1"));
        let appends_to_file = aof.collect::<Option<Vec<_>>>().filter(|all| !all.is_empty());
        let ask = |command: &'static str, args: Vec<&'static str>| async move {
            let command = CustomCommand::new_static(command, ClusterHash::Random, false);
            client.custom::<Vec<Str>, _>(command, args).await.ok()
        };
        // Managed services have no CONFIG.
        let fsync = ask("CONFIG", vec!["GET", "appendfsync"]).await;
        let time = ask("TIME", Vec::new()).await;
        let mut trips = Vec::new();
        for _ in 0..ROUND_TRIPS {
            let began = Instant::now();
            if client.ping::<()>(None).await.is_err() {
                break;
            }
            trips.push(began.elapsed());
        }
        trips.sort_unstable();
        ServerReport {
            appends_to_file: appends_to_file.map(|all| all.into_iter().all(|is| is)),
            syncs_always: fsync.and_then(|answer| Some(*answer.get(1)? == "always")),
            clock_off: time.and_then(|answer| {
                let theirs = Duration::from_secs(answer.first()?.parse().ok()?);
                let ours = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
                // It says whole seconds and the rest apart.
                let theirs = theirs + Duration::from_micros(answer.get(1)?.parse().ok()?);
                Some(ours.abs_diff(theirs))
            }),
            round_trip: (trips.len() == ROUND_TRIPS).then(|| (trips[ROUND_TRIPS / 2], trips[ROUND_TRIPS - 1])),
        }
    }

    /// How long it takes from publishing a word to hearing it, on a channel where nobody else is.
    ///
    /// # Errors
    /// It was not heard: then instances do not hear of each other's messages either.
    pub async fn echo(&self) -> Result<Duration, StoreError> {
        let (channel, word) = (self.keys.echo_channel(random_id()), "echo");
        let subscriber = self.subscriptions.client();
        let mut heard = subscriber.message_rx();
        subscribe(subscriber, &channel).await?;
        let began = Instant::now();
        let echo = async {
            self.client.spublish::<(), _, _>(channel.as_str(), word).await?;
            loop {
                match heard.recv().await {
                    Ok(message) if *message.channel == *channel => return Ok(began.elapsed()),
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return Err(StoreError("the connection was closed".to_owned())),
                }
            }
        };
        let late = |_| StoreError(format!("nothing was heard within {} s", ECHO_WITHIN.as_secs()));
        let echo = tokio::time::timeout(ECHO_WITHIN, echo).await.map_err(late)?;
        // Nobody hears what becomes of this one.
        let _ = subscriber.sunsubscribe(channel).await;
        echo
    }
}

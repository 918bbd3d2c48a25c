//! Whether messages can be written, and what there is to do when they cannot.

use super::{
    Redis,
    condition::{MonitoredClient, field, fill, tags_of_masters},
    connect_error::ConnectError,
    connection::{Clients, Location, make_anew},
    keys::Keys,
    script::{PROBE, RIGHTS},
    subscriptions::subscribe,
};
use crate::engine::{Reason, Unwritable, Vitals};
use fred::{
    bytes_utils::Str,
    prelude::{Client, ClientLike, Error, KeysInterface, Options, PubsubInterface, Server},
    types::{ClusterHash, CustomCommand, SetOptions},
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use std::{collections::HashMap, time::Duration};
use tokio::{sync::Mutex, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// For how long an answer holds.
const HOLDS: Duration = Duration::from_secs(1);
/// How often servers are asked how full they are.
const ASK_MEMORY: Duration = Duration::from_secs(1);
/// Pauses between two tries to find the master behind an address: the first, and the longest while there is none.
const FIND_MASTER: Duration = Duration::from_secs(1);
const FIND_MASTER_MAX: Duration = Duration::from_secs(10);

/// The last answer, and when there was one. One asker at a time; the others get what it got.
#[derive(Default)]
pub struct Probed(Mutex<Option<(Instant, Result<(), Unwritable>)>>);

impl Redis {
    pub(super) async fn can_write(&self) -> Result<(), Unwritable> {
        let condition = self.appends.condition();
        if let Some(full) = condition.is_full() {
            return Err(full);
        }
        let several = self.appends.is_clustered();
        if !several && !self.appends.is_connected() {
            let detail = "not connected to Redis".to_owned();
            return Err(Unwritable { reason: Reason::Unreachable, detail });
        }
        if let Some(known) = condition.known(several) {
            return known;
        }
        let mut probed = self.probed.0.lock().await;
        if let Some((at, answer)) = &*probed
            && at.elapsed() < HOLDS
        {
            return answer.clone();
        }
        let answer = self.probe().await;
        *probed = Some((Instant::now(), answer.clone()));
        answer
    }

    /// Whether any master takes messages.
    async fn probe(&self) -> Result<(), Unwritable> {
        let tags = tags_of_masters(&self.appends);
        let mut probes: FuturesUnordered<_> = tags.iter().map(|tag| self.probe_master(tag)).collect();
        let mut answer = Err(Unwritable { reason: Reason::Unreachable, detail: "no master is known".to_owned() });
        while answer.is_err()
            && let Some(next) = probes.next().await
        {
            answer = next;
        }
        answer
    }

    async fn probe_master(&self, tag: &str) -> Result<(), Unwritable> {
        let condition = self.appends.condition();
        if condition.lacks_rights()
            && let Some(detail) = missing_right(&self.appends, &self.keys, tag).await?
        {
            condition.failed(Reason::Rights, &detail);
            return Err(Unwritable { reason: Reason::Rights, detail });
        }
        // It writes nothing, and is refused where anything that may write is.
        let [key, _] = self.keys.probe(tag);
        Ok(PROBE.run::<()>(&self.appends, vec![key], vec![]).await?)
    }
}

/// The first right that this user lacks on the server that holds `tag`, and what the server says about it.
pub async fn missing_right(client: &MonitoredClient, keys: &Keys, tag: &str) -> Result<Option<String>, Error> {
    let answer: Vec<Str> = RIGHTS.run(client, keys.probe(tag).into(), vec![]).await?;
    Ok(match answer.as_slice() {
        [command, why] => Some(format!("{command} ({why})")),
        _ => None,
    })
}

/// Finds out at the start what would otherwise be found out by whoever writes first.
pub async fn check_rights(clients: &Clients, keys: &Keys, place: &Location) -> Result<(), ConnectError> {
    let unusable = |error: Error| place.unusable(error.into());
    clients.client.ping::<()>(None).await.map_err(unusable)?;
    for tag in tags_of_masters(&clients.client) {
        let missing = missing_right(&clients.client, keys, &tag).await.map_err(unusable)?;
        if let Some(missing) = missing {
            return Err(ConnectError::Rights { server: place.server.clone(), missing });
        }
        // What scripts may not do, and what is only done where the server lost them.
        let [_, channel] = keys.probe(&tag);
        subscribe(&clients.subscriber, &channel).await.map_err(unusable)?;
        // Nobody hears what becomes of this one.
        let _ = clients.subscriber.sunsubscribe(channel).await;
        PROBE.run_whole(&clients.client, keys.probe(&tag)[0].clone()).await.map_err(unusable)?;
    }
    Ok(())
}

/// The number of what is kept in Redis. Raised by a change with which an instance of before would misread it, or be misread;
/// one that only adds to it keeps the number.
pub const FORMAT: u64 = 1;

/// Refuses a store of a format that is not known here, and marks one that is new.
pub async fn check_format(clients: &Clients, keys: &Keys, place: &Location) -> Result<(), ConnectError> {
    let key = keys.format();
    let found: Option<String> = clients.client.get(&key).await.map_err(|error| place.unusable(error.into()))?;
    match found {
        None => {
            // One that takes no writes now is marked by a later start.
            let set = SetOptions::NX;
            let _ = clients.client.set::<Option<String>, _, _>(key, FORMAT.to_string(), None, Some(set), false).await;
            Ok(())
        }
        Some(found) if found.parse().is_ok_and(|found: u64| found <= FORMAT) => Ok(()),
        Some(found) => Err(ConnectError::Newer { server: place.server.clone(), found, known: FORMAT }),
    }
}

/// An `INFO` section of every server that the client is connected to and that answers.
pub async fn info_of_all(client: &Client, section: &'static str) -> Vec<(Server, Str)> {
    let ask = |server: Server| async {
        let cluster_node = client.is_clustered().then(|| server.clone());
        let client = client.with_options(&Options { cluster_node, ..Options::default() });
        let command = CustomCommand::new_static("INFO", ClusterHash::Random, false);
        Some((server, client.custom::<Str, _>(command, vec![section]).await.ok()?))
    };
    let infos = futures_util::future::join_all(client.active_connections().into_iter().map(ask)).await;
    infos.into_iter().flatten().collect()
}

/// What the servers say of their memory: of the fullest one, and of all of them what they deleted.
pub async fn vitals(client: &Client) -> Vitals {
    let (memory, stats) = tokio::join!(info_of_all(client, "memory"), info_of_all(client, "stats"));
    let number = |info: &str, name: &str| field(info, name)?.parse::<u64>().ok();
    // One without a limit is never full.
    let fill = |(used, max): &(u64, u64)| u128::from(*used) * 1_000_000 / u128::from((*max).max(1));
    let memories =
        memory.iter().filter_map(|(_, info)| Some((number(info, "used_memory")?, number(info, "maxmemory")?)));
    let fullest = memories.max_by_key(|memory| if memory.1 == 0 { 0 } else { fill(memory) });
    let policies: Option<Vec<_>> = memory.iter().map(|(_, info)| field(info, "maxmemory_policy")).collect();
    let policies = policies.filter(|policies| !policies.is_empty());
    let evicted: Vec<_> = stats.iter().filter_map(|(_, info)| number(info, "evicted_keys")).collect();
    Vitals {
        redis_used_bytes: fullest.map(|(used, _)| used),
        redis_max_bytes: fullest.map(|(_, max)| max),
        redis_evicted_keys: (!evicted.is_empty()).then(|| evicted.iter().sum()),
        redis_noeviction: policies.map(|all| all.iter().all(|policy| *policy == "noeviction")),
        ..Vitals::default()
    }
}

/// Evicted keys would be lost messages.
pub async fn warn_of_eviction(client: &Client) {
    let infos = info_of_all(client, "memory").await;
    let policies: Vec<_> = infos.iter().map(|(_, info)| field(info, "maxmemory_policy")).collect();
    if policies.is_empty() || policies.contains(&None) {
        info!(
            "Redis does not say whether it deletes messages when its memory is full: maxmemory-policy has to be noeviction"
        );
    }
    if let Some(policy) = policies.into_iter().flatten().find(|policy| *policy != "noeviction") {
        warn!(policy, "Redis may delete messages when its memory is full: set maxmemory-policy to noeviction");
    }
}

/// Keeps an eye on how full the servers are. One that does not say is taken to have room: it refuses by itself.
pub async fn watch_memory(client: MonitoredClient, closed: CancellationToken) {
    let mut was_full = false;
    loop {
        let infos = info_of_all(&client, "memory").await;
        let fills: HashMap<_, _> =
            infos.into_iter().filter_map(|(server, info)| Some((server, fill(&info)?))).collect();
        client.condition().set_fills(fills);
        let full = client.condition().is_full();
        if let Some(full) = full.as_ref().filter(|_| !was_full) {
            warn!(why = full.detail, "no messages are taken until there is room again: raise maxmemory");
        }
        was_full = full.is_some();
        tokio::select! {
            () = closed.cancelled() => return,
            () = tokio::time::sleep(ASK_MEMORY) => {}
        }
    }
}

/// A master that became a replica, behind an address that leads elsewhere by now, keeps its connections: they are given up.
pub async fn find_the_master(clients: Clients, closed: CancellationToken) {
    let mut pause = FIND_MASTER;
    loop {
        let asked = Instant::now();
        tokio::select! {
            () = closed.cancelled() => return,
            () = clients.appends.condition().demoted() => {}
        }
        if asked.elapsed() > FIND_MASTER_MAX {
            pause = FIND_MASTER;
        }
        // In a Cluster such a server names the one that took over by itself.
        if !clients.appends.is_clustered() {
            warn!("Redis takes no writes; making the connections anew, to where its address leads now");
            let Clients { appends, client, subscriber } = &clients;
            tokio::join!(make_anew(&**appends), make_anew(&**client), make_anew(subscriber));
        }
        tokio::select! {
            () = closed.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(FIND_MASTER_MAX);
    }
}

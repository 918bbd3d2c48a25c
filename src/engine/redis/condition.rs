//! What the servers were last seen to be able to do: whether they take writes, and how full they are.

use crate::engine::{Reason, Unwritable};
use fred::{
    prelude::{Client, ClientLike, ClusterInterface, Error, ErrorKind, Server},
    types::cluster::ClusterRouting,
};
use std::{
    collections::HashMap,
    ops::Deref,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// A commit so lately says that messages can be written.
const WROTE_LATELY: Duration = Duration::from_secs(5);
/// A refusal so lately says that they cannot be.
const REFUSED_LATELY: Duration = Duration::from_secs(1);
/// Fills, in thousandths of `maxmemory`, from which on no entry is written, and no record is made that shows nowhere. What
/// is left is for sign-outs, presence and leases.
pub const ENTRIES_BELOW: u16 = 950;
pub const VOIDS_BELOW: u16 = 900;

/// A client, and what is known of its servers.
#[derive(Clone)]
pub struct MonitoredClient {
    client: Client,
    condition: Arc<Condition>,
}

impl Deref for MonitoredClient {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl MonitoredClient {
    pub fn new(client: Client, condition: Arc<Condition>) -> Self {
        Self { client, condition }
    }

    pub fn condition(&self) -> &Condition {
        &self.condition
    }

    /// Why the server that holds `key` is to be spared, if it is filled to `below` thousandths.
    pub fn too_full(&self, below: u16, key: impl FnOnce() -> String) -> Option<String> {
        if self.condition.fullest.load(Ordering::Relaxed) < below {
            return None;
        }
        let fills = self.condition.fills();
        let fill = if self.client.is_clustered() {
            let nodes = self.client.cached_cluster_state()?;
            fills.get(nodes.get_server(ClusterRouting::hash_key(key().as_bytes()))?).copied()
        } else {
            fills.values().max().copied()
        };
        let fill = fill.filter(|&fill| fill >= below)?;
        Some(format!("Redis' memory is {} % full", fill / 10))
    }
}

pub struct Condition {
    began: Instant,
    /// When something was last written: milliseconds after `began`, and one more.
    wrote: AtomicU64,
    refused: Mutex<Option<(Instant, Unwritable)>>,
    /// A server said that it is no master.
    demoted: Notify,
    /// Thousandths of `maxmemory` that are used, where there is such a limit.
    fills: Mutex<HashMap<Server, u16>>,
    fullest: AtomicU16,
}

impl Condition {
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            wrote: AtomicU64::new(0),
            refused: Mutex::default(),
            demoted: Notify::new(),
            fills: Mutex::default(),
            fullest: AtomicU16::new(0),
        }
    }

    /// A message was written.
    pub fn wrote(&self) {
        let since = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.wrote.store(since + 1, Ordering::Relaxed);
    }

    /// What a server said to a script that writes, if it was about that.
    pub fn refused(&self, why: &str) {
        let Some(reason) = reason(why) else { return };
        self.failed(reason, why);
        if ["READONLY", "MASTERDOWN", "NOREPLICAS"].iter().any(|code| why.starts_with(code)) {
            self.demoted.notify_one();
        }
    }

    /// A message was not written, or nobody knows.
    pub fn failed(&self, reason: Reason, why: &str) {
        let unwritable = Unwritable { reason, detail: why.to_owned() };
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), unwritable));
    }

    /// Waits until a server says that it is no master, or lost all its replicas, as one does that another took over from.
    pub async fn demoted(&self) {
        self.demoted.notified().await;
    }

    /// Whether messages can be written, as far as that is known without asking. Of `several` servers, one that refuses
    /// says nothing about the others.
    pub fn known(&self, several: bool) -> Option<Result<(), Unwritable>> {
        let wrote = self.wrote.load(Ordering::Relaxed).checked_sub(1).map(|ms| self.began + Duration::from_millis(ms));
        let lately = wrote.is_some_and(|wrote| wrote.elapsed() < WROTE_LATELY);
        let refusal = self.last_refusal().filter(|(at, _)| wrote.is_none_or(|wrote| *at >= wrote));
        match refusal {
            Some((at, why)) if !several && at.elapsed() < REFUSED_LATELY => Some(Err(why)),
            Some(_) if !several => None,
            _ => lately.then_some(Ok(())),
        }
    }

    /// Whether the last word about writing was that a right is missing.
    pub fn lacks_rights(&self) -> bool {
        self.last_refusal().is_some_and(|(_, why)| why.reason == Reason::Rights)
    }

    fn last_refusal(&self) -> Option<(Instant, Unwritable)> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every server that takes messages is too full for them.
    pub fn is_full(&self) -> Option<Unwritable> {
        let least = self.fills().values().min().copied().filter(|&fill| fill >= ENTRIES_BELOW)?;
        let detail = format!("Redis' memory is {} % full", least / 10);
        Some(Unwritable { reason: Reason::Full, detail })
    }

    /// What the servers say of their memory now.
    pub fn set_fills(&self, fills: HashMap<Server, u16>) {
        self.fullest.store(fills.values().max().copied().unwrap_or(0), Ordering::Relaxed);
        *self.fills() = fills;
    }

    fn fills(&self) -> MutexGuard<'_, HashMap<Server, u16>> {
        self.fills.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What keeps a server from writing, by how its answer begins; nothing if it is not about that.
pub fn reason(why: &str) -> Option<Reason> {
    if is_about_rights(why) {
        return Some(Reason::Rights);
    }
    match why.split(' ').next()? {
        "AWAY" => Some(Reason::Unreachable),
        "OOM" => Some(Reason::Full),
        "READONLY" | "MASTERDOWN" | "NOREPLICAS" | "MISCONF" => Some(Reason::ReadOnly),
        _ => None,
    }
}

/// Within a script the server says it in other words, without a code.
pub fn is_about_rights(why: &str) -> bool {
    ["NOPERM", "NOAUTH", "WRONGPASS"].iter().any(|code| why.contains(code))
        || why.contains("The user executing the script can't")
}

impl From<Error> for Unwritable {
    fn from(error: Error) -> Self {
        let reason = reason(error.details()).unwrap_or(match error.kind() {
            ErrorKind::Unknown => Reason::Other,
            _ => Reason::Unreachable,
        });
        Self { reason, detail: error.details().to_owned() }
    }
}

/// How full a server is, from its `INFO memory`: thousandths of `maxmemory`; nothing without such a limit.
pub fn fill(info: &str) -> Option<u16> {
    let used: u64 = field(info, "used_memory")?.parse().ok()?;
    let most: u64 = field(info, "maxmemory")?.parse().ok()?;
    (most > 0).then(|| u16::try_from(u128::from(used) * 1_000 / u128::from(most)).unwrap_or(u16::MAX))
}

/// A field of an `INFO`.
pub fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// Tags of which each master holds one, or one where there is no Cluster.
pub fn tags_of_masters(client: &Client) -> Vec<String> {
    /// Enough to meet every master that holds one slot in a thousand.
    const TRIED: usize = 10_000;
    let Some(nodes) = client.is_clustered().then(|| client.cached_cluster_state()).flatten() else {
        return vec!["probe".to_owned()];
    };
    let (mut masters, mut tags) = (nodes.unique_primary_nodes(), Vec::new());
    for i in 0..TRIED {
        if masters.is_empty() {
            break;
        }
        let tag = format!("probe{i}");
        let held_by = nodes.get_server(ClusterRouting::hash_key(tag.as_bytes()));
        if let Some(at) = masters.iter().position(|master| Some(master) == held_by) {
            masters.swap_remove(at);
            tags.push(tag);
        }
    }
    tags
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_how_full_it_is() {
        let info = |used: &str, most: &str| format!("# Memory\r\nused_memory:{used}\r\nmaxmemory:{most}\r\n");
        assert_eq!(fill(&info("950", "1000")), Some(950));
        assert_eq!(fill(&info("1000000", "1")), Some(u16::MAX));
        assert_eq!(fill(&info("1", "0")), None);
        assert_eq!(fill("# Memory\r\n"), None);
        assert_eq!(field("maxmemory_policy:noeviction\r\nmaxmemory:5\r\n", "maxmemory"), Some("5"));
    }

    #[test]
    fn the_latest_word_counts_for_a_while() {
        let condition = Condition::new();
        assert_eq!(condition.known(false), None);
        condition.wrote();
        assert_eq!(condition.known(false), Some(Ok(())));
        condition.refused("ERR wrong number of arguments");
        assert_eq!(condition.known(false), Some(Ok(())), "says nothing about writing");
        for (why, reason) in [
            ("OOM command not allowed", Reason::Full),
            ("READONLY You can't write", Reason::ReadOnly),
            ("MISCONF Errors writing to the AOF file", Reason::ReadOnly),
            ("NOPERM this user has no permissions", Reason::Rights),
            ("ERR The user executing the script can't run this command or subcommand script: x", Reason::Rights),
        ] {
            condition.refused(why);
            assert_eq!(condition.known(false).unwrap().unwrap_err().reason, reason, "{why}");
            assert_eq!(condition.known(true), Some(Ok(())), "another server takes messages");
        }
        assert!(condition.lacks_rights());
    }
}

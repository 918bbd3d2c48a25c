//! Asking one server of a Cluster, on a connection made for it, as a client that is about to use it.

use fred::{
    prelude::{Builder, ClientLike, ClusterInterface, Config, Error, ErrorKind, Server, ServerConfig, Value},
    types::RespVersion,
};
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// A server that took longer is away. Twice this is what fred has to be answered within.
const ANSWERS_WITHIN: Duration = Duration::from_millis(900);

/// Slots, and the master that has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    pub first: u16,
    pub last: u16,
    pub master: Server,
}

/// How many slots have no master here. A server that heard that one is a replica now, and not yet of which, has none for them.
pub fn unserved(ranges: &[Range]) -> usize {
    const SLOTS: usize = 16_384;
    let served: usize = ranges.iter().map(|range| usize::from(range.last.saturating_sub(range.first)) + 1).sum();
    SLOTS.saturating_sub(served)
}

/// What a server says of the slots.
///
/// # Errors
/// It does not answer, lets nobody in, or says that it serves nobody.
pub async fn ask(cluster: &Config, server: &Server) -> Result<Vec<Range>, Error> {
    let late = |_| Error::new(ErrorKind::Timeout, "no answer");
    timeout(ANSWERS_WITHIN, ask_in_time(cluster, server)).await.map_err(late)?
}

async fn ask_in_time(cluster: &Config, server: &Server) -> Result<Vec<Range>, Error> {
    let config = Config {
        server: ServerConfig::Centralized { server: server.clone() },
        fail_fast: true,
        version: RespVersion::RESP3,
        ..cluster.clone()
    };
    let client = Builder::from_config(config).build()?;
    let _connection = AbortOnDropHandle::new(client.connect());
    client.wait_for_connect().await?;
    let info: String = client.cluster_info().await?;
    // As one does that has just started, or that the greater part of the Cluster does not know of.
    if !info.lines().any(|line| line.trim_end() == "cluster_state:ok") {
        return Err(Error::new(ErrorKind::Cluster, "CLUSTERDOWN it serves nobody"));
    }
    let slots: Value = client.cluster_slots().await?;
    ranges(slots, server).ok_or_else(|| Error::new(ErrorKind::Parse, "the answer to CLUSTER SLOTS is not readable"))
}

fn ranges(slots: Value, asked: &Server) -> Option<Vec<Range>> {
    let range = |range: Value| {
        let Value::Array(range) = range else { return None };
        let [first, last, Value::Array(master), ..] = range.as_slice() else { return None };
        let [host, port, ..] = master.as_slice() else { return None };
        // A server that does not know its own name gives none.
        let host = host.as_str().filter(|host| !host.is_empty() && *host != "?").unwrap_or((&*asked.host).into());
        let port = u16::try_from(port.as_u64()?).ok()?;
        let slot = |slot: &Value| u16::try_from(slot.as_u64()?).ok();
        Some(Range { first: slot(first)?, last: slot(last)?, master: Server::new(host.into_owned(), port) })
    };
    let Value::Array(slots) = slots else { return None };
    slots.into_iter().map(range).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn node(host: Value, port: i64) -> Value {
        Value::Array(vec![host, port.into(), "id".into(), Value::Array(vec![])])
    }

    #[test]
    fn a_range_names_its_master_and_not_the_replicas() {
        let asked = Server::new("seed", 7000);
        let (master, replica) = (node("a".into(), 7001), node("b".into(), 7002));
        let nameless = node(Value::Null, 7003);
        let slots = Value::Array(vec![
            Value::Array(vec![0.into(), 5460.into(), master, replica]),
            Value::Array(vec![5461.into(), 16383.into(), nameless]),
        ]);
        let [one, other] = <[Range; 2]>::try_from(ranges(slots, &asked).unwrap()).unwrap();
        assert_eq!(one, Range { first: 0, last: 5460, master: Server::new("a", 7001) });
        assert_eq!(other, Range { first: 5461, last: 16383, master: Server::new("seed", 7003) });
        assert_eq!((unserved(&[one.clone(), other]), unserved(&[one])), (0, 10_923));
        for unreadable in [Value::Null, Value::Array(vec![Value::Null]), Value::Array(vec![Value::Array(vec![])])] {
            assert_eq!(ranges(unreadable, &asked), None);
        }
    }
}

//! What both kinds of store are asked: whether a replica has everything, and to take no more writes.

use crate::support::{person::PATIENCE, redis::RedisServer};
use std::time::{Duration, Instant};

/// Since when what is sent cannot be committed as before.
pub type Fault = Instant;

/// Waits until it is so.
pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "still not so: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A field of an `INFO`.
pub fn field(server: &RedisServer, section: &str, name: &str) -> String {
    let info = server.cli(&["INFO", section]);
    let field = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    field.unwrap_or_default().trim().to_owned()
}

pub fn is_master(server: &RedisServer) -> bool {
    server.cli(&["ROLE"]).starts_with("master")
}

/// Whether a server follows that one, and has been given its data.
pub fn follows(replica: &RedisServer, master: &RedisServer) -> bool {
    let field = |name| field(replica, "replication", name);
    field("master_port") == master.address().port().to_string() && field("master_link_status") == "up"
}

/// A master that dies takes along what it acknowledged and its replica lacks. So that nothing is lost it takes no more first, while
/// people go on sending, and waits until the replica has all.
pub async fn hold_writes(master: &RedisServer, replica: &RedisServer) -> Fault {
    assert_eq!(master.cli(&["CLIENT", "PAUSE", "60000", "WRITE"]), "OK");
    let since = Instant::now();
    until_it_has_everything(replica, master).await;
    since
}

/// For a master that takes no writes now.
pub async fn until_it_has_everything(replica: &RedisServer, master: &RedisServer) {
    let offset = |server, name| field(server, "replication", name).parse::<u64>().unwrap_or(0);
    let everything = offset(master, "master_repl_offset");
    until("the replica has everything", || offset(replica, "slave_repl_offset") >= everything).await;
}

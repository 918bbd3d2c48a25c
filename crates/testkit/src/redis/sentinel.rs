//! A real Sentinel.

use crate::{Result, process::Process};
use std::{fs, net::SocketAddr, path::Path};

/// Starts one in a folder, where its log is too, alone with its opinion about `master`, which goes by the name `service`. A
/// master that was silent for `down_after_ms` is dead to it.
pub fn start_sentinel(
    dir: &Path,
    service: &str,
    address: SocketAddr,
    master: SocketAddr,
    down_after_ms: u32,
) -> Result<Process> {
    fs::create_dir_all(dir)?;
    // Sentinel writes what it learns into its configuration.
    let file = dir.join("sentinel.conf");
    let settings = format!(
        "bind 127.0.0.1\nport {}\nlogfile sentinel.log\nsentinel monitor {service} {} {} 1\n\
         sentinel down-after-milliseconds {service} {down_after_ms}\nsentinel failover-timeout {service} 15000\n",
        address.port(),
        master.ip(),
        master.port()
    );
    fs::write(&file, settings)?;
    Process::start("redis-server".as_ref(), |command| {
        command.arg(&file).arg("--sentinel").current_dir(dir);
    })
}

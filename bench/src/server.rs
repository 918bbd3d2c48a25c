//! The server as a process, and its CPU time.

use crate::Result;
use std::{
    ffi::OsStr,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    time::Duration,
};
use testkit::process::Process;

/// Ends when dropped.
pub struct Server {
    process: Process,
    pub address: SocketAddr,
}

impl Server {
    /// Starts the server on a free port and waits until it listens.
    pub async fn start(program: &Path, data: &Path) -> Result<Self> {
        Self::start_with(program, &["--data-dir".as_ref(), data.as_os_str()], "0").await
    }

    /// [`Server::start`] with these arguments, and with so many times the usual limits.
    pub async fn start_with(program: &Path, arguments: &[&OsStr], limits: &str) -> Result<Self> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut process = Process::start(program.as_os_str(), |command| {
            command.args(["--port", &address.port().to_string(), "--log", "warn"]).args(arguments);
            // Not an argument: a build from before there were limits has to start as well.
            command.env("HUBBUB_LIMITS", limits);
        })?;
        let listens = process.until_it_listens(address, Duration::from_secs(10)).await;
        listens.map_err(|error| format!("{} {error}; build it with make build", program.display()))?;
        Ok(Self { process, address })
    }

    /// Its CPU time so far.
    pub fn cpu(&self) -> Result<Duration> {
        cpu_of(self.process.id())
    }

    /// KiB of its memory in RAM: what the kernel counts exactly, page by page (`/proc/<pid>/smaps_rollup`, Linux).
    pub fn resident_kib(&self) -> Result<u64> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.process.id()))?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:")).ok_or("smaps_rollup has no Rss")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// The CPU time once the server rests: no change for 10 ms.
    pub async fn settled_cpu(&self) -> Result<Duration> {
        let mut before = self.cpu()?;
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let now = self.cpu()?;
            if now.saturating_sub(before) < Duration::from_micros(20) {
                return Ok(now);
            }
            before = now;
        }
    }
}

/// CPU time of all threads of a process so far, as the scheduler accounts it (`/proc/<pid>/task/*/schedstat`, Linux).
pub fn cpu_of(process: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        // A thread may end between the two reads.
        let Ok(line) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        nanoseconds += line.split(' ').next().unwrap_or("0").parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

//! One server process.

use crate::Result;
use std::{
    ffi::OsString,
    fs::OpenOptions,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::Arc,
    time::{Duration, Instant},
};
use testkit::process::{Peer, Peers, Process};
use tokio::{sync::Mutex, time::sleep};

const START_WITHIN: Duration = Duration::from_secs(30);
const RESPAWN_EVERY: Duration = Duration::from_millis(250);

/// How an instance ended after SIGTERM.
#[derive(Debug, Clone, Copy)]
pub struct Exit {
    pub took: Duration,
    pub status: ExitStatus,
}

/// A server process at an address that stays, with a log file that stays.
pub struct Instance {
    pub index: usize,
    pub address: SocketAddr,
    pub log: PathBuf,
    program: PathBuf,
    args: Vec<OsString>,
    peers: Arc<Peers>,
    process: Mutex<Option<Process>>,
}

impl Instance {
    pub(super) fn new(
        index: usize,
        port: u16,
        program: &Path,
        args: Vec<OsString>,
        log: PathBuf,
        peers: Arc<Peers>,
    ) -> Self {
        let address = (Ipv4Addr::LOCALHOST, port).into();
        Self { index, address, log, program: program.to_owned(), args, peers, process: Mutex::default() }
    }

    /// How it ended, if it did so by itself.
    pub async fn ended(&self) -> Option<ExitStatus> {
        self.process.lock().await.as_mut().and_then(Process::exited)
    }

    /// Starts it, killed first if it runs, and waits until it listens. One that ends at once, as without Redis, is started
    /// again for half a minute, as a supervisor would.
    pub(super) async fn start(&self) -> Result<()> {
        if !self.program.is_file() {
            return Err(format!("there is no {}; build it with make build", self.program.display()).into());
        }
        let mut process = self.process.lock().await;
        self.forget(process.take());
        let begin = Instant::now();
        loop {
            let mut started = self.spawn()?;
            let left = START_WITHIN.saturating_sub(begin.elapsed());
            match started.until_it_listens(self.address, left).await {
                Ok(()) => {
                    *process = Some(started);
                    return Ok(());
                }
                Err(_) if started.exited().is_some() && begin.elapsed() < START_WITHIN => {}
                Err(error) => return Err(format!("an instance {error}; see {}", self.log.display()).into()),
            }
            self.peers.remove(&started);
            sleep(RESPAWN_EVERY).await;
        }
    }

    /// SIGKILL; returns once the process is gone.
    pub async fn kill9(&self) {
        let process = self.process.lock().await.take();
        self.forget(process);
    }

    /// SIGSTOP: its sockets stay open and take connections, and nothing answers.
    pub async fn freeze(&self) -> Result<()> {
        self.process.lock().await.as_mut().ok_or("the instance does not run")?.freeze().await
    }

    pub async fn thaw(&self) -> Result<()> {
        self.process.lock().await.as_mut().ok_or("the instance does not run")?.thaw()
    }

    /// Asks it to end; after `within` it is killed, which is an error.
    pub(super) async fn sigterm(&self, within: Duration) -> Result<Exit> {
        let mut slot = self.process.lock().await;
        let process = slot.as_mut().ok_or("the instance does not run")?;
        let begin = Instant::now();
        process.terminate()?;
        let status = process.wait(within).await;
        let took = begin.elapsed();
        self.forget(slot.take());
        Ok(Exit { took, status: status? })
    }

    fn spawn(&self) -> Result<Process> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let errors = log.try_clone()?;
        let process = Process::start(self.program.as_os_str(), |command| {
            command.args(&self.args).envs([("HUBBUB_LOG", "warn"), ("RUST_BACKTRACE", "1")]);
            command.stdout(log).stderr(errors);
        })?;
        self.peers.add(&process, Peer::Instance(self.index));
        Ok(process)
    }

    fn forget(&self, process: Option<Process>) {
        if let Some(mut process) = process {
            self.peers.remove(&process);
            process.kill();
        }
    }
}

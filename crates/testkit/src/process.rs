//! Child processes and what can be done to them.

use crate::Result;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    collections::{HashMap, HashSet},
    ffi::OsStr,
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        LazyLock, Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Others than Linux have no such question.
const ASKS_KERNEL: bool = cfg!(target_os = "linux");

/// Killed when dropped, and by Linux should this process be killed. A stopped process dies like any other.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts a program with arguments and files as `configure` says, and nothing of this process' environment but
    /// `PATH`.
    pub fn start(program: &OsStr, configure: impl FnOnce(&mut Command)) -> Result<Self> {
        // Only with unsafe code could the kernel be asked from here. This program asks, and becomes the other.
        let mut command = Command::new(if ASKS_KERNEL { "setpriv".as_ref() } else { program });
        if ASKS_KERNEL {
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
        }
        command.stdin(Stdio::null()).env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        configure(&mut command);
        let child = spawn(command)
            .map_err(|error| format!("cannot start {} (setpriv is of util-linux): {error}", program.display()))?;
        Ok(Self { child })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL; returns once the process is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn terminate(&mut self) -> Result<()> {
        self.signal(Signal::TERM)
    }

    /// SIGSTOP; returns once no thread runs any more.
    pub async fn freeze(&mut self) -> Result<()> {
        self.signal(Signal::STOP)?;
        let begin = Instant::now();
        while !self.is_frozen()? {
            if begin.elapsed() > Duration::from_secs(5) {
                return Err("the process does not stop".into());
            }
            sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    pub fn thaw(&mut self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// # Errors
    /// The process still runs after `within`.
    pub async fn wait(&mut self, within: Duration) -> Result<ExitStatus> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.exited() {
                return Ok(status);
            }
            if begin.elapsed() > within {
                return Err(format!("the process still runs after {within:?}").into());
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until it listens there.
    ///
    /// # Errors
    /// It ended, or does not listen within this time.
    pub async fn until_it_listens(&mut self, address: SocketAddr, within: Duration) -> Result<()> {
        let begin = Instant::now();
        while !matches!(timeout(LOOK_EVERY * 20, TcpStream::connect(address)).await, Ok(Ok(_))) {
            if let Some(status) = self.exited() {
                return Err(format!("ended: {status}").into());
            }
            if begin.elapsed() > within {
                return Err("does not listen".into());
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    fn signal(&mut self, signal: Signal) -> Result<()> {
        // Its id may be another's by now.
        if let Some(status) = self.exited() {
            return Err(format!("the process has ended: {status}").into());
        }
        let id = i32::try_from(self.id()).ok().and_then(Pid::from_raw).ok_or("no process")?;
        Ok(kill_process(id, signal)?)
    }

    fn is_frozen(&self) -> Result<bool> {
        for task in fs::read_dir(format!("/proc/{}/task", self.id()))? {
            let stat = fs::read_to_string(task?.path().join("stat")).unwrap_or_default();
            // "<id> (<name>) <state> …"; the name may hold anything. A thread that ended since says nothing.
            let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
            if state.is_some_and(|state| !matches!(state, 'T' | 't' | 'X' | 'Z')) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a process from a thread that lasts as long as this process: it is the end of the thread that the kernel acts
/// on.
fn spawn(command: Command) -> io::Result<Child> {
    type Asked = (Command, mpsc::Sender<io::Result<Child>>);
    static SPAWNER: LazyLock<mpsc::Sender<Asked>> = LazyLock::new(|| {
        let (ask, asked) = mpsc::channel::<Asked>();
        thread::spawn(move || {
            for (mut command, answer) in asked {
                let _ = answer.send(command.spawn());
            }
        });
        ask
    });
    let (answer, answered) = mpsc::channel();
    let gone = || io::Error::other("the thread that starts processes is gone");
    SPAWNER.send((command, answer)).map_err(|_| gone())?;
    answered.recv().map_err(|_| gone())?
}

/// A port of this machine that nobody listens on, outside the range that outgoing connections get theirs from: it stays
/// free while its process is down.
pub fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Several harnesses may run at once.
    let begin = u16::try_from(std::process::id() % 199).unwrap_or_default() * 100;
    for _ in 0..20_000 {
        let port = 10_000 + (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err("no port is free".into())
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    Instance(usize),
    /// A replica.
    Redis,
    Sentinel,
    /// None of the processes started here.
    Unknown,
}

/// Which processes were started here, to tell whose connection is whose.
#[derive(Debug, Default)]
pub struct Peers {
    known: Mutex<HashMap<u32, Peer>>,
    everybody: Option<Peer>,
}

impl Peers {
    /// Where all are the same.
    pub fn all(peer: Peer) -> Self {
        Self { everybody: Some(peer), ..Self::default() }
    }

    pub fn add(&self, process: &Process, peer: Peer) {
        self.add_id(process.id(), peer);
    }

    pub fn add_id(&self, process: u32, peer: Peer) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(process, peer);
    }

    pub fn remove(&self, process: &Process) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&process.id());
    }

    /// Whose socket is bound to this local port: by the kernel's table of sockets and the processes' open files.
    pub async fn with_port(&self, port: u16) -> Peer {
        if let Some(peer) = self.everybody {
            return peer;
        }
        // A process is added right after its start: its first connection may be faster.
        for _ in 0..20 {
            if let Some(peer) = self.look(port) {
                return peer;
            }
            sleep(LOOK_EVERY).await;
        }
        Peer::Unknown
    }

    fn look(&self, port: u16) -> Option<Peer> {
        let sockets = sockets_at(port);
        let processes = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        processes.into_iter().find(|&(id, _)| holds_one_of(id, &sockets)).map(|(_, peer)| peer)
    }
}

/// How links in `/proc/<id>/fd` name the sockets bound to a local port.
fn sockets_at(port: u16) -> HashSet<String> {
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let local = format!(":{port:04X}");
    let sockets = table.lines().filter_map(|line| {
        let mut columns = line.split_ascii_whitespace();
        columns.nth(1).filter(|address| address.ends_with(&local))?;
        columns.nth(7).map(|inode| format!("socket:[{inode}]"))
    });
    sockets.collect()
}

fn holds_one_of(id: u32, sockets: &HashSet<String>) -> bool {
    // A process that ended has no files.
    let Ok(files) = fs::read_dir(format!("/proc/{id}/fd")) else { return false };
    let mut links = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
    links.any(|link| sockets.contains(&*link.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> Process {
        Process::start("sleep".as_ref(), |command| {
            command.arg("60");
        })
        .unwrap()
    }

    #[tokio::test]
    async fn a_frozen_process_waits_and_still_dies() {
        let mut process = sleeper();
        process.freeze().await.unwrap();
        process.terminate().unwrap();
        assert!(process.wait(Duration::from_millis(20)).await.is_err(), "a stopped process acts on nothing");
        process.thaw().unwrap();
        process.wait(Duration::from_secs(5)).await.unwrap();

        let mut process = sleeper();
        process.freeze().await.unwrap();
        let id = process.id();
        drop(process);
        assert!(!fs::exists(format!("/proc/{id}")).unwrap());
    }

    #[test]
    fn a_socket_is_traced_to_its_process() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let sockets = sockets_at(listener.local_addr().unwrap().port());
        assert_eq!(sockets.len(), 1);
        assert!(holds_one_of(std::process::id(), &sockets));
        assert!(!holds_one_of(sleeper().id(), &sockets));
    }
}

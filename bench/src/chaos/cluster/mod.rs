//! The real thing as processes, with everything between them in our hands:
//!
//! ```text
//! clients ──► Balancer ──► Instance 0…n ──► Proxy ──► Redis, master and replica
//!                                  └──────► Sentinel
//! ```
//!
//! Whatever was started ends when the [`Cluster`] is dropped.

mod balancer;
#[cfg(test)]
mod balancer_tests;
mod instance;
mod logs;
mod node;
mod redis;
#[cfg(test)]
mod redis_tests;
mod roles;
#[cfg(test)]
mod rollback_tests;

pub use balancer::Balancer;
pub use instance::{Exit, Instance};
pub use logs::{Ends, Loss};
pub use redis::{Clients, Redis};

use crate::Result;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tempfile::TempDir;
use testkit::process::{Peers, free_port};

/// The instances' promise is 10 s.
const EXIT_WITHIN: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// One instance with its own file.
    Embedded,
    Redis {
        instances: usize,
    },
}

/// What to start.
#[derive(Debug, Clone)]
pub struct Setup {
    pub program: PathBuf,
    pub engine: Engine,
    /// More arguments for every instance.
    pub args: Vec<String>,
    pub seed: u64,
}

pub struct Cluster {
    pub balancer: Balancer,
    pub instances: Vec<Instance>,
    /// None with the embedded engine.
    pub redis: Option<Redis>,
    files: Mutex<TempDir>,
}

impl Cluster {
    /// Returns once every instance listens and is in rotation.
    pub async fn start(setup: &Setup) -> Result<Self> {
        let files = TempDir::with_prefix("hubbub-chaos-")?;
        let peers = Arc::new(Peers::default());
        let (count, redis) = match setup.engine {
            Engine::Embedded => (1, None),
            Engine::Redis { instances } => (instances, Some(Redis::start(files.path(), &peers).await?)),
        };
        let store: [OsString; 2] = match &redis {
            Some(redis) => ["--redis-url".into(), redis.url().into()],
            None => ["--data-dir".into(), files.path().join("data").into()],
        };
        let beside = setup.program.with_file_name("site").is_dir();
        let site = if beside { None } else { Some(stand_in(files.path())?) };
        let mut instances = Vec::new();
        for index in 0..count {
            let port = free_port()?;
            let mut args: Vec<OsString> = vec!["--port".into(), port.to_string().into(), "--limits".into(), "0".into()];
            args.extend(store.clone());
            if let Some(site) = &site {
                args.extend(["--site-dir".into(), site.into()]);
            }
            args.extend(setup.args.iter().map(Into::into));
            let log = files.path().join(format!("instance-{index}.log"));
            instances.push(Instance::new(index, port, &setup.program, args, log, peers.clone()));
        }
        let addresses = instances.iter().map(|instance| instance.address).collect();
        let balancer = Balancer::start(addresses, setup.seed).await?;
        let cluster = Self { balancer, instances, redis, files: Mutex::new(files) };
        for index in 0..count {
            cluster.restart(index).await?;
        }
        Ok(cluster)
    }

    /// Starts an instance, killed first if it runs, waits until it listens, and puts it in rotation.
    pub async fn restart(&self, instance: usize) -> Result<()> {
        self.instances[instance].start().await?;
        self.balancer.rotate(instance, true);
        Ok(())
    }

    /// Takes an instance out of rotation, as a balancer does when it is told of the end, and then sends SIGTERM.
    ///
    /// # Errors
    /// It had to be killed after 30 s.
    pub async fn sigterm(&self, instance: usize) -> Result<Exit> {
        self.balancer.rotate(instance, false);
        self.instances[instance].sigterm(EXIT_WITHIN).await
    }

    /// The folder with all logs and data; it stays after the end.
    pub fn keep_files(&self) -> PathBuf {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.disable_cleanup(true);
        files.path().to_owned()
    }
}

/// A folder with files that stand for the page's, for a program without its own: nobody here runs the page.
fn stand_in(dir: &Path) -> Result<PathBuf> {
    let site = dir.join("site");
    std::fs::create_dir_all(site.join("pkg"))?;
    for kind in ["css", "js", "wasm"] {
        std::fs::write(site.join(format!("pkg/hubbub.0.{kind}")), kind)?;
    }
    Ok(site)
}

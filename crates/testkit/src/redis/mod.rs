//! Real `redis-server` processes.

mod command;
pub mod rights;
mod sentinel;
mod server;

pub use command::{Value, command};
pub use sentinel::start_sentinel;
pub use server::{Backup, RedisServer};

use crate::{Result, process::Process};
use std::{fs, io, path::Path, process::Command};

/// Keeps everything on disk.
pub const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

/// Where a server that keeps everything on disk has it, in its folder.
const APPEND_ONLY: &str = "appendonlydir";
/// In a server's folder: settings that come before its arguments, if there are any.
pub const SETTINGS: &str = "redis.conf";

/// Starts a server in a folder, where its log is too. It keeps nothing on disk unless `configure` says so.
pub fn spawn(dir: &Path, port: u16, configure: impl FnOnce(&mut Command)) -> Result<Process> {
    Process::start("redis-server".as_ref(), |command| {
        let settings = dir.join(SETTINGS);
        command.args(settings.exists().then_some(settings));
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""]);
        command.args(["--logfile", "redis.log", "--dir"]).arg(dir);
        configure(command);
    })
}

/// Replaces `to` by a copy of what a server that keeps an append-only file has on disk; both are servers' folders, or copies.
pub fn copy_data(from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (from.join(APPEND_ONLY), to.join(APPEND_ONLY));
    if to.exists() {
        fs::remove_dir_all(&to)?;
    }
    fs::create_dir_all(&to)?;
    for file in fs::read_dir(from)? {
        let file = file?;
        fs::copy(file.path(), to.join(file.file_name()))?;
    }
    Ok(())
}

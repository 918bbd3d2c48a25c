//! What happened, a line each, in its order: the same of one seed, byte for byte.

use sha2::{Digest, Sha256};
use std::{cell::RefCell, fmt::Write, time::Duration};
use tokio::time::Instant;

pub struct Trace {
    began: Instant,
    lines: RefCell<String>,
}

impl Trace {
    pub fn begin() -> Self {
        Self { began: Instant::now(), lines: RefCell::default() }
    }

    /// Milliseconds since the run began.
    pub fn now(&self) -> u64 {
        millis(self.began.elapsed())
    }

    pub fn line(&self, what: std::fmt::Arguments<'_>) {
        writeln!(self.lines.borrow_mut(), "{:>7} {what}", self.now()).unwrap();
    }

    /// A frame that a tab sent or got. Never what it was on the wire: there it is masked with random numbers.
    pub fn frame(&self, tab: usize, socket: u32, way: char, frame: &impl serde::Serialize) {
        self.line(format_args!("tab {tab}.{socket} {way} {}", serde_json::to_string(frame).unwrap()));
    }

    pub fn take(&self) -> String {
        self.lines.take()
    }
}

pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A short name for a trace.
pub fn hash(trace: &str) -> String {
    Sha256::digest(trace.as_bytes()).iter().take(8).fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

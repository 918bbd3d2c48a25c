//! How much a socket said and was told, for the metrics of its instance.

use crate::metrics::Metrics;
use prometheus::{Histogram, IntCounter};
use std::time::Duration;

/// The series, looked up once for each socket.
pub struct Traffic {
    entries: IntCounter,
    bytes_in: IntCounter,
    bytes_out: IntCounter,
    delivery: Histogram,
}

impl Traffic {
    pub fn new(metrics: &Metrics) -> Self {
        let bytes = |direction| metrics.socket_bytes.with_label_values(&[direction]);
        let (entries, delivery) = (metrics.entries_delivered.clone(), metrics.delivery_seconds.clone());
        Self { entries, bytes_in: bytes("in"), bytes_out: bytes("out"), delivery }
    }

    pub fn read(&self, bytes: usize) {
        self.bytes_in.inc_by(bytes as u64);
    }

    pub fn wrote(&self, bytes: usize) {
        self.bytes_out.inc_by(bytes as u64);
    }

    /// An entry was handed to the socket, so long after it was heard of.
    pub fn arrived(&self, after: Duration) {
        self.delivery.observe(after.as_secs_f64());
    }

    /// Once for all entries of a round: all sockets of an instance count in one place.
    pub fn delivered(&self, entries: usize, bytes: usize) {
        self.entries.inc_by(entries as u64);
        self.bytes_out.inc_by(bytes as u64);
    }
}

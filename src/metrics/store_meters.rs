//! What a store counts while it works, as opposed to what it says when it is asked ([`Vitals`](crate::store::Vitals)).

use super::SECONDS;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, core::Collector};

/// Upper ends of classes of how many writes one commit takes along.
const GROUPS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// The meters of one store. Each engine owns its own, and uses those that concern it; all of them are there on either store, so
/// that what asks for one finds it. Clones count together. They are read by nobody until [`Metrics`](super::Metrics) has them.
#[derive(Clone)]
pub struct StoreMeters {
    /// From the first statement of a transaction to what its commit came to.
    pub commit_seconds: Histogram,
    pub group_size: Histogram,
    /// Changes that wait for the writer, without those that it is at.
    pub writer_queue: IntGauge,
    /// By client.
    pub reconnects: IntCounterVec,
    pub resubscriptions: IntCounter,
    /// By state: wanted and confirmed.
    pub subscriptions: IntGaugeVec,
    pub presence_lapses: IntCounter,
}

/// The connections of one instance to Redis, as their reconnects are labelled.
pub const CLIENTS: [&str; 3] = ["appends", "commands", "subscriber"];

impl Default for StoreMeters {
    fn default() -> Self {
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            made(Histogram::with_opts(HistogramOpts::new(format!("hubbub_{name}"), help).buckets(buckets.to_vec())))
        };
        let counter = |name: &str, help: &str| made(IntCounter::new(format!("hubbub_{name}"), help));
        let reconnects = made(IntCounterVec::new(
            Opts::new("hubbub_redis_reconnects_total", "Connections to Redis that were lost and made again, by client"),
            &["client"],
        ));
        for client in CLIENTS {
            reconnects.with_label_values(&[client]);
        }
        let subscriptions = made(IntGaugeVec::new(
            Opts::new(
                "hubbub_redis_subscriptions",
                "Channels that this instance has to hear, and those that Redis says it is subscribed to",
            ),
            &["state"],
        ));
        for state in ["wanted", "confirmed"] {
            subscriptions.with_label_values(&[state]);
        }
        Self {
            commit_seconds: histogram(
                "sqlite_commit_seconds",
                "How long a transaction of the embedded store took, its sync of the disk included",
                &SECONDS,
            ),
            group_size: histogram("sqlite_group_size", "Changes that were committed by one transaction", &GROUPS),
            writer_queue: made(IntGauge::new(
                "hubbub_writer_queue",
                "Changes that wait for the embedded store's writer",
            )),
            reconnects,
            resubscriptions: counter(
                "redis_resubscriptions_total",
                "How often all subscriptions had to be made again, since something may have been missed",
            ),
            subscriptions,
            presence_lapses: counter(
                "presence_lapses_total",
                "How often the store took this instance for dead, so that its people were not shown to others",
            ),
        }
    }
}

impl StoreMeters {
    /// What the server is to hear, and what it is known to hear.
    pub fn subscribed(&self, wanted: usize, confirmed: usize) {
        for (state, count) in [("wanted", wanted), ("confirmed", confirmed)] {
            self.subscriptions.with_label_values(&[state]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    pub(super) fn collectors(&self) -> [Box<dyn Collector>; 7] {
        [
            Box::new(self.commit_seconds.clone()),
            Box::new(self.group_size.clone()),
            Box::new(self.writer_queue.clone()),
            Box::new(self.reconnects.clone()),
            Box::new(self.resubscriptions.clone()),
            Box::new(self.subscriptions.clone()),
            Box::new(self.presence_lapses.clone()),
        ]
    }
}

/// Names and labels are constants, and valid: without, the server would not start in any test.
fn made<C>(meter: prometheus::Result<C>) -> C {
    #[expect(clippy::expect_used, reason = "names and labels are constants")]
    meter.expect("a valid name")
}

//! What monitoring reads of one instance. Counters are counted where things happen; gauges are set when they are read.
//!
//! No label is anything that people type: there are as many series as are written here, however many rooms there are. All of them
//! are there from the start, at nought, so that an alert on one that never rose is no alert on one that is not there.

mod store_meters;

use crate::store::Vitals;
use app::protocol::CloseCode;
use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts,
    Registry, TextEncoder, core::Collector, process_collector::ProcessCollector,
};
use std::time::Duration;
pub use store_meters::StoreMeters;

/// Upper ends of classes of times, in seconds: from what an append in memory takes to what is too long for anybody.
const SECONDS: [f64; 14] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Of so many entries of a room one is timed on its way to its sockets: a look at the clock for each of 300,000 deliveries a
/// second is not free.
pub const TIMED_EVERY: u64 = 16;

/// The series of an instance, and what they are registered with.
pub struct Metrics {
    registry: Registry,
    build: GaugeVec,

    pub sockets_opened: IntCounter,
    /// By close code; `none` where the connection was lost.
    pub sockets_closed: IntCounterVec,
    /// By what kept them out.
    pub sockets_refused: IntCounterVec,
    /// By why they were told to move.
    pub socket_moves: IntCounterVec,
    /// By where they start.
    pub joins: IntCounterVec,
    /// By outcome.
    pub appends: IntCounterVec,
    pub append_seconds: Histogram,
    pub appends_in_flight: IntGauge,
    /// Of one entry in [`TIMED_EVERY`], to each socket.
    pub delivery_seconds: Histogram,
    /// By what for.
    pub log_reads: IntCounterVec,
    pub entries_delivered: IntCounter,
    /// What sockets said and were told, without what carries it.
    pub socket_bytes: IntCounterVec,
    pub refills: IntCounter,
    /// Rooms whose log was found to be another one.
    pub logs_replaced: IntCounter,
    /// By outcome.
    pub sign_ins: IntCounterVec,
    pub sign_outs: IntCounter,
    pub rooms_made: IntCounter,
    /// By route, method and status.
    pub http_requests: IntCounterVec,
    /// By route.
    pub http_seconds: HistogramVec,

    pub sockets: Gauge,
    pub sockets_limit: Gauge,
    pub rooms_live: Gauge,
    pub ring_bytes: Gauge,
    pub ring_limit_bytes: Gauge,
    pub lease_age_seconds: Gauge,
    pub store_up: Gauge,
    pub store_ping_seconds: Gauge,
    vitals: Vec<(Vital, Gauge)>,
}

type Vital = fn(&Vitals) -> Option<u64>;

/// As a gauge shows it: exact up to 9 PB.
pub fn number(count: impl TryInto<u64>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "nothing that is counted here comes near 2^53")]
    count.try_into().map_or(f64::NAN, |count| count as f64)
}

struct Register(Registry);

impl Register {
    /// Names are distinct and valid, which the test of all of them sees; one that is not would not be read.
    fn add<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        #[expect(clippy::expect_used, reason = "names and labels are constants")]
        let metric = made.expect("a valid name");
        let known = self.0.register(Box::new(metric.clone()));
        debug_assert!(known.is_ok(), "{known:?}");
        metric
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.add(IntCounter::new(format!("hubbub_{name}"), help))
    }

    /// With one label, whose values are these.
    fn counters(&self, name: &str, help: &str, label: &str, values: &[&str]) -> IntCounterVec {
        let family = self.add(IntCounterVec::new(Opts::new(format!("hubbub_{name}"), help), &[label]));
        for value in values {
            family.with_label_values(&[*value]);
        }
        family
    }

    fn gauge(&self, name: &str, help: &str) -> Gauge {
        self.add(Gauge::new(format!("hubbub_{name}"), help))
    }
}

impl Metrics {
    /// With those that the store counts itself.
    pub fn new(store: &StoreMeters) -> Self {
        let register = Register(Registry::new());
        let seconds =
            |name: &str, help: &str| HistogramOpts::new(format!("hubbub_{name}"), help).buckets(SECONDS.to_vec());
        // Fails where there is no /proc; then there is nothing to be read of the process.
        let _ = register.0.register(Box::new(ProcessCollector::for_self()));
        for meter in store.collectors() {
            let known = register.0.register(meter);
            debug_assert!(known.is_ok(), "{known:?}");
        }
        // Beside the server's: the client closed it, or the connection was lost.
        let codes = CloseCode::ALL.map(|code| code.code().to_string());
        let codes: Vec<_> = codes.into_iter().chain(["1000", "none"].map(str::to_owned)).collect();
        let vital = |name, help, of: Vital| (of, register.gauge(name, help));
        Self {
            build: register.add(GaugeVec::new(
                Opts::new("hubbub_build_info", "What runs here; always 1"),
                &["version", "commit", "page", "store"],
            )),
            sockets_opened: register.counter("sockets_opened_total", "Sockets that were opened"),
            sockets_closed: register.counters(
                "sockets_closed_total",
                "Sockets that ended, by the close code they were told",
                "code",
                &codes.iter().map(String::as_str).collect::<Vec<_>>(),
            ),
            sockets_refused: register.counters(
                "sockets_refused_total",
                "Sockets that were not opened, by what kept them out",
                "reason",
                &["origin", "protocol", "stopping", "busy", "session", "store"],
            ),
            socket_moves: register.counters(
                "socket_moves_total",
                "Sockets that were told to move, by why",
                "why",
                &["lifetime", "stop"],
            ),
            joins: register.counters(
                "joins_total",
                "Where sockets start, or start anew, in a room; reset: the store lost something that the client had seen",
                "how",
                &["newest", "resumed", "jumped", "reset"],
            ),
            appends: register.counters(
                "appends_total",
                "Messages and voids that were to be appended, by outcome",
                "outcome",
                &["entry", "voided", "conflict", "out_of_order", "unavailable", "unknown"],
            ),
            append_seconds: register
                .add(Histogram::with_opts(seconds("append_seconds", "From taking a message up to its commit"))),
            appends_in_flight: register.add(IntGauge::new(
                "hubbub_appends_in_flight",
                "Messages and voids that were taken up, and of which the store has not told yet what became of them",
            )),
            delivery_seconds: register.add(Histogram::with_opts(seconds(
                "delivery_seconds",
                "From hearing of a commit to handing it to a socket, readers that are slow included; of one entry in 16",
            ))),
            log_reads: register.counters(
                "log_reads_total",
                "Questions about rooms' logs to the store, by what for",
                "why",
                &["join", "behind", "history", "page", "refill", "compare", "unread"],
            ),
            entries_delivered: register.counter("entries_delivered_total", "Entries that were written to sockets"),
            socket_bytes: register.counters(
                "socket_bytes_total",
                "Text of frames, as read from sockets and as written to them",
                "direction",
                &["in", "out"],
            ),
            refills: register.counter("refills_total", "Rooms whose latest entries were read from the log anew"),
            logs_replaced: register
                .counter("logs_replaced_total", "Rooms whose log was found to be set back or another one"),
            sign_ins: register.counters(
                "sign_ins_total",
                "Sign-ins, by outcome",
                "outcome",
                &["opened", "taken", "refused", "limited", "store"],
            ),
            sign_outs: register.counter("sign_outs_total", "Sessions that their people ended"),
            rooms_made: register.counter("rooms_made_total", "Rooms that were made"),
            http_requests: register.add(IntCounterVec::new(
                Opts::new("hubbub_http_requests_total", "Requests, by route, method and status"),
                &["route", "method", "status"],
            )),
            http_seconds: register.add(HistogramVec::new(
                seconds("http_request_seconds", "From the headers of a request to those of its answer, by route"),
                &["route"],
            )),
            sockets: register.gauge("sockets", "Sockets that are open"),
            sockets_limit: register.gauge("sockets_limit", "Sockets that may be open"),
            rooms_live: register.gauge("rooms_live", "Rooms that this instance keeps at hand"),
            ring_bytes: register.gauge("ring_bytes", "Bytes of recent messages that are kept at hand"),
            ring_limit_bytes: register.gauge("ring_limit_bytes", "Bytes of them that may be kept"),
            lease_age_seconds: register.gauge(
                "session_lease_age_seconds",
                "Since the store was last asked about sessions; at 4 nothing is delivered or taken. Not a number where no end of one is missed",
            ),
            store_up: register.gauge("store_up", "1 if messages can be stored, else 0"),
            store_ping_seconds: register.gauge("store_ping_seconds", "How long the store took to say so"),
            vitals: vec![
                vital("redis_used_bytes", "Memory that the fullest server of Redis uses", |it| it.redis_used_bytes),
                vital("redis_max_bytes", "Memory that it may use; 0: no limit is set", |it| it.redis_max_bytes),
                vital("redis_evicted_keys", "Keys that Redis deleted for want of memory", |it| it.redis_evicted_keys),
                vital("redis_noeviction", "1 if Redis refuses writes rather than delete something", |it| {
                    it.redis_noeviction.map(u64::from)
                }),
                vital("sqlite_file_bytes", "The embedded store's file", |it| it.sqlite_file_bytes),
                vital("sqlite_wal_bytes", "Its write-ahead log", |it| it.sqlite_wal_bytes),
                vital("disk_free_bytes", "Free on the disk that they are on", |it| it.disk_free_bytes),
                vital("disk_bytes", "The size of that disk", |it| it.disk_bytes),
            ],
            registry: register.0,
        }
    }

    /// What runs here, as labels.
    pub fn set_build(&self, version: &str, commit: &str, page: &str, store: &str) {
        self.build.with_label_values(&[version, commit, page, store]).set(1.0);
    }

    /// What the store says of itself; what it does not say is not a number.
    pub fn set_vitals(&self, vitals: &Vitals) {
        for (of, gauge) in &self.vitals {
            gauge.set(of(vitals).map_or(f64::NAN, number));
        }
    }

    /// A log is about to be read. `why`: what for, one of the label's values.
    pub fn log_read(&self, why: &str) {
        self.log_reads.with_label_values(&[why]).inc();
    }

    pub fn closed(&self, code: Option<u16>) {
        let code = code.map(|code| code.to_string());
        self.sockets_closed.with_label_values(&[code.as_deref().unwrap_or("none")]).inc();
    }

    pub fn answered(&self, route: &str, method: &str, status: u16, took: Duration) {
        self.http_requests.with_label_values(&[route, method, &status.to_string()]).inc();
        self.http_seconds.with_label_values(&[route]).observe(took.as_secs_f64());
    }

    /// All of it in Prometheus' text format, version 0.0.4.
    pub fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        // Fails only for names that registering has refused.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_is_registered_and_there_from_the_start() {
        let metrics = Metrics::new(&StoreMeters::default());
        metrics.set_build("1", "2", "3", "4");
        metrics.answered("/", "GET", 200, Duration::from_millis(3));
        metrics.closed(None);
        metrics.set_vitals(&Vitals::default());
        let text = String::from_utf8(metrics.text()).unwrap();
        for line in [
            "hubbub_build_info{commit=\"2\",page=\"3\",store=\"4\",version=\"1\"} 1",
            "hubbub_joins_total{how=\"reset\"} 0",
            "hubbub_sockets_closed_total{code=\"none\"} 1",
            "hubbub_sockets_closed_total{code=\"4004\"} 0",
            "hubbub_http_requests_total{method=\"GET\",route=\"/\",status=\"200\"} 1",
            "hubbub_http_request_seconds_bucket{route=\"/\",le=\"0.005\"} 1",
            "hubbub_redis_used_bytes NaN",
            "hubbub_append_seconds_count 0",
            "hubbub_log_reads_total{why=\"refill\"} 0",
            "hubbub_sqlite_commit_seconds_count 0",
            "hubbub_redis_reconnects_total{client=\"subscriber\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(text.contains("process_resident_memory_bytes"));
    }
}

//! What monitoring reads, on an address of its own; and that the alerts and the dashboard that come with it ask for what is there.

use super::*;
use std::{collections::BTreeSet, io::Write, path::Path};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/monitoring");

fn promtool(args: &[&str]) -> Command {
    let mut promtool = Command::new(tool("promtool"));
    promtool.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    promtool
}

fn passes(args: &[&str], input: &[u8]) {
    let mut child =
        promtool(args).spawn().expect("promtool is needed: scripts/setup.sh test installs it where there is apt");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "promtool {args:?}: {}", String::from_utf8_lossy(&said));
}

async fn scrape(address: SocketAddr) -> String {
    let answer = reqwest::get(format!("http://{address}/metrics")).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap()),
        (200, "text/plain; version=0.0.4; charset=utf-8")
    );
    answer.text().await.unwrap()
}

/// The value of a series.
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{series} is not in\n{text}")).parse().unwrap()
}

/// What looks like the name of a series in a text.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("hubbub_") || word.starts_with("process_")).map(str::to_owned).collect()
}

async fn start(metrics: SocketAddr, args: &[&str]) -> Process {
    let metrics = metrics.to_string();
    let more = [&["--metrics", &metrics], args].concat();
    Process::start_by(|args: &[&str]| program(&[args, &more].concat())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_counted_and_read_where_people_are_not() {
    let address = free_address();
    let server = start(address, &[]).await;
    let before = scrape(address).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let mut socket = person.socket(&server).await;
    socket.join("a", None).await;
    socket.say("a", ProducerId(1), 1, "hello").await;
    let at = socket.ack(1).await;
    socket.say("a", ProducerId(1), 1, "something else").await;
    socket.until(|frame| matches!(frame, ServerFrame::Refused { code: ErrorCode::Conflict, .. }).then_some(())).await;
    let mut other = person.socket(&server).await;
    other.join("a", Some(at)).await;
    assert_eq!(person.get(&server, "/r/none").await.status(), 404);
    assert_eq!(person.get(&server, "/metrics").await.status(), 404, "not where people are");
    let text = scrape(address).await;
    for (series, grew) in [
        ("hubbub_sockets_opened_total", 2.0),
        ("hubbub_joins_total{how=\"newest\"}", 1.0),
        ("hubbub_joins_total{how=\"resumed\"}", 1.0),
        ("hubbub_joins_total{how=\"reset\"}", 0.0),
        ("hubbub_appends_total{outcome=\"entry\"}", 1.0),
        ("hubbub_appends_total{outcome=\"conflict\"}", 1.0),
        ("hubbub_append_seconds_count", 2.0),
        ("hubbub_appends_in_flight", 0.0),
        ("hubbub_log_reads_total{why=\"join\"}", 1.0),
        ("hubbub_log_reads_total{why=\"unread\"}", 2.0),
        ("hubbub_log_reads_total{why=\"behind\"}", 0.0),
        ("hubbub_writer_queue", 0.0),
        ("hubbub_entries_delivered_total", 1.0),
        ("hubbub_sign_ins_total{outcome=\"opened\"}", 1.0),
        ("hubbub_rooms_made_total", 1.0),
        ("hubbub_sockets", 2.0),
        ("hubbub_rooms_live", 1.0),
        ("hubbub_logs_replaced_total", 0.0),
    ] {
        assert!(
            (value(&text, series) - value(&before, series) - grew).abs() < 0.5,
            "{series}: {}",
            value(&text, series)
        );
    }
    assert!(
        value(&text, "hubbub_socket_bytes_total{direction=\"out\"}")
            > value(&text, "hubbub_socket_bytes_total{direction=\"in\"}")
    );
    assert!(value(&text, "hubbub_http_requests_total{method=\"GET\",route=\"/r/{room}\",status=\"404\"}") > 0.5);
    // More than one, of at least one change each.
    let [commits, changes] = ["count", "sum"].map(|of| value(&text, &format!("hubbub_sqlite_group_size_{of}")));
    assert!(commits > 2.5 && changes >= commits, "{changes} changes in {commits} commits");
    assert!((value(&text, "hubbub_sqlite_commit_seconds_count") - commits).abs() < 0.1);
    assert!(value(&text, "hubbub_store_up") > 0.5 && value(&text, "hubbub_sqlite_file_bytes") > 1_000.0);
    assert!(value(&text, "hubbub_redis_used_bytes").is_nan());
    assert!(!text.contains("지우"), "no name of anybody");
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    assert!(series < 400, "{series}");

    let socket_of_nobody = Person::new().try_socket(&server, None).await;
    drop(socket_of_nobody);
    drop((socket, other));
    until("both sockets are counted as closed", async || {
        let text = scrape(address).await;
        value(&text, "hubbub_sockets_closed_total{code=\"none\"}") > 1.5
            && value(&text, "hubbub_sockets_refused_total{reason=\"session\"}") > 0.5
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_entry_in_sixteen_is_timed_to_each_socket_that_was_there() {
    let address = free_address();
    let server = start(address, &[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let (mut writer, mut reader) = (person.socket(&server).await, person.socket(&server).await);
    writer.join("a", None).await;
    reader.join("a", None).await;
    let mut first = None;
    for n in 1..=32 {
        writer.say("a", ProducerId(1), n, "hello").await;
        let at = writer.ack(n).await;
        first.get_or_insert(at);
        reader.entry().await;
    }
    let timed = async || value(&scrape(address).await, "hubbub_delivery_seconds_count");
    until("two entries are timed to two sockets", async || (timed().await - 4.0).abs() < 0.1).await;
    // Comes back to nearly all of it, of which nothing is late.
    let mut other = person.socket(&server).await;
    other.join("a", first).await;
    for _ in 2..=32 {
        other.entry().await;
    }
    writer.say("a", ProducerId(1), 33, "hello").await;
    // All that it was given before is counted by now, if it is.
    other.entry().await;
    let text = scrape(address).await;
    assert!((value(&text, "hubbub_delivery_seconds_count") - 4.0).abs() < 0.1, "what was there before is not timed");
    assert!((0.0..60.0).contains(&value(&text, "hubbub_delivery_seconds_sum")), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_counted_when_redis_restarts_and_what_is_heard_again() {
    let mut redis = RedisServer::start(&[]);
    let address = free_address();
    let server = start(address, &["--redis-url", &redis.tcp_url()]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let mut socket = person.socket(&server).await;
    socket.join("a", None).await;
    let subscriptions =
        |text: &str, state: &str| value(text, &format!("hubbub_redis_subscriptions{{state=\"{state}\"}}"));
    let hears_all = async || {
        let text = scrape(address).await;
        let [wanted, confirmed] = ["wanted", "confirmed"].map(|state| subscriptions(&text, state));
        // The room's channel, and the one of all instances.
        (wanted - 2.0).abs() < 0.1 && (confirmed - 2.0).abs() < 0.1
    };
    until("it hears all that it wants to", hears_all).await;
    let before = scrape(address).await;
    let clients = ["appends", "commands", "subscriber"];
    let reconnects =
        |text: &str, client: &str| value(text, &format!("hubbub_redis_reconnects_total{{client=\"{client}\"}}"));
    for client in clients {
        assert!(reconnects(&before, client).abs() < 0.1, "{client} was never lost");
    }
    redis.kill();
    until("it hears nothing", async || subscriptions(&scrape(address).await, "confirmed").abs() < 0.1).await;
    redis.restart();
    until("it hears all again", hears_all).await;
    let text = scrape(address).await;
    for client in clients {
        assert!(reconnects(&text, client) > 0.5, "{client} came back");
    }
    assert!(value(&text, "hubbub_redis_resubscriptions_total") > 0.5);

    // As if it had stood still for longer than its lease.
    redis.cli(&["DEL", "hubbub:instances"]);
    until("it is told that it counted as dead", async || {
        value(&scrape(address).await, "hubbub_presence_lapses_total") > 0.5
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_and_dashboard_ask_for_what_is_there_on_either_store() {
    let redis = RedisServer::start(&["--maxmemory", "64mb"]);
    let [address, with_redis] = [free_address(), free_address()];
    let server = start(address, &[]).await;
    let other = start(with_redis, &["--redis-url", &redis.url()]).await;
    for server in [&server, &other] {
        assert_eq!(Person::new().get(server, "/").await.status(), 200);
    }
    let texts = [scrape(address).await, scrape(with_redis).await];
    let read = |name: &str| std::fs::read_to_string(Path::new(FOLDER).join(name)).unwrap();
    for text in &texts {
        let there = names(text);
        for file in ["alerts.yaml", "dashboard.json"] {
            let asked = names(&read(file));
            assert!(asked.len() > 10);
            let missing: Vec<_> = asked.iter().filter(|name| !there.contains(*name)).collect();
            assert_eq!(missing, Vec::<&String>::new(), "{file}");
        }
        passes(&["check", "metrics"], text.as_bytes());
    }
    assert!(value(&texts[1], "hubbub_redis_used_bytes") > 100_000.0);
    assert!((value(&texts[1], "hubbub_redis_max_bytes") - f64::from(64 << 20)).abs() < 1.0);
    assert!(
        (value(&texts[1], "hubbub_redis_noeviction") - 1.0).abs() < 0.1
            && value(&texts[1], "hubbub_redis_evicted_keys").abs() < 0.1
    );
    assert!(value(&texts[1], "hubbub_session_lease_age_seconds") < 4.0);
    serde_json::from_str::<serde_json::Value>(&read("dashboard.json")).unwrap();
    passes(&["check", "rules", &format!("{FOLDER}/alerts.yaml")], b"");
    passes(&["test", "rules", &format!("{FOLDER}/alerts.test.yaml")], b"");

    drop(redis);
    until("it is told that the store is away", async || value(&scrape(with_redis).await, "hubbub_store_up") < 0.5)
        .await;
}

#[test]
fn an_address_for_metrics_that_is_taken_or_none_ends_the_start() {
    let (data, site) = (TempDir::new().unwrap(), site());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, metrics) = (free_address().port().to_string(), taken.local_addr().unwrap().to_string());
    let dirs = ["--data-dir", data.path().to_str().unwrap(), "--site-dir", site.path().to_str().unwrap()];
    let (output, error) = fails(&[&dirs[..], &["--port", &port, "--metrics", &metrics]].concat());
    assert!(output.status.code() == Some(1) && error.contains(&format!("cannot listen on {metrics}")), "{error}");
    let (output, error) = fails(&["--metrics", "9091"]);
    assert!(output.status.code() == Some(2) && error.contains("--metrics"), "{error}");
}

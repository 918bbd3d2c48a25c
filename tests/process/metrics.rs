//! What monitoring reads, on an address of its own; and that the alerts and the dashboard that come with it ask for what is there.

use super::*;
use std::{
    collections::BTreeSet,
    io::Write,
    path::{Path, PathBuf},
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/monitoring");

/// Where promtool is: installed, or where scripts/setup.sh puts it.
fn promtool(args: &[&str]) -> Command {
    let tools = std::env::var_os("HUBBUB_TOOLS").map_or_else(
        || {
            let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
            std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from).join("hubbub/tools")
        },
        PathBuf::from,
    );
    let own = tools.join("promtool/bin/promtool");
    let mut promtool = Command::new(if own.is_file() { own } else { "promtool".into() });
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

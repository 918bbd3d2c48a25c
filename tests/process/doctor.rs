//! `hubbub doctor` finds what was planted, says what to do about it, and finds nothing where all is well.

use super::*;
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

pub(super) struct Patient {
    data: TempDir,
    site: TempDir,
    port: String,
}

impl Patient {
    pub(super) fn new() -> Self {
        let data = TempDir::new().unwrap();
        fs::set_permissions(data.path(), fs::Permissions::from_mode(0o700)).unwrap();
        Self { data, site: site(), port: free_address().port().to_string() }
    }

    /// The report, and the exit code.
    pub(super) fn examined(&self, args: &[&str], variables: &[(&str, &str)]) -> (Value, i32) {
        let [data, site] = [&self.data, &self.site].map(|dir| dir.path().to_str().unwrap());
        // Those of the case come last, and win.
        let own = ["--data-dir", data, "--site-dir", site, "--port", &self.port, "--max-sockets", "100"];
        let mut program = program(&[&own[..], args, &["doctor", "--json"]].concat());
        let output = program.envs(variables.iter().copied()).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        let report = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}{error}"));
        assert_eq!(error, "", "nothing but the report is said");
        (report, output.status.code().unwrap())
    }

    /// The case is found as one of this kind, with these words.
    pub(super) fn is_told(&self, args: &[&str], variables: &[(&str, &str)], level: &str, check: &str, words: &str) {
        let (report, code) = self.examined(args, variables);
        let findings = report["findings"].as_array().unwrap();
        let found = findings.iter().any(|finding| {
            finding["level"] == level && finding["check"] == check && finding["says"].as_str().unwrap().contains(words)
        });
        assert!(found, "{args:?} {variables:?}: no {level} of {check} with {words:?} in {report:#}");
        assert_eq!(code, if level == "error" { 2 } else { code.max(1) }, "{args:?} {variables:?}");
    }
}

#[test]
fn where_all_is_well_nothing_is_found_and_each_setting_says_where_it_is_from() {
    let patient = Patient::new();
    let (report, code) = patient.examined(&[], &[("HUBBUB_SESSION_TTL", "48h")]);
    assert_eq!(code, 0, "{report:#}");
    let from = |name: &str| {
        let settings = report["settings"].as_array().unwrap();
        let told = settings.iter().find(|told| told["name"] == name).unwrap_or_else(|| panic!("{name} in {report:#}"));
        (told["value"].as_str().unwrap().to_owned(), told["from"].as_str().unwrap().to_owned())
    };
    assert_eq!(from("--port"), (patient.port.clone(), "argument".to_owned()));
    assert_eq!(from("--session-ttl"), ("48h".to_owned(), "HUBBUB_SESSION_TTL".to_owned()));
    assert_eq!(from("--host"), ("127.0.0.1".to_owned(), "default".to_owned()));
    assert_eq!(fs::read_dir(patient.data.path()).unwrap().count(), 0, "nothing was made");

    // For people, on one screen, with nothing secret on it.
    let mut shown = program(&["--redis-url", "redis://:hunter2@127.0.0.1:1", "--data-dir", "/nowhere", "doctor"]);
    let output = shown.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("ERROR   redis: cannot reach Redis") && said.trim_end().ends_with("warnings"), "{said}");
    assert!(!said.contains("hunter2") && said.contains("redis://…@127.0.0.1:1"), "{said}");
}

#[test]
fn wrong_settings_are_found() {
    let patient = Patient::new();
    let https = ("HUBBUB_PUBLIC_URL", "https://chat.example");
    let declared = ["--trusted-proxies", "127.0.0.1"];
    let port = &*patient.port;
    let own = format!("127.0.0.1:{port}");
    for (args, variables, level, check, words) in [
        (
            &[][..],
            &[("HUBBUB_PUBLC_URL", "https://chat.example")][..],
            "warning",
            "names",
            "is HUBBUB_PUBLIC_URL meant?",
        ),
        (&[], &[("HUBBUB_COLOUR", "red")], "warning", "names", "HUBBUB_COLOUR is set"),
        (&["--host", "0.0.0.0"], &[], "warning", "address", "Set it to the address that people use"),
        (&["--host", "0.0.0.0", "--allow-plain-http=true"], &[], "warning", "settings", "plain HTTP"),
        (&["--limits", "0"], &[], "warning", "settings", "no limits"),
        (&[], &[("REDIS_URL", "")], "warning", "settings", "REDIS_URL is set, but empty"),
        (&[], &[https], "warning", "proxies", "--trusted-proxies is not set"),
        (
            &declared,
            &[https, ("HUBBUB_ALLOWED_ORIGINS", "https://chat.example")],
            "warning",
            "origins",
            "names the public URL again",
        ),
        (&declared, &[https, ("HUBBUB_ALLOWED_ORIGINS", "http://chat.example")], "warning", "origins", "http address"),
        (&["--socket-lifetime", "20s"], &[], "warning", "times", "do little but move"),
        (&["--session-ttl", "10m"], &[], "warning", "times", "shorter than --socket-lifetime"),
        (&["--keep-alive", "10s"], &[], "warning", "times", "--keep-alive is under a minute"),
        (
            &["--socket-lifetime", "2h", "--ephemeral=true"],
            &[("K_SERVICE", "x")],
            "warning",
            "times",
            "Cloud Run cuts sockets",
        ),
        (&["--ephemeral=true"], &[("K_SERVICE", "x")], "warning", "store", "a chat of its own"),
        (&["--metrics", "8.8.8.8:9091"], &[], "warning", "metrics", "can be read from other machines"),
        (&["--metrics", &own], &[], "error", "metrics", "is where people are"),
        (&["--max-sockets", "1000000"], &[], "warning", "files", "raise the limit"),
        (&["--site-dir", "/nowhere"], &[], "error", "page", "name the folder site"),
        (&["--previous-site", "/nowhere"], &[], "warning", "page", "of the release before"),
        (&["--host", "192.0.2.1"], &[], "error", "port", "cannot listen on 192.0.2.1"),
        (&["--keep-free-mib", "4294967295"], &[], "error", "disk", "make room, or lower --keep-free-mib"),
        (&["--data-dir", "/dev/null/data"], &[], "error", "data", "choose another --data-dir"),
        (&["--data-dir", "/dev/null"], &[], "error", "data", "is no directory"),
    ] {
        patient.is_told(args, variables, level, check, words);
    }
    let taken = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap();
    patient.is_told(&[], &[], "error", "port", "choose another --port");
    drop(taken);
    fs::set_permissions(patient.data.path(), fs::Permissions::from_mode(0o755)).unwrap();
    patient.is_told(&[], &[], "warning", "data", "chmod 700");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_not_ours_is_found_and_one_in_use_is_well() {
    let patient = Patient::new();
    let file = patient.data.path().join("hubbub.sqlite3");
    fs::write(&file, "no database at all, but long enough to look like one to whoever does not look").unwrap();
    patient.is_told(&[], &[], "error", "data", "is no Hubbub database");
    fs::remove_file(&file).unwrap();
    let foreign = rusqlite::Connection::open(&file).unwrap();
    foreign
        .execute_batch("CREATE TABLE mine (x); PRAGMA application_id = 1752523362; PRAGMA user_version = 999")
        .unwrap();
    patient.is_told(&[], &[], "error", "data", "newer Hubbub");

    let server = Process::start().await;
    Person::signed_in(&server, "지우", "a").await;
    fs::set_permissions(server.dirs[0].path(), fs::Permissions::from_mode(0o700)).unwrap();
    let [data, site] = [0, 1].map(|dir| server.dirs[dir].path().to_str().unwrap());
    let args = [
        "--data-dir",
        data,
        "--site-dir",
        site,
        "--port",
        &server.address.port().to_string(),
        "--max-sockets",
        "100",
        "doctor",
    ];
    let output = program(&args).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("0 messages in 1 rooms; a server uses it") && said.contains("a Hubbub serves on"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_redis_is_found() {
    let patient = Patient::new();
    let told = |url: &str, level: &str, check: &str, words: &str| {
        patient.is_told(&["--redis-url", url], &[], level, check, words);
    };
    let redis = RedisServer::start(&["--maxmemory", "64mb", "--appendonly", "yes", "--appendfsync", "always"]);
    let url = redis.url();
    let (report, code) = patient.examined(&["--redis-url", &url], &[]);
    assert_eq!(code, 0, "{report:#}");
    for (setting, wrong, right, level, check, words) in [
        ("maxmemory-policy", "volatile-lru", "noeviction", "error", "eviction", "set maxmemory-policy to noeviction"),
        ("maxmemory", "0", "64mb", "warning", "memory", "maxmemory is not set"),
        ("appendfsync", "everysec", "always", "warning", "durability", "appendfsync is not always"),
        ("appendonly", "no", "yes", "warning", "durability", "appendonly is off"),
        ("min-replicas-to-write", "1", "0", "error", "redis", "NOREPLICAS"),
    ] {
        redis.cli(&["CONFIG", "SET", setting, wrong]);
        told(&url, level, check, words);
        redis.cli(&["CONFIG", "SET", setting, right]);
    }
    let used: u64 = redis
        .cli(&["INFO", "memory"])
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:")?.parse().ok())
        .unwrap();
    redis.cli(&["CONFIG", "SET", "maxmemory", &(used + used / 9).to_string()]);
    told(&url, "warning", "memory", "raise maxmemory");
    redis.cli(&["CONFIG", "SET", "maxmemory", "64mb"]);
    redis.cli(&["SET", "hubbub:format", "2"]);
    told(&url, "error", "redis", "of a later Hubbub");
    redis.cli(&["DEL", "hubbub:format"]);
    patient.is_told(&["--redis-url", &url, "--redis-host", "elsewhere"], &[], "warning", "store", "REDIS_URL is used");
    patient.is_told(&["--redis-url", &url, "--keep-free-mib", "5"], &[], "warning", "store", "says nothing with Redis");
    drop(redis);
    told(&url, "error", "redis", "cannot reach Redis");
    told("redis://127.0.0.1:1/x", "error", "redis", "");

    let guarded = RedisServer::start_with_rights();
    // What starting takes, and nothing else.
    guarded.allow(&["resetchannels", "&hubbub:*:probe", "&hubbub:*:sessions"]);
    told(&guarded.tcp_url(), "error", "echo", "allow Redis' user all channels");
    guarded.allow(&["-spublish"]);
    told(&guarded.tcp_url(), "error", "redis", "lacks a right");
    guarded.allow(&[]);
    let wrong = guarded.tcp_url().replace(PASSWORD, "wrong");
    told(&wrong, "error", "redis", "refused the user name or password");
    assert!(Path::new(patient.data.path()).is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_were_started_otherwise_are_found_and_a_start_warns_of_them() {
    let redis = RedisServer::start(&["--maxmemory", "64mb", "--appendonly", "yes", "--appendfsync", "always"]);
    let (patient, url) = (Patient::new(), redis.url());
    let says = |args: &[&str]| {
        let (report, code) = patient.examined(&[&["--redis-url", &url], args].concat(), &[]);
        let findings = report["findings"].as_array().unwrap().clone();
        let of_instances = findings.into_iter().filter(|finding| finding["check"] == "instances");
        (of_instances.map(|it| it["says"].as_str().unwrap().to_owned()).collect::<Vec<_>>(), code)
    };
    assert_eq!(says(&[]), (vec!["0 use this deployment's names now".to_owned()], 0));
    let start = async |more: &[&str]| {
        let more = [&["--redis-url", &url], more].concat();
        Process::start_by(|args: &[&str]| program(&[args, &more].concat())).await
    };
    let one = start(&["--session-ttl", "48h"]).await;
    let two = start(&["--session-ttl", "48h", "--public-url", "http://chat.lan"]).await;
    let version = concat!("of version ", env!("CARGO_PKG_VERSION"));
    let (found, code) = says(&["--session-ttl", "48h"]);
    assert!(found[0].starts_with("2 use this deployment's names now: 2") && found[0].contains(version), "{found:?}");
    assert_eq!(
        found[1..],
        ["1 of them have --public-url \"http://chat.lan\" and these settings \"\": give all instances the same"]
    );
    assert_eq!(code, 1);
    let (found, _) = says(&["--public-url", "http://chat.lan"]);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(
        found[2] == "2 of them have --session-ttl \"2days\" and these settings \"1day\": give all instances the same",
        "{found:?}"
    );
    let kept = redis.cli(&["KEYS", "hubbub:instance:*"]);
    assert_eq!(kept.lines().count(), 2, "doctor itself leaves nothing: {kept}");
    let key = kept.lines().next().unwrap();
    assert!(redis.cli(&["PTTL", key]).parse::<u32>().unwrap() <= 15_000, "it goes with its instance");
    assert!(!redis.cli(&["GET", key]).contains("redis"), "nothing of where the store is");

    // One of another build, whose lease nobody renews.
    let later = (std::time::UNIX_EPOCH.elapsed().unwrap() + Duration::from_mins(5)).as_millis().to_string();
    let (id, key) = ("0123456789abcdef", "hubbub:instance:0123456789abcdef");
    redis.cli(&["ZADD", "hubbub:instances", &later, id]);
    assert!(says(&["--session-ttl", "48h"]).0[0].contains("1 that do not say how they were started"));
    redis.cli(&["SET", key, r#"{"version":"0.0.9","format":7,"settings":{"--limits":"1","--later":"x"}}"#]);
    let (found, _) = says(&["--session-ttl", "48h", "--public-url", "http://chat.lan"]);
    assert!(found.iter().any(|says| says.starts_with("1 of them have version 0.0.9 and this is")), "{found:?}");
    let newer = "1 of them have format 7 and this is 1: finish the roll-out, or go back";
    assert!(found.iter().any(|says| says == newer), "{found:?}");
    redis.cli(&["SET", key, "nothing that can be read"]);
    assert!(says(&["--session-ttl", "48h"]).0[0].contains("1 that do not say how they were started"));

    let third = async || {
        let more = ["--redis-url", &url, "--session-ttl", "1h"];
        let mut third = Process::start_by(|args: &[&str]| {
            let mut program = program(&[args, &more].concat());
            program.stdout(Stdio::piped()).stderr(Stdio::piped());
            program
        })
        .await;
        signal("-TERM", third.child.id());
        let mut said = String::new();
        std::io::Read::read_to_string(&mut third.child.stderr.take().unwrap(), &mut said).unwrap();
        said
    };
    let said = third().await;
    assert!(said.contains(r#"another instance has --session-ttl "2days", this one "1h""#), "{said}");
    drop((one, two));
}

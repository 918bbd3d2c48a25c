use super::*;

fn config(args: &[&str]) -> Result<Config, (String, u8)> {
    Config::from_args(["hubbub"].iter().chain(args).map(Into::into), String::new)
}

#[test]
fn a_setting_that_does_not_parse_is_named_in_one_line() {
    for args in [
        ["--port", "eighty"],
        ["--public-url", "chat.example.com/x"],
        ["--allowed-origins", "https://a.example,chat"],
        ["--hsts", "for ever"],
        ["--socket-lifetime", "soon"],
        ["--ring-mib", "0"],
        ["--log", "hubbub=loud"],
        ["--host", "localhost:80"],
        ["--redis-prefix", "a*b"],
        ["--store-wait", "long"],
        ["--limits", "many"],
        ["--limits", "1e9"],
        ["--trusted-proxies", "10.0.0.0/8,proxy.example"],
        ["--client-address", "x-real-ip"],
    ] {
        let (line, status) = config(&args).unwrap_err();
        assert_eq!(status, 2);
        assert!(line.contains(args[0]) && line.contains(args[1]), "{line}");
        assert_eq!(line.trim_end().lines().count(), 1, "{line}");
    }
}

#[test]
fn on_cloud_run_nothing_is_kept_without_redis_unless_that_is_meant() {
    let on = |more: &[&str]| config(&[&["--cloud-run-service", "chat"], more].concat());
    for none in [&[][..], &["--data-dir", "/data"], &["--redis-url", " "], &["--redis-host", ""]] {
        let (line, status) = on(none).unwrap_err();
        assert!(status == 2 && line.contains("REDIS_URL") && line.contains("--ephemeral"), "{line}");
        assert_eq!(line.trim_end().lines().count(), 1, "{line}");
    }
    for well in [&["--redis-url", "redis://r"][..], &["--redis-host", "10.0.0.3"], &["--ephemeral"]] {
        assert!(on(well).is_ok(), "{well:?}");
    }
    assert!(on(&["--ephemeral", "false"]).is_err());
    assert!(config(&[]).is_ok());
}

#[test]
fn a_switch_leaves_the_command_behind_it_alone() {
    let found = |args: &[&str]| {
        let config = config(args).unwrap();
        (config.allow_plain_http, config.ephemeral, config.command)
    };
    let doctor = || Some(Command::Doctor { json: false });
    assert_eq!(found(&["--allow-plain-http", "doctor"]), (true, false, doctor()));
    assert_eq!(found(&["--ephemeral", "--allow-plain-http", "doctor"]), (true, true, doctor()));
    for [no, yes] in
        [["--allow-plain-http=false", "--ephemeral=true"], ["--allow-plain-http false", "--ephemeral true"]]
    {
        let args: Vec<_> = no.split(' ').chain(yes.split(' ')).chain(["doctor"]).collect();
        assert_eq!(found(&args), (false, true, doctor()), "{args:?}");
    }
    let (line, status) = config(&["--ephemeral", "maybe"]).unwrap_err();
    assert!(status == 2 && line.contains("maybe"), "{line}");
    let (line, status) = config(&["--ephemeral=maybe"]).unwrap_err();
    assert!(status == 2 && line.contains("--ephemeral"), "{line}");
}

#[test]
fn cookies_are_secure_unless_the_page_is_known_to_be_plain() {
    let secure = |args: &[&str], at: &str| config(args).unwrap().secure_cookies(Authority::parse(at).as_ref());
    assert!(!secure(&[], "127.0.0.1:3000"));
    assert!(!secure(&[], "192.168.0.5:3000"));
    let network = ["--host", "0.0.0.0"];
    assert!(secure(&network, "192.168.0.5:3000") && secure(&network, "nas.local"));
    for here in ["localhost:8080", "chat.localhost", "127.0.0.1:3000", "[::1]:3000"] {
        assert!(!secure(&network, here), "{here}");
    }
    assert!(!secure(&["--host", "0.0.0.0", "--allow-plain-http"], "192.168.0.5:3000"));
    let public = ["--public-url", "https://chat.example.com"];
    assert!(secure(&public, "chat.example.com") && secure(&public, "127.0.0.1:3000"));
    let cloud = ["--ephemeral", "--cloud-run-service", "hubbub", "--host", "0.0.0.0", "--allow-plain-http"];
    assert!(secure(&cloud, "hubbub-abc-ew.a.run.app") && !secure(&cloud, "10.0.0.7"));
    let lan = ["--host", "0.0.0.0", "--public-url", "http://chat.lan"];
    assert!(!secure(&lan, "chat.lan"));
    assert_eq!(config(&lan).unwrap().warnings().len(), 1);
}

#[test]
fn origins_are_compared_in_one_spelling() {
    for (text, origin) in [
        ("HTTPS://Chat.Example.com:443/", "https://chat.example.com"),
        (" https://chat.example.com ", "https://chat.example.com"),
        ("https://chat.example.com.", "https://chat.example.com"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("https://채팅.example.kr", "https://xn--ou6bo7j.example.kr"),
        ("https://BÜCHER.example:8443", "https://xn--bcher-kva.example:8443"),
    ] {
        assert_eq!(parse_origin(text).as_deref(), Ok(origin), "{text}");
    }
    for text in [
        "ftp://a",
        "https://user@a",
        "https://a/b",
        "https://a?b",
        "https://a#b",
        "a.example",
        "https:a",
        "https:/a",
        "https://",
        "https://a b",
        "https://a\tb",
        "https://a\\b",
        "https://*.example.com",
        "https://a:b",
        "null",
    ] {
        assert!(parse_origin(text).is_err(), "{text}");
    }
    assert_eq!(parse_origins(" https://a,, http://b:80 ,"), Ok(Origins(vec!["https://a".into(), "http://b".into()])));
    assert_eq!(parse_origins(" , "), Ok(Origins::default()));
    assert!(parse_origins("https://a,b").is_err());
}

#[test]
fn browsers_are_told_to_use_https_for_the_public_name_alone() {
    let told =
        |args: &[&str], at: &str| config(args).unwrap().strict_transport_security(&Authority::parse(at).unwrap());
    let public = ["--public-url", "https://chat.example.com"];
    assert_eq!(told(&public, "chat.example.com").as_deref(), Some("max-age=15552000"));
    assert_eq!(told(&public, "CHAT.example.com.:443").as_deref(), Some("max-age=15552000"));
    assert_eq!(told(&public, "10.0.0.7:3000"), None);
    assert_eq!(told(&[public[0], public[1], "--hsts", "300"], "chat.example.com").as_deref(), Some("max-age=300"));
    assert_eq!(told(&[public[0], public[1], "--hsts", "off"], "chat.example.com"), None);
    assert_eq!(told(&["--public-url", "http://chat.example.com"], "chat.example.com"), None);
    assert_eq!(told(&["--public-url", "https://nas.example:8443"], "nas.example:8443"), None);
    assert_eq!(told(&[], "localhost"), None);
}

#[test]
fn redis_is_chosen_by_url_or_by_host_and_port() {
    assert_eq!(config(&[]).unwrap().redis(), None);
    assert_eq!(config(&["--redis-host", "10.0.0.3"]).unwrap().redis().unwrap(), "redis://10.0.0.3:6379");
    let both = config(&["--redis-host", "10.0.0.3", "--redis-url", "rediss://r"]).unwrap();
    assert_eq!(both.redis().unwrap(), "rediss://r");
}

#[test]
fn the_url_of_redis_may_stand_in_a_file() {
    let dir = tempfile::TempDir::new().unwrap();
    let [file, empty, none] = ["url", "empty", "none"].map(|name| dir.path().join(name).display().to_string());
    std::fs::write(&file, "redis://user:s3cret@r:6379/1\n").unwrap();
    std::fs::write(&empty, "\n").unwrap();
    let with = |file: &str, more: &[&str]| config(&[&["--redis-url-file", file], more].concat());
    assert_eq!(with(&file, &["--redis-host", "h"]).unwrap().redis().unwrap(), "redis://user:s3cret@r:6379/1");
    assert_eq!(with(&file, &["--redis-url", "redis://other"]).unwrap().redis().unwrap(), "redis://other");
    for file in [&empty, &none] {
        let (line, status) = with(file, &[]).unwrap_err();
        assert!(status == 2 && line.contains(file) && line.trim_end().lines().count() == 1, "{line}");
    }
}

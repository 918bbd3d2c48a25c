use super::*;
use axum::http::HeaderValue;
use clap::Parser;

const NOT: Option<(&str, Option<u16>)> = None;

/// The name as text, and the port.
fn parsed(text: &str) -> Option<(String, Option<u16>)> {
    let at = Authority::parse(text)?;
    let name = match at.name() {
        Name::Ip(ip) => format!("ip {ip}"),
        Name::Dns(name) => name.clone(),
    };
    Some((name, at.port()))
}

#[test]
fn what_a_host_looks_like() {
    for (text, is) in [
        ("chat.example.com", Some(("chat.example.com", None))),
        ("Chat.EXAMPLE.com:443", Some(("chat.example.com", Some(443)))),
        ("chat.example.com.", Some(("chat.example.com", None))),
        ("chat.example.com.:8443", Some(("chat.example.com", Some(8443)))),
        ("xn--ou6bo7j.example.kr", Some(("xn--ou6bo7j.example.kr", None))),
        ("my_host:3000", Some(("my_host", Some(3000)))),
        ("127.0.0.1:65535", Some(("ip 127.0.0.1", Some(65535)))),
        ("127.0.0.1.", Some(("ip 127.0.0.1", None))),
        ("[::1]", Some(("ip ::1", None))),
        ("[::1]:3000", Some(("ip ::1", Some(3000)))),
        ("[::FFFF:127.0.0.1]:3000", Some(("ip 127.0.0.1", Some(3000)))),
        ("[2001:db8::1]", Some(("ip 2001:db8::1", None))),
        ("", NOT),
        (".", NOT),
        ("..", NOT),
        (":3000", NOT),
        ("a..b", NOT),
        (".localhost", NOT),
        ("localhost..", NOT),
        ("localhost:", NOT),
        ("localhost:x", NOT),
        ("localhost:+80", NOT),
        ("localhost:-1", NOT),
        ("localhost:65536", NOT),
        ("localhost:8080:8080", NOT),
        ("localhost: 80", NOT),
        ("user@localhost", NOT),
        ("user:pass@localhost:80", NOT),
        ("a b", NOT),
        ("a,b", NOT),
        ("a/b", NOT),
        ("a\\b", NOT),
        ("a%41", NOT),
        ("<script>", NOT),
        ("채팅.example.kr", NOT),
        ("::1", NOT),
        ("[::1", NOT),
        ("::1]", NOT),
        ("[::1]x", NOT),
        ("[::1]x:80", NOT),
        ("[::1].", NOT),
        ("[127.0.0.1]", NOT),
        ("[fe80::1%25eth0]", NOT),
        ("[v1.a]", NOT),
        ("[]", NOT),
    ] {
        assert_eq!(parsed(text), is.map(|(name, port)| (name.to_owned(), port)), "{text:?}");
    }
    let label = "a".repeat(49);
    let longest = [label.as_str(); 5].join(".") + ".abc";
    assert_eq!(longest.len(), NAME_MAX);
    assert!(Authority::parse(&format!("{longest}:65535")).is_some());
    assert!(Authority::parse(&format!("{longest}d")).is_none());
}

#[derive(Clone, Copy)]
enum At {
    Loopback,
    Network,
    Public,
    Partners,
    CloudRun,
    CloudRunPublic,
}

impl At {
    const ALL: [Self; 6] =
        [Self::Loopback, Self::Network, Self::Public, Self::Partners, Self::CloudRun, Self::CloudRunPublic];

    fn hosts(self) -> Hosts {
        let args: &[&str] = match self {
            Self::Loopback => &[],
            Self::Network => &["--host", "0.0.0.0"],
            Self::Public => &["--public-url", "https://chat.example.com"],
            Self::Partners => &["--allowed-origins", "https://a.partner.example:8443,http://채팅.example.kr"],
            Self::CloudRun => &["--host", "0.0.0.0", "--cloud-run-service", "hubbub"],
            Self::CloudRunPublic => {
                &["--host", "0.0.0.0", "--cloud-run-service", "hubbub", "--public-url", "https://chat.example.com"]
            }
        };
        let mut hosts = Hosts::new(&Config::parse_from(["hubbub"].iter().chain(args)), 3000);
        hosts.node = Some("studio".to_owned());
        hosts
    }
}

#[test]
fn which_names_are_this_servers() {
    let everywhere = [true; 6];
    let nowhere = [false; 6];
    //              loopback, network, public, partners, Cloud Run, Cloud Run with a public address
    let inner = [false, true, false, false, true, true];
    for (host, served) in [
        ("localhost", everywhere),
        ("LOCALHOST:3000", everywhere),
        ("localhost.", everywhere),
        ("chat.localhost:8080", everywhere),
        ("127.0.0.1:3000", everywhere),
        ("127.0.0.2", everywhere),
        ("10.0.0.7:8080", everywhere),
        ("192.168.0.5", everywhere),
        ("203.0.113.9", everywhere),
        ("[::1]:3000", everywhere),
        ("[fd00::1]", everywhere),
        ("[::ffff:10.0.0.7]", everywhere),
        ("studio", everywhere),
        ("studio.local", everywhere),
        ("Studio.local:3000", everywhere),
        ("other", inner),
        ("wifi:3000", inner),
        ("hubbub-1:3000", inner),
        ("other.local", inner),
        ("a.b.local", inner),
        ("chat.internal", inner),
        ("nas.home.arpa", inner),
        ("local", inner),
        ("studio.internal", inner),
        ("studios.local", inner),
        ("hubbub.default.svc.cluster.local", inner),
        ("chat.example.com", [false, false, true, false, false, true]),
        ("CHAT.example.com.:8443", [false, false, true, false, false, true]),
        ("a.partner.example", [false, false, false, true, false, false]),
        ("xn--ou6bo7j.example.kr", [false, false, false, true, false, false]),
        ("hubbub-abc123-ew.a.run.app", [false, false, false, false, true, true]),
        ("t---hubbub-1234.europe-west1.run.app", [false, false, false, false, true, true]),
        ("run.app", nowhere),
        ("evilrun.app", nowhere),
        ("hubbub.run.app.evil.example", nowhere),
        ("evil.example", nowhere),
        ("evil.example:3000", nowhere),
        ("localhost.evil.example", nowhere),
        ("127.0.0.1.evil.example", nowhere),
        ("127.0.0.1.nip.io", nowhere),
        ("evillocalhost.example", nowhere),
        ("www.chat.example.com", nowhere),
        ("chat.example.com.evil.example", nowhere),
        ("example.com", nowhere),
        ("evil-local", inner),
        ("evil.notlocal", nowhere),
        ("home.arpa", nowhere),
        ("fritz.box", nowhere),
        ("nas.lan", nowhere),
        ("laptop.tail1234.ts.net", nowhere),
        ("abc.ngrok-free.app", nowhere),
        ("studio.evil.example", nowhere),
        ("2130706433", nowhere),
        ("0x7f000001", nowhere),
        ("127.1", nowhere),
        ("1.2.3.4.5", nowhere),
    ] {
        let name = Authority::parse(host).unwrap().name;
        for (at, expected) in At::ALL.into_iter().zip(served) {
            assert_eq!(at.hosts().serve(&name), expected, "{host} {}", at as usize);
        }
    }
}

#[test]
fn a_request_names_one_host_and_its_targets_counts_first() {
    let ask = |version, target: &str, hosts: &[&str]| {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, HeaderValue::from_bytes(host.as_bytes()).unwrap());
        }
        reached(version, &target.parse().unwrap(), &headers).map(|at| at.0.map(|at| at.text)).map_err(|_| ())
    };
    let is = |host: &str| Ok(Some(host.to_owned()));
    assert_eq!(ask(Version::HTTP_11, "/", &["a:80"]), is("a:80"));
    assert_eq!(ask(Version::HTTP_11, "http://b/x", &["a"]), is("b"));
    assert_eq!(ask(Version::HTTP_10, "/", &[]), Ok(None));
    assert_eq!(ask(Version::HTTP_10, "/", &["a"]), is("a"));
    for (version, target, hosts) in [
        (Version::HTTP_11, "/", &[][..]),
        (Version::HTTP_11, "http://b/x", &[]),
        (Version::HTTP_11, "/", &["a", "a"]),
        (Version::HTTP_11, "/", &["a", "b"]),
        (Version::HTTP_10, "/", &["a", "b"]),
        (Version::HTTP_11, "/", &[""]),
        (Version::HTTP_11, "/", &["a, b"]),
        (Version::HTTP_11, "/", &["é"]),
        (Version::HTTP_11, "http://b/x", &["a b"]),
        (Version::HTTP_11, "http://user@b/x", &["b"]),
    ] {
        assert_eq!(ask(version, target, hosts), Err(()), "{version:?} {target} {hosts:?}");
    }
}

#[test]
fn only_a_name_of_its_own_may_be_https_only() {
    for (origin, may) in [
        ("https://chat.example.com", true),
        ("https://xn--ou6bo7j.example.kr", true),
        ("https://chat.example.com:8443", false),
        ("http://chat.example.com", false),
        ("https://203.0.113.9", false),
        ("https://[2001:db8::1]", false),
        ("https://localhost", false),
        ("https://chat.localhost", false),
        ("https://nas", false),
        ("https://nas.local", false),
        ("https://chat.internal", false),
        ("https://nas.home.arpa", false),
    ] {
        assert_eq!(may_be_https_only(origin), may, "{origin}");
    }
}

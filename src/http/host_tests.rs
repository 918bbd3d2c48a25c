use super::*;
use axum::http::HeaderValue;
use clap::Parser;

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
        let name = Authority::parse(host).unwrap().name().clone();
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
        reached(version, &target.parse().unwrap(), &headers)
            .map(|at| at.0.map(|at| at.as_str().to_owned()))
            .map_err(|_| ())
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

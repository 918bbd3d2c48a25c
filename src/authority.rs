//! A host, and where one can be reached.

use std::net::IpAddr;

/// Longest name of the DNS, in bytes.
const NAME_MAX: usize = 253;
/// Endings that the public DNS never resolves (RFC 6762, RFC 8375, ICANN's resolution of 2024-07-29): only the network in
/// which the server stands can.
pub const INNER: [&str; 3] = [".local", ".internal", ".home.arpa"];

/// A host and, if it was sent, a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// As it was sent, in lower case.
    text: String,
    name: Name,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// In its own form: `::ffff:127.0.0.1` is `127.0.0.1`.
    Ip(IpAddr),
    /// In lower case, without a dot at its end.
    Dns(String),
}

impl Authority {
    /// `None` for what is no host: a character that none has, user information, an empty label, a port that is none.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.:[]".contains(&b);
        if text.len() > NAME_MAX + ":65535".len() || !text.bytes().all(allowed) {
            return None;
        }
        let text = text.to_ascii_lowercase();
        let (host, port) = match text.rfind(':') {
            Some(colon) if !text.ends_with(']') => (&text[..colon], Some(parse_port(&text[colon + 1..])?)),
            _ => (text.as_str(), None),
        };
        let name = match host.strip_prefix('[') {
            Some(rest) => Name::Ip(IpAddr::V6(rest.strip_suffix(']')?.parse().ok()?).to_canonical()),
            None => parse_name(host)?,
        };
        Some(Self { text, name, port })
    }

    /// As it was sent, in lower case.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn name(&self) -> &Name {
        &self.name
    }

    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether only this machine itself reaches it.
    pub fn is_loopback(&self) -> bool {
        match &self.name {
            Name::Ip(ip) => ip.is_loopback(),
            Name::Dns(name) => is_localhost(name),
        }
    }
}

fn parse_port(digits: &str) -> Option<u16> {
    // `parse` alone would take a sign.
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

fn parse_name(host: &str) -> Option<Name> {
    let name = host.strip_suffix('.').unwrap_or(host);
    let labels_are_full = name.split('.').all(|label| !label.is_empty());
    if name.len() > NAME_MAX || !labels_are_full || name.contains([':', '[', ']']) {
        return None;
    }
    Some(name.parse().map_or_else(|_| Name::Dns(name.to_owned()), |ip: IpAddr| Name::Ip(ip.to_canonical())))
}

pub fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

/// The host and port of an origin such as `https://chat.example.com`.
pub fn of_origin(origin: &str) -> Option<Authority> {
    origin.split_once("://").and_then(|(_, authority)| Authority::parse(authority))
}

/// Whether browsers may be told to use nothing but HTTPS for the host of `origin`. They would do so on all its ports, of
/// which others may be somebody else's, and for names that mean another machine in another network.
pub fn may_be_https_only(origin: &str) -> bool {
    let Some(at) = origin.strip_prefix("https://").and_then(Authority::parse) else { return false };
    match &at.name {
        Name::Ip(_) => false,
        Name::Dns(name) => {
            let inner = is_localhost(name) || INNER.iter().any(|ending| name.ends_with(ending));
            at.port.is_none() && name.contains('.') && !inner
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}

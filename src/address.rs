//! From where a request came: the peer's address, or the one that a trusted proxy names.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use clap::ValueEnum;
use ipnet::IpNet;
use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// Beyond what one address may, as often, may those that stand for many people.
const WIDER: u32 = 8;
/// Behind one private address are the people of a home or of a container's host.
const PRIVATE: u32 = 4;
/// Behind a proxy that was not declared is everyone.
const UNDECLARED: u32 = 20;
/// Cloud Run names the client, but its documents do not say in which place for every set-up.
const CLOUD_RUN: u32 = 10;

const FORWARDING: [HeaderName; 4] = [
    header::FORWARDED,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("cf-connecting-ip"),
];

/// The header in which the trusted proxies name the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AddressHeader {
    XForwardedFor,
    Forwarded,
    CfConnectingIp,
}

/// Whose word is taken for where a request came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustedProxies {
    /// Nothing was said.
    Unset,
    /// These; none of them means that there is no proxy.
    Networks(Vec<IpNet>),
}

/// One address or network of `--trusted-proxies`.
///
/// # Errors
/// Neither an address nor a network.
pub fn parse_network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let network =
        if text.contains('/') { text.parse().ok() } else { text.parse().ok().map(|address: IpAddr| address.into()) };
    network.ok_or_else(|| "expected networks such as 10.0.0.0/8 or addresses, separated by commas, or none".to_owned())
}

/// From where a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    pub address: IpAddr,
    /// How many times as much as one address it may, since many people may stand behind it.
    pub times: u32,
    /// It came through a proxy of which nobody told this server.
    pub undeclared: bool,
    /// Whom a peer at a public address names that it forwards for, as a hash. Anybody may write that, and nobody is believed;
    /// but who names many may be a proxy.
    pub names: Option<u64>,
}

/// A network, as the key of a limit and as far as the log tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prefix {
    address: IpAddr,
    bits: u8,
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl Asker {
    fn of(address: IpAddr, times: u32) -> Self {
        Self { address: canonical(address), times, undeclared: false, names: None }
    }

    /// What one customer of a provider has: an address, or a /64.
    pub fn prefix(&self) -> Prefix {
        self.cut(32, 64)
    }

    /// The network around it, which one customer may have as well: a /24 or a /48; and how many times as much it may.
    pub fn wider(&self) -> (Prefix, u32) {
        (self.cut(24, 48), self.times * WIDER)
    }

    fn cut(&self, v4: u8, v6: u8) -> Prefix {
        let bits = if self.address.is_ipv4() { v4 } else { v6 };
        let network = IpNet::new(self.address, bits).map_or(self.address, |network| network.network());
        Prefix { address: network, bits }
    }
}

/// One address in one spelling: IPv4 within IPv6 (mapped, or NAT64's `64:ff9b::/96` of RFC 6052) is IPv4. As IPv6 all of it
/// would be in one /64.
pub fn canonical(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address.to_canonical() else { return address.to_canonical() };
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        _ => IpAddr::V6(v6),
    }
}

/// Not an address of one customer on the internet: private (RFC 1918, RFC 4193), shared (RFC 6598) or link-local.
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private() || v4.is_link_local() || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// How this server is reached.
#[derive(Debug, Clone)]
pub struct Way {
    pub proxies: TrustedProxies,
    pub header: AddressHeader,
    pub cloud_run: bool,
}

impl Way {
    /// Who sent a request that came from `peer` with these headers.
    pub fn asker(&self, peer: SocketAddr, headers: &HeaderMap) -> Asker {
        let peer = canonical(peer.ip());
        match &self.proxies {
            TrustedProxies::Networks(networks) if trusts(networks, peer) => self.named(networks, peer, headers),
            TrustedProxies::Networks(_) => Asker::of(peer, 1),
            TrustedProxies::Unset if self.cloud_run => {
                let last = listed(self.header, headers).pop();
                Asker::of(last.and_then(|last| address(&last)).unwrap_or(peer), CLOUD_RUN)
            }
            TrustedProxies::Unset => {
                let (local, private) = (peer.is_loopback(), is_private(peer));
                let forwarded = FORWARDING.iter().find_map(|name| headers.get_all(name).iter().next_back());
                match (local || private, forwarded) {
                    (true, Some(_)) => Asker { undeclared: true, ..Asker::of(peer, UNDECLARED) },
                    (true, None) if private => Asker::of(peer, PRIVATE),
                    // From elsewhere anybody may write these headers.
                    _ => Asker { names: forwarded.map(last_of), ..Asker::of(peer, 1) },
                }
            }
        }
    }

    /// Whether a peer is a trusted proxy or, where nobody said, may be one: people come from public addresses.
    pub fn is_proxy(&self, peer: SocketAddr) -> bool {
        let peer = canonical(peer.ip());
        match &self.proxies {
            TrustedProxies::Networks(networks) => trusts(networks, peer),
            TrustedProxies::Unset => peer.is_loopback() || is_private(peer),
        }
    }

    /// The client as trusted proxies name it: from the right, the first address that is none of theirs.
    fn named(&self, networks: &[IpNet], peer: IpAddr, headers: &HeaderMap) -> Asker {
        let mut hop = peer;
        for entry in listed(self.header, headers).iter().rev() {
            let Some(named) = address(entry).map(canonical) else { return Asker::of(hop, UNDECLARED) };
            if !trusts(networks, named) {
                return Asker::of(named, 1);
            }
            hop = named;
        }
        // A proxy speaks for itself, as when it asks for the server's health.
        Asker::of(hop, UNDECLARED)
    }
}

/// The last entry of a line, by which entries are told apart.
fn last_of(line: &HeaderValue) -> u64 {
    let last = line.as_bytes().rsplit(|&byte| byte == b',').next().unwrap_or_default();
    let mut hasher = DefaultHasher::new();
    last.trim_ascii().hash(&mut hasher);
    hasher.finish()
}

fn trusts(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// Most of a header's entries that are looked at, from the right.
const HOPS_MAX: usize = 32;

/// The header's entries, those of several lines one after the other.
fn listed(which: AddressHeader, headers: &HeaderMap) -> Vec<String> {
    let name = match which {
        AddressHeader::XForwardedFor => &FORWARDING[1],
        AddressHeader::Forwarded => &FORWARDING[0],
        AddressHeader::CfConnectingIp => &FORWARDING[3],
    };
    let lines = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or("?"));
    let entries = lines.flat_map(|line| line.split(',')).map(str::trim).map(|entry| match which {
        AddressHeader::Forwarded => forwarded_for(entry).to_owned(),
        _ => entry.to_owned(),
    });
    let mut entries: Vec<String> = entries.collect();
    entries.drain(..entries.len().saturating_sub(HOPS_MAX));
    entries
}

/// The `for` of an element of `Forwarded` (RFC 7239); nothing readable if it has none.
fn forwarded_for(element: &str) -> &str {
    let pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for")).map(|(_, value)| value.trim());
    values.next().unwrap_or("").trim_matches('"')
}

/// An address with or without a port and brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    if let Ok(with_port) = text.parse::<SocketAddr>() {
        return Some(with_port.ip());
    }
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(proxies: &str) -> Way {
        let proxies = match proxies {
            "" => TrustedProxies::Unset,
            "none" => TrustedProxies::Networks(Vec::new()),
            some => TrustedProxies::Networks(some.split(',').map(|network| parse_network(network).unwrap()).collect()),
        };
        Way { proxies, header: AddressHeader::XForwardedFor, cloud_run: false }
    }

    fn asker(way: &Way, peer: &str, lines: &[&str]) -> (String, u32, bool) {
        let mut headers = HeaderMap::new();
        let name = match way.header {
            AddressHeader::XForwardedFor => "x-forwarded-for",
            AddressHeader::Forwarded => "forwarded",
            AddressHeader::CfConnectingIp => "cf-connecting-ip",
        };
        for line in lines {
            headers.append(name, line.parse().unwrap());
        }
        let asker = way.asker(SocketAddr::new(peer.parse().unwrap(), 1_234), &headers);
        (asker.address.to_string(), asker.times, asker.undeclared)
    }

    #[test]
    fn without_a_word_about_proxies_only_the_peer_counts() {
        let way = way("");
        for (peer, lines, expected) in [
            ("203.0.113.9", &[][..], ("203.0.113.9", 1, false)),
            ("203.0.113.9", &["198.51.100.1"], ("203.0.113.9", 1, false)),
            ("127.0.0.1", &[], ("127.0.0.1", 1, false)),
            ("::1", &[], ("::1", 1, false)),
            ("192.168.1.4", &[], ("192.168.1.4", 4, false)),
            ("100.64.3.4", &[], ("100.64.3.4", 4, false)),
            ("fd00::3", &[], ("fd00::3", 4, false)),
            ("fe80::3", &[], ("fe80::3", 4, false)),
            ("172.18.0.5", &["198.51.100.1"], ("172.18.0.5", 20, true)),
            ("127.0.0.1", &["198.51.100.1"], ("127.0.0.1", 20, true)),
            ("::ffff:203.0.113.9", &[], ("203.0.113.9", 1, false)),
            ("64:ff9b::cb00:7109", &[], ("203.0.113.9", 1, false)),
            ("::ffff:10.0.0.1", &["1.2.3.4"], ("10.0.0.1", 20, true)),
        ] {
            let (address, times, undeclared) = asker(&way, peer, lines);
            assert_eq!((&*address, times, undeclared), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn a_trusted_proxy_names_the_client_from_the_right() {
        let way = way("10.0.0.0/8,fd00::/8");
        for (peer, lines, expected) in [
            ("10.0.0.1", &["198.51.100.1"][..], ("198.51.100.1", 1)),
            // What the client itself put in front is not believed.
            ("10.0.0.1", &["1.1.1.1, 198.51.100.1"], ("198.51.100.1", 1)),
            ("10.0.0.1", &["1.1.1.1", "198.51.100.1"], ("198.51.100.1", 1)),
            ("10.0.0.1", &["198.51.100.1, 10.2.2.2"], ("198.51.100.1", 1)),
            ("10.0.0.1", &["198.51.100.1:4711"], ("198.51.100.1", 1)),
            ("10.0.0.1", &["[2001:db8::7]:4711"], ("2001:db8::7", 1)),
            ("10.0.0.1", &["[2001:db8::7]"], ("2001:db8::7", 1)),
            ("10.0.0.1", &["2001:db8::7"], ("2001:db8::7", 1)),
            ("10.0.0.1", &["::ffff:198.51.100.1"], ("198.51.100.1", 1)),
            // Unreadable: as far as it can be trusted.
            ("10.0.0.1", &["198.51.100.1, unknown, 10.2.2.2"], ("10.2.2.2", 20)),
            ("10.0.0.1", &["198.51.100.1,"], ("10.0.0.1", 20)),
            ("10.0.0.1", &["\u{e9}"], ("10.0.0.1", 20)),
            ("10.0.0.1", &[], ("10.0.0.1", 20)),
            // Somebody else writes what they like.
            ("203.0.113.9", &["198.51.100.1"], ("203.0.113.9", 1)),
            ("192.168.1.1", &["198.51.100.1"], ("192.168.1.1", 1)),
            ("::ffff:10.0.0.1", &["198.51.100.1"], ("198.51.100.1", 1)),
        ] {
            let (address, times, undeclared) = asker(&way, peer, lines);
            assert_eq!((&*address, times, undeclared), (expected.0, expected.1, false), "{peer} {lines:?}");
        }
    }

    #[test]
    fn only_the_header_that_was_chosen_counts() {
        let forwarded = Way { header: AddressHeader::Forwarded, ..way("10.0.0.0/8") };
        let named = asker(&forwarded, "10.0.0.1", &["for=1.1.1.1, For=\"[2001:db8::7]:80\";proto=https;by=10.0.0.1"]);
        assert_eq!(named, ("2001:db8::7".to_owned(), 1, false));
        assert_eq!(asker(&forwarded, "10.0.0.1", &["for=_hidden"]), ("10.0.0.1".to_owned(), 20, false));
        assert_eq!(asker(&forwarded, "10.0.0.1", &["proto=https"]), ("10.0.0.1".to_owned(), 20, false));
        let cloudflare = Way { header: AddressHeader::CfConnectingIp, ..way("10.0.0.0/8") };
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "1.1.1.1".parse().unwrap());
        headers.insert("cf-connecting-ip", "198.51.100.1".parse().unwrap());
        let asker = cloudflare.asker("10.0.0.1:1".parse().unwrap(), &headers);
        assert_eq!(asker.address.to_string(), "198.51.100.1");
    }

    #[test]
    fn no_proxy_is_a_word_too_and_cloud_run_is_known() {
        assert_eq!(asker(&way("none"), "172.18.0.5", &["1.1.1.1"]), ("172.18.0.5".to_owned(), 1, false));
        let cloud_run = Way { cloud_run: true, ..way("") };
        assert_eq!(
            asker(&cloud_run, "169.254.1.1", &["9.9.9.9, 198.51.100.1"]),
            ("198.51.100.1".to_owned(), 10, false)
        );
        assert_eq!(asker(&cloud_run, "169.254.1.1", &[]), ("169.254.1.1".to_owned(), 10, false));
        let declared = Way { cloud_run: true, ..way("169.254.0.0/16") };
        assert_eq!(asker(&declared, "169.254.1.1", &["198.51.100.1"]), ("198.51.100.1".to_owned(), 1, false));
    }

    #[test]
    fn a_proxy_is_who_is_trusted_or_else_who_may_be_one() {
        for (proxies, peer, expected) in [
            ("", "127.0.0.1", true),
            ("", "::ffff:10.0.0.1", true),
            ("", "fd00::1", true),
            ("", "203.0.113.9", false),
            ("none", "127.0.0.1", false),
            ("203.0.113.0/24", "203.0.113.9", true),
            ("203.0.113.0/24", "10.0.0.1", false),
        ] {
            assert_eq!(way(proxies).is_proxy(SocketAddr::new(peer.parse().unwrap(), 1)), expected, "{proxies} {peer}");
        }
    }

    #[test]
    fn limits_go_by_what_one_customer_has() {
        let prefix = |address: &str| {
            let asker = Asker::of(address.parse().unwrap(), 4);
            (asker.prefix().to_string(), asker.wider().0.to_string(), asker.wider().1)
        };
        assert_eq!(prefix("203.0.113.9"), ("203.0.113.9/32".to_owned(), "203.0.113.0/24".to_owned(), 32));
        assert_eq!(prefix("2001:db8:1:2:3::4"), ("2001:db8:1:2::/64".to_owned(), "2001:db8:1::/48".to_owned(), 32));
        assert_ne!(prefix("::ffff:203.0.113.9"), prefix("::ffff:203.0.113.10"));
    }

    #[test]
    fn networks_and_addresses_are_read_and_else_refused() {
        assert_eq!(parse_network(" 10.0.0.7 ").unwrap().to_string(), "10.0.0.7/32");
        assert_eq!(parse_network("fd00::/8").unwrap().to_string(), "fd00::/8");
        for wrong in ["", "10.0.0", "10.0.0.0/33", "chat.example.com", "10.0.0.1:80"] {
            assert!(parse_network(wrong).is_err(), "{wrong}");
        }
    }
}

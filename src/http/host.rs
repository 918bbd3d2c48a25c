//! Under which name a request says that it reached the server, and whether that is one of this server's.
//!
//! A page of another site can have its own name resolved to this server's address, and would then be this server's page for
//! the browser. So only names that nobody outside can point here are answered to; all others are misdirected. Ports are
//! not compared: a name is what an attacker can turn.

use super::{AppState, misdirected};
use crate::{
    authority::{Authority, INNER, Name, is_localhost, of_origin},
    config::Config,
};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, Uri, Version, header},
    middleware::Next,
    response::Response,
};

/// Browsers read what ends like a number as an IPv4 address, and so never send it as a name.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x")
}

/// The names by which this server is reached.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    /// Those of the public address and of the allowed origins.
    set: Vec<Name>,
    /// This machine's own name in its network.
    node: Option<String>,
    /// Whether it listens beyond this machine. Then whoever can turn names in its network can reach it anyway.
    beyond_loopback: bool,
    /// Whether the platform's own names count, whose DNS is the platform's.
    cloud_run: bool,
    /// Where it listens.
    pub port: u16,
}

impl Hosts {
    pub fn new(config: &Config, port: u16) -> Self {
        let origins = config.public_url.iter().chain(&config.allowed_origins.0);
        let node = rustix::system::uname().nodename().to_str().ok().map(str::to_ascii_lowercase);
        Self {
            set: origins.filter_map(|origin| of_origin(origin)).map(|at| at.name().clone()).collect(),
            node: node.filter(|node| !node.is_empty()),
            beyond_loopback: !config.host.to_canonical().is_loopback(),
            cloud_run: config.cloud_run_service.is_some(),
            port,
        }
    }

    /// Whether a request that names this host is meant for this server.
    pub fn serve(&self, name: &Name) -> bool {
        // A page that names an address came from that address itself.
        let Name::Dns(dns) = name else { return true };
        is_localhost(dns)
            || self.set.contains(name)
            || self.cloud_run && dns.ends_with(".run.app")
            || self.is_inner(dns)
    }

    fn is_inner(&self, name: &str) -> bool {
        if self.beyond_loopback {
            return INNER.iter().any(|ending| name.ends_with(ending)) || !name.contains('.') && !ends_in_number(name);
        }
        self.node.as_ref().is_some_and(|node| name.strip_prefix(node).is_some_and(|rest| matches!(rest, "" | ".local")))
    }

    pub fn listen_beyond_loopback(&self) -> bool {
        self.beyond_loopback
    }
}

/// How a request says that it reached the server. Nothing but HTTP/1.0 may say nothing.
#[derive(Debug, Clone, Default)]
pub struct Reached(pub Option<Authority>);

/// A request whose host cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// The rule of RFC 9112, section 3.2: exactly one `Host`, well formed. The target's own authority counts before it.
pub fn reached(version: Version, target: &Uri, headers: &HeaderMap) -> Result<Reached, Malformed> {
    let mut lines = headers.get_all(header::HOST).iter();
    let sent = match (lines.next(), lines.next()) {
        (None, _) if version <= Version::HTTP_10 => None,
        (Some(line), None) => Some(line.to_str().ok().and_then(Authority::parse).ok_or(Malformed)?),
        _ => return Err(Malformed),
    };
    match target.authority() {
        Some(authority) => Authority::parse(authority.as_str()).map(|at| Reached(Some(at))).ok_or(Malformed),
        None => Ok(Reached(sent)),
    }
}

/// Answers only what is meant for this server, before anything else is looked at.
pub async fn check(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let Ok(at) = reached(request.version(), request.uri(), request.headers()) else {
        return misdirected::malformed();
    };
    match &at.0 {
        Some(host) if !state.hosts.serve(host.name()) => misdirected::answer(&state.hosts, host, &request),
        _ => {
            request.extensions_mut().insert(at);
            next.run(request).await
        }
    }
}

#[cfg(test)]
#[path = "host_tests.rs"]
mod tests;

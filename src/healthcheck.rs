//! `hubbub healthcheck`: whether the server on this machine serves, for whoever starts it. Images have no curl.

use crate::{config::Config, http_get::http_get};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

/// How long it may take. Platforms wait for three seconds or more.
const WITHIN: Duration = Duration::from_secs(2);

/// Asks the server that runs with these settings whether people can be sent to it.
///
/// # Errors
/// It does not answer, or says that it does not serve: a line that says so.
pub async fn healthcheck(config: &Config) -> Result<(), String> {
    // What listens on all addresses is asked on this machine's own.
    let host = match config.host {
        IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        host => host,
    };
    let address = SocketAddr::new(host, config.port);
    let answer = http_get(&address.to_string(), "/health/serve", &[("Host", "localhost")], WITHIN).await;
    let answer = answer.map_err(|error| format!("nothing serves on {address}: {error}"))?;
    match answer.status() {
        200 => Ok(()),
        503 => Err(format!("the server on {address} is stopping")),
        _ => Err(format!("what listens on {address} is no Hubbub: it answered {:?}", answer.line)),
    }
}

//! `hubbub healthcheck`: whether the server on this machine serves, for whoever starts it. Images have no curl.

use crate::config::Config;
use std::{
    io::{BufRead, BufReader, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

/// How long each step may take. Platforms wait for three seconds or more.
const WITHIN: Duration = Duration::from_secs(2);

/// Asks the server that runs with these settings whether people can be sent to it.
///
/// # Errors
/// It does not answer, or says that it does not serve: a line that says so.
pub fn healthcheck(config: &Config) -> Result<(), String> {
    // What listens on all addresses is asked on this machine's own.
    let host = match config.host {
        IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        host => host,
    };
    let address = SocketAddr::new(host, config.port);
    let status = ask(address).map_err(|error| format!("nothing serves on {address}: {error}"))?;
    match status.split(' ').nth(1) {
        Some("200") => Ok(()),
        Some("503") => Err(format!("the server on {address} is stopping")),
        _ => Err(format!("what listens on {address} is no Hubbub: it answered {status:?}")),
    }
}

/// The first line of the answer.
fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, WITHIN)?;
    stream.set_read_timeout(Some(WITHIN))?;
    stream.set_write_timeout(Some(WITHIN))?;
    stream.write_all(b"GET /health/serve HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut status = String::new();
    BufReader::new(stream).read_line(&mut status)?;
    Ok(status.trim_end().to_owned())
}

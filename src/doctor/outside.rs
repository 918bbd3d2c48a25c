//! The public URL, as people reach it: the name, the connection, the certificate, and whether what answers there is Hubbub with
//! requests passed on as they came.

use super::{Level, Report};
use crate::{
    authority::of_origin,
    config::Config,
    http_get::{HttpAnswer, ask},
};
use app::protocol::{SUBPROTOCOL, SUBPROTOCOLS};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use url::Url;

/// How long each step may take.
const WITHIN: Duration = Duration::from_secs(3);
/// Any sixteen bytes: no cache keeps the answer to a handshake.
const KEY: &str = "SHViYnViIGxvb2tzIGluIQ==";

/// What was found, unless it is well.
type Judged = Result<(), (Level, String)>;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Takes some seconds at most.
pub(super) async fn look(config: &Config, report: &mut Report) {
    let Some(origin) = &config.public_url else { return };
    match judge(config, origin).await {
        Ok(()) => report.ok("outside", format!("{origin} leads here, and sockets open through it")),
        Err((Level::Warning, says)) => report.warn("outside", says),
        Err((_, says)) => report.fail("outside", says),
    }
}

async fn judge(config: &Config, origin: &str) -> Judged {
    let url = Url::parse(origin).map_err(|error| fault(format!("{origin} is no URL: {error}")))?;
    let page = exchange(&url, &request(&url, "/health/live", "")).await?;
    is_alive(config, origin, &page)?;
    let handshake = format!(
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\
         Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\nOrigin: {origin}\r\n"
    );
    opens(origin, &exchange(&url, &request(&url, "/ws", &handshake)).await?)
}

fn fault(says: String) -> (Level, String) {
    (Level::Error, says)
}

fn request(url: &Url, path: &str, headers: &str) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let host = url.host_str().unwrap_or_default();
    // A handshake says itself what the connection is for.
    let close = if headers.is_empty() { "Connection: close\r\n" } else { "" };
    format!("GET {path} HTTP/1.1\r\nHost: {host}{port}\r\nUser-Agent: hubbub-doctor\r\n{headers}{close}\r\n")
}

/// Asks, over a connection of its own, and says what kept it from being answered.
async fn exchange(url: &Url, request: &str) -> Result<HttpAnswer, (Level, String)> {
    let stream = connect(url).await?;
    within(ask(stream, request)).await.map_err(|error| unanswered(url, &error))
}

fn unanswered(url: &Url, error: &io::Error) -> (Level, String) {
    match error.get_ref().and_then(|error| error.downcast_ref()) {
        Some(error) => fault(not_trusted(url, error)),
        None => fault(format!("{url} takes a connection and does not answer: {error}; look at what listens there")),
    }
}

async fn within<T>(step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(WITHIN, step).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn connect(url: &Url) -> Result<Box<dyn Stream>, (Level, String)> {
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(80));
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = within(lookup_host((bare, port))).await.map_err(|error| {
        fault(format!("{host} has no address ({error}): give it one in the DNS, or correct --public-url"))
    })?;
    let mut last = io::Error::other("it has no address");
    for address in found {
        match within(TcpStream::connect(address)).await {
            Ok(stream) => return secured(url, bare, stream).await,
            Err(error) => last = io::Error::new(error.kind(), format!("{address}: {error}")),
        }
    }
    Err(if last.kind() == io::ErrorKind::ConnectionRefused {
        fault(format!(
            "nothing listens where {url} leads ({last}): start the proxy, or have it listen there, or correct --public-url"
        ))
    } else {
        // Some networks let nobody inside reach their own address from outside.
        let advice =
            "open its port in the firewall, or ask from another network if this one keeps its own address from it";
        (Level::Warning, format!("{url} cannot be reached from here ({last}): {advice}"))
    })
}

async fn secured(url: &Url, host: &str, stream: TcpStream) -> Result<Box<dyn Stream>, (Level, String)> {
    let broken = |error: &dyn std::fmt::Display| fault(format!("TLS to {url} cannot be tried: {error}"));
    if url.scheme() != "https" {
        return Ok(Box::new(stream));
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| broken(&error))?.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|error| broken(&error))?;
    let stream = within(TlsConnector::from(Arc::new(config)).connect(name, stream)).await;
    Ok(Box::new(stream.map_err(|error| unanswered(url, &error))?))
}

/// Why browsers would not take it either.
fn not_trusted(url: &Url, error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(why) => format!(
            "the certificate at {url} is not accepted ({why}): get one for this name, with its whole chain, from an authority that browsers know; one of your own is named by SSL_CERT_FILE here and installed in each browser"
        ),
        rustls::Error::InvalidMessage(_) => {
            format!(
                "what listens at {url} does not speak TLS ({error}): have the proxy end TLS there, or name http:// in --public-url"
            )
        }
        error => format!("TLS to {url} fails ({error}): look at the proxy's certificate and versions of TLS"),
    }
}

/// Whether `/health/live` was answered by Hubbub, under its own name.
fn is_alive(config: &Config, origin: &str, answer: &HttpAnswer) -> Judged {
    let status = answer.status();
    match status {
        200 if answer.header("content-type").is_some_and(|kind| kind.contains("text/html")) => Err(fault(format!(
            "another server answers at {origin} (200 with a page): let the proxy send this name to Hubbub, or correct --public-url"
        ))),
        200 => {
            let told = of_origin(origin).and_then(|at| config.strict_transport_security(&at));
            if told.is_some() && answer.header("strict-transport-security").is_none() {
                return Err((
                    Level::Warning,
                    format!(
                        "the proxy at {origin} does not pass Host on as it came, so that browsers are not told to use HTTPS alone: {HOST}"
                    ),
                ));
            }
            Ok(())
        }
        300..=399 => Err(fault(format!(
            "{origin} sends people on to {}: set --public-url to where they are in the end",
            answer.header("location").unwrap_or("another place")
        ))),
        421 => Err(fault(format!(
            "what {origin} leads to does not take that name for its own: have the proxy pass Host on as it came ({HOST}), and start the server with this --public-url"
        ))),
        502..=504 => Err(fault(format!(
            "the proxy at {origin} finds no server behind it ({status}): start Hubbub, or correct where the proxy sends requests"
        ))),
        _ => Err(fault(format!(
            "another server answers at {origin} ({status}): let the proxy send this name, with all its paths, to Hubbub, or correct --public-url"
        ))),
    }
}

const HOST: &str = "in nginx: proxy_set_header Host $http_host";

/// Whether a socket could be opened. Without a session it is told to sign in, on a socket.
fn opens(origin: &str, answer: &HttpAnswer) -> Judged {
    let is_ours = || {
        answer.header("sec-websocket-protocol").is_some_and(|protocol| protocol.starts_with(SUBPROTOCOLS))
            && answer.header("sec-websocket-accept") == Some(&derive_accept_key(KEY.as_bytes()))
    };
    match answer.status() {
        101 if is_ours() => Ok(()),
        101 => Err(fault(format!("another server opens sockets at {origin}/ws: let the proxy send /ws to Hubbub"))),
        403 => Err(fault(format!(
            "the server behind {origin} takes no sockets from its own pages: have the proxy pass Origin on as it came, and start the server with this --public-url"
        ))),
        426 | 400 => Err(fault(format!(
            "pages come through {origin} and sockets do not: have the proxy pass Upgrade and Connection on, by HTTP/1.1 (in nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\")"
        ))),
        status => Err(fault(format!(
            "{origin}/ws answers with {status} and opens no socket: have the proxy send /ws to Hubbub, Upgrade and Connection included"
        ))),
    }
}

#[cfg(test)]
#[path = "outside_tests.rs"]
mod tests;

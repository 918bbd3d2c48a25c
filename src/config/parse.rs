//! Values of settings. What is no such value is told in a few words, which follow the setting's name.

use super::{Hsts, Origins};
use crate::{
    address::{TrustedProxies, parse_network},
    authority::Authority,
};
use std::time::Duration;
use url::Url;

pub(super) fn parse_hsts(text: &str) -> Result<Hsts, String> {
    if text.trim().eq_ignore_ascii_case("off") {
        return Ok(Hsts(None));
    }
    text.trim().parse().map(|seconds| Hsts(Some(seconds))).map_err(|_| "expected off or a number of seconds".to_owned())
}

pub(super) fn parse_wait(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "expected a duration such as 90s, 55m or 24h".to_owned())
}

pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = parse_wait(text)?;
    if duration < Duration::from_secs(1) { Err("expected at least 1s".to_owned()) } else { Ok(duration) }
}

pub(super) fn parse_factor(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok().filter(|factor| (0.0..=1_000.0).contains(factor));
    factor.ok_or_else(|| "expected a number from 0 to 1000".to_owned())
}

pub(super) fn parse_proxies(text: &str) -> Result<TrustedProxies, String> {
    if text.trim().eq_ignore_ascii_case("none") {
        return Ok(TrustedProxies::Networks(Vec::new()));
    }
    text.split(',').map(parse_network).collect::<Result<_, _>>().map(TrustedProxies::Networks)
}

/// `cargo leptos watch` writes `ON`.
#[allow(clippy::unnecessary_wraps)] // clap's signature
pub(super) fn parse_switch(text: &str) -> Result<bool, String> {
    Ok(matches!(text.to_ascii_lowercase().as_str(), "on" | "true" | "1"))
}

pub(super) fn parse_filter(text: &str) -> Result<String, String> {
    match tracing_subscriber::EnvFilter::builder().parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("expected a filter such as info or hubbub=debug,warn".to_owned()),
    }
}

/// An origin as browsers send it: scheme, host and, if it is not the scheme's own, port; lower case, international names
/// in their ASCII form, without a slash at its end.
pub(super) fn parse_origin(text: &str) -> Result<String, String> {
    let wrong = || "expected an origin such as https://chat.example.com, without a path".to_owned();
    let text = text.trim().trim_end_matches('/');
    // What the parser of URLs would mend silently is not what was meant.
    if !text.contains("://") || text.contains(|c: char| c.is_whitespace() || c.is_control() || "@\\?#".contains(c)) {
        return Err(wrong());
    }
    let url = Url::parse(text).map_err(|_| wrong())?;
    let host = url.host_str().map(|host| host.strip_suffix('.').unwrap_or(host)).ok_or_else(wrong)?;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let authority = Authority::parse(&format!("{host}{port}")).ok_or_else(wrong)?;
    match (url.scheme(), url.path()) {
        (scheme @ ("http" | "https"), "/") => Ok(format!("{scheme}://{}", authority.as_str())),
        _ => Err(wrong()),
    }
}

/// Some of them may be empty, as where a variable of a Compose file is.
pub(super) fn parse_origins(text: &str) -> Result<Origins, String> {
    let set = text.split(',').map(str::trim).filter(|origin| !origin.is_empty());
    set.map(parse_origin).collect::<Result<_, _>>().map(Origins)
}

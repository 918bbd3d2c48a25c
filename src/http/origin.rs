//! Which pages may send requests here. A browser says where a request comes from; a page of another site must not be
//! able to act as the person who happens to be signed in.

use super::{AppState, error::HttpError, host::Reached, visitor::Visitor};
use crate::{config::Config, telemetry::Seldom};
use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// Origins told in the log within a minute.
static REFUSED: Seldom = Seldom::new(8);

/// Whether a request may act. Its `Origin` decides: with a public address it has to be that one or one of the allowed
/// ones, scheme and port included; else the server's own host, as the request names it, will do. Without an `Origin`, as from
/// a client that is no browser, `Sec-Fetch-Site` is the second line.
pub fn allowed(config: &Config, reached: &Reached, headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter().peekable();
    if origins.peek().is_none() {
        return headers
            .get_all("sec-fetch-site")
            .iter()
            .all(|site| !matches!(site.as_bytes(), b"cross-site" | b"same-site"));
    }
    origins.all(|origin| origin.to_str().is_ok_and(|origin| is_ours(config, reached, &origin.to_ascii_lowercase())))
}

fn is_ours(config: &Config, reached: &Reached, origin: &str) -> bool {
    let is = |ours: &str| ours == origin;
    if config.public_url.as_deref().is_some_and(is) || config.allowed_origins.0.iter().any(|ours| is(ours)) {
        return true;
    }
    let Some((scheme @ ("http" | "https"), authority)) = origin.split_once("://") else { return false };
    let default_port = if scheme == "https" { ":443" } else { ":80" };
    let Some(own) = &reached.0 else { return false };
    config.public_url.is_none() && own.as_str().strip_suffix(default_port).unwrap_or(own.as_str()) == authority
}

/// Says in the log which page was refused; `what` it asked for.
pub fn log_refusal(what: &'static str, reached: &Reached, headers: &HeaderMap) {
    let of = |name| headers.get(name).map_or(&b""[..], |value| value.as_bytes()).escape_ascii().to_string();
    let cut = |mut text: String| {
        text.truncate(256);
        text
    };
    let origin = cut(of("origin"));
    if let Some(others) = REFUSED.say(&origin) {
        let (site, host) = (cut(of("sec-fetch-site")), reached.0.as_ref().map_or("", |at| at.as_str()));
        tracing::warn!(
            target: "audit", event = "origin_refused", what, origin, site, host, others,
            "refused a page of another origin; if people use that address, set HUBBUB_PUBLIC_URL or HUBBUB_ALLOWED_ORIGINS"
        );
    }
}

/// Refuses forms of other sites.
pub async fn check_forms(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let reached = request.extensions().get::<Reached>().cloned().unwrap_or_default();
    if reads || allowed(&state.config, &reached, request.headers()) {
        return next.run(request).await;
    }
    log_refusal("form", &reached, request.headers());
    let (mut parts, _) = request.into_parts();
    // For the page that says so.
    let Ok(_) = Visitor::from_request_parts(&mut parts, &state).await;
    HttpError::OriginRefused.into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::Authority;
    use clap::Parser;

    fn ask(sent: &[(&'static str, &str)], host: &str, args: &[&str]) -> bool {
        let config = Config::parse_from(["hubbub"].iter().chain(args));
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(*name, value.parse().unwrap());
        }
        allowed(&config, &Reached(Authority::parse(host)), &headers)
    }

    fn check(origin: &str, host: &str, args: &[&str]) -> bool {
        ask(&[("origin", origin)], host, args)
    }

    const PUBLIC: [&str; 2] = ["--public-url", "https://chat.example.com"];

    #[test]
    fn without_a_public_address_the_own_host_and_allowed_origins_may_in() {
        assert!(check("http://127.0.0.1:3000", "127.0.0.1:3000", &[]));
        assert!(check("https://chat.example.com", "chat.example.com", &[]));
        assert!(check("https://Chat.example.com", "chat.example.com:443", &[]));
        assert!(check("http://[::1]:3000", "[::1]:3000", &[]));
        for (origin, host) in [
            ("https://evil.example", "chat.example.com"),
            ("http://127.0.0.1:3001", "127.0.0.1:3000"),
            ("http://localhost:3000", "127.0.0.1:3000"),
            ("https://chat.example.com", "chat.example.com:80"),
            ("http://chat.example.com:443", "chat.example.com"),
            ("https://chat.example.com.evil.example", "chat.example.com"),
            ("https://user@chat.example.com", "chat.example.com"),
            ("https://chat.example.com/", "chat.example.com"),
            ("null", "127.0.0.1:3000"),
            ("", "127.0.0.1:3000"),
            ("file://127.0.0.1:3000", "127.0.0.1:3000"),
            ("ws://127.0.0.1:3000", "127.0.0.1:3000"),
            ("chrome-extension://127.0.0.1:3000", "127.0.0.1:3000"),
            // HTTP/1.0 without a host: there is none to compare with.
            ("http://127.0.0.1:3000", ""),
        ] {
            assert!(!check(origin, host, &[]), "{origin} {host}");
        }
        assert!(check("https://b.example", "a.example", &["--allowed-origins", "https://c.example,https://b.example"]));
    }

    #[test]
    fn with_a_public_address_its_whole_origin_counts_and_the_host_does_not() {
        for host in ["chat.example.com", "10.0.0.7:8080", "127.0.0.1:3000", ""] {
            assert!(check("https://chat.example.com", host, &PUBLIC), "{host}");
        }
        let with_partner = [&PUBLIC[..], &["--allowed-origins", "http://partner.example"]].concat();
        assert!(check("http://partner.example", "chat.example.com", &with_partner));
        assert!(!check("https://partner.example", "chat.example.com", &with_partner));
        for (origin, host) in [
            ("http://chat.example.com", "chat.example.com"),
            ("https://chat.example.com:8443", "chat.example.com:8443"),
            ("http://127.0.0.1:3000", "127.0.0.1:3000"),
            ("https://10.0.0.7", "10.0.0.7"),
            ("https://hubbub-abc.a.run.app", "hubbub-abc.a.run.app"),
        ] {
            assert!(!check(origin, host, &PUBLIC), "{origin} {host}");
        }
    }

    #[test]
    fn where_there_is_no_origin_the_site_may_not_be_another() {
        let (host, partner) = ("chat.example.com", ["--allowed-origins", "https://partner.example"]);
        for (site, may) in
            [("cross-site", false), ("same-site", false), ("same-origin", true), ("none", true), ("new", true)]
        {
            assert_eq!(ask(&[("sec-fetch-site", site)], host, &PUBLIC), may, "{site}");
        }
        assert!(ask(&[], host, &PUBLIC));
        // An origin that is allowed is of another site; one that is not is not saved by what the site is.
        assert!(ask(&[("origin", "https://partner.example"), ("sec-fetch-site", "cross-site")], host, &partner));
        assert!(!ask(&[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")], host, &PUBLIC));
        // Two origins are one too many, unless both may in.
        assert!(!ask(&[("origin", "https://chat.example.com"), ("origin", "https://evil.example")], host, &PUBLIC));
    }
}

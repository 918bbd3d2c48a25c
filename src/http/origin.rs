//! Which pages may send requests here. A browser says where a request comes from; a page of another site must not be
//! able to act as the person who happens to be signed in.

use super::{AppState, render};
use crate::config::Config;
use app::protocol::ErrorCode;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::Response,
};

/// Whether the request's `Origin` is this server's own host or one of the configured ones. A client that is no browser
/// sends none and may come in: what protects from other pages does not concern it.
pub fn allowed(config: &Config, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let origin = origin.to_ascii_lowercase();
    if config.public_url.as_ref() == Some(&origin) || config.allowed_origins.contains(&origin) {
        return true;
    }
    let Some((scheme @ ("http" | "https"), authority)) = origin.split_once("://") else { return false };
    let default_port = if scheme == "https" { ":443" } else { ":80" };
    let own = headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_ascii_lowercase);
    own.is_some_and(|host| host.strip_suffix(default_port).unwrap_or(&host) == authority)
}

/// Refuses forms of other sites.
pub async fn check_forms(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if reads || allowed(&state.config, request.headers()) {
        return next.run(request).await;
    }
    tracing::info!("refused a form of another origin");
    let (mut parts, _) = request.into_parts();
    render::problem(&state, &mut parts, StatusCode::FORBIDDEN, ErrorCode::OriginRefused).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn check(origin: &str, host: &str, args: &[&str]) -> bool {
        let config = Config::parse_from(["hubbub"].iter().chain(args));
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, origin.parse().unwrap());
        headers.insert(header::HOST, host.parse().unwrap());
        allowed(&config, &headers)
    }

    #[test]
    fn only_the_own_host_and_configured_origins_may_in() {
        assert!(check("http://127.0.0.1:3000", "127.0.0.1:3000", &[]));
        assert!(check("https://chat.example.com", "chat.example.com", &[]));
        assert!(check("https://Chat.example.com", "chat.example.com:443", &[]));
        assert!(!check("https://evil.example", "chat.example.com", &[]));
        assert!(!check("http://127.0.0.1:3001", "127.0.0.1:3000", &[]));
        assert!(!check("null", "127.0.0.1:3000", &[]));
        assert!(!check("file://127.0.0.1:3000", "127.0.0.1:3000", &[]));
        assert!(check("https://chat.example.com", "10.0.0.7:8080", &["--public-url", "https://chat.example.com"]));
        assert!(check("https://b.example", "a.example", &["--allowed-origins", "https://c.example,https://b.example"]));
    }
}

//! The answers to requests that name no host, or one that is not this server's. They are bytes put together: no store, no
//! session, no rendering, since anybody can ask for any number of them.

use super::{host::Hosts, plain, serve::Peer};
use crate::{
    address::{canonical, is_private},
    authority::Authority,
    telemetry::Seldom,
};
use app::i18n::Lang;
use axum::{
    extract::Request,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use std::net::IpAddr;

/// Names told in the log within a minute.
static REFUSED: Seldom = Seldom::new(8);

/// No `Host`, two of them, or one that is none.
pub fn malformed() -> Response {
    let headers = [(header::CACHE_CONTROL, "no-store"), (header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (StatusCode::BAD_REQUEST, headers, "the request does not name one host\n").into_response()
}

/// Says what to set if `host` is what people use.
pub fn answer(hosts: &Hosts, host: &Authority, request: &Request) -> Response {
    let peer = request.extensions().get::<Peer>().map(|Peer(peer)| canonical(peer.ip()));
    let scheme = scheme(hosts, peer, request.headers());
    if let Some(others) = REFUSED.say(host.as_str()) {
        tracing::warn!(
            target: "audit", event = "host_refused", host = host.as_str(), others,
            "{}", sentence(Lang::En, host, scheme)
        );
    }
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let lang = Lang::from_accept_language(header(header::ACCEPT_LANGUAGE));
    let what = sentence(lang, host, scheme);
    let (kind, body) = if header(header::ACCEPT).contains("text/html") {
        ("text/html; charset=utf-8", page(lang, &what, hosts.port))
    } else {
        ("text/plain; charset=utf-8", what + "\n")
    };
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, plain::POLICY),
    ];
    (StatusCode::MISDIRECTED_REQUEST, headers, body).into_response()
}

fn sentence(lang: Lang, host: &Authority, scheme: &str) -> String {
    // Nothing in it needs escaping: it has only letters, digits and `-_.:[]`.
    let host = host.as_str();
    match lang {
        Lang::En => format!(
            "This server has not been told that it is reached as {host}. If you run it, set HUBBUB_PUBLIC_URL={scheme}://{host} and restart it."
        ),
        Lang::Ko => format!(
            "이 서버는 {host} 주소로 열도록 설정되어 있지 않습니다. 운영자라면 HUBBUB_PUBLIC_URL={scheme}://{host} 값을 설정하고 서버를 다시 시작해 주세요."
        ),
    }
}

fn page(lang: Lang, what: &str, port: u16) -> String {
    let here = format!("http://localhost:{port}");
    let (title, or) = match lang {
        Lang::En => ("Not this server’s address", "On the server itself, open"),
        Lang::Ko => ("이 서버의 주소가 아닙니다", "서버가 있는 컴퓨터에서는 이 주소로 열 수 있습니다:"),
    };
    plain::page(lang, title, &format!("<p>{what}</p><p>{or} <a href=\"{here}\">{here}</a></p>"))
}

/// What people most likely use: HTTPS, unless the request came straight from the server's own network.
fn scheme(hosts: &Hosts, peer: Option<IpAddr>, headers: &HeaderMap) -> &'static str {
    let by_proxy =
        headers.get("x-forwarded-proto").is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"));
    if hosts.listen_beyond_loopback() && !by_proxy && peer.is_some_and(|peer| peer.is_loopback() || is_private(peer)) {
        "http"
    } else {
        "https"
    }
}

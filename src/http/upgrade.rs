//! The opening handshake of a WebSocket, by the server (RFC 6455, section 4.2).

use crate::socket::{WebSocket, upgraded};
use axum::{
    body::Body,
    extract::FromRequestParts,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version,
        header::{
            ALLOW, CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
            UPGRADE,
        },
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

const WEBSOCKET: &str = "websocket";
/// The only version there is.
const VERSION: &str = "13";
/// Sixteen bytes in base64.
const KEY_LENGTH: usize = 24;

/// A request to open a WebSocket, in order as far as HTTP goes.
pub struct Upgrade {
    accept: HeaderValue,
    connection: OnUpgrade,
    offers: Vec<String>,
}

impl<S: Sync> FromRequestParts<S> for Upgrade {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        if parts.method != Method::GET {
            return Err((StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET")]).into_response());
        }
        let headers = &parts.headers;
        // An HTTP/1.0 client that asks for an upgrade is not to be taken at its word (RFC 9110, section 7.8).
        let asks = has(headers, &CONNECTION, "upgrade") && has(headers, &UPGRADE, WEBSOCKET);
        if !asks || parts.version < Version::HTTP_11 {
            return Err(required("this is a WebSocket"));
        }
        if only(headers, &SEC_WEBSOCKET_VERSION) != Some(VERSION) {
            return Err(required("Sec-WebSocket-Version is not 13"));
        }
        let Some(key) = only(headers, &SEC_WEBSOCKET_KEY).filter(|key| is_key(key)) else {
            return Err((StatusCode::BAD_REQUEST, "Sec-WebSocket-Key is not 16 bytes in base64").into_response());
        };
        let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes()))
            .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())?;
        let offers = tokens(headers, &SEC_WEBSOCKET_PROTOCOL).map(str::to_owned).collect();
        let connection = parts.extensions.remove().ok_or_else(|| required("this connection cannot be upgraded"))?;
        Ok(Self { accept, connection, offers })
    }
}

impl Upgrade {
    /// The subprotocols that the client offered, in its order.
    pub fn offers(&self) -> &[String] {
        &self.offers
    }

    /// Opens the WebSocket and runs `task` on it. The client is told of `protocol` if it had offered that.
    pub fn run<Task: Future<Output = ()> + Send + 'static>(
        self,
        protocol: &str,
        task: impl FnOnce(WebSocket) -> Task + Send + 'static,
    ) -> Response {
        let Self { accept, connection, offers } = self;
        tokio::spawn(async move {
            match connection.await {
                Ok(connection) => task(upgraded(connection).await).await,
                Err(error) => tracing::debug!(%error, "a connection was lost before it was a socket"),
            }
        });
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        if let (true, Ok(protocol)) = (offers.iter().any(|offer| offer == protocol), HeaderValue::from_str(protocol)) {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        response
    }
}

/// Says what would be served here instead.
fn required(detail: &'static str) -> Response {
    let headers = [(CONNECTION, "upgrade"), (UPGRADE, WEBSOCKET), (SEC_WEBSOCKET_VERSION, VERSION)];
    (StatusCode::UPGRADE_REQUIRED, headers, detail).into_response()
}

/// The elements of a list that may be spread over several lines.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

fn has(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    tokens(headers, name).any(|token| token.eq_ignore_ascii_case(wanted))
}

/// The value of a header that must stand there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut lines = headers.get_all(name).into_iter();
    let (first, second) = (lines.next()?, lines.next());
    if second.is_some() { None } else { first.to_str().ok() }
}

fn is_key(key: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    key.len() == KEY_LENGTH && key.strip_suffix("==").is_some_and(|digits| digits.bytes().all(is_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_sixteen_bytes_in_base64() {
        for key in ["dGhlIHNhbXBsZSBub25jZQ==", "AAAAAAAAAAAAAAAAAAAAAA==", "+/+/+/+/+/+/+/+/+/+/+w=="] {
            assert!(is_key(key), "{key}");
        }
        for key in ["", "abc", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=a", "dGhlIHNhbXBsZSBub25jZQAA=="] {
            assert!(!is_key(key), "{key}");
        }
        for key in ["dGhlIHNhbXBsZSBub25jZ===", "dGhlIHNhbXBsZSBub25j-_==", "dGhlIHNhbXBs ZSBub25jZ=="] {
            assert!(!is_key(key), "{key}");
        }
    }

    #[test]
    fn a_list_may_be_spread_over_lines() {
        let mut headers = HeaderMap::new();
        headers.append(CONNECTION, HeaderValue::from_static("keep-alive, Upgrade"));
        headers.append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("chat"));
        headers.append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("hubbub.v2,hubbub.v1"));
        assert!(has(&headers, &CONNECTION, "upgrade") && !has(&headers, &CONNECTION, "keep"));
        assert_eq!(tokens(&headers, &SEC_WEBSOCKET_PROTOCOL).collect::<Vec<_>>(), ["chat", "hubbub.v2", "hubbub.v1"]);
        assert_eq!(only(&headers, &SEC_WEBSOCKET_PROTOCOL), None);
    }
}

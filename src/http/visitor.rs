//! Who asks: session, language, theme, time zone.

use super::AppState;
use crate::engine::{Session, StoreError, TokenHash};
use app::{i18n::Lang, protocol::Person, theme::Theme};
use axum::{
    extract::{FromRequestParts, OriginalUri},
    http::{HeaderMap, HeaderValue, header, request::Parts},
};
use cookie::{Cookie, SameSite, time::Duration};
use std::{convert::Infallible, time::Instant};

/// Days a browser keeps the session's cookie. The name lapses earlier, when it is not used.
const COOKIE_DAYS: i64 = 30;

pub struct Visitor {
    /// When the store was asked about the session.
    pub asked: Instant,
    /// The session behind the cookie, if there is one and the store says so.
    pub session: Result<Option<Session>, StoreError>,
    pub lang: Lang,
    pub theme: Theme,
    pub zone: String,
    /// Path and query of the request.
    pub here: String,
    /// The fields of the form that this request posts, to be shown again should it fail.
    pub form: Option<Vec<(String, String)>>,
}

impl Visitor {
    pub fn posts<const N: usize>(&mut self, fields: [(&str, String); N]) {
        self.form = Some(fields.map(|(name, value)| (name.to_owned(), value)).into());
    }

    pub fn me(&self) -> Option<&Person> {
        self.session.as_ref().ok()?.as_ref().map(|session| &session.person)
    }
}

impl FromRequestParts<AppState> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let asked = Instant::now();
        let session = match cookie(&parts.headers, session_cookie(state.config.secure_cookies())) {
            Some(token) => state.hub.engine.session(TokenHash::of(&token)).await,
            None => Ok(None),
        };
        let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let lang = cookie(&parts.headers, "lang").and_then(|tag| Lang::from_tag(&tag));
        let lang = lang.unwrap_or_else(|| Lang::from_accept_language(header(header::ACCEPT_LANGUAGE).unwrap_or("")));
        let theme = cookie(&parts.headers, "theme").and_then(|tag| Theme::from_tag(&tag)).unwrap_or_default();
        // Only ever looked up in the time zone database; a name it does not know means UTC.
        let zone = cookie(&parts.headers, "tz").filter(|zone| is_zone(zone)).unwrap_or_else(|| "UTC".to_owned());
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
        let here = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { asked, session, lang, theme, zone, here, form: None })
    }
}

fn is_zone(zone: &str) -> bool {
    zone.len() <= 64 && zone.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_+-".contains(&b))
}

/// Browsers accept a name with this prefix only if it is Secure, of this host alone and for every path.
fn session_cookie(secure: bool) -> &'static str {
    if secure { "__Host-hubbub" } else { "hubbub" }
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(Cookie::split_parse_encoded).filter_map(Result::ok);
    cookies.find(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned())
}

/// A `Set-Cookie` header.
fn set(cookie: &Cookie) -> HeaderValue {
    // Names are ours and values are encoded, so that it is always a header.
    HeaderValue::try_from(cookie.encoded().to_string()).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// A new session's token (256 random bits) and the header that gives it to the browser.
pub fn new_token(secure: bool) -> (String, HeaderValue) {
    let words: [[u8; 8]; 4] = std::array::from_fn(|_| crate::engine::random_id().to_ne_bytes());
    let token = crate::engine::hex(words.as_flattened());
    let cookie = Cookie::build((session_cookie(secure), token.clone()))
        .path("/")
        .http_only(true)
        .secure(secure)
        .same_site(SameSite::Lax)
        .max_age(Duration::days(COOKIE_DAYS));
    (token, set(&cookie.build()))
}

/// The header that takes the session's cookie away.
pub fn no_token(secure: bool) -> HeaderValue {
    let cookie = Cookie::build((session_cookie(secure), "")).path("/").http_only(true).secure(secure);
    set(&cookie.same_site(SameSite::Lax).max_age(Duration::ZERO).build())
}

/// The header that remembers a language or a theme for a year.
pub fn remember(what: &'static str, tag: &'static str, secure: bool) -> HeaderValue {
    let cookie = Cookie::build((what, tag)).path("/").secure(secure).same_site(SameSite::Lax);
    set(&cookie.max_age(Duration::days(365)).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_cookie_is_out_of_reach_for_scripts_and_other_sites() {
        let (token, header) = new_token(true);
        let header = header.to_str().unwrap();
        assert_eq!(token.len(), 64);
        for part in ["__Host-hubbub=", "HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
            assert!(header.contains(part), "{header}");
        }
        assert!(!new_token(false).1.to_str().unwrap().contains("Secure"));
    }

    #[test]
    fn a_cookie_is_found_among_others_and_decoded() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "a=1; tz=Asia%2FSeoul; hubbub=x".parse().unwrap());
        assert_eq!(cookie(&headers, "tz").as_deref(), Some("Asia/Seoul"));
        assert_eq!(cookie(&headers, "b"), None);
        assert!(is_zone("America/Argentina/Buenos_Aires") && !is_zone("../etc/passwd"));
    }
}

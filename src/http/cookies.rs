//! The cookies of this server. Browsers keep them by host alone, whatever the port: the session's name says which port it
//! is for, so that two servers on one machine do not sign each other's people out.

use crate::authority::Authority;
use axum::http::{HeaderMap, HeaderValue, header};
use cookie::{Cookie, SameSite, time::Duration as Days};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// From a sign-in to the end of its session, however much it is used: one that was stolen ends as well.
pub const SESSION_ENDS: Duration = Duration::from_hours(30 * 24);
/// Days a browser keeps the session's cookie: one more, so that it comes back once the session is over and its name is
/// given back. The name lapses earlier, when it is not used.
const COOKIE_DAYS: i64 = 31;
/// Digits of a token that say when it was made, in seconds; random ones follow.
const TIME_DIGITS: usize = 10;
const RANDOM_DIGITS: usize = 64;
/// Ports that are not part of the name: the usual ones, and this server's own.
const PLAIN_PORTS: [u16; 3] = [80, 443, 3000];
const PLAIN: &str = "hubbub";
/// Browsers accept a name with this prefix only if it is Secure, of this host alone and for every path.
const HOST_ONLY: &str = "__Host-";
/// Sessions that the store is asked about for one request: of other servers on this host, too, a browser may have some.
const TOKENS_MAX: usize = 4;

/// How the session's cookie is kept for those who reach the server in one way.
#[derive(Debug, Clone)]
pub struct Jar {
    pub secure: bool,
    name: String,
}

/// A session's token, and the name of the cookie it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub cookie: String,
    pub value: String,
}

impl Token {
    /// For how long its session has been over at `now`; `None` while it goes on. Only the token's hash is known to the
    /// store, so that a token with another time in it is another token. One from before tokens had times has no end.
    pub fn over_for(&self, now: SystemTime) -> Option<Duration> {
        let time = self.value.get(..TIME_DIGITS).filter(|_| self.value.len() == TIME_DIGITS + RANDOM_DIGITS)?;
        let opened = Duration::from_secs(u64::from_str_radix(time, 16).ok()?);
        now.duration_since(UNIX_EPOCH).ok()?.checked_sub(opened)?.checked_sub(SESSION_ENDS)
    }
}

impl Jar {
    pub fn new(secure: bool, at: Option<&Authority>) -> Self {
        let prefix = if secure { HOST_ONLY } else { "" };
        let port = at.and_then(Authority::port).filter(|port| !PLAIN_PORTS.contains(port));
        let suffix = port.map(|port| format!("_{port}")).unwrap_or_default();
        Self { secure, name: format!("{prefix}{PLAIN}{suffix}") }
    }

    /// What may be this server's session, the likeliest first: by its name, by the name without a port, which it had
    /// before names had ports, then by any other's port, where another instance may be. Over HTTPS nothing counts that
    /// another host could have set.
    pub fn tokens(&self, headers: &HeaderMap) -> Vec<Token> {
        let rank = |name: &str| {
            let bare = name.strip_prefix(HOST_ONLY);
            let of_port = bare.unwrap_or(name).strip_prefix(PLAIN)?;
            let is_ours =
                of_port.is_empty() || of_port.strip_prefix('_').is_some_and(|port| port.parse::<u16>().is_ok());
            (is_ours && (bare.is_some() || !self.secure)).then(|| match name {
                _ if name == self.name => 0,
                _ if of_port.is_empty() => 1 + u8::from(bare.is_some() != self.secure),
                _ => 3,
            })
        };
        let mut found: Vec<(u8, Token)> = Vec::new();
        for cookie in all(headers) {
            let token = Token { cookie: cookie.name().to_owned(), value: cookie.value().to_owned() };
            if let Some(rank) = rank(cookie.name())
                && !token.value.is_empty()
                && found.iter().all(|(_, other)| other.value != token.value)
            {
                found.push((rank, token));
            }
        }
        found.sort_by_key(|(rank, _)| *rank);
        found.truncate(TOKENS_MAX);
        found.into_iter().map(|(_, token)| token).collect()
    }

    /// A new session's token (the time and 256 random bits) and the header that gives it to the browser.
    pub fn new_token(&self, random: impl Fn() -> u64) -> (String, HeaderValue) {
        let words: [[u8; 8]; 4] = std::array::from_fn(|_| random().to_ne_bytes());
        let opened = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let token = format!("{opened:0TIME_DIGITS$x}{}", crate::digest::hex(words.as_flattened()));
        let cookie = Cookie::build((self.name.as_str(), token.as_str())).path("/").http_only(true).secure(self.secure);
        let cookie = set(&cookie.same_site(SameSite::Lax).max_age(Days::days(COOKIE_DAYS)).build());
        (token, cookie)
    }

    /// The headers that take the session's cookie away: the one of this server, and the one that the session came in.
    pub fn forget(&self, came_in: Option<&str>) -> Vec<HeaderValue> {
        let other = came_in.filter(|name| *name != self.name);
        let gone = |name: &str| {
            let secure = self.secure || name.starts_with(HOST_ONLY);
            let cookie = Cookie::build((name, "")).path("/").http_only(true).secure(secure).same_site(SameSite::Lax);
            set(&cookie.max_age(Days::ZERO).build())
        };
        std::iter::once(self.name.as_str()).chain(other).map(gone).collect()
    }

    /// The header that remembers a language, a theme or a density for a year.
    pub fn remember(&self, what: &'static str, tag: &'static str) -> HeaderValue {
        let cookie = Cookie::build((what, tag)).path("/").secure(self.secure).same_site(SameSite::Lax);
        set(&cookie.max_age(Days::days(365)).build())
    }
}

fn all(headers: &HeaderMap) -> impl Iterator<Item = Cookie<'_>> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(Cookie::split_parse_encoded).filter_map(Result::ok)
}

/// Whether a request carries a cookie that may be a session's, of this server or another on this host.
pub fn may_hold_session(headers: &HeaderMap) -> bool {
    all(headers).any(|cookie| cookie.name().strip_prefix(HOST_ONLY).unwrap_or(cookie.name()).starts_with(PLAIN))
}

/// The value of a cookie that holds no session.
pub fn value(headers: &HeaderMap, name: &str) -> Option<String> {
    all(headers).find(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned())
}

/// A `Set-Cookie` header.
fn set(cookie: &Cookie) -> HeaderValue {
    // Names are ours and values are encoded, so that it is always a header.
    HeaderValue::try_from(cookie.encoded().to_string()).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jar(secure: bool, host: &str) -> Jar {
        Jar::new(secure, Authority::parse(host).as_ref())
    }

    fn sent(cookies: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, cookies.parse().unwrap())])
    }

    #[test]
    fn the_session_cookie_is_out_of_reach_for_scripts_and_other_sites() {
        let (token, header) = jar(true, "chat.example.com").new_token(|| 0x0123_4567_89AB_CDEF);
        let header = header.to_str().unwrap();
        assert_eq!(token.len(), TIME_DIGITS + RANDOM_DIGITS);
        for part in ["__Host-hubbub=", "HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
            assert!(header.contains(part), "{header}");
        }
        assert!(!jar(false, "localhost").new_token(|| 0x0123_4567_89AB_CDEF).1.to_str().unwrap().contains("Secure"));
    }

    #[test]
    fn a_token_says_when_its_session_ends() {
        let now = SystemTime::now();
        let over_for = |value: &str, now| Token { cookie: String::new(), value: value.to_owned() }.over_for(now);
        let (token, _) = jar(false, "localhost").new_token(|| 0x0123_4567_89AB_CDEF);
        let (minute, day) = (Duration::from_mins(1), Duration::from_hours(24));
        assert_eq!(over_for(&token, now), None);
        assert_eq!(over_for(&token, now + SESSION_ENDS - minute), None);
        // The token says the whole second in which it was made.
        let most = minute + Duration::from_secs(1);
        assert!(over_for(&token, now + SESSION_ENDS + minute).is_some_and(|over| over <= most));
        assert_eq!(over_for(&token, now - day), None, "a clock that was set back");
        for other in [&token[TIME_DIGITS..], "", "가", &"가".repeat(25), &format!("zz{}", &token[2..])] {
            assert_eq!(over_for(other, now + SESSION_ENDS * 2), None, "{other}");
        }
    }

    #[test]
    fn a_port_of_ones_own_is_part_of_the_name() {
        for (host, name) in [
            ("localhost", "hubbub"),
            ("localhost:80", "hubbub"),
            ("chat.example.com:443", "hubbub"),
            ("localhost:3000", "hubbub"),
            ("localhost:3001", "hubbub_3001"),
            ("[::1]:8080", "hubbub_8080"),
            ("", "hubbub"),
        ] {
            assert_eq!(jar(false, host).name, name, "{host}");
            assert_eq!(jar(true, host).name, format!("__Host-{name}"), "{host}");
        }
    }

    #[test]
    fn a_session_is_looked_for_under_its_own_name_first() {
        let found = |secure, host: &str, cookies: &str| {
            let tokens = jar(secure, host).tokens(&sent(cookies));
            tokens.into_iter().map(|token| token.value).collect::<Vec<_>>()
        };
        let cookies = "hubbub_9=d; x=0; hubbub=b; hubbub_8080=a; __Host-hubbub=c; hubbub_x=0; hubbubs=0; lang=ko";
        assert_eq!(found(false, "localhost:8080", cookies), ["a", "b", "c", "d"]);
        assert_eq!(found(true, "chat.example.com", cookies), ["c"]);
        assert_eq!(
            found(true, "chat.example.com:8443", "__Host-hubbub_8443=a; hubbub_8443=x; __Host-hubbub=b"),
            ["a", "b"]
        );
        assert_eq!(found(false, "localhost", "hubbub=a; hubbub=a; hubbub=b; hubbub="), ["a", "b"]);
        let many: String =
            (1..=100).map(|port| ["hubbub_", &port.to_string(), "=", &port.to_string(), "; "].concat()).collect();
        assert_eq!(found(false, "localhost", &many).len(), TOKENS_MAX);
    }

    #[test]
    fn a_request_without_a_session_is_known_by_its_cookies() {
        for cookies in ["hubbub=a", "x=0; hubbub_8080=a", "__Host-hubbub=a", "__Host-hubbub_8443=a; lang=ko"] {
            assert!(may_hold_session(&sent(cookies)), "{cookies}");
        }
        assert!(!may_hold_session(&sent("lang=ko; tz=hubbub")) && !may_hold_session(&HeaderMap::new()));
    }

    #[test]
    fn signing_out_takes_away_what_it_read_and_nothing_else() {
        let names = |secure, host: &str, came_in: Option<&str>| {
            let headers = jar(secure, host).forget(came_in);
            headers
                .iter()
                .map(|header| header.to_str().unwrap().split('=').next().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(false, "localhost:8080", None), ["hubbub_8080"]);
        assert_eq!(names(false, "localhost:8080", Some("hubbub_8080")), ["hubbub_8080"]);
        assert_eq!(names(false, "localhost:8080", Some("hubbub")), ["hubbub_8080", "hubbub"]);
        let gone = jar(false, "localhost").forget(Some("__Host-hubbub"));
        assert!(gone[1].to_str().unwrap().contains("Secure"), "else browsers ignore it");
    }

    #[test]
    fn a_cookie_is_found_among_others_and_decoded() {
        let headers = sent("a=1; tz=Asia%2FSeoul; hubbub=x");
        assert_eq!(value(&headers, "tz").as_deref(), Some("Asia/Seoul"));
        assert_eq!(value(&headers, "b"), None);
    }
}

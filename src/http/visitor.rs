//! Who asks: session, language, theme, time zone.

use super::{
    AppState, cookies,
    cookies::Jar,
    error::HttpError,
    form::{Fields, Posted, Typed},
    host::Reached,
    pages,
    serve::Peer,
};
use crate::{
    address::Asker,
    limits::Limits,
    store::{Session, StoreError, TokenHash},
};
use app::{clock, density::Density, domain::RoomName, i18n::Lang, protocol::Person, theme::Theme};
use axum::{
    extract::{FromRequest, FromRequestParts, OriginalUri, Request},
    http::{HeaderName, HeaderValue, Method, header, request::Parts},
    response::{IntoResponse, Response},
};
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};
use tokio::time::Instant;

/// Whoever asks, be they signed in or not.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// From where.
    pub asker: Asker,
    /// When the store was asked about the session.
    pub asked: Instant,
    /// The session behind the cookie, if there is one and the store says so.
    pub session: Result<Option<Session>, StoreError>,
    /// The name of that cookie.
    pub came_in: Option<String>,
    /// How this visitor's browser keeps cookies.
    pub jar: Jar,
    pub lang: Lang,
    pub theme: Theme,
    pub density: Density,
    /// Empty as long as it is not known.
    pub zone: String,
    /// Whether the time is told by twice twelve hours.
    pub halves: bool,
    /// The encodings that the browser takes.
    pub encodings: Option<HeaderValue>,
    /// Whether a page's data is wanted rather than the page.
    pub wants_data: bool,
    /// Where the server seems to be for the browser, as far as the request tells.
    pub origin: String,
    /// Path and query of the request.
    pub here: String,
    /// What is read of the form that this request posts; `None` if it posts none.
    pub typed: Option<Typed>,
    /// A page was counted for this request.
    booked: Arc<AtomicBool>,
}

/// Who asked, beside the request: whoever answers in place of a handler does not ask the store again.
#[derive(Debug, Clone, Default)]
pub struct Known(pub Arc<OnceLock<Visitor>>);

impl Visitor {
    /// The fields of the form that this request posts, to be shown again as it was not taken; `None` if it posts none.
    pub fn form(&self) -> Option<Vec<(String, String)>> {
        self.typed.as_ref().map(|typed| typed.shown().unwrap_or_default())
    }

    pub fn me(&self) -> Option<&Person> {
        self.session.as_ref().ok()?.as_ref().map(|session| &session.person)
    }

    /// Whoever asks, without a question to the store: nobody is signed in.
    pub fn stranger(parts: &Parts, state: &AppState) -> Self {
        let at = parts.extensions.get::<Reached>().and_then(|reached| reached.0.as_ref());
        let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let lang = cookies::value(&parts.headers, "lang").and_then(|tag| Lang::from_tag(&tag));
        // Only ever looked up in the time zone database.
        let zone = cookies::value(&parts.headers, "tz").filter(|zone| is_zone(zone) && clock::is_zone(zone));
        let lang = lang.unwrap_or_else(|| Lang::from_accept_language(header(header::ACCEPT_LANGUAGE).unwrap_or("")));
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
        // A request that came over no connection is this process' own.
        let peer = parts.extensions.get().map_or(SocketAddr::from(([127, 0, 0, 1], 0)), |Peer(peer)| *peer);
        let secure = state.config.secure_cookies(at);
        let https = secure || header(HeaderName::from_static("x-forwarded-proto")) == Some("https");
        Self {
            asker: state.limits.asker(peer, &parts.headers),
            asked: Instant::now(),
            session: Ok(None),
            came_in: None,
            jar: Jar::new(secure, at),
            lang,
            halves: lang
                .halves(cookies::value(&parts.headers, "hc").as_deref(), header(header::ACCEPT_LANGUAGE).unwrap_or("")),
            theme: cookies::value(&parts.headers, "theme").and_then(|tag| Theme::from_tag(&tag)).unwrap_or_default(),
            density: cookies::value(&parts.headers, "density")
                .and_then(|tag| Density::from_tag(&tag))
                .unwrap_or_default(),
            zone: zone.unwrap_or_default(),
            encodings: parts.headers.get(header::ACCEPT_ENCODING).cloned(),
            wants_data: header(header::ACCEPT) == Some("application/json"),
            origin: at.map(|at| [if https { "https://" } else { "http://" }, at.as_str()].concat()).unwrap_or_default(),
            here: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            typed: (parts.method == Method::POST).then(|| parts.extensions.get().cloned().unwrap_or_default()),
            booked: Arc::default(),
        }
    }

    /// Waits for the turn of the page that answers this request, whatever it is. Each counts once.
    ///
    /// # Errors
    /// It would be too long.
    pub async fn book(&self, limits: &Limits) -> Result<(), HttpError> {
        if self.booked.load(Ordering::Relaxed) {
            return Ok(());
        }
        let session = self.session.as_ref().ok().and_then(Option::as_ref).map(|session| session.token);
        limits.page(session, &self.asker).await.map_err(|_| HttpError::Busy)?;
        self.booked.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl FromRequestParts<AppState> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let known = parts.extensions.get::<Known>().cloned().unwrap_or_default();
        if let Some(visitor) = known.0.get() {
            return Ok(visitor.clone());
        }
        let mut visitor = Self::stranger(parts, state);
        for token in visitor.jar.tokens(&parts.headers) {
            let hash = TokenHash::of(&token.value);
            let session = state.chat.session(hash).await;
            if let Some(over) = token.over_for(SystemTime::now()) {
                // The name is free again. After so long a time the token can only be known if a clock is wrong, by which
                // nobody's session is ended for good.
                if over < cookies::SESSION_ENDS && matches!(session, Ok(Some(_))) {
                    state.chat.give_up(hash).await;
                }
                continue;
            }
            visitor.session = session;
            if !matches!(visitor.session, Ok(None)) {
                visitor.came_in = Some(token.cookie);
                break;
            }
        }
        Ok(known.0.get_or_init(|| visitor).clone())
    }
}

/// Somebody who asks for a page, when it is their turn.
pub struct Reader(pub Visitor);

impl FromRequestParts<AppState> for Reader {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, HttpError> {
        let Ok(visitor) = Visitor::from_request_parts(parts, state).await;
        visitor.book(&state.limits).await?;
        Ok(Self(visitor))
    }
}

/// Somebody who is signed in; for a page, when it is their turn.
pub struct CurrentUser {
    pub visitor: Visitor,
    pub session: Session,
}

impl FromRequestParts<AppState> for CurrentUser {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, HttpError> {
        let Ok(visitor) = Visitor::from_request_parts(parts, state).await;
        let posts = visitor.typed.is_some();
        if !posts {
            visitor.book(&state.limits).await?;
        }
        match visitor.session.clone()? {
            Some(session) => Ok(Self { visitor, session }),
            None => Err(if posts { HttpError::SessionExpired } else { HttpError::SignedOut }),
        }
    }
}

/// A form of somebody who is signed in. It is read before they are known, so that what they typed is kept where nobody is.
pub struct Submitted<const MAX: usize> {
    pub user: CurrentUser,
    pub form: Fields,
}

impl<const MAX: usize> FromRequest<AppState> for Submitted<MAX> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let Posted(form) = Posted::<MAX>::from_request(Request::from_parts(parts.clone(), body), state).await?;
        let user = CurrentUser::from_request_parts(&mut parts, state).await.map_err(HttpError::into_response)?;
        Ok(Self { user, form })
    }
}

/// The room that the address names.
pub struct RoomPath(pub RoomName);

impl<S: Sync> FromRequestParts<S> for RoomPath {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, HttpError> {
        pages::room_of(&parts.uri).map(Self)
    }
}

fn is_zone(zone: &str) -> bool {
    zone.len() <= 64 && zone.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_+-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_zone_is_a_name_and_no_path() {
        assert!(is_zone("America/Argentina/Buenos_Aires") && !is_zone("../etc/passwd"));
    }
}

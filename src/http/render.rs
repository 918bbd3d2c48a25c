//! A screen as a page, with its security headers.

use super::{
    AppState, Site, busy,
    error::HttpError,
    form::Typed,
    host::Reached,
    visitor::{Known, Visitor},
};
use crate::telemetry::Seldom;
use app::{
    page::{PageData, Problem, Screen},
    protocol::ErrorCode,
    view::document,
};
use axum::{
    Json,
    body::Body,
    extract::{FromRequestParts, State},
    http::{HeaderName, HeaderValue, Request, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use leptos::config::LeptosOptions;
use leptos::nonce::{Nonce, use_nonce};
use std::{
    future::ready,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::runtime::Handle;
use tower::ServiceExt;
use tower_http::compression::Compression;

/// How long a page about a failure waits to know who asked.
const KNOWN_WITHIN: Duration = Duration::from_secs(1);

/// What decides about a page besides its address.
const VARIES: &str = "Cookie, Accept-Language, Accept";

/// Marks an answer that is a page already.
#[derive(Clone)]
struct IsPage;

/// Renders `screen` for `visitor`.
pub async fn screen(state: &AppState, visitor: &Visitor, status: StatusCode, mut screen: Screen) -> Response {
    // A form that is refused is answered by a page as well.
    if visitor.book(&state.limits).await.is_err() {
        return busy::page(visitor);
    }
    // Whoever comes without the link to a room is shown where people are.
    if let Screen::Door(door) = &mut screen
        && state.config.lively_rooms > 0
        && door.room.is_empty()
    {
        door.lively = state.chat.lively(state.config.lively_rooms.into()).await;
    }
    let page = PageData {
        lang: visitor.lang,
        theme: visitor.theme,
        density: visitor.density,
        zone: visitor.zone.clone(),
        halves: visitor.halves,
        build: state.site.build.to_string(),
        me: visitor.me().cloned(),
        origin: state.config.public_url.clone().unwrap_or_else(|| visitor.origin.clone()),
        here: visitor.here.clone(),
        now: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0)),
        notice: state.chat.hub.notice.text().map(|text| text.to_string()),
        screen,
    }
    .admitted();
    let (site, encodings, wants_data) = (state.site.clone(), visitor.encodings.clone(), visitor.wants_data);
    let runtime = Handle::current();
    let work = move || {
        runtime.block_on(async {
            let page = if wants_data { data(&page, status) } else { rendered(page, site, status).await };
            compressed(page, encodings).await
        })
    };
    let page = state.turns.take(visitor.me().is_some(), work).await;
    let mut page = page.unwrap_or_else(|| busy::page(visitor));
    page.extensions_mut().insert(IsPage);
    page
}

/// What a page is rendered from: for its script, where something on the way or in the browser changed the page.
fn data(page: &PageData, status: StatusCode) -> Response {
    let headers = [
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-store, no-transform")),
        (header::VARY, HeaderValue::from_static(VARIES)),
    ];
    let mut data = (status, headers, Json(page)).into_response();
    data.extensions_mut().insert(IsPage);
    data
}

async fn rendered(page: PageData, site: Arc<Site>, status: StatusCode) -> Response {
    // Nothing on the way may change a page: what was cut out or put in would be taken for what somebody wrote. A room is not
    // kept at all, so that nobody finds it by going back after a sign-out; what was typed at the door is.
    let kept = match &page.screen {
        Screen::Room(_) | Screen::Rooms(_) | Screen::People(_) => "private, no-store, no-transform",
        Screen::Door(_) | Screen::Problem(_) => "private, no-cache, no-transform",
    };
    let reload = site.assets.reload.clone();
    let nonce: Arc<OnceLock<Nonce>> = Arc::default();
    let (page, used) = (Arc::new(page), nonce.clone());
    let render = leptos_axum::render_app_async_with_context(
        || {},
        move || {
            let nonce = used.get_or_init(|| use_nonce().unwrap_or_default());
            document(PageData::clone(&page), &site.assets, nonce.clone())
        },
    );
    // The page's own address is in `page.here`; leptos reads nothing from the request.
    let mut response = render(Request::new(Body::empty())).await;
    *response.status_mut() = status;
    let csp = content_security_policy(nonce.get().map_or("", |nonce| nonce), reload.as_ref());
    let headers = response.headers_mut();
    if let Ok(csp) = HeaderValue::try_from(csp) {
        headers.insert(header::CONTENT_SECURITY_POLICY, csp);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    headers.insert(header::VARY, HeaderValue::from_static(VARIES));
    response
}

/// The whole page as it is to be sent: the router would compress it as well, but between other connections.
async fn compressed(page: Response, encodings: Option<HeaderValue>) -> Response {
    let mut asked = Request::new(Body::empty());
    if let Some(encodings) = encodings {
        asked.headers_mut().insert(header::ACCEPT_ENCODING, encodings);
    }
    let mut page = Some(page);
    let answers = tower::service_fn(move |_| ready(page.take().ok_or(PageIsGone)));
    let Ok(answer) = Compression::new(answers).oneshot(asked).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let (parts, body) = answer.into_parts();
    match axum::body::to_bytes(Body::new(body), usize::MAX).await {
        Ok(bytes) => Response::from_parts(parts, bytes.into()),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// It was asked for twice, which does not happen.
struct PageIsGone;

/// Renders the page that says what went wrong.
pub async fn problem(
    state: &AppState,
    visitor: &Visitor,
    status: StatusCode,
    code: ErrorCode,
    room: Option<String>,
) -> Response {
    let address = state.config.public_url.clone().filter(|_| code == ErrorCode::OriginRefused);
    let problem = Problem { status: status.as_u16(), code, room, form: visitor.form(), address };
    screen(state, visitor, status, Screen::Problem(problem)).await
}

/// Answers with a page, in the language of whoever asked and with what they typed, where there is none yet: what handlers
/// return as [`HttpError`]; and, for those who asked for a page, what comes of a handler that broke or was given up, of a form
/// that could not be read, or of a method that there is none for.
pub async fn failures_as_pages(State(state): State<AppState>, mut request: Request<Body>, next: Next) -> Response {
    let accepts = |accept: &HeaderValue| accept.to_str().is_ok_and(|accept| accept.contains("text/html"));
    let wants_page = request.headers().get(header::ACCEPT).is_some_and(accepts);
    let (typed, known) = (Typed::default(), Known::default());
    request.extensions_mut().insert(typed.clone());
    request.extensions_mut().insert(known.clone());
    let (parts, body) = request.into_parts();
    let asked = wants_page.then(|| parts.clone());
    let mut bare = next.run(Request::from_parts(parts, body)).await;
    let error = bare.extensions_mut().remove::<HttpError>();
    // Extractors know the visitor before anything else.
    let mut page = if let (Some(error), Some(visitor)) = (error, known.0.get()) {
        error.page(&state, visitor).await
    } else {
        let code = match bare.status() {
            StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE => ErrorCode::BadRequest,
            StatusCode::METHOD_NOT_ALLOWED => ErrorCode::NotFound,
            StatusCode::REQUEST_TIMEOUT => ErrorCode::TooSlow,
            StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::TooLarge,
            StatusCode::INTERNAL_SERVER_ERROR => ErrorCode::Internal,
            _ => return bare,
        };
        let Some(mut parts) = asked.filter(|_| bare.extensions().get::<IsPage>().is_none()) else { return bare };
        let visitor = tokio::time::timeout(KNOWN_WITHIN, Visitor::from_request_parts(&mut parts, &state)).await;
        let mut visitor = match visitor {
            Ok(Ok(visitor)) => visitor,
            Err(_) => Visitor::stranger(&parts, &state),
        };
        // A form of which nothing was read cannot be sent again.
        visitor.typed = Some(typed).filter(|typed| typed.shown().is_some());
        problem(&state, &visitor, bare.status(), code, None).await
    };
    for name in [header::ALLOW, header::CONNECTION] {
        if let Some(value) = bare.headers().get(&name) {
            page.headers_mut().insert(name, value.clone());
        }
    }
    page
}

/// Logs what a store that is full or away made of a request: once a minute of each kind, since all requests may meet it.
pub fn log_failed(what: &'static str, error: &impl std::fmt::Display) {
    static FAILED: Seldom = Seldom::new(8);
    if let Some(others) = FAILED.say(what) {
        tracing::warn!(%error, others, "{what}");
    }
}

/// The answer, once it is worth another try after `wait`.
pub fn come_back(mut response: Response, wait: Duration) -> Response {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    response
}

/// Scripts and styles come only from this server's files or with the page's nonce; nothing is loaded from anywhere else.
fn content_security_policy(nonce: &str, reload: Option<&LeptosOptions>) -> String {
    // Live reload connects to another port of the developer's machine.
    let reload = reload.map(|options| options.reload_port);
    let reload = reload.map(|port| format!(" ws://localhost:{port} ws://127.0.0.1:{port}")).unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; style-src 'self' 'nonce-{nonce}'; \
         img-src 'self' data:; font-src 'self'; connect-src 'self'{reload}; manifest-src 'self'; worker-src 'self'; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
}

/// Headers of every answer.
pub async fn common_headers(State(state): State<AppState>, request: Request<Body>, next: Next) -> Response {
    const HEADERS: [(HeaderName, &str); 7] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Pages and the few files that are documents have policies of their own.
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // A form that is refused leads back to where it came from, within this server.
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ];
    let at = super::host::reached(request.version(), request.uri(), request.headers()).ok().and_then(|Reached(at)| at);
    let https_only = at.and_then(|at| state.config.strict_transport_security(&at));
    let is_of_a_room = request.uri().path().starts_with("/r/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if let Some(value) = https_only.and_then(|value| HeaderValue::try_from(value).ok()) {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    if is_of_a_room {
        headers.insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex"));
    }
    response
}

/// See other: where a form leads when it was accepted.
pub fn see_other(path: &str) -> Response {
    match HeaderValue::try_from(path) {
        Ok(location) => (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Where something is for now; no browser keeps that.
pub fn elsewhere(path: String) -> Response {
    let no_store = HeaderValue::from_static("no-store");
    match HeaderValue::try_from(path) {
        Ok(location) => {
            let headers = [(header::LOCATION, location), (header::CACHE_CONTROL, no_store)];
            (StatusCode::TEMPORARY_REDIRECT, headers).into_response()
        }
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{chat::Chat, config::Config, open_engine};
    use clap::Parser;
    use std::{num::NonZero, sync::mpsc, thread::available_parallelism};

    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_page_is_made_from_waits_for_its_turn_as_pages_do() {
        let dir = tempfile::TempDir::new().unwrap();
        std::fs::create_dir(dir.path().join("pkg")).unwrap();
        for kind in ["css", "js", "wasm"] {
            std::fs::write(dir.path().join("pkg").join(format!("hubbub.{kind}")), kind).unwrap();
        }
        let config =
            Config::parse_from(["hubbub".as_ref(), "--data-dir".as_ref(), dir.path().join("data").as_os_str()]);
        let engine = open_engine(&config).await.unwrap();
        let site = Site::open(dir.path().to_owned(), None).unwrap();
        let state = AppState::new(Chat::start(engine, &config), config, site, 3000);
        let asked = Request::get("/").header(header::ACCEPT, "application/json").body(()).unwrap();
        let visitor = Visitor::stranger(&asked.into_parts().0, &state);
        let ask = || problem(&state, &visitor, StatusCode::NOT_FOUND, ErrorCode::NotFound, None);

        let (mut ends, mut taken) = (Vec::new(), Vec::new());
        for _ in 0..available_parallelism().map_or(1, NonZero::get) {
            let ((begun, has_begun), (end, ended)) = (mpsc::channel(), mpsc::channel::<()>());
            let turns = state.turns.clone();
            let work = move || {
                let _ = begun.send(());
                let _ = ended.recv();
            };
            taken.push(tokio::spawn(async move { turns.take(true, work).await }));
            tokio::task::block_in_place(|| has_begun.recv().unwrap());
            ends.push(end);
        }
        assert_eq!(ask().await.status(), StatusCode::SERVICE_UNAVAILABLE);
        drop(ends);
        futures_util::future::join_all(taken).await;
        let answer = ask().await;
        assert_eq!(
            (answer.status(), &answer.headers()[header::CONTENT_TYPE]),
            (StatusCode::NOT_FOUND, &HeaderValue::from_static("application/json"))
        );
    }
}

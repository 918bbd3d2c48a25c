//! A screen as a page, with its security headers.

use super::{AppState, visitor::Visitor};
use app::{
    page::{PageData, Problem, Screen},
    protocol::ErrorCode,
    view::document,
};
use axum::{
    body::Body,
    extract::{FromRequestParts, State},
    http::{HeaderName, HeaderValue, Request, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use leptos::config::LeptosOptions;
use leptos::nonce::{Nonce, use_nonce};
use std::{
    sync::{Arc, OnceLock},
    time::{SystemTime, UNIX_EPOCH},
};

/// Renders `screen` for `visitor`.
pub async fn screen(state: &AppState, visitor: &Visitor, status: StatusCode, screen: Screen) -> Response {
    let page = PageData {
        lang: visitor.lang,
        theme: visitor.theme,
        zone: visitor.zone.clone(),
        build: state.site.build.to_string(),
        me: visitor.me().cloned(),
        here: visitor.here.clone(),
        now: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0)),
        screen,
    };
    let nonce: Arc<OnceLock<Nonce>> = Arc::default();
    let (page, site, used) = (Arc::new(page), state.site.clone(), nonce.clone());
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
    let csp = content_security_policy(nonce.get().map_or("", |nonce| nonce), state.site.assets.reload.as_ref());
    let headers = response.headers_mut();
    if let Ok(csp) = HeaderValue::try_from(csp) {
        headers.insert(header::CONTENT_SECURITY_POLICY, csp);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("Cookie, Accept-Language"));
    response
}

/// Renders the page that says what went wrong.
pub async fn problem(state: &AppState, parts: &mut Parts, status: StatusCode, code: ErrorCode) -> Response {
    let Ok(visitor) = Visitor::from_request_parts(parts, state).await;
    problem_for(state, &visitor, status, code, None).await
}

pub async fn problem_for(
    state: &AppState,
    visitor: &Visitor,
    status: StatusCode,
    code: ErrorCode,
    room: Option<String>,
) -> Response {
    let problem = Problem { status: status.as_u16(), code, room, form: visitor.form.clone() };
    screen(state, visitor, status, Screen::Problem(problem)).await
}

/// A handler that broke leaves a bare answer: whoever asked for a page gets one, in their language.
pub async fn broken_as_page(State(state): State<AppState>, request: Request<Body>, next: Next) -> Response {
    let accepts = |accept: &HeaderValue| accept.to_str().is_ok_and(|accept| accept.contains("text/html"));
    let page = request.headers().get(header::ACCEPT).is_some_and(accepts);
    let (parts, body) = request.into_parts();
    let asked = page.then(|| parts.clone());
    let response = next.run(Request::from_parts(parts, body)).await;
    match asked {
        Some(mut parts) if response.status() == StatusCode::INTERNAL_SERVER_ERROR => {
            problem(&state, &mut parts, StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Internal).await
        }
        _ => response,
    }
}

/// The store did not answer.
pub async fn unavailable(state: &AppState, visitor: &Visitor, error: &crate::engine::StoreError) -> Response {
    tracing::warn!(%error, "the store did not answer a page");
    let mut response = problem_for(state, visitor, StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, None).await;
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
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
pub async fn common_headers(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 4] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // A form that is refused leads back to where it came from, within this server.
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
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

//! HTTP: pages, forms, files, health, and the door to the socket.
//!
//! | module | what it is for |
//! |---|---|
//! | [`pages`] | what is rendered for a GET |
//! | [`forms`] | what a POST does; all of it works without JavaScript |
//! | [`render`] | a screen as a page, with its security headers |
//! | [`visitor`] | who asks: session, language, theme, time zone |
//! | [`origin`] | which pages may send requests here |
//! | [`assets`] | the files of the page |
//! | [`serve`] | accepting connections |

mod assets;
mod forms;
mod origin;
mod pages;
mod render;
mod serve;
mod visitor;

use crate::{
    config::Config,
    hub::Hub,
    socket::{Admitted, Sockets},
};
use app::protocol::{CloseCode, ErrorCode, FRAME_MAX, SUBPROTOCOL, SUBPROTOCOLS};
use axum::{
    Extension, Router,
    extract::{
        DefaultBodyLimit, MatchedPath, State,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocketUpgrade},
    },
    http::{HeaderMap, Request, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serve::Wire;
use std::{path::Path, sync::Arc, time::Duration};
use tower_http::{
    catch_panic::CatchPanicLayer, compression::CompressionLayer, timeout::TimeoutLayer, trace::TraceLayer,
};
use visitor::Visitor;

pub use assets::Site;
pub use serve::serve;

/// Largest body of a form: a message of the longest, each of its characters percent-encoded in twelve bytes, and some.
const FORM_MAX: usize = 64 * 1024;

/// How long a request may take from its headers to those of its answer, its body included.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What every handler may need.
#[derive(Clone)]
pub struct AppState {
    pub hub: Arc<Hub>,
    pub config: Arc<Config>,
    pub site: Arc<Site>,
}

/// The whole of the server's HTTP. A request passes the layers from the last to the first.
pub fn router(state: AppState) -> Router {
    let files = assets::service(&state.site.dir, state.clone());
    let log = TraceLayer::new_for_http().make_span_with(|request: &Request<_>| {
        // The route, not the path: a path holds what a person typed.
        let route = request.extensions().get::<MatchedPath>().map_or("file", MatchedPath::as_str);
        tracing::debug_span!("request", method = %request.method(), route)
    });
    Router::new()
        .route("/", get(pages::home))
        .route("/rooms", get(pages::rooms).post(forms::create_room))
        .route("/r/{room}", get(pages::room).post(forms::post_message))
        .route("/r/{room}/", get(pages::room))
        .route("/r/{room}/leave", post(forms::leave_room))
        .route("/r/{room}/{seq}", get(pages::message))
        .route("/signin", get(pages::home).post(forms::sign_in))
        .route("/signout", post(forms::sign_out))
        .route("/lang/{lang}", get(pages::choose_language))
        .route("/theme/{theme}", get(pages::choose_theme))
        .route("/ws", get(socket))
        .fallback_service(files)
        .method_not_allowed_fallback(pages::not_found)
        // Only whole answers to browsers are worth compressing; the socket and health are beyond it by their size.
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn_with_state(state.clone(), origin::check_forms))
        .route("/health/live", get(|| async { "ok" }))
        .route("/health/ready", get(ready))
        .layer(CatchPanicLayer::new())
        .layer(middleware::from_fn_with_state(state.clone(), render::broken_as_page))
        .layer(middleware::map_response(render::common_headers))
        .layer(log)
        .layer(DefaultBodyLimit::max(FORM_MAX))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, ANSWER_WITHIN))
        .with_state(state)
}

/// Whether this instance should be sent people: the store answers and it is not stopping.
async fn ready(State(state): State<AppState>) -> Response {
    if state.hub.stopping() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping").into_response();
    }
    match tokio::time::timeout(Duration::from_secs(2), state.hub.engine.ping()).await {
        Ok(Ok(())) => "ok".into_response(),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer").into_response(),
    }
}

async fn socket(
    State(state): State<AppState>,
    visitor: Visitor,
    Extension(wire): Extension<Wire>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !origin::allowed(&state.config, &headers) {
        return (StatusCode::FORBIDDEN, ErrorCode::OriginRefused.as_str()).into_response();
    }
    wire.bound_buffers();
    if let Some(theirs) = other_version(&headers) {
        return refuse(upgrade.protocols([theirs]), CloseCode::Incompatible, state.site.build.to_string());
    }
    let ours = |upgrade: WebSocketUpgrade| upgrade.protocols([SUBPROTOCOL]);
    match visitor.session {
        _ if state.hub.stopping() => refuse(ours(upgrade), CloseCode::Restarting, "server is stopping"),
        Ok(Some(session)) => {
            let Some(place) = state.hub.place() else {
                return refuse(ours(upgrade), CloseCode::Busy, "too many sockets are open");
            };
            let build = state.site.build.clone();
            let sockets = Sockets { hub: state.hub.clone(), build, lifetime: state.config.socket_lifetime };
            crate::socket::serve(upgrade, sockets, Admitted { session, asked: visitor.asked, place })
        }
        // A script sees a refused upgrade as any other loss of the network, so it is told in a close frame.
        Ok(None) => refuse(ours(upgrade), CloseCode::SessionEnded, "sign in first"),
        Err(_) => refuse(ours(upgrade), CloseCode::Busy, "the store does not answer"),
    }
}

/// A version of the protocol that a client speaks instead of this server's. It is accepted for a close frame: a browser
/// would take anything else for the network's fault and go on trying.
fn other_version(headers: &HeaderMap) -> Option<String> {
    let offers = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|offer| offer.to_str().ok());
    let offers: Vec<&str> = offers.flat_map(|offer| offer.split(',')).map(str::trim).collect();
    let theirs = offers.iter().find(|offer| offer.starts_with(SUBPROTOCOLS))?;
    (!offers.contains(&SUBPROTOCOL)).then(|| (*theirs).to_owned())
}

fn refuse(upgrade: WebSocketUpgrade, code: CloseCode, reason: impl Into<Utf8Bytes>) -> Response {
    let reason = reason.into();
    let upgrade = upgrade.read_buffer_size(1024);
    // Nothing that it says matters.
    let upgrade = upgrade.max_message_size(FRAME_MAX).max_frame_size(FRAME_MAX);
    upgrade.on_upgrade(move |mut socket| async move {
        let close = CloseFrame { code: code.code(), reason };
        let closing = async {
            socket.send(Message::Close(Some(close))).await.ok();
            while let Some(Ok(_)) = socket.recv().await {}
        };
        let _ = tokio::time::timeout(Duration::from_secs(2), closing).await;
    })
}

/// A folder that holds the page's files, where the settings name none: `site` beside the executable, as in a release,
/// else where cargo-leptos builds it.
pub fn find_site() -> std::path::PathBuf {
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("site")));
    beside.filter(|dir| dir.is_dir()).unwrap_or_else(|| Path::new("target/site").to_owned())
}

//! HTTP: pages, forms, files, health, and the door to the socket.
//!
//! | module | what it is for |
//! |---|---|
//! | [`pages`] | what is rendered for a GET |
//! | [`rooms`] | the directory, and everyone in a room |
//! | [`signing`], [`forms`] | what a POST does; all of it works without JavaScript |
//! | [`leaving`] | leaving a room, and undoing that |
//! | [`render`] | a screen as a page, with its security headers |
//! | [`turns`] | whose page is rendered next |
//! | [`busy`] | what is answered where there is no time for a page |
//! | [`plain`] | what such answers look like |
//! | [`error`] | why a request is not answered with what it asks for |
//! | [`form`] | the fields of a form, to the letter |
//! | [`visitor`], [`cookies`] | who asks: session, language, theme, time zone |
//! | [`unkept`] | browsers that keep no cookie |
//! | [`host`], [`misdirected`] | which names are this server's, and what others are told |
//! | [`origin`] | which pages may send requests here |
//! | [`assets`] | the files of the page |
//! | [`health`] | whether people should be sent here |
//! | [`metrics`] | what monitoring reads, on an address of its own |
//! | [`upgrade`] | the handshake of a WebSocket |
//! | [`serve`] | accepting connections |

mod assets;
mod busy;
mod cookies;
mod error;
mod form;
mod forms;
mod health;
pub mod host;
mod leaving;
pub mod metrics;
mod misdirected;
mod origin;
mod pages;
mod plain;
mod render;
mod rooms;
mod serve;
mod signing;
mod turns;
mod unkept;
mod upgrade;
mod visitor;

use crate::{
    address::Asker,
    audit,
    chat::Chat,
    config::Config,
    connection::wire::Wire,
    hub::Hub,
    limits::{
        Limits,
        places::{Full, Place},
    },
    socket::{Admitted, SocketContext},
    store::Session,
    telemetry::{self, Seldom},
};
use app::protocol::{CloseCode, ErrorCode, SUBPROTOCOL, SUBPROTOCOLS};
use axum::{
    Extension, Router,
    body::Body,
    extract::{MatchedPath, State},
    http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header::RETRY_AFTER},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use host::{Hosts, Reached};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tower_http::{
    catch_panic::CatchPanicLayer,
    classify::ServerErrorsFailureClass,
    compression::CompressionLayer,
    timeout::TimeoutLayer,
    trace::{DefaultOnResponse, OnResponse, TraceLayer},
};
use turns::RenderTurns;
use unkept::Unkept;
use upgrade::Upgrade;
use visitor::Visitor;

pub use crate::connection::wire::Transport;
pub use assets::Site;
pub use serve::{BACKLOG, Serving, connections_within, files_for, serve};

/// How long a request may take from its headers to those of its answer, its body included.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What every handler may need.
#[derive(Clone)]
pub struct AppState {
    pub chat: Arc<Chat>,
    pub hub: Arc<Hub>,
    pub limits: Arc<Limits>,
    pub config: Arc<Config>,
    pub site: Arc<Site>,
    hosts: Arc<Hosts>,
    unkept: Arc<Unkept>,
    turns: Arc<RenderTurns>,
    /// Sockets that are opened for nothing but a close frame: they have no place, neither as sockets nor as connections.
    refusals: Arc<Semaphore>,
}

/// Of those at a time.
const REFUSALS: f64 = 512.0;

impl AppState {
    /// Of a server that listens on `port`.
    pub fn new(chat: Arc<Chat>, config: Config, site: Site, port: u16) -> Self {
        let hosts = Arc::new(Hosts::new(&config, port));
        let (hub, limits) = (chat.hub.clone(), chat.limits.clone());
        let refusals = Arc::new(Semaphore::new(limits.count(REFUSALS).min(Semaphore::MAX_PERMITS)));
        let (config, site, turns) = (Arc::new(config), Arc::new(site), Arc::new(RenderTurns::new()));
        Self { chat, hub, limits, config, site, hosts, unkept: Arc::default(), turns, refusals }
    }
}

/// The whole of the server's HTTP. A request passes the layers from the last to the first.
pub fn router(state: AppState) -> Router {
    // Leptos renders on whichever runtime asks for it. An error means that another server in this process said so already.
    let _ = any_spawner::Executor::init_tokio();
    let files = assets::service(&state);
    let log = TraceLayer::new_for_http().make_span_with(|request: &Request<_>| {
        // The route, not the path: a path holds what a person typed.
        let route = request.extensions().get::<MatchedPath>().map_or("file", MatchedPath::as_str);
        let id = request.extensions().get::<RequestId>().map_or(0, |RequestId(id)| *id);
        telemetry::request(id, request.method().as_str(), route, request.headers())
    });
    let log = log.on_response(|response: &Response<_>, after: Duration, span: &tracing::Span| {
        DefaultOnResponse::new().on_response(response, after, span);
        telemetry::answered(span, response.status());
    });
    // Who asks too much gets 503 as often as they like.
    let log = log.on_failure(|failure: ServerErrorsFailureClass, _: Duration, _: &tracing::Span| {
        static FAILED: Seldom = Seldom::new(8);
        if let Some(others) = FAILED.say(&failure.to_string()) {
            tracing::error!(others, "an answer failed: {failure}");
        }
    });
    Router::new()
        .route("/", get(pages::home))
        .route("/rooms", get(rooms::rooms).post(forms::create_room))
        .route("/rooms.json", get(rooms::names))
        .route("/r/{room}", get(pages::room).post(forms::post_message))
        .route("/r/{room}/", get(pages::room))
        .route("/r/{room}/leave", post(leaving::leave_room))
        .route("/r/{room}/back", post(leaving::come_back))
        .route("/r/{room}/people", get(rooms::people))
        .route("/r/{room}/{seq}", get(pages::message))
        .route("/signin", get(pages::home).post(signing::sign_in))
        .route("/signout", post(signing::sign_out))
        .route("/lang/{lang}", get(pages::choose_language))
        .route("/theme/{theme}", get(pages::choose_theme))
        .route("/density/{density}", get(pages::choose_density))
        .route("/ws", get(socket))
        .fallback_service(files)
        .method_not_allowed_fallback(pages::method_not_allowed)
        // Only whole answers to browsers are worth compressing; the socket and health are beyond it by their size.
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn_with_state(state.clone(), origin::check_forms))
        .merge(health::routes(state.chat.clone()))
        .layer(CatchPanicLayer::new())
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, ANSWER_WITHIN))
        .layer(middleware::from_fn_with_state(state.clone(), render::failures_as_pages))
        // Before anything is looked at or asked of the store.
        .layer(middleware::from_fn_with_state(state.clone(), host::check))
        .layer(middleware::from_fn_with_state(state.clone(), render::common_headers))
        .layer(log)
        .layer(middleware::from_fn_with_state(state.chat.clone(), metrics::count))
        .layer(middleware::from_fn_with_state(state.clone(), identify))
        .with_state(state)
}

/// By what a request is known in the log. Never what the client says.
#[derive(Clone, Copy)]
struct RequestId(u64);

/// Gives the request an id, and tells whoever sent it.
async fn identify(State(state): State<AppState>, mut request: Request<Body>, next: Next) -> Response {
    let id = state.hub.random();
    request.extensions_mut().insert(RequestId(id));
    let mut response = next.run(request).await;
    if let Ok(id) = HeaderValue::try_from(format!("{id:016x}")) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), id);
    }
    response
}

/// What is wrong is told in this order: the handshake, the origin, the version of the protocol, this server, the session.
async fn socket(
    State(state): State<AppState>,
    upgrade: Upgrade,
    visitor: Visitor,
    Extension(wire): Extension<Wire>,
    Extension(reached): Extension<Reached>,
    headers: HeaderMap,
) -> Response {
    let refused = |reason| state.hub.metrics.sockets_refused.with_label_values(&[reason]).inc();
    if !origin::allowed(&state.config, &reached, &headers) {
        refused("origin");
        origin::log_refusal("socket", &reached, &headers);
        return (StatusCode::FORBIDDEN, ErrorCode::OriginRefused.as_str()).into_response();
    }
    wire.bound_buffers();
    if let Some(theirs) = other_version(upgrade.offers()).map(str::to_owned) {
        refused("protocol");
        return refuse(&state, upgrade, &theirs, CloseCode::Incompatible, state.site.build.to_string());
    }
    let refuse = |upgrade, code, reason| refuse(&state, upgrade, SUBPROTOCOL, code, reason);
    match visitor.session {
        _ if state.hub.stopping() => {
            refused("stopping");
            refuse(upgrade, CloseCode::Restarting, "server is stopping")
        }
        Ok(Some(session)) => {
            let place = match place(&state, &session, &visitor.asker) {
                Ok(place) => place,
                Err(reason) => {
                    refused("busy");
                    audit::limited("sockets", visitor.asker.prefix());
                    return refuse(upgrade, CloseCode::Busy, reason);
                }
            };
            let build = state.site.build.clone();
            let (chat, lifetime) = (state.chat.clone(), state.config.socket_lifetime);
            let admitted = Admitted { session, asked: visitor.asked, place, wire };
            let sockets = SocketContext { chat, build, lifetime };
            upgrade.run(SUBPROTOCOL, |ws| crate::socket::run(ws, sockets, admitted))
        }
        // A script sees a refused upgrade as any other loss of the network, so it is told in a close frame.
        Ok(None) => {
            refused("session");
            refuse(upgrade, CloseCode::SessionEnded, "sign in first")
        }
        Err(_) => {
            refused("store");
            refuse(upgrade, CloseCode::Busy, "the store does not answer")
        }
    }
}

/// A place for one more socket, or why there is none.
fn place(state: &AppState, session: &Session, asker: &Asker) -> Result<Place, &'static str> {
    let allowance = state.limits.allowance(session.token);
    if allowance.is_some_and(|allowance| allowance.open().is_err()) {
        return Err("too many sockets were opened");
    }
    state.limits.places.take(session.token, asker).map_err(|full| match full {
        Full::Instance => "too many sockets are open",
        Full::Address => "too many sockets are open from this address",
        Full::Session => "too many sockets of this session",
    })
}

/// A version of the protocol that a client speaks instead of this server's. It is accepted for a close frame: a browser
/// would take anything else for the network's fault and go on trying.
fn other_version(offers: &[String]) -> Option<&str> {
    let theirs = offers.iter().find(|offer| offer.starts_with(SUBPROTOCOLS))?;
    (!offers.iter().any(|offer| offer == SUBPROTOCOL)).then_some(theirs)
}

/// Opens a socket only to say why it may not be open; where too many are told that, it is not opened.
fn refuse(state: &AppState, upgrade: Upgrade, protocol: &str, code: CloseCode, reason: impl Into<String>) -> Response {
    let Ok(turn) = state.refusals.clone().try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "2")], "too many sockets are refused").into_response();
    };
    let reason = reason.into();
    upgrade.run(protocol, async move |ws| {
        crate::socket::refuse(ws, code, reason).await;
        drop(turn);
    })
}

/// A folder that holds the page's files, where the settings name none: `site` beside the executable, as in a release,
/// else where cargo-leptos builds it.
pub fn find_site() -> std::path::PathBuf {
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("site")));
    beside.filter(|dir| dir.is_dir()).unwrap_or_else(|| Path::new("target/site").to_owned())
}

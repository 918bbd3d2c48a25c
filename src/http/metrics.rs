//! `GET /metrics`, on an address of its own: never where people are.

use crate::{chat::Chat, metrics::number};
use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
    routing::get,
};
use std::{io, sync::Arc};
use tokio::{net::TcpListener, time::Instant};
use tokio_util::sync::CancellationToken;

/// What answers that come from no route are counted as.
const ELSEWHERE: &str = "other";
const METHODS: [&str; 3] = ["GET", "HEAD", "POST"];

/// Answers whoever reads the metrics until `stop`.
///
/// # Errors
/// The listener broke.
pub async fn serve(listener: TcpListener, chat: Arc<Chat>, stop: CancellationToken) -> io::Result<()> {
    let router = Router::new().route("/metrics", get(scrape)).with_state(chat);
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

async fn scrape(State(chat): State<Arc<Chat>>) -> Response {
    let metrics = &chat.hub.metrics;
    let (open, most) = chat.limits.places.used();
    metrics.sockets.set(number(open));
    metrics.sockets_limit.set(number(most));
    chat.hub.measure().await;
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    (StatusCode::OK, [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")], metrics.text())
        .into_response()
}

/// Counts a request, by its route and not its path, which holds what a person typed.
pub async fn count(State(chat): State<Arc<Chat>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = METHODS.into_iter().find(|method| *method == request.method().as_str()).unwrap_or(ELSEWHERE);
    let response = next.run(request).await;
    let route = route.as_ref().map_or(ELSEWHERE, MatchedPath::as_str);
    chat.hub.metrics.answered(route, method, response.status().as_u16(), began.elapsed());
    response
}

//! Traces for OpenTelemetry, where this program was built with the feature `opentelemetry` and `OTEL_EXPORTER_OTLP_ENDPOINT` names a
//! collector: a span for each request and each command of a socket. They hold no text, no room and no name.

use axum::http::{self, HeaderMap, StatusCode};
use opentelemetry::{
    propagation::TextMapPropagator,
    trace::{Status, TracerProvider},
};
use opentelemetry_http::{Bytes, HeaderExtractor, HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use std::{
    io::{Read, Write},
    net::{TcpStream, ToSocketAddrs},
    sync::OnceLock,
    time::Duration,
};
use tracing::{Span, Subscriber, level_filters::LevelFilter};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

/// Names of a collector, in the order in which they count.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
/// How long a collector may take for each step.
const WITHIN: Duration = Duration::from_secs(5);
/// How long what is left is sent at the end. Platforms end a program that takes longer to stop.
const FLUSH_WITHIN: Duration = Duration::from_millis(500);

static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// What makes traces of spans; nothing where no collector is named.
pub fn layer<S>() -> Option<impl Layer<S>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    if set("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return None;
    }
    let endpoint = ENDPOINTS.into_iter().find_map(set)?;
    let exporter = match SpanExporter::builder().with_http().with_http_client(PlainClient).build() {
        Ok(exporter) if endpoint.trim().starts_with("http://") => exporter,
        // Logs are not there yet.
        Ok(_) => {
            eprintln!(
                "hubbub: no traces: {endpoint} is no http:// address; a collector beside this server can send them on by TLS"
            );
            return None;
        }
        Err(error) => {
            eprintln!("hubbub: no traces: {error}");
            return None;
        }
    };
    let resource = Resource::builder();
    // With its environment read already.
    let resource = if set("OTEL_SERVICE_NAME").is_some() { resource } else { resource.with_service_name("hubbub") };
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
    let tracer = provider.tracer("hubbub");
    // One process has one; a second start in it changes nothing.
    PROVIDER.set(provider).ok()?;
    let ours = filter_fn(|metadata| metadata.is_span() && metadata.target().starts_with("hubbub"));
    let layer = tracing_opentelemetry::layer().with_tracer(tracer);
    let layer = layer.with_location(false).with_threads(false).with_tracked_inactivity(false);
    Some(layer.with_filter(ours.with_max_level_hint(LevelFilter::DEBUG)))
}

/// Sends what is left.
pub fn flush() {
    if let Some(provider) = PROVIDER.get() {
        // Nobody is there any more who could act on an error.
        let _ = provider.shutdown_with_timeout(FLUSH_WITHIN);
    }
}

/// What a request's span is called. Strangers make up methods, and names are to be few.
pub fn name(method: &str, route: &str) -> String {
    let known = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"].contains(&method);
    format!("{} {route}", if known { method } else { "HTTP" })
}

/// Puts a request's span where its sender says it belongs, by the header `traceparent` of W3C's Trace Context.
pub fn begin(span: &Span, method: &str, route: &str, headers: &HeaderMap) {
    if PROVIDER.get().is_none() {
        return;
    }
    let parent = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
    // Refused where the span is disabled: then there is nothing to place.
    let _ = span.set_parent(parent);
    span.set_attribute("http.request.method", method.to_owned());
    span.set_attribute("http.route", route.to_owned());
}

/// Says how a request was answered.
pub fn answered(span: &Span, status: StatusCode) {
    span.set_attribute("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.set_status(Status::error(""));
    }
}

/// Sends traces to a collector beside this server: without TLS, and on the exporter's own thread, which may wait.
#[derive(Debug)]
struct PlainClient;

#[async_trait::async_trait]
impl HttpClient for PlainClient {
    async fn send_bytes(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, HttpError> {
        let uri = request.uri();
        let (host, port) = (uri.host().ok_or("no host")?, uri.port_u16().unwrap_or(80));
        let address = (host, port).to_socket_addrs()?.next().ok_or("no such host")?;
        let mut stream = TcpStream::connect_timeout(&address, WITHIN)?;
        stream.set_read_timeout(Some(WITHIN))?;
        stream.set_write_timeout(Some(WITHIN))?;
        let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let mut head = Vec::new();
        write!(head, "POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n")?;
        for (name, value) in request.headers() {
            write!(head, "{name}: {}\r\n", value.to_str()?)?;
        }
        let body = request.body();
        write!(head, "Content-Length: {}\r\n\r\n", body.len())?;
        stream.write_all(&head)?;
        stream.write_all(body)?;
        // What it says of the spans that it took is not looked at.
        let mut start = [0; 12];
        stream.read_exact(&mut start)?;
        let status = str::from_utf8(&start)?.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..)).ok_or("no HTTP")?;
        Ok(http::Response::builder().status(status.parse::<u16>()?).body(Bytes::new())?)
    }
}

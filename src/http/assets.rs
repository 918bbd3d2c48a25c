//! The files of the page: script, styles, icons.

use super::{AppState, pages};
use app::view::Assets;
use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, header},
    middleware::{self, Next},
    response::Response,
};
use leptos::config::LeptosOptions;
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tower_http::services::ServeDir;

/// A folder of files as cargo-leptos builds it, looked over once at the start.
pub struct Site {
    pub dir: PathBuf,
    pub assets: Assets,
    /// Changes whenever the page's script or styles do.
    pub build: Arc<str>,
}

impl Site {
    /// # Errors
    /// The folder lacks the script or the styles: it was not built, or is not the right folder.
    pub fn open(dir: PathBuf, reload_port: Option<u16>) -> io::Result<Self> {
        let pkg = dir.join("pkg");
        let mut contents = Vec::new();
        let mut style = Arc::<str>::default();
        let mut find = |suffix: &str| -> io::Result<String> {
            let path = newest(&pkg, suffix)?;
            let content = fs::read(&path)?;
            contents.extend(crate::digest::sha256(&content));
            if suffix == ".css" {
                style = String::from_utf8_lossy(&content).into();
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            Ok(format!("/pkg/{name}"))
        };
        let reload =
            reload_port.map(|port| LeptosOptions::builder().output_name("hubbub").reload_port(u32::from(port)).build());
        let (css, js, wasm) = (find(".css")?, find(".js")?, find(".wasm")?);
        let assets = Assets { css, style, js, wasm, reload };
        let build = crate::digest::hex(&crate::digest::sha256(&contents)[..6]).into();
        Ok(Self { dir, assets, build })
    }
}

/// The latest file of that kind: while developing, those of earlier builds may still lie about.
fn newest(pkg: &Path, suffix: &str) -> io::Result<PathBuf> {
    let missing = || {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!("no hubbub*{suffix} in {}; build it with make build", pkg.display()),
        )
    };
    let mut found: Option<(std::time::SystemTime, PathBuf)> = None;
    for entry in fs::read_dir(pkg).map_err(|_| missing())? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("hubbub") && name.ends_with(suffix) {
            let modified = entry.metadata()?.modified()?;
            if found.as_ref().is_none_or(|(latest, _)| modified > *latest) {
                found = Some((modified, entry.path()));
            }
        }
    }
    found.map(|(_, path)| path).ok_or_else(missing)
}

/// The files of a folder, and `otherwise` what is asked for instead.
fn files(dir: &Path, otherwise: Router) -> Router {
    let files = ServeDir::new(dir).append_index_html_on_directories(false).precompressed_br().precompressed_gzip();
    Router::new().fallback_service(files.fallback(otherwise))
}

/// Serves the folder and, of a page that came from an instance of the release before, that one's; for what is in neither, the page
/// that says so.
pub fn service(state: &AppState) -> Router {
    let hashed = state.site.assets.js != "/pkg/hubbub.js";
    let page = Router::new().fallback(pages::not_found).with_state(state.clone());
    let page = match &state.config.previous_site {
        Some(previous) => files(previous, page),
        None => page,
    };
    files(&state.site.dir, page).layer(middleware::from_fn(move |mut request: Request, next: Next| async move {
        let immutable = hashed && request.uri().path().starts_with("/pkg/");
        let policy_of_document = policy(request.uri().path());
        if !is_one_range(request.method(), request.headers()) {
            request.headers_mut().remove(header::RANGE);
        }
        let mut response: Response = next.run(request).await;
        if let Some(policy) = policy_of_document {
            let policy = HeaderValue::from_static(policy);
            response.headers_mut().entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
        }
        if response.status().is_success() && !response.headers().contains_key(header::CACHE_CONTROL) {
            // A hashed name never means other contents; anything else is asked for again, with a date.
            let policy = if immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(policy));
            // It may have been one of the compressed files beside it.
            response.headers_mut().append(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        response
    }))
}

/// What the files may load that are documents of their own: the page without a network, the worker, the icon.
fn policy(path: &str) -> Option<&'static str> {
    match path {
        "/offline.html" => Some(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
        ),
        "/sw.js" => Some("default-src 'none'; connect-src 'self'; frame-ancestors 'none'"),
        "/favicon.svg" => Some("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
        _ => None,
    }
}

/// Whether a request asks for one range of bytes, with nothing that it depends on. All else is answered with the whole
/// file, as RFC 9110, section 14.2, has it for what a server does not do.
fn is_one_range(method: &Method, headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(header::RANGE).iter().map(HeaderValue::as_bytes);
    let (Some(range), None) = (lines.next(), lines.next()) else { return false };
    let one = range.split_at_checked(6).filter(|(unit, _)| *unit == b"bytes=").map(|(_, range)| range);
    let ends = one.and_then(|range| std::str::from_utf8(range).ok()).and_then(|range| range.trim().split_once('-'));
    let number = |digits: &str| digits.parse::<u64>().ok().filter(|_| !digits.starts_with('+'));
    let is_range = ends.is_some_and(|(first, last)| match (number(first), number(last)) {
        (Some(first), Some(last)) => first <= last,
        (Some(_), None) => last.is_empty(),
        (None, Some(_)) => first.is_empty(),
        (None, None) => false,
    });
    method == Method::GET && is_range && !headers.contains_key(header::IF_RANGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_range_of_bytes_is_looked_at() {
        let asks = |method: Method, ranges: &[&str], if_range: bool| {
            let mut headers = HeaderMap::new();
            for range in ranges {
                headers.append(header::RANGE, range.parse().unwrap());
            }
            if if_range {
                headers.insert(header::IF_RANGE, "\"x\"".parse().unwrap());
            }
            is_one_range(&method, &headers)
        };
        for range in ["bytes=0-1", "bytes=5-", "bytes=-5", "bytes=0-99999999"] {
            assert!(asks(Method::GET, &[range], false), "{range}");
            assert!(!asks(Method::HEAD, &[range], false) && !asks(Method::GET, &[range], true), "{range}");
        }
        for range in [
            "items=0-1",
            "bytes=0-1,3-4",
            "bytes=0-1, 3-4",
            "bytes=",
            "bytes=-",
            "bytes=x-y",
            "bytes=5-2",
            "bytes 0-1",
            "0-1",
            "",
            "bytes=1",
            "bytes=+1-2",
            "bytes=0-1-2",
            "none",
            "bytes=0x1-2",
        ] {
            assert!(!asks(Method::GET, &[range], false), "{range}");
        }
        assert!(!asks(Method::GET, &["bytes=0-1", "bytes=3-4"], false));
        assert!(!asks(Method::GET, &[], false));
    }
}

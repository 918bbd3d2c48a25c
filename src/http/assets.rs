//! The files of the page: script, styles, icons.

use super::{AppState, pages};
use app::view::Assets;
use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, header},
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
            contents.extend(crate::engine::sha256(&content));
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
        let build = crate::engine::hex(&crate::engine::sha256(&contents)[..6]).into();
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

/// Serves the folder; for what is not in it, the page that says so.
pub fn service(dir: &Path, state: AppState) -> Router {
    let hashed = state.site.assets.js != "/pkg/hubbub.js";
    let page = Router::new().fallback(pages::not_found).with_state(state);
    let files = ServeDir::new(dir)
        .append_index_html_on_directories(false)
        .precompressed_br()
        .precompressed_gzip()
        .fallback(page);
    Router::new().fallback_service(files).layer(middleware::from_fn(move |request: Request, next: Next| async move {
        let immutable = hashed && request.uri().path().starts_with("/pkg/");
        let mut response: Response = next.run(request).await;
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

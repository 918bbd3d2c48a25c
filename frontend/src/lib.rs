//! The WASM entry.

use wasm_bindgen::prelude::{JsError, wasm_bindgen};

/// Takes over the page the server rendered.
///
/// # Errors
/// Says what keeps it from doing so; the page's forms still work then.
#[wasm_bindgen]
pub fn hydrate() -> Result<(), JsError> {
    app::client::start().map_err(JsError::new)
}

/// Makes the page anew, from `data` as JSON, where what the server rendered was changed since.
///
/// # Errors
/// Says what keeps it from doing so; the page is as it was then.
#[wasm_bindgen]
pub fn render(data: &str) -> Result<(), JsError> {
    app::client::start_anew(data).map_err(JsError::new)
}

//! The WASM entry, and everything that touches the browser.
//!
//! | module | what it is for |
//! |---|---|
//! | `entry` | the two ways in which a page comes to life |
//! | `page_data` | reads back what the server rendered the page from |
//! | `page` | keyboard, scrolling, announcements |
//! | `tab` | the session between the page and the browser: sockets, storage, time |
//! | `whole` | whether anything broke |
//! | `clock`, `platform` | what the browser says of time and of texts |

// The type of a view nests as deep as its elements do.
#![recursion_limit = "256"]

mod clock;
mod entry;
mod page;
mod page_data;
mod platform;
mod tab;
mod whole;

use wasm_bindgen::prelude::{JsError, wasm_bindgen};

/// Takes over the page the server rendered.
///
/// # Errors
/// Says what keeps it from doing so; the page's forms still work then.
#[wasm_bindgen]
pub fn hydrate() -> Result<(), JsError> {
    entry::start().map_err(JsError::new)
}

/// Makes the page anew, from `data` as JSON, where what the server rendered was changed since.
///
/// # Errors
/// Says what keeps it from doing so; the page is as it was then.
#[wasm_bindgen]
pub fn render(data: &str) -> Result<(), JsError> {
    entry::start_anew(data).map_err(JsError::new)
}

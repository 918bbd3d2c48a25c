//! What the browser gives a page.

use crate::clock;
use app::platform::Platform;

pub static BROWSER: Platform = Platform { local: clock::local, decompose, ascii_host, is_scripted: true };

fn decompose(text: &str) -> String {
    js_sys::JsString::from(text).normalize("NFD").into()
}

fn ascii_host(href: &str) -> Option<String> {
    web_sys::Url::new(href).ok().map(|url| url.hostname())
}

//! What a page needs of whatever renders it.

use crate::client::{clock::Local, decisions::letters::Decompose};

/// The server or a browser. Both tell a reader the same of one page, or it would change under their eyes when it hydrates.
#[derive(Clone, Copy)]
pub struct Platform {
    /// The wall clock at a moment (milliseconds since 1970-01-01 UTC) in an IANA time zone; UTC if there is no such zone.
    pub local: fn(u64, &str) -> Local,
    pub decompose: Decompose,
    /// The host of an address, spelt in ASCII; `None` if it is none.
    pub ascii_host: fn(&str) -> Option<String>,
    /// Whether the page's script renders: what only a script can use is there then, and what only it would read is not.
    pub is_scripted: bool,
}

#[cfg(feature = "ssr")]
impl Platform {
    pub const SERVER: Self = Self { local: crate::clock::local, decompose, ascii_host, is_scripted: false };
}

#[cfg(feature = "ssr")]
fn decompose(text: &str) -> String {
    icu_normalizer::DecomposingNormalizerBorrowed::new_nfd().normalize(text).into_owned()
}

#[cfg(feature = "ssr")]
fn ascii_host(href: &str) -> Option<String> {
    url::Url::parse(href).ok()?.host_str().map(str::to_owned)
}

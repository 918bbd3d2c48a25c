//! What several screens share.

#[cfg(feature = "ssr")]
use super::strings;
use crate::domain::UserId;
#[cfg(feature = "ssr")]
use crate::{i18n::Lang, page::PageData, protocol::ErrorCode, theme::Theme};
use leptos::prelude::*;

pub const BRAND: &str = "Hubbub";

/// Two voices, one over the other.
pub fn mark() -> impl IntoView {
    view! {
        <svg class="mark" viewBox="0 0 24 24" aria-hidden="true">
            <path
                class="echo"
                d="M15.2 8.2a6.6 6.6 0 0 1 5.1 10.6l.7 2.9-3-.8a6.6 6.6 0 1 1-2.8-12.7Z"
            ></path>
            <path d="M9.3 2.3a7 7 0 1 1-3.2 13.2l-3.8 1.2 1.2-3.7A7 7 0 0 1 9.3 2.3Z"></path>
        </svg>
    }
}

pub fn brand() -> impl IntoView {
    view! { <a class="brand" href="/">{mark()} <span>{BRAND}</span></a> }
}

/// A line drawing on a grid of 20.
pub fn icon(d: &'static str) -> impl IntoView {
    view! {
        <svg class="line" viewBox="0 0 20 20" aria-hidden="true">
            <path d=d></path>
        </svg>
    }
}

pub mod icons {
    pub const LINK: &str = "M8.5 11.5a3 3 0 0 0 4.3 0l2.4-2.4a3 3 0 0 0-4.3-4.3l-1 1M11.5 8.5a3 3 0 0 0-4.3 0l-2.4 2.4a3 \
        3 0 0 0 4.3 4.3l1-1";
    pub const MENU: &str = "M3 6h14M3 10h14M3 14h9";
    pub const CLOSE: &str = "M5 5l10 10M15 5 5 15";
    pub const LEAVE: &str = "M8 4H5a1 1 0 0 0-1 1v10a1 1 0 0 0 1 1h3M12.5 13.5 16 10l-3.5-3.5M16 10H8";
    pub const DOWN: &str = "M10 4v12M5 11l5 5 5-5";
    pub const GEAR: &str =
        "M4 6h7M15 6h1M4 14h1M9 14h7M11 6a2 2 0 1 0 4 0 2 2 0 0 0-4 0M5 14a2 2 0 1 0 4 0 2 2 0 0 0-4 0";
    pub const SEARCH: &str = "M9 4a5 5 0 1 0 0 10A5 5 0 0 0 9 4M12.6 12.6 16.5 16.5";
    pub const SEND: &str = "M4 10h12M10.5 4.5 16 10l-5.5 5.5";
}

/// Initial and hue of a person. It repeats the name beside it, so a screen reader skips it.
pub fn avatar(id: UserId, name: &str, small: bool) -> impl IntoView + use<> {
    let class = if small { "av s " } else { "av " };
    view! { <span class=format!("{class}hue-{}", id.0 % 16) aria-hidden="true">{initial(name)}</span> }
}

/// The first character as a reader sees it: an emoji with its modifiers, a letter with its marks.
fn initial(name: &str) -> String {
    let mut chars = name.chars();
    let Some(first) = chars.next() else { return String::new() };
    let mut initial: String = first.to_uppercase().collect();
    let flag = |c: char| ('\u{1F1E6}'..='\u{1F1FF}').contains(&c);
    let mut joined = flag(first);
    for c in chars {
        let continues =
            matches!(c, '\u{300}'..='\u{36F}' | '\u{200D}' | '\u{20E3}' | '\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}');
        if !continues && !joined {
            break;
        }
        initial.push(c);
        joined = c == '\u{200D}';
    }
    initial
}

#[cfg(feature = "ssr")]
/// Links that switch the language and lead back here.
pub fn languages(page: &PageData) -> impl IntoView + use<> {
    let chosen = page.lang;
    let next = encoded(&page.here);
    let links = Lang::ALL.map(|lang| {
        let tag = lang.tag();
        view! {
            <a
                href=format!("/lang/{tag}?next={next}")
                lang=tag
                hreflang=tag
                aria-current=(lang == chosen).then_some("true")
            >
                {lang.own_name()}
            </a>
        }
    });
    let [ko, en] = links;
    view! { <nav class="lang" aria-label=strings().pages.language>{ko} {en}</nav> }
}

#[cfg(feature = "ssr")]
/// Links that switch between light and dark and lead back here.
pub fn themes(page: &PageData) -> impl IntoView + use<> {
    let chosen = page.theme;
    let next = encoded(&page.here);
    let links = Theme::ALL.map(|theme| {
        let tag = theme.tag();
        view! {
            <a href=format!("/theme/{tag}?next={next}") data-choose=tag aria-current=(theme == chosen).then_some("true")>
                {(strings().pages.theme_name)(theme)}
            </a>
        }
    });
    let [system, light, dark] = links;
    view! { <nav class="lang themes" aria-label=strings().pages.theme>{system} {light} {dark}</nav> }
}

#[cfg(feature = "ssr")]
/// What is wrong with the field of the same `id` without `-problem`: a sentence for people, the code for programs.
pub fn field_problem(id: &'static str, error: Option<ErrorCode>) -> impl IntoView {
    error.map(|code| view! { <p class="help err" id=id data-code=code.as_str()>{(strings().error)(code)}</p> })
}

#[cfg(feature = "ssr")]
/// Percent-encodes everything but RFC 3986's unreserved characters and `/`.
fn encoded(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// `text` as the content of a `<textarea>`: its parser drops one line feed at the start.
pub fn textarea_content(text: &str) -> String {
    let line_feed = if text.starts_with('\n') { "\n" } else { "" };
    [line_feed, &rcdata(text)].concat()
}

/// `text` as the content of a `<textarea>` or `<title>`, where comments are text: the markers that Leptos puts between
/// nodes would show.
pub fn rcdata(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_initial_is_what_a_reader_sees_first() {
        for (name, first) in [
            ("지우", "지"),
            ("megan", "M"),
            ("👩‍💻 dev", "👩‍💻"),
            ("🇰🇷", "🇰🇷"),
            ("3️⃣", "3️⃣"),
            ("e\u{301}a", "E\u{301}"),
            ("👍🏽", "👍🏽"),
        ] {
            assert_eq!(initial(name), first);
        }
    }

    #[test]
    fn an_address_survives_as_a_parameter() {
        assert_eq!(encoded("/r/a%20b?before=3&x=한"), "/r/a%2520b%3Fbefore%3D3%26x%3D%ED%95%9C");
    }

    #[test]
    fn a_refused_text_is_kept_to_the_letter() {
        assert_eq!(textarea_content("\n</textarea>&lt;"), "\n\n&lt;/textarea>&amp;lt;");
    }
}

//! What several screens share.

use super::strings;
#[cfg(feature = "ssr")]
use crate::{density::Density, i18n::Lang, page::PageData, protocol::ErrorCode, theme::Theme};
use crate::{domain::UserId, i18n::Strings};
use leptos::{ev::MouseEvent, prelude::*};

pub const BRAND: &str = "Hubbub";

/// Two voices, one over the other.
fn mark() -> impl IntoView {
    mark_of("mark", ())
}

/// The mark with something drawn onto the one in front.
pub fn mark_of(class: &'static str, onto: impl IntoView) -> impl IntoView {
    view! {
        <svg class=class viewBox="0 0 24 24" aria-hidden="true">
            <path
                class="echo"
                d="M15.2 8.2a6.6 6.6 0 0 1 5.1 10.6l.7 2.9-3-.8a6.6 6.6 0 1 1-2.8-12.7Z"
            ></path>
            <path d="M9.3 2.3a7 7 0 1 1-3.2 13.2l-3.8 1.2 1.2-3.7A7 7 0 0 1 9.3 2.3Z"></path>
            {onto}
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
    #[cfg(feature = "ssr")]
    pub const LEAVE: &str = "M8 4H5a1 1 0 0 0-1 1v10a1 1 0 0 0 1 1h3M12.5 13.5 16 10l-3.5-3.5M16 10H8";
    pub const DOTS: &str = "M4.2 10h.8v.4h-.8zM9.6 10h.8v.4h-.8zM15 10h.8v.4H15z";
    pub const PEOPLE: &str = "M7.5 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6M2.5 16.5c0-3 2-4.5 5-4.5s5 1.5 5 4.5M13 3.8a3 3 0 0 1 0 \
        5.4M14.5 12.3c2 .5 3 2 3 4.2";
    pub const DOWN: &str = "M10 4v12M5 11l5 5 5-5";
    pub const GEAR: &str =
        "M4 6h7M15 6h1M4 14h1M9 14h7M11 6a2 2 0 1 0 4 0 2 2 0 0 0-4 0M5 14a2 2 0 1 0 4 0 2 2 0 0 0-4 0";
    pub const SEARCH: &str = "M9 4a5 5 0 1 0 0 10A5 5 0 0 0 9 4M12.6 12.6 16.5 16.5";
    #[cfg(feature = "ssr")]
    pub const PERSON: &str = "M10 10a3 3 0 1 0 0-6 3 3 0 0 0 0 6M4.5 16.5a5.5 5.5 0 0 1 11 0";
    #[cfg(feature = "ssr")]
    pub const TUNNEL: &str = "M3.5 16v-6a6.5 6.5 0 0 1 13 0v6M7.5 16v-5.5a2.5 2.5 0 0 1 5 0V16M2 16h16";
    #[cfg(feature = "ssr")]
    pub const BACK: &str = "M16 10H4M9.5 4.5 4 10l5.5 5.5";
    pub const SEND: &str = "M4 10h12M10.5 4.5 16 10l-5.5 5.5";
}

/// How many messages are unread, if any are.
pub fn unread_badge(unread: usize) -> AnyView {
    let t = strings();
    view! {
        <span class="n">
            <span aria-hidden="true" inner_html=Strings::badge(unread)></span>
            <span class="vh" inner_html=(t.unread)(unread)></span>
        </span>
    }
    .into_any()
}

/// Anything but a plain click is the browser's: a new tab, a new window, a download.
pub fn is_plain(ev: &MouseEvent) -> bool {
    ev.button() == 0 && !(ev.ctrl_key() || ev.meta_key() || ev.shift_key() || ev.alt_key())
}

/// Initials and look of a person. They repeat the name beside them, so a screen reader skips them.
pub fn avatar(id: UserId, name: &str, small: bool) -> impl IntoView + use<> {
    let class = if small { "av s " } else { "av " };
    view! { <span class=format!("{class}hue-{}", id.0 % 16) aria-hidden="true">{initials(name)}</span> }
}

/// What tells people of one room apart in two letters: those of first and last name, the letter and the number of one who
/// has a number, and of a Korean name what follows the family's.
fn initials(name: &str) -> String {
    let words: Vec<&str> = name.split([' ', '-', '_', '.']).filter(|word| !word.is_empty()).collect();
    let (Some(first), Some(last)) = (words.first(), words.last()) else { return initial(name) };
    let mut initials = initial(first);
    let hangul = |word: &str| word.chars().all(|c| ('가'..='힣').contains(&c));
    if words.len() == 1 && hangul(first) && first.chars().count() == 3 {
        return first.chars().skip(1).collect();
    }
    // An emoji is wide, and a letter of other scripts says as much as two of these.
    if !first.starts_with(|c: char| c.is_alphabetic() && c < '\u{530}') {
        return initials;
    }
    let digits = last.bytes().rev().take_while(u8::is_ascii_digit).take(2).count();
    if digits > 0 {
        initials.push_str(&last[last.len() - digits..]);
    } else if words.len() > 1 {
        initials.push_str(&initial(last));
    }
    initials
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
    view! { <nav class="seg" aria-label=strings().pages.language>{ko} {en}</nav> }
}

#[cfg(feature = "ssr")]
/// Links that switch between light and dark and lead back here.
pub fn themes(page: &PageData) -> impl IntoView + use<> {
    let chosen = page.theme;
    let links = Theme::ALL.map(|it| (it.tag(), (strings().pages.theme_name)(it), it == chosen));
    choices(page, "theme", strings().pages.theme, links)
}

#[cfg(feature = "ssr")]
/// Links that give messages more or less room and lead back here.
pub fn densities(page: &PageData) -> impl IntoView + use<> {
    let chosen = page.density;
    let links = Density::ALL.map(|it| (it.tag(), (strings().pages.density_name)(it), it == chosen));
    choices(page, "density", strings().pages.density, links)
}

#[cfg(feature = "ssr")]
/// One of a few for this device: each is a tag, its name and whether it is the one. The script finds them by `what`.
fn choices<const N: usize>(
    page: &PageData,
    what: &'static str,
    label: &'static str,
    links: [(&'static str, &'static str, bool); N],
) -> impl IntoView + use<N> {
    let next = encoded(&page.here);
    let links = links.map(|(tag, name, chosen)| {
        view! {
            <a href=format!("/{what}/{tag}?next={next}") data-choose=tag aria-current=chosen.then_some("true")>{name}</a>
        }
    });
    view! { <nav class="seg" aria-label=label data-what=what>{links.into_iter().collect_view()}</nav> }
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

/// Text that changes, as the markup of the element that it is alone in.
///
/// A translator takes the text nodes of a page away and puts its own in their place: whoever goes on writing into the old ones changes
/// what nobody sees. Set as a whole, the new text stands there whatever became of the old one.
pub fn told(text: impl Fn() -> String + Send + 'static) -> Box<dyn FnMut() -> String + Send> {
    Box::new(move || rcdata(&text()))
}

/// What whoever runs the server tells everybody, on pages without a script.
#[cfg(feature = "ssr")]
pub fn notice(page: &PageData) -> impl IntoView + use<> {
    page.notice.clone().map(|notice| view! { <p class="notice" dir="auto">{notice}</p> })
}

/// `text` as the content of a `<textarea>`: its parser drops one line feed at the start.
pub fn textarea_content(text: &str) -> String {
    let line_feed = if text.starts_with('\n') { "\n" } else { "" };
    [line_feed, &rcdata(text)].concat()
}

/// `text` as the content of an element: of a `<textarea>` or `<title>`, where the markers that Leptos puts between nodes would
/// show, or of any other that it is alone in.
pub fn rcdata(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_what_tells_people_apart() {
        for (name, shown) in [
            ("megan", "M"),
            ("Jiwoo Kim", "JK"),
            ("jiwoo.kim", "JK"),
            ("Anna Maria Lopez", "AL"),
            ("Guest1", "G1"),
            ("Guest 2", "G2"),
            ("guest10", "G10"),
            ("Guest100", "G00"),
            ("Élodie Åberg", "ÉÅ"),
            ("Юрий Орлов", "ЮО"),
            ("지우", "지"),
            ("김지우", "지우"),
            ("박서연 2", "박"),
            ("田中 太郎", "田"),
            ("7", "7"),
            ("👩‍💻 dev", "👩‍💻"),
            ("🇰🇷", "🇰🇷"),
            ("3️⃣", "3️⃣"),
            ("e\u{301}a", "E\u{301}"),
            ("👍🏽", "👍🏽"),
            ("-_-", "-"),
        ] {
            assert_eq!(initials(name), shown, "{name}");
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

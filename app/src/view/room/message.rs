//! One message of the list: in the log, or on its way there.

use crate::{
    client::{clock::machine, rows::Pending},
    clock::Dial,
    domain::Entry,
    links::{self, Piece},
    looks::{self, Long},
    platform::Platform,
    protocol::ErrorCode,
    view::{parts::avatar, room_view::RoomView, strings},
};
use leptos::{either::Either, prelude::*};

/// What a message looks like besides what it says.
#[derive(Clone, Copy)]
pub struct Looks {
    pub head: bool,
    pub own: bool,
    /// Asked for by its address.
    pub target: bool,
}

/// A message of the log. Whoever hears the page is told of each one its sender, its text and its time, though the name stands once
/// above a group: the row's own label, the text and the time name it together.
pub fn message(
    platform: &'static Platform,
    entry: &Entry,
    room: &str,
    looks: Looks,
    dial: Dial,
) -> impl IntoView + use<> {
    let Looks { head, own, target } = looks;
    let text = entry.text();
    let class = if text.is_none() {
        "void".to_owned()
    } else {
        let named = |is_so, class: &'static str| if is_so { class } else { "" };
        ["m", named(head, " first"), named(own, " own"), named(target, " target")].concat()
    };
    let seq = entry.seq.to_string();
    let id = |kind: &str| [kind, &seq].concat();
    let shown = text.map(|text| {
        let at = (platform.local)(entry.at, dial.zone);
        let t = strings();
        // A stop for the Tab key at each of them would be a long way to the composer: the arrow keys lead there.
        let time = view! {
            <a class="at" id=id("a") href=[room, "/", &seq].concat() tabindex=platform.is_scripted.then_some("-1")>
                <time datetime=machine(entry.at) title=t.full_time(at, dial)>{t.time(at, dial)}</time>
            </a>
        };
        let lead = if head {
            Either::Left(view! {
                {avatar(entry.by, entry.name.as_str(), false)}
                <p class="by" translate="no"><b><bdi>{entry.name.as_str().to_owned()}</bdi></b>" "{time}</p>
            })
        } else {
            Either::Right(time)
        };
        view! { {lead} {body(platform, text, Some(id("t")))} }
    });
    view! {
        <article
            class=class
            hidden=text.is_none()
            tabindex=target.then_some("-1")
            autofocus=target
            id=text.map(|_| id("m"))
            aria-label=text.map(|_| entry.name.as_str().to_owned())
            aria-labelledby=text.map(|_| ["m", &seq, " t", &seq, " a", &seq].concat())
            data-seq=entry.seq
        >
            {shown}
        </article>
    }
}

/// What a message says. All of it is there, also of a long one that is folded, so that it is found and copied.
fn body(platform: &'static Platform, text: &str, id: Option<String>) -> impl IntoView + use<> {
    let fold = match looks::long(text) {
        Long::Nowhere => None,
        Long::OnAPhone => Some("fold slim"),
        Long::Everywhere => Some("fold"),
    };
    let fold = fold.map(|class| {
        let t = strings();
        let summary = ["<summary><span>", t.show_more, "</span><span>", t.show_less, "</span></summary>"].concat();
        view! { <details class=class translate="no" inner_html=summary></details> }
    });
    let class = if looks::is_emoji_alone(text) { "text big" } else { "text" };
    view! { {fold} <p class=class id=id dir="auto">{linked(platform, text)}</p> }
}

/// A text with its web addresses as links. What it shows is the text, to the letter. An address runs from left to right on its own,
/// so that nothing around it makes it read as another.
fn linked(platform: &'static Platform, text: &str) -> impl IntoView + use<> {
    links::pieces(text)
        .into_iter()
        .map(|piece| match piece {
            Piece::Text(text) => Either::Left(text.to_owned()),
            Piece::Link(link) => {
                let (href, text) = (links::href(link), link.to_owned());
                let host = links::ascii_host(&href, platform.ascii_host);
                Either::Right(view! {
                    <a href=href title=host dir="ltr" target="_blank" rel="noopener noreferrer">{text}</a>
                })
            }
        })
        .collect::<Vec<_>>()
}

/// A message of this tab that is not in the log yet.
pub fn unsent(chat: RoomView, n: u64, text: &str, head: bool, state: Pending) -> impl IntoView + use<> {
    let t = strings();
    let me = chat.me.get_value();
    let lead = head.then(|| {
        view! {
            {avatar(me.id, me.name.as_str(), false)}
            <p class="by" translate="no"><b><bdi>{me.name.as_str().to_owned()}</bdi></b></p>
        }
    });
    let class = match (state, head) {
        (Pending::Waiting, true) => "m first own pending",
        (Pending::Waiting, false) => "m own pending",
        (Pending::Failed(_), true) => "m first own failed",
        (Pending::Failed(_), false) => "m own failed",
    };
    let id = |kind: &str| [kind, &n.to_string()].concat();
    let fate = match state {
        Pending::Waiting => Either::Left(view! { <span class="vh" id=id("f")>{t.sending}</span> }),
        Pending::Failed(code) => Either::Right(refused(chat, n, code)),
    };
    view! {
        <article
            class=class
            id=id("u")
            aria-label=me.name.as_str().to_owned()
            aria-labelledby=[id("u"), id("w"), id("f")].join(" ")
        >
            {lead}
            {body(chat.platform, text, Some(id("w")))}
            {fate}
        </article>
    }
}

fn refused(chat: RoomView, n: u64, code: ErrorCode) -> impl IntoView {
    let t = strings();
    let retry = move |_| {
        if let Some(actions) = chat.actions() {
            actions.retry(n);
        }
    };
    let discard = move |_| {
        if let Some(actions) = chat.actions() {
            actions.discard(n);
        }
    };
    view! {
        <p class="fate" translate="no">
            <span id=["f", &n.to_string()].concat()>{(t.not_sent)(code)}</span>
            <button class="plain" type="button" on:click=retry>{t.retry}</button>
            <button class="plain" type="button" on:click=discard>{t.discard}</button>
        </p>
    }
}

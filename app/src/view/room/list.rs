//! The list of messages.

use super::Handles;
use crate::{
    clock,
    domain::Entry,
    i18n,
    links::{self, Piece},
    protocol::{ErrorCode, Person},
    rows::{Pending, Row},
    view::{
        chat::{Chat, Older},
        parts::{avatar, icon, icons},
        strings,
    },
};
use leptos::{either::Either, prelude::*};
use std::sync::Arc;

/// A row with what else its looks depend on.
#[derive(Clone)]
struct Item {
    row: Row,
    zone: Arc<str>,
    /// The oldest message carries its predecessor's id; every other one's is the row above.
    oldest: bool,
}

pub fn list(chat: Chat, handles: Handles, newest: bool) -> impl IntoView {
    let t = strings();
    let items = move || {
        let zone = chat.zone.get();
        let mut oldest = true;
        chat.rows.with(|rows| {
            rows.iter()
                .map(|row| {
                    let first = oldest && matches!(row, Row::Message { .. });
                    oldest &= !first;
                    Item { row: row.clone(), zone: Arc::clone(&zone), oldest: first }
                })
                .collect::<Vec<_>>()
        })
    };
    let room_path = move || chat.room.with(|room| room.key.path());
    // The scroller lays its one child out from the end, so that the page stands at the newest message by itself.
    view! {
        <div class="log" role="log" aria-live="off" aria-label=t.messages tabindex="0" node_ref=handles.log>
            <div class="col">
                {top(chat)}
                <For each=items key=|item| (Arc::clone(&item.zone), item.row.key()) let:item>
                    {row(chat, handles, item)}
                </For>
                {(!newest)
                    .then(|| {
                        view! {
                            <a class="older unscripted" href=room_path>
                                {t.to_newest}
                            </a>
                        }
                    })}
            </div>
        </div>
        <button
            class="jump"
            type="button"
            class:shown=move || !handles.at_end.get()
            aria-hidden=move || handles.at_end.get().then_some("true")
            tabindex=move || if handles.at_end.get() { "-1" } else { "0" }
            node_ref=handles.jump
        >
            <span>
                {move || match handles.fresh.get() {
                    0 => t.to_newest.to_owned(),
                    n => (t.new_messages)(n),
                }}
            </span>
            {icon(icons::DOWN)}
        </button>
    }
}

/// What stands above the first message: the way to older ones, or the beginning.
fn top(chat: Chat) -> impl IntoView {
    let t = strings();
    let older_href = move || {
        let first = chat.rows.with(|rows| {
            rows.iter().find_map(|row| match row {
                Row::Message { entry, .. } => Some(entry.seq),
                _ => None,
            })
        });
        let path = chat.room.with(|room| room.key.path());
        format!("{path}?before={}", first.unwrap_or(1))
    };
    let load = move |ev: leptos::ev::MouseEvent| {
        if let Some(actions) = chat.actions() {
            ev.prevent_default();
            actions.load_older();
        }
    };
    let empty = Memo::new(move |_| chat.rows.with(Vec::is_empty));
    move || match chat.older.get() {
        Older::Yes => view! { <a class="older" href=older_href on:click=load>{t.older}</a> }.into_any(),
        Older::Loading => view! { <p class="older">{t.loading}</p> }.into_any(),
        Older::No => view! {
            <div class="start">
                <p class="title">{move || chat.room.with(|room| (t.beginning)(room.name.as_str()))}</p>
                {move || empty.get().then(|| view! { <p>{t.be_first}</p> })}
            </div>
        }
        .into_any(),
    }
}

fn row(chat: Chat, handles: Handles, item: Item) -> AnyView {
    let t = strings();
    match item.row {
        Row::Day { day, .. } => {
            let label = move || (t.day)(day, handles.today.get());
            view! { <p class="day"><span>{label}</span></p> }.into_any()
        }
        Row::Message { entry, head } => {
            let own = chat.me.with_value(|me| me.id == entry.by);
            message(&entry, head, own, item.oldest, &item.zone).into_any()
        }
        Row::Pending { n, text, head, state } => unsent(chat, n, &text, head, state).into_any(),
        Row::Notice { entered, people, .. } => {
            view! { <p class="note">{came_or_went(entered, &people)}</p> }.into_any()
        }
        Row::Gap { reset, .. } => view! { <p class="note gap">{if reset { t.reset } else { t.gap }}</p> }.into_any(),
    }
}

/// A message with everything of its entry that a page needs to go on from.
fn message(entry: &Entry, head: bool, own: bool, oldest: bool, zone: &str) -> impl IntoView + use<> {
    let text = entry.text();
    let class = match (text, head) {
        (None, _) => "void",
        (_, true) => "m first",
        (_, false) => "m",
    };
    let shown = text.map(|text| {
        let at = clock::local(entry.at, zone);
        let time = view! {
            <time datetime=clock::machine(entry.at) title=strings().full_time(at)>{i18n::time(at)}</time>
        };
        let lead = if head {
            Either::Left(view! {
                {avatar(entry.by, entry.name.as_str(), false)}
                <p class="by"><b><bdi>{entry.name.as_str().to_owned()}</bdi></b>" "{time}</p>
            })
        } else {
            Either::Right(time)
        };
        view! { {lead} <p class="text" dir="auto">{linked(text)}</p> }
    });
    view! {
        <div
            class=class
            hidden=text.is_none()
            data-seq=entry.seq
            data-id=entry.id.to_string()
            data-prev=oldest.then(|| entry.prev.to_string())
            data-at=entry.at
            data-by=entry.by.to_string()
            data-name=entry.name.as_str().to_owned()
            data-p=own.then(|| entry.p.to_string())
            data-n=own.then_some(entry.n)
        >
            {shown}
        </div>
    }
}

/// A text with its web addresses as links. What it shows is the text, to the letter.
fn linked(text: &str) -> impl IntoView + use<> {
    links::pieces(text)
        .into_iter()
        .map(|piece| match piece {
            Piece::Text(text) => Either::Left(text.to_owned()),
            Piece::Link(link) => {
                let (href, text) = (link.to_owned(), link.to_owned());
                Either::Right(view! { <a href=href target="_blank" rel="noopener noreferrer">{text}</a> })
            }
        })
        .collect::<Vec<_>>()
}

fn unsent(chat: Chat, n: u64, text: &str, head: bool, state: Pending) -> impl IntoView + use<> {
    let t = strings();
    let me = chat.me.get_value();
    let lead = head.then(|| {
        view! {
            {avatar(me.id, me.name.as_str(), false)}
            <p class="by"><b><bdi>{me.name.as_str().to_owned()}</bdi></b></p>
        }
    });
    let class = match (state, head) {
        (Pending::Waiting, true) => "m first pending",
        (Pending::Waiting, false) => "m pending",
        (Pending::Failed(_), true) => "m first failed",
        (Pending::Failed(_), false) => "m failed",
    };
    let fate = match state {
        Pending::Waiting => Either::Left(view! { <span class="vh">{t.sending}</span> }),
        Pending::Failed(code) => Either::Right(refused(chat, n, code)),
    };
    view! {
        <div class=class data-n=n>
            {lead}
            <p class="text" dir="auto">{linked(text)}</p>
            {fate}
        </div>
    }
}

fn refused(chat: Chat, n: u64, code: ErrorCode) -> impl IntoView {
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
        <p class="fate">
            <span>{(t.not_sent)(code)}</span>
            <button class="plain" type="button" on:click=retry>{t.retry}</button>
            <button class="plain" type="button" on:click=discard>{t.discard}</button>
        </p>
    }
}

fn came_or_went(entered: bool, people: &[Person]) -> String {
    /// Names told before the rest becomes a number.
    const TOLD: usize = 3;
    let t = strings();
    let told = if people.len() > TOLD { TOLD - 1 } else { people.len() };
    let names: Vec<&str> = people[..told].iter().map(|person| person.name.as_str()).collect();
    (if entered { t.entered } else { t.left })(&names, people.len() - told)
}

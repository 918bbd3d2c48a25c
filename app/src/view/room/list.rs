//! The list of messages.

use super::{Handles, named};
use crate::{
    clock,
    domain::{Entry, EntryId},
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

pub fn list(chat: Chat, handles: Handles) -> impl IntoView {
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
    // There is a way down from whatever is not the end of the room, or not in view.
    let away = move || (chat.newer.get() && !handles.leaping.get()) || !handles.at_end.get();
    // The scroller lays its one child out from the end, so that the page stands at the newest message by itself.
    view! {
        <div class="log" role="log" aria-live="off" aria-label=t.messages tabindex="0" node_ref=handles.log>
            <div class="col">
                {top(chat)}
                <For each=items key=|item| (Arc::clone(&item.zone), item.row.key()) let:item>
                    {row(chat, handles, item)}
                </For>
                {move || chat.newer.get().then(|| bottom(chat).into_any())}
            </div>
        </div>
        <button
            class="jump"
            type="button"
            class:shown=away
            aria-hidden=move || (!away()).then_some("true")
            tabindex=move || if away() { "0" } else { "-1" }
            node_ref=handles.jump
        >
            <span>
                {move || match if chat.newer.get() { unread_here(chat) } else { handles.fresh.get() } {
                    0 => t.to_newest.to_owned(),
                    n => (t.new_messages)(n),
                }}
            </span>
            {icon(icons::DOWN)}
        </button>
    }
}

/// What is unread in the room on screen; what came while older messages are shown is not among its rows.
fn unread_here(chat: Chat) -> usize {
    let here = chat.room.with(|room| room.key.clone());
    chat.rooms.with(|rooms| rooms.iter().find(|line| line.room.key == here).map_or(0, |line| line.unread))
}

/// What stands below the last message when the log goes on after it: the way to newer ones.
fn bottom(chat: Chat) -> impl IntoView {
    let t = strings();
    let last = move || {
        let row = |row: &Row| match row {
            Row::Message { entry, .. } => Some(entry.seq),
            _ => None,
        };
        chat.rows.with(|rows| rows.iter().rev().find_map(row)).unwrap_or(0)
    };
    let path = move || chat.room.with(|room| room.key.path());
    // The server's page before this seq begins after the last message here.
    let href = move || [path(), "?before=".to_owned(), (last() + 51).to_string()].concat();
    let load = move |ev: leptos::ev::MouseEvent| {
        if let Some(actions) = chat.actions() {
            ev.prevent_default();
            actions.load_newer();
        }
    };
    view! {
        <p class="older ways">
            <a href=href on:click=load>{t.newer}</a>
            <a class="unscripted" href=path>{t.to_newest}</a>
        </p>
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
        [path, "?before=".to_owned(), first.unwrap_or(1).to_string()].concat()
    };
    let load = move |ev: leptos::ev::MouseEvent| {
        if let Some(actions) = chat.actions() {
            ev.prevent_default();
            actions.load_older();
        }
    };
    let empty = Memo::new(move |_| chat.rows.with(Vec::is_empty));
    let is_start = Memo::new(move |_| chat.older.get() == Older::No);
    let loading = move || chat.older.get() == Older::Loading;
    move || {
        if is_start.get() {
            view! {
                <div class="start">
                    <p class="title">{move || chat.room.with(|room| (t.beginning)(room.name.as_str()))}</p>
                    {move || empty.get().then(|| view! { <p>{t.be_first}</p> })}
                </div>
            }
            .into_any()
        } else {
            // It stays while they load: somebody may be on it.
            view! {
                <a class="older" href=older_href on:click=load aria-disabled=move || loading().then_some("true")>
                    {move || if loading() { t.loading } else { t.older }}
                </a>
            }
            .into_any()
        }
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
            let target = chat.target.get_untracked() == Some(entry.seq);
            let room = chat.room.with_untracked(|room| room.key.path());
            message(&entry, &room, Looks { head, own, target, prev: item.oldest.then_some(entry.prev) }, &item.zone)
                .into_any()
        }
        Row::Pending { n, text, head, state } => unsent(chat, n, &text, head, state).into_any(),
        Row::Notice { entered, people, .. } => {
            view! { <p class="note">{came_or_went(entered, &people)}</p> }.into_any()
        }
        Row::New { .. } => view! { <p class="day new"><span>{t.new_from_here}</span></p> }.into_any(),
        Row::Gap { reset, .. } => view! { <p class="note gap">{if reset { t.reset } else { t.gap }}</p> }.into_any(),
    }
}

/// What a message looks like besides what it says.
#[derive(Clone, Copy)]
struct Looks {
    head: bool,
    own: bool,
    /// Asked for by its address.
    target: bool,
    /// What stands before it, unless that is the row above.
    prev: Option<EntryId>,
}

/// A message with everything of its entry that a page needs to go on from.
fn message(entry: &Entry, room: &str, looks: Looks, zone: &str) -> impl IntoView + use<> {
    let Looks { head, own, target, prev } = looks;
    let text = entry.text();
    let class = match (text, head, target) {
        (None, ..) => "void",
        (_, true, false) => "m first",
        (_, false, false) => "m",
        (_, true, true) => "m first target",
        (_, false, true) => "m target",
    };
    let shown = text.map(|text| {
        let at = clock::local(entry.at, zone);
        // A stop for the Tab key at each of them would be a long way to the composer: the arrow keys lead there.
        let time = view! {
            <a class="at" href=[room, "/", &entry.seq.to_string()].concat() tabindex=cfg!(feature = "hydrate").then_some("-1")>
                <time datetime=clock::machine(entry.at) title=strings().full_time(at)>{i18n::time(at)}</time>
            </a>
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
            tabindex=target.then_some("-1")
            autofocus=target
            data-seq=entry.seq
            data-id=entry.id.to_string()
            data-prev=prev.map(|prev| prev.to_string())
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
    let t = strings();
    let (names, others) = named(people);
    (if entered { t.entered } else { t.left })(&names, others)
}

//! The list of messages.

use super::{
    Handles,
    invite::{invite, room_mark},
    message::{Looks, message, unsent},
    named,
};
use crate::{
    client::{rows::Row, state::Older},
    clock::Dial,
    i18n::Strings,
    protocol::{PAGE_ENTRIES, Person},
    view::{
        parts::{icon, icons, told},
        room_view::RoomView,
        strings,
    },
};
use leptos::prelude::*;
use std::sync::Arc;

/// A row with what else its looks depend on.
#[derive(Clone)]
struct Item {
    row: Row,
    zone: Arc<str>,
    halves: bool,
}

pub fn list(chat: RoomView, handles: Handles, halves: bool) -> impl IntoView {
    let t = strings();
    let items = move || {
        let zone = chat.zone.get();
        let item = |row: &Row| Item { row: row.clone(), zone: Arc::clone(&zone), halves };
        chat.rows.with(|rows| rows.iter().map(item).collect::<Vec<_>>())
    };
    // There is a way down from whatever is not the end of the room, or not in view.
    let away = move || (chat.newer.get() && !handles.leaping.get()) || !handles.at_end.get();
    // What was fetched is nothing new: only what this person has not read is, be it among the rows or not.
    let way_down = move || match chat.unread(&chat.room.with(|room| room.key.clone())) {
        0 => t.to_newest.to_owned(),
        n => (t.new_messages)(&Strings::badge(n)),
    };
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
            translate="no"
            type="button"
            class:shown=away
            aria-hidden=move || (!away()).then_some("true")
            tabindex=move || if away() { "0" } else { "-1" }
            node_ref=handles.jump
        >
            <span inner_html=told(way_down)></span>
            {icon(icons::DOWN)}
        </button>
    }
}

/// What stands below the last message when the log goes on after it: the way to newer ones.
fn bottom(chat: RoomView) -> impl IntoView {
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
    let href = move || [path(), "?before=".to_owned(), (last() + PAGE_ENTRIES as u64 + 1).to_string()].concat();
    let load = move |ev: leptos::ev::MouseEvent| {
        if let Some(actions) = chat.actions() {
            ev.prevent_default();
            actions.load_newer();
        }
    };
    view! {
        <p class="older ways" translate="no">
            <a href=href on:click=load>{t.newer}</a>
            <a class="unscripted" href=path>{t.to_newest}</a>
        </p>
    }
}

/// What stands above the first message: the way to older ones, or the beginning.
fn top(chat: RoomView) -> impl IntoView {
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
    // Nobody wrote anything: who comes and goes changes nothing about that.
    let empty = Memo::new(move |_| chat.rows.with(|rows| rows.iter().all(|row| matches!(row, Row::Arrivals { .. }))));
    let is_start = Memo::new(move |_| chat.older.get() == Older::No);
    let loading = move || chat.older.get() == Older::Loading;
    move || {
        if is_start.get() {
            view! {
                <div class="start" class:invite=move || empty.get() translate="no">
                    {move || empty.get().then(|| room_mark(chat))}
                    <p class="title" inner_html=told(move || chat.room.with(|room| (t.beginning)(room.name.as_str())))></p>
                    {move || empty.get().then(|| invite(chat))}
                </div>
            }
            .into_any()
        } else {
            // It stays while they load: somebody may be on it.
            view! {
                <a
                    class="older"
                    translate="no"
                    href=older_href
                    on:click=load
                    aria-disabled=move || loading().then_some("true")
                    inner_html=move || if loading() { t.loading } else { t.older }
                ></a>
            }
            .into_any()
        }
    }
}

fn row(chat: RoomView, handles: Handles, item: Item) -> AnyView {
    let t = strings();
    match item.row {
        Row::Day { day, .. } => {
            let label = move || (t.day)(day, handles.today.get());
            view! { <p class="day" translate="no"><span inner_html=told(label)></span></p> }.into_any()
        }
        Row::Message { entry, head } => {
            let own = chat.me.with_value(|me| me.id == entry.by);
            let target = chat.target.get_untracked() == Some(entry.seq);
            let room = chat.room.with_untracked(|room| room.key.path());
            let dial = Dial { zone: &item.zone, halves: item.halves };
            message(chat.platform, &entry, &room, Looks { head, own, target }, dial).into_any()
        }
        Row::Pending { n, text, head, state } => unsent(chat, n, &text, head, state).into_any(),
        Row::Arrivals { entered, people, .. } => {
            view! { <p class="note" translate="no">{came_or_went(entered, &people)}</p> }.into_any()
        }
        Row::New { .. } => view! { <p class="day new" translate="no"><span>{t.new_from_here}</span></p> }.into_any(),
        Row::Gap { reset, .. } => {
            view! { <p class="note gap" translate="no">{if reset { t.reset } else { t.gap }}</p> }.into_any()
        }
    }
}

fn came_or_went(entered: bool, people: &[Person]) -> String {
    let t = strings();
    let (names, others) = named(people);
    (if entered { t.entered } else { t.left })(&names, others)
}

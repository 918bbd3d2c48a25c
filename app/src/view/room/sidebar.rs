//! My rooms, who is here, and me.

use super::{DRAWER, Handles};
use crate::{
    client::state::{ConnectionState, SidebarRoom},
    protocol::Person,
    view::{
        parts::{avatar, brand, icon, icons, is_plain, rcdata, told, unread_badge},
        room_view::RoomView,
        strings,
    },
};
use leptos::{ev::MouseEvent, prelude::*};

pub fn sidebar(chat: RoomView, handles: Handles) -> impl IntoView {
    let t = strings();
    view! {
        <nav class="side" translate="no" class:here=move || handles.shows_the_end(chat) aria-label=t.menu>
            <div class="top">
                {brand()}
                <span class="act">
                <button
                    class="icon scripted"
                    type="button"
                    title=t.switch_room
                    aria-label=t.switch_room
                    aria-keyshortcuts="Control+K Meta+K"
                    on:click=move |_| handles.switching.set(true)
                >
                    {icon(icons::SEARCH)}
                </button>
                <button class="icon" type="button" title=t.settings aria-label=t.settings popovertarget="settings">
                    {icon(icons::GEAR)}
                </button>
                <label class="icon close" for=DRAWER aria-hidden="true" title=t.close_menu>{icon(icons::CLOSE)}</label>
                </span>
            </div>
            <section class="part">
                <h2>{t.my_rooms} <a href="/rooms">{t.all_rooms}</a></h2>
                <ul class="rooms scroll">
                    <For each=move || chat.rooms.get() key=|line| line.room.clone() let:line>
                        {room_line(chat, line)}
                    </For>
                </ul>
            </section>
            <section class="part present">
                <h2>{t.here_now} <span inner_html=told(move || chat.count.get().to_string())></span></h2>
                <div class="scroll" id="people" tabindex="0" role="group" aria-label=t.here_now>
                    {people(chat)}
                </div>
            </section>
            {me(chat)}
        </nav>
    }
}

/// Who is here: oneself first, then the others in the order that the server gave them.
fn people(chat: RoomView) -> impl IntoView {
    let t = strings();
    let me = chat.me.get_value();
    let my_id = me.id;
    let others = move || {
        let mut people = chat.people.get();
        people.retain(|person| person.id != my_id);
        people
    };
    let person = |person: &Person| {
        view! {
            {avatar(person.id, person.name.as_str(), true)}
            <bdi>{person.name.as_str().to_owned()}</bdi>
        }
    };
    view! {
        <ul class="people">
            <li>{person(&me)} <span class="you">{t.you}</span></li>
            <For each=others key=Person::clone let:other>
                <li>{person(&other)}</li>
            </For>
        </ul>
        {move || {
            let more = chat.count.get().saturating_sub(others().len() + 1);
            (more > 0)
                .then(|| {
                    let everyone = chat.room.with(|room| room.key.path()) + "/people";
                    view! { <a class="more" href=everyone inner_html=rcdata(&(t.more_people)(more))></a> }
                })
        }}
    }
}

fn room_line(chat: RoomView, line: SidebarRoom) -> impl IntoView {
    let t = strings();
    let room = line.room;
    let key = room.key.clone();
    // The link stays when its count changes: somebody may be on it.
    let unread = {
        let key = key.clone();
        move || chat.unread(&key)
    };
    let is_unread = unread.clone();
    let refused = {
        let key = key.clone();
        let there = move |rooms: &Vec<SidebarRoom>| rooms.iter().any(|line| line.room.key == key && line.refused > 0);
        move || chat.rooms.with(&there)
    };
    let path = room.key.path();
    let name = room.name.as_str().to_owned();
    let open = move |ev: MouseEvent| {
        if let Some(actions) = chat.actions().filter(|_| is_plain(&ev)) {
            ev.prevent_default();
            actions.open(&room);
        }
    };
    view! {
        <li>
            <a
                href=path
                class=move || (is_unread() > 0).then_some("unread")
                aria-current=move || chat.room.with(|room| room.key == key).then_some("page")
                on:click=open
            >
                <bdi>{name}</bdi>
                {move || {
                    refused()
                        .then(|| {
                            view! {
                                <span class="n bad">
                                    <span aria-hidden="true">"!"</span>
                                    <span class="vh">{t.some_not_sent}</span>
                                </span>
                            }
                        })
                }}
                {move || {
                    let unread = unread();
                    (unread > 0)
                        .then(|| unread_badge(unread))
                }}
            </a>
        </li>
    }
}

fn me(chat: RoomView) -> impl IntoView {
    let t = strings();
    let me = chat.me.get_value();
    let (class, word) = (
        move || match chat.connection.get() {
            ConnectionState::Online => "state on",
            ConnectionState::Connecting => "state",
            ConnectionState::Offline { .. } | ConnectionState::Resting | ConnectionState::SignedOut => "state off",
        },
        move || match chat.connection.get() {
            ConnectionState::Online => t.online,
            ConnectionState::Connecting => t.connecting,
            ConnectionState::Offline { .. } | ConnectionState::Resting => t.offline,
            ConnectionState::SignedOut => t.signed_out,
        },
    );
    view! {
        <div class="me">
            {avatar(me.id, me.name.as_str(), false)}
            <div class="who">
                <b><bdi>{me.name.as_str().to_owned()}</bdi></b>
                <small class=class inner_html=word></small>
            </div>
            <form method="post" action="/signout">
                <button class="quiet">{t.sign_out}</button>
            </form>
        </div>
    }
}

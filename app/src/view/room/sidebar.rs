//! My rooms, who is here, and me.

use super::{DRAWER, Handles};
use crate::{
    i18n::Strings,
    protocol::Person,
    view::{
        chat::{Chat, Link, SidebarRoom},
        parts::{avatar, brand, icon, icons},
        strings,
    },
};
use leptos::{ev::MouseEvent, prelude::*};

pub fn sidebar(chat: Chat, handles: Handles) -> impl IntoView {
    let t = strings();
    view! {
        <nav class="side" class:here=move || handles.shows_the_end(chat) aria-label=t.menu>
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
            <div class="scroll">
                <h2>{t.my_rooms} <a href="/rooms">{t.all_rooms}</a></h2>
                <ul class="rooms">
                    <For each=move || chat.rooms.get() key=|line| line.room.clone() let:line>
                        {room_line(chat, line)}
                    </For>
                </ul>
                <h2>{t.here_now} <span>{move || chat.count.get()}</span></h2>
                <ul class="people">
                    <For each=move || chat.people.get() key=Person::clone let:person>
                        <li>
                            {avatar(person.id, person.name.as_str(), true)}
                            <bdi>{person.name.as_str().to_owned()}</bdi>
                        </li>
                    </For>
                </ul>
                {move || {
                    let more = chat.count.get().saturating_sub(chat.people.with(Vec::len));
                    (more > 0).then(|| view! { <p class="more">{(t.more_people)(more)}</p> })
                }}
            </div>
            {me(chat)}
        </nav>
    }
}

fn room_line(chat: Chat, line: SidebarRoom) -> impl IntoView {
    let t = strings();
    let room = line.room;
    let key = room.key.clone();
    // The link stays when its count changes: somebody may be on it.
    let unread = {
        let key = key.clone();
        move || chat.rooms.with(|rooms| rooms.iter().find(|line| line.room.key == key).map_or(0, |line| line.unread))
    };
    let is_unread = unread.clone();
    let path = room.key.path();
    let name = room.name.as_str().to_owned();
    let open = move |ev: MouseEvent| {
        // Anything but a plain click is the browser's: a new tab, a new window, a download.
        let plain = ev.button() == 0 && !(ev.ctrl_key() || ev.meta_key() || ev.shift_key() || ev.alt_key());
        if let Some(actions) = chat.actions().filter(|_| plain) {
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
                    let unread = unread();
                    (unread > 0)
                        .then(|| {
                            view! {
                                <span class="n">
                                    <span aria-hidden="true">{Strings::badge(unread)}</span>
                                    <span class="vh">{(t.unread)(unread)}</span>
                                </span>
                            }
                        })
                }}
            </a>
        </li>
    }
}

fn me(chat: Chat) -> impl IntoView {
    let t = strings();
    let me = chat.me.get_value();
    let (class, word) = (
        move || match chat.link.get() {
            Link::Online => "state on scripted",
            Link::Connecting => "state scripted",
            Link::Offline { .. } | Link::SignedOut => "state off scripted",
        },
        move || match chat.link.get() {
            Link::Online => t.online,
            Link::Connecting => t.connecting,
            Link::Offline { .. } => t.offline,
            Link::SignedOut => t.signed_out,
        },
    );
    view! {
        <div class="me">
            {avatar(me.id, me.name.as_str(), false)}
            <div class="who">
                <b><bdi>{me.name.as_str().to_owned()}</bdi></b>
                <small class=class>{word}</small>
            </div>
            <form method="post" action="/signout">
                <button class="quiet">{t.sign_out}</button>
            </form>
        </div>
    }
}

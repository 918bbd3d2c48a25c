//! Goes to a room by a few letters of its name.

use super::Handles;
use crate::{
    client::decisions::{
        find::{self, RoomMatch},
        letters::Wanted,
    },
    domain::RoomRef,
    view::{
        parts::{icon, icons, rcdata, unread_badge},
        room_view::RoomView,
        strings,
    },
};
use leptos::prelude::*;

/// The rooms to choose from as `typed` has it, and which of them is chosen.
#[derive(Clone, Copy)]
pub struct Choice {
    pub typed: RwSignal<String>,
    pub at: RwSignal<usize>,
    pub rooms: Memo<Vec<RoomMatch>>,
    /// Rooms of the directory; `None` until they are there.
    pub others: RwSignal<Option<Vec<RoomRef>>>,
}

impl Choice {
    /// The list is made when the switcher opens or something is typed, and stands still otherwise: whoever chooses must not
    /// have another room slip under the finger. Rooms of others come last.
    pub fn new(chat: RoomView, switching: RwSignal<bool>) -> Self {
        let typed = RwSignal::new(String::new());
        let others = RwSignal::new(None);
        let rooms = Memo::new(move |_| {
            switching.track();
            let open = chat.room.with_untracked(|room| room.key.clone());
            let others: Vec<RoomRef> = others.get().unwrap_or_default();
            let wanted = typed.with(|typed| Wanted::new(typed, chat.platform.decompose));
            chat.rooms.with_untracked(|rooms| find::choices(rooms, &others, &open, &wanted))
        });
        Self { typed, at: RwSignal::new(0), rooms, others }
    }

    /// Goes to the chosen room.
    pub fn take(self, chat: RoomView, handles: Handles) {
        let chosen = self.rooms.with_untracked(|rooms| rooms.get(self.at.get_untracked()).cloned());
        if let (Some(found), Some(actions)) = (chosen, chat.actions()) {
            handles.switching.set(false);
            actions.open(&found.room);
        }
    }
}

/// An empty frame until it is opened: the glue in the browser shows it and follows the keyboard.
pub fn switcher(chat: RoomView, handles: Handles) -> impl IntoView {
    // The browser tells it late: by then it may have been opened again.
    let closed = move |_| {
        if handles.switcher.get_untracked().is_none_or(|dialog| !dialog.open()) {
            handles.switching.set(false);
        }
    };
    view! {
        <dialog
            class="panel switcher"
            translate="no"
            aria-label=strings().switch_room
            closedby="any"
            node_ref=handles.switcher
            on:close=closed
        >
            {move || handles.switching.get().then(|| choices(chat, handles).into_any())}
        </dialog>
    }
}

fn choices(chat: RoomView, handles: Handles) -> impl IntoView {
    let t = strings();
    let Choice { typed, at, rooms, others } = handles.choice.get_value();
    let option = move |(i, found): (usize, RoomMatch)| {
        let path = found.room.key.path();
        let chosen = move || if at.get() == i { "true" } else { "false" };
        let beside = match found.unread {
            Some(0) => None,
            Some(unread) => Some(unread_badge(unread)),
            None => Some(view! { <span class="tag">{t.not_joined}</span> }.into_any()),
        };
        let go = move |ev: leptos::ev::MouseEvent| {
            ev.prevent_default();
            at.set(i);
            handles.choice.get_value().take(chat, handles);
        };
        view! {
            <li role="presentation">
                <a
                    href=path
                    role="option"
                    id=["choice-", &i.to_string()].concat()
                    aria-selected=chosen
                    tabindex="-1"
                    on:click=go
                >
                    <bdi inner_html=rcdata(found.room.name.as_str())></bdi>
                    {beside}
                </a>
            </li>
        }
        .into_any()
    };
    // Not before it is known.
    let none = move || rooms.with(Vec::is_empty) && others.with(Option::is_some);
    view! {
        <div class="find">
            {icon(icons::SEARCH)}
            <input
                class="field"
                role="combobox"
                aria-expanded="true"
                aria-controls="choices"
                aria-autocomplete="list"
                aria-activedescendant=move || (!rooms.with(Vec::is_empty)).then(|| ["choice-", &at.get().to_string()].concat())
                aria-label=t.switch_room
                placeholder=t.switch_room
                autocomplete="off"
                autocapitalize="off"
                spellcheck="false"
                dir="auto"
                node_ref=handles.filter
            />
            <button
                class="icon"
                type="button"
                title=t.close_menu
                aria-label=t.close_menu
                on:click=move |_| handles.switching.set(false)
            >
                {icon(icons::CLOSE)}
            </button>
        </div>
        <ul class="rooms" id="choices" role="listbox" aria-label=t.my_rooms>
            {move || rooms.get().into_iter().enumerate().map(option).collect::<Vec<_>>()}
        </ul>
        {move || none().then(|| view! { <p class="help" role="status">{t.no_room_found}</p> })}
        <form class="ends" method="post" action="/rooms">
            <a href="/rooms">{t.all_or_new}</a>
            {move || {
                let name = typed.with(|typed| typed.trim().to_owned());
                (none() && !name.is_empty())
                    .then(|| {
                        let label = rcdata(&(t.create_room)(&name));
                        view! { <button class="quiet" name="room" value=name inner_html=label></button> }
                    })
            }}
        </form>
    }
}

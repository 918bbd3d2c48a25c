//! Sign-in: a name and a room.

use super::{
    parts::{brand, field_problem, icon, icons, languages, notice, themes},
    strings,
};
use crate::{
    domain::RoomRef,
    page::{Door, PageData},
};
use leptos::prelude::*;

pub fn door(door: Door, page: &PageData) -> impl IntoView + use<> {
    let t = strings();
    let [one, two, three, four] = t.pages.talk;
    let signs = [icons::PERSON, icons::TUNNEL, icons::LINK];
    let facts = signs.into_iter().zip(t.pages.facts).map(|(sign, (what, more))| {
        view! { <li>{icon(sign)} <b>{what}</b> <span>{more}</span></li> }
    });
    let room_help = if door.room_error.is_some() { "room-problem" } else { "room-help" };
    // The first field that is still to be filled or mended.
    let room_first = door.name_error.is_none() && !door.name.is_empty();
    view! {
        <div class="door">
            <main class="sheet">
                {notice(page)} {brand()} <h1>{t.pages.door_title}</h1> <p class="lead">{t.pages.door_lead}</p>
                {door.error.map(|code| view! { <p class="alert" role="alert" data-code=code.as_str()>{(t.error)(code)}</p> })}
                <form method="post" action="/signin" novalidate>
                    // Enter in a field presses the first button of the form, which must not be a suggestion.
                    <button class="default" tabindex="-1" aria-hidden="true"></button>
                    {(!door.at.is_empty()).then(|| view! { <input type="hidden" name="at" value=door.at/> })}
                    <label for="name">{t.pages.name}</label>
                    <input
                        class="field"
                        id="name"
                        name="name"
                        value=door.name
                        placeholder=t.pages.name_hint
                        autocomplete="nickname"
                        autocapitalize="off"
                        spellcheck="false"
                        dir="auto"
                        required
                        autofocus=!room_first
                        aria-invalid=door.name_error.map(|_| "true")
                        aria-describedby=door.name_error.map(|_| "name-problem")
                    />
                    {field_problem("name-problem", door.name_error)}
                    {(!door.suggestions.is_empty())
                        .then(|| {
                            let picks = door
                                .suggestions
                                .into_iter()
                                .map(|name| {
                                    let label = (t.pages.enter_as)(&name);
                                    let value = name.clone();
                                    view! {
                                        <button
                                            class="pick"
                                            name="pick"
                                            value=value
                                            aria-label=label
                                        >
                                            <bdi>{name}</bdi>
                                        </button>
                                    }
                                })
                                .collect_view();
                            view! {
                                <div class="picks">
                                    <span class="help">{t.pages.free_names}</span>
                                    {picks}
                                </div>
                            }
                        })} <label for="room">{t.pages.room}</label>
                    <input
                        class="field"
                        id="room"
                        name="room"
                        value=door.room
                        placeholder=t.pages.room_hint
                        autocomplete="off"
                        autocapitalize="off"
                        dir="auto"
                        required
                        autofocus=room_first
                        aria-invalid=door.room_error.map(|_| "true")
                        aria-describedby=room_help
                    /> {field_problem("room-problem", door.room_error)}
                    {door
                        .room_error
                        .is_none()
                        .then(|| view! { <p class="help" id="room-help">{t.pages.room_help}</p> })}
                    {(!door.lively.is_empty()).then(|| lively(door.lively).into_any())}
                    <button class="go">{t.pages.enter}</button>
                </form> <div class="ends">{languages(page)} {themes(page)}</div>
            </main>
            <aside class="stage" aria-label=t.pages.about>
                <div class="talk" aria-hidden="true">
                    <p class="bub">{one}</p>
                    <p class="bub r">{two}</p>
                    <p class="cut"></p>
                    <p class="bub">{three}</p>
                    <p class="bub r">{four}</p>
                </div>
                <ul class="facts">{facts.collect_view()}</ul>
            </aside>
        </div>
    }
}

/// Rooms where people are, one press each. Search engines are asked not to quote them.
fn lively(rooms: Vec<(RoomRef, usize)>) -> impl IntoView {
    let t = strings();
    let rooms = rooms.into_iter().map(|(room, people)| {
        let (name, value) = (room.name.as_str().to_owned(), room.name.as_str().to_owned());
        view! {
            <button class="pick" name="lively" value=value>
                <bdi>{name}</bdi> " " <span class="count">{(t.pages.so_many_here)(people)}</span>
            </button>
        }
    });
    view! {
        <div class="picks lively" data-nosnippet="">
            <span class="help">{t.pages.lively}</span>
            {rooms.collect_view()}
        </div>
    }
}

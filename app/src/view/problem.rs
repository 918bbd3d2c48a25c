//! A page that says what went wrong and what to do.

use super::{
    parts::{brand, languages, themes},
    strings,
};
use crate::{
    page::{PageData, Problem},
    protocol::ErrorCode,
};
use leptos::prelude::*;

pub fn problem(problem: Problem, page: &PageData) -> impl IntoView + use<> {
    let t = strings();
    let Problem { status, code, room } = problem;
    let signed_in = page.me.is_some();
    let explained = match &room {
        Some(room) if code == ErrorCode::RoomUnknown => (t.pages.no_such_room)(room),
        _ => (t.error)(code).to_owned(),
    };
    let create = room.clone().filter(|_| code == ErrorCode::RoomUnknown && signed_in).map(|room| {
        view! {
            <form method="post" action="/rooms">
                <input type="hidden" name="room" value=room.clone()/>
                <button class="go">{(t.create_room)(&room)}</button>
            </form>
        }
    });
    // Only the address of a message names its room without the room being what is missing.
    let message_gone = room.is_some() && code == ErrorCode::NotFound;
    let room_path = page.here.rsplit_once('/').map_or("/", |(path, _)| path).to_owned();
    let again = (status >= 500).then(|| view! { <a class="go" href=page.here.clone()>{t.pages.try_again}</a> });
    view! {
        <div class="page narrow">
            <header class="bar">{brand()}</header>
            <main>
                <p class="status" aria-hidden="true">{status}</p>
                <h1>{(t.pages.problem_title)(status, code)}</h1>
                <p class="lead" data-code=code.as_str()>{explained}</p>
                {create}
                {again}
                <p class="ways">
                    {message_gone.then(|| view! { <a href=room_path>{t.pages.to_room}</a> })}
                    <a href="/rooms">{t.all_rooms}</a>
                    {(!signed_in).then(|| view! { <a href="/">{t.pages.sign_in}</a> })}
                </p>
            </main>
            <footer class="ends">{languages(page)} {themes(page)}</footer>
        </div>
    }
}

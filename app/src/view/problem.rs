//! A page that says what went wrong and what to do.

use super::{
    parts::{brand, languages, mark_of, notice, textarea_content, themes},
    strings,
};
use crate::{
    page::{PageData, Problem},
    protocol::ErrorCode,
};
use leptos::{either::Either, prelude::*};

pub fn problem(problem: Problem, page: &PageData) -> impl IntoView + use<> {
    let t = strings();
    let Problem { status, code, room, form, address } = problem;
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
    let typed = |(name, value): &(String, String)| name == "text" && !value.trim().is_empty();
    let keeps_text = form.iter().flatten().any(typed);
    // What took too long may well be tried again as it was.
    let again = (status >= 500 || status == 408 || keeps_text).then(|| match form {
        Some(fields) => Either::Left(again(&page.here, fields)),
        None => Either::Right(view! { <a class="go" href=page.here.clone()>{t.pages.try_again}</a> }),
    });
    view! {
        <div class="page narrow">
            <header class="bar">{brand()}</header>
            <main>
                {notice(page)}
                {face()}
                <h1>{(t.pages.problem_title)(status, code)}</h1>
                <p class="lead" data-code=code.as_str()>{explained}</p>
                {address.map(|address| view! { <p>{t.pages.open_at} " " <a href=address.clone()>{address.clone()}</a></p> })}
                {create}
                {again}
                <p class="ways">
                    {message_gone.then(|| view! { <a href=room_path>{t.pages.to_room}</a> })}
                    <a href="/rooms">{t.all_rooms}</a>
                    // Beside what was typed, which stays until it is sent.
                    {(!signed_in).then(|| view! { <a href="/" target=keeps_text.then_some("_blank")>{t.pages.sign_in}</a> })}
                </p>
                <p class="status" aria-hidden="true">{status}</p>
            </main>
            <footer class="ends">{languages(page)} {themes(page)}</footer>
        </div>
    }
}

/// The mark, at a loss.
fn face() -> impl IntoView {
    mark_of(
        "mark face",
        view! {
            <circle cx="7" cy="8" r="0.9"></circle>
            <circle cx="11.4" cy="8" r="0.9"></circle>
            <path class="mouth" d="M7.4 12q1.8-1.4 3.8-.5"></path>
        },
    )
}

/// The form that was not taken, to be sent again; a message can be read and changed before.
fn again(action: &str, fields: Vec<(String, String)>) -> impl IntoView + use<> {
    let t = strings();
    let field = |(name, value): (String, String)| {
        if name == "text" {
            let text = textarea_content(&value);
            Either::Left(view! {
                <label for="kept">{t.pages.kept}</label>
                <textarea id="kept" class="field" name=name rows="5" dir="auto" inner_html=text></textarea>
            })
        } else {
            Either::Right(view! { <input type="hidden" name=name value=value/> })
        }
    };
    view! {
        <form class="again" method="post" action=action.to_owned()>
            {fields.into_iter().map(field).collect_view()}
            <button class="go">{t.pages.try_again}</button>
        </form>
    }
}

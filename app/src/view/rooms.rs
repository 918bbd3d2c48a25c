//! The directory of rooms, for those who are signed in.

use super::{
    parts::{brand, field_problem, icon, icons, languages, themes},
    strings,
};
use crate::{
    clock,
    page::{PageData, RoomLine, RoomsScreen},
};
use leptos::prelude::*;

pub fn rooms(screen: RoomsScreen, page: &PageData) -> impl IntoView + use<> {
    let t = strings();
    let today = clock::local(page.now, &page.zone).day;
    let lines = screen
        .rooms
        .into_iter()
        .map(|RoomLine { room, people, active_at }| {
            let at = clock::local(active_at, &page.zone);
            let joined = screen.mine.iter().any(|mine| mine.key == room.key);
            view! {
                <li>
                    <a class="line-link" href=room.key.path()>
                        <b><bdi>{room.name.as_str().to_owned()}</bdi></b>
                        {joined.then(|| view! { <span class="tag">{t.pages.joined}</span> })}
                        <span class="meta">{(t.people)(people)}</span>
                        <span class="meta when">
                            <span class="vh">{t.pages.last_active}" "</span>
                            <time datetime=clock::machine(active_at) title=t.full_time(at)>{t.brief(at, today)}</time>
                        </span>
                    </a>
                </li>
            }
        })
        .collect::<Vec<_>>();
    let list = if lines.is_empty() {
        view! { <p class="empty">{t.pages.no_rooms}</p> }.into_any()
    } else {
        view! { <ul class="directory">{lines}</ul> }.into_any()
    };
    let create = view! {
        <form class="create" method="post" action="/rooms" novalidate>
            <label for="room">{t.pages.new_room}</label>
            <div class="row">
                <input
                    class="field"
                    id="room"
                    name="room"
                    value=screen.create
                    autocomplete="off"
                    autocapitalize="off"
                    dir="auto"
                    required
                    aria-invalid=screen.error.map(|_| "true")
                    aria-describedby=screen.error.map(|_| "room-problem")
                />
                <button class="go">{t.pages.create}</button>
            </div>
            {field_problem("room-problem", screen.error)}
        </form>
    };
    view! {
        <div class="page">
            <header class="bar">
                {brand()}
                <form method="post" action="/signout">
                    <button class="quiet">{icon(icons::LEAVE)} <span>{t.sign_out}</span></button>
                </form>
            </header>
            <main>
                <h1>{t.pages.rooms_title}</h1>
                <p class="lead">{t.pages.rooms_lead}</p>
                {create}
                {list}
            </main>
            <footer class="ends">{languages(page)} {themes(page)}</footer>
        </div>
    }
}

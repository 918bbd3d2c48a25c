//! Everyone in a room, where the room itself lists only some of them.

use super::{
    parts::{avatar, brand, icon, icons, languages, notice, themes},
    strings,
};
use crate::page::{PageData, PeopleScreen};
use leptos::prelude::*;

pub fn everyone(screen: PeopleScreen, page: &PageData) -> impl IntoView + use<> {
    let t = strings();
    let PeopleScreen { room, people, count } = screen;
    let me = page.me.as_ref().map(|me| me.id);
    let more = count - people.len();
    let lines = people
        .into_iter()
        .map(|person| {
            let is_me = Some(person.id) == me;
            view! {
                <li>
                    {avatar(person.id, person.name.as_str(), true)}
                    <bdi>{person.name.as_str().to_owned()}</bdi>
                    {is_me.then(|| view! { <span class="you">{t.you}</span> })}
                </li>
            }
        })
        .collect::<Vec<_>>();
    let back = (t.pages.back_to)(room.name.as_str());
    view! {
        <div class="page">
            <header class="bar">{brand()}</header>
            <main>
                {notice(page)}
                <a class="back" href=room.key.path()>{icon(icons::BACK)} <span>{back}</span></a>
                <h1><bdi>{room.name.as_str().to_owned()}</bdi></h1>
                <p class="lead">{(t.people)(count)}</p>
                <ul class="people everyone">{lines}</ul>
                {(more > 0).then(|| view! { <p class="help">{(t.more_people)(more)}</p> })}
            </main>
            <footer class="ends">{languages(page)} {themes(page)}</footer>
        </div>
    }
}

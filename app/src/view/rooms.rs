//! The directory of rooms, for those who are signed in.

use super::{
    parts::{avatar, brand, field_problem, icon, icons, languages, notice, themes},
    strings,
};
use crate::{
    client::clock::machine,
    clock,
    domain::RoomName,
    i18n::Strings,
    page::{LeftRoom, PageData, RoomLine, RoomsScreen},
    protocol::ReadMark,
};
use leptos::{nonce::Nonce, prelude::*};

/// Finds while somebody types: exchanges what the server found before for what it finds now.
const LIVE: &str = "{const form=document.querySelector('.finder');let timer,asked=0;\
    form.q.addEventListener('input',()=>{clearTimeout(timer);timer=setTimeout(async()=>{\
    const nth=++asked,to='/rooms?'+new URLSearchParams(new FormData(form));\
    try{const answer=await fetch(to),page=new DOMParser().parseFromString(await answer.text(),'text/html'),\
    found=page.getElementById('found');\
    if(answer.ok&&found&&nth===asked){document.getElementById('found').replaceWith(found);\
    document.getElementById('how-many').textContent=page.getElementById('how-many').textContent;\
    history.replaceState(null,'',to)}}catch{}},150)})}";

pub fn rooms(screen: RoomsScreen, page: &PageData) -> impl IntoView + use<> {
    let t = strings();
    let RoomsScreen { rooms, find, cut, back, left, create, error } = screen;
    let back_to = back.as_ref().map(|room| {
        let label = (t.pages.back_to)(room.name.as_str());
        view! { <a class="back" href=room.key.path()>{icon(icons::BACK)} <span translate="no">{label}</span></a> }
    });
    let nonce = use_context::<Nonce>().map(|nonce| nonce.to_string());
    let how_many = (t.pages.rooms_found)(rooms.len());
    let found = found(rooms, &find, cut, page).into_any();
    view! {
        <div class="page">
            <header class="bar">
                {brand()}
                <form method="post" action="/signout">
                    <button class="quiet">{t.sign_out}</button>
                </form>
            </header>
            // Before all that is to be passed by the Tab key.
            {left.as_ref().map(you_left)}
            <main>
                {notice(page)}
                {back_to}
                <h1>{t.pages.rooms_title}</h1>
                <p class="lead">{t.pages.rooms_lead}</p>
                <div class="ways-in">
                    <form class="finder" method="get" action="/rooms" role="search">
                        <label for="q">{t.pages.find_room}</label>
                        <div class="row">
                            <input
                                class="field"
                                type="search"
                                id="q"
                                name="q"
                                value=find
                                autocomplete="off"
                                autocapitalize="off"
                                spellcheck="false"
                                enterkeyhint="search"
                                dir="auto"
                            />
                            <button class="quiet find-go" aria-label=t.pages.find_room>{icon(icons::SEARCH)}</button>
                        </div>
                        {back.map(|room| view! { <input type="hidden" name="from" value=room.name.as_str().to_owned()/> })}
                    </form>
                    <form class="create" method="post" action="/rooms" novalidate>
                        <label for="room">{t.pages.new_room}</label>
                        <div class="row">
                            <input
                                class="field"
                                id="room"
                                name="room"
                                value=create
                                autocomplete="off"
                                autocapitalize="off"
                                dir="auto"
                                required
                                aria-invalid=error.map(|_| "true")
                                aria-describedby=error.map(|_| "room-problem")
                            />
                            <button class="go">{t.pages.create}</button>
                        </div>
                        {field_problem("room-problem", error)}
                    </form>
                </div>
                <p class="vh" role="status" id="how-many">{how_many}</p>
                {found}
            </main>
            <footer class="ends">{languages(page)} {themes(page)}</footer>
            <script nonce=nonce inner_html=LIVE></script>
        </div>
    }
}

/// What there is by that name; the live search exchanges it.
fn found(rooms: Vec<RoomLine>, find: &str, cut: bool, page: &PageData) -> impl IntoView + use<> {
    let t = strings();
    let none = rooms.is_empty();
    let lines = rooms.into_iter().map(|room| line(room, page).into_any()).collect::<Vec<_>>();
    let find = find.trim().to_owned();
    let list = if !none {
        view! { <ul class="directory">{lines}</ul> }.into_any()
    } else if find.is_empty() {
        view! { <p class="empty">{t.pages.no_rooms}</p> }.into_any()
    } else {
        // What is no name is not offered to be made one.
        let make = RoomName::parse(&find).ok().map(|name| {
            let name = name.as_str().to_owned();
            let label = (t.create_room)(&name);
            view! {
                <form method="post" action="/rooms">
                    <button class="quiet" name="room" value=name>{label}</button>
                </form>
            }
        });
        view! { <div class="empty"><p>{(t.pages.no_room_called)(&find)}</p> {make}</div> }.into_any()
    };
    view! {
        <div id="found">
            {list}
            {cut.then(|| view! { <p class="help">{t.pages.only_latest}</p> })}
        </div>
    }
}

fn line(line: RoomLine, page: &PageData) -> impl IntoView + use<> {
    let t = strings();
    let today = clock::local(page.now, &page.zone).day;
    let RoomLine { room, mine, people, here, active_at, last } = line;
    let when = active_at.map(|active_at| {
        let at = clock::local(active_at, &page.zone);
        let label = if last.is_some() { t.pages.last_message } else { t.pages.made };
        view! {
            <span class="when">
                {label} " " <time datetime=machine(active_at) title=t.full_time(at, page.dial())>{t.brief(at, today, page.dial())}</time>
            </span>
        }
    });
    let unread = mine.filter(|unread| *unread > 0).map(|unread| {
        view! {
            <span class="n">
                <span aria-hidden="true">{Strings::badge(unread)}</span>
                <span class="vh">{(t.unread)(unread)}</span>
            </span>
        }
    });
    let said = last.map(|last| {
        view! {
            <span class="last">
                <bdi translate="no">{last.name.as_str().to_owned()}</bdi> ": " <bdi>{last.text}</bdi>
            </span>
        }
    });
    let here = (people > 0).then(|| {
        let faces = here.iter().map(|person| avatar(person.id, person.name.as_str(), true)).collect::<Vec<_>>();
        let names: Vec<&str> = here.iter().map(|person| person.name.as_str()).collect();
        let names = (t.pages.are_here)(&names, people - here.len());
        view! { <span class="here-now"><span class="faces">{faces}</span> <span class="names" translate="no">{names}</span></span> }
    });
    view! {
        <li>
            <a class="line-link" href=room.key.path()>
                <span class="first">
                    <b translate="no"><bdi>{room.name.as_str().to_owned()}</bdi></b>
                    {mine.map(|_| view! { <span class="tag">{t.pages.joined}</span> })}
                    {unread} {when}
                </span>
                {said} {here}
            </a>
        </li>
    }
}

/// Says for some seconds that a room was left, with a way back to it.
fn you_left(left: &LeftRoom) -> impl IntoView + use<> {
    let t = strings();
    let fields = left.read.map(|ReadMark { epoch, seq }| {
        view! {
            <input type="hidden" name="epoch" value=epoch.to_string()/>
            <input type="hidden" name="seq" value=seq.to_string()/>
        }
    });
    view! {
        <form class="toast" method="post" action=left.room.key.path() + "/back">
            <span role="status" translate="no">{(t.pages.you_left)(left.room.name.as_str())}</span>
            {fields}
            <button class="plain">{t.pages.undo}</button>
        </form>
    }
}

//! A room: sidebar, list of messages, composer.

mod composer;
mod invite;
mod length;
mod list;
mod message;
mod sidebar;
mod switcher;

use super::{
    parts::{icon, icons, rcdata, told},
    room_view::RoomView,
    strings,
};
use crate::{
    client::{
        clock::Day,
        rows,
        state::{ConnectionState, SidebarRoom},
    },
    domain::Entry,
    page::{PageData, Post, RoomScreen},
    platform::Platform,
    protocol::{ErrorCode, Person},
};
pub use length::Length;
use leptos::{html, prelude::*};
use std::sync::Arc;
use switcher::Choice;

/// The id of the checkbox that opens the sidebar on a narrow screen.
const DRAWER: &str = "drawer";

/// What the browser's glue has to get hold of in the room page.
#[derive(Clone, Copy)]
pub struct Handles {
    pub log: NodeRef<html::Div>,
    pub field: NodeRef<html::Textarea>,
    pub form: NodeRef<html::Form>,
    pub drawer: NodeRef<html::Input>,
    pub copy: NodeRef<html::Button>,
    /// How many people are here: shows who.
    pub crowd: NodeRef<html::Button>,
    pub jump: NodeRef<html::Button>,
    pub switcher: NodeRef<html::Dialog>,
    pub filter: NodeRef<html::Input>,
    pub problem: RwSignal<Option<ErrorCode>>,
    /// Characters in the field, once there are many.
    pub length: RwSignal<usize>,
    /// Whether the end of the list is in view.
    pub at_end: RwSignal<bool>,
    /// The newest messages were asked for and are not on screen yet.
    pub leaping: RwSignal<bool>,
    pub today: RwSignal<Day>,
    /// Whether the room switcher is open, and what is chosen in it.
    pub switching: RwSignal<bool>,
    pub choice: StoredValue<Choice>,
    /// Sentences for a screen reader to say, each with a number of its own.
    pub said: RwSignal<Vec<(u64, String)>>,
}

impl Handles {
    /// Whether what arrives in the open room comes into view.
    pub fn shows_the_end(self, chat: RoomView) -> bool {
        self.at_end.get() && !chat.newer.get()
    }
}

/// A room's page before it is drawn, so that whoever draws it can go on with what it is drawn from.
pub struct RoomPage {
    pub chat: RoomView,
    pub handles: Handles,
    /// What the rows were laid out from.
    pub entries: Vec<Arc<Entry>>,
}

impl RoomPage {
    /// Provides the [`RoomView`] as context.
    pub fn new(screen: &RoomScreen, page: &PageData, me: &Person, platform: &'static Platform) -> Self {
        let RoomScreen { opening, post } = screen;
        let entries: Vec<_> = opening.page.entries.iter().cloned().map(Arc::new).collect();
        let local = |at| (platform.local)(at, &page.zone);
        let rows = rows::layout(&entries, opening.divider(), &[], &[], &local, me);
        let chat = RoomView::new(platform, me.clone(), opening, rows, &page.zone);
        chat.notice.set(page.notice.clone());
        provide_context(chat);
        let switching = RwSignal::new(false);
        let handles = Handles {
            log: NodeRef::new(),
            field: NodeRef::new(),
            form: NodeRef::new(),
            drawer: NodeRef::new(),
            copy: NodeRef::new(),
            crowd: NodeRef::new(),
            jump: NodeRef::new(),
            switcher: NodeRef::new(),
            filter: NodeRef::new(),
            problem: RwSignal::new(post.error),
            length: RwSignal::new(Length::count(&post.text)),
            at_end: RwSignal::new(true),
            leaping: RwSignal::new(false),
            today: RwSignal::new(local(page.now).day),
            switching,
            choice: StoredValue::new(Choice::new(chat, switching)),
            said: RwSignal::new(Vec::new()),
        };
        Self { chat, handles, entries }
    }
}

/// Draws a room. `halves`: its reader tells the time by twice twelve hours.
pub fn room(page: &RoomPage, post: &Post, halves: bool) -> impl IntoView + use<> {
    let t = strings();
    let RoomPage { chat, handles, .. } = *page;
    // Erased, so that the type of the whole page stays within the compiler's limits.
    let sidebar = sidebar::sidebar(chat, handles).into_any();

    // What is unread or was refused in other rooms: on a narrow screen nothing else tells.
    let elsewhere = move || {
        let here = chat.room.with(|room| room.key.clone());
        let others = |rooms: &Vec<SidebarRoom>| {
            let others = rooms.iter().filter(|line| line.room.key != here);
            others.fold((0, 0), |(unread, refused), line| (unread + line.unread, refused + line.refused))
        };
        chat.rooms.with(others)
    };
    let menu = move || {
        let (unread, refused) = elsewhere();
        let unread = (unread > 0).then(|| (t.unread)(unread));
        let refused = (refused > 0).then(|| t.some_not_sent.to_owned());
        [Some(t.menu.to_owned()), unread, refused].into_iter().flatten().collect::<Vec<_>>().join(", ")
    };
    view! {
        <div class="app">
            <a class="skip" href="#text">{t.skip_to_composer}</a>
            <input
                class="drawer"
                id=DRAWER
                type="checkbox"
                autocomplete="off"
                aria-label=menu
                node_ref=handles.drawer
            />
            {sidebar}
            <label class="scrim" for=DRAWER aria-hidden="true"></label>
            <main class="room">
                <header class="head" translate="no">
                    <label
                        class="icon menu"
                        class:unread=move || elsewhere() != (0, 0)
                        for=DRAWER
                        aria-hidden="true"
                        title=t.menu
                    >
                        {icon(icons::MENU)}
                    </label>
                    <h1><bdi inner_html=told(move || chat.room.with(|room| room.name.as_str().to_owned()))></bdi></h1>
                    <div class="act">
                        // Without the script it leads to the page of everyone.
                        <form action=move || chat.room.with(|room| room.key.path()) + "/people">
                            <button class="meta crowd" title=t.here_now aria-controls="people" node_ref=handles.crowd>
                                {icon(icons::PEOPLE)}
                                <span inner_html=told(move || (t.people)(chat.count.get()))></span>
                            </button>
                        </form>
                        <button
                            class="icon scripted"
                            type="button"
                            title=t.copy_link
                            aria-label=t.copy_link
                            node_ref=handles.copy
                        >
                            {icon(icons::LINK)}
                        </button>
                        <button class="icon" type="button" title=t.room_menu aria-label=t.room_menu popovertarget="room-menu">
                            {icon(icons::DOTS)}
                        </button>
                    </div>
                </header>
                <div class="mid">
                    {banner(chat).into_any()}
                    {list::list(chat, handles, halves).into_any()}
                </div>
                {composer::composer(chat, handles, post).into_any()}
            </main>
            <div class="vh" role="status" aria-live="polite" aria-relevant="additions" translate="no">
                <For each=move || handles.said.get() key=|said| said.0 let:said>
                    <p>{said.1}</p>
                </For>
            </div>
            {switcher::switcher(chat, handles).into_any()}
        </div>
    }
}

/// Some names, and how many more there are.
fn named(people: &[Person]) -> (Vec<&str>, usize) {
    /// Names told before the rest becomes a number.
    const TOLD: usize = 3;
    let told = if people.len() > TOLD { TOLD - 1 } else { people.len() };
    (people[..told].iter().map(|person| person.name.as_str()).collect(), people.len() - told)
}

/// What keeps messages from coming and going, and what to do about it.
fn banner(chat: RoomView) -> impl IntoView {
    let t = strings();
    let reconnect = move |_| {
        if let Some(actions) = chat.actions() {
            actions.reconnect();
        }
    };
    let me = move || chat.me.with_value(|me| me.name.as_str().to_owned());
    // The seconds tick inside one banner; only another state makes another one.
    let state = Memo::new(move |_| match chat.connection.get() {
        ConnectionState::Offline { .. } => 1,
        ConnectionState::SignedOut => 2,
        ConnectionState::Resting => 4,
        ConnectionState::Online if chat.back.with(Option::is_some) => 5,
        ConnectionState::Online if chat.outdated.get() => 3,
        ConnectionState::Connecting | ConnectionState::Online => 0,
    });
    let seconds = move || match chat.connection.get() {
        ConnectionState::Offline { retry_in } => retry_in,
        _ => 0,
    };
    let lost = move || if state.get() == 4 { t.resting_banner.to_owned() } else { (t.offline_banner)(seconds()) };
    let put_away = move |_| {
        if let Some(actions) = chat.actions() {
            actions.put_notice_away();
        }
    };
    view! {
        {move || chat.notice.get().map(|notice| view! {
            <div class="banner notice">
                <span dir="auto" inner_html=rcdata(&notice)></span>
                <button class="plain scripted" type="button" translate="no" on:click=put_away>{t.put_away}</button>
            </div>
        })}
        {move || match state.get() {
            1 | 4 => view! {
                <div class="banner" translate="no">
                    <span inner_html=told(lost)></span>
                    <button class="plain" type="button" on:click=reconnect>{t.connect_now}</button>
                </div>
            }
            .into_any(),
            2 => view! {
                <form class="banner" translate="no" method="post" action="/signin" id="again">
                    <span role="alert">{t.signed_out_banner}</span>
                    <input type="hidden" name="name" value=me()/>
                    <input type="hidden" name="room" value=move || chat.room.with(|room| room.name.as_str().to_owned())/>
                    <button class="plain">{(t.sign_in_as)(&me())}</button>
                </form>
            }
            .into_any(),
            5 => {
                let sent = chat.back.get_untracked().unwrap_or(0);
                view! { <div class="banner good" translate="no" inner_html=rcdata(&(t.back)(sent))></div> }.into_any()
            }
            // Going where one is already is a reload.
            3 => view! {
                <div class="banner" translate="no">
                    <a href=move || chat.room.with(|room| room.key.path())>{t.outdated}</a>
                </div>
            }
            .into_any(),
            _ => ().into_any(),
        }}
        {move || {
            chat.trouble.get().map(|code| view! { <div class="banner bad" role="alert" translate="no" inner_html=rcdata((t.error)(code))></div> })
        }}
        {move || match chat.slow.get() {
            0 => ().into_any(),
            left => view! { <div class="banner" translate="no" inner_html=rcdata(&(t.slow)(left))></div> }.into_any(),
        }}
    }
}

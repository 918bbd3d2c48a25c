//! What the room page does only in a browser. Each part is attached once to the elements the server rendered; none of
//! them outlives the page, so nothing is ever detached.
//!
//! | module | what it is for |
//! |---|---|
//! | `announce` | one polite voice for the whole page |
//! | `composer` | Enter, drafts, the height of the field |
//! | `keyboard` | keys that work anywhere, and the room switcher |
//! | `messages` | from message to message by the arrow keys, and copying an address |
//! | `notices` | notifications by the browser |
//! | `reading` | how far the reader has come |
//! | `scroll` | the line being read does not move |
//! | `settings` | what is set for this device |

mod announce;
mod composer;
mod keyboard;
mod messages;
mod notices;
mod reading;
mod scroll;
mod settings;

use super::{
    chat::{Chat, Link, Older, SidebarRoom},
    room::Handles,
    strings,
};
use crate::{
    clock,
    domain::Entry,
    page::{PageData, RoomScreen},
    rows,
};
use announce::Announcer;
use leptos::{
    prelude::*,
    tachys::dom::{document, window},
};
use std::sync::Arc;
use wasm_bindgen::{JsCast, JsValue, closure::Closure, convert::FromWasmAbi};
use web_sys::{EventTarget, HtmlElement, KeyboardEvent, MouseEvent};

/// Brings the page to life once it is hydrated.
pub fn start(chat: Chat, handles: Handles, screen: RoomScreen, page: PageData, entries: Vec<Arc<Entry>>) {
    let mut once = Some((screen, page, entries));
    effect(move || {
        let Some((screen, page, entries)) = once.take() else { return };
        own_time_zone(chat, handles, &page, &entries);
        let announcer = Announcer::new(handles);
        scroll::keep(chat, handles, announcer);
        composer::take_over(chat, handles);
        drawer(chat, handles);
        copy_link(chat, handles, announcer);
        messages::attach(chat, handles, announcer);
        reading::watch(chat, handles);
        keyboard::attach(chat, handles);
        settings::attach(chat);
        notices::watch(chat);
        title(chat, handles);
        interruptions(chat, announcer);
        crate::client::attach(chat, screen, page.build);
        if let Some(html) = document().document_element() {
            let _ = html.set_attribute("data-script", "on");
        }
    });
}

/// The page was rendered for the zone the server knew. When that is not where the browser is, it is laid out again.
fn own_time_zone(chat: Chat, handles: Handles, page: &PageData, entries: &[Arc<Entry>]) {
    let zone = clock::zone();
    if zone == page.zone {
        return;
    }
    handles.today.set(clock::local(clock::now(), &zone).day);
    chat.rows.set(rows::layout(entries, chat.divider.get_untracked(), &[], &[], &zone, &chat.me.get_value()));
    chat.zone.set(zone.into());
}

/// The sidebar on a narrow screen: Escape closes it, and so does choosing a room.
fn drawer(chat: Chat, handles: Handles) {
    let Some(drawer) = handles.drawer.get_untracked() else { return };
    effect({
        let drawer = drawer.clone();
        move || {
            // It may have been opened before the script came.
            if chat.opened.get() > 0 {
                drawer.set_checked(false);
            }
        }
    });
    on(&document(), "keydown", move |ev: KeyboardEvent| {
        if ev.key() == "Escape" && drawer.checked() && !ev.is_composing() && !keyboard::something_is_open() {
            drawer.set_checked(false);
            let _ = drawer.focus();
        }
    });
}

/// Says once that the connection is lost; the seconds in the banner tick for the eye alone.
fn interruptions(chat: Chat, announcer: Announcer) {
    let t = strings();
    let mut before = false;
    effect(move || {
        let offline = matches!(chat.link.get(), Link::Offline { .. });
        if offline && !before {
            announcer.say((t.offline_banner)(0));
        }
        before = offline;
    });
}

fn copy_link(chat: Chat, handles: Handles, announcer: Announcer) {
    let Some(button) = handles.copy.get_untracked() else { return };
    let copied = button.clone();
    on(&button, "click", move |_: MouseEvent| {
        copy(&chat.room.with_untracked(|room| room.key.path()), &copied, announcer);
    });
}

/// Copies the address of `path`, and shows on the button that it did.
fn copy(path: &str, button: &web_sys::Element, announcer: Announcer) {
    let t = strings();
    let link = window().location().origin().unwrap_or_default() + path;
    let navigator = window().navigator();
    // Pages served without TLS have no clipboard.
    let has_clipboard = js_sys::Reflect::get(&navigator, &"clipboard".into()).is_ok_and(|it| it.is_truthy());
    if has_clipboard {
        let marks = button.class_list();
        let copied = Closure::once(move |_: JsValue| {
            announcer.say(t.link_copied.to_owned());
            let _ = marks.add_1("done");
            set_timeout(move || drop(marks.remove_1("done")), std::time::Duration::from_secs(2));
        });
        let text = link.clone();
        let refused = Closure::once(move |_: JsValue| offer(&text));
        let _ = navigator.clipboard().write_text(&link).then2(&copied, &refused);
        // Only one of them is called: the other would free neither itself nor its twin.
        copied.forget();
        refused.forget();
    } else {
        offer(&link);
    }
}

/// Shows a link to be copied by hand.
fn offer(link: &str) {
    let _ = window().prompt_with_message_and_default(strings().copy_link, link);
}

/// The number of unread messages and the room. What comes into view right now is about to be read and not worth a flicker.
fn title(chat: Chat, handles: Handles) {
    effect(move || {
        let seen = handles.shows_the_end(chat) && is_looked_at();
        let here = chat.room.with(|room| room.key.clone());
        let counts = |line: &&SidebarRoom| !(seen && line.room.key == here);
        let unread: usize = chat.rooms.with(|rooms| rooms.iter().filter(counts).map(|line| line.unread).sum());
        let name = chat.room.with(|room| room.name.as_str().to_owned());
        let count = if unread == 0 { String::new() } else { format!("({}) ", crate::i18n::Strings::badge(unread)) };
        document().set_title(&[&count, name.as_str(), " · ", super::parts::BRAND].concat());
    });
}

/// Asks for the page above, if there is one and it is not on its way.
fn load_older(chat: Chat) {
    if chat.older.get_untracked() == Older::Yes
        && let Some(actions) = chat.actions()
    {
        actions.load_older();
    }
}

/// Asks for the page below, if the rows end before the room does.
fn load_newer(chat: Chat) {
    if chat.newer.get_untracked()
        && let Some(actions) = chat.actions()
    {
        actions.load_newer();
    }
}

/// Runs `f` now, and whenever a signal changed that it has read. All of them are one kind of [`Effect`]: each kind costs the
/// page another kilobyte.
fn effect(f: impl FnMut() + 'static) {
    let f: Box<dyn FnMut()> = Box::new(f);
    Effect::new(f);
}

/// Listens for as long as the page lives.
fn on<E: FromWasmAbi + 'static>(target: &EventTarget, event: &str, listener: impl FnMut(E) + 'static) {
    let listener = Closure::<dyn FnMut(E)>::new(listener).into_js_value();
    let _ = target.add_event_listener_with_callback(event, listener.unchecked_ref());
}

fn matches_media(query: &str) -> bool {
    window().match_media(query).ok().flatten().is_some_and(|list| list.matches())
}

/// Whether somebody looks at this page rather than at another one.
fn is_looked_at() -> bool {
    document().has_focus().unwrap_or(true) && !document().hidden()
}

/// Whether nothing on the page has the focus.
fn focus_is_free() -> bool {
    document().active_element().is_none_or(|element| element.dyn_ref::<HtmlElement>() == document().body().as_ref())
}

/// Runs `f` whenever the size of one of `elements` changed, before the next paint.
fn on_resize(elements: &[&web_sys::Element], mut f: impl FnMut() + 'static) {
    let callback = Closure::<dyn FnMut(JsValue)>::new(move |_| f()).into_js_value();
    if let Ok(observer) = web_sys::ResizeObserver::new(callback.unchecked_ref()) {
        for element in elements {
            observer.observe(element);
        }
    }
}

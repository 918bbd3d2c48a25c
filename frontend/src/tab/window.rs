//! What the browser tells the session, and the address bar.

use super::{paint, with};
use app::client::state::ConnectionState;
use leptos::prelude::{document, window};
use std::cell::RefCell;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{Event, EventTarget, PageTransitionEvent};

/// For which builds the page was loaded anew, one a line, in `sessionStorage`.
const BUILDS: &str = "hubbub.builds";

/// Listens for as long as the page lives.
pub(super) fn listen() {
    on(&window(), "online", || {
        with(super::ChatClient::nudge);
    });
    // A page that comes back out of the browser's memory may find that another one went on with its outbox.
    on_event(&window(), "pageshow", |event| {
        if event.dyn_ref::<PageTransitionEvent>().is_some_and(PageTransitionEvent::persisted) {
            let _ = window().location().reload();
        } else {
            look();
        }
    });
    on(&document(), "visibilitychange", || {
        with(|chat| chat.set_visible(is_visible()));
        if is_visible() {
            look();
        }
        // The frame or timer that was asked for may be far away now.
        paint::now();
    });
    note_address();
    on(&window(), "popstate", follow_address);
}

fn look() {
    with(super::ChatClient::come_back);
}

thread_local! {
    /// The path in the address bar, as this page last knew it.
    static SHOWN: RefCell<String> = RefCell::default();
}

fn note_address() {
    SHOWN.set(window().location().pathname().unwrap_or_default());
}

/// Back and forth in the history.
fn follow_address() {
    let Ok(path) = window().location().pathname() else { return };
    // A link within the page, such as the one to the composer, leads nowhere else.
    if SHOWN.with_borrow_mut(|shown| std::mem::replace(shown, path.clone()) == path) {
        return;
    }
    let Some((was, older)) = with(|chat| (chat.open_room().cloned(), chat.newer())) else { return };
    let opened = with(|chat| {
        for room in chat.rooms().into_iter().map(|line| line.room) {
            let room_path = room.key.path();
            if room_path == path {
                return chat.open(&room.key);
            }
            let seq = path.strip_prefix(&room_path).and_then(|rest| rest.strip_prefix('/')?.parse().ok());
            if let Some(seq) = seq {
                // Without a connection what is not here cannot be had, and loading the page would lose what is.
                return chat.open(&room.key) && (chat.show(seq) || chat.connection() != ConnectionState::Online);
            }
        }
        false
    });
    if opened == Some(false) {
        let _ = window().location().reload();
    }
    // Where what was on screen still is, the reader stays at it.
    let stays = with(|chat| chat.open_room() == was.as_ref() && (chat.target().is_some() || !older));
    if stays == Some(true) { paint::now() } else { paint::opened() }
}

pub(super) fn is_visible() -> bool {
    !document().hidden()
}

/// The address bar shows another room, and "back" leads back.
pub(super) fn push_address(path: &str) {
    if SHOWN.with_borrow(|shown| shown == path) {
        return;
    }
    if let Ok(history) = window().history() {
        let _ = history.push_state_with_url(&JsValue::NULL, "", Some(path));
        note_address();
    }
}

/// The address bar shows another room, in the place of what it showed.
pub(super) fn replace_address(path: &str) {
    if let Ok(history) = window().history() {
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(path));
        note_address();
    }
}

/// Loads another page.
pub(super) fn go(path: &str) {
    let _ = window().location().assign(path);
}

/// Loads the page anew to get another build of it; once for each, so that two servers of different builds do not make it
/// go back and forth, and only if `keep` sees to it that nothing is lost.
pub(super) fn renew(build: &str, keep: fn() -> bool) {
    let Ok(Some(storage)) = window().session_storage() else { return };
    let tried = storage.get_item(BUILDS).ok().flatten().unwrap_or_default();
    let is_new = tried.lines().all(|other| other != build);
    if is_new && keep() && storage.set_item(BUILDS, &[&tried, "\n", build].concat()).is_ok() {
        let _ = window().location().reload();
    }
}

/// A number nobody can guess.
pub(super) fn random() -> u64 {
    let mut bytes = [0; 8];
    if let Ok(crypto) = window().crypto() {
        let _ = crypto.get_random_values_with_u8_array(&mut bytes);
    }
    u64::from_le_bytes(bytes)
}

pub(super) fn on(target: &EventTarget, event: &str, listener: impl Fn() + 'static) {
    on_event(target, event, move |_| listener());
}

pub(super) fn on_event(target: &EventTarget, event: &str, listener: impl Fn(&Event) + 'static) {
    let listener = Closure::<dyn FnMut(Event)>::new(move |event| listener(&event)).into_js_value();
    let _ = target.add_event_listener_with_callback(event, listener.unchecked_ref());
}

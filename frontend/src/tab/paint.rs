//! The session's state into the signals of the page.

use super::{CLIENT, Client, drafts, window};
use crate::clock;
use app::{
    client::{drafts::joined, rows::Row},
    domain::RoomRef,
    view::room_view::RoomView,
};
use leptos::prelude::*;
use std::time::Duration;
use wasm_bindgen::JsCast;
use web_sys::HtmlTextAreaElement;

/// Nobody sees a hidden page but for its title.
const HIDDEN: Duration = Duration::from_millis(250);

/// Repaints with the next frame, however much happens until then.
pub(super) fn soon(client: &mut Client) {
    if std::mem::replace(&mut client.painting, true) {
        return;
    }
    if window::is_visible() {
        request_animation_frame(now);
    } else {
        // Hidden pages have no frames.
        set_timeout(now, HIDDEN);
    }
}

/// Repaints what changed.
pub(super) fn now() {
    let Some(paint) = CLIENT.with(|client| client.try_borrow_mut().ok()?.as_mut().map(collect)) else { return };
    paint();
}

/// Repaints, and shows the end of the room that was gone to.
pub(super) fn opened() {
    // Before the rest: a message that is to be shown is gone to from there.
    if let Some(chat) = CLIENT.with(|client| Some(client.try_borrow().ok()?.as_ref()?.chat)) {
        chat.opened.update(|times| *times += 1);
    }
    now();
}

/// Takes what is to be shown out of the client, so that it is free while the page reacts.
fn collect(client: &mut Client) -> impl FnOnce() + use<> {
    client.painting = false;
    let chat = client.chat;
    let session = &mut client.session;
    let room = session.open_room().cloned();
    let zone = chat.zone.get_untracked();
    let rows = session.take_rows_changed().then(|| session.rows(&|at| clock::local(at, &zone)));
    let (older, count, people) = (session.older(), session.count(), session.people().to_vec());
    let (rooms, link, trouble) = (session.rooms(), session.link(), session.trouble());
    let (newer, target, divider) = (session.newer(), session.target(), session.divider());
    let (typing, slow, unsent) = (session.others_typing(), session.slow(), session.unsent());
    let newer_build = session.server_build().filter(|build| *build != client.build).map(str::to_owned);
    let incompatible = client.incompatible.clone();
    move || {
        // Before the rows: whether they end where the room does decides whether to follow them.
        update(chat.newer, newer);
        update(chat.divider, divider);
        show_room(chat, room, rows);
        update(chat.target, target);
        update(chat.older, older);
        update(chat.count, count);
        update(chat.people, people);
        update(chat.typing, typing);
        update(chat.rooms, rooms);
        update(chat.unsent, unsent);
        update(chat.link, link);
        update(chat.trouble, trouble);
        update(chat.slow, slow);
        update(chat.outdated, newer_build.is_some());
        // Nobody is reading, or nothing goes on as it is.
        let newer_build = newer_build.filter(|_| !window::is_visible());
        if let Some(build) = incompatible.or(newer_build) {
            window::renew(&build, keep_all);
        }
    }
}

/// Sees to it that nothing is lost when the page is loaded anew; `false` if that cannot be had.
fn keep_all() -> bool {
    // Another tab may have sent or thrown away what is kept for the room, and this one has other things in its field.
    let typed = document().get_element_by_id("text").map(|field| field.unchecked_into::<HtmlTextAreaElement>().value());
    drafts::with_open(|drafts, room| drafts.set(room, &joined(&drafts.get(room), &typed.unwrap_or_default())));
    let stored = |client: &Client| client.drafts.are_stored() && !client.storage.is_refused();
    CLIENT.with(|client| client.try_borrow().ok()?.as_ref().map(stored)).unwrap_or(false)
}

fn show_room(chat: RoomView, room: Option<RoomRef>, rows: Option<Vec<Row>>) {
    match room {
        Some(room) => update(chat.room, room),
        // It was left, here or elsewhere: the server knows where to go from here.
        None => return window::go("/"),
    }
    if let Some(rows) = rows {
        update(chat.rows, rows);
    }
}

fn update<T: PartialEq + Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
    if signal.with_untracked(|old| *old != value) {
        signal.set(value);
    }
}

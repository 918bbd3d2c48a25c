//! The session's state into the signals of the page.

use super::{CLIENT, Client, drafts, storage, window};
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
    if let Some(view) = CLIENT.with(|client| Some(client.try_borrow().ok()?.as_ref()?.view)) {
        view.opened.update(|times| *times += 1);
    }
    now();
}

/// Takes what is to be shown out of the client, so that it is free while the page reacts.
fn collect(client: &mut Client) -> impl FnOnce() + use<> {
    client.painting = false;
    let view = client.view;
    let chat = &mut client.chat;
    let room = chat.open_room().cloned();
    let zone = view.zone.get_untracked();
    let rows = chat.take_rows_changed().then(|| chat.rows(&|at| clock::local(at, &zone)));
    let (older, count, people) = (chat.older(), chat.count(), chat.people().to_vec());
    let (rooms, connection, trouble) = (chat.rooms(), chat.connection(), chat.trouble());
    let (newer, target, divider) = (chat.newer(), chat.target(), chat.divider());
    let (typing, slow, unsent) = (chat.others_typing(), chat.slow(), chat.unsent());
    let newer_build = chat.server_build().filter(|build| *build != client.build).map(str::to_owned);
    let notice = chat.notice().filter(|notice| !storage::is_put_away(notice)).map(str::to_owned);
    let incompatible = client.incompatible.clone();
    move || {
        // Before the rows: whether they end where the room does decides whether to follow them.
        update(view.newer, newer);
        update(view.divider, divider);
        show_room(view, room, rows);
        update(view.target, target);
        update(view.older, older);
        update(view.count, count);
        update(view.people, people);
        update(view.typing, typing);
        update(view.rooms, rooms);
        update(view.unsent, unsent);
        update(view.connection, connection);
        update(view.trouble, trouble);
        update(view.slow, slow);
        update(view.notice, notice);
        update(view.outdated, newer_build.is_some());
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

fn show_room(view: RoomView, room: Option<RoomRef>, rows: Option<Vec<Row>>) {
    match room {
        Some(room) => update(view.room, room),
        // It was left, here or elsewhere: the server knows where to go from here.
        None => return window::go("/"),
    }
    if let Some(rows) = rows {
        update(view.rows, rows);
    }
}

fn update<T: PartialEq + Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
    if signal.with_untracked(|old| *old != value) {
        signal.set(value);
    }
}

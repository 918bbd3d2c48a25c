//! Notifications by the browser: after a click that asks for them, and only of what nobody is looking at.

use super::{effect, on, settings, window};
use crate::clock;
use app::{
    client::state::SidebarRoom,
    domain::{RoomKey, RoomRef},
    view::room_view::RoomView,
};
use leptos::prelude::*;
use std::time::Duration;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{Event, Notification, NotificationOptions, NotificationPermission, ServiceWorkerRegistration};

/// Another tab or device may be reading it: it has this long to say so. (Half a second in view, a report a second, and the way.)
const PATIENCE_MS: u64 = 3_000;

/// Asks the browser for the permission, and tells whether it is there.
pub fn ask(then: impl FnOnce(bool) + 'static) {
    let Ok(asked) = Notification::request_permission() else { return then(false) };
    let told = Closure::once(move |_: JsValue| then(allowed()));
    let _ = asked.then(&told);
    told.forget();
}

pub fn allowed() -> bool {
    // Pages that came without TLS may have no notifications at all.
    js_sys::Reflect::has(&window(), &"Notification".into()).unwrap_or(false)
        && Notification::permission() == NotificationPermission::Granted
}

/// Tells of rooms where more is unread than before.
pub fn watch(chat: RoomView) {
    let mut before: Option<Vec<SidebarRoom>> = None;
    // Rooms that are about to be told of, until when, and the timer that does.
    let mut due = Vec::<(RoomKey, u64, TimeoutHandle)>::new();
    effect(move || {
        let (rooms, now) = (chat.rooms.get(), clock::now());
        let Some(before) = before.replace(rooms.clone()) else { return };
        due.retain(|(_, until, _)| *until > now);
        for line in &rooms {
            let key = &line.room.key;
            let had = before.iter().find(|other| other.room.key == *key).map_or(line.unread, |it| it.unread);
            let waiting = due.iter().position(|(other, ..)| other == key);
            let again = waiting.filter(|_| line.unread < had);
            if let Some(i) = again {
                // Somebody is reading there: what is still unread has as long again.
                due.swap_remove(i).2.clear();
            }
            let more = line.unread > had && waiting.is_none() && settings::notifies() && !settings::is_muted(chat, key);
            if more || (again.is_some() && line.unread > 0) {
                let room = line.room.clone();
                if let Ok(timer) =
                    set_timeout_with_handle(move || tell(chat, &room), Duration::from_millis(PATIENCE_MS))
                {
                    due.push((key.clone(), now + PATIENCE_MS, timer));
                }
            }
        }
    });
}

fn tell(chat: RoomView, room: &RoomRef) {
    let looked_at = super::presence::is_looked_at() && chat.room.with_untracked(|open| open.key == room.key);
    let unread = untrack(|| chat.unread(&room.key));
    if unread == 0 || looked_at || !allowed() {
        return;
    }
    let options = NotificationOptions::new();
    options.set_body(&(chat.strings.unread)(unread));
    // One for each room: a later one takes its place, also one from another tab.
    options.set_tag(room.key.as_str());
    let Ok(notice) = Notification::new_with_options(room.name.as_str(), &options) else {
        return tell_by_worker(room, options);
    };
    let room = room.clone();
    let shown = notice.clone();
    on(&notice, "click", move |_: Event| {
        let _ = window().focus();
        if let Some(actions) = chat.actions() {
            actions.open(&room);
        }
        shown.close();
    });
}

/// Android lets only service workers show notifications. Ours opens the room that a tap asks for.
fn tell_by_worker(room: &RoomRef, options: NotificationOptions) {
    let navigator = window().navigator();
    // Pages that came without TLS have no worker.
    if !js_sys::Reflect::get(&navigator, &"serviceWorker".into()).is_ok_and(|it| it.is_truthy()) {
        return;
    }
    options.set_data(&room.key.path().into());
    let Ok(ready) = navigator.service_worker().ready() else { return };
    let name = room.name.clone();
    let tell = Closure::once(move |worker: JsValue| {
        let worker: ServiceWorkerRegistration = worker.unchecked_into();
        let _ = worker.show_notification_with_options(name.as_str(), &options);
    });
    let _ = ready.then(&tell);
    tell.forget();
}

//! Keys that work anywhere on the page, and the room switcher.

use super::{document, effect, on, settings, window};
use app::{
    client::decisions::{
        ime::{EnterMeans, Ime},
        keys::is_letter,
    },
    domain::RoomRef,
    view::{room::Handles, room_view::RoomView},
};
use leptos::{prelude::*, task::spawn_local};
use std::time::Duration;
use wasm_bindgen::JsCast;
use web_sys::{CompositionEvent, Element, Event, KeyboardEvent, Response};

/// Key code of a key that an input method has taken for itself.
pub const TAKEN: u32 = 229;

pub fn attach(chat: RoomView, handles: Handles) {
    on(&document(), "keydown", move |ev: KeyboardEvent| {
        if is_letter('k', &ev.key(), &ev.code()) && commands(&ev) && !ev.shift_key() && !ev.alt_key() {
            ev.prevent_default();
            if !something_is_open() {
                handles.switching.set(true);
            }
        } else if is_question(&ev) && !something_is_open() && settings::single_key() {
            ev.prevent_default();
            settings::show_keys(chat);
        }
    });
    switcher(chat, handles);
}

/// Whether this is a command and not text: with Cmd, or with Ctrl where that is not the system's. On a Mac, Ctrl and a letter move
/// and cut in a field.
fn commands(ev: &KeyboardEvent) -> bool {
    let is_mac = || window().navigator().platform().is_ok_and(|it| it.starts_with("Mac"));
    ev.meta_key() || (ev.ctrl_key() && !(is_field(ev) && is_mac()))
}

/// Whether a dialog or popover is in front of the page: Escape and other keys are its own then.
pub fn something_is_open() -> bool {
    // Without popovers the second selector is none.
    ["dialog[open]", ":popover-open"].iter().any(|open| matches!(document().query_selector(open), Ok(Some(_))))
}

/// A question mark that is not typed into a field, nor part of a shortcut of the browser's.
fn is_question(ev: &KeyboardEvent) -> bool {
    let modified = ev.ctrl_key() || ev.meta_key() || ev.alt_key();
    ev.key() == "?" && !modified && !is_field(ev)
}

fn is_field(ev: &KeyboardEvent) -> bool {
    let target = ev.target().and_then(|target| target.dyn_into::<Element>().ok());
    target.is_some_and(|it| matches!(it.matches("input:not([type=checkbox]),textarea,select"), Ok(true)))
}

/// The rooms of the directory.
async fn all_rooms() -> Option<Vec<RoomRef>> {
    let answer: Response = window().fetch_with_str("/rooms.json").await.ok()?.unchecked_into();
    let text = answer.text().ok()?.await.ok()?.as_string()?;
    serde_json::from_str(&text).ok()
}

/// The switcher's keyboard. As in the composer, one Enter is enough for Korean, and the one that chooses a candidate does
/// nothing else.
fn switcher(chat: RoomView, handles: Handles) {
    let Some(dialog) = handles.switcher.get_untracked() else { return };
    let choice = handles.choice.get_value();
    let ime = StoredValue::new(Ime::default());
    let step = move |f: fn(&mut Ime) -> bool| {
        let mut now = ime.get_value();
        let answer = f(&mut now);
        ime.set_value(now);
        answer
    };
    let take_soon = move || {
        let fire = move || {
            if step(Ime::fire) {
                choice.take(chat, handles);
            }
        };
        set_timeout(fire, Duration::ZERO);
    };
    effect({
        let dialog = dialog.clone();
        move || {
            if handles.switching.get() == dialog.open() {
                return;
            }
            if dialog.open() {
                dialog.close();
            } else {
                choice.typed.set(String::new());
                choice.at.set(0);
                ime.set_value(Ime::default());
                let _ = dialog.show_modal();
                spawn_local(async move {
                    // Who asks too often, or is offline, goes on with what was known, or with their own rooms.
                    let known = || choice.others.get_untracked().unwrap_or_default();
                    let rooms = all_rooms().await.unwrap_or_else(known);
                    choice.others.set(Some(rooms));
                });
            }
        }
    });
    // The field comes with the dialog.
    effect(move || {
        if let Some(filter) = handles.filter.get() {
            let _ = filter.focus();
        }
    });
    on(&dialog, "compositionstart", move |_: CompositionEvent| ime.update_value(Ime::start));
    on(&dialog, "compositionupdate", move |ev: CompositionEvent| {
        ime.update_value(|ime| ime.update(&ev.data().unwrap_or_default()));
    });
    on(&dialog, "compositionend", move |_: CompositionEvent| {
        if step(Ime::end) {
            take_soon();
        }
    });
    on(&dialog, "input", move |_: Event| {
        if let Some(filter) = handles.filter.get_untracked() {
            choice.typed.set(filter.value());
            choice.at.set(0);
        }
    });
    on(&dialog, "keydown", move |ev: KeyboardEvent| {
        let taken = ev.key_code() == TAKEN || ev.is_composing();
        let on_field = is_field(&ev);
        let last = choice.rooms.with_untracked(Vec::len).saturating_sub(1);
        let at = choice.at.get_untracked();
        let next = match (ev.key().as_str(), ev.code().as_str()) {
            ("Enter", _) | (_, "Enter" | "NumpadEnter") if on_field => {
                let mut now = ime.get_value();
                let verdict = now.enter(taken);
                ime.set_value(now);
                match verdict {
                    EnterMeans::Leave => return,
                    EnterMeans::Swallow => {}
                    EnterMeans::Send => choice.take(chat, handles),
                    EnterMeans::SendSoon => take_soon(),
                }
                at
            }
            _ if taken => return,
            ("ArrowDown", _) => {
                if at < last {
                    at + 1
                } else {
                    0
                }
            }
            ("ArrowUp", _) => at.checked_sub(1).unwrap_or(last),
            ("Home", _) => 0,
            ("End", _) => last,
            _ => return,
        };
        ev.prevent_default();
        choice.at.set(next);
        if let Some(option) = document().get_element_by_id(&["choice-", &next.to_string()].concat()) {
            option.scroll_into_view_with_bool(false);
        }
    });
}

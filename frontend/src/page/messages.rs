//! From message to message by the arrow keys. The message that has the focus is one stop of the Tab key, and so is its address.

use super::{on, tools};
use app::view::{parts::is_plain, room::Handles, room_view::RoomView};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, Event, FocusEvent, HtmlDivElement, HtmlElement, KeyboardEvent, MouseEvent};

/// A message, in the log or not yet.
const MESSAGE: &str = ".m";

pub fn attach(chat: RoomView, handles: Handles) {
    let Some(log) = handles.log.get_untracked() else { return };
    // The server cannot know whether there will be arrow keys.
    if let Ok(links) = log.query_selector_all("a.at") {
        for i in 0..links.length() {
            if let Some(link) = links.item(i).and_then(|link| link.dyn_into::<HtmlElement>().ok()) {
                link.set_tab_index(-1);
            }
        }
    }
    let show = move |ev: &Event, row: &Element| {
        let seq = row.get_attribute("data-seq").and_then(|seq| seq.parse().ok());
        if let (Some(seq), Some(actions)) = (seq, chat.actions()) {
            ev.prevent_default();
            actions.show(seq);
        }
    };
    on(&log, "click", move |ev: MouseEvent| {
        // What tries again or throws away goes with its row, and must not take the focus along.
        if tools::is_on(&ev, ".fate button") && super::matches_media("(pointer: fine)") {
            let _ = handles.field.get_untracked().map(|field| field.focus());
        }
        if let (true, true, Some(row)) = (is_plain(&ev), tools::is_on(&ev, "a.at"), row_of(&ev)) {
            show(&ev, &row);
        }
    });
    let list = log.clone();
    on(&log, "keydown", move |ev: KeyboardEvent| {
        if ev.alt_key() || ev.ctrl_key() || ev.meta_key() || ev.shift_key() {
            return;
        }
        match ev.key().as_str() {
            "ArrowUp" => go(&list, true, &ev),
            "ArrowDown" => go(&list, false, &ev),
            "Enter" => {
                if let Some(row) = row_of(&ev).filter(|row| ev.target().as_ref() == Some(row)) {
                    show(&ev, &row);
                }
            }
            "Escape" => {
                let _ = handles.field.get_untracked().map(|field| field.focus());
            }
            _ => {}
        }
    });
    let stop: StoredValue<Vec<HtmlElement>, LocalStorage> = StoredValue::new_local(Vec::new());
    on(&log, "focusin", move |ev: FocusEvent| {
        let Some(row) = row_of(&ev) else { return };
        // What is not sent yet has no address.
        let link = row.query_selector("a.at").ok().flatten();
        let now = [Some(row), link].into_iter().flatten().filter_map(|it| it.dyn_into::<HtmlElement>().ok());
        let now: Vec<_> = now.collect();
        stop.update_value(|stop| {
            for before in stop.iter() {
                before.set_tab_index(-1);
            }
            for it in &now {
                it.set_tab_index(0);
            }
            *stop = now;
        });
    });
}

pub fn row_of(ev: &Event) -> Option<Element> {
    ev.target()?.dyn_into::<Element>().ok()?.closest(MESSAGE).ok()?
}

/// To the next message; in from the last one that is in view.
fn go(log: &HtmlDivElement, up: bool, ev: &KeyboardEvent) {
    let Ok(rows) = log.query_selector_all(MESSAGE) else { return };
    let row = |i: u32| rows.item(i).and_then(|row| row.dyn_into::<HtmlElement>().ok());
    let here = row_of(ev);
    let edge = log.get_bounding_client_rect().bottom();
    let at = (0..rows.length()).rev().find(|i| {
        row(*i).is_some_and(|row| match &here {
            Some(here) => *row == *here,
            None => row.get_bounding_client_rect().bottom() <= edge,
        })
    });
    let next = match (at, up) {
        (Some(at), true) if here.is_some() => at.checked_sub(1),
        (Some(at), true) => Some(at),
        (Some(at), false) => Some(at + 1),
        (None, _) => None,
    };
    if let Some(row) = next.and_then(row) {
        ev.prevent_default();
        row.set_tab_index(0);
        let _ = row.focus();
    }
}

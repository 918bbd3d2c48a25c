//! From message to message by the arrow keys, and a button that copies a message's address.
//!
//! There is one button, which goes to the message that the pointer or the focus is on.

use super::{Announcer, copy, document, matches_media, on};
use crate::view::{chat::Chat, parts::icons, room::Handles, strings};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, Event, FocusEvent, HtmlDivElement, HtmlElement, KeyboardEvent, MouseEvent};

/// A message that has an address.
const MESSAGE: &str = ".m[data-seq]";

pub fn attach(chat: Chat, handles: Handles, announcer: Announcer) {
    let Some(log) = handles.log.get_untracked() else { return };
    // The server cannot know whether there will be arrow keys.
    if let Ok(links) = log.query_selector_all("a.at") {
        for i in 0..links.length() {
            if let Some(link) = links.item(i).and_then(|link| link.dyn_into::<HtmlElement>().ok()) {
                link.set_tab_index(-1);
            }
        }
    }
    if let Some(button) = button() {
        let attach_to = {
            let button = button.clone();
            move |ev: &Event| {
                let row = row_of(ev).filter(|row| !row.contains(Some(&button)));
                let _ = row.map(|row| row.append_child(&button));
            }
        };
        let follow = attach_to.clone();
        // Whoever goes by the keyboard has left the pointer lying somewhere.
        let by_keyboard = || matches!(document().query_selector(".m :focus-visible"), Ok(Some(_)));
        // Where nothing hovers, it comes with a tap; a finger that scrolls passes over many messages.
        let follows = if matches_media("(hover: hover)") { "pointerover" } else { "click" };
        on(&log, follows, move |ev: Event| {
            if !by_keyboard() {
                follow(&ev);
            }
        });
        on(&log, "focusin", move |ev: FocusEvent| attach_to(&ev));
        let pressed = button.clone();
        on(&button, "click", move |ev: MouseEvent| {
            let Some(seq) = row_of(&ev).and_then(|row| row.get_attribute("data-seq")) else { return };
            let path = chat.room.with_untracked(|room| room.key.path());
            copy(&[&path, "/", &seq].concat(), &pressed, announcer);
        });
    }
    on(&log, "click", move |ev: MouseEvent| {
        let on_a = |what: &str| ev.target().and_then(|it| it.dyn_into::<Element>().ok()?.closest(what).ok()?);
        // What tries again or throws away goes with its row, and must not take the focus along.
        if on_a(".fate button").is_some() && matches_media("(pointer: fine)") {
            let _ = handles.field.get_untracked().map(|field| field.focus());
        }
        let link = on_a("a.at");
        let plain = ev.button() == 0 && !(ev.ctrl_key() || ev.meta_key() || ev.shift_key() || ev.alt_key());
        let seq = row_of(&ev).and_then(|row| row.get_attribute("data-seq")?.parse().ok());
        if let (true, Some(_), Some(seq), Some(actions)) = (plain, link, seq, chat.actions()) {
            ev.prevent_default();
            actions.show(seq);
        }
    });
    let list = log.clone();
    on(&log, "keydown", move |ev: KeyboardEvent| key(&list, handles, &ev));
}

fn row_of(ev: &Event) -> Option<Element> {
    ev.target()?.dyn_into::<Element>().ok()?.closest(MESSAGE).ok()?
}

fn button() -> Option<HtmlElement> {
    let button: HtmlElement = document().create_element("button").ok()?.dyn_into().ok()?;
    let label = strings().copy_message;
    for (name, value) in [("class", "icon copy"), ("type", "button"), ("title", label), ("aria-label", label)] {
        let _ = button.set_attribute(name, value);
    }
    let drawing = ["<svg class=line viewBox='0 0 20 20' aria-hidden=true><path d='", icons::LINK, "'/></svg>"].concat();
    button.set_inner_html(&drawing);
    Some(button)
}

/// The arrow keys go from message to message: in from the last one that is in view; Escape leads back to writing.
fn key(log: &HtmlDivElement, handles: Handles, ev: &KeyboardEvent) {
    if ev.alt_key() || ev.ctrl_key() || ev.meta_key() || ev.shift_key() {
        return;
    }
    let up = match ev.key().as_str() {
        "ArrowUp" => true,
        "ArrowDown" => false,
        "Escape" => {
            if let Some(field) = handles.field.get_untracked() {
                let _ = field.focus();
            }
            return;
        }
        _ => return,
    };
    let Ok(rows) = log.query_selector_all(MESSAGE) else { return };
    let row = |i: u32| rows.item(i).and_then(|row| row.dyn_into::<Element>().ok());
    let here = row_of(ev);
    let edge = log.get_bounding_client_rect().bottom();
    let at = (0..rows.length()).rev().find(|i| {
        row(*i).is_some_and(|row| match &here {
            Some(here) => row == *here,
            None => row.get_bounding_client_rect().bottom() <= edge,
        })
    });
    let next = match (at, up) {
        (Some(at), true) if here.is_some() => at.checked_sub(1),
        (Some(at), true) => Some(at),
        (Some(at), false) => Some(at + 1),
        (None, _) => None,
    };
    let link = next.and_then(row).and_then(|row| row.query_selector("a.at").ok()?);
    if let Some(link) = link.and_then(|link| link.dyn_into::<HtmlElement>().ok()) {
        ev.prevent_default();
        let _ = link.focus();
    }
}

//! What can be done with one message: its address and its text are copied.
//!
//! There is one set of tools, which goes to the message that the pointer or the focus is on. Where nothing hovers it comes with a
//! tap and lies over the room's heading, so that it covers nothing that somebody wrote.

use super::{Announcer, copy, document, matches_media, messages, on, origin};
use app::{
    client::rows::Row,
    i18n::Strings,
    view::{parts::icons, room::Handles, room_view::RoomView},
};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, Event, FocusEvent, MouseEvent};

/// The message of the log that something happened on: one that is not sent yet has other tools.
fn row_of(ev: &Event) -> Option<Element> {
    messages::row_of(ev).filter(|row| row.has_attribute("data-seq"))
}

/// Whether what happened did so on a `what`, or within one.
pub fn is_on(ev: &Event, what: &str) -> bool {
    let on = || ev.target()?.dyn_into::<Element>().ok()?.closest(what).ok()?;
    on().is_some()
}

pub fn attach(chat: RoomView, handles: Handles, announcer: Announcer) {
    let (Some(log), Ok(tools)) = (handles.log.get_untracked(), document().create_element("div")) else { return };
    let hovers = matches_media("(hover: hover)");
    fill(&tools, hovers, chat.strings);
    let attach_to = {
        let tools = tools.clone();
        move |ev: &Event| {
            let row = row_of(ev).filter(|row| !row.contains(Some(&tools)));
            let _ = row.map(|row| row.append_child(&tools));
        }
    };
    if hovers {
        let follow = attach_to.clone();
        on(&log, "pointerover", move |ev: Event| {
            // Whoever goes by the keyboard has left the pointer lying somewhere.
            if !matches!(document().query_selector(".m:focus-visible, .m :focus-visible"), Ok(Some(_))) {
                follow(&ev);
            }
        });
    } else {
        let (tap, tools) = (attach_to.clone(), tools.clone());
        on(&document(), "click", move |ev: Event| {
            let again = row_of(&ev).is_some_and(|row| row.contains(Some(&tools)));
            if is_on(&ev, ".tools button:not(.shut)") {
            } else if again || row_of(&ev).is_none() {
                tools.remove();
            } else if !is_on(&ev, "a, summary") {
                tap(&ev);
            }
        });
    }
    on(&log, "focusin", move |ev: FocusEvent| {
        if hovers || is_on(&ev, ".m:focus-visible") {
            attach_to(&ev);
        }
    });
    let t = chat.strings;
    on(&tools, "click", move |ev: MouseEvent| {
        let Some(row) = row_of(&ev) else { return };
        let button = ev.target().and_then(|it| it.dyn_into::<Element>().ok()?.closest("button").ok()?);
        let Some(button) = button else { return };
        let seq = row.get_attribute("data-seq").unwrap_or_default();
        if button.class_name().contains("copy") {
            let path = chat.room.with_untracked(|room| room.key.path());
            copy(t, &[&origin(), &path, "/", &seq].concat(), t.link_copied, &button, announcer);
        } else if let Some(text) = written(chat, &seq) {
            copy(t, &text, t.text_copied, &button, announcer);
        }
    });
}

/// Two sheets, one over the other.
const PAGES: &str = "M7 7V4h9v9h-3M4 7h9v9H4Z";

/// What was written, which need not be what is on the screen: translators change that.
fn written(chat: RoomView, seq: &str) -> Option<String> {
    let seq = seq.parse::<u64>().ok()?;
    chat.rows.with_untracked(|rows| {
        rows.iter().find_map(|row| match row {
            Row::Message { entry, .. } if entry.seq == seq => entry.text().map(str::to_owned),
            _ => None,
        })
    })
}

/// Names stand in the buttons where no tooltip shows them.
fn fill(tools: &Element, hovers: bool, t: &Strings) {
    let one = |class: &str, icon: &str, name: &str, short: &str| {
        let (label, shown) = if hovers || short.is_empty() {
            ([" title=\"", name, "\" aria-label=\"", name, "\""].concat(), String::new())
        } else {
            (String::new(), ["<span>", short, "</span>"].concat())
        };
        [
            "<button type=button class=\"",
            class,
            "\"",
            &label,
            "><svg class=line viewBox='0 0 20 20' aria-hidden=true><path d='",
            icon,
            "'/></svg>",
            &shown,
            "</button>",
        ]
        .concat()
    };
    let link = one("icon copy", icons::LINK, t.copy_message, t.copy_address);
    let text = one("icon all", PAGES, t.copy_text, t.copy_text);
    let close = if hovers { String::new() } else { one("icon shut", icons::CLOSE, t.close_menu, "") };
    tools.set_class_name(if hovers { "tools" } else { "tools over" });
    tools.set_inner_html(&[link, text, close].concat());
}

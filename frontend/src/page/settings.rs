//! Settings of this device, and a person's muted rooms, in the browser's storage; and the panels that show them.

use super::{document, matches_media, notifications, on, window};
use app::{
    domain::RoomKey,
    page::MUTED_KEYS,
    theme::Theme,
    view::{parts::is_plain, room_view::RoomView},
};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, Event, HtmlDialogElement, HtmlElement, HtmlInputElement, MouseEvent};

/// What the keys of the device's settings begin with.
const PREFIX: &str = "hubbub.set.";

/// Whether a plain Enter sends: where there is a keyboard, unless it was set otherwise.
pub fn enter_sends() -> bool {
    get("enter").map_or_else(|| !matches_media("(pointer: coarse)"), |set| set == "on")
}

/// Whether the key `?` shows the shortcuts.
pub fn single_key() -> bool {
    get("key").is_none_or(|set| set == "on")
}

pub fn notifies() -> bool {
    get("notify").is_some_and(|set| set == "on")
}

pub fn is_muted(chat: RoomView, room: &RoomKey) -> bool {
    muted(&muted_key(chat)).lines().any(|line| line == room.as_str())
}

/// Which rooms somebody mutes is their own: it goes when they sign out, as drafts do.
fn muted_key(chat: RoomView) -> String {
    chat.me.with_value(|me| [MUTED_KEYS, me.name.as_str()].concat())
}

/// Keys of rooms, one a line: a name has no line feed.
fn muted(key: &str) -> String {
    read(key).unwrap_or_default()
}

fn mute(chat: RoomView, yes: bool) {
    let (key, room) = (muted_key(chat), chat.room.with_untracked(|room| room.key.as_str().to_owned()));
    let mut lines: Vec<String> = muted(&key).lines().filter(|line| *line != room).map(str::to_owned).collect();
    if yes {
        lines.push(room);
    }
    write(&key, &lines.join("\n"));
}

fn get(name: &str) -> Option<String> {
    read(&[PREFIX, name].concat())
}

fn set(name: &str, value: &str) {
    write(&[PREFIX, name].concat(), value);
}

fn read(key: &str) -> Option<String> {
    let refused = js_sys::Reflect::get(&window(), &key.into()).ok().and_then(|value| value.as_string());
    refused.or_else(|| window().local_storage().ok()??.get_item(key).ok()?)
}

fn write(key: &str, value: &str) {
    let area = window().local_storage().ok().flatten();
    let refused = area.is_none_or(|area| area.set_item(key, value).is_err());
    // What cannot be stored lasts as long as the page.
    let kept = if refused { value.into() } else { JsValue::UNDEFINED };
    let _ = js_sys::Reflect::set(&window(), &key.into(), &kept);
}

/// Brings the panels to life.
pub fn attach(chat: RoomView) {
    let menu = document().get_element_by_id("room-menu").and_then(|menu| menu.dyn_into().ok());
    let popovers: Vec<HtmlElement> = panel().into_iter().chain(menu).collect();
    for popover in &popovers {
        on(popover, "beforetoggle", move |_: Event| show(chat));
    }
    for panel in popovers.into_iter().chain(keys().map(HtmlElement::from)) {
        on(&panel, "change", move |ev: Event| changed(chat, &ev));
        on(&panel, "click", move |ev: MouseEvent| clicked(&ev));
    }
}

fn panel() -> Option<HtmlElement> {
    document().get_element_by_id("settings")?.dyn_into().ok()
}

/// The list of shortcuts.
fn keys() -> Option<HtmlDialogElement> {
    document().get_element_by_id("keys")?.dyn_into().ok()
}

pub fn show_keys(chat: RoomView) {
    show(chat);
    if let Some(keys) = keys().filter(|keys| !keys.open()) {
        let _ = keys.show_modal();
    }
}

/// Ticks the boxes as things are set, and has the room's menu be about the room on screen.
fn show(chat: RoomView) {
    if let Ok(Some(leave)) = document().query_selector("#room-menu form") {
        let _ = leave.set_attribute("action", &(chat.room.with_untracked(|room| room.key.path()) + "/leave"));
    }
    let here = !chat.room.with_untracked(|room| is_muted(chat, &room.key));
    for (name, on) in [
        ("enter", enter_sends()),
        ("notify", notifies() && notifications::allowed()),
        ("here", here),
        ("key", single_key()),
    ] {
        if let Some(box_) = checkbox(name) {
            box_.set_checked(on);
        }
    }
}

fn checkbox(name: &str) -> Option<HtmlInputElement> {
    document().query_selector(&["[data-set=", name, "]"].concat()).ok()??.dyn_into().ok()
}

fn changed(chat: RoomView, ev: &Event) {
    let Some(box_) = ev.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok()) else { return };
    let (name, on) = (box_.get_attribute("data-set").unwrap_or_default(), box_.checked());
    match name.as_str() {
        "here" => mute(chat, !on),
        "notify" if on => notifications::ask(move |granted| {
            set("notify", if granted { "on" } else { "off" });
            box_.set_checked(granted);
            if let Some(refused) = document().get_element_by_id("notify-refused") {
                let _ = refused.toggle_attribute_with_force("hidden", granted);
            }
        }),
        _ => set(&name, if on { "on" } else { "off" }),
    }
}

fn clicked(ev: &MouseEvent) {
    let Some(target) = ev.target().and_then(|target| target.dyn_into::<Element>().ok()) else { return };
    if target.has_attribute("data-open") {
        // Gone first, it gives the focus back to its button, and there the list will leave it.
        let _ = panel().map(|panel| panel.hide_popover());
        if let Some(keys) = keys() {
            let _ = keys.show_modal();
        }
    } else if let Some(tag) = target.get_attribute("data-choose") {
        if is_plain(ev) {
            ev.prevent_default();
            choose(&tag, &target);
        }
    } else if let Some(lang) = target.get_attribute("hreflang").filter(|_| is_plain(ev)) {
        // The link leads to the room that this page was loaded with, which may be another one than is on screen.
        ev.prevent_default();
        remember("lang", &lang);
        let _ = window().location().reload();
    }
}

/// For the pages to come.
fn remember(name: &str, tag: &str) {
    let cookie = [name, "=", tag, ";path=/;max-age=31536000;SameSite=Lax"].concat();
    let _ = js_sys::Reflect::set(&document(), &"cookie".into(), &JsValue::from_str(&cookie));
}

/// Changes the theme or the density in place, and for the pages to come.
fn choose(tag: &str, link: &Element) {
    let Some(choices) = link.parent_element() else { return };
    let what = choices.get_attribute("data-what").unwrap_or_default();
    remember(&what, tag);
    if let Some(html) = document().document_element() {
        let _ = html.set_attribute(&["data-", &what].concat(), tag);
    }
    if let Some(theme) = Theme::from_tag(tag) {
        let [scheme, light, dark] = theme.paints();
        let heads = [("[name=color-scheme]", scheme), ("[media$='light)']", light), ("[media$='dark)']", dark)];
        for (meta, content) in heads {
            if let Ok(Some(meta)) = document().query_selector(&["meta", meta].concat()) {
                let _ = meta.set_attribute("content", content);
            }
        }
    }
    let links = choices.children();
    for i in 0..links.length() {
        if let Some(other) = links.item(i) {
            let _ = other.remove_attribute("aria-current");
        }
    }
    let _ = link.set_attribute("aria-current", "true");
}

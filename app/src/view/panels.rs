//! What opens in front of a room: settings of this device, and the shortcuts.
//!
//! They stand beside the app, so that the browser is sent no code for them: the settings are a popover, which opens
//! without a script, and `browser::settings` finds what else there is by its attributes.

use super::{
    parts::{densities, icon, icons, languages, themes},
    strings,
};
use crate::page::{PageData, Screen};
use leptos::prelude::*;

pub fn panels(page: &PageData) -> impl IntoView + use<> {
    let t = strings();
    let keys = t.pages.shortcut_list.map(|(keys, what)| view! { <div><dt>{keys}</dt><dd>{what}</dd></div> }.into_any());
    view! {
        <div class="panel" id="settings" popover="auto" role="dialog" aria-label=t.settings>
            <div class="pair"><h2>{t.pages.language}</h2> {languages(page)}</div>
            <div class="pair"><h2>{t.pages.theme}</h2> {themes(page)}</div>
            <div class="pair"><h2>{t.pages.density}</h2> {densities(page)}</div>
            <div class="sets scripted">
                {check("enter", t.pages.enter_sends)}
                {check("notify", t.pages.notify)}
                <p class="help err" id="notify-refused" role="alert" hidden>{t.pages.notify_refused}</p>
                <button class="quiet" type="button" data-open="keys">{t.pages.shortcuts}</button>
            </div>
        </div>
        {room_menu(page)}
        <dialog class="panel" id="keys" aria-labelledby="keys-title">
            <h2 id="keys-title">{t.pages.shortcuts}</h2>
            <dl>{keys.into_iter().collect_view()}</dl>
            {check("key", t.pages.single_key)}
            <form method="dialog"><button class="go">{t.pages.close}</button></form>
        </dialog>
    }
}

/// What concerns the room on screen alone. Its form leads to the room that the page was loaded with until `browser::settings`
/// opens it for another.
fn room_menu(page: &PageData) -> impl IntoView + use<> {
    let t = strings();
    let leave = match &page.screen {
        Screen::Room(screen) => screen.opening.room.key.path() + "/leave",
        _ => String::new(),
    };
    view! {
        <div class="panel" id="room-menu" popover="auto" role="dialog" aria-label=t.room_menu>
            <div class="scripted">{check("here", t.pages.notify_here)}</div>
            <form method="post" action=leave>
                <button class="item">{icon(icons::LEAVE)} <span>{t.pages.leave}</span></button>
            </form>
        </div>
    }
}

fn check(name: &'static str, label: &'static str) -> impl IntoView {
    view! {
        <label class="check">
            <span>{label}</span> <input type="checkbox" role="switch" autocomplete="off" data-set=name/>
        </label>
    }
    .into_any()
}

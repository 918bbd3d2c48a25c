//! What opens in front of a room: settings of this device, and the shortcuts.
//!
//! They stand beside the app, so that the browser is sent no code for them: the settings are a popover, which opens
//! without a script, and `browser::settings` finds what else there is by its attributes.

use super::{
    parts::{languages, themes},
    strings,
};
use crate::page::PageData;
use leptos::prelude::*;

pub fn panels(page: &PageData) -> impl IntoView + use<> {
    let t = strings();
    let keys = t.pages.shortcut_list.map(|(keys, what)| view! { <div><dt>{keys}</dt><dd>{what}</dd></div> }.into_any());
    view! {
        <div class="panel" id="settings" popover="auto" role="dialog" aria-label=t.settings>
            <h2>{t.pages.language}</h2>
            {languages(page)}
            <h2>{t.pages.theme}</h2>
            {themes(page)}
            <div class="sets scripted">
                {check("enter", t.pages.enter_sends)}
                {check("notify", t.pages.notify)}
                <p class="help err" id="notify-refused" role="alert" hidden>{t.pages.notify_refused}</p>
                {check("mute", t.pages.mute)}
                <button class="quiet" type="button" data-open="keys">{t.pages.shortcuts}</button>
            </div>
        </div>
        <dialog class="panel" id="keys" aria-labelledby="keys-title">
            <h2 id="keys-title">{t.pages.shortcuts}</h2>
            <dl>{keys.into_iter().collect_view()}</dl>
            {check("key", t.pages.single_key)}
            <form method="dialog"><button class="go">{t.pages.close}</button></form>
        </dialog>
    }
}

fn check(name: &'static str, label: &'static str) -> impl IntoView {
    view! {
        <label class="check"><input type="checkbox" autocomplete="off" data-set=name/> <span>{label}</span></label>
    }
    .into_any()
}

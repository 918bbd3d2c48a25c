//! What a page's head runs: small scripts that the page itself carries, and for a room the way to its script.

use super::document::Assets;
use crate::{
    client::drafts::{DRAFT_KEYS, SEPARATOR},
    i18n::Pages,
    page::{MUTED_KEYS, OUTBOX_KEYS, PAGE_DATA_ID, PageData},
};
use leptos::{nonce::Nonce, prelude::*};
use serde::Serialize;
use std::sync::LazyLock;

/// Tells the server the reader's time zone, and how many hours a day has where they are, from the next request on.
pub const DIAL: &str = "try{let o=Intl.DateTimeFormat([],{hour:'numeric'}).resolvedOptions();\
    for(let c of['tz='+o.timeZone,'hc='+o.hourCycle])document.cookie=c+';path=/;max-age=31536000;SameSite=Lax'}catch{}";

/// `page.js` as it is sent: without what only its readers need.
static PAGE: LazyLock<String> = LazyLock::new(|| {
    let lines = include_str!("page.js").lines().map(str::trim).filter(|line| !line.starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
});

/// What `page.js` is called with.
#[derive(Serialize)]
struct Called<'a> {
    js: &'a str,
    wasm: &'a str,
    /// What the keys of this person's drafts begin with.
    draft: String,
    words: Words,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Words {
    waits: &'static str,
    stopped: &'static str,
    text_only: &'static str,
}

/// What a room needs to come alive, and `data`, of which it was rendered. Without it, and when it fails, the forms go on working.
pub fn room(page: &PageData, data: String, assets: &Assets, nonce: &Nonce) -> impl IntoView + use<> {
    let Pages { waits, stopped, text_only, .. } = page.lang.strings().pages;
    let name = page.me.as_ref().map_or("", |me| me.name.as_str());
    let called = Called {
        js: &assets.js,
        wasm: &assets.wasm,
        draft: format!("{DRAFT_KEYS}{name}{SEPARATOR}"),
        words: Words { waits, stopped, text_only },
    };
    let script = format!("({})({})", *PAGE, json(&called));
    view! {
        <link rel="modulepreload" href=assets.js.clone() nonce=nonce.to_string()/>
        <link rel="preload" href=assets.wasm.clone() r#as="fetch" r#type="application/wasm" crossorigin="anonymous"/>
        <script type="application/json" id=PAGE_DATA_ID inner_html=data></script>
        <script nonce=nonce.to_string() inner_html=script></script>
    }
}

/// The data of a page, as it stands in its head.
pub fn data(page: &PageData) -> String {
    json(page)
}

/// Registers `public/sw.js`, after all that the page itself needs. Under development, where names of files do not change
/// with what is in them, it takes an earlier one away.
pub fn worker(build: &str, assets: &Assets, nonce: &Nonce) -> impl IntoView + use<> {
    let script = if assets.reload.is_some() {
        "navigator.serviceWorker?.getRegistrations().then(all=>all.forEach(it=>it.unregister()));\
         self.caches?.keys().then(all=>all.forEach(it=>caches.delete(it)))"
            .to_owned()
    } else {
        // Where it is refused, as with storage switched off, nothing else changes.
        format!(
            "navigator.serviceWorker&&addEventListener('load',()=>\
             navigator.serviceWorker.register({}).catch(()=>{{}}))",
            json(&["/sw.js?v=", build].concat())
        )
    };
    view! { <script nonce=nonce.to_string() inner_html=script></script> }
}

/// The room that follows the door opens faster when its files are there already.
pub fn prefetch(assets: &Assets) -> impl IntoView + use<> {
    view! {
        <link rel="prefetch" href=assets.js.clone()/>
        <link rel="prefetch" href=assets.wasm.clone()/>
    }
}

/// Asks before a sign-out erases what was not sent: drafts, and messages that wait or were refused, in whichever tab and room.
/// Comes before whatever else listens for forms.
pub fn stay(strings: &Pages, nonce: &Nonce) -> impl IntoView + use<> {
    let script = format!(
        "addEventListener('submit',event=>{{\
         if(event.target.getAttribute('action')!=='/signout')return;\
         let lost=0;\
         try{{for(const[key,kept]of Object.entries(localStorage)){{\
         if(key.startsWith({drafts}))lost+=!!kept.trim();\
         else if(key.startsWith({outboxes}))for(const room of JSON.parse(kept).rooms)for(const box of room.outboxes)\
         lost+=box.failed.length+box.queue.filter(item=>item.op.message).length}}}}catch{{}}\
         if(!lost)lost+=!!document.getElementById('text')?.value.trim();\
         const words={words};\
         if(lost&&!confirm(words[+(lost>1)].replace('#',lost))){{event.preventDefault();event.stopImmediatePropagation()}}\
         }},true)",
        drafts = json(&DRAFT_KEYS),
        outboxes = json(&OUTBOX_KEYS),
        words = json(&strings.sign_out_unsent),
    );
    view! { <script nonce=nonce.to_string() inner_html=script></script> }
}

/// After a sign-out, erases every outbox, every draft and the names of muted rooms from the browser's storage: the door brings no
/// WASM that could. What is set for the device stays, and so does whatever is not ours.
/// Elsewhere a session may merely have ended, and whoever signs in again goes on writing.
pub fn forget(nonce: &Nonce) -> impl IntoView + use<> {
    let kinds = [OUTBOX_KEYS, DRAFT_KEYS, MUTED_KEYS];
    let script = format!(
        "try{{for(let k of Object.keys(localStorage)){}.some(p=>k.startsWith(p))&&localStorage.removeItem(k)}}catch{{}}",
        json(&kinds)
    );
    view! { <script nonce=nonce.to_string() inner_html=script></script> }
}

/// JSON that cannot end the script element it stands in.
fn json(value: &impl Serialize) -> String {
    // Strings, numbers and lists of them: nothing here can fail to serialise.
    serde_json::to_string(value).unwrap_or_default().replace('<', "\\u003c")
}

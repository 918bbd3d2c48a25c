//! The whole HTML document.

use super::{
    App, panels,
    parts::{BRAND, rcdata},
};
use crate::{
    drafts::DRAFT_KEYS,
    page::{OUTBOX_KEYS, PAGE_DATA_ID, PageData, SIGNED_OUT, Screen},
};
use leptos::{config::LeptosOptions, either::Either, html, hydration::AutoReload, nonce::Nonce, prelude::*};
use std::sync::Arc;

/// Where the built files are, and how a page under development learns that they changed.
#[derive(Debug, Clone, Default)]
pub struct Assets {
    pub css: String,
    /// What is in that file: pages carry it, which spares a phone the wait for another answer before it shows anything.
    pub style: Arc<str>,
    pub js: String,
    pub wasm: String,
    /// Only `cargo leptos watch` answers there; without its environment variable nothing is put into the page.
    pub reload: Option<LeptosOptions>,
}

/// Tells the server the reader's time zone from the next request on.
const TIME_ZONE: &str = "try{document.cookie='tz='+Intl.DateTimeFormat().resolvedOptions().timeZone+\
    ';path=/;max-age=31536000;SameSite=Lax'}catch{}";

/// `page` as a view of the whole document; `nonce` is the one in the response's Content-Security-Policy.
///
/// Call it within an [`Owner`]; it provides `page` and `nonce` as context there.
pub fn document(page: PageData, assets: &Assets, nonce: Nonce) -> impl IntoView + use<> {
    let strings = page.lang.strings();
    let lang = page.lang.tag();
    let theme = page.theme;
    let [scheme, light, dark] = theme.paints();
    let (title, indexed, scripts) = match &page.screen {
        Screen::Door(_) => {
            let forget = (page.me.is_none() && page.here == SIGNED_OUT).then(|| forget(&nonce));
            (strings.pages.door_document.to_owned(), true, (forget, prefetch(assets)).into_any())
        }
        Screen::Room(room) => (titled(room.room.name.as_str()), false, scripts(&page, assets, &nonce).into_any()),
        Screen::Rooms(_) => (titled(strings.pages.rooms_title), true, ().into_any()),
        Screen::Problem(problem) => {
            (titled((strings.pages.problem_title)(problem.status, problem.code)), false, ().into_any())
        }
    };
    let zone_nonce = nonce.to_string();
    let style_nonce = nonce.clone();
    let worker = worker(&page.build, assets, &nonce);
    // What a search engine says of the page; there is nothing to say of the others.
    let described = matches!(page.screen, Screen::Door(_));
    provide_context(nonce);
    provide_context(page.lang);
    let panels = matches!(page.screen, Screen::Room(_)).then(|| panels::panels(&page));
    let reload = assets.reload.clone().map(|options| view! { <AutoReload options/> });
    provide_context(page);
    view! {
        <!DOCTYPE html>
        <html lang=lang dir="ltr" data-theme=theme.tag()>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width,initial-scale=1,interactive-widget=resizes-content"/>
                <title inner_html=rcdata(&title)></title>
                {style(assets, &style_nonce)}
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <link rel="apple-touch-icon" href="/icons/apple-touch.png"/>
                <link rel="manifest" href=["/manifest.", lang, ".webmanifest"].concat()/>
                {described.then(|| view! { <meta name="description" content=strings.pages.door_lead/> })}
                <meta name="color-scheme" content=scheme/>
                {bar_colour(light, "(prefers-color-scheme: light)")}
                {bar_colour(dark, "(prefers-color-scheme: dark)")}
                {(!indexed).then(|| view! { <meta name="robots" content="noindex"/> })}
                <script nonce=zone_nonce inner_html=TIME_ZONE></script>
                {scripts}
                {worker}
                {reload}
            </head>
            <body>
                <App/>
                {panels}
            </body>
        </html>
    }
}

/// What the browser paints its own bar with where `media` holds.
fn bar_colour(colour: &'static str, media: &'static str) -> impl IntoView {
    html::meta().name("theme-color").content(colour).attr("media", media)
}

fn titled(what: &str) -> String {
    format!("{what} · {BRAND}")
}

/// What a room needs to come alive. Without it, and when it fails, the forms go on working.
fn scripts(page: &PageData, assets: &Assets, nonce: &Nonce) -> impl IntoView + use<> {
    let (js, wasm) = (script_json(&assets.js), script_json(&assets.wasm));
    let start = format!(
        "import({js}).then(m=>m.default({{module_or_path:{wasm}}}).then(()=>m.hydrate()))\
         .catch(e=>{{document.documentElement.dataset.script='failed';console.error(e)}})"
    );
    view! {
        <link rel="modulepreload" href=assets.js.clone() nonce=nonce.to_string()/>
        <link rel="preload" href=assets.wasm.clone() r#as="fetch" r#type="application/wasm" crossorigin="anonymous"/>
        <script type="application/json" id=PAGE_DATA_ID inner_html=script_json(&without_entries(page))></script>
        <script type="module" nonce=nonce.to_string() inner_html=start></script>
    }
}

/// The styles. Under development they are a file, which live reload exchanges without loading the page again.
fn style(assets: &Assets, nonce: &Nonce) -> impl IntoView + use<> {
    if assets.reload.is_some() {
        Either::Left(view! { <link rel="stylesheet" href=assets.css.clone()/> })
    } else {
        Either::Right(view! { <style nonce=nonce.to_string() inner_html=assets.style.to_string()></style> })
    }
}

/// Registers `public/sw.js`, after all that the page itself needs. Under development, where names of files do not change
/// with what is in them, it takes an earlier one away.
fn worker(build: &str, assets: &Assets, nonce: &Nonce) -> impl IntoView + use<> {
    let script = if assets.reload.is_some() {
        "navigator.serviceWorker?.getRegistrations().then(all=>all.forEach(it=>it.unregister()));\
         self.caches?.keys().then(all=>all.forEach(it=>caches.delete(it)))"
            .to_owned()
    } else {
        // Where it is refused, as with storage switched off, nothing else changes.
        format!(
            "navigator.serviceWorker&&addEventListener('load',()=>\
             navigator.serviceWorker.register({}).catch(()=>{{}}))",
            script_json(&["/sw.js?v=", build].concat())
        )
    };
    view! { <script nonce=nonce.to_string() inner_html=script></script> }
}

/// The room that follows the door opens faster when its files are there already.
fn prefetch(assets: &Assets) -> impl IntoView + use<> {
    view! {
        <link rel="prefetch" href=assets.js.clone()/>
        <link rel="prefetch" href=assets.wasm.clone()/>
    }
}

/// After a sign-out, erases every outbox and every draft from the browser's storage: the door brings no WASM that could.
/// Elsewhere a session may merely have ended, and whoever signs in again goes on writing.
fn forget(nonce: &Nonce) -> impl IntoView + use<> {
    let kinds = [OUTBOX_KEYS, DRAFT_KEYS];
    let script = format!(
        "try{{for(let k of Object.keys(localStorage)){}.some(p=>k.startsWith(p))&&localStorage.removeItem(k)}}catch{{}}",
        script_json(&kinds)
    );
    view! { <script nonce=nonce.to_string() inner_html=script></script> }
}

/// The entries are in the rendered rows already; see `restore`.
fn without_entries(page: &PageData) -> PageData {
    let mut page = page.clone();
    if let Screen::Room(room) = &mut page.screen {
        room.page.entries.clear();
    }
    page
}

/// JSON that cannot end the script element it stands in.
fn script_json(value: &impl serde::Serialize) -> String {
    // Strings, numbers and lists of them: nothing here can fail to serialise.
    serde_json::to_string(value).unwrap_or_default().replace('<', "\\u003c")
}

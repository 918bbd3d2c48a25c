//! The whole HTML document.

use super::{
    App, head, panels,
    parts::{BRAND, rcdata},
    sum::sums,
};
use crate::{
    i18n::Strings,
    page::{LIVE_ID, PageData, SIGNED_OUT, Screen},
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

/// `page` as a view of the whole document; `nonce` is the one in the response's Content-Security-Policy.
///
/// Call it within an [`Owner`]; it provides `page` and `nonce` as context there.
pub fn document(page: PageData, assets: &Assets, nonce: Nonce) -> impl IntoView + use<> {
    let page = page.admitted();
    let strings = page.lang.strings();
    let lang = page.lang.tag();
    let (theme, density) = (page.theme, page.density);
    let [scheme, light, dark] = theme.paints();
    let data = head::data(&page);
    let (title, indexed, scripts) = match &page.screen {
        Screen::Door(_) => {
            let forget = (page.me.is_none() && page.here == SIGNED_OUT).then(|| head::forget(&nonce));
            (strings.pages.door_document.to_owned(), true, (forget, head::prefetch(assets)).into_any())
        }
        Screen::Room(room) => {
            let scripts = (head::stay(&strings.pages, &nonce), head::room(&page, data.clone(), assets, &nonce));
            (titled(room.opening.room.name.as_str()), false, scripts.into_any())
        }
        Screen::Rooms(_) => (titled(strings.pages.rooms_title), true, head::stay(&strings.pages, &nonce).into_any()),
        Screen::People(screen) => (titled(screen.room.name.as_str()), false, ().into_any()),
        Screen::Problem(problem) => {
            (titled((strings.pages.problem_title)(problem.status, problem.code)), false, ().into_any())
        }
    };
    let zone_nonce = nonce.to_string();
    let style_nonce = nonce.clone();
    let worker = head::worker(&page.build, assets, &nonce);
    // What a search engine says of the page; there is nothing to say of the others.
    let described = matches!(page.screen, Screen::Door(_));
    provide_context(nonce);
    provide_context(page.lang);
    let is_room = matches!(page.screen, Screen::Room(_));
    let panels = is_room.then(|| panels::panels(&page));
    let stopped = is_room.then(|| stopped(strings));
    let reload = assets.reload.clone().map(|options| view! { <AutoReload options/> });
    provide_context(page);
    // A room's script finds out by the sums what was changed since.
    let app = view! { <App/> }.to_html();
    let sum = is_room.then(|| sums(&data, &app).map(|sum| sum.to_string()).join(" "));
    let live = view! { <div id=LIVE_ID data-sum=sum inner_html=app></div> }.to_html();
    // Cloudflare is asked to leave what people wrote as it is, addresses too.
    let body =
        [stopped.to_html(), "<!--email_off-->".to_owned(), live, "<!--/email_off-->".to_owned(), panels.to_html()];
    view! {
        <!DOCTYPE html>
        <html lang=lang dir="ltr" data-theme=theme.tag() data-density=density.tag()>
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
                <script nonce=zone_nonce inner_html=head::DIAL></script>
                {scripts}
                {worker}
                {reload}
            </head>
            <body inner_html=body.concat()></body>
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

/// What a room says once its script broke: shown by a style and needing no script itself. Going where one is already is a reload.
fn stopped(strings: &Strings) -> impl IntoView + use<> {
    view! {
        <div class="stopped" role="alert" translate="no">
            <span>{strings.pages.stopped_banner}</span>
            <a href="">{strings.pages.reload}</a>
        </div>
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

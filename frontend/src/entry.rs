//! The two ways in which a page comes to life.

use crate::{page, page_data, platform::BROWSER, whole};
use app::{
    page::{LIVE_ID, PageData, Screen},
    view::room::{RoomPage, room as draw},
};
use leptos::{
    mount::{hydrate_from, mount_to},
    prelude::*,
    tachys::dom::document,
};
use wasm_bindgen::JsCast;
use web_sys::Element;

/// Hydrates the page, which has to be what the server made.
///
/// # Errors
/// Says what keeps the page from being read back; its forms still work then.
pub fn start() -> Result<(), &'static str> {
    report_panics();
    let page = page_data::from_document()?;
    hydrate_from(live()?.unchecked_into(), || room(page)).forget();
    whole::set(true);
    Ok(())
}

/// Makes the page anew from its data, in the place of what became of the one that the server rendered.
///
/// # Errors
/// Says what is wrong with the data, or that there is no such place; the page's forms still work then.
pub fn start_anew(data: &str) -> Result<(), &'static str> {
    report_panics();
    let (page, old) = (page_data::from_json(data)?, live()?);
    let new = document().create_element("div").map_err(|_| "there are no elements")?;
    new.set_id(LIVE_ID);
    mount_to(new.clone().unchecked_into(), || room(page)).forget();
    // As a whole: should the mounting break, the old page is still there.
    let parent = old.parent_node().ok_or("the page is not in the document")?;
    parent.replace_child(&new, &old).map_err(|_| "the page cannot be replaced")?;
    whole::set(true);
    Ok(())
}

/// Draws the room and starts what only a browser does. One type for both ways to start.
fn room(page: PageData) -> AnyView {
    let (Screen::Room(screen), Some(me)) = (page.screen.clone(), page.me.clone()) else { return ().into_any() };
    provide_context(page.lang);
    provide_context(page.clone());
    let drawn = RoomPage::new(&screen, &page, &me, &BROWSER);
    let view = draw(&drawn, &screen.post, page.halves).into_any();
    page::start(drawn, screen.opening, page);
    view
}

fn live() -> Result<Element, &'static str> {
    document().get_element_by_id(LIVE_ID).ok_or("the document has no place for the page")
}

/// A panic ends the module, whose memory is in whatever state. The page's own script sees it and says that the page stopped.
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        whole::set(false);
        leptos::logging::error!("{panic}");
    }));
}

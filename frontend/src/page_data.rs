//! Reads the [`PageData`] that the server rendered a document from.

use app::{
    i18n::Lang,
    page::{PAGE_DATA_ID, PageData, RoomScreen, Screen},
    protocol::Person,
    theme::Theme,
};
use leptos::tachys::dom::{document, window};
use serde::Deserialize;

/// A [`PageData`] whose screen is a room: no other page brings the app along, nor what it takes to read the other screens.
#[derive(Deserialize)]
struct RoomData {
    lang: Lang,
    theme: Theme,
    zone: String,
    halves: bool,
    now: u64,
    build: String,
    me: Option<Person>,
    here: String,
    notice: Option<String>,
    screen: RoomScreen,
}

/// What stands in the document's head.
///
/// # Errors
/// Says what is missing or malformed; the document's forms still work then.
pub fn from_document() -> Result<PageData, &'static str> {
    let json = document().get_element_by_id(PAGE_DATA_ID).and_then(|script| script.text_content());
    from_json(&json.ok_or("the document carries no page data")?)
}

/// # Errors
/// Says that it is not the page of a room, or that of another build.
pub fn from_json(json: &str) -> Result<PageData, &'static str> {
    let page: RoomData = serde_json::from_str(json).map_err(|_| "the page data is not what this build expects")?;
    let RoomData { lang, theme, zone, halves, now, build, me, here, notice, screen } = page;
    let origin = window().location().origin().unwrap_or_default();
    let screen = Screen::Room(Box::new(screen));
    Ok(PageData { lang, theme, zone, halves, now, build, me, origin, here, notice, screen })
}

//! Reads the [`PageData`] back: out of the document it was rendered to, or from what the server says of it where that document was
//! changed.

use app::{
    domain::{Body, Entry, EntryId, Epoch, MessageText, ProducerId, UserName},
    i18n::Lang,
    page::{PAGE_DATA_ID, PageData, RoomScreen, Screen},
    protocol::Person,
    theme::Theme,
};
use leptos::tachys::dom::{document, window};
use serde::{
    Deserialize,
    de::{IntoDeserializer, value::Error},
};
use std::str::FromStr;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

/// A [`PageData`] whose screen is a room: no other page brings the app along, nor what it takes to read the other screens.
#[derive(Deserialize)]
struct RoomPage {
    lang: Lang,
    theme: Theme,
    zone: String,
    halves: bool,
    now: u64,
    build: String,
    me: Option<Person>,
    here: String,
    screen: RoomScreen,
}

/// What the server rendered this document from: the JSON in its head, and the entries from the rendered rows. Call
/// it before hydration.
///
/// # Errors
/// Says what is missing or malformed; the document's forms still work then.
pub fn from_document() -> Result<PageData, &'static str> {
    let json = document().get_element_by_id(PAGE_DATA_ID).and_then(|script| script.text_content());
    let mut page = from_json(&json.ok_or("the document carries no page data")?)?;
    if let Screen::Room(screen) = &mut page.screen {
        let page = &mut screen.opening.page;
        page.entries = entries(page.cursor.epoch).ok_or("a row lacks something of its message")?;
    }
    Ok(page)
}

/// # Errors
/// Says that it is not the page of a room, or that of another build.
pub fn from_json(json: &str) -> Result<PageData, &'static str> {
    let page: RoomPage = serde_json::from_str(json).map_err(|_| "the page data is not what this build expects")?;
    let RoomPage { lang, theme, zone, halves, now, build, me, here, screen } = page;
    let origin = window().location().origin().unwrap_or_default();
    Ok(PageData { lang, theme, zone, halves, now, build, me, origin, here, screen: Screen::Room(Box::new(screen)) })
}

fn entries(epoch: Epoch) -> Option<Vec<Entry>> {
    let rows = document().query_selector_all("[data-seq]").ok()?;
    let mut entries: Vec<Entry> = Vec::with_capacity(rows.length() as usize);
    for i in 0..rows.length() {
        let row: HtmlElement = rows.item(i)?.dyn_into().ok()?;
        let prev = match attribute(&row, "data-prev") {
            Some(prev) => prev,
            None => entries.last()?.id,
        };
        entries.push(entry(&row, epoch, prev)?);
    }
    Some(entries)
}

fn entry(row: &Element, epoch: Epoch, prev: EntryId) -> Option<Entry> {
    let body = if row.has_attribute("hidden") {
        Body::Unknown
    } else {
        let text = row.query_selector(".text").ok()??.text_content()?;
        Body::Message { text: transparent::<MessageText>(&text)? }
    };
    Some(Entry {
        epoch,
        seq: attribute(row, "data-seq")?,
        id: attribute(row, "data-id")?,
        prev,
        at: attribute(row, "data-at")?,
        by: attribute(row, "data-by")?,
        name: transparent::<UserName>(&row.get_attribute("data-name")?)?,
        // Who produced it matters to its author alone, who may be waiting for the answer since before a reload.
        p: attribute(row, "data-p").unwrap_or(ProducerId(0)),
        n: attribute(row, "data-n").unwrap_or(0),
        body,
    })
}

fn attribute<T: FromStr>(row: &Element, name: &str) -> Option<T> {
    row.get_attribute(name)?.parse().ok()
}

/// A value that was parsed by the server already and is taken at its word.
fn transparent<'de, T: Deserialize<'de>>(text: &str) -> Option<T> {
    let deserializer = IntoDeserializer::<Error>::into_deserializer(text.to_owned());
    T::deserialize(deserializer).ok()
}

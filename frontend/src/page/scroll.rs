//! The line being read does not move.
//!
//! The list is laid out from its end (`column-reverse`), so `scrollTop` is 0 at the newest message and negative above
//! it. While somebody reads further up, the first message in view is remembered with its place; whenever the list or
//! its window changed size, for whatever reason, that message is put back there before the next paint.

use super::{Announcer, effect, load_newer, load_older, on, on_resize};
use app::{
    client::{decisions::news::Seen, state::Older},
    view::{room::Handles, room_view::RoomView},
};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlDivElement, NodeList};

/// This close to the end the list follows new messages, in pixels.
const FOLLOWS: f64 = 100.0;
/// This close to the top older messages are fetched, and this close to the end newer ones.
const FETCHES: f64 = 600.0;

#[derive(Clone, Copy)]
pub struct Keeper {
    chat: RoomView,
    handles: Handles,
    anchor: StoredValue<Option<Anchor>>,
}

/// The first message in view. It is held by its end: its beginning moves when older messages come before it and it is no
/// longer the first of its group.
#[derive(Clone)]
struct Anchor {
    seq: String,
    /// How far its end is below the list's upper edge.
    end: f64,
    /// How far the list was scrolled up then.
    below: f64,
}

pub fn keep(chat: RoomView, handles: Handles, announcer: Announcer) -> Option<Keeper> {
    let log = handles.log.get_untracked()?;
    let keeper = Keeper { chat, handles, anchor: StoredValue::new(None) };
    on(&log, "scroll", move |_: web_sys::Event| keeper.scrolled());
    let mut watched: Vec<&Element> = vec![&log];
    let column = log.first_element_child();
    watched.extend(&column);
    on_resize(&watched, move || keeper.resized());
    if let Some(jump) = handles.jump.get_untracked() {
        on(&jump, "click", move |_: web_sys::MouseEvent| {
            if let Some(actions) = chat.actions().filter(|_| chat.newer.get_untracked()) {
                actions.to_newest();
            }
            to_end(chat, handles);
            if let Some(field) = handles.field.get_untracked() {
                let _ = field.focus();
            }
        });
    }
    news(chat, announcer);
    effect(move || {
        if chat.opened.get() > 0 {
            to_end(chat, handles);
        }
    });
    effect(move || {
        if !chat.newer.get() && handles.leaping.get_untracked() {
            to_end(chat, handles);
        }
    });
    // At once, be this script sooner than the browser, which brings it into view by its focus: where the older part around it ends
    // nobody is yet, and the composer is not to have the focus.
    let mut shown = untrack(|| show_target(chat, handles, None));
    effect(move || shown = show_target(chat, handles, shown));
    effect(move || {
        let at_end = handles.at_end.get();
        if let Some(actions) = chat.actions() {
            actions.at_bottom(at_end);
        }
    });
    keeper.look(&log);
    Some(keeper)
}

/// Announces what others write.
fn news(chat: RoomView, announcer: Announcer) {
    let me = chat.me.with_value(|me| me.id);
    let room = StoredValue::new(None);
    let seen = StoredValue::new(Seen::default());
    effect(move || {
        let here = chat.room.with(|room| room.key.clone());
        if room.get_value().as_ref() != Some(&here) {
            room.set_value(Some(here));
            seen.update_value(Seen::forget);
        }
        // What is fetched below older messages is no news: the first look that finds the room's end among the rows finds nothing.
        if chat.newer.get() {
            return seen.update_value(Seen::forget);
        }
        chat.rows.with(|rows| {
            let mut moved = seen.get_value();
            let news = moved.advance(rows, me, chat.older.get_untracked() == Older::No);
            seen.set_value(moved);
            announcer.messages(&news);
        });
    });
}

/// Highlights the message that was asked for, and brings it into view.
fn show_target(chat: RoomView, handles: Handles, shown: Option<u64>) -> Option<u64> {
    // Its row may come later than the wish.
    chat.rows.track();
    let target = chat.target.get();
    let Some(log) = handles.log.get_untracked() else { return shown };
    if shown == target {
        return target;
    }
    if let Ok(Some(old)) = log.query_selector(".target") {
        let _ = old.class_list().remove_1("target");
    }
    let seq = target?;
    let found = log.query_selector(&["[data-seq=\"", &seq.to_string(), "\"]"].concat()).ok().flatten();
    // Until the row is there, it is looked for with each change of the rows.
    let row: web_sys::HtmlElement = found?.dyn_into().ok()?;
    let _ = row.class_list().add_1("target");
    // One that the arrow keys went to is a stop of the Tab key, and stays one.
    if !row.has_attribute("tabindex") {
        let _ = row.set_attribute("tabindex", "-1");
    }
    let top = row.get_bounding_client_rect().top() - log.get_bounding_client_rect().top();
    handles.leaping.set(false);
    log.scroll_by_with_x_and_y(0.0, top - f64::from(log.client_height()) / 3.0);
    let _ = row.focus();
    target
}

/// Shows the newest message and follows from there.
pub fn to_end(chat: RoomView, handles: Handles) {
    handles.leaping.set(chat.newer.get_untracked());
    if let Some(log) = handles.log.get_untracked() {
        log.set_scroll_top(0);
    }
    handles.at_end.set(true);
}

impl Keeper {
    /// Scrolled: by the reader, or by [`Self::resized`].
    fn scrolled(self) {
        let Some(log) = self.handles.log.get_untracked() else { return };
        // Rows may have come since the last look whose resize is still to be told.
        self.hold(&log);
        self.look(&log);
    }

    fn resized(self) {
        let Some(log) = self.handles.log.get_untracked() else { return };
        if self.handles.at_end.get_untracked() {
            if log.scroll_top() != 0 {
                log.set_scroll_top(0);
            }
        } else {
            self.hold(&log);
        }
        self.look(&log);
    }

    /// Makes `row` higher or lower: its beginning stays where it is, or its end where that is all that is in view, but for what
    /// `change` has moved within it.
    pub fn change(self, row: &Element, change: impl FnOnce() -> f64) {
        let Some(log) = self.handles.log.get_untracked() else { return };
        let place = || {
            let (row, log) = (row.get_bounding_client_rect(), log.get_bounding_client_rect());
            [row.top() - log.top(), row.bottom() - log.top()]
        };
        let before = place();
        let held = usize::from(before[0] < 0.0);
        let moved = change();
        log.scroll_by_with_x_and_y(0.0, place()[held] - before[held] + moved);
        self.look(&log);
    }

    /// Puts the anchor back to where it was, but for what the reader scrolled.
    fn hold(self, log: &HtmlDivElement) {
        let Some(Anchor { seq, end, below: then }) = self.anchor.get_value() else { return };
        let Ok(Some(row)) = log.query_selector(&["[data-seq=\"", &seq, "\"]"].concat()) else { return };
        let below = below(log);
        // A list that became shorter than what was below its window takes the window along: the reader did not scroll.
        let cut_short = below < then && below > range(log) - 1.0;
        let scrolled = if cut_short { 0.0 } else { below - then };
        let moved = end_of(&row, log) - end - scrolled;
        if moved.abs() >= 1.0 {
            log.scroll_by_with_x_and_y(0.0, moved);
        }
    }

    /// Takes note of what is in view.
    fn look(self, log: &HtmlDivElement) {
        let below = below(log);
        // Below the last row of an older part there is more: nothing to follow.
        let older_part = self.chat.newer.get_untracked() && !self.handles.leaping.get_untracked();
        let at_end = below <= FOLLOWS && !older_part;
        if at_end != self.handles.at_end.get_untracked() {
            self.handles.at_end.set(at_end);
        }
        self.anchor.set_value(if at_end { None } else { first_in_view(log, below) });
        if range(log) - below < FETCHES {
            load_older(self.chat);
        }
        if older_part && below < FETCHES {
            load_newer(self.chat);
        }
    }
}

/// How far the list is scrolled up from its end, in fractions of a pixel where the screen has them.
fn below(log: &HtmlDivElement) -> f64 {
    js_sys::Reflect::get(log, &"scrollTop".into()).ok().and_then(|top| top.as_f64()).map_or(0.0, |top| -top)
}

/// How far the list can be scrolled up.
fn range(log: &HtmlDivElement) -> f64 {
    f64::from(log.scroll_height() - log.client_height())
}

fn end_of(row: &Element, log: &HtmlDivElement) -> f64 {
    row.get_bounding_client_rect().bottom() - log.get_bounding_client_rect().top()
}

/// The first message whose end is below the list's upper edge. Messages stand in order, so this is a bisection.
fn first_in_view(log: &HtmlDivElement, below: f64) -> Option<Anchor> {
    let rows = log.query_selector_all(".m[data-seq]").ok()?;
    let edge = log.get_bounding_client_rect().top();
    let row = |i| rows_item(&rows, i);
    let (mut low, mut high) = (0, rows.length());
    while low < high {
        let middle = low.midpoint(high);
        if row(middle)?.get_bounding_client_rect().bottom() > edge {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    let first = row(low)?;
    Some(Anchor { seq: first.get_attribute("data-seq")?, end: end_of(&first, log), below })
}

fn rows_item(rows: &NodeList, i: u32) -> Option<Element> {
    rows.item(i)?.dyn_into().ok()
}

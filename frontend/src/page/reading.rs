//! Tells how far the reader has come; `gaze` decides.

use super::{
    effect, on, on_resize,
    presence::{self, is_looked_at},
};
use crate::clock;
use app::{
    client::decisions::gaze::{Gaze, READ_MS},
    view::{room::Handles, room_view::RoomView},
};
use leptos::{prelude::*, tachys::dom::window};
use std::time::Duration;
use wasm_bindgen::JsCast;
use web_sys::{Element, Event, HtmlDivElement};

#[derive(Clone, Copy)]
struct ReadTracker {
    chat: RoomView,
    handles: Handles,
    gaze: StoredValue<Gaze>,
    waiting: StoredValue<bool>,
}

pub fn watch(chat: RoomView, handles: Handles) {
    let Some(log) = handles.log.get_untracked() else { return };
    let gaze = StoredValue::new(Gaze::default());
    let reader = ReadTracker { chat, handles, gaze, waiting: StoredValue::new(false) };
    let look = move |_: Event| reader.look();
    on(&log, "scroll", look);
    on(&window(), "blur", look);
    presence::on_return(move || reader.look());
    let mut watched: Vec<&Element> = vec![&log];
    let column = log.first_element_child();
    watched.extend(&column);
    on_resize(&watched, move || reader.look());
    // Another room, and another log of the same room, begin anew.
    let epoch = move || {
        chat.rows.with(|rows| {
            rows.iter().find_map(|row| match row {
                app::client::rows::Row::Message { entry, .. } => Some(entry.epoch),
                _ => None,
            })
        })
    };
    let mut before = None;
    effect(move || {
        let here = Some((chat.room.with(|room| room.key.clone()), epoch(), chat.alive.get()));
        let there = std::mem::replace(&mut before, here.clone());
        if there.is_some() && there != here {
            reader.gaze.set_value(Gaze::default());
            reader.look();
        }
    });
}

impl ReadTracker {
    fn look(self) {
        let Some(log) = self.handles.log.get_untracked() else { return };
        let in_view = if is_looked_at() { ends_in_view(&log) } else { None };
        let mut gaze = Gaze::default();
        self.gaze.update_value(|kept| std::mem::swap(kept, &mut gaze));
        let read = gaze.look(clock::now(), in_view);
        let looking = in_view.is_some() && (gaze.waits() || read.is_none());
        self.gaze.set_value(gaze);
        if let (Some(seq), Some(actions)) = (read, self.chat.actions()) {
            actions.read_to(seq);
        }
        if looking && !self.waiting.get_value() {
            self.waiting.set_value(true);
            let again = move || {
                self.waiting.set_value(false);
                self.look();
            };
            set_timeout(again, Duration::from_millis(READ_MS));
        }
    }
}

/// The first and the last message whose ends are in view.
fn ends_in_view(log: &HtmlDivElement) -> Option<(u64, u64)> {
    let rows = log.query_selector_all(".m[data-seq]").ok()?;
    let list = log.get_bounding_client_rect();
    let row = |i: u32| rows.item(i)?.dyn_into::<Element>().ok();
    // Messages stand in order: how many end above this line?
    let above = |line: f64| {
        let (mut low, mut high) = (0, rows.length());
        while low < high {
            let middle = low.midpoint(high);
            if row(middle).is_some_and(|row| row.get_bounding_client_rect().bottom() <= line) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    };
    // A screen may be between two pixels.
    let (first, after) = (above(list.top()), above(list.bottom() + 1.0));
    let seq = |i| row(i)?.get_attribute("data-seq")?.parse().ok();
    if first < after { Some((seq(first)?, seq(after - 1)?)) } else { None }
}

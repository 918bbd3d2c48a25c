//! Long messages are folded; the browser opens and closes them by itself. Here their lines keep their places meanwhile, and one
//! in which something was found, or got the focus, is unfolded.

use super::{on, scroll::Keeper, tools};
use app::view::room::Handles;
use leptos::prelude::*;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Element, Event, MouseEvent};

pub fn attach(handles: Handles, keeper: &Keeper) {
    let keeper = *keeper;
    let Some(log) = handles.log.get_untracked() else { return };
    on(&log, "click", move |ev: MouseEvent| {
        let row = ev.target().and_then(|it| it.dyn_into::<Element>().ok()?.closest(".m").ok()?);
        if let (true, Some(row)) = (tools::is_on(&ev, ".fold"), row) {
            ev.prevent_default();
            keeper.change(&row, || turn(&row));
        }
    });
    // What cannot be scrolled by hand was scrolled to something. Such an event does not bubble.
    let unfold = Closure::<dyn FnMut(Event)>::new(move |ev: Event| {
        let text = ev.target().and_then(|it| it.dyn_into::<Element>().ok());
        let Some(text) = text.filter(|text| text.scroll_top() > 0 && text.class_list().contains("text")) else {
            return;
        };
        if let Some(row) = text.parent_element() {
            let hidden = f64::from(text.scroll_top());
            keeper.change(&row, || turn(&row) + hidden);
        }
    });
    let listener = unfold.into_js_value();
    let _ = log.add_event_listener_with_callback_and_bool("scroll", listener.unchecked_ref(), true);
}

/// Folds, or unfolds.
fn turn(row: &Element) -> f64 {
    if let Ok(Some(fold)) = row.query_selector(".fold") {
        let _ = fold.toggle_attribute("open");
    }
    0.0
}

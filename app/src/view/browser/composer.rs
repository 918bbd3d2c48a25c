//! The composer's keyboard.

use super::{focus_is_free, matches_media, on, scroll};
use crate::{
    domain::{RoomKey, TextProblem},
    protocol::ErrorCode,
    view::{
        chat::Chat,
        ime::{Ime, Verdict, breaks_line},
        room::Handles,
    },
};
use leptos::{prelude::*, tachys::dom::window};
use std::{collections::HashMap, time::Duration};
use web_sys::{CompositionEvent, Event, HtmlTextAreaElement, KeyboardEvent, MouseEvent};

/// Key code of a key that an input method has taken for itself.
const TAKEN: u32 = 229;

#[derive(Clone, Copy)]
struct Composer {
    chat: Chat,
    handles: Handles,
    ime: StoredValue<Ime>,
}

/// Takes the form over. Whatever was typed before stays.
pub fn take_over(chat: Chat, handles: Handles) {
    let (Some(form), Some(field)) = (handles.form.get_untracked(), handles.field.get_untracked()) else { return };
    let composer = Composer { chat, handles, ime: StoredValue::new(Ime::default()) };
    on(&field, "compositionstart", move |_: CompositionEvent| composer.ime.update_value(Ime::start));
    on(&field, "compositionupdate", move |ev: CompositionEvent| {
        composer.ime.update_value(|ime| ime.update(&ev.data().unwrap_or_default()));
    });
    on(&field, "compositionend", move |_: CompositionEvent| {
        if composer.step(Ime::end) {
            composer.send_soon();
        }
    });
    on(&field, "keydown", move |ev: KeyboardEvent| composer.key(&ev));
    on(&field, "input", move |_: Event| {
        handles.problem.set(None);
        composer.grow();
    });
    on(&form, "submit", move |ev: Event| {
        // Without the client the form is what it was before: it posts.
        if chat.actions().is_none() {
            return;
        }
        ev.prevent_default();
        if composer.step(Ime::arm) {
            // Losing the focus is what ends a composition everywhere.
            if let Some(field) = handles.field.get_untracked() {
                let _ = field.blur();
                let _ = field.focus();
            }
        } else {
            composer.send(true);
        }
    });
    // The button must not take the focus from the field: a phone would put its keyboard away.
    if let Ok(Some(button)) = form.query_selector(".send") {
        on(&button, "mousedown", |ev: MouseEvent| ev.prevent_default());
    }
    composer.drafts();
    composer.grow();
    if focus_is_free() && matches_media("(pointer: fine)") {
        let _ = field.focus();
    }
}

impl Composer {
    fn field(self) -> Option<HtmlTextAreaElement> {
        self.handles.field.get_untracked()
    }

    fn step<T>(self, f: impl FnOnce(&mut Ime) -> T) -> T {
        let mut ime = self.ime.get_value();
        let answer = f(&mut ime);
        self.ime.set_value(ime);
        answer
    }

    fn key(self, ev: &KeyboardEvent) {
        let taken = ev.key_code() == TAKEN;
        let enter = ev.key() == "Enter" || (taken && matches!(ev.code().as_str(), "Enter" | "NumpadEnter"));
        if !enter || ev.alt_key() || self.chat.actions().is_none() {
            return;
        }
        let touch = matches_media("(pointer: coarse)");
        if breaks_line(ev.shift_key(), ev.ctrl_key() || ev.meta_key(), touch) {
            return;
        }
        match self.step(|ime| ime.enter(taken || ev.is_composing())) {
            Verdict::Leave => return,
            Verdict::Swallow => {}
            Verdict::Send => self.send(false),
            Verdict::SendSoon => self.send_soon(),
        }
        ev.prevent_default();
    }

    /// After whatever the browser still has to do with the key and the composition.
    fn send_soon(self) {
        let fire = move || {
            if self.step(Ime::fire) {
                self.send(true);
            }
        };
        set_timeout(fire, Duration::ZERO);
    }

    /// Sends what stands in the field. `told`: whether an empty one is worth a word.
    fn send(self, told: bool) {
        let (Some(field), Some(actions)) = (self.field(), self.chat.actions()) else { return };
        match actions.send(&field.value()) {
            Ok(()) => {
                field.set_value("");
                self.handles.problem.set(None);
                self.grow();
                scroll::to_end(self.handles);
                let _ = field.focus();
            }
            Err(TextProblem::Empty) if !told => {}
            Err(problem) => self.handles.problem.set(Some(ErrorCode::for_text(problem))),
        }
    }

    /// As tall as its text, up to the stylesheet's `max-height`. Browsers with `field-sizing` do it by themselves.
    fn grow(self) {
        let Some(field) = self.field() else { return };
        let computed = window().get_computed_style(&field).ok().flatten();
        if computed.and_then(|style| style.get_property_value("field-sizing").ok()).is_some_and(|it| it == "content") {
            return;
        }
        let style = web_sys::HtmlElement::style(&field);
        let _ = style.set_property("height", "auto");
        // The border is outside `scrollHeight`; the field has none.
        let _ = style.set_property("height", &[&field.scroll_height().to_string(), "px"].concat());
    }

    /// What was typed in a room stays there while another one is on screen.
    fn drafts(self) {
        let drafts = StoredValue::new(HashMap::<RoomKey, String>::new());
        Effect::new(move |before: Option<RoomKey>| {
            let room = self.chat.room.with(|room| room.key.clone());
            if let (Some(before), Some(field)) = (before, self.field())
                && before != room
            {
                let mut draft = String::new();
                drafts.update_value(|drafts| {
                    drafts.insert(before, field.value());
                    draft = drafts.remove(&room).unwrap_or_default();
                });
                if self.step(|ime| ime.composing()) {
                    let _ = field.blur();
                }
                field.set_value(&draft);
                self.handles.problem.set(None);
                self.grow();
                if matches_media("(pointer: fine)") {
                    let _ = field.focus();
                }
            }
            room
        });
    }
}

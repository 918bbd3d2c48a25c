//! The composer's keyboard and drafts.

use super::{effect, focus_is_free, keyboard::TAKEN, matches_media, on, scroll, settings};
use app::{
    client::{
        decisions::ime::{EnterMeans, Ime, breaks_line},
        drafts::joined,
        state::ConnectionState,
    },
    domain::{RoomKey, TextProblem},
    protocol::ErrorCode,
    view::{
        room::{Handles, Length},
        room_view::RoomView,
    },
};
use leptos::{prelude::*, tachys::dom::window};
use std::time::Duration;
use web_sys::{CompositionEvent, Event, HtmlTextAreaElement, KeyboardEvent, MouseEvent};

#[derive(Clone, Copy)]
struct Composer {
    chat: RoomView,
    handles: Handles,
    ime: StoredValue<Ime>,
}

/// Takes the form over. Whatever was typed before stays.
pub fn take_over(chat: RoomView, handles: Handles) {
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
        if let Some(actions) = chat.actions() {
            actions.typing();
        }
        composer.keep();
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
        if breaks_line(ev.shift_key(), ev.ctrl_key() || ev.meta_key(), !settings::enter_sends()) {
            return;
        }
        match self.step(|ime| ime.enter(taken || ev.is_composing())) {
            EnterMeans::Leave => return,
            EnterMeans::Swallow => {}
            EnterMeans::Send => self.send(false),
            EnterMeans::SendSoon => self.send_soon(),
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
        // There is nobody to send it for; it waits in the field.
        if self.chat.connection.get_untracked() == ConnectionState::SignedOut {
            return;
        }
        match actions.send(&field.value()) {
            Ok(()) => {
                field.set_value("");
                self.handles.problem.set(None);
                self.grow();
                scroll::to_end(self.chat, self.handles);
                let _ = field.focus();
            }
            Err(TextProblem::Empty) if !told => {}
            Err(problem) => self.handles.problem.set(Some(ErrorCode::for_text(problem))),
        }
    }

    /// As tall as its text, up to the stylesheet's `max-height`. Browsers with `field-sizing` do it by themselves.
    fn grow(self) {
        let Some(field) = self.field() else { return };
        let length = Length::count(&field.value());
        if length != self.handles.length.get_untracked() {
            self.handles.length.set(length);
        }
        let computed = window().get_computed_style(&field).ok().flatten();
        if computed.and_then(|style| style.get_property_value("field-sizing").ok()).is_some_and(|it| it == "content") {
            return;
        }
        let style = web_sys::HtmlElement::style(&field);
        let _ = style.set_property("height", "auto");
        // The border is outside `scrollHeight`; the field has none.
        let _ = style.set_property("height", &[&field.scroll_height().to_string(), "px"].concat());
    }

    /// Keeps what stands in the field.
    fn keep(self) {
        if let (Some(field), Some(actions)) = (self.field(), self.chat.actions()) {
            actions.set_draft(&field.value());
        }
    }

    /// What is kept for the room on screen comes into the field, before what stands there.
    fn give_back(self) {
        let (Some(field), Some(actions)) = (self.field(), self.chat.actions()) else { return };
        let kept = actions.draft();
        if !kept.is_empty() && self.step(|ime| ime.composing()) {
            // What is being composed is put into the field by that.
            let _ = field.blur();
            let _ = field.focus();
        }
        let text = joined(&kept, &field.value());
        if text != field.value() {
            field.set_value(&text);
        }
        actions.set_draft(&text);
        self.grow();
    }

    /// What was typed in a room stays there while another one is on screen, and over a reload.
    fn drafts(self) {
        let mut before: Option<RoomKey> = None;
        effect(move || {
            let room = self.chat.room.with(|room| room.key.clone());
            let (Some(field), true) = (self.field(), self.chat.alive.get()) else { return };
            let Some(actions) = self.chat.actions() else { return };
            match before.replace(room.clone()) {
                None => self.give_back(),
                Some(before) if before != room => {
                    let draft = actions.draft();
                    if self.step(|ime| ime.composing()) {
                        // What it still puts into the field is of the other room, and kept there.
                        let _ = field.blur();
                    }
                    field.set_value(&draft);
                    actions.set_draft(&draft);
                    self.handles.problem.set(None);
                    if matches_media("(pointer: fine)") {
                        let _ = field.focus();
                    }
                }
                Some(_) => return,
            }
            self.grow();
        });
        // What was not sent when the session ended is kept with them.
        effect(move || {
            if self.chat.connection.get() == ConnectionState::SignedOut {
                self.give_back();
            }
        });
    }
}

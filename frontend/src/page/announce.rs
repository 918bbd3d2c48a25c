//! One polite voice for the whole page.

use app::{
    domain::Entry,
    i18n::Strings,
    view::{room::Handles, room_view::RoomView},
};
use leptos::prelude::*;
use std::{sync::Arc, time::Duration};

/// More messages than this within a second are told as a number.
const TOLD_MAX: usize = 3;
/// Sentences kept in the page; a screen reader has said the older ones.
const KEPT: usize = 6;

#[derive(Clone, Copy)]
pub struct Announcer {
    strings: &'static Strings,
    said: RwSignal<Vec<(u64, String)>>,
    counter: StoredValue<u64>,
    waiting: StoredValue<Vec<String>>,
    /// Whether something was said within the last second.
    busy: StoredValue<bool>,
}

impl Announcer {
    pub fn new(chat: RoomView, handles: Handles) -> Self {
        Self {
            strings: chat.strings,
            said: handles.said,
            counter: StoredValue::new(0),
            waiting: StoredValue::new(Vec::new()),
            busy: StoredValue::new(false),
        }
    }

    pub fn say(self, sentence: String) {
        self.counter.update_value(|n| *n += 1);
        let n = self.counter.get_value();
        self.said.update(|said| {
            said.push((n, sentence));
            let spare = said.len().saturating_sub(KEPT);
            said.drain(..spare);
        });
    }

    pub fn messages(self, news: &[&Arc<Entry>]) {
        let t = self.strings;
        self.waiting.update_value(|waiting| {
            waiting.extend(news.iter().map(|entry| (t.says)(entry.name.as_str(), entry.text().unwrap_or_default())));
        });
        if !self.busy.get_value() {
            self.flush();
        }
    }

    fn flush(self) {
        let mut waiting = Vec::new();
        self.waiting.update_value(|w| waiting = std::mem::take(w));
        self.busy.set_value(!waiting.is_empty());
        if waiting.is_empty() {
            return;
        }
        if waiting.len() > TOLD_MAX {
            self.say((self.strings.new_messages)(&waiting.len().to_string()));
        } else {
            for sentence in waiting {
                self.say(sentence);
            }
        }
        set_timeout(move || self.flush(), Duration::from_secs(1));
    }
}

//! How much may still be written is told when it begins to matter, and when it was too much; the number between changes for the
//! eye alone.

use super::{Announcer, effect};
use app::view::{
    room::{Handles, Length},
    room_view::RoomView,
};
use leptos::prelude::*;

pub fn attach(chat: RoomView, handles: Handles, announcer: Announcer) {
    let t = chat.strings;
    let mut before = 0;
    effect(move || {
        let length = Length::of(handles.length.get());
        let state = match length {
            Length::Plenty => 0,
            Length::Near(_) => 1,
            Length::Over(_) => 2,
        };
        if std::mem::replace(&mut before, state) < state {
            announcer.say(length.told(t));
        }
    });
}

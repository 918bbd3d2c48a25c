//! What an empty room is for: to have somebody come.

use crate::{
    domain::UserId,
    page::PageData,
    view::{
        parts::{avatar, icon, icons},
        room_view::RoomView,
        strings,
    },
};
use leptos::prelude::*;

/// The room's address, to be sent to somebody. The button is pressed in `browser`.
pub fn invite(chat: RoomView) -> impl IntoView {
    let t = strings();
    let origin = use_context::<PageData>().map(|page| page.origin).unwrap_or_default();
    let address = move || [origin.clone(), chat.room.with(|room| room.key.path())].concat();
    view! {
        <p>{t.be_first}</p>
        <div class="row">
            <input class="field" readonly dir="ltr" autocomplete="off" aria-label=t.address value=address/>
            <button class="quiet scripted" type="button" data-copy="">{icon(icons::LINK)} <span>{t.copy}</span></button>
        </div>
        <p class="example">{t.example}</p>
    }
}

/// A picture for the room, in a colour that its name has everywhere.
pub fn room_mark(chat: RoomView) -> impl IntoView {
    move || {
        chat.room.with(|room| {
            let sum =
                room.key.as_str().bytes().fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
            avatar(UserId(sum), room.name.as_str(), false)
        })
    }
}

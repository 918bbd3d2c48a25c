//! Where a message is written: a plain form that the browser's glue takes over.

use super::{Handles, Length, named};
use crate::{
    page::Post,
    view::{
        parts::{icon, icons, textarea_content, told},
        room_view::RoomView,
        strings,
    },
};
use leptos::prelude::*;

pub fn composer(chat: RoomView, handles: Handles, post: &Post) -> impl IntoView + use<> {
    let t = strings();
    let problem = handles.problem;
    let typing = move || {
        chat.typing.with(|people| {
            let (names, others) = named(people);
            if names.is_empty() { String::new() } else { (t.typing)(&names, others) }
        })
    };
    // The field is never written from a signal: what stands in it belongs to whoever types and to the input method.
    view! {
        <div class="foot" translate="no">
            <p
                class="err"
                id="text-problem"
                role="alert"
                data-code=move || problem.get().map(crate::protocol::ErrorCode::as_str)
                inner_html=told(move || problem.get().map_or_else(String::new, |code| (t.error)(code).to_owned()))
            ></p>
            // What the page says by itself: see `head/page.js`.
            <div id="aside" aria-live="polite"></div>
            <form
                class="composer"
                method="post"
                action=move || chat.room.with(|room| room.key.path())
                node_ref=handles.form
            >
                // On the edge of the field: nothing makes place for it, and nothing moves.
                <p class="typing" inner_html=told(typing)></p>
                <input type="hidden" name="p" value=post.p.to_string() autocomplete="off"/>
                <label class="vh" for="text">{t.write_message}</label>
                <textarea
                    id="text"
                    name="text"
                    rows="1"
                    dir="auto"
                    autocomplete="off"
                    placeholder=t.write_message
                    aria-invalid=move || problem.get().map(|_| "true")
                    aria-describedby="text-problem text-length"
                    inner_html=textarea_content(&post.text)
                    node_ref=handles.field
                ></textarea>
                <p
                    class="length"
                    id="text-length"
                    translate="no"
                    class:over=move || matches!(Length::of(handles.length.get()), Length::Over(_))
                    inner_html=told(move || Length::of(handles.length.get()).told(t))
                ></p>
                <button class="send" title=t.send_keys>
                    <span>{t.send}</span>
                    {icon(icons::SEND)}
                </button>
            </form>
        </div>
    }
}

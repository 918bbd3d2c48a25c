//! Where a message is written: a plain form that the browser's glue takes over.

use super::{Handles, named};
use crate::{
    page::Post,
    view::{
        chat::Chat,
        parts::{icon, icons, textarea_content},
        strings,
    },
};
use leptos::prelude::*;

pub fn composer(chat: Chat, handles: Handles, post: &Post) -> impl IntoView + use<> {
    let t = strings();
    let problem = handles.problem;
    // The field is never written from a signal: what stands in it belongs to whoever types and to the input method.
    view! {
        <div class="foot">
            <p class="typing">
                {move || {
                    chat.typing
                        .with(|people| {
                            let (names, others) = named(people);
                            (!names.is_empty()).then(|| (t.typing)(&names, others))
                        })
                }}
            </p>
            <p
                class="err"
                id="text-problem"
                role="alert"
                data-code=move || problem.get().map(crate::protocol::ErrorCode::as_str)
            >{move || problem.get().map(t.error)}</p>
            <form
                class="composer"
                method="post"
                action=move || chat.room.with(|room| room.key.path())
                node_ref=handles.form
            >
                <input type="hidden" name="p" value=post.p.to_string() autocomplete="off"/>
                <input type="hidden" name="n" value="1" autocomplete="off"/>
                <label class="vh" for="text">{t.write_message}</label>
                <textarea
                    id="text"
                    name="text"
                    rows="1"
                    dir="auto"
                    autocomplete="off"
                    placeholder=t.write_message
                    aria-invalid=move || problem.get().map(|_| "true")
                    aria-describedby="text-problem"
                    inner_html=textarea_content(&post.text)
                    node_ref=handles.field
                ></textarea>
                <button class="send" title=t.send_keys>
                    <span>{t.send}</span>
                    {icon(icons::SEND)}
                </button>
            </form>
        </div>
    }
}

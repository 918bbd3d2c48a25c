//! The pages and their components.
//!
//! | module | what it is for |
//! |---|---|
//! | `document` | the whole HTML document around [`App`] (server only) |
//! | `head` | the scripts that the document itself carries (server only) |
//! | `sum` | a sum over the document, by which it finds out that somebody rewrote it (server only) |
//! | `door`, `rooms`, `everyone`, `problem` | one screen each, without a script (server only) |
//! | [`room`] | the screen that comes alive |
//! | `panels` | settings and shortcuts, in front of a room (server only) |
//! | [`parts`] | what several screens share: name-mark, avatars, language links |
//! | [`room_view`] | the signals a room is shown from |

pub mod parts;
pub mod room;
pub mod room_view;

#[cfg(feature = "ssr")]
mod document;
#[cfg(feature = "ssr")]
mod door;
#[cfg(feature = "ssr")]
mod everyone;
#[cfg(feature = "ssr")]
mod head;
#[cfg(feature = "ssr")]
mod panels;
#[cfg(feature = "ssr")]
mod problem;
#[cfg(feature = "ssr")]
mod rooms;
#[cfg(feature = "ssr")]
mod sum;
#[cfg(feature = "ssr")]
pub use document::{Assets, document};

#[cfg(test)]
#[cfg(feature = "ssr")]
mod tests;

use crate::i18n::{Lang, Strings};
#[cfg(feature = "ssr")]
use crate::{
    page::{PageData, Screen},
    platform::Platform,
};
use leptos::prelude::*;

/// The body of every page, from the [`PageData`] in the context. The browser draws rooms alone, with [`room::room`].
#[cfg(feature = "ssr")]
#[component]
fn App() -> impl IntoView {
    let page = expect_context::<PageData>();
    provide_context(page.lang);
    match (page.screen.clone(), page.me.clone()) {
        (Screen::Room(screen), Some(me)) => {
            let drawn = room::RoomPage::new(&screen, &page, &me, &Platform::SERVER);
            room::room(&drawn, &screen.post, page.halves).into_any()
        }
        (Screen::Door(door), _) => door::door(door, &page).into_any(),
        // See `PageData::admitted`.
        (Screen::Room(_), None) => ().into_any(),
        (Screen::Rooms(screen), _) => rooms::rooms(screen, &page).into_any(),
        (Screen::People(screen), _) => everyone::everyone(screen, &page).into_any(),
        (Screen::Problem(problem), _) => problem::problem(problem, &page).into_any(),
    }
}

/// The strings of the page's language.
pub fn strings() -> &'static Strings {
    use_context::<Lang>().unwrap_or_default().strings()
}

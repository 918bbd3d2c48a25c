//! The pages and their components.
//!
//! | module | what it is for |
//! |---|---|
//! | `document` | the whole HTML document around [`App`] (server only) |
//! | `door`, `room`, `rooms`, `problem` | one screen each |
//! | `parts` | what several screens share: name-mark, avatars, language links |
//! | [`chat`] | the signals a room is shown from |
//! | `restore` | reads the [`PageData`] back out of the document (browser only) |
//! | `browser` | keyboard, scrolling, announcements (browser only) |
//! | `ime`, `news` | the decisions behind those, as plain functions |

pub mod chat;
mod door;
#[cfg(any(feature = "hydrate", test))]
mod ime;
#[cfg(any(feature = "hydrate", test))]
mod news;
mod parts;
mod problem;
mod room;
mod rooms;

#[cfg(feature = "hydrate")]
mod browser;
#[cfg(feature = "hydrate")]
mod restore;

#[cfg(feature = "ssr")]
mod document;
#[cfg(feature = "ssr")]
pub use document::{Assets, document};

#[cfg(test)]
#[cfg(feature = "ssr")]
mod tests;

use crate::{
    i18n::{Lang, Strings},
    page::{PageData, Screen},
};
use leptos::prelude::*;

/// The body of every page, from the [`PageData`] in the context.
#[component]
pub fn App() -> impl IntoView {
    let page = expect_context::<PageData>();
    provide_context(page.lang);
    match page.screen.clone() {
        Screen::Door(door) => door::door(door, &page).into_any(),
        Screen::Room(screen) => room::room(&screen, &page).into_any(),
        Screen::Rooms(screen) => rooms::rooms(screen, &page).into_any(),
        Screen::Problem(problem) => problem::problem(problem, &page).into_any(),
    }
}

/// The strings of the page's language.
fn strings() -> &'static Strings {
    use_context::<Lang>().unwrap_or_default().strings()
}

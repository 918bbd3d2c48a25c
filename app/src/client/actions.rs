//! What the page asks for.

use super::{paint, window, with};
use crate::{
    domain::{MessageText, TextProblem},
    page::RoomRef,
    session::Session,
    view::chat::Actions,
};

/// A handle to the tab's one client.
pub(super) struct Hand;

impl Actions for Hand {
    fn send(&self, typed: &str) -> Result<(), TextProblem> {
        let text = MessageText::parse(typed)?;
        with(|session| session.send(text));
        Ok(())
    }

    fn open(&self, room: &RoomRef) {
        let was = with(|session| session.open_room().is_some_and(|open| open.key == room.key));
        if was == Some(true) {
            return;
        }
        let path = room.key.path();
        if with(|session| session.open(&room.key)) == Some(true) {
            window::push_address(&path);
            paint::now();
        } else {
            window::go(&path);
        }
    }

    fn load_older(&self) {
        with(Session::load_older);
    }

    fn reconnect(&self) {
        with(Session::nudge);
    }

    fn retry(&self, n: u64) {
        with(|session| session.retry(n));
    }

    fn discard(&self, n: u64) {
        with(|session| session.discard(n));
    }

    fn at_bottom(&self, yes: bool) {
        with(|session| session.set_at_bottom(yes));
    }
}

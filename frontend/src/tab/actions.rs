//! What the page asks for.

use super::{drafts, paint, window, with};
use app::{
    client::session::Session,
    domain::{MessageText, RoomRef, TextProblem},
    view::room_view::Actions,
};

/// A handle to the tab's one client.
pub(super) struct Hand;

impl Actions for Hand {
    fn send(&self, typed: &str) -> Result<(), TextProblem> {
        let text = MessageText::parse(typed)?;
        with(|session| {
            leave_message(session);
            session.send(text);
        });
        drafts::with_open(|drafts, room| drafts.set(room, ""));
        Ok(())
    }

    fn open(&self, room: &RoomRef) {
        let path = room.key.path();
        let opened = with(|session| {
            if session.open_room().is_some_and(|open| open.key == room.key) {
                leave_message(session);
            }
            session.open(&room.key)
        });
        if opened == Some(true) {
            window::push_address(&path);
            paint::opened();
        } else {
            window::go(&path);
        }
    }

    fn load_older(&self) {
        with(Session::load_older);
    }

    fn reconnect(&self) {
        with(Session::come_back);
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

    fn typing(&self) {
        with(Session::typing);
    }

    fn read_to(&self, seq: u64) {
        with(|session| session.read_to(seq));
    }

    fn load_newer(&self) {
        with(Session::load_newer);
    }

    fn to_newest(&self) {
        with(|session| {
            leave_message(session);
            session.to_newest();
        });
        paint::now();
    }

    fn show(&self, seq: u64) {
        let shown = with(|session| (session.open_room().map(|room| room.key.path()), session.show(seq)));
        let Some((Some(path), shown)) = shown else { return };
        let path = [&path, "/", &seq.to_string()].concat();
        if shown {
            window::push_address(&path);
            paint::now();
        } else {
            window::go(&path);
        }
    }

    fn draft(&self) -> String {
        drafts::with_open(|drafts, room| drafts.get(room)).unwrap_or_default()
    }

    fn set_draft(&self, text: &str) {
        drafts::with_open(|drafts, room| drafts.set(room, text));
    }
}

/// The address is the room's again, and no longer that of a message or of a page further back.
fn leave_message(session: &Session) {
    if let Some(room) = session.open_room().filter(|_| session.newer() || session.target().is_some()) {
        window::replace_address(&room.key.path());
    }
}

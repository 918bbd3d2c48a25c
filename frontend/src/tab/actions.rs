//! What the page asks for.

use super::{drafts, paint, storage, window, with};
use app::{
    client::chat_client::ChatClient,
    domain::{MessageText, RoomRef, TextProblem},
    view::room_view::Actions,
};

/// A handle to the tab's one client.
pub(super) struct Hand;

impl Actions for Hand {
    fn send(&self, typed: &str) -> Result<(), TextProblem> {
        let text = MessageText::parse(typed)?;
        with(|chat| {
            leave_message(chat);
            chat.send(text);
        });
        drafts::with_open(|drafts, room| drafts.set(room, ""));
        Ok(())
    }

    fn open(&self, room: &RoomRef) {
        let path = room.key.path();
        let opened = with(|chat| {
            if chat.open_room().is_some_and(|open| open.key == room.key) {
                leave_message(chat);
            }
            chat.open(&room.key)
        });
        if opened == Some(true) {
            window::push_address(&path);
            paint::opened();
        } else {
            window::go(&path);
        }
    }

    fn load_older(&self) {
        with(ChatClient::load_older);
    }

    fn reconnect(&self) {
        with(ChatClient::come_back);
    }

    fn put_notice_away(&self) {
        with(|chat| {
            if let Some(notice) = chat.notice() {
                storage::put_away(notice);
            }
        });
    }

    fn retry(&self, n: u64) {
        with(|chat| chat.retry(n));
    }

    fn discard(&self, n: u64) {
        with(|chat| chat.discard(n));
    }

    fn at_bottom(&self, yes: bool) {
        with(|chat| chat.set_at_bottom(yes));
    }

    fn typing(&self) {
        with(ChatClient::typing);
    }

    fn read_to(&self, seq: u64) {
        with(|chat| chat.read_to(seq));
    }

    fn load_newer(&self) {
        with(ChatClient::load_newer);
    }

    fn to_newest(&self) {
        with(|chat| {
            leave_message(chat);
            chat.to_newest();
        });
        paint::now();
    }

    fn show(&self, seq: u64) {
        let shown = with(|chat| (chat.open_room().map(|room| room.key.path()), chat.show(seq)));
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
fn leave_message(chat: &ChatClient) {
    if let Some(room) = chat.open_room().filter(|_| chat.newer() || chat.target().is_some()) {
        window::replace_address(&room.key.path());
    }
}

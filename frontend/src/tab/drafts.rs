//! Where drafts outlive the page: the browser's `localStorage`.

use super::{CLIENT, storage};
use app::{
    client::drafts::{Drafts, Shelf},
    domain::{RoomKey, UserName},
    page::MUTED_KEYS,
};
use leptos::prelude::WithUntracked;

pub(super) struct Browser;

impl Shelf for Browser {
    fn get(&self, key: &str) -> Option<String> {
        storage::area()?.get_item(key).ok().flatten()
    }

    fn set(&self, key: &str, text: &str) -> bool {
        storage::area().is_some_and(|area| area.set_item(key, text).is_ok())
    }

    fn remove(&self, key: &str) {
        storage::remove(key);
    }
}

/// Takes up this person's drafts and erases everybody else's, and which rooms they muted: one person at a time is signed in.
pub(super) fn open(of: &UserName) -> Drafts<Browser> {
    let drafts = Drafts::new(Browser, of);
    for key in storage::keys("hubbub.") {
        let muted = key.strip_prefix(MUTED_KEYS);
        // Under this key builds before this one kept them, whoever they were.
        if drafts.is_others(&key) || muted.is_some_and(|name| name != of.as_str()) || key == "hubbub.set.muted" {
            storage::remove(&key);
        }
    }
    drafts
}

/// Of the room on screen.
pub(super) fn with_open<T>(act: impl FnOnce(&mut Drafts<Browser>, &RoomKey) -> T) -> Option<T> {
    CLIENT.with(|client| {
        let mut client = client.try_borrow_mut().ok()?;
        let client = client.as_mut()?;
        let key = client.view.room.with_untracked(|room| room.key.clone());
        let answer = act(&mut client.drafts, &key);
        if !client.drafts.are_stored() {
            client.storage.ask_before_leaving();
        }
        Some(answer)
    })
}

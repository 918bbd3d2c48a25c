//! Where the outboxes of this browser's tabs outlive them.
//!
//! Each tab keeps its own in `localStorage`, under the person and a name of its own, which the tab remembers over a reload
//! in its `sessionStorage`. Whoever holds the lock of that name goes on with what is stored under it: the tab itself; after
//! a reload the same tab; or, once the tab is gone, any other one, which adds it to its own. A copy of a tab finds the lock
//! held and takes another name.
//!
//! Where the browser refuses to store, or is full, everything goes on in memory, and leaving the page with unsent
//! messages has to be confirmed.

use super::{
    CLIENT,
    locks::{self, Lock, NoLocks, When},
    window, with,
};
use app::{client::chat_client::Saved, domain::UserId, page::OUTBOX_KEYS};
use futures_channel::oneshot;
use leptos::{
    logging,
    prelude::{set_timeout, window as browser},
    task::spawn_local,
};
use std::{cell::RefCell, time::Duration};
use wasm_bindgen::JsCast;
use web_sys::{BeforeUnloadEvent, Event, StorageEvent};

/// In `sessionStorage`: the tab's name.
const TAB: &str = "hubbub.tab";
/// In `localStorage`: the notice that was put away. Another one is shown.
const NOTICE: &str = "hubbub.notice";
/// How long a tab that went may take to come back: it may only be loading its page again.
const GRACE: Duration = Duration::from_secs(3);

thread_local! {
    /// Other tabs' keys whose locks are being waited for.
    static WATCHED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

pub(super) struct Storage {
    /// Of this person, with all their tabs.
    prefix: String,
    key: String,
    /// `None` where there are no locks.
    lock: Option<Lock>,
    /// What could not be stored.
    refused: Option<String>,
    asks_before_leaving: bool,
    signed_out: bool,
}

impl Storage {
    /// Takes this tab's place in the storage. Returns what this tab left before a reload.
    pub async fn open(user: UserId) -> (Self, Option<Saved>) {
        let prefix = format!("{OUTBOX_KEYS}{user}.");
        let mut storage = Self {
            prefix,
            key: String::new(),
            lock: None,
            refused: None,
            asks_before_leaving: false,
            signed_out: false,
        };
        let saved = match tab_name() {
            Some(name) => storage.claim(&name).await.ok(),
            None => None,
        };
        let saved = if let Some(saved) = saved {
            saved
        } else {
            let name = format!("{:016x}", window::random());
            set_tab_name(&name);
            storage.claim(&name).await.unwrap_or_default()
        };
        if storage.lock.is_none() {
            hide_tab_name();
        }
        (storage, saved)
    }

    /// Goes on under this name.
    ///
    /// # Errors
    /// It is another tab's, or what is stored under it cannot be read.
    async fn claim(&mut self, name: &str) -> Result<Option<Saved>, ()> {
        self.key = format!("{}{name}", self.prefix);
        let lock = match locks::request(&self.key, When::Now).await {
            Ok(Some(lock)) => Some(lock),
            Ok(None) => return Err(()),
            Err(NoLocks) => None,
        };
        let saved = read(&self.key)?;
        self.lock = lock;
        Ok(saved)
    }

    /// Erases what sessions before this one left, as one person at a time is signed in, and returns it: it may have been
    /// the same person.
    pub fn take_strays(&self) -> Vec<Saved> {
        let strays = keys(OUTBOX_KEYS).into_iter().filter(|key| !key.starts_with(&self.prefix));
        let take = |key: String| {
            let stray = read(&key).ok().flatten();
            remove(&key);
            stray
        };
        strays.filter_map(take).collect()
    }

    /// Whether something could not be stored.
    pub fn is_refused(&self) -> bool {
        self.refused.is_some()
    }

    /// Stores the outboxes in the place of what was stored before.
    pub fn save(&mut self, saved: &Saved) {
        if saved.is_empty() {
            remove(&self.key);
            self.refused = None;
        } else if let Ok(json) = serde_json::to_string(saved) {
            self.store(json);
        }
    }

    fn store(&mut self, json: String) {
        if area().is_some_and(|area| area.set_item(&self.key, &json).is_ok()) {
            self.refused = None;
            return;
        }
        // An older state would give numbers that are used by now to other messages.
        remove(&self.key);
        self.refused = Some(json);
        self.ask_before_leaving();
    }

    /// Something is only in memory. Browsers that see nobody listen may keep the page for when somebody comes back.
    pub fn ask_before_leaving(&mut self) {
        if !std::mem::replace(&mut self.asks_before_leaving, true) {
            window::on_event(&browser(), "beforeunload", ask);
        }
    }

    /// What was stored under another tab's key is stored under this tab's now.
    fn moved(&mut self, from: &str) {
        remove(from);
        // There may be room for it now.
        if let Some(json) = self.refused.take() {
            self.store(json);
        }
    }

    /// The session is over: nobody will send what is stored.
    pub fn sign_out(&mut self) {
        if !std::mem::replace(&mut self.signed_out, true) {
            self.refused = None;
            for key in keys(&self.prefix) {
                remove(&key);
            }
        }
    }

    /// Takes up what tabs that are gone have left behind, now and as long as this tab lives.
    pub fn watch(&self) {
        if self.lock.is_none() {
            return;
        }
        let is_others = {
            let (prefix, own) = (self.prefix.clone(), self.key.clone());
            move |key: &str| key.starts_with(&prefix) && key != own
        };
        keys(OUTBOX_KEYS).into_iter().filter(|key| is_others(key)).for_each(wait_for);
        window::on_event(&browser(), "storage", move |event: &Event| {
            let Some(event) = event.dyn_ref::<StorageEvent>() else { return };
            if let Some(key) = event.key().filter(|key| event.new_value().is_some() && is_others(key)) {
                wait_for(key);
            }
        });
    }
}

fn ask(event: &Event) {
    let unsent = CLIENT.with_borrow(|client| {
        client.as_ref().is_some_and(|client| {
            (client.storage.refused.is_some() && !client.chat.is_settled()) || !client.drafts.are_stored()
        })
    });
    if let Some(event) = event.dyn_ref::<BeforeUnloadEvent>().filter(|_| unsent) {
        event.prevent_default();
        // Before 2023, browsers asked only for this.
        event.set_return_value("?");
    }
}

fn wait_for(key: String) {
    let known = WATCHED.with_borrow_mut(|watched| {
        let known = watched.contains(&key);
        if !known {
            watched.push(key.clone());
        }
        known
    });
    if !known {
        spawn_local(async move {
            outlive(&key).await;
            WATCHED.with_borrow_mut(|watched| watched.retain(|other| *other != key));
        });
    }
}

/// Waits until the tab with this key is gone, and then goes on with what it left.
async fn outlive(key: &str) {
    while let Ok(Some(lock)) = locks::request(key, When::Free).await {
        drop(lock);
        if area().and_then(|area| area.get_item(key).ok().flatten()).is_none() {
            return;
        }
        sleep(GRACE).await;
        match locks::request(key, When::Now).await {
            Ok(Some(_lock)) => return adopt(key),
            // It was only loading its page again.
            Ok(None) => {}
            Err(NoLocks) => return,
        }
    }
}

fn adopt(key: &str) {
    let Ok(Some(saved)) = read(key) else { return };
    // Carried out, and with it stored as this tab's, before the other's is removed.
    if with(|chat| chat.adopt(saved)).is_some() {
        CLIENT.with_borrow_mut(|client| {
            if let Some(client) = client {
                client.storage.moved(key);
            }
        });
    }
}

/// # Errors
/// What is stored there is of another build. It stays: that build may come back.
fn read(key: &str) -> Result<Option<Saved>, ()> {
    let Some(json) = area().and_then(|area| area.get_item(key).ok().flatten()) else { return Ok(None) };
    let saved = serde_json::from_str(&json);
    saved.map(Some).map_err(|error| logging::warn!("{key} in the storage cannot be read by this build: {error}"))
}

pub(super) fn remove(key: &str) {
    // Where storing is refused there is nothing to remove.
    let _ = area().map(|area| area.remove_item(key));
}

pub(super) fn keys(prefix: &str) -> Vec<String> {
    let Some(area) = area() else { return Vec::new() };
    let len = area.length().unwrap_or(0);
    (0..len).filter_map(|i| area.key(i).ok().flatten()).filter(|key| key.starts_with(prefix)).collect()
}

pub(super) fn put_away(notice: &str) {
    // Where it cannot be stored it stays: nobody would know of it in the next tab.
    let _ = area().map(|area| area.set_item(NOTICE, notice));
}

pub(super) fn is_put_away(notice: &str) -> bool {
    area().and_then(|area| area.get_item(NOTICE).ok().flatten()).is_some_and(|put_away| put_away == notice)
}

pub(super) fn area() -> Option<web_sys::Storage> {
    browser().local_storage().ok().flatten()
}

fn tab_name() -> Option<String> {
    browser().session_storage().ok()??.get_item(TAB).ok()?
}

fn set_tab_name(name: &str) {
    if let Ok(Some(area)) = browser().session_storage() {
        // A tab that cannot remember its name is a new one after a reload.
        let _ = area.set_item(TAB, name);
    }
}

/// Without locks, two tabs must not have one name: a copy of this tab is not to find it. It is there only from when the
/// page goes until it comes back.
fn hide_tab_name() {
    let Some(name) = tab_name() else { return };
    let hide = || {
        if let Ok(Some(area)) = browser().session_storage() {
            let _ = area.remove_item(TAB);
        }
    };
    hide();
    window::on(&browser(), "pagehide", move || set_tab_name(&name));
    window::on(&browser(), "pageshow", hide);
}

async fn sleep(time: Duration) {
    let (wake, woken) = oneshot::channel();
    set_timeout(
        move || {
            let _ = wake.send(());
        },
        time,
    );
    let _ = woken.await;
}

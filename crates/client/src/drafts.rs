//! What somebody was writing and has not sent, room by room.
//!
//! Kept under the person's name, which outlives their session: whoever signs in again under it finds it, nobody else does.
//! Each room has a place of its own in the storage, so that of several tabs the one that wrote last in a room wins there and
//! nowhere else.

use protocol::domain::{RoomKey, UserName};
use std::collections::HashMap;

/// What the keys of drafts begin with; the name follows, and the room.
pub const DRAFT_KEYS: &str = "hubbub.draft.";
/// What is longer is not what somebody wrote, and not worth filling the storage with: some twenty of the longest messages, in
/// bytes.
const STORED_MAX: usize = 256 * 1_024;
/// Between the name and the room; no name has it.
pub const SEPARATOR: char = '\n';

/// What is kept, and behind it what stands in the field, unless the draft that is kept ends with just that.
pub fn joined(kept: &str, typed: &str) -> String {
    match kept.strip_suffix(typed) {
        Some(before) if before.is_empty() || before.ends_with('\n') || typed.is_empty() => kept.to_owned(),
        _ if kept.is_empty() => typed.to_owned(),
        _ => [kept, "\n", typed].concat(),
    }
}

/// Where texts outlive the page.
pub trait Shelf {
    fn get(&self, key: &str) -> Option<String>;
    /// `false` if it refuses, or is full.
    fn set(&self, key: &str, text: &str) -> bool;
    fn remove(&self, key: &str);
}

#[derive(Debug)]
pub struct Drafts<S> {
    shelf: S,
    prefix: String,
    /// What could not be stored, by its key.
    kept: HashMap<String, String>,
}

impl<S: Shelf> Drafts<S> {
    pub fn new(shelf: S, of: &UserName) -> Self {
        let mut prefix = [DRAFT_KEYS, of.as_str()].concat();
        prefix.push(SEPARATOR);
        Self { shelf, prefix, kept: HashMap::new() }
    }

    /// Whether what is stored under this key is somebody else's draft.
    pub fn is_others(&self, key: &str) -> bool {
        key.starts_with(DRAFT_KEYS) && !key.starts_with(&self.prefix)
    }

    pub fn get(&self, room: &RoomKey) -> String {
        let key = self.key(room);
        self.kept.get(&key).cloned().or_else(|| self.shelf.get(&key)).unwrap_or_default()
    }

    pub fn set(&mut self, room: &RoomKey, text: &str) {
        let key = self.key(room);
        self.kept.remove(&key);
        if text.is_empty() {
            self.shelf.remove(&key);
        } else if text.len() > STORED_MAX || !self.shelf.set(&key, text) {
            // What was written before is not what is written now.
            self.shelf.remove(&key);
            self.kept.insert(key, text.to_owned());
        }
    }

    /// Puts texts in front of what is being written.
    pub fn put_before<'a>(&mut self, room: &RoomKey, texts: impl Iterator<Item = &'a str>) {
        let mut draft: String = texts.flat_map(|text| [text, "\n"]).collect();
        draft.push_str(&self.get(room));
        self.set(room, draft.trim_end_matches('\n'));
    }

    /// Whether everything outlives the page.
    pub fn are_stored(&self) -> bool {
        self.kept.is_empty()
    }

    fn key(&self, room: &RoomKey) -> String {
        [&self.prefix, room.as_str()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::room;
    use std::{cell::RefCell, rc::Rc};

    #[derive(Clone, Default)]
    struct Cupboard {
        texts: Rc<RefCell<HashMap<String, String>>>,
        full: bool,
    }

    impl Shelf for Cupboard {
        fn get(&self, key: &str) -> Option<String> {
            self.texts.borrow().get(key).cloned()
        }

        fn set(&self, key: &str, text: &str) -> bool {
            if !self.full {
                self.texts.borrow_mut().insert(key.to_owned(), text.to_owned());
            }
            !self.full
        }

        fn remove(&self, key: &str) {
            self.texts.borrow_mut().remove(key);
        }
    }

    fn of(name: &str, shelf: &Cupboard) -> Drafts<Cupboard> {
        Drafts::new(shelf.clone(), &crate::testing::person(1, name).name)
    }

    #[test]
    fn of_two_tabs_the_last_writer_wins_in_each_room_alone() {
        let shelf = Cupboard::default();
        let (a, b) = (room("a").key, room("b").key);
        let (mut one, mut other) = (of("지우", &shelf), of("지우", &shelf));
        one.set(&a, "하나");
        one.set(&b, "둘");
        other.set(&a, "셋");
        assert_eq!((one.get(&a), other.get(&b)), ("셋".to_owned(), "둘".to_owned()));
        other.set(&a, "");
        assert_eq!((one.get(&a), shelf.texts.borrow().len()), (String::new(), 1));
        assert_eq!(of("지우", &shelf).get(&b), "둘", "a reload finds it");
    }

    #[test]
    fn what_comes_back_stands_before_what_is_being_written() {
        let shelf = Cupboard::default();
        let key = room("a").key;
        let mut drafts = of("지우", &shelf);
        drafts.put_before(&key, ["하나", "둘"].into_iter());
        assert_eq!(drafts.get(&key), "하나\n둘");
        drafts.set(&key, "셋");
        drafts.put_before(&key, ["하나"].into_iter());
        assert_eq!(drafts.get(&key), "하나\n셋");
        let long = "긴".repeat(protocol::domain::MESSAGE_MAX);
        drafts.put_before(&key, [long.as_str(); 3].into_iter());
        assert!(drafts.are_stored());
        drafts.set(&key, &"긴".repeat(STORED_MAX));
        assert!(!drafts.are_stored());
    }

    #[test]
    fn neither_what_is_kept_nor_what_was_typed_is_lost() {
        assert_eq!(joined("", "하나"), "하나");
        assert_eq!(joined("하나", ""), "하나");
        assert_eq!(joined("하나", "하나"), "하나");
        assert_eq!(joined("보내지 못한 것\n하나", "하나"), "보내지 못한 것\n하나");
        assert_eq!(joined("바다", "다"), "바다\n다", "a letter typed before the page was alive");
        assert_eq!(joined("하나", "둘"), "하나\n둘");
    }

    #[test]
    fn nobody_finds_what_somebody_else_was_writing() {
        let shelf = Cupboard::default();
        let key = room("a").key;
        of("지우", &shelf).set(&key, "비밀");
        for name in ["지", "지우2", "하은"] {
            let other = of(name, &shelf);
            assert_eq!(other.get(&key), "");
            assert!(shelf.texts.borrow().keys().all(|key| other.is_others(key)));
        }
        let own = of("지우", &shelf);
        assert!(!shelf.texts.borrow().keys().any(|key| own.is_others(key)));
        assert!(!own.is_others("hubbub.outbox.1"));
    }

    #[test]
    fn what_cannot_be_stored_lasts_as_long_as_the_page_and_leaves_nothing_older_behind() {
        let mut shelf = Cupboard::default();
        let key = room("a").key;
        of("지우", &shelf).set(&key, "옛것");
        shelf.full = true;
        let mut drafts = of("지우", &shelf);
        assert_eq!(drafts.get(&key), "옛것");
        drafts.set(&key, "새것");
        assert_eq!(drafts.get(&key), "새것");
        assert!(shelf.texts.borrow().is_empty());
        shelf.full = false;
        let mut drafts = of("지우", &shelf);
        let long = "x".repeat(STORED_MAX + 1);
        drafts.set(&key, &long);
        assert_eq!((drafts.get(&key), shelf.texts.borrow().len()), (long, 0));
        drafts.set(&key, "");
        assert_eq!(drafts.get(&key), "");
    }
}

//! A timeline laid out as the rows of a page: days, messages grouped by sender, notices, what is still unsent.

use crate::{
    clock::Day,
    domain::Entry,
    protocol::{ErrorCode, Person},
};
use std::sync::Arc;

/// One row of the list.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// The first message of a day follows.
    Day(Day),
    /// `head`: the first of a group, with the sender's avatar and name.
    Message { entry: Arc<Entry>, head: bool },
    /// This tab's own message that is not in the log yet.
    Pending { n: u64, text: String, head: bool, state: Pending },
    /// Who came and went, folded; `id` counts up within the page.
    Notice { id: u64, entered: bool, people: Vec<Person> },
    /// Entries are missing here: the client was too far behind or the log was reset.
    Gap { id: u64, reset: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pending {
    Waiting,
    Failed(ErrorCode),
}

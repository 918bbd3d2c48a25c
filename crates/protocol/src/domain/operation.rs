use super::MessageText;
use serde::{Deserialize, Serialize};

/// What a producer's number is used for: the same from a tab's outbox to the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    Message {
        text: MessageText,
    },
    /// Uses up the number without an entry.
    Void,
}

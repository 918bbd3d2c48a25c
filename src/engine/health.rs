//! Whether the store can be written to.

use super::StoreError;
use std::fmt;

/// Why messages cannot be written at present.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Unwritable {
    pub reason: Reason,
    /// For the log; names nothing that a person typed.
    pub detail: String,
}

/// The kinds of it, each with a stable word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It does not answer.
    Unreachable,
    /// Its disk or memory is full.
    Full,
    /// It takes no writes, as a replica does.
    ReadOnly,
    /// Its parts do not fit together.
    Corrupt,
    /// This server lacks a right there.
    Rights,
    Other,
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Full => "full",
            Self::ReadOnly => "read_only",
            Self::Corrupt => "corrupt",
            Self::Rights => "rights",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<StoreError> for Unwritable {
    fn from(StoreError(detail): StoreError) -> Self {
        Self { reason: Reason::Unreachable, detail }
    }
}

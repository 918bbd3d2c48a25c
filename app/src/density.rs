//! How much room a message takes. Only the server decides by it: the browser has it from the styles.

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Density {
    #[default]
    Comfortable,
    /// No avatars; names in a column, a line for a line.
    Compact,
}

impl Density {
    pub const ALL: [Self; 2] = [Self::Comfortable, Self::Compact];

    /// As in `<html data-density>`, the cookie and `/density/<tag>`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Comfortable => "comfortable",
            Self::Compact => "compact",
        }
    }

    pub fn from_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|density| density.tag() == tag)
    }
}

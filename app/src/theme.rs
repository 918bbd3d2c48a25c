//! Light, dark, or what the reader's system says.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// As in `<html data-theme>`, the cookie and `/theme/<tag>`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// What the page's head says of it: the colour scheme, and what the browser's own bar is painted with in a light and in
    /// a dark system.
    pub fn paints(self) -> [&'static str; 3] {
        const LIGHT: &str = "#fdfcf9";
        const DARK: &str = "#161210";
        match self {
            Self::System => ["light dark", LIGHT, DARK],
            Self::Light => ["light", LIGHT, LIGHT],
            Self::Dark => ["dark", DARK, DARK],
        }
    }

    pub fn from_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.tag() == tag)
    }
}

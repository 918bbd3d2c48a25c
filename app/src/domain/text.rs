//! The text of a message.

use serde::{Deserialize, Serialize};

/// Longest message, in Unicode scalar values. In UTF-8 it fits a frame four times over.
pub const MESSAGE_MAX: usize = 4_000;

/// Why a text is not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextProblem {
    /// Nothing but white space.
    Empty,
    /// More than [`MESSAGE_MAX`] scalar values.
    TooLong,
    /// A control character other than tab and line feed.
    Control,
}

/// A message as it is stored: line ends are `\n`, none at its start and no white space at its end, 1 to [`MESSAGE_MAX`] scalar
/// values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageText(String);

impl MessageText {
    /// # Errors
    /// Says what keeps `typed` from being a message.
    pub fn parse(typed: &str) -> Result<Self, TextProblem> {
        let unix =
            if typed.contains('\r') { typed.replace("\r\n", "\n").replace('\r', "\n") } else { typed.to_owned() };
        let text = unix.trim_end().trim_start_matches('\n');
        if text.trim().is_empty() {
            return Err(TextProblem::Empty);
        }
        if text.chars().count() > MESSAGE_MAX {
            return Err(TextProblem::TooLong);
        }
        if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
            return Err(TextProblem::Control);
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn limits_count_scalar_values_not_bytes() {
        assert!(MessageText::parse(&"한".repeat(MESSAGE_MAX)).is_ok());
        assert_eq!(MessageText::parse(&"한".repeat(MESSAGE_MAX + 1)), Err(TextProblem::TooLong));
        assert_eq!(MessageText::parse(" \n\t "), Err(TextProblem::Empty));
        assert_eq!(MessageText::parse("a\u{0}b"), Err(TextProblem::Control));
    }

    #[test]
    fn html_stays_text_and_indentation_is_kept() {
        assert_eq!(MessageText::parse("<b>x</b>").unwrap().as_str(), "<b>x</b>");
        assert_eq!(MessageText::parse("  fn main()\r\n  {}\r\n\r\n").unwrap().as_str(), "  fn main()\n  {}");
    }

    proptest! {
        #[test]
        fn parsing_twice_changes_nothing(typed in ".{0,60}") {
            if let Ok(once) = MessageText::parse(&typed) {
                prop_assert_eq!(MessageText::parse(once.as_str()), Ok(once.clone()));
            }
        }
    }
}

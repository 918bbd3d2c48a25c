//! How long what is being written is, as far as that matters.

use crate::{
    domain::{MESSAGE_MAX, MessageText},
    i18n::Strings,
};

/// Where somebody who writes begins to be told.
const NEAR: usize = MESSAGE_MAX - 400;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    Plenty,
    /// So many characters are left.
    Near(usize),
    /// So many characters are too many.
    Over(usize),
}

impl Length {
    /// The characters of `typed` as a message; of a short one it is not worth the time.
    pub fn count(typed: &str) -> usize {
        if typed.len() < NEAR { 0 } else { MessageText::length(typed) }
    }

    pub fn of(count: usize) -> Self {
        match count {
            n if n > MESSAGE_MAX => Self::Over(n - MESSAGE_MAX),
            n if n >= NEAR => Self::Near(MESSAGE_MAX - n),
            _ => Self::Plenty,
        }
    }

    pub fn told(self, t: &Strings) -> String {
        match self {
            Self::Plenty => String::new(),
            Self::Near(left) => (t.characters_left)(left),
            Self::Over(more) => (t.characters_over)(more),
        }
    }
}

#[cfg(test)]
#[cfg(feature = "ssr")]
mod tests {
    use super::*;

    #[test]
    fn a_writer_is_told_near_the_limit_and_how_much_to_cut_beyond_it() {
        let of = |n: usize, letter: &str| Length::of(Length::count(&letter.repeat(n)));
        for letter in ["a", "가", "🎉"] {
            assert_eq!(of(NEAR - 1, letter), Length::Plenty);
            assert_eq!(of(NEAR, letter), Length::Near(400));
            assert_eq!(of(MESSAGE_MAX, letter), Length::Near(0));
            assert_eq!(of(MESSAGE_MAX + 1, letter), Length::Over(1));
        }
        // What is left out of a message does not count.
        assert_eq!(Length::of(Length::count(&("\n".repeat(9) + &"a".repeat(MESSAGE_MAX) + "  "))), Length::Near(0));
    }
}

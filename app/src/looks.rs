//! What decides how a text is shown, besides its links: whether it is nothing but emoji, and whether it is long.

use crate::steps;
use std::{iter::Peekable, str::Chars};

/// Emoji that are shown large when nothing else is said.
const LARGE_MAX: usize = 8;

/// Longer texts are folded: what is left of a shorter one would not be worth a click.
const LINES_MAX: usize = 24;

/// Columns of a line where there is room for all of it, and on a phone; a letter of East Asia takes two. Rather too many than
/// too few: what is folded has to be longer than its fold.
const COLUMNS: usize = 100;
const COLUMNS_OF_A_PHONE: usize = 44;

/// Where a text takes so many lines that it is folded until somebody wants all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Long {
    Nowhere,
    OnAPhone,
    Everywhere,
}

/// Whether `text` is a few emoji and nothing else. Digits are not, though they begin some: 3️⃣.
pub fn is_emoji_alone(text: &str) -> bool {
    let mut chars = text.chars().peekable();
    let mut emoji = 0;
    while let Some(c) = chars.next() {
        steps::take(1);
        if c == ' ' {
            continue;
        }
        emoji += 1;
        if emoji > LARGE_MAX || !is_emoji(c, &mut chars) {
            return false;
        }
    }
    emoji > 0
}

pub fn long(text: &str) -> Long {
    let (mut wide, mut narrow) = (Lines::of(COLUMNS), Lines::of(COLUMNS_OF_A_PHONE));
    for c in text.chars() {
        steps::take(1);
        wide.take(c);
        narrow.take(c);
        if wide.full > LINES_MAX {
            return Long::Everywhere;
        }
    }
    if narrow.full > LINES_MAX { Long::OnAPhone } else { Long::Nowhere }
}

/// Lines of so many columns.
struct Lines {
    columns: usize,
    full: usize,
    /// Columns taken in the last one.
    taken: usize,
}

impl Lines {
    fn of(columns: usize) -> Self {
        Self { columns, full: 1, taken: 0 }
    }

    fn take(&mut self, c: char) {
        self.taken += if c < '\u{1100}' { 1 } else { 2 };
        if c == '\n' || self.taken > self.columns {
            self.full += 1;
            self.taken = 0;
        }
    }
}

const PICTURE: char = '\u{FE0F}';
const JOINER: char = '\u{200D}';

/// Takes the rest of the emoji that begins with `c`.
fn is_emoji(c: char, rest: &mut Peekable<Chars>) -> bool {
    let mut next = |wanted: fn(&char) -> bool| rest.next_if(wanted).is_some();
    match c {
        '\u{1F1E6}'..='\u{1F1FF}' => next(|c| ('\u{1F1E6}'..='\u{1F1FF}').contains(c)),
        '0'..='9' | '#' | '*' => {
            next(|c| *c == PICTURE);
            next(|c| *c == '\u{20E3}')
        }
        _ => {
            let mut whole = is_picture(c) || (may_be_picture(c) && rest.peek().is_some_and(|c| makes_picture(*c)));
            loop {
                while rest.next_if(|c| makes_picture(*c) || ('\u{E0020}'..='\u{E007F}').contains(c)).is_some() {}
                if rest.next_if_eq(&JOINER).is_none() {
                    return whole;
                }
                whole &= rest.next().is_some_and(|c| is_picture(c) || may_be_picture(c));
            }
        }
    }
}

/// What turns a sign of text into an emoji, or follows one: the choice of the picture, a tone of skin.
fn makes_picture(c: char) -> bool {
    matches!(c, PICTURE | '\u{1F3FB}'..='\u{1F3FF}')
}

/// Signs that are text until something makes them a picture: ❤, ©, ✈.
fn may_be_picture(c: char) -> bool {
    matches!(c, '\u{A9}' | '\u{AE}' | '\u{203C}'..='\u{3299}')
}

/// Whether `c` is shown as a picture by itself. Unicode's `Emoji_Presentation` below U+1F000; above, whole blocks of pictures.
fn is_picture(c: char) -> bool {
    /// The first of a run, and how many follow it.
    const SIGNS: [(u16, u8); 38] = [
        (0x231A, 1),
        (0x23E9, 3),
        (0x23F0, 0),
        (0x23F3, 0),
        (0x25FD, 1),
        (0x2614, 1),
        (0x2648, 11),
        (0x267F, 0),
        (0x2693, 0),
        (0x26A1, 0),
        (0x26AA, 1),
        (0x26BD, 1),
        (0x26C4, 1),
        (0x26CE, 0),
        (0x26D4, 0),
        (0x26EA, 0),
        (0x26F2, 1),
        (0x26F5, 0),
        (0x26FA, 0),
        (0x26FD, 0),
        (0x2705, 0),
        (0x270A, 1),
        (0x2728, 0),
        (0x274C, 0),
        (0x274E, 0),
        (0x2753, 2),
        (0x2757, 0),
        (0x2795, 2),
        (0x27B0, 0),
        (0x27BF, 0),
        (0x2B1B, 1),
        (0x2B50, 0),
        (0x2B55, 0),
        // In the blocks above, counted from U+10000.
        (0xF004, 0),
        (0xF0CF, 0),
        (0xF18E, 0),
        (0xF191, 9),
        (0xF201, 0),
    ];
    match c {
        '\u{1F300}'..='\u{1F64F}'
        | '\u{1F680}'..='\u{1F6FF}'
        | '\u{1F7E0}'..='\u{1F7F0}'
        | '\u{1F90C}'..='\u{1F9FF}'
        | '\u{1FA70}'..='\u{1FAFF}'
        // Letters and words in squares.
        | '\u{1F170}'..='\u{1F17F}'
        | '\u{1F21A}'..='\u{1F251}' => true,
        '\u{2300}'..='\u{2BFF}' | '\u{1F000}'..='\u{1F2FF}' => {
            let low = u32::from(c) & 0xFFFF;
            SIGNS.iter().any(|&(first, more)| (u32::from(first)..=u32::from(first) + u32::from(more)).contains(&low))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::MESSAGE_MAX;

    #[test]
    fn a_few_emoji_alone_are_told_from_all_else() {
        for text in [
            "🎉",
            "👍🏽",
            "🎉 🎉🎉",
            "👩‍💻",
            "👨‍👩‍👧‍👦",
            "👩‍❤️‍💋‍👨",
            "🏳️‍🌈",
            "🏴‍☠️",
            "🇰🇷🇺🇸",
            "🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}",
            "3️⃣",
            "#\u{20E3}",
            "❤️",
            "☝🏽",
            "⚡",
            "⭐⭐⭐⭐⭐",
            "✅",
            "🀄",
            "🅰",
            "🈶",
            "🫠",
            "🟢",
            "©️",
            "㊗️",
            "😀😀😀😀😀😀😀😀",
        ] {
            assert!(is_emoji_alone(text), "{text}");
        }
        for text in [
            "3",
            "12",
            "#",
            "3 🎉",
            "🎉!",
            "hi 🎉",
            "ㅋㅋ",
            "가",
            "❤",
            "♥",
            "©",
            "→",
            "🇰",
            "🇰a",
            "👩\u{200D}",
            "👩\u{200D}a",
            "\u{FE0F}",
            "\u{200D}",
            "\u{20E3}",
            "🎉\n🎉",
            "😀😀😀😀😀😀😀😀😀",
            "",
            " ",
        ] {
            assert!(!is_emoji_alone(text), "{text}");
        }
    }

    #[test]
    fn what_is_folded_is_longer_than_its_fold() {
        let lines = |n: usize| vec!["line"; n].join("\n");
        assert_eq!(long(&lines(LINES_MAX)), Long::Nowhere);
        assert_eq!(long(&lines(LINES_MAX + 1)), Long::Everywhere);
        for (letter, columns) in [("a", 1), ("가", 2)] {
            let of = |all: usize| long(&letter.repeat(all / columns));
            assert_eq!(of(COLUMNS_OF_A_PHONE * LINES_MAX), Long::Nowhere, "{letter}");
            assert_eq!(of((COLUMNS_OF_A_PHONE + 2) * LINES_MAX), Long::OnAPhone, "{letter}");
            assert_eq!(of(COLUMNS * LINES_MAX), Long::OnAPhone, "{letter}");
            assert_eq!(long(&letter.repeat(MESSAGE_MAX)), Long::Everywhere, "{letter}");
        }
        assert_eq!(long("a"), Long::Nowhere);
    }

    #[test]
    fn no_text_takes_more_than_one_look() {
        for text in ["👩\u{200D}".repeat(2_000), "3️⃣".repeat(1_300), "🎉".repeat(4_000), "a\n".repeat(2_000)] {
            assert!(steps::of(|| (is_emoji_alone(&text), long(&text))) <= 2 * text.chars().count());
        }
    }
}

//! The text of a message.

use crate::steps;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Longest message, in Unicode scalar values. In UTF-8 it fits a frame four times over.
pub const MESSAGE_MAX: usize = 4_000;

/// Why a text is not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextProblem {
    /// Nothing in it shows.
    Empty,
    /// More than [`MESSAGE_MAX`] scalar values.
    TooLong,
}

/// A message as it is stored: 1 to [`MESSAGE_MAX`] scalar values, of which at least one shows. Its lines end with `\n`; there is no
/// other control character but tab, no override of the writing direction, no line at its start or end that shows nothing, and no
/// white space at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageText(String);

impl MessageText {
    /// Takes `typed` for what was meant: input methods, slides, documents and terminals leave characters behind that nobody sees.
    /// Each of their line ends becomes `\n`; other controls, whole sequences of a terminal and overrides are left out.
    ///
    /// # Errors
    /// Says what keeps `typed` from being a message.
    pub fn parse(typed: &str) -> Result<Self, TextProblem> {
        let meant = meant(typed);
        let text = said(&meant);
        if text.is_empty() {
            return Err(TextProblem::Empty);
        }
        if text.chars().count() > MESSAGE_MAX {
            return Err(TextProblem::TooLong);
        }
        Ok(Self(text.to_owned()))
    }

    /// How many scalar values [`parse`](Self::parse) would count.
    pub fn length(typed: &str) -> usize {
        said(&meant(typed)).chars().count()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn said(meant: &str) -> &str {
    visible_lines(meant).trim_end()
}

/// `typed` without what input methods, documents and terminals leave in it.
fn meant(typed: &str) -> Cow<'_, str> {
    // Most texts have nothing of that.
    let Some(first) = typed.find(is_left_over) else { return Cow::Borrowed(typed) };
    let mut text = String::with_capacity(typed.len());
    text.push_str(&typed[..first]);
    let mut rest = typed[first..].chars();
    while let Some(c) = rest.next() {
        steps::take(1);
        match c {
            '\n' | '\t' => text.push(c),
            '\r' if rest.as_str().starts_with('\n') => {}
            // Soft breaks of slides, page breaks, and the line ends of other systems.
            '\r' | '\u{B}' | '\u{C}' | '\u{85}' | '\u{2028}' | '\u{2029}' => text.push('\n'),
            '\u{1B}' | '\u{9B}' => rest = after_sequence(c, rest.as_str()).unwrap_or(rest.as_str()).chars(),
            // What is written against the reading direction reads as something else than it is.
            '\u{202D}' | '\u{202E}' => {}
            _ if c.is_control() => {}
            _ => text.push(c),
        }
    }
    Cow::Owned(text)
}

/// Whether [`meant`] makes something else of it.
fn is_left_over(c: char) -> bool {
    steps::take(1);
    (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202D}' | '\u{202E}')
}

/// What follows a terminal's sequence that began with `opened` and goes on in `rest` (ECMA-48), if it is a whole one: colours and the
/// like, character sets, titles and links.
fn after_sequence(opened: char, rest: &str) -> Option<&str> {
    let within = |range: std::ops::RangeInclusive<char>| {
        move |c: char| {
            let is_within = range.contains(&c);
            steps::take(usize::from(is_within));
            is_within
        }
    };
    let control = if opened == '\u{9B}' { Some(rest) } else { rest.strip_prefix('[') };
    if let Some(control) = control {
        let end = control.trim_start_matches(within('0'..='?')).trim_start_matches(within(' '..='/'));
        return end.strip_prefix(within('@'..='~'));
    }
    if let Some(string) = rest.strip_prefix([']', 'P', '_', '^', 'X']) {
        let end = string.trim_start_matches(|c: char| {
            steps::take(1);
            !c.is_control()
        });
        return end.strip_prefix('\u{7}').or_else(|| end.strip_prefix("\u{1B}\\"));
    }
    rest.strip_prefix('(')?.strip_prefix(['A', 'B', '0'])
}

/// `text` from the first line that shows something to the last.
fn visible_lines(text: &str) -> &str {
    let shows = |c: char| {
        steps::take(1);
        !c.is_whitespace() && !shows_nothing(c)
    };
    // Where nothing shows it is not looked for from the end as well.
    let Some(first) = text.find(shows) else { return "" };
    let last = text.rfind(shows).unwrap_or(first);
    let start = text[..first].rfind('\n').map_or(0, |at| at + 1);
    let end = text[last..].find('\n').map_or(text.len(), |length| last + length);
    &text[start..end]
}

/// Whether `c` alone leaves no trace on a page, without being white space: fillers, joiners, direction marks, selectors, tags and
/// what no font draws. Unicode's `Default_Ignorable_Code_Point` and noncharacters, and the letters and symbols that are blank.
pub fn shows_nothing(c: char) -> bool {
    const NOTHING: [(u32, u32); 22] = [
        (0xAD, 0xAD),
        (0x34F, 0x34F),
        (0x61C, 0x61C),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x200B, 0x200F),
        (0x202A, 0x202E),
        (0x2060, 0x206F),
        (0x2800, 0x2800),
        (0x3164, 0x3164),
        (0xFDD0, 0xFDEF),
        (0xFE00, 0xFE0F),
        (0xFEFF, 0xFEFF),
        (0xFFA0, 0xFFA0),
        (0xFFF0, 0xFFFC),
        (0x13430, 0x13442),
        (0x16FE4, 0x16FE4),
        (0x1BCA0, 0x1BCA3),
        (0x1D159, 0x1D159),
        (0x1D173, 0x1D17A),
        (0xE0000, 0xE0FFF),
    ];
    let c = u32::from(c);
    c >= 0xAD && (c & 0xFFFE == 0xFFFE || NOTHING.iter().any(|&(first, last)| (first..=last).contains(&c)))
}
#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(typed: &str) -> String {
        MessageText::parse(typed).unwrap().as_str().to_owned()
    }

    #[test]
    fn limits_count_scalar_values_not_bytes() {
        assert!(MessageText::parse(&"한".repeat(MESSAGE_MAX)).is_ok());
        assert_eq!(MessageText::parse(&"한".repeat(MESSAGE_MAX + 1)), Err(TextProblem::TooLong));
        assert_eq!(
            parsed(&("a".repeat(MESSAGE_MAX) + "\u{8}\u{1B}[0m")).len(),
            MESSAGE_MAX,
            "what is left out does not count"
        );
    }

    #[test]
    fn html_stays_text_and_indentation_is_kept() {
        assert_eq!(parsed("<b>x</b>"), "<b>x</b>");
        assert_eq!(parsed("  fn main()\r\n  {}\r\n\r\n"), "  fn main()\n  {}");
    }

    #[test]
    fn what_input_methods_and_pastes_leave_becomes_what_was_meant() {
        for (typed, meant) in [
            ("안녕\u{8}하세요", "안녕하세요"),
            ("제목\u{B}둘째 줄", "제목\n둘째 줄"),
            ("a\u{C}b", "a\nb"),
            ("a\u{85}b", "a\nb"),
            ("a\u{2028}b\u{2029}c", "a\nb\nc"),
            ("a\r\nb\rc\r\r\nd", "a\nb\nc\n\nd"),
            ("x\u{7F}", "x"),
            ("a\u{0}b\u{1}c\u{9F}d", "abcd"),
            ("a\tb", "a\tb"),
            ("\u{1B}[31merror\u{1B}[0m", "error"),
            ("\u{1B}[38;5;208mwarm\u{1B}[K \u{1B}[?25l\u{9B}1mbold", "warm bold"),
            ("\u{1B}(B\u{1B}[mplain", "plain"),
            ("\u{1B}]0;title\u{7}text", "text"),
            ("\u{1B}]8;;https://a.kr\u{1B}\\link\u{1B}]8;;\u{1B}\\", "link"),
            // No whole sequences.
            ("\u{1B}안녕\u{1B}", "안녕"),
            ("\u{1B}[안녕", "[안녕"),
            ("\u{1B}]hello", "]hello"),
            ("\u{1B}(hello)", "(hello)"),
        ] {
            assert_eq!(parsed(typed), meant, "{typed:?}");
        }
    }

    #[test]
    fn what_shows_nothing_is_empty() {
        let mut texts: Vec<String> = [
            "",
            " \n\t ",
            "\u{3164}",
            "\u{2800}",
            "\u{200B}",
            "\u{200D}\u{200D}",
            "\u{FEFF}",
            "\u{FFFE}",
            "\u{180E}",
            "\u{115F}\u{1160}",
            "\u{AD}",
            "\u{FE0F}",
            "\u{2060}",
            "\u{202E}",
            "\u{2066}\u{2069}",
            "\u{61C}",
            "\u{034F}",
            "\u{FFA0}",
            "\u{1D159}",
            "\u{16FE4}",
            "\u{E0067}\u{E007F}",
            "\u{E0100}",
            "\u{FFFC}",
            "\u{13441}",
            "\u{10FFFF}",
            "\u{3164}\n\u{3164}",
            "\u{3000}\u{A0}",
            "\u{1B}[0m",
            "\u{8}",
            "\u{B}\u{85}",
        ]
        .map(str::to_owned)
        .into();
        texts.push("\u{3164}\n".repeat(2_000));
        for text in texts {
            assert_eq!(MessageText::parse(&text), Err(TextProblem::Empty), "{text:?}");
        }
        for text in ["👩‍💻", "❤\u{FE0F}", "പ്രവീണ്\u{200D}", "\u{2066}a\u{2069}", "\u{301}", ".", "가", "\u{E000}"]
        {
            assert_eq!(parsed(text), text, "{text:?}");
        }
    }

    #[test]
    fn lines_that_show_nothing_are_not_kept_around_a_text() {
        let blanks = "\u{3164}\n \u{200B}\n".repeat(400);
        assert_eq!(parsed(&(blanks.clone() + "  a\n\u{3164}\nb \n" + &blanks)), "  a\n\u{3164}\nb");
    }

    #[test]
    fn nothing_is_written_against_the_reading_direction() {
        assert_eq!(parsed("\u{202E}https://evil.example/moc.knab//:sptth"), "https://evil.example/moc.knab//:sptth");
        assert_eq!(parsed("a\u{202D}b\u{202C}"), "ab\u{202C}");
    }

    #[test]
    fn no_text_costs_more_than_three_times_a_plain_one() {
        let kinds = [
            "\u{1B}",
            "\u{1B}[",
            "\u{1B}[1",
            "\u{1B}]",
            "\u{1B}]a",
            "\u{1B}P1",
            "\u{9B}",
            "\u{9B};;;",
            "\r",
            "\r\n",
            "\u{3164}",
            "\u{3164}\n",
            " ",
            "\n",
            "\t ",
            "\u{202E}",
            "\u{85}",
            "a\u{3164}",
            "\u{301}",
            "😀",
            "한",
            "http://a ",
        ];
        let plain = steps::of(|| MessageText::parse(&"a".repeat(MESSAGE_MAX)));
        for (head, tail) in kinds.iter().flat_map(|head| kinds.iter().map(move |tail| (head, tail))) {
            for heads in [1, 200, 2_000] {
                let text: String = head.repeat(heads).chars().chain(tail.chars().cycle()).take(MESSAGE_MAX).collect();
                let taken = steps::of(|| MessageText::parse(&text));
                assert!(taken <= 3 * plain, "{taken} of {plain}: {heads} × {head:?} {tail:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn parsing_twice_changes_nothing(typed in "(?s).{0,60}") {
            if let Ok(once) = MessageText::parse(&typed) {
                prop_assert_eq!(MessageText::parse(once.as_str()), Ok(once.clone()));
            }
        }

        #[test]
        fn odd_characters_leave_a_text_that_is_one(typed in "[\\x00-\\x20a\u{1B}\\[\\]\u{3164}\u{200B}\u{202E}\u{85}\u{2028}\u{9B}m1;]{0,30}") {
            if let Ok(once) = MessageText::parse(&typed) {
                let text = once.as_str();
                prop_assert!(!text.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{:?}", text);
                prop_assert!(text.lines().next().is_some_and(|line| line.contains(|c: char| !c.is_whitespace() && !shows_nothing(c))));
                prop_assert_eq!(MessageText::parse(text), Ok(once.clone()));
            }
        }
    }
}

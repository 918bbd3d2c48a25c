//! Which characters may stand where in a name.

use super::NameProblem;
use crate::domain::shows_nothing;
use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{CanonicalCombiningClass, Emoji, ExtendedPictographic, GeneralCategory, GeneralCategoryGroup, JoiningType},
};

const ZWNJ: char = '\u{200C}';
const ZWJ: char = '\u{200D}';
const KEYCAP: char = '\u{20E3}';
const BLACK_FLAG: char = '\u{1F3F4}';
const END_OF_TAGS: char = '\u{E007F}';
/// More marks than this on one base is decoration, not spelling (the longest in common use, Vietnamese and pointed Hebrew, need three
/// in NFC).
const MARKS_MAX: usize = 4;

/// Chooses between two pictures of the character before it, as text or as emoji. What it chooses is not part of a name.
pub(super) fn is_presentation(c: char) -> bool {
    matches!(c, '\u{FE0E}' | '\u{FE0F}')
}

pub(super) fn is_joiner(c: char) -> bool {
    matches!(c, ZWNJ | ZWJ)
}

pub(super) fn is_mark(c: char) -> bool {
    GeneralCategoryGroup::Mark.contains(category(c))
}

/// Checks each character of a name that is normalised already.
pub(super) fn check(name: &str) -> Result<(), NameProblem> {
    let chars: Vec<char> = name.chars().collect();
    // How many marks the last letter or digit bears; nothing else may bear one.
    let mut marks = None;
    let mut i = 0;
    while let Some(&c) = chars.get(i) {
        let (before, after) = (&chars[..i], &chars[i + 1..]);
        i += 1;
        if is_joiner(c) || is_presentation(c) {
            if !is_spelling(c, before, after) {
                return Err(NameProblem::Invisible);
            }
        } else if c == KEYCAP {
            if !ends_with_keycap_base(before) {
                return Err(NameProblem::Marks);
            }
            marks = None;
        } else if c == BLACK_FLAG {
            i += tags(after)?;
            marks = None;
        } else if is_invisible(c) {
            return Err(NameProblem::Invisible);
        } else if is_mark(c) {
            marks = marks.map(|marks| marks + 1);
            if marks.is_none_or(|marks| marks > MARKS_MAX) {
                return Err(NameProblem::Marks);
            }
        } else {
            marks = is_letter_or_digit(c).then_some(0);
        }
    }
    if chars.iter().any(|&c| is_letter_or_digit(c) || is_picture(c)) { Ok(()) } else { Err(NameProblem::Nameless) }
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

fn is_letter_or_digit(c: char) -> bool {
    GeneralCategoryGroup::Letter.union(GeneralCategoryGroup::Number).contains(category(c))
}

/// An emoji, or a symbol that is a picture of something.
fn is_picture(c: char) -> bool {
    c == KEYCAP || is_emoji(c) || category(c) == GeneralCategory::OtherSymbol
}

fn is_emoji(c: char) -> bool {
    let (emoji, pictographs) = (CodePointSetData::new::<Emoji>(), CodePointSetData::new::<ExtendedPictographic>());
    !c.is_ascii() && (emoji.contains(c) || pictographs.contains(c))
}

/// Digits, `#` and `*` are emoji only as keycaps.
fn starts_keycap(c: char) -> bool {
    c.is_ascii_digit() || c == '#' || c == '*'
}

fn ends_with_keycap_base(before: &[char]) -> bool {
    matches!(before, [.., base, '\u{FE0F}'] | [.., base] if starts_keycap(*base))
}

/// How many tags follow a black flag: none, or those of a region's flag and their end. Anything else is half of an emoji, and shows
/// nothing of what it says.
fn tags(after: &[char]) -> Result<usize, NameProblem> {
    let tag = |c: &char| matches!(c, '\u{E0030}'..='\u{E0039}' | '\u{E0061}'..='\u{E007A}');
    let region = after.iter().take_while(|c| tag(c)).count();
    match after.get(region) {
        Some(&END_OF_TAGS) if (3..=6).contains(&region) => Ok(region + 1),
        _ if region == 0 => Ok(0),
        _ => Err(NameProblem::Invisible),
    }
}

/// Whether a joiner or selector, which shows nothing by itself, is part of how something is written.
fn is_spelling(c: char, before: &[char], after: &[char]) -> bool {
    match (c, before) {
        ('\u{FE0E}' | '\u{FE0F}', [.., base]) => is_emoji(*base) || starts_keycap(*base),
        (ZWJ, [.., '\u{FE0F}']) => after.first().is_some_and(|c| is_emoji(*c)),
        (ZWJ, [.., base]) if is_emoji(*base) => after.first().is_some_and(|c| is_emoji(*c)),
        (ZWJ | ZWNJ, [.., base]) => {
            is_virama(*base) || is_bengali_ra(*base, after) || (c == ZWNJ && is_between_joining_letters(before, after))
        }
        _ => false,
    }
}

/// RFC 5892, A.1 and A.2: behind a virama a joiner decides how two consonants are written together.
fn is_virama(c: char) -> bool {
    CodePointMapData::<CanonicalCombiningClass>::new().get(c) == CanonicalCombiningClass::Virama
}

/// The one consonant behind which a joiner comes before the virama, as in the Bengali spelling of "rap".
fn is_bengali_ra(c: char, after: &[char]) -> bool {
    c == '\u{9B0}' && after.first() == Some(&'\u{9CD}')
}

/// RFC 5892, A.1: between letters that would join, as in Persian, it keeps them apart.
fn is_between_joining_letters(before: &[char], after: &[char]) -> bool {
    let joining = |c: &char| CodePointMapData::<JoiningType>::new().get(*c);
    let is_seen = |joining: &JoiningType| *joining != JoiningType::Transparent;
    let left = before.iter().rev().map(joining).find(is_seen);
    let right = after.iter().map(joining).find(is_seen);
    matches!(left, Some(JoiningType::LeftJoining | JoiningType::DualJoining))
        && matches!(right, Some(JoiningType::RightJoining | JoiningType::DualJoining))
}

fn is_invisible(c: char) -> bool {
    let by_category = matches!(
        category(c),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::Surrogate
            | GeneralCategory::PrivateUse
            | GeneralCategory::Unassigned
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    );
    by_category || shows_nothing(c)
}

//! Names of people and rooms.
//!
//! Parsing needs Unicode tables that would double the size of the browser's module, so only the server parses; the
//! browser receives names that were parsed already and treats them as opaque.

use serde::{Deserialize, Serialize};

/// Longest name of a person, in Unicode scalar values after normalisation.
pub const USER_NAME_MAX: usize = 32;
/// Longest name of a room, in Unicode scalar values after normalisation.
pub const ROOM_NAME_MAX: usize = 64;

/// Why a text is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameProblem {
    Empty,
    TooLong,
    /// `.` and `..`, which every URL parser would take for a path.
    Dots,
    /// `/` or `\`, which proxies rewrite.
    Slash,
    /// Control, bidi-override, zero-width, unassigned or otherwise invisible characters.
    Invisible,
    /// No letter, digit, symbol or emoji to begin with, or a pile of combining marks.
    Marks,
}

/// A person's name as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserName(String);

impl UserName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A room's name as its creator wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RoomName(String);

impl RoomName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A room's name normalised (NFC, case-folded): names that differ only in case or composition are one room. It is what
/// the URL and the protocol carry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RoomKey(String);

impl RoomKey {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The room's one address, percent-encoded: `/r/<key>`.
    pub fn path(&self) -> String {
        let mut path = String::with_capacity(3 + self.0.len() * 3);
        path.push_str("/r/");
        for byte in self.0.bytes() {
            // RFC 3986 "unreserved"; everything else is encoded, so that one key has one spelling.
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                path.push(char::from(byte));
            } else {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                path.push('%');
                path.push(char::from(HEX[usize::from(byte >> 4)]));
                path.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
        path
    }
}

#[cfg(feature = "ssr")]
pub use parse::NameKey;

#[cfg(feature = "ssr")]
mod parse {
    use super::{NameProblem, ROOM_NAME_MAX, RoomKey, RoomName, USER_NAME_MAX, UserName};
    use icu_casemap::CaseMapper;
    use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
    use unicode_properties::{
        EmojiStatus, GeneralCategory, GeneralCategoryGroup, UnicodeEmoji, UnicodeGeneralCategory,
    };
    use unicode_security::confusable_detection::skeleton;

    const ZWJ: char = '\u{200D}';
    const EMOJI_PRESENTATION: char = '\u{FE0F}';
    /// More marks than this on one base is decoration, not spelling (the longest in common use, Vietnamese and pointed
    /// Hebrew, need three in NFC).
    const MARKS_MAX: usize = 4;

    /// What two names must differ in to be held by two people at once: case, composition, compatibility forms and
    /// look-alike letters ("Pаul" with a Cyrillic а) are folded away (UTS #39, section 4, skeleton).
    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    pub struct NameKey(String);

    impl NameKey {
        pub fn as_str(&self) -> &str {
            &self.0
        }
    }

    fn fold(name: &str) -> String {
        let nfc = ComposingNormalizerBorrowed::new_nfc();
        nfc.normalize(&CaseMapper::new().fold_string(name)).into_owned()
    }

    /// Trims, joins runs of white space into one space, composes (NFC) and checks every character.
    fn normalise(typed: &str, max: usize) -> Result<String, NameProblem> {
        // Bounds the work before any table is consulted; NFC never shrinks a text to less than a third.
        if typed.chars().count() > max * 4 {
            return Err(NameProblem::TooLong);
        }
        if typed.chars().any(char::is_control) {
            return Err(NameProblem::Invisible);
        }
        let spaced = typed.split_whitespace().collect::<Vec<_>>().join(" ");
        let name = ComposingNormalizerBorrowed::new_nfc().normalize(&spaced).into_owned();
        if name.is_empty() {
            return Err(NameProblem::Empty);
        }
        if name.chars().count() > max {
            return Err(NameProblem::TooLong);
        }
        if name == "." || name == ".." {
            return Err(NameProblem::Dots);
        }
        if name.contains(['/', '\\']) {
            return Err(NameProblem::Slash);
        }
        check_characters(&name)?;
        Ok(name)
    }

    fn check_characters(name: &str) -> Result<(), NameProblem> {
        let chars: Vec<char> = name.chars().collect();
        let mut marks = 0;
        for (i, &c) in chars.iter().enumerate() {
            let before = i.checked_sub(1).map(|j| chars[j]);
            let after = chars.get(i + 1).copied();
            match c {
                // Inside an emoji sequence these two are spelling; anywhere else they are invisible.
                ZWJ if before.is_some_and(joins_emoji) && after.is_some_and(is_pictograph) => continue,
                EMOJI_PRESENTATION if before.is_some_and(|c| is_pictograph(c) || starts_keycap(c)) => continue,
                ' ' => {
                    marks = 0;
                    continue;
                }
                _ if is_invisible(c) => return Err(NameProblem::Invisible),
                _ => {}
            }
            if c.general_category_group() == GeneralCategoryGroup::Mark && c != '\u{20E3}' {
                marks += 1;
                if before.is_none() || marks > MARKS_MAX {
                    return Err(NameProblem::Marks);
                }
            } else {
                marks = 0;
            }
        }
        Ok(())
    }

    /// Digits, `#` and `*` are emoji only as keycaps.
    fn starts_keycap(c: char) -> bool {
        c.is_ascii_digit() || c == '#' || c == '*'
    }

    fn is_pictograph(c: char) -> bool {
        !c.is_ascii() && !matches!(c.emoji_status(), EmojiStatus::NonEmoji)
    }

    fn joins_emoji(c: char) -> bool {
        is_pictograph(c) || c == EMOJI_PRESENTATION
    }

    fn is_invisible(c: char) -> bool {
        let by_category = matches!(
            c.general_category(),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::Surrogate
                | GeneralCategory::PrivateUse
                | GeneralCategory::Unassigned
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
        );
        // Default_Ignorable_Code_Point of other categories (fillers, joiners, variation selectors), and the blank
        // Braille pattern, which no reader can tell from a space.
        let ignorable = matches!(c, '\u{034F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
            | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FFA0}' | '\u{E0100}'..='\u{E01EF}');
        by_category || ignorable
    }

    impl UserName {
        /// # Errors
        /// Says what keeps `typed` from being a name.
        pub fn parse(typed: &str) -> Result<Self, NameProblem> {
            normalise(typed, USER_NAME_MAX).map(Self)
        }

        pub fn key(&self) -> NameKey {
            let compatible = DecomposingNormalizerBorrowed::new_nfkd().normalize(&self.0).into_owned();
            // Folded on both sides of the skeleton, which maps some capitals to lower-case look-alikes.
            let seen = |c: &char| !c.is_whitespace() && *c != ZWJ && *c != EMOJI_PRESENTATION;
            let folded: String = fold(&compatible).chars().filter(seen).collect();
            NameKey(fold(&skeleton(&folded).collect::<String>()))
        }
    }

    impl RoomName {
        /// # Errors
        /// Says what keeps `typed` from being a room's name.
        pub fn parse(typed: &str) -> Result<Self, NameProblem> {
            let name = Self(normalise(typed, ROOM_NAME_MAX)?);
            // Folding can lengthen a name (ß becomes ss); the key has to be a name too.
            if name.key().as_str().chars().count() > ROOM_NAME_MAX {
                return Err(NameProblem::TooLong);
            }
            Ok(name)
        }

        pub fn key(&self) -> RoomKey {
            RoomKey(fold(&self.0))
        }
    }

    impl RoomKey {
        /// The key as it came over the wire, checked to be one that [`RoomName::key`] could have made.
        ///
        /// # Errors
        /// Says what keeps `text` from being a room's name.
        pub fn parse(text: &str) -> Result<Self, NameProblem> {
            RoomName::parse(text).map(|name| name.key())
        }
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_any_script_and_emoji_are_accepted() {
        for name in
            ["지우", "하은 씨", "さくら", "東京", "مريم", "Ελένη", "नमस्ते", "Ann-Marie", "👩‍💻", "❤️", "🇰🇷", "a.b", "3️⃣"]
        {
            assert_eq!(UserName::parse(name).as_ref().map(UserName::as_str), Ok(name));
            assert!(RoomName::parse(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_seen_or_addressed_is_refused() {
        use NameProblem::{Dots, Empty, Invisible, Marks, Slash, TooLong};
        for (typed, problem) in [
            ("", Empty),
            ("   ", Empty),
            (".", Dots),
            ("..", Dots),
            ("a/b", Slash),
            ("a\\b", Slash),
            ("a\u{0}b", Invisible),
            ("a\tb", Invisible),
            ("a\u{202E}b", Invisible),
            ("a\u{2066}b", Invisible),
            ("a\u{200B}b", Invisible),
            ("a\u{200D}b", Invisible),
            ("1\u{200D}2", Invisible),
            ("\u{FEFF}a", Invisible),
            ("\u{3164}", Invisible),
            ("\u{301}a", Marks),
            ("a\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}", Marks),
        ] {
            assert_eq!(RoomName::parse(typed), Err(problem), "{typed:?}");
        }
        assert_eq!(UserName::parse(&"가".repeat(USER_NAME_MAX + 1)), Err(TooLong));
        assert!(RoomName::parse(&"가".repeat(ROOM_NAME_MAX)).is_ok());
        assert_eq!(RoomName::parse(&"가".repeat(ROOM_NAME_MAX + 1)), Err(TooLong));
    }

    #[test]
    fn one_room_has_one_key_and_one_path() {
        let key = |name: &str| RoomName::parse(name).unwrap().key();
        assert_eq!(key("  Design   REVIEW "), key("design review"));
        assert_eq!(key("Straße"), key("STRASSE"));
        assert_eq!(key("각"), key("\u{1100}\u{1161}\u{11A8}"));
        assert_eq!(key("A").path(), "/r/a");
        assert_eq!(key("100%").path(), "/r/100%25");
        assert_eq!(key("디자인 리뷰").path(), "/r/%EB%94%94%EC%9E%90%EC%9D%B8%20%EB%A6%AC%EB%B7%B0");
    }

    #[test]
    fn look_alikes_share_a_name_key() {
        let key = |name: &str| UserName::parse(name).unwrap().key();
        assert_eq!(key("Paul"), key("P\u{430}ul"));
        assert_eq!(key("PAUL"), key("paul"));
        assert_eq!(key("Ｐａｕｌ"), key("paul"));
        assert_eq!(key("ji woo"), key("jiwoo"));
        assert_ne!(key("지우"), key("지유"));
        assert_ne!(key("Jiwoo"), key("Jiwoo 2"));
    }

    proptest! {
        #[test]
        fn a_key_is_its_own_key(typed in "\\PC{0,20}") {
            if let Ok(name) = RoomName::parse(&typed) {
                let key = name.key();
                prop_assert_eq!(RoomKey::parse(key.as_str()), Ok(key));
            }
        }

        #[test]
        fn parsing_a_parsed_name_changes_nothing(typed in "\\PC{0,20}") {
            if let Ok(name) = UserName::parse(&typed) {
                prop_assert_eq!(UserName::parse(name.as_str()), Ok(name.clone()));
            }
        }
    }
}

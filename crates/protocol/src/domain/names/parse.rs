//! What is typed, made into a name.

use super::{NameKey, NameProblem, ROOM_NAME_MAX, RoomKey, RoomName, USER_NAME_MAX, UserName, characters, scripts};
use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizerBorrowed;

pub(super) fn fold(name: &str) -> String {
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
    characters::check(&name)?;
    Ok(name)
}

impl UserName {
    /// # Errors
    /// Says what keeps `typed` from being a name.
    pub fn parse(typed: &str) -> Result<Self, NameProblem> {
        normalise(typed, USER_NAME_MAX).map(Self)
    }

    /// What nobody else's name may have in common with it. Spaces are not seen where names stand between others.
    pub fn key(&self) -> NameKey {
        NameKey::of(&self.0, |c| !c.is_whitespace())
    }

    /// Whether one of its words mixes scripts that are not written together. Such a name is held by nobody anew.
    pub fn mixes_scripts(&self) -> bool {
        scripts::mixes(&self.0)
    }

    /// A name that readers may take for this one and that mixes no scripts, if there is one.
    pub fn unmixed(&self) -> Option<Self> {
        let name = if self.mixes_scripts() { Self::parse(&scripts::in_latin(&self.0)).ok()? } else { self.clone() };
        (!name.mixes_scripts()).then_some(name)
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

    /// What no other room's name may have in common with it.
    pub fn looks(&self) -> NameKey {
        NameKey::of(&self.0, |_| true)
    }

    /// Whether one of its words mixes scripts that are not written together. No room is made under such a name.
    pub fn mixes_scripts(&self) -> bool {
        scripts::mixes(&self.0)
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

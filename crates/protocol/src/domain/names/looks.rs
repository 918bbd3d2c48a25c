//! What a name looks like.

use super::parse::fold;
use icu_normalizer::DecomposingNormalizerBorrowed;
use unicode_security::confusable_detection::skeleton;

/// What two names must differ in to be told apart: composition, compatibility forms, look-alike letters and what cannot be seen are
/// folded away (UTS #39, section 4, skeleton), and so is case. Two of them, since many letters have their twin in one case only
/// ("Pаul" with a Cyrillic а; "Мegan" with a Cyrillic М; "lan", which in capitals is no "IAN"): names clash if they have either of them in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NameKey {
    folded: String,
    drawn: String,
}

impl NameKey {
    /// Of `name`, but for the characters that are not `seen`.
    pub(super) fn of(name: &str, seen: fn(char) -> bool) -> Self {
        let compatible = |text: &str| DecomposingNormalizerBorrowed::new_nfkd().normalize(text).into_owned();
        let skeleton = |text: &str| skeleton(text).collect::<String>();
        let visible = |text: &str| text.chars().filter(|c| seen(*c)).collect::<String>();
        // Folded on both sides of the skeleton, which maps some capitals to lower-case look-alikes.
        let folded = fold(&skeleton(&visible(&fold(&compatible(name)))));
        // Made from the name's own skeleton and nothing else, so that names with one skeleton have one key. It is taken again
        // after the compatibility forms, which it knows only in part.
        let drawn = fold(&skeleton(&compatible(&visible(&skeleton(name)))));
        Self { folded: visible(&folded), drawn: visible(&drawn) }
    }

    /// The skeleton of the name without its case.
    pub fn folded(&self) -> &str {
        &self.folded
    }

    /// The skeleton of the name as it is drawn, without the skeleton's case.
    pub fn drawn(&self) -> &str {
        &self.drawn
    }

    /// Whether readers may take one name for the other.
    pub fn clashes(&self, other: &Self) -> bool {
        self.folded == other.folded || self.drawn == other.drawn
    }
}

//! Which letters may stand in one word.

use unicode_security::{confusable_detection::skeleton, mixed_script::AugmentedScriptSet};

/// Whether a word of `name` mixes scripts that are not written together: more than UTS #39's "highly restrictive" level allows, which
/// is one script, or Latin with what Chinese, Japanese or Korean is written in. By word and not by name, as "IT-отдел" is good
/// Russian and deceives nobody.
pub(super) fn mixes(name: &str) -> bool {
    name.split(|c: char| !is_of_a_word(c)).any(|word| {
        let latin = AugmentedScriptSet::for_char('a');
        let intersect = |mut set: AugmentedScriptSet, other| {
            set.intersect_with(other);
            set
        };
        let scripts = word.chars().map(AugmentedScriptSet::for_char);
        let of_all = scripts.clone().fold(AugmentedScriptSet::default(), intersect);
        let beside_latin = scripts.filter(|set| intersect(*set, latin).base.is_empty());
        let beside_latin = beside_latin.fold(AugmentedScriptSet::default(), intersect);
        of_all.is_empty() && !(beside_latin.kore || beside_latin.hanb || beside_latin.jpan)
    })
}

/// Letters, digits, their marks and joiners.
fn is_of_a_word(c: char) -> bool {
    c.is_alphanumeric() || super::characters::is_mark(c) || super::characters::is_joiner(c)
}

/// `name` with plain Latin letters in place of those of other scripts that look like them.
pub(super) fn in_latin(name: &str) -> String {
    let latin = |c: char| {
        let looks: String = skeleton(c.encode_utf8(&mut [0; 4])).collect();
        looks.parse().ok().filter(char::is_ascii_alphabetic)
    };
    name.chars().map(|c| if c.is_ascii() { c } else { latin(c).unwrap_or(c) }).collect()
}

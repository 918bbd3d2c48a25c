//! Which letter a key stands for, where shortcuts are concerned.

/// Whether this key is that letter's, by its `key` and `code`. On a Latin layout the letter decides, wherever Dvorak or Colemak has
/// put it; on another one, or in an input method, the place does, where a Latin keyboard has the letter.
pub fn is_letter(letter: char, key: &str, code: &str) -> bool {
    let mut chars = key.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) if is_latin(c) => c.eq_ignore_ascii_case(&letter),
        _ => code.strip_prefix("Key").is_some_and(|place| place.chars().eq([letter.to_ascii_uppercase()])),
    }
}

fn is_latin(c: char) -> bool {
    c.is_ascii_alphabetic() || ('\u{C0}'..='\u{24F}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::is_letter;

    #[test]
    fn the_letter_counts_on_a_latin_layout_and_the_place_on_any_other() {
        for (key, code, is_k, layout) in [
            ("k", "KeyK", true, "QWERTY"),
            ("K", "KeyK", true, "QWERTY with the caps lock"),
            ("k", "KeyV", true, "Dvorak"),
            ("t", "KeyK", false, "Dvorak"),
            ("e", "KeyK", false, "Colemak"),
            ("k", "KeyN", true, "Colemak"),
            ("ㅏ", "KeyK", true, "Korean"),
            ("ㅏ", "KeyL", false, "Korean"),
            ("л", "KeyK", true, "Russian"),
            ("Process", "KeyK", true, "an input method"),
            ("Unidentified", "KeyK", true, "an input method on a phone"),
            ("ę", "KeyK", false, "a Latin one of some country"),
            ("Enter", "Enter", false, "any"),
            ("", "", false, "none"),
        ] {
            assert_eq!(is_letter('k', key, code), is_k, "{key} at {code} ({layout})");
        }
    }
}

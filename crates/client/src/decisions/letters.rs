//! Which names a few typed letters mean, while a Korean word is still being written as well.
//!
//! A name is compared key by key, as it is typed: a syllable that is not finished yet (`다` and `달` of `닭`), and one whose end
//! will be the beginning of the next (`딪` of `디자`), stand at the beginning of the name. A consonant alone stands for every
//! syllable that it begins.

/// A key, and whether it begins a syllable. Outside of Korean each letter is one.
type Key = (char, bool);

/// What was typed to find names.
pub struct Wanted {
    keys: Vec<Key>,
    decompose: Decompose,
}

/// Unicode's normalization form D: syllables as the letters they are made of, marks apart from what bears them.
pub type Decompose = fn(&str) -> String;

impl Wanted {
    pub fn new(typed: &str, decompose: Decompose) -> Self {
        Self { keys: keys(typed.trim(), decompose), decompose }
    }

    /// Whether nothing was typed, which stands in every name.
    pub fn is_anything(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether it stands somewhere in the name; nothing stands in every one.
    pub fn fits(&self, name: &str) -> bool {
        let name = keys(name, self.decompose);
        (0..=name.len()).any(|at| name.get(at).is_none_or(|key| key.1) && self.begins(&name[at..]))
    }

    fn begins(&self, name: &[Key]) -> bool {
        let mut at = 0;
        self.keys.iter().all(|(key, _)| {
            let same = |at: usize| name.get(at).is_some_and(|(other, _)| other == key);
            // Only the consonant of this syllable was typed.
            if !same(at) && at > 0 && name[at - 1].1 {
                at += name[at..].iter().take_while(|(_, begins)| !begins).count();
            }
            at += 1;
            same(at - 1)
        })
    }
}

/// Korean consonants in the order of Unicode's compatibility jamo, from `ㄱ`.
const CONSONANTS: [char; 30] = [
    'ㄱ', 'ㄲ', 'ㄳ', 'ㄴ', 'ㄵ', 'ㄶ', 'ㄷ', 'ㄸ', 'ㄹ', 'ㄺ', 'ㄻ', 'ㄼ', 'ㄽ', 'ㄾ', 'ㄿ', 'ㅀ', 'ㅁ', 'ㅂ', 'ㅃ',
    'ㅄ', 'ㅅ', 'ㅆ', 'ㅇ', 'ㅈ', 'ㅉ', 'ㅊ', 'ㅋ', 'ㅌ', 'ㅍ', 'ㅎ',
];
/// Those with which a syllable begins, and those with which it ends, each as a set of bits over [`CONSONANTS`].
const FIRST: u32 = 0b11_1111_1111_0111_0000_0001_1100_1011;
const LAST: u32 = 0b11_1110_1111_1011_1111_1111_0111_1111;

fn keys(text: &str, decompose: Decompose) -> Vec<Key> {
    let mut keys = Vec::new();
    for c in decompose(text).chars().flat_map(char::to_lowercase) {
        let nth = |from: char| u32::from(c) - u32::from(from);
        let (key, begins) = match c {
            // An accent is nothing that has to be typed.
            '\u{300}'..='\u{36F}' => continue,
            '\u{1100}'..='\u{1112}' => (consonant(FIRST, nth('\u{1100}')), true),
            '\u{1161}'..='\u{1175}' => (char::from_u32(u32::from('ㅏ') + nth('\u{1161}')).unwrap_or(c), false),
            '\u{11A8}'..='\u{11C2}' => (consonant(LAST, nth('\u{11A8}')), false),
            c => (c, true),
        };
        // What two keys write.
        let two = match key {
            'ㄳ' => ['ㄱ', 'ㅅ'],
            'ㄵ' => ['ㄴ', 'ㅈ'],
            'ㄶ' => ['ㄴ', 'ㅎ'],
            'ㄺ' => ['ㄹ', 'ㄱ'],
            'ㄻ' => ['ㄹ', 'ㅁ'],
            'ㄼ' => ['ㄹ', 'ㅂ'],
            'ㄽ' => ['ㄹ', 'ㅅ'],
            'ㄾ' => ['ㄹ', 'ㅌ'],
            'ㄿ' => ['ㄹ', 'ㅍ'],
            'ㅀ' => ['ㄹ', 'ㅎ'],
            'ㅄ' => ['ㅂ', 'ㅅ'],
            'ㅘ' => ['ㅗ', 'ㅏ'],
            'ㅙ' => ['ㅗ', 'ㅐ'],
            'ㅚ' => ['ㅗ', 'ㅣ'],
            'ㅝ' => ['ㅜ', 'ㅓ'],
            'ㅞ' => ['ㅜ', 'ㅔ'],
            'ㅟ' => ['ㅜ', 'ㅣ'],
            'ㅢ' => ['ㅡ', 'ㅣ'],
            one => {
                keys.push((one, begins));
                continue;
            }
        };
        keys.push((two[0], begins));
        keys.push((two[1], begins && c == key));
    }
    keys
}

/// The `nth` of some of the consonants.
fn consonant(some: u32, nth: u32) -> char {
    let mut those = CONSONANTS.iter().enumerate().filter(|(i, _)| (some >> i) & 1 == 1);
    those.nth(nth as usize).map_or(' ', |(_, c)| *c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::decomposed;

    fn fits(typed: &str, name: &str) -> bool {
        Wanted::new(typed, decomposed).fits(name)
    }

    #[test]
    fn letters_are_found_anywhere_in_either_case() {
        for typed in ["", " ", "RAN", "dom", "random", "m 2", " random "] {
            assert!(fits(typed, "Random 2"), "{typed}");
        }
        for typed in ["x", "randomly", "rm", "2 random"] {
            assert!(!fits(typed, "Random 2"), "{typed}");
        }
        assert!(fits("cafe b", "Café Bar") && fits("café", "cafe\u{301}"));
    }

    #[test]
    fn a_korean_word_is_found_at_every_key() {
        for (name, steps) in [
            ("디자인 리뷰", "ㄷ 디 딪 디자 디장 디자이 디자인"),
            ("점심", "ㅈ 저 점 점ㅅ 점시 점심"),
            ("닭갈비", "ㄷ 다 달 닭 닭ㄱ 닭가 닭갈 닭갈ㅂ 닭갈비"),
            ("과일 가게", "ㄱ 고 과 광 과이 과일"),
            ("값 회의", "ㄱ 가 갑 값"),
            ("아이스크림", "ㅇ 아 앙 아이 아잇 아이스 아이슼 아이스크 아이스클 아이스크리 아이스크림"),
        ] {
            for typed in steps.split(' ') {
                assert!(fits(typed, name), "{typed} in {name}");
            }
        }
    }

    #[test]
    fn consonants_stand_for_the_syllables_they_begin() {
        for typed in ["ㄷㅈㅇ", "디자ㅇ", "ㄷ자인", "ㄹㅂ", "ㄷㅈㅇ ㄹㅂ", "ㅈㅇ"] {
            assert!(fits(typed, "디자인 리뷰"), "{typed}");
        }
        assert!(fits("ㄱㅅ", "가수") && fits("ㄳ", "가수"), "as some keyboards write them");
        assert!(fits("ㅋㅋ", "ㅋㅋㅋ 방") && fits("ㅃㅉ", "빵찜"));
    }

    #[test]
    fn what_is_another_word_is_not_found() {
        for typed in ["ㄴ", "딪다", "디지", "인디", "이", "디쟈", "ㅣ", "리뷰디"] {
            assert!(!fits(typed, "디자리뷰"), "{typed}");
        }
        assert!(!fits("갈", "닭발") && !fits("ㄱ", "박"), "the end of a syllable is not where a word begins");
    }

    #[test]
    fn composition_makes_no_difference() {
        let apart = "\u{1103}\u{1175}\u{110C}\u{1161}\u{110B}\u{1175}\u{11AB}";
        assert!(fits(apart, "디자인 리뷰") && fits("디자인", apart));
        assert_eq!(keys(apart, decomposed), keys("디자인", decomposed));
    }

    #[test]
    fn every_syllable_is_made_of_its_keys() {
        let written = |syllable: char| {
            keys(&syllable.to_string(), decomposed).into_iter().map(|(key, _)| key).collect::<String>()
        };
        for (syllable, typed) in [
            ('가', "ㄱㅏ"),
            ('힣', "ㅎㅣㅎ"),
            ('깎', "ㄲㅏㄲ"),
            ('뷁', "ㅂㅜㅔㄹㄱ"),
            ('쨌', "ㅉㅐㅆ"),
            ('의', "ㅇㅡㅣ"),
        ] {
            assert_eq!(written(syllable), typed);
        }
        for syllable in '가'..='힣' {
            assert!(written(syllable).chars().all(|key| ('ㄱ'..='ㅣ').contains(&key)), "{syllable}");
        }
    }
}

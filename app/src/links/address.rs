//! How far an address reaches, and what around it belongs to the sentence.

use super::particles::{PARTICLE_MAX, PARTICLES};
use crate::{domain::shows_nothing, steps};

/// What follows a `://` and may be an address.
pub struct Candidate {
    /// Bytes that were looked at: up to what ends an address, or to where it is clear that this is none.
    pub length: usize,
    /// Whether it has a host, and one that is what a reader takes it for: with an `@` in it, it is not.
    pub is_plausible: bool,
    /// Where the host ends.
    host: usize,
    /// How many brackets, round and square, are opened and not closed.
    open: [isize; 2],
}

impl Candidate {
    pub fn read(rest: &str) -> Self {
        let is_plausible = rest.starts_with(|c: char| c.is_alphanumeric() || c == '[');
        let mut found = Self { length: 0, is_plausible, host: usize::MAX, open: [0, 0] };
        for c in rest.chars().take_while(|_| is_plausible) {
            steps::take(1);
            match c {
                '@' if found.host > found.length => {
                    found.is_plausible = false;
                    break;
                }
                '/' | '?' | '#' => found.host = found.host.min(found.length),
                '(' => found.open[0] += 1,
                ')' => found.open[0] -= 1,
                '[' => found.open[1] += 1,
                ']' => found.open[1] -= 1,
                _ if ends_address(c) => break,
                _ => {}
            }
            found.length += c.len_utf8();
        }
        found
    }

    /// How much of `rest` is the address: without punctuation and Korean particles that belong to the sentence around it.
    pub fn trim(&self, rest: &str, mut marks: Brackets) -> usize {
        let [mut round, mut square] = self.open;
        let close = |open: &mut isize| {
            let unmatched = *open < 0;
            *open += isize::from(unmatched);
            unmatched
        };
        let mut address = &rest[..self.length];
        while let Some(last) = address.chars().next_back() {
            steps::take(1);
            let is_around = match last {
                '.' | ',' | ';' | ':' | '!' | '?' | '\'' | '·' => true,
                ')' => close(&mut round),
                ']' => close(&mut square),
                '(' => {
                    round -= 1;
                    true
                }
                '[' => {
                    square -= 1;
                    true
                }
                _ => marks.close(last),
            };
            address = if is_around {
                &address[..address.len() - last.len_utf8()]
            } else {
                match self.without_particle(address, &marks) {
                    Some(stem) => stem,
                    None => break,
                }
            };
        }
        address.len()
    }

    fn without_particle<'a>(&self, address: &'a str, marks: &Brackets) -> Option<&'a str> {
        let syllables = address.chars().rev().take(PARTICLE_MAX + 1).take_while(|c| ('가'..='힣').contains(c));
        let (stem, tail) = address.split_at(address.len() - syllables.map(char::len_utf8).sum::<usize>());
        // After `/`, `=` or another letter of the address a syllable may well be its own: …/wiki/이.
        let is_root = stem.ends_with('/') && stem.len() == self.host + 1;
        let ends = |c: char| c.is_ascii_alphanumeric() || matches!(c, ')' | ']') || marks.are_open(c);
        ((is_root || stem.ends_with(ends)) && PARTICLES.contains(&tail)).then_some(stem)
    }
}

/// How many marks of emphasis stand right before an address: as many at its end close them. Any other is its own.
#[derive(Default)]
pub struct Brackets([usize; 3]);

impl Brackets {
    pub fn before(text: &str) -> Self {
        let mut marks = Self::default();
        for c in text.chars().rev() {
            steps::take(1);
            let Some(i) = Self::index(c) else { break };
            marks.0[i] += 1;
        }
        marks
    }

    fn index(c: char) -> Option<usize> {
        "*_~".find(c)
    }

    fn are_open(&self, c: char) -> bool {
        Self::index(c).is_some_and(|i| self.0[i] > 0)
    }

    fn close(&mut self, c: char) -> bool {
        let are_open = self.are_open(c);
        if let Some(i) = Self::index(c).filter(|_| are_open) {
            self.0[i] -= 1;
        }
        are_open
    }
}

fn ends_address(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_whitespace()
            || c.is_ascii_control()
            || matches!(c, '<' | '>' | '"' | '`' | '\\' | '^' | '{' | '|' | '}');
    }
    c.is_whitespace()
        || c.is_control()
        // Quotation marks and the punctuation of East Asia.
        || matches!(c, '“' | '”' | '‘' | '’' | '…' | '\u{3000}'..='\u{3004}' | '\u{3008}'..='\u{3020}')
        || matches!(c, '！' | '（' | '）' | '，' | '：' | '；' | '？' | '［' | '］' | '｛' | '｝')
        // What cannot be seen or turns the reading direction, but for what chooses the picture of an emoji.
        || (shows_nothing(c) && !matches!(c, '\u{FE0E}' | '\u{FE0F}'))
}

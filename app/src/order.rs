//! The order in which people look for a name in a list.

use std::cmp::Ordering;

/// Digits count as the number they write, so that `Guest2` comes before `Guest10`, and capitals as small letters. Names that are
/// equal by that are told apart by their letters.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (Parts(a), Parts(b));
    loop {
        let order = match (left.next(), right.next()) {
            (Some(a), Some(b)) => a.cmp(&b),
            (None, None) => return a.cmp(b),
            (a, b) => return a.is_some().cmp(&b.is_some()),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// What is left of a name.
struct Parts<'a>(&'a str);

/// Numbers come before letters.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Bit<'a> {
    /// How many digits there are without zeros in front, and those: more digits are more.
    Number(usize, &'a str),
    Letter(char),
}

impl<'a> Iterator for Parts<'a> {
    type Item = Bit<'a>;

    fn next(&mut self) -> Option<Bit<'a>> {
        let first = self.0.chars().next()?;
        if first.is_ascii_digit() {
            let end = self.0.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.0.len());
            let (digits, rest) = self.0.split_at(end);
            self.0 = rest;
            let digits = digits.trim_start_matches('0');
            return Some(Bit::Number(digits.len(), digits));
        }
        self.0 = &self.0[first.len_utf8()..];
        // Where a capital has several small letters the first of them decides.
        first.to_lowercase().next().map(Bit::Letter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_ordered_as_numbers_and_capitals_as_small_letters() {
        let mut names =
            ["Guest10", "guest3", "Guest2", "b", "A", "Guest", "Guest2b", "가", "Guest002", "나", "10", "9", "a"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(
            names,
            ["9", "10", "A", "a", "b", "Guest", "Guest002", "Guest2", "Guest2b", "guest3", "Guest10", "가", "나"]
        );
    }

    proptest! {
        #[test]
        fn it_is_an_order(a in "[aA0-2]{0,5}", b in "[aA0-2]{0,5}", c in "[aA0-2]{0,5}") {
            prop_assert_eq!(natural(&a, &b), natural(&b, &a).reverse());
            prop_assert_eq!(natural(&a, &b) == Ordering::Equal, a == b);
            if natural(&a, &b).is_le() && natural(&b, &c).is_le() {
                prop_assert!(natural(&a, &c).is_le());
            }
        }
    }
}

//! Who is typing in a room, and how often to say that one is oneself.

use protocol::{
    domain::UserId,
    frames::{PEOPLE_MAX, Person, TYPING_EVERY_MS, TYPING_SHOWN_MS},
};

#[derive(Debug, Default)]
pub struct Typing {
    /// With the moment from which they are not any more.
    others: Vec<(Person, u64)>,
    /// Who wrote a message lately, with the moment until which it may still be told that they were typing it.
    wrote: Vec<(UserId, u64)>,
    /// When it was last said that this person is.
    said: Option<u64>,
}

impl Typing {
    /// Others were typing just now.
    pub fn heard(&mut self, people: Vec<Person>, now: u64) {
        self.wrote.retain(|(_, until)| now < *until);
        for person in people {
            if self.wrote.iter().any(|(who, _)| *who == person.id) {
                continue;
            }
            let until = now + TYPING_SHOWN_MS;
            // Two who keep typing do not change places with each letter.
            match self.others.iter_mut().find(|(other, _)| other.id == person.id) {
                Some((_, shown)) => *shown = until,
                None => self.others.push((person, until)),
            }
        }
        let surplus = self.others.len().saturating_sub(PEOPLE_MAX);
        self.others.drain(..surplus);
    }

    /// They wrote what they were typing. That they did may still be on its way: servers tell it in batches.
    pub fn wrote(&mut self, who: UserId, now: u64) {
        self.stopped(who);
        self.wrote.retain(|(other, until)| *other != who && now < *until);
        self.wrote.push((who, now + TYPING_EVERY_MS));
    }

    /// They left.
    pub fn stopped(&mut self, who: UserId) {
        self.others.retain(|(person, _)| person.id != who);
    }

    /// In the order in which they began.
    pub fn people(&self) -> Vec<Person> {
        self.others.iter().map(|(person, _)| person.clone()).collect()
    }

    /// Whether it is time to say that this person is typing; from then on it was said.
    pub fn say(&mut self, now: u64) -> bool {
        let due = self.said.is_none_or(|said| now >= said + TYPING_EVERY_MS);
        if due {
            self.said = Some(now);
        }
        due
    }

    pub fn tick(&mut self, now: u64) {
        self.others.retain(|(_, until)| now < *until);
    }

    pub fn next_wake(&self) -> Option<u64> {
        self.others.iter().map(|(_, until)| *until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{haeun, person};

    fn ids(typing: &Typing) -> Vec<u64> {
        typing.people().iter().map(|person| person.id.0).collect()
    }

    #[test]
    fn whoever_typed_is_shown_for_five_seconds_after_the_last_letter() {
        let mut typing = Typing::default();
        typing.heard(vec![haeun(), person(3, "c")], 0);
        typing.heard(vec![haeun()], 4_000);
        assert_eq!(ids(&typing), [2, 3], "nobody changes places");
        assert_eq!(typing.next_wake(), Some(5_000));
        typing.tick(5_000);
        assert_eq!(ids(&typing), [2]);
        typing.stopped(haeun().id);
        assert_eq!((ids(&typing), typing.next_wake()), (vec![], None));
    }

    #[test]
    fn whoever_wrote_is_not_shown_for_what_they_typed_before() {
        let mut typing = Typing::default();
        typing.heard(vec![haeun()], 0);
        typing.wrote(haeun().id, 100);
        typing.heard(vec![haeun(), person(3, "c")], 600);
        assert_eq!(ids(&typing), [3], "told late");
        typing.heard(vec![haeun()], 1_100);
        assert_eq!(ids(&typing), [3, 2], "typing the next one");
    }

    #[test]
    fn a_crowd_is_bounded() {
        let mut typing = Typing::default();
        for id in 0..200 {
            typing.heard(vec![person(id, "x")], id);
        }
        assert_eq!(ids(&typing), (150..200).collect::<Vec<_>>());
    }

    #[test]
    fn it_is_said_once_a_second_however_fast_one_types() {
        let mut typing = Typing::default();
        let said: Vec<u64> = (0..2_500).step_by(50).filter(|now| typing.say(*now)).collect();
        assert_eq!(said, [0, 1_000, 2_000]);
    }
}

//! Who is in a room: what this instance adds to it, and what it shows of all instances.

use app::{
    domain::RoomKey,
    protocol::{PEOPLE_MAX, Person, ServerFrame},
};
use std::{collections::HashSet, time::Duration};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// How long someone whose last socket went away without a word still counts as here: a reload or a change of network is
/// no departure. Well within the 45 s in which presence has to be true again.
pub const GRACE: Duration = Duration::from_secs(8);

/// A person's sockets in a room on this instance.
#[derive(Debug)]
pub struct LocalPerson {
    pub person: Person,
    pub sockets: usize,
    /// When the last socket went, if none is left.
    pub gone: Option<Instant>,
}

/// Everyone in a room, over all instances, and the frame that says so.
#[derive(Debug)]
pub struct View {
    pub people: Vec<Person>,
    pub frame: Utf8Bytes,
}

impl Default for View {
    fn default() -> Self {
        Self { people: Vec::new(), frame: Utf8Bytes::from_static("") }
    }
}

impl View {
    /// The view after `now`, or `None` if nothing changed. Without `announce` nobody is said to have come or gone.
    pub fn next(&self, room: &RoomKey, people: Vec<Person>, announce: bool) -> Option<Self> {
        if people == self.people && !self.frame.is_empty() {
            return None;
        }
        let (entered, left) = if announce {
            (missing(&people, &self.people), missing(&self.people, &people))
        } else {
            Default::default()
        };
        let frame: ServerFrame = ServerFrame::Presence {
            room: room.clone(),
            count: people.len(),
            people: first(&people),
            entered: first(&entered),
            left: first(&left),
        };
        let frame = serde_json::to_string(&frame).unwrap_or_default().into();
        Some(Self { people, frame })
    }
}

/// As many people as a frame lists.
pub fn first(people: &[Person]) -> Vec<Person> {
    people.iter().take(PEOPLE_MAX).cloned().collect()
}

/// Those of `these` who are not in `those`.
fn missing(these: &[Person], those: &[Person]) -> Vec<Person> {
    let those: HashSet<_> = those.iter().map(|person| person.id).collect();
    these.iter().filter(|person| !those.contains(&person.id)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::domain::{RoomName, UserId, UserName};

    fn person(id: u64) -> Person {
        Person { id: UserId(id), name: UserName::parse(&format!("p{id}")).unwrap() }
    }

    fn frame(view: &View) -> ServerFrame {
        serde_json::from_str(view.frame.as_str()).unwrap()
    }

    #[test]
    fn a_view_says_who_came_and_who_went() {
        let room = RoomName::parse("a").unwrap().key();
        let first = View::default().next(&room, vec![person(1), person(2)], false).unwrap();
        let ServerFrame::Presence { count: 2, entered, left, .. } = frame(&first) else { panic!() };
        assert_eq!((entered.len(), left.len()), (0, 0));
        let second = first.next(&room, vec![person(2), person(3)], true).unwrap();
        let ServerFrame::Presence { entered, left, .. } = frame(&second) else { panic!() };
        assert_eq!((entered, left), (vec![person(3)], vec![person(1)]));
        assert!(second.next(&room, vec![person(2), person(3)], true).is_none());
    }

    #[test]
    fn a_crowd_is_counted_but_not_listed() {
        let room = RoomName::parse("a").unwrap().key();
        let crowd = View::default().next(&room, (1..=1_000).map(person).collect(), true).unwrap();
        let ServerFrame::Presence { count, people, entered, .. } = frame(&crowd) else { panic!() };
        assert_eq!((count, people.len(), entered.len()), (1_000, PEOPLE_MAX, PEOPLE_MAX));
    }
}

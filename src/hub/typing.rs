//! Who is typing in a room: said at once when it is news, then at most twice a second. Nothing runs while nobody types.

use super::{Hub, room::Room};
use app::{
    domain::{RoomKey, UserId},
    protocol::{PEOPLE_MAX, Person, ServerFrame},
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Between two frames of one room.
const PACE: Duration = Duration::from_millis(500);
/// What a socket did not take within this time is not worth writing any more: by then it would not be so.
const FRESH: Duration = Duration::from_secs(1);

/// A room's typists on this instance, of all instances.
#[derive(Debug, Default)]
pub struct RoomTyping {
    /// Since the last frame.
    people: Vec<Person>,
    /// Somebody will look at them in time.
    awaited: bool,
    pub last: Option<Arc<Typists>>,
}

/// One frame's worth of people.
#[derive(Debug)]
pub struct Typists {
    since: Instant,
    people: Vec<Person>,
    frame: Utf8Bytes,
}

impl RoomTyping {
    /// Takes note of somebody; says how long to wait before [`say`](Self::say) is called, if nobody waits already.
    pub fn add(&mut self, person: Person) -> Option<Duration> {
        if self.people.len() < PEOPLE_MAX && self.people.iter().all(|other| other.id != person.id) {
            self.people.push(person);
        }
        let passed = self.last.as_ref().map_or(PACE, |last| last.since.elapsed());
        (!std::mem::replace(&mut self.awaited, true)).then(|| PACE.saturating_sub(passed))
    }

    pub fn say(&mut self, room: &RoomKey) {
        self.awaited = false;
        let people = std::mem::take(&mut self.people);
        let frame = frame(room, people.clone());
        self.last = Some(Arc::new(Typists { since: Instant::now(), people, frame }));
    }
}

impl Typists {
    /// The frame for a socket of `me`, who need not be told of themselves.
    pub fn frame_for(&self, me: UserId, room: &RoomKey) -> Option<Utf8Bytes> {
        if self.since.elapsed() > FRESH {
            return None;
        }
        if self.people.iter().all(|person| person.id != me) {
            return Some(self.frame.clone());
        }
        let others: Vec<_> = self.people.iter().filter(|person| person.id != me).cloned().collect();
        (!others.is_empty()).then(|| frame(room, others))
    }
}

fn frame(room: &RoomKey, people: Vec<Person>) -> Utf8Bytes {
    let frame: ServerFrame = ServerFrame::Typing { room: room.clone(), people };
    serde_json::to_string(&frame).unwrap_or_default().into()
}

impl Hub {
    /// Somebody types in a room, here or elsewhere.
    pub(super) fn typing(&self, room: &Arc<Room>, person: Person) {
        match room.typing(person) {
            None => {}
            Some(Duration::ZERO) => room.say_typing(),
            Some(pause) => {
                let room = room.clone();
                let say = async move {
                    tokio::time::sleep(pause).await;
                    room.say_typing();
                };
                self.runtime.spawn(say);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::domain::{Entry, RoomName, UserName};

    fn person(id: u64) -> Person {
        Person { id: UserId(id), name: UserName::parse(&format!("p{id}")).unwrap() }
    }

    fn told(typing: &RoomTyping, me: u64, room: &RoomKey) -> Option<Vec<Person>> {
        let frame = typing.last.as_ref()?.frame_for(UserId(me), room)?;
        match serde_json::from_str(frame.as_str()).unwrap() {
            ServerFrame::<Entry>::Typing { people, .. } => Some(people),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_first_is_said_at_once_and_the_next_ones_together() {
        let (mut typing, room) = (RoomTyping::default(), RoomName::parse("a").unwrap().key());
        assert_eq!(typing.add(person(1)), Some(Duration::ZERO));
        typing.say(&room);
        assert_eq!(told(&typing, 9, &room), Some(vec![person(1)]));
        let pause = typing.add(person(2)).unwrap();
        assert!(pause > Duration::ZERO && pause <= PACE, "{pause:?}");
        assert_eq!((typing.add(person(3)), typing.add(person(2))), (None, None));
        typing.say(&room);
        assert_eq!(told(&typing, 9, &room), Some(vec![person(2), person(3)]));
    }

    #[test]
    fn nobody_is_told_of_themselves() {
        let (mut typing, room) = (RoomTyping::default(), RoomName::parse("a").unwrap().key());
        typing.add(person(1));
        typing.say(&room);
        assert_eq!(told(&typing, 1, &room), None);
        typing.add(person(1));
        typing.add(person(2));
        typing.say(&room);
        assert_eq!(told(&typing, 1, &room), Some(vec![person(2)]));
    }

    #[test]
    fn a_crowd_is_listed_in_part() {
        let (mut typing, room) = (RoomTyping::default(), RoomName::parse("a").unwrap().key());
        for id in 1..=1_000 {
            typing.add(person(id));
        }
        typing.say(&room);
        assert_eq!(told(&typing, 0, &room).unwrap().len(), PEOPLE_MAX);
    }

    #[test]
    fn what_was_not_taken_in_time_is_dropped() {
        let room = RoomName::parse("a").unwrap().key();
        let since = Instant::now().checked_sub(FRESH * 2).unwrap();
        let typists = Typists { since, people: vec![person(1)], frame: Utf8Bytes::from_static("late") };
        assert_eq!(typists.frame_for(UserId(2), &room), None);
    }
}

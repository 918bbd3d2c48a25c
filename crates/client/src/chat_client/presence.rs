//! Who is in a room, and the notes of who came and went.

use super::FollowedRoom;
use crate::rows::{Note, Row};
use protocol::frames::Person;

/// So long after an interruption whoever was here before may still be on their way back, in milliseconds: what it takes the
/// server to be sure that somebody left.
const ARRIVAL_MS: u64 = 45_000;

impl FollowedRoom {
    /// Who is here after a join. After an interruption the server may find them one by one.
    pub fn met_again(&mut self, count: usize, people: Vec<Person>, now: u64) {
        let before = std::mem::replace(&mut self.people, people).into_iter().map(|person| person.id);
        let missed = before.filter(|id| !self.people.iter().any(|person| person.id == *id));
        self.missed = missed.map(|id| (id, now + ARRIVAL_MS)).collect();
        self.count = count;
    }

    /// Whether somebody who enters was only out of sight.
    pub fn was_here(&mut self, person: &Person, now: u64) -> bool {
        self.missed.retain(|(_, until)| now <= *until);
        self.missed.extract_if(.., |(id, _)| *id == person.id).next().is_some()
    }

    /// Notes who came or went. Somebody who comes back before anything else happened never left.
    pub fn take_arrivals(&mut self, entered: bool, mut people: Vec<Person>, note_id: u64) {
        let Some(after) = self.timeline.as_ref().map(|timeline| timeline.cursor().seq) else { return };
        let here = |note: &&mut Note| note.after_seq == after;
        if let Some(Row::Arrivals { entered: was, people: known, .. }) =
            self.notes.last_mut().filter(here).map(|n| &mut n.row)
        {
            if *was == entered {
                people.retain(|person| !known.contains(person));
                known.append(&mut people);
                return;
            }
            if entered {
                let back = |person: &Person| people.contains(person);
                let (returned, gone) = std::mem::take(known).into_iter().partition::<Vec<_>, _>(back);
                *known = gone;
                if known.is_empty() {
                    self.notes.pop();
                }
                people.retain(|person| !returned.contains(person));
            }
        }
        if !people.is_empty() {
            self.note(after, Row::Arrivals { id: note_id, entered, people });
        }
    }
}

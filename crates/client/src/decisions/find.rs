//! Which rooms a few letters mean.

use crate::decisions::letters::Wanted;
use crate::state::SidebarRoom;
use protocol::domain::{RoomKey, RoomRef};

/// A room to go to, and how much of it is unread; `None` if it is none of this person's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomMatch {
    pub room: RoomRef,
    pub unread: Option<usize>,
}

/// Rooms of others that are offered at a time.
const OTHERS_MAX: usize = 50;

/// Those of `rooms` that are `wanted`: what is unread comes first, the room that is `open` last. Behind them, if something was
/// typed, those of `others`.
pub fn choices(rooms: &[SidebarRoom], others: &[RoomRef], open: &RoomKey, wanted: &Wanted) -> Vec<RoomMatch> {
    let place = |line: &SidebarRoom| if line.room.key == *open { 2 } else { u8::from(line.unread == 0) };
    let mut found = Vec::new();
    for at in 0..3 {
        let here = rooms.iter().filter(|line| place(line) == at && wanted.fits(line.room.name.as_str()));
        found.extend(here.map(|line| RoomMatch { room: line.room.clone(), unread: Some(line.unread) }));
    }
    if !wanted.is_anything() {
        let new = |room: &&RoomRef| rooms.iter().all(|line| line.room.key != room.key);
        let fits = others.iter().filter(|room| wanted.fits(room.name.as_str()) && new(room));
        found.extend(fits.take(OTHERS_MAX).map(|room| RoomMatch { room: room.clone(), unread: None }));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::decomposed;
    use protocol::domain::RoomName;

    fn room(name: &str) -> RoomRef {
        let name = RoomName::parse(name).unwrap();
        RoomRef { key: name.key(), name }
    }

    fn found(typed: &str) -> Vec<String> {
        let rooms = [("디자인 리뷰", 0), ("Random", 0), ("점심", 3), ("random 2", 1)];
        let rooms = rooms.map(|(name, unread)| SidebarRoom { room: room(name), unread, refused: 0 });
        let others = ["random", "Random 3", "저녁"].map(room);
        let found = choices(&rooms, &others, &room("디자인 리뷰").key, &Wanted::new(typed, decomposed));
        found.into_iter().map(|found| found.room.name.as_str().to_owned()).collect()
    }

    #[test]
    fn unread_rooms_come_first_and_the_open_one_last() {
        assert_eq!(found(" "), ["점심", "random 2", "Random", "디자인 리뷰"]);
    }

    #[test]
    fn rooms_of_others_come_behind_own_ones_once_something_was_typed() {
        assert_eq!(found("RAN"), ["random 2", "Random", "Random 3"]);
        assert_eq!(found("ㅈ"), ["점심", "디자인 리뷰", "저녁"]);
        assert_eq!(found("저녀"), ["저녁"]);
        assert!(found("x").is_empty());
    }
}

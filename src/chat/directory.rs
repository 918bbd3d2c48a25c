//! The directory of rooms as it was at most a second ago, so that the store is asked once for all who look at it.

use crate::{
    engine::Engine,
    store::{Listed, StoreError},
};
use app::domain::RoomRef;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

/// Rooms listed in the directory.
const ROOMS_MAX: usize = 200;
const FRESH_FOR: Duration = Duration::from_secs(1);

/// Rooms shown to strangers: with how many people at least, how long ago that may have been, and how long the door waits for it.
const LIVELY_FROM: usize = 2;
const LIVELY_FOR: Duration = Duration::from_secs(10);
const LIVELY_WITHIN: Duration = Duration::from_millis(250);

type Rooms = Result<Arc<[Listed]>, StoreError>;

#[derive(Default)]
pub struct DirectoryCache {
    /// Held while the store is asked: whoever comes meanwhile takes what it answers.
    known: Mutex<Option<Known>>,
    made: AtomicU64,
}

struct Known {
    at: Instant,
    made: u64,
    rooms: Rooms,
}

impl DirectoryCache {
    /// The rooms that were active last.
    ///
    /// # Errors
    /// The store did not answer, within the last second.
    pub async fn rooms(&self, engine: &dyn Engine) -> Rooms {
        self.rooms_of_late(engine, FRESH_FOR).await
    }

    async fn rooms_of_late(&self, engine: &dyn Engine, fresh_for: Duration) -> Rooms {
        let mut known = self.known.lock().await;
        let made = self.made.load(Ordering::Relaxed);
        if let Some(known) = known.as_ref().filter(|known| known.made == made && known.at.elapsed() < fresh_for) {
            return known.rooms.clone();
        }
        let rooms: Rooms = engine.rooms(ROOMS_MAX).await.map(Into::into);
        *known = Some(Known { at: Instant::now(), made, rooms: rooms.clone() });
        rooms
    }

    /// Rooms with the most people in them, for those who know none, each with how many. Nobody waits for it long.
    pub async fn lively(&self, engine: &dyn Engine, most: usize) -> Vec<(RoomRef, usize)> {
        match timeout(LIVELY_WITHIN, self.rooms_of_late(engine, LIVELY_FOR)).await {
            Ok(Ok(listed)) => most_people(&listed, most),
            _ => Vec::new(),
        }
    }

    /// Whether there may be rooms that are not listed.
    pub fn is_full(listed: &[Listed]) -> bool {
        listed.len() >= ROOMS_MAX
    }

    /// A room may have been made by this instance: whoever made it looks for it.
    pub fn changed(&self) {
        self.made.fetch_add(1, Ordering::Relaxed);
    }
}

/// As many people, the room that was active last.
fn most_people(listed: &[Listed], most: usize) -> Vec<(RoomRef, usize)> {
    let mut lively: Vec<&Listed> = listed.iter().filter(|listed| listed.people.len() >= LIVELY_FROM).collect();
    lively.sort_by_key(|listed| std::cmp::Reverse(listed.people.len()));
    lively.into_iter().take(most).map(|listed| (listed.room.clone(), listed.people.len())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::{
        domain::{RoomName, UserId, UserName},
        protocol::Person,
    };

    fn listed(name: &str, people: u64) -> Listed {
        let name = RoomName::parse(name).unwrap();
        let person = |id| Person { id: UserId(id), name: UserName::parse(&format!("p{id}")).unwrap() };
        let room = RoomRef { key: name.key(), name };
        Listed { room, people: (0..people).map(person).collect(), active_at: 0, last: None }
    }

    #[test]
    fn strangers_are_shown_the_rooms_with_the_most_people() {
        let rooms = [("a", 1), ("b", 2), ("c", 9), ("d", 0), ("e", 2), ("f", 3)].map(|(name, n)| listed(name, n));
        let shown = most_people(&rooms, 3);
        let shown: Vec<_> = shown.iter().map(|(room, n)| (room.name.as_str(), *n)).collect();
        assert_eq!(shown, [("c", 9), ("f", 3), ("b", 2)]);
    }
}

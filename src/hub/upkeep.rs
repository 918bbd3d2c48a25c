//! What the hub does in the background.

use super::{Hub, compare, lease, notice, presence::GRACE, room::Life, room::Room};
use app::domain::RoomKey;
use futures_util::{StreamExt, stream};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep};

/// Pause before the engine is told again what it did not take.
const SAY_AGAIN: Duration = Duration::from_secs(1);
/// Changes of presence within this time make one frame: a thousand arrivals are not a thousand frames to each.
const PRESENCE_PACE: Duration = Duration::from_millis(100);
/// The same in a room with more people than this: who has everybody come and go there must not make everybody read that.
const CROWD: usize = 50;
const CROWD_PACE: Duration = Duration::from_secs(1);
/// How often presence is read anew in every live room, so that an instance that died disappears.
const PRESENCE_SWEEP: Duration = Duration::from_secs(10);
/// Seconds between looks for rooms to stop following: someone who comes back within them finds the room as it was.
const RETIRE_TICKS: u64 = 10;
/// A room where nobody wrote for so long keeps no frames.
const QUIET: Duration = Duration::from_mins(1);

/// Requests to the store under way at a time, for each of the tasks below.
const AT_ONCE: usize = 32;

pub fn start(hub: &Arc<Hub>) {
    hub.runtime.spawn(until_stop(hub.clone(), say_presence(hub.clone())));
    hub.runtime.spawn(until_stop(hub.clone(), read_presence(hub.clone())));
    hub.runtime.spawn(until_stop(hub.clone(), sweep_presence(hub.clone())));
    hub.runtime.spawn(until_stop(hub.clone(), lease::keep(hub.clone())));
    hub.runtime.spawn(until_stop(hub.clone(), use_sessions(hub.clone())));
    hub.runtime.spawn(until_stop(hub.clone(), tend_rooms(hub.clone())));
    hub.runtime.spawn(until_stop(hub.clone(), notice::follow(hub.clone())));
    if hub.engine.may_miss() {
        hub.runtime.spawn(until_stop(hub.clone(), compare::compare_all(hub.clone())));
        hub.runtime.spawn(until_stop(hub.clone(), compare::follow_unheard(hub.clone())));
    }
}

async fn until_stop(hub: Arc<Hub>, task: impl Future<Output = ()>) {
    tokio::select! {
        biased;
        () = hub.stopped.cancelled() => {}
        () = task => {}
    }
}

pub(super) fn every(pause: Duration) -> Interval {
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Tells the engine who is here on this instance. Says what is true when it speaks, so that repeating is harmless.
async fn say_presence(hub: Arc<Hub>) {
    loop {
        let unsaid = stream::iter(hub.unsaid.take().await);
        let failed = Mutex::new(Vec::new());
        let say = async |(key, user)| {
            let here = |room: Arc<Room>| room.presence().here.get(&user).map(|local| local.person.clone());
            let person = hub.known(&key).and_then(here);
            let said = match &person {
                Some(person) => hub.engine.enter(&key, person).await,
                None => hub.engine.leave(&key, user).await,
            };
            if said.is_err() {
                super::lock(&failed).push((key, user));
            }
        };
        unsaid.for_each_concurrent(AT_ONCE, say).await;
        let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !failed.is_empty() {
            // Beside what is new, which another part of the store may take.
            let hub = hub.clone();
            tokio::spawn(async move {
                sleep(SAY_AGAIN).await;
                for said in failed {
                    hub.unsaid.add(said);
                }
            });
        }
    }
}

/// Reads presence where it changed and shows the difference.
async fn read_presence(hub: Arc<Hub>) {
    let mut crowds = Crowds::default();
    loop {
        let stale = hub.stale.take().await;
        sleep(PRESENCE_PACE).await;
        let (due, later) = crowds.due(stale, Instant::now());
        let rooms: Vec<_> = due.iter().filter_map(|key| hub.known(key)).collect();
        stream::iter(&rooms).for_each_concurrent(AT_ONCE, async |room| show_presence(&hub, room).await).await;
        for room in rooms {
            crowds.shown(room.key(), room.view().people.len(), Instant::now());
        }
        for key in later {
            hub.stale.add(key);
        }
    }
}

/// Rooms with a crowd in which presence was shown just now.
#[derive(Default)]
struct Crowds(HashMap<RoomKey, Instant>);

impl Crowds {
    /// Those of `stale` that are to be shown now, and the others.
    fn due(&mut self, stale: BTreeSet<RoomKey>, now: Instant) -> (Vec<RoomKey>, Vec<RoomKey>) {
        self.0.retain(|_, shown| now.saturating_duration_since(*shown) < CROWD_PACE);
        stale.into_iter().partition(|key| !self.0.contains_key(key))
    }

    fn shown(&mut self, room: &RoomKey, people: usize, now: Instant) {
        if people > CROWD {
            self.0.insert(room.clone(), now);
        }
    }
}

async fn sweep_presence(hub: Arc<Hub>) {
    let mut ticks = every(PRESENCE_SWEEP);
    loop {
        ticks.tick().await;
        let rooms = stream::iter(hub.all_rooms());
        rooms.for_each_concurrent(AT_ONCE, async |room| show_presence(&hub, &room).await).await;
    }
}

async fn show_presence(hub: &Hub, room: &Room) {
    match hub.engine.people(room.key()).await {
        Ok(people) => room.set_people(people, true),
        // The sweep comes by again.
        Err(error) => tracing::debug!(%error, "cannot read who is in a room"),
    }
}

/// An open socket is use of its session.
async fn use_sessions(hub: Arc<Hub>) {
    let mut ticks = every(hub.session_use.max(Duration::from_secs(1)));
    loop {
        ticks.tick().await;
        let tokens = stream::iter(hub.sockets.tokens());
        // Whether it is still there is asked more often; see `lease`.
        tokens.for_each_concurrent(AT_ONCE, async |token| drop(hub.engine.session(token).await)).await;
    }
}

async fn tend_rooms(hub: Arc<Hub>) {
    let mut ticks = every(Duration::from_secs(1));
    for second in 1_u64.. {
        ticks.tick().await;
        let quiet = if hub.budget.exceeded() { Duration::from_secs(1) } else { QUIET };
        let now = Instant::now();
        for room in hub.all_rooms() {
            forget_the_gone(&hub, &room);
            room.trim_if_quiet_for(quiet, now);
            if room.is_empty() && second.is_multiple_of(RETIRE_TICKS) {
                retire(&hub, &room).await;
            }
        }
    }
}

fn forget_the_gone(hub: &Hub, room: &Room) {
    let mut presence = room.presence();
    presence.here.retain(|&user, local| {
        let stays = local.gone.is_none_or(|gone| gone.elapsed() < GRACE);
        if !stays {
            hub.unsaid.add((room.key().clone(), user));
        }
        stays
    });
}

/// Stops following a room in which this instance has no socket and nobody who just left.
async fn retire(hub: &Arc<Hub>, room: &Arc<Room>) {
    // Held by somebody who is just entering: then it is not to be retired.
    let Ok(mut life) = room.life.try_lock() else { return };
    if !room.is_empty() || !room.presence().here.is_empty() {
        return;
    }
    if *life == Life::Live {
        hub.engine.unfollow(room.key()).await;
        room.unseed();
    }
    *life = Life::Retired;
    super::lock(&hub.rooms).remove(room.key());
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::domain::RoomName;

    #[test]
    fn where_a_crowd_is_presence_is_shown_once_a_second() {
        let (start, [few, many]) = (Instant::now(), ["few", "many"].map(|name| RoomName::parse(name).unwrap().key()));
        let mut crowds = Crowds::default();
        let mut due = |ms: u64| {
            let now = start + Duration::from_millis(ms);
            let (due, later) = crowds.due(BTreeSet::from([few.clone(), many.clone()]), now);
            assert_eq!(due.len() + later.len(), 2);
            for room in &due {
                crowds.shown(room, if *room == few { CROWD } else { CROWD + 1 }, now);
            }
            (due.contains(&few), due.contains(&many))
        };
        assert_eq!(due(0), (true, true));
        assert_eq!([due(100), due(999)], [(true, false); 2]);
        assert_eq!([due(1_000), due(1_100)], [(true, true), (true, false)]);
    }
}

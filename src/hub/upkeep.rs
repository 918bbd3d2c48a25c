//! What the hub does in the background.

use super::{Hub, presence::GRACE, ring::Push, room::Life, room::Room};
use crate::engine::After;
use futures_util::{StreamExt, stream};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

/// Changes of presence within this time make one frame: a thousand arrivals are not a thousand frames to each.
const PRESENCE_PACE: Duration = Duration::from_millis(100);
/// How often presence is read anew in every live room, so that an instance that died disappears.
const PRESENCE_SWEEP: Duration = Duration::from_secs(10);
/// How often the sessions behind the sockets are checked, should the word of a sign-out not have arrived.
const SESSION_SWEEP: Duration = Duration::from_secs(3);
/// Seconds between looks for rooms to stop following: someone who comes back within them finds the room as it was.
const RETIRE_TICKS: u64 = 10;
/// A room where nobody wrote for so long keeps no frames.
const QUIET: Duration = Duration::from_mins(1);
/// Entries read at a time to refill a ring.
const REFILL_PAGE: usize = 500;

/// Requests to the store under way at a time, for each of the tasks below.
const AT_ONCE: usize = 32;

pub fn start(hub: &Arc<Hub>) {
    hub.tasks.spawn(until_stop(hub.clone(), say_presence(hub.clone())));
    hub.tasks.spawn(until_stop(hub.clone(), read_presence(hub.clone())));
    hub.tasks.spawn(until_stop(hub.clone(), sweep_presence(hub.clone())));
    hub.tasks.spawn(until_stop(hub.clone(), sweep_sessions(hub.clone())));
    hub.tasks.spawn(until_stop(hub.clone(), use_sessions(hub.clone())));
    hub.tasks.spawn(until_stop(hub.clone(), tend_rooms(hub.clone())));
}

async fn until_stop(hub: Arc<Hub>, task: impl Future<Output = ()>) {
    tokio::select! {
        () = task => {}
        () = hub.stop.notified() => {}
    }
}

fn every(pause: Duration) -> Interval {
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Tells the engine who is here on this instance. Says what is true when it speaks, so that repeating is harmless.
async fn say_presence(hub: Arc<Hub>) {
    loop {
        let unsaid = stream::iter(hub.unsaid.take().await);
        let failed = AtomicBool::new(false);
        let say = async |(key, user)| {
            let here = |room: Arc<Room>| room.presence().here.get(&user).map(|local| local.person.clone());
            let person = hub.known(&key).and_then(here);
            let said = match &person {
                Some(person) => hub.engine.enter(&key, person).await,
                None => hub.engine.leave(&key, user).await,
            };
            if said.is_err() {
                hub.unsaid.add((key, user));
                failed.store(true, Ordering::Relaxed);
            }
        };
        unsaid.for_each_concurrent(AT_ONCE, say).await;
        if failed.into_inner() {
            sleep(Duration::from_secs(1)).await;
        }
    }
}

/// Reads presence where it changed and shows the difference.
async fn read_presence(hub: Arc<Hub>) {
    loop {
        let stale = hub.stale.take().await;
        sleep(PRESENCE_PACE).await;
        let rooms = stale.iter().filter_map(|key| hub.known(key));
        stream::iter(rooms).for_each_concurrent(AT_ONCE, async |room| show_presence(&hub, &room).await).await;
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

async fn sweep_sessions(hub: Arc<Hub>) {
    let mut ticks = every(SESSION_SWEEP);
    loop {
        ticks.tick().await;
        let tokens = hub.tokens();
        if tokens.is_empty() {
            continue;
        }
        for token in hub.engine.ended_sessions(&tokens).await.unwrap_or_default() {
            hub.end_session(token);
        }
    }
}

/// An open socket is use of its session.
async fn use_sessions(hub: Arc<Hub>) {
    let mut ticks = every(hub.session_use.max(Duration::from_secs(1)));
    loop {
        ticks.tick().await;
        let tokens = stream::iter(hub.tokens());
        // Whether it is still there is asked above, more often.
        tokens.for_each_concurrent(AT_ONCE, async |token| drop(hub.engine.session(token).await)).await;
    }
}

async fn tend_rooms(hub: Arc<Hub>) {
    let mut ticks = every(Duration::from_secs(1));
    for second in 1_u64.. {
        ticks.tick().await;
        let quiet = if hub.budget.exceeded() { Duration::from_secs(1) } else { QUIET };
        let then = Instant::now().checked_sub(quiet);
        for room in hub.all_rooms() {
            forget_the_gone(&hub, &room);
            if let Some(then) = then {
                room.trim_if_quiet_since(then);
            }
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

/// Brings the ring up to the log's end, or starts it anew if the log is another one. Retries until the store answers.
pub async fn refill(hub: Arc<Hub>, room: Arc<Room>) {
    let mut pause = Duration::from_millis(50);
    while !hub.stopping() {
        room.refill.again.store(false, Ordering::Release);
        match refill_once(&hub, &room).await {
            Ok(()) => {
                pause = Duration::from_millis(50);
                if room.refill.again.load(Ordering::Acquire) {
                    continue;
                }
                room.refill.running.store(false, Ordering::Release);
                // Asked for between the two lines above, with nobody else to do it?
                if room.refill.again.load(Ordering::Acquire) && !room.refill.running.swap(true, Ordering::AcqRel) {
                    continue;
                }
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot refill a room from the log; trying again");
                sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(2));
            }
        }
    }
    room.refill.running.store(false, Ordering::Release);
}

async fn refill_once(hub: &Hub, room: &Room) -> Result<(), crate::engine::StoreError> {
    // A room without a ring is about to be seeded from the log anyway.
    while let Some(top) = room.top() {
        match hub.engine.read_after(room.key(), top, REFILL_PAGE).await? {
            After::Entries { records, top } => {
                if room.refilled(&records) == Push::Diverged {
                    continue;
                }
                if records.len() < REFILL_PAGE || room.top().is_none_or(|mine| mine.seq >= top.seq) {
                    return Ok(());
                }
            }
            After::Reset => {
                tracing::warn!("a room's log is not the one it was: starting its ring anew");
                if let Some(top) = hub.engine.top(room.key()).await? {
                    room.seed(top);
                }
                return Ok(());
            }
        }
    }
    Ok(())
}

//! How everything comes to rest once nothing fails any more, and what every room's log is then.

use super::{
    ROOMS,
    checker::presence,
    workload::{Shared, reading},
};
use crate::Result;
use app::domain::Entry;
use std::{rc::Rc, time::Duration};
use tokio::time::{Instant, sleep};

/// How long everything may take to come to rest once nothing fails any more.
pub const DRAIN: Duration = Duration::from_secs(45);
/// Presence is the truth again within this time after an instance died or a client vanished.
const PRESENCE: Duration = Duration::from_secs(45);

/// Waits until every tab is online, has sent everything, and shows each room to its end.
pub async fn drained(shared: &Rc<Shared>) -> std::result::Result<(), String> {
    let deadline = Instant::now() + DRAIN;
    // Each tab looks through its rooms five times a second now; what it said before does not count.
    sleep(Duration::from_secs(1)).await;
    loop {
        let what = at_rest(shared);
        match what {
            Ok(()) => return Ok(()),
            Err(what) if Instant::now() > deadline => return Err(what),
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

fn at_rest(shared: &Shared) -> std::result::Result<(), String> {
    let states = shared.states.borrow();
    let mut ends = [0; ROOMS];
    for (room, seq) in states.iter().flat_map(|state| &state.rooms) {
        ends[*room] = (*seq).max(ends[*room]);
    }
    for (tab, state) in states.iter().enumerate().filter(|(_, state)| state.alive) {
        if !state.online {
            let what = if state.loading { "its page does not load" } else { "no socket of it follows all its rooms" };
            return Err(format!("tab {tab}: {what}; {} sockets lost, {} reloads", state.losses, state.loads));
        }
        if let Some(text) = state.waiting.first() {
            return Err(format!("tab {tab} waits for {:?}", text.chars().take(24).collect::<String>()));
        }
        if let Some((room, seq)) = state.rooms.iter().find(|(room, seq)| *seq < ends[*room]) {
            return Err(format!("tab {tab} is at {seq} of {} in room {room}", ends[*room]));
        }
    }
    Ok(())
}

/// Waits until every tab shows who is there, or notes who does not.
pub async fn presence(shared: &Rc<Shared>, healed: Instant) {
    loop {
        let Err(what) = presence::is_true(&shared.states.borrow()) else { return };
        let passed = healed.elapsed();
        if passed > PRESENCE {
            let passed = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
            return presence::was_late(&mut shared.history.borrow_mut(), &what, passed);
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Each room's log, read as often as there are instances, through whichever answers. By somebody who is in already: what
/// was written can be read where nothing can be written any more.
pub async fn logs(shared: &Rc<Shared>, cookie: &str, ways: usize) -> Result<Vec<Vec<Vec<Entry>>>> {
    let mut logs = Vec::new();
    for room in 0..ROOMS {
        let mut read = Vec::new();
        for _ in 0..ways {
            read.push(reading::log(shared, cookie, room).await?);
        }
        logs.push(read);
    }
    Ok(logs)
}

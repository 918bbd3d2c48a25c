//! Whether the rings end where the logs end. Finds a commit of which no word came, though it was the last one of its room,
//! and a log that was set back.

use super::{Hub, room::Room, upkeep::every};
use crate::{engine::NoTop, store::StoreError, telemetry::Seldom};
use app::domain::Cursor;
use futures_util::{StreamExt, stream};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// How often the rooms that were lately written in are looked at.
const EVERY: Duration = Duration::from_millis(500);
/// How lately that is.
const LATELY: Duration = Duration::from_mins(1);
/// The other rooms take turns, so many a time at least; however many there are, each has its turn within 20 s.
const OTHERS: u64 = 128;
const TURNS_MAX: u64 = 40;
/// Rooms asked for with one request.
const AT_ONCE: usize = 256;
/// An answer may overtake the word of a commit, which comes on another connection. It has so long to arrive.
const GRACE: Duration = Duration::from_millis(50);
const RETRY: Duration = Duration::from_millis(100);
/// Damaged logs told of within a minute.
static DAMAGED: Seldom = Seldom::new(8);
/// Rooms followed again at a time.
const FOLLOW_AT_ONCE: usize = 16;

pub async fn compare_all(hub: Arc<Hub>) {
    let mut ticks = every(EVERY);
    let mut tick = 0_u64;
    loop {
        tokio::select! {
            biased;
            // The clock first: however often there is doubt, the rooms' turns go on.
            _ = ticks.tick() => tick += 1,
            () = hub.doubt.news.notified() => {}
        }
        let all = hub.doubt.take();
        let mut rooms = hub.all_rooms();
        if !all {
            let turns = (rooms.len() as u64 / OTHERS).clamp(1, TURNS_MAX);
            let now = Instant::now();
            rooms.retain(|room| room.turn % turns == tick % turns || room.was_written_within(LATELY, now));
        }
        for some in rooms.chunks(AT_ONCE) {
            if let Err(error) = compare(&hub, some).await {
                tracing::debug!(%error, "cannot compare the rooms with their logs; trying again");
                sleep(RETRY).await;
                // Whatever kept the answer away may have kept other things away.
                hub.doubt.raise();
                break;
            }
        }
    }
}

async fn compare(hub: &Arc<Hub>, rooms: &[Arc<Room>]) -> Result<(), StoreError> {
    let rooms: Vec<_> = rooms.iter().filter_map(|room| Some((room, room.top()?))).collect();
    if rooms.is_empty() {
        return Ok(());
    }
    let keys: Vec<_> = rooms.iter().map(|(room, _)| room.key().clone()).collect();
    hub.metrics.log_read("compare");
    let tops = hub.engine.tops(&keys).await?;
    let mut ahead = Vec::new();
    for ((room, mine), top) in rooms.into_iter().zip(tops) {
        let top = match top {
            Ok(top) => top,
            // Its end is looked at when everything is in doubt, as it is when the store's part is back.
            Err(NoTop::Away) => continue,
            Err(NoTop::Damaged(damaged)) => {
                // Nothing that a comparison could mend.
                if DAMAGED.say(&damaged.0).is_some() {
                    tracing::warn!("{damaged}: its readers are told that it cannot be read");
                }
                continue;
            }
        };
        match judge(mine, top) {
            Finding::Same => room.settle(),
            Finding::Ahead(top) => ahead.push((room, top)),
            Finding::Diverged => restore(hub, room),
        }
    }
    ahead.retain(|(room, top)| !room.holds(*top));
    if !ahead.is_empty() {
        sleep(GRACE).await;
        for (room, _) in ahead.iter().filter(|(room, top)| !room.holds(*top)) {
            restore(hub, room);
        }
    }
    Ok(())
}

enum Finding {
    Same,
    /// The log goes on after the ring, or did when it was asked.
    Ahead(Cursor),
    /// The log is shorter than the ring, or has another entry at its end: it was set back.
    Diverged,
}

/// `mine` is where the ring ended before the log was asked: whatever was in the ring had been committed by then.
fn judge(mine: Cursor, top: Option<Cursor>) -> Finding {
    match top {
        Some(top) if top == mine => Finding::Same,
        Some(top) if top.epoch == mine.epoch && top.seq > mine.seq => Finding::Ahead(top),
        _ => Finding::Diverged,
    }
}

/// Reads the log at once, and makes sure that the next commit is heard of.
fn restore(hub: &Arc<Hub>, room: &Arc<Room>) {
    tracing::info!("a room's log holds something that was not reported: reading it");
    hub.refill(room);
    hub.unheard.add(room.key().clone());
}

pub async fn follow_unheard(hub: Arc<Hub>) {
    loop {
        let unheard = stream::iter(hub.unheard.take().await);
        let follow = async |key| match hub.engine.follow_again(&key).await {
            // For what was committed before the engine followed it again.
            Ok(()) => hub.known(&key).iter().for_each(|room| hub.refill(room)),
            // The next comparison finds it, if there is anything to find.
            Err(error) => tracing::debug!(%error, "a room could not be followed again"),
        };
        unheard.for_each_concurrent(FOLLOW_AT_ONCE, follow).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::domain::{EntryId, Epoch};

    #[test]
    fn a_log_that_ends_elsewhere_is_told_from_one_that_went_on() {
        let at = |seq, id| Cursor { epoch: Epoch(7), seq, id: EntryId(id) };
        assert!(matches!(judge(at(5, 50), Some(at(5, 50))), Finding::Same));
        assert!(matches!(judge(at(5, 50), Some(at(6, 60))), Finding::Ahead(_)));
        for other in [Some(at(5, 51)), Some(at(4, 40)), Some(Cursor { epoch: Epoch(8), ..at(9, 90) }), None] {
            assert!(matches!(judge(at(5, 50), other), Finding::Diverged));
        }
    }
}

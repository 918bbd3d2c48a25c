//! Bringing a room's ring up to its log: once for all its sockets, whenever something may be missing.

use super::{Hub, ring::Push, room::Room};
use crate::store::{After, StoreError};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::sleep;

/// Entries read at a time.
const PAGE: usize = 500;
/// Refills that read at a time, over all rooms.
pub const AT_ONCE: usize = 64;
/// Pauses between tries while the store does not answer. Short, because once it does everybody waits for this.
const RETRY: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_millis(200);

/// Brings the ring up to the log's end, or starts it anew if the log is another one. Retries until the store answers.
pub async fn refill(hub: Arc<Hub>, room: Arc<Room>) {
    let mut pause = RETRY;
    while !hub.stopped() {
        room.refill.again.store(false, Ordering::Release);
        match refill_once(&hub, &room).await {
            Ok(()) => {
                pause = RETRY;
                if room.refill.again.load(Ordering::Acquire) {
                    continue;
                }
                // Not a store: whoever asks next swaps the same flag, so one of the two sees what the other did.
                room.refill.running.swap(false, Ordering::AcqRel);
                // Asked for between the two lines above, with nobody else to do it?
                if room.refill.again.load(Ordering::Acquire) && !room.refill.running.swap(true, Ordering::AcqRel) {
                    continue;
                }
                return;
            }
            Err(error) => {
                if pause == RETRY {
                    tracing::warn!(%error, "cannot refill a room from the log; trying again until it works");
                }
                sleep(pause).await;
                pause = (pause * 2).min(RETRY_MAX);
            }
        }
    }
    room.refill.running.store(false, Ordering::Release);
}

async fn refill_once(hub: &Hub, room: &Room) -> Result<(), StoreError> {
    // Never closed; if it were, there would be no more than no bound.
    let _turn = hub.refills.acquire().await;
    // A room without a ring is about to be seeded from the log anyway.
    while let Some(top) = room.top() {
        hub.metrics.log_read("refill");
        match hub.engine.read_after(room.key(), top, PAGE).await? {
            After::Entries { records, top } => {
                if room.refilled(&records) == Push::Diverged {
                    continue;
                }
                if records.len() < PAGE || room.top().is_none_or(|mine| mine.seq >= top.seq) {
                    return Ok(());
                }
            }
            After::Reset => return start_anew(hub, room).await,
        }
    }
    Ok(())
}

/// The log was rolled back or is another one: its readers find out by their cursors.
async fn start_anew(hub: &Hub, room: &Room) -> Result<(), StoreError> {
    tracing::warn!("a room's log is not the one it was: starting its ring anew");
    hub.metrics.logs_replaced.inc();
    let mut top = hub.engine.top(room.key()).await?;
    if top.is_none() {
        // Not even the room is in the store any more. There are people in it, so it is created again.
        hub.engine.restore_room(&room.room).await?;
        top = hub.engine.top(room.key()).await?;
    }
    let top = top.ok_or_else(|| StoreError("a room that was created again is not there".to_owned()))?;
    if room.seed(top).needs_refill() {
        room.refill.again.store(true, Ordering::Release);
    }
    Ok(())
}

//! Rendering, off the threads that serve connections: as many pages at a time as there are cores.

use std::{
    num::NonZero,
    panic,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::available_parallelism,
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    task::spawn_blocking,
    time::timeout,
};

/// Pages that wait for their turn, for each core.
const QUEUE_PER_CORE: usize = 8;
/// How long they wait.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who may render a page next. Half of it at most is for those who have no session.
pub struct RenderTurns {
    all: Queue,
    strangers: Queue,
}

struct Queue {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    most: usize,
}

impl Queue {
    fn new(at_a_time: usize, most: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(at_a_time)), waiting: AtomicUsize::new(0), most }
    }

    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = self.permits.clone().try_acquire_owned() {
            return Some(permit);
        }
        let _waits = Waits::begin(self)?;
        timeout(PATIENCE, self.permits.clone().acquire_owned()).await.ok()?.ok()
    }
}

/// Counts one that waits, as long as it does.
struct Waits<'a>(&'a Queue);

impl<'a> Waits<'a> {
    fn begin(queue: &'a Queue) -> Option<Self> {
        let before = queue.waiting.fetch_add(1, Ordering::Relaxed);
        let waits = Self(queue);
        (before < queue.most).then_some(waits)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl RenderTurns {
    pub fn new() -> Self {
        Self::of_cores(available_parallelism().map_or(1, NonZero::get))
    }

    fn of_cores(cores: usize) -> Self {
        let queue = cores * QUEUE_PER_CORE;
        Self { all: Queue::new(cores, queue), strangers: Queue::new((cores / 2).max(1), queue / 2) }
    }

    /// What `work` makes, on a thread of its own; `None` if too many others are before it. Once begun it cannot be stopped, so that
    /// its turn ends with it and not with whoever asked; but it does not begin for somebody who has gone.
    pub async fn take<T: Send + 'static>(
        &self,
        has_session: bool,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let as_stranger = if has_session { None } else { Some(self.strangers.turn().await?) };
        let turn = self.all.turn().await?;
        let (gone, _asks) = oneshot::channel::<()>();
        let worked = spawn_blocking(move || {
            let _turns = (turn, as_stranger);
            (!gone.is_closed()).then(work)
        });
        match worked.await {
            Ok(made) => made,
            Err(error) => match error.try_into_panic() {
                Ok(cause) => panic::resume_unwind(cause),
                // The process ends.
                Err(_) => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, future::join_all};
    use std::sync::mpsc;

    /// Work that ends when it is told to.
    fn held() -> (mpsc::Sender<()>, impl FnOnce() + Send + 'static) {
        let (end, ended) = mpsc::channel();
        (end, move || ended.recv().unwrap_or(()))
    }

    #[tokio::test]
    async fn strangers_have_half_of_the_turns_and_of_the_queue() {
        let turns = RenderTurns::of_cores(2);
        let ((end, stranger), (end_other, other)) = (held(), held());
        let mut first = Box::pin(turns.take(false, stranger));
        assert!((&mut first).now_or_never().is_none());
        let mut waiting: Vec<_> = (0..8).map(|_| Box::pin(turns.take(false, || ()))).collect();
        assert!(waiting.iter_mut().all(|waits| waits.now_or_never().is_none()));
        assert_eq!(turns.take(false, || ()).now_or_never(), Some(None), "the queue is full");
        // Those who have a session are served meanwhile.
        assert_eq!(turns.take(true, || 7).await, Some(7));
        let mut second = Box::pin(turns.take(true, other));
        assert!((&mut second).now_or_never().is_none());
        assert!(Box::pin(turns.take(true, || ())).now_or_never().is_none(), "no third at a time");
        end.send(()).unwrap();
        end_other.send(()).unwrap();
        assert_eq!((first.await, second.await), (Some(()), Some(())));
        assert_eq!(join_all(waiting).await, [Some(()); 8]);
    }

    #[tokio::test]
    async fn whoever_hangs_up_keeps_the_turn_until_the_work_is_done_and_queued_work_is_not_begun() {
        let turns = RenderTurns::of_cores(1);
        let (end, work) = held();
        let mut gone = Box::pin(turns.take(true, work));
        assert!((&mut gone).now_or_never().is_none());
        drop(gone);
        let mut next = Box::pin(turns.take(true, || 7));
        assert!((&mut next).now_or_never().is_none(), "two at a time");
        end.send(()).unwrap();
        assert_eq!(next.await, Some(7));
        assert_eq!(turns.all.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn nobody_waits_for_longer_than_two_seconds() {
        let turns = RenderTurns::of_cores(1);
        let (end, work) = held();
        let mut busy = Box::pin(turns.take(true, work));
        assert!((&mut busy).now_or_never().is_none());
        assert_eq!(turns.take(true, || ()).await, None);
        end.send(()).unwrap();
        busy.await;
    }
}

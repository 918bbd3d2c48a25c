//! Threads that work off a queue.

use crate::engine::StoreError;
use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
};

/// A bounded queue and the threads that empty it.
pub(super) struct Worker<T> {
    queue: RwLock<Option<SyncSender<T>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// The threads' end of the queue; empty and closed once [`Worker::close`] was called and everything was taken.
pub(super) struct Queue<T>(Arc<Mutex<Receiver<T>>>);

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Queue<T> {
    /// Waits for the next item.
    pub fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
    }

    /// Waits for the next item and adds it to `items`, with as many as are there already, up to `max` in all.
    pub fn take_many(&self, items: &mut Vec<T>, max: usize) -> bool {
        let queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(first) = queue.recv() else { return false };
        items.push(first);
        items.extend(queue.try_iter().take(max - 1));
        true
    }
}

impl<T: Send + 'static> Worker<T> {
    /// Starts a thread for each of `work`; `name` is what a debugger shows.
    pub fn start<W>(name: &str, capacity: usize, work: impl IntoIterator<Item = W>) -> io::Result<Self>
    where
        W: FnOnce(Queue<T>) + Send + 'static,
    {
        let (sender, receiver) = sync_channel(capacity);
        let queue = Queue(Arc::new(Mutex::new(receiver)));
        let threads = work
            .into_iter()
            .map(|work| {
                let queue = queue.clone();
                thread::Builder::new().name(name.to_owned()).spawn(move || work(queue))
            })
            .collect::<io::Result<_>>()?;
        Ok(Self { queue: RwLock::new(Some(sender)), threads: Mutex::new(threads) })
    }

    /// Puts `item` at the end of the queue without ever waiting.
    pub fn push(&self, item: T) -> Result<(), StoreError> {
        let queue = self.queue.read().unwrap_or_else(PoisonError::into_inner);
        let closed = || StoreError("closed".to_owned());
        queue.as_ref().ok_or_else(closed)?.try_send(item).map_err(|error| match error {
            TrySendError::Full(_) => StoreError("too much is waiting for it".to_owned()),
            TrySendError::Disconnected(_) => closed(),
        })
    }

    /// Takes nothing more. The threads finish what was queued and end; [`join`] waits for that.
    pub fn close(&self) -> Vec<JoinHandle<()>> {
        self.queue.write().unwrap_or_else(PoisonError::into_inner).take();
        std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Waits for the threads to end.
pub(super) fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        // A report may drop the engine's last owner on one of its own threads, which cannot wait for itself.
        if thread.thread().id() != thread::current().id() && thread.join().is_err() {
            tracing::error!("a thread of the store panicked");
        }
    }
}

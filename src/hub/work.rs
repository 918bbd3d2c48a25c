//! What is to be done, handed from whoever notices to the task that does it.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::Notify;

/// A set of things to do; a thing put in twice before it is done is done once. They are taken in the order of their names.
pub struct Work<T> {
    todo: Mutex<BTreeSet<T>>,
    some: Notify,
}

/// Set by whoever doubts, taken by whoever looks.
#[derive(Default)]
pub struct Doubt {
    raised: AtomicBool,
    pub news: Notify,
}

impl Doubt {
    pub fn raise(&self) {
        self.raised.store(true, Ordering::Release);
        self.news.notify_one();
    }

    pub fn take(&self) -> bool {
        self.raised.swap(false, Ordering::AcqRel)
    }
}

impl<T: Ord> Work<T> {
    pub fn new() -> Self {
        Self { todo: Mutex::new(BTreeSet::new()), some: Notify::new() }
    }

    pub fn add(&self, thing: T) {
        lock(&self.todo).insert(thing);
        self.some.notify_one();
    }

    pub async fn take(&self) -> BTreeSet<T> {
        loop {
            let todo = std::mem::take(&mut *lock(&self.todo));
            if !todo.is_empty() {
                return todo;
            }
            self.some.notified().await;
        }
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every critical section below is a few map operations; a panic elsewhere leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

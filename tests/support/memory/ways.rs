//! How requests get to the store, and what goes on for an instance meanwhile.

use super::{line::Line, presence, state::Turn};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;

/// On which way a request goes.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Append,
    Other,
}

/// Does what was asked for; what it returns gives the answer.
pub type Job = Box<dyn FnOnce(&mut Turn<'_>) -> Answer + Send>;
pub type Answer = Box<dyn FnOnce() + Send>;

#[derive(Default)]
pub struct Ways {
    appends: Way,
    others: Way,
}

#[derive(Default)]
struct Way {
    /// When each arrives.
    queue: Mutex<VecDeque<(Instant, Job)>>,
    /// Who works them off does so alone, so that they are done in their order.
    turn: Mutex<()>,
    news: Notify,
}

impl Ways {
    fn of(&self, kind: Kind) -> &Way {
        match kind {
            Kind::Append => &self.appends,
            Kind::Other => &self.others,
        }
    }

    /// It arrives then, or as soon as what is before it.
    pub fn send(&self, kind: Kind, due: Instant, job: Job) {
        let way = self.of(kind);
        {
            let mut queue = way.queue.lock().unwrap();
            let due = queue.back().map_or(due, |(last, _)| due.max(*last));
            queue.push_back((due, job));
        }
        way.news.notify_one();
    }

    pub fn are_empty(&self) -> bool {
        [&self.appends, &self.others].iter().all(|way| way.queue.lock().unwrap().is_empty())
    }

    /// Whoever waits for an answer sees that there will be none.
    pub fn lose_all(&self) {
        for way in [&self.appends, &self.others] {
            let lost = std::mem::take(&mut *way.queue.lock().unwrap());
            drop(lost);
        }
    }

    /// Has everything that arrived meanwhile looked at.
    pub fn ring(&self) {
        self.appends.news.notify_one();
        self.others.news.notify_one();
    }
}

impl Line {
    /// Does what has arrived; returns when the next one does.
    pub fn work_off(&self, kind: Kind) -> Option<Instant> {
        let way = self.ways.of(kind);
        let _turn = way.turn.lock().unwrap();
        loop {
            if self.condition().frozen {
                return None;
            }
            let job = {
                let mut queue = way.queue.lock().unwrap();
                let (due, _) = queue.front()?;
                if *due > Instant::now() {
                    return Some(*due);
                }
                queue.pop_front()
            };
            if let Some((_, job)) = job {
                self.store.change(self, job)();
                self.changed.notify_waiters();
            }
        }
    }
}

/// What goes on for an instance as long as it is there.
pub fn tasks(line: &Arc<Line>) -> Vec<AbortOnDropHandle<()>> {
    vec![
        AbortOnDropHandle::new(tokio::spawn(carry(line.clone(), Kind::Append))),
        AbortOnDropHandle::new(tokio::spawn(carry(line.clone(), Kind::Other))),
        AbortOnDropHandle::new(tokio::spawn(bring(line.clone()))),
        AbortOnDropHandle::new(tokio::spawn(presence::keep(line.clone()))),
    ]
}

async fn carry(line: Arc<Line>, kind: Kind) {
    loop {
        line.thawed().await;
        let next = line.work_off(kind);
        wait(next, &line.ways.of(kind).news).await;
    }
}

async fn bring(line: Arc<Line>) {
    loop {
        line.thawed().await;
        let next = line.inbox.pass_on_what_is_due();
        wait(next, &line.inbox.news).await;
    }
}

/// Until then, or until there is something new.
async fn wait(until: Option<Instant>, news: &Notify) {
    let Some(until) = until else { return news.notified().await };
    tokio::select! {
        biased;
        () = news.notified() => {}
        () = sleep_until(until) => {}
    }
}

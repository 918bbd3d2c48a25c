//! What is wrong between instances and Redis right now. Every [`Proxy`](crate::proxy::Proxy) asks at each step.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{oneshot, watch};

/// How an entry, or anything else that is said on a shard channel, begins in RESP3.
const MESSAGE: &[u8] = b">3\r\n$8\r\nsmessage\r\n";

/// What becomes of held appends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// They never reach Redis: the connection is reset.
    Reset,
    /// They reach it late, when their senders may long have given up.
    Forward,
}

/// What to do with an append.
pub enum OnAppend {
    Forward,
    /// Let it be committed, then reset the connection in place of the answer, and say so here.
    DropReply(oneshot::Sender<()>),
    Hold(Instant, Then),
}

/// Shared by the proxies of both servers.
#[derive(Default)]
pub struct Faults {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    cut: HashSet<usize>,
    replication_held: bool,
    drop_reply: HashMap<usize, oneshot::Sender<()>>,
    held: HashMap<usize, Hold>,
    swallow: Swallow,
    /// Whether what is under way is lost, and on how many connections something was.
    losing: bool,
    lost: usize,
}

/// The next message of a channel is lost, once.
#[derive(Default, PartialEq, Eq)]
enum Swallow {
    #[default]
    Nothing,
    Next,
    Done,
}

struct Hold {
    until: Instant,
    then: Then,
    appends: usize,
}

/// Takes a fault back when dropped, so that one that nobody waits for any more does not stay.
pub struct Undo<F: FnMut()>(F);

impl<F: FnMut()> Drop for Undo<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl Faults {
    /// From now on nothing passes between the instance and Redis, until the answer is dropped.
    pub fn cut(self: &Arc<Self>, instance: usize) -> Undo<impl FnMut() + use<>> {
        self.change(|state| state.cut.insert(instance));
        let faults = self.clone();
        Undo(move || faults.change(|state| state.cut.remove(&instance)))
    }

    pub fn is_cut(&self, instance: usize) -> bool {
        self.state().cut.contains(&instance)
    }

    pub async fn until_not_cut(&self, instance: usize) {
        self.until(|state| !state.cut.contains(&instance)).await;
    }

    pub fn hold_replication(&self, held: bool) {
        self.change(|state| state.replication_held = held);
    }

    pub async fn until_replication_flows(&self) {
        self.until(|state| !state.replication_held).await;
    }

    /// The instance's next append is committed and not answered; the receiver hears of it.
    pub fn drop_reply(self: &Arc<Self>, instance: usize) -> (oneshot::Receiver<()>, Undo<impl FnMut() + use<>>) {
        let (done, wait) = oneshot::channel();
        self.change(|state| state.drop_reply.insert(instance, done));
        let faults = self.clone();
        (wait, Undo(move || faults.change(|state| state.drop_reply.remove(&instance))))
    }

    pub fn hold(&self, instance: usize, time: Duration, then: Then) {
        let hold = Hold { until: Instant::now() + time, then, appends: 0 };
        self.change(|state| state.held.insert(instance, hold));
    }

    /// Ends the hold; answers how many appends it kept.
    pub fn release(&self, instance: usize) -> usize {
        self.state().held.remove(&instance).map_or(0, |hold| hold.appends)
    }

    pub fn on_append(&self, instance: usize) -> OnAppend {
        let mut state = self.state();
        if let Some(done) = state.drop_reply.remove(&instance) {
            return OnAppend::DropReply(done);
        }
        match state.held.get_mut(&instance) {
            Some(hold) if hold.until > Instant::now() => {
                hold.appends += 1;
                OnAppend::Hold(hold.until, hold.then)
            }
            _ => OnAppend::Forward,
        }
    }

    /// Loses the next message of a channel.
    pub fn swallow_a_message(&self) {
        self.state().swallow = Swallow::Next;
    }

    pub fn has_swallowed(&self) -> bool {
        self.state().swallow == Swallow::Done
    }

    /// What a client is told in place of these answers, if a message is to be lost and begins in them.
    pub fn swallow(&self, answers: &[u8]) -> Option<Vec<u8>> {
        let mut state = self.state();
        if state.swallow != Swallow::Next {
            return None;
        }
        let at = answers.windows(MESSAGE.len()).position(|part| part == MESSAGE)?;
        // Three strings follow the head, the first of them in it: two line ends each.
        let end = answers[at..].windows(2).enumerate().filter(|(_, two)| *two == b"\r\n").nth(6)?.0 + 2;
        state.swallow = Swallow::Done;
        Some([&answers[..at], &answers[at + end..]].concat())
    }

    /// What is open stays open, and nothing passes on it any more.
    pub fn lose_everything_under_way(&self) {
        self.state().losing = true;
    }

    /// How many connections lost something.
    pub fn lost_connections(&self) -> usize {
        self.state().lost
    }

    /// What is opened from now on is as if nothing had been.
    pub fn pass_new_connections(&self) {
        self.state().losing = false;
    }

    /// Whether nothing passes on a connection, to which `lost` belongs: once something was lost, for good.
    pub fn is_lost(&self, lost: &AtomicBool) -> bool {
        let mut state = self.state();
        if state.losing && !lost.swap(true, Ordering::Relaxed) {
            state.lost += 1;
        }
        lost.load(Ordering::Relaxed)
    }

    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) {
        let _ = change(&mut self.state());
        self.changed.send_replace(());
    }

    async fn until(&self, holds: impl Fn(&State) -> bool) {
        let mut changed = self.changed.subscribe();
        while !holds(&self.state()) {
            // The sender is in `self`.
            let _ = changed.changed().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The sockets of this instance, by their sessions.

use super::{wake::Wake, work::lock};
use crate::store::{Session, TokenHash};
use app::{
    domain::{RoomKey, UserId},
    protocol::ReadMark,
};
use std::{
    collections::HashMap,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::sync::Notify;

/// Who is to be told what concerns a session, a person, or everybody with a socket here.
#[derive(Default)]
pub struct SocketRegistry {
    sessions: Mutex<Sessions>,
    /// The session of each person who has a socket here.
    people: Mutex<HashMap<UserId, TokenHash>>,
    count: AtomicUsize,
    /// The last of them went.
    last_gone: Notify,
}

impl SocketRegistry {
    pub fn add(&self, session: &Session, wake: &Arc<Wake>) {
        let mut sessions = lock(&self.sessions);
        sessions.add(session.token, wake);
        lock(&self.people).insert(session.person.id, session.token);
        drop(sessions);
        self.count.fetch_add(1, Ordering::SeqCst);
    }

    pub fn remove(&self, session: &Session, wake: &Arc<Wake>) {
        let mut sessions = lock(&self.sessions);
        if sessions.remove(session.token, wake) {
            lock(&self.people).remove(&session.person.id);
        }
        drop(sessions);
        if self.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.last_gone.notify_waiters();
        }
    }

    /// Waits until none is left.
    pub async fn gone(&self) {
        loop {
            // Before the count is read, so that a socket which goes in between is heard of.
            let mut gone = pin!(self.last_gone.notified());
            gone.as_mut().enable();
            if self.count.load(Ordering::SeqCst) == 0 {
                return;
            }
            gone.await;
        }
    }

    pub fn each(&self, tell: impl Fn(&Wake)) {
        lock(&self.sessions).each(tell);
    }

    pub fn end_session(&self, token: TokenHash) {
        for wake in lock(&self.sessions).of(token) {
            wake.end();
        }
    }

    pub fn read(&self, user: UserId, room: &RoomKey, mark: ReadMark) {
        let Some(token) = lock(&self.people).get(&user).copied() else { return };
        for wake in lock(&self.sessions).of(token) {
            wake.mark(room, mark);
        }
    }

    /// Of the sessions, in the order in which they came.
    pub fn tokens(&self) -> Vec<TokenHash> {
        lock(&self.sessions).in_order().map(|(token, _)| token).collect()
    }
}

/// The sessions that have a socket here.
#[derive(Default)]
struct Sessions {
    by_token: HashMap<TokenHash, OfSession>,
    /// How many there were.
    count: u64,
}

struct OfSession {
    /// It is the nth that came. In the order of their tokens no replay would find them again: the time is in those.
    nth: u64,
    sockets: Vec<Arc<Wake>>,
}

impl Sessions {
    fn add(&mut self, token: TokenHash, wake: &Arc<Wake>) {
        let Self { by_token, count } = self;
        let session = by_token.entry(token).or_insert_with(|| {
            *count += 1;
            OfSession { nth: *count, sockets: Vec::new() }
        });
        session.sockets.push(wake.clone());
    }

    /// Says whether it was the session's last one.
    fn remove(&mut self, token: TokenHash, wake: &Arc<Wake>) -> bool {
        let Some(session) = self.by_token.get_mut(&token) else { return false };
        session.sockets.retain(|other| !Arc::ptr_eq(other, wake));
        let is_last = session.sockets.is_empty();
        if is_last {
            self.by_token.remove(&token);
        }
        is_last
    }

    fn of(&self, token: TokenHash) -> &[Arc<Wake>] {
        self.by_token.get(&token).map_or(&[], |session| &session.sockets)
    }

    /// All of them, in the order in which they came.
    fn in_order(&self) -> impl Iterator<Item = (TokenHash, &[Arc<Wake>])> {
        let of_session = |(token, session): (&TokenHash, &OfSession)| (session.nth, *token);
        let mut all: Vec<_> = self.by_token.iter().map(of_session).collect();
        all.sort_unstable_by_key(|(nth, _)| *nth);
        all.into_iter().map(|(_, token)| (token, self.of(token)))
    }

    fn each(&self, tell: impl Fn(&Wake)) {
        self.in_order().flat_map(|(_, sockets)| sockets).for_each(|wake| tell(wake));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_told_in_the_order_in_which_they_came() {
        let (mut sessions, wakes) = (Sessions::default(), [(); 100].map(|()| Arc::<Wake>::default()));
        let token = |n: usize| TokenHash::of(&(n % 50).to_string());
        for (n, wake) in wakes.iter().enumerate() {
            sessions.add(token(n), wake);
        }
        assert!(!sessions.remove(token(7), &wakes[57]) && sessions.remove(token(7), &wakes[7]));
        sessions.add(token(7), &wakes[7]);
        let came: Vec<_> = sessions.in_order().map(|(token, _)| token).collect();
        assert_eq!(came, (0..50).filter(|n| *n != 7).chain([7]).map(token).collect::<Vec<_>>());
        assert!(Arc::ptr_eq(&sessions.of(token(3))[1], &wakes[53]));
    }
}

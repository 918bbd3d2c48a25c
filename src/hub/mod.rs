//! Between the engine and the sockets of this instance.
//!
//! | module | what it is for |
//! |---|---|
//! | [`ring`] | a room's recent frames, each encoded once |
//! | [`room`] | a room on this instance: ring, sockets, people |
//! | [`wake`] | how a socket's task is told that there is something to do |
//! | [`presence`] | who came, who went, who is here |
//! | [`typing`] | who is typing |
//! | [`refill`] | bringing a room's ring up to its log |
//! | [`compare`] | whether the rings end where the logs end |
//! | [`lease`] | for how long the sessions of its sockets count |
//! | [`upkeep`] | the other background tasks: presence, sessions, idle rooms |
//!
//! A socket holds no queue: it has a cursor per room, is woken when a ring changed, and takes what follows its cursor.

mod compare;
pub mod lease;
pub mod presence;
mod refill;
pub mod ring;
pub mod room;
pub mod typing;
mod upkeep;
pub mod wake;

use crate::config::Config;
use crate::{
    engine::{Engine, LiveSink, Random, random_id},
    store::{Record, Session, StoreError, TokenHash},
};
use app::{
    domain::{RoomKey, UserId},
    protocol::{Person, ReadMark},
};
use lease::Lease;
use presence::LocalPerson;
use room::{Budget, Life, Room};
use std::{
    collections::{BTreeSet, HashMap},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore},
    time::Instant,
};
use tokio_util::task::TaskTracker;
use wake::Wake;

/// How many times within its time to live a session is said to be used while it has a socket.
const SESSION_USES: u32 = 48;

pub struct Hub {
    engine: Arc<dyn Engine>,
    /// The operating system's, unless a test wants the same numbers again.
    random: Random,
    /// How often an open socket counts as use of its session.
    session_use: Duration,
    budget: Arc<Budget>,
    rooms: Mutex<HashMap<RoomKey, Arc<Room>>>,
    sessions: Mutex<Sessions>,
    /// The session of each person who has a socket here.
    people: Mutex<HashMap<UserId, TokenHash>>,
    sockets: AtomicUsize,
    /// The last of them went.
    last_gone: Notify,
    pub lease: Lease,
    /// Presence of one person in one room that the engine has to be told of.
    unsaid: Work<(RoomKey, UserId)>,
    /// Rooms whose presence changed somewhere.
    stale: Work<RoomKey>,
    /// Rooms of which a commit went unreported: whether the engine follows them is to be made sure of.
    unheard: Work<RoomKey>,
    /// Every ring has to be compared with its log.
    doubt: Doubt,
    /// Refills that read at a time.
    refills: Semaphore,
    /// Sockets are told to move, and no new ones are taken.
    stopping: AtomicBool,
    /// What is left is closed.
    stopped: AtomicBool,
    stop: Notify,
    tasks: TaskTracker,
    /// For tasks that are started from an engine's own thread.
    runtime: Handle,
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

/// A set of things to do; a thing put in twice before it is done is done once. They are taken in the order of their names.
struct Work<T> {
    todo: Mutex<BTreeSet<T>>,
    some: Notify,
}

/// Set by whoever doubts, taken by whoever looks.
#[derive(Default)]
struct Doubt {
    raised: AtomicBool,
    news: Notify,
}

impl Doubt {
    fn raise(&self) {
        self.raised.store(true, Ordering::Release);
        self.news.notify_one();
    }

    fn take(&self) -> bool {
        self.raised.swap(false, Ordering::AcqRel)
    }
}

impl<T: Ord> Work<T> {
    fn new() -> Self {
        Self { todo: Mutex::new(BTreeSet::new()), some: Notify::new() }
    }

    fn add(&self, thing: T) {
        lock(&self.todo).insert(thing);
        self.some.notify_one();
    }

    async fn take(&self) -> BTreeSet<T> {
        loop {
            let todo = std::mem::take(&mut *lock(&self.todo));
            if !todo.is_empty() {
                return todo;
            }
            self.some.notified().await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every critical section below is a few map operations; a panic elsewhere leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a room cannot be joined.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    #[error("there is no such room")]
    Unknown,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Hub {
    /// A hub attached to `engine`, with its background tasks started.
    pub fn start(engine: Arc<dyn Engine>, config: &Config) -> Arc<Self> {
        Self::start_with(engine, config, Arc::new(random_id))
    }

    /// The same with another source of random numbers, of which sessions' tokens are made as well.
    pub fn start_with(engine: Arc<dyn Engine>, config: &Config, random: Random) -> Arc<Self> {
        let hub = Arc::new(Self {
            lease: Lease::new(!engine.may_miss()),
            engine,
            random,
            session_use: config.session_ttl / SESSION_USES,
            budget: Arc::new(Budget::new(config.ring_mib as usize * 1024 * 1024)),
            rooms: Mutex::default(),
            sessions: Mutex::default(),
            people: Mutex::default(),
            sockets: AtomicUsize::new(0),
            last_gone: Notify::new(),
            unsaid: Work::new(),
            stale: Work::new(),
            unheard: Work::new(),
            doubt: Doubt::default(),
            refills: Semaphore::new(refill::AT_ONCE),
            stopping: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            stop: Notify::new(),
            tasks: TaskTracker::new(),
            runtime: Handle::current(),
        });
        hub.engine.attach(Arc::new(Sink(Arc::downgrade(&hub))));
        upkeep::start(&hub);
        hub
    }

    /// A random number, for whatever this instance draws one for.
    pub fn random(&self) -> u64 {
        (self.random)()
    }

    /// The room, followed from now on, with a socket of `person` counted in it.
    ///
    /// # Errors
    /// There is no such room, or the store did not answer.
    pub async fn enter(
        self: &Arc<Self>,
        key: &RoomKey,
        person: &Person,
        wake: &Arc<Wake>,
    ) -> Result<Arc<Room>, EnterError> {
        loop {
            let room = match self.known(key) {
                Some(room) => room,
                None => self.learn(key).await?,
            };
            let mut life = room.life.lock().await;
            match *life {
                Life::Retired => continue,
                Life::Live => {}
                Life::Idle => {
                    self.go_live(&room).await?;
                    *life = Life::Live;
                }
            }
            room.add_wake(wake);
            self.count_in(&room, person);
            drop(life);
            return Ok(room);
        }
    }

    /// A socket of `user` left the room. `for_good`: by a word, not by losing its connection.
    pub fn exit(&self, room: &Room, user: UserId, wake: &Arc<Wake>, for_good: bool) {
        room.remove_wake(wake);
        self.count_out(room, user, for_good);
    }

    /// A socket of `user` that stays in the room has not been heard of for long: nobody is there.
    pub fn away(&self, room: &Room, user: UserId) {
        self.count_out(room, user, true);
    }

    /// It was heard of again.
    pub fn back(&self, room: &Room, person: &Person) {
        self.count_in(room, person);
    }

    fn count_out(&self, room: &Room, user: UserId, for_good: bool) {
        let mut presence = room.presence();
        let Some(local) = presence.here.get_mut(&user) else { return };
        local.sockets = local.sockets.saturating_sub(1);
        if local.sockets > 0 {
            return;
        }
        if for_good {
            presence.here.remove(&user);
            drop(presence);
            self.unsaid.add((room.key().clone(), user));
        } else {
            local.gone = Some(Instant::now());
        }
    }

    fn count_in(&self, room: &Room, person: &Person) {
        let mut presence = room.presence();
        let local = presence.here.entry(person.id).or_insert_with(|| {
            self.unsaid.add((room.key().clone(), person.id));
            LocalPerson { person: person.clone(), sockets: 0, gone: None }
        });
        local.sockets += 1;
        local.gone = None;
    }

    fn known(&self, key: &RoomKey) -> Option<Arc<Room>> {
        lock(&self.rooms).get(key).cloned()
    }

    async fn learn(&self, key: &RoomKey) -> Result<Arc<Room>, EnterError> {
        let room = self.engine.room(key).await?.ok_or(EnterError::Unknown)?;
        let fresh = || Arc::new(Room::new(room, self.budget.clone(), self.random()));
        Ok(lock(&self.rooms).entry(key.clone()).or_insert_with(fresh).clone())
    }

    /// Follow, then read where the log ends: whatever is committed in between waits in the room and is merged by seq.
    async fn go_live(self: &Arc<Self>, room: &Arc<Room>) -> Result<(), EnterError> {
        self.engine.follow(room.key()).await?;
        let read = async {
            let top = self.engine.top(room.key()).await?.ok_or(EnterError::Unknown)?;
            Ok((top, self.engine.people(room.key()).await?))
        };
        match read.await {
            Ok((top, people)) => {
                if room.seed(top).needs_refill() {
                    self.refill(room);
                }
                room.set_people(people, false);
                Ok(())
            }
            Err(error) => {
                self.engine.unfollow(room.key()).await;
                room.unseed();
                Err(error)
            }
        }
    }

    /// Registers a socket, so that the end of its session and of the server reach it.
    pub fn add_socket(&self, session: &Session, wake: &Arc<Wake>) {
        let mut sessions = lock(&self.sessions);
        sessions.add(session.token, wake);
        lock(&self.people).insert(session.person.id, session.token);
        drop(sessions);
        self.sockets.fetch_add(1, Ordering::SeqCst);
        if self.stopped() {
            wake.stop();
        }
    }

    pub fn remove_socket(&self, session: &Session, wake: &Arc<Wake>) {
        let mut sessions = lock(&self.sessions);
        if sessions.remove(session.token, wake) {
            lock(&self.people).remove(&session.person.id);
        }
        if self.sockets.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.last_gone.notify_waiters();
        }
    }

    pub fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Has every socket tell its client to move to another instance; meanwhile they are served as before.
    pub fn drain(&self) {
        self.stopping.store(true, Ordering::Release);
        self.wake_sockets();
    }

    fn wake_sockets(&self) {
        lock(&self.sessions).each(Wake::news);
    }

    /// Has every socket that is left close, after the acknowledgements under way, and ends the background tasks.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.stopped.store(true, Ordering::Release);
        self.stop.notify_waiters();
        lock(&self.sessions).each(Wake::stop);
    }

    /// Waits until the last socket is gone.
    pub async fn drained(&self) {
        loop {
            // Before the count is read, so that a socket which goes in between is heard of.
            let mut gone = pin!(self.last_gone.notified());
            gone.as_mut().enable();
            if self.sockets.load(Ordering::SeqCst) == 0 {
                return;
            }
            gone.await;
        }
    }

    fn end_session(&self, token: TokenHash) {
        for wake in lock(&self.sessions).of(token) {
            wake.end();
        }
    }

    fn read(&self, user: UserId, room: &RoomKey, mark: ReadMark) {
        let Some(token) = lock(&self.people).get(&user).copied() else { return };
        for wake in lock(&self.sessions).of(token) {
            wake.mark(room, mark);
        }
    }

    fn miss_marks(&self) {
        lock(&self.sessions).each(Wake::miss_marks);
    }

    /// In the order of their turns.
    fn all_rooms(&self) -> Vec<Arc<Room>> {
        let mut rooms: Vec<_> = lock(&self.rooms).values().cloned().collect();
        rooms.sort_unstable_by(|a, b| a.turn.cmp(&b.turn).then_with(|| a.key().cmp(b.key())));
        rooms
    }

    fn tokens(&self) -> Vec<TokenHash> {
        lock(&self.sessions).in_order().map(|(token, _)| token).collect()
    }

    /// Reads the room's log from the ring's end on, once for all its sockets; see [`refill`].
    pub fn refill(self: &Arc<Self>, room: &Arc<Room>) {
        room.refill.again.store(true, Ordering::Release);
        if !room.refill.running.swap(true, Ordering::AcqRel) {
            self.tasks.spawn_on(refill::refill(self.clone(), room.clone()), &self.runtime);
        }
    }
}

/// The engine's way into the hub. Weak, because the hub owns the engine.
struct Sink(Weak<Hub>);

impl LiveSink for Sink {
    fn committed(&self, key: &RoomKey, record: Record) {
        let Some(hub) = self.0.upgrade() else { return };
        let Some(room) = hub.known(key) else { return };
        if room.committed(record).needs_refill() {
            hub.refill(&room);
        }
    }

    fn presence_changed(&self, key: &RoomKey) {
        if let Some(hub) = self.0.upgrade() {
            hub.stale.add(key.clone());
        }
    }

    fn session_ended(&self, token: TokenHash) {
        if let Some(hub) = self.0.upgrade() {
            hub.end_session(token);
        }
    }

    fn read(&self, user: UserId, key: &RoomKey, mark: ReadMark) {
        if let Some(hub) = self.0.upgrade() {
            hub.read(user, key, mark);
        }
    }

    fn typing(&self, key: &RoomKey, person: Person) {
        let Some(hub) = self.0.upgrade() else { return };
        if let Some(room) = hub.known(key) {
            hub.typing(&room, person);
        }
    }

    fn doubt(&self, key: Option<&RoomKey>) {
        let Some(hub) = self.0.upgrade() else { return };
        let Some(key) = key else {
            hub.miss_marks();
            // Which of the logs went on is asked for all of them together.
            hub.doubt.raise();
            for room in hub.all_rooms() {
                hub.stale.add(room.key().clone());
            }
            return;
        };
        if let Some(room) = hub.known(key) {
            hub.refill(&room);
            hub.stale.add(room.key().clone());
        }
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

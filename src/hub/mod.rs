//! Between the engine and the sockets of this instance.
//!
//! | module | what it is for |
//! |---|---|
//! | [`ring`] | a room's recent frames, each encoded once |
//! | [`room`] | a room on this instance: ring, sockets, people |
//! | `sockets` | the sockets of this instance, by their sessions |
//! | `sink` | what the engine reports |
//! | `work` | what is to be done, until its task does it |
//! | [`wake`] | how a socket's task is told that there is something to do |
//! | [`presence`] | who came, who went, who is here |
//! | [`typing`] | who is typing |
//! | [`notice`] | what everybody is told |
//! | [`refill`] | bringing a room's ring up to its log |
//! | [`compare`] | whether the rings end where the logs end |
//! | [`lease`] | for how long the sessions of its sockets count |
//! | [`upkeep`] | the other background tasks: presence, sessions, idle rooms |
//!
//! A socket holds no queue: it has a cursor per room, is woken when a ring changed, and takes what follows its cursor.

mod compare;
pub mod lease;
pub mod notice;
pub mod presence;
mod refill;
pub mod ring;
pub mod room;
mod sink;
mod sockets;
pub mod typing;
mod upkeep;
pub mod wake;
mod work;

use crate::config::Config;
use crate::metrics::{Metrics, number};
use crate::{
    engine::{Engine, Random, random_id},
    store::{Session, StoreError, Vitals},
};
use app::{
    domain::{RoomKey, UserId},
    protocol::Person,
};
use lease::Lease;
use notice::NoticeBoard;
use presence::LocalPerson;
use room::{Budget, Life, Room};
use sink::Sink;
use sockets::SocketRegistry;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::Semaphore,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use wake::Wake;
use work::{Doubt, Work, lock};

/// How many times within its time to live a session is said to be used while it has a socket.
const SESSION_USES: u32 = 48;

/// How long a store may take to say how it is.
const STORE_ANSWERS_WITHIN: Duration = Duration::from_secs(2);

pub struct Hub {
    engine: Arc<dyn Engine>,
    /// The operating system's, unless a test wants the same numbers again.
    random: Random,
    /// How often an open socket counts as use of its session.
    session_use: Duration,
    budget: Arc<Budget>,
    pub metrics: Arc<Metrics>,
    rooms: Mutex<HashMap<RoomKey, Arc<Room>>>,
    sockets: SocketRegistry,
    pub lease: Lease,
    pub notice: NoticeBoard,
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
    /// What is left is closed, and the background tasks end.
    stopped: CancellationToken,
    /// For tasks that are started from an engine's own thread.
    runtime: Handle,
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
        let meters = engine.meters();
        let hub = Arc::new(Self {
            lease: Lease::new(!engine.may_miss()),
            engine,
            random,
            session_use: config.session_ttl / SESSION_USES,
            budget: Arc::new(Budget::new(config.ring_mib as usize * 1024 * 1024)),
            metrics: Arc::new(Metrics::new(&meters)),
            rooms: Mutex::default(),
            sockets: SocketRegistry::default(),
            notice: NoticeBoard::default(),
            unsaid: Work::new(),
            stale: Work::new(),
            unheard: Work::new(),
            doubt: Doubt::default(),
            refills: Semaphore::new(refill::AT_ONCE),
            stopping: AtomicBool::new(false),
            stopped: CancellationToken::new(),
            runtime: Handle::current(),
        });
        hub.engine.attach(Arc::new(Sink(Arc::downgrade(&hub))));
        upkeep::start(&hub);
        hub
    }

    /// Sets the gauges that say how this instance and its store are now.
    pub async fn measure(&self) {
        let metrics = &self.metrics;
        metrics.rooms_live.set(number(lock(&self.rooms).len()));
        metrics.ring_bytes.set(number(self.budget.used_bytes()));
        metrics.ring_limit_bytes.set(number(self.budget.max_bytes));
        metrics.lease_age_seconds.set(self.lease.age().map_or(f64::NAN, |age| age.as_secs_f64()));
        let asked = Instant::now();
        let writable = timeout(STORE_ANSWERS_WITHIN, self.engine.writable()).await;
        metrics.store_up.set(if matches!(writable, Ok(Ok(()))) { 1.0 } else { 0.0 });
        metrics.store_ping_seconds.set(asked.elapsed().as_secs_f64());
        let vitals = timeout(STORE_ANSWERS_WITHIN, self.engine.vitals()).await;
        metrics.set_vitals(&vitals.unwrap_or_else(|_| Vitals::default()));
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
        self.sockets.add(session, wake);
        if self.stopped() {
            wake.stop();
        }
    }

    pub fn remove_socket(&self, session: &Session, wake: &Arc<Wake>) {
        self.sockets.remove(session, wake);
    }

    pub fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub fn stopped(&self) -> bool {
        self.stopped.is_cancelled()
    }

    /// Has every socket tell its client to move to another instance; meanwhile they are served as before.
    pub fn drain(&self) {
        self.stopping.store(true, Ordering::Release);
        self.sockets.each(Wake::news);
    }

    /// Has every socket that is left close, after the acknowledgements under way, and ends the background tasks.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.stopped.cancel();
        self.sockets.each(Wake::stop);
    }

    /// Waits until the last socket is gone.
    pub async fn drained(&self) {
        self.sockets.gone().await;
    }

    /// In the order of their turns.
    fn all_rooms(&self) -> Vec<Arc<Room>> {
        let mut rooms: Vec<_> = lock(&self.rooms).values().cloned().collect();
        rooms.sort_unstable_by(|a, b| a.turn.cmp(&b.turn).then_with(|| a.key().cmp(b.key())));
        rooms
    }

    /// Reads the room's log from the ring's end on, once for all its sockets; see [`refill`].
    pub fn refill(self: &Arc<Self>, room: &Arc<Room>) {
        room.refill.again.store(true, Ordering::Release);
        if !room.refill.running.swap(true, Ordering::AcqRel) {
            self.metrics.refills.inc();
            self.runtime.spawn(refill::refill(self.clone(), room.clone()));
        }
    }
}

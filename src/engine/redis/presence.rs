//! Who is where: each instance writes down who is at its sockets, under an id whose lease it keeps renewing.
//!
//! What this instance wrote can be trusted only as long as every write succeeded and the lease never lapsed. After
//! either it takes another id and enters everyone again; what stands under the old id counts for nothing.

use super::{
    Redis,
    clock::ServerClock,
    cluster::is_away,
    condition::MonitoredClient,
    keys::{Keys, PRESENCE_CHANGED, RoomKeys},
    script::{ENTER, LEAVE, LIVE_INSTANCES, RENEW_LEASE},
    subscriptions::Subscriptions,
};
use crate::{
    engine::{Presence, StoreError, in_order, random_id},
    metrics::StoreMeters,
};
use app::{
    domain::{RoomKey, UserId, UserName},
    protocol::Person,
};
use async_trait::async_trait;
use fred::{
    prelude::{HashesInterface, KeysInterface, Value},
    types::Expiration,
};
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::RwLock;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, info, warn};

use super::directory::stored;

/// People entered or removed by one command.
const BATCH: usize = 250;

#[async_trait]
impl Presence for Redis {
    async fn enter(&self, room: &RoomKey, person: &Person) -> Result<(), StoreError> {
        self.here.enter(room, person).await
    }

    async fn leave(&self, room: &RoomKey, user: UserId) -> Result<(), StoreError> {
        self.here.leave(room, user).await
    }

    async fn people(&self, room: &RoomKey) -> Result<Vec<Person>, StoreError> {
        self.here.people(&self.keys.room(room)).await
    }
}

type Rooms = HashMap<RoomKey, HashMap<UserId, UserName>>;

/// The presence of this instance.
pub struct Here {
    client: MonitoredClient,
    keys: Keys,
    lease: Duration,
    clock: Arc<ServerClock>,
    /// Written only while everyone is entered anew under it.
    instance: RwLock<Instance>,
    /// The truth about this instance, whatever Redis knows of it.
    rooms: Mutex<Rooms>,
    /// Redis may say something else than `rooms`.
    doubtful: AtomicBool,
    /// Rooms in which nobody could be entered under the present id, since the part of a Cluster that holds them was away.
    owed: Mutex<HashSet<RoomKey>>,
    /// The instances that were alive when Redis told last.
    alive: Mutex<HashSet<String>>,
    meters: StoreMeters,
    /// What is told of this instance beside its lease.
    announcement: OnceLock<String>,
}

#[derive(Clone, PartialEq, Eq)]
struct Instance(String);

impl Instance {
    fn new() -> Self {
        Self(format!("{:016x}", random_id()))
    }

    fn field(&self, user: UserId) -> String {
        format!("{}:{user}", self.0)
    }
}

impl Here {
    pub fn new(
        client: MonitoredClient,
        keys: Keys,
        lease: Duration,
        clock: Arc<ServerClock>,
        meters: StoreMeters,
    ) -> Self {
        Self {
            client,
            keys,
            lease,
            clock,
            instance: RwLock::new(Instance::new()),
            rooms: Mutex::default(),
            doubtful: AtomicBool::new(false),
            owed: Mutex::default(),
            alive: Mutex::default(),
            meters,
            announcement: OnceLock::new(),
        }
    }

    /// Takes out the lease and keeps it.
    pub async fn start(
        self: &Arc<Self>,
        subscriptions: Arc<Subscriptions>,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Result<(), StoreError> {
        let first = self.instance.read().await.clone();
        let (_, alive) = self.renew(&first, true, None).await?;
        let (here, stop) = (self.clone(), stop.clone());
        tasks.spawn(async move {
            let (mut alive, mut made_again) = (alive, 0);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(here.lease / 3) => {}
                }
                let times = subscriptions.times_made_again();
                if times != made_again {
                    // The server was away, and may have come back with what it knew long ago.
                    made_again = times;
                    here.doubtful.store(true, Ordering::Release);
                }
                match here.keep().await {
                    Ok(now) => {
                        // Nobody else notices for us: a dead instance tells no one.
                        if alive.difference(&now).next().is_some() {
                            subscriptions.report_presence_everywhere();
                        }
                        alive = now;
                    }
                    Err(error) => warn!(%error, "this instance's presence could not be renewed; trying again"),
                }
            }
        });
        Ok(())
    }

    /// The present id.
    pub async fn id(&self) -> String {
        self.instance.read().await.0.clone()
    }

    /// Has `text` stand beside the lease. It is set once.
    pub async fn announce(&self, text: String) {
        let _ = self.announcement.set(text);
        let instance = self.instance.read().await.clone();
        self.tell(&instance).await;
    }

    async fn tell(&self, instance: &Instance) {
        let Some(text) = self.announcement.get() else { return };
        let lease = Expiration::PX(i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX));
        let key = self.keys.instance(&instance.0);
        // Nothing depends on it; the next renewal writes it again.
        if let Err(error) = self.client.set::<(), _, _>(key, text.as_str(), Some(lease), None, false).await {
            debug!(%error, "the others were not told how this instance was started");
        }
    }

    /// Renews the lease; returns the instances that are alive.
    async fn keep(&self) -> Result<HashSet<String>, StoreError> {
        let instance = self.instance.read().await.clone();
        if !self.doubtful.load(Ordering::Acquire) {
            let (held, alive) = self.renew(&instance, false, None).await?;
            if held {
                self.tell(&instance).await;
                self.enter_owed().await?;
                return Ok(alive);
            }
            self.meters.presence_lapses.inc();
            info!("this instance's lease lapsed; entering everyone again");
        }
        self.enter_everyone_again().await
    }

    async fn enter_everyone_again(&self) -> Result<HashSet<String>, StoreError> {
        let mut instance = self.instance.write().await;
        let (old, new) = (instance.clone(), Instance::new());
        self.doubtful.store(true, Ordering::Release);
        // Until then the old id counts: to those who cannot be told of the new one either.
        let (_, alive) = self.renew(&new, true, Some(&old)).await?;
        *instance = new;
        self.tell(&instance).await;
        *lock(&self.owed) = self.rooms().keys().cloned().collect();
        self.enter_all_owed(&instance).await?;
        self.doubtful.store(false, Ordering::Release);
        Ok(alive)
    }

    async fn enter_owed(&self) -> Result<(), StoreError> {
        if lock(&self.owed).is_empty() {
            return Ok(());
        }
        // Nobody leaves meanwhile who would then be entered.
        let instance = self.instance.write().await;
        self.enter_all_owed(&instance).await
    }

    /// Enters everyone in the rooms where that is due; those on a server that is away stay due.
    async fn enter_all_owed(&self, instance: &Instance) -> Result<(), StoreError> {
        let owed = lock(&self.owed).clone();
        for room in owed {
            let people: Vec<_> = self.rooms().get(&room).cloned().unwrap_or_default().into_iter().collect();
            match self.enter_many(instance, &room, &people).await {
                Ok(()) => {
                    lock(&self.owed).remove(&room);
                }
                Err(error) if is_away(&error.0) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn enter_many(
        &self,
        instance: &Instance,
        room: &RoomKey,
        people: &[(UserId, UserName)],
    ) -> Result<(), StoreError> {
        for some in people.chunks(BATCH) {
            self.write_entered(instance, room, some).await?;
        }
        Ok(())
    }

    async fn renew(
        &self,
        instance: &Instance,
        first: bool,
        old: Option<&Instance>,
    ) -> Result<(bool, HashSet<String>), StoreError> {
        let lease = u64::try_from(self.lease.as_millis()).unwrap_or(u64::MAX);
        let args = vec![
            instance.0.as_str().into(),
            lease.to_string().into(),
            if first { "first" } else { "again" }.into(),
            old.map_or("", |old| &old.0).into(),
        ];
        let answer: Vec<String> = RENEW_LEASE.run(&self.client, vec![self.keys.instances()], args).await?;
        let mut answer = answer.into_iter();
        let held = answer.next().as_deref() == Some("held");
        if let Some(now) = answer.next().and_then(|now| now.parse().ok()) {
            self.clock.told(now);
        }
        let alive: HashSet<_> = answer.collect();
        lock(&self.alive).clone_from(&alive);
        Ok((held, alive))
    }

    async fn enter(&self, room: &RoomKey, person: &Person) -> Result<(), StoreError> {
        let instance = self.instance.read().await;
        self.rooms().entry(room.clone()).or_default().insert(person.id, person.name.clone());
        let written = self.write_entered(&instance, room, &[(person.id, person.name.clone())]).await;
        self.doubt_if_failed(written)
    }

    async fn leave(&self, room: &RoomKey, user: UserId) -> Result<(), StoreError> {
        let instance = self.instance.read().await;
        {
            let mut rooms = self.rooms();
            if let Some(people) = rooms.get_mut(room) {
                people.remove(&user);
                if people.is_empty() {
                    rooms.remove(room);
                }
            }
        }
        let keys = self.keys.room(room);
        let args = vec![PRESENCE_CHANGED.into(), instance.field(user).into()];
        let written = LEAVE.run::<()>(&self.client, vec![keys.people(), keys.channel()], args).await;
        self.doubt_if_failed(written.map_err(StoreError::from))
    }

    async fn write_entered(
        &self,
        instance: &Instance,
        room: &RoomKey,
        people: &[(UserId, UserName)],
    ) -> Result<(), StoreError> {
        let keys = self.keys.room(room);
        let mut args: Vec<Value> = vec![PRESENCE_CHANGED.into()];
        for (user, name) in people {
            args.extend([instance.field(*user).into(), name.as_str().into()]);
        }
        Ok(ENTER.run::<()>(&self.client, vec![keys.people(), keys.channel()], args).await?)
    }

    /// A write that failed may still have happened, or will be missing: the next renewal sets it right. One for a server that
    /// is away did not happen, and is made again by whoever asked for it.
    fn doubt_if_failed(&self, written: Result<(), StoreError>) -> Result<(), StoreError> {
        if written.as_ref().is_err_and(|error| !is_away(&error.0)) {
            self.doubtful.store(true, Ordering::Release);
        }
        written
    }

    pub async fn people(&self, room: &RoomKeys) -> Result<Vec<Person>, StoreError> {
        let fields: HashMap<String, String> = self.client.hgetall(room.people()).await?;
        let own = self.instance.read().await.0.clone();
        let mut alive = HashSet::from([own]);
        let mut is_told = true;
        if fields.keys().any(|field| !is_of(field, &alive)) {
            // Asked after the fields were read: an instance has its lease before it writes its first field.
            match LIVE_INSTANCES.run::<Vec<String>>(&self.client, vec![self.keys.instances()], vec![]).await {
                Ok(others) => {
                    *lock(&self.alive) = others.iter().cloned().collect();
                    alive.extend(others);
                }
                // Whoever was alive counts until somebody can tell.
                Err(error) if is_away(error.details()) => {
                    is_told = false;
                    alive.extend(lock(&self.alive).iter().cloned());
                }
                Err(error) => return Err(error.into()),
            }
        }
        let (live, dead): (Vec<_>, Vec<_>) = fields.into_iter().partition(|(field, _)| is_of(field, &alive));
        if is_told && !dead.is_empty() {
            let dead: Vec<String> = dead.into_iter().map(|(field, _)| field).collect();
            if let Err(error) = self.client.hdel::<(), _, _>(room.people(), dead).await {
                warn!(%error, "the presence of a dead instance was not removed");
            }
        }
        let mut people = Vec::with_capacity(live.len());
        for (field, name) in live {
            let user = field.split_once(':').and_then(|(_, user)| user.parse::<UserId>().ok());
            if let Some(id) = user {
                people.push(Person { id, name: stored(name)? });
            }
        }
        people.sort_unstable_by(in_order);
        people.dedup();
        Ok(people)
    }

    /// Takes this instance and its people away.
    pub async fn release(&self) {
        let instance = self.instance.write().await;
        let rooms = std::mem::take(&mut *self.rooms());
        for (room, people) in rooms {
            let keys = self.keys.room(&room);
            let fields: Vec<Value> = people.into_keys().map(|user| instance.field(user).into()).collect();
            for some in fields.chunks(BATCH) {
                let args = [&[PRESENCE_CHANGED.into()], some].concat();
                if let Err(error) = LEAVE.run::<()>(&self.client, vec![keys.people(), keys.channel()], args).await {
                    // The lease ends it all the same.
                    warn!(%error, "presence could not be released");
                    if is_away(error.details()) {
                        break;
                    }
                    return;
                }
            }
        }
        if self.announcement.get().is_some() {
            // It runs out by itself.
            let _ = self.client.del::<(), _>(self.keys.instance(&instance.0)).await;
        }
        let gone = Instance(String::new());
        let lapsed = self.renew(&gone, false, Some(&instance)).await;
        if let Err(error) = lapsed {
            warn!(%error, "this instance's lease could not be released");
        }
    }

    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        lock(&self.rooms)
    }
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_of(field: &str, instances: &HashSet<String>) -> bool {
    field.split_once(':').is_some_and(|(instance, _)| instances.contains(instance))
}

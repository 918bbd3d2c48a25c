//! The one connection on which this instance hears of everything that happens to rooms it follows.
//!
//! Nothing is assumed to arrive: whenever something may have been missed (a reconnect, a slow reader, a late answer to a
//! ping, fewer subscriptions than there should be) every subscription is made again and confirmed, and then the sink is
//! told to doubt.

use super::{
    cluster::redirected,
    connection::{PING_EVERY, PING_LATE, make_anew},
    control::Word,
    keys::{Keys, PRESENCE_CHANGED, TYPING},
    log::record,
};
use crate::{
    engine::{LiveSink, StoreError, TokenHash, random_id},
    metrics::StoreMeters,
};
use app::{
    domain::{RoomKey, UserId},
    protocol::ReadMark,
};
use fred::{
    bytes_utils::Str,
    clients::SubscriberClient,
    prelude::{ClientLike, Error, EventInterface, Options, PubsubInterface},
    types::{ClusterHash, CustomCommand, Message},
};
use futures_util::{StreamExt, stream};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Mutex as AsyncMutex, Notify, broadcast::error::RecvError},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, info, warn};

/// A node of a Cluster that gives a slot away ends its subscriptions, which fred does not report: they are made again.
/// So they are where the server does not say how many it has.
const SWEEP: Duration = Duration::from_secs(10);
const RESUBSCRIBE_AT_ONCE: usize = 64;
const RETRY: Duration = Duration::from_millis(100);
const UNTOLD_EVERY: Duration = Duration::from_mins(1);

/// Subscribes and waits for the confirmation. An unsubscription is not waited for, so that the answer to one that the server does
/// not permit is taken for this one's: it is asked again then.
pub async fn subscribe(client: &SubscriberClient, channel: &str) -> Result<(), Error> {
    loop {
        match redirected(|| client.ssubscribe(channel)).await {
            Err(error) if is_about_an_unsubscription(&error) => {}
            answer => return answer,
        }
    }
}

fn is_about_an_unsubscription(error: &Error) -> bool {
    error.details().contains("'sunsubscribe'")
}

pub struct Subscriptions {
    client: SubscriberClient,
    keys: Keys,
    control: String,
    /// Marks what this instance said itself on the control channel.
    origin: String,
    sink: OnceLock<Arc<dyn LiveSink>>,
    followed: Mutex<HashMap<String, Arc<Followed>>>,
    resubscribe: Notify,
    /// How often all of them had to be made again.
    made_again: AtomicU64,
    /// They are just being made again.
    making: AtomicBool,
    /// Whether the server says how many subscriptions it has: it may forbid the question.
    counted: AtomicBool,
    /// Whether rooms are unsubscribed from: once that was refused it is not tried any more, for its answer would be taken for
    /// another command's.
    unsubscribes: AtomicBool,
    /// When it was last said that nobody is told.
    untold: Mutex<Option<Instant>>,
    meters: StoreMeters,
}

struct Followed {
    room: RoomKey,
    /// Whether messages are passed on: from before the subscription is asked for until it is given up.
    on: AtomicBool,
    /// Whether the server confirmed the subscription.
    confirmed: AtomicBool,
    /// One change at a time, in the order asked for.
    gate: AsyncMutex<()>,
}

impl Subscriptions {
    pub fn new(client: SubscriberClient, keys: Keys, meters: StoreMeters) -> Self {
        Self {
            client,
            control: keys.control_channel(),
            keys,
            origin: format!("{:016x}", random_id()),
            sink: OnceLock::new(),
            followed: Mutex::default(),
            resubscribe: Notify::new(),
            made_again: AtomicU64::new(0),
            making: AtomicBool::new(false),
            counted: AtomicBool::new(true),
            unsubscribes: AtomicBool::new(true),
            untold: Mutex::default(),
            meters,
        }
    }

    /// The connection that is subscribed.
    pub fn client(&self) -> &SubscriberClient {
        &self.client
    }

    pub fn attach(&self, sink: Arc<dyn LiveSink>) {
        if self.sink.set(sink).is_err() {
            warn!("a second sink was attached and is ignored");
        }
    }

    /// Hears the control channel and starts the tasks.
    pub async fn start(self: &Arc<Self>, tasks: &TaskTracker, stop: &CancellationToken) -> Result<(), StoreError> {
        let stop = || stop.clone();
        tasks.spawn(self.clone().hear(stop()));
        tasks.spawn(self.clone().make_again(stop()));
        tasks.spawn(self.clone().ping(stop()));
        Ok(self.subscribe(&self.control).await?)
    }

    /// [`subscribe`]s, and takes note where rooms cannot be unsubscribed from: what is left over then makes the server's count
    /// useless, too.
    async fn subscribe(&self, channel: &str) -> Result<(), Error> {
        let first = redirected(|| self.client.ssubscribe(channel)).await;
        if !first.as_ref().is_err_and(is_about_an_unsubscription) {
            return first;
        }
        self.unsubscribes.store(false, Ordering::Relaxed);
        self.counted.store(false, Ordering::Relaxed);
        subscribe(&self.client, channel).await
    }

    pub async fn follow(&self, room: &RoomKey) -> Result<(), StoreError> {
        let channel = self.keys.room(room).channel();
        let followed = {
            let new = || Arc::new(Followed::new(room.clone()));
            self.followed().entry(channel.clone()).or_insert_with(new).clone()
        };
        let _turn = followed.gate.lock().await;
        followed.on.store(true, Ordering::Release);
        // Again even if it was followed already: the confirmation is the promise.
        match self.subscribe(&channel).await {
            Ok(()) => {
                followed.confirmed.store(true, Ordering::Release);
                Ok(())
            }
            Err(error) => {
                self.give_up(&channel, &followed);
                Err(error.into())
            }
        }
    }

    pub async fn follow_again(&self, room: &RoomKey) -> Result<(), StoreError> {
        let channel = self.keys.room(room).channel();
        let Some(followed) = self.followed().get(&channel).cloned() else { return Ok(()) };
        Ok(self.subscribe_again(&channel, &followed).await?)
    }

    async fn subscribe_again(&self, channel: &str, followed: &Followed) -> Result<(), Error> {
        let _turn = followed.gate.lock().await;
        if !followed.on.load(Ordering::Acquire) {
            return Ok(());
        }
        self.subscribe(channel).await
    }

    pub async fn unfollow(&self, room: &RoomKey) {
        let channel = self.keys.room(room).channel();
        let Some(followed) = self.followed().get(&channel).cloned() else { return };
        let _turn = followed.gate.lock().await;
        self.give_up(&channel, &followed);
        if self.unsubscribes.load(Ordering::Relaxed)
            && let Err(error) = self.client.sunsubscribe(channel.as_str()).await
        {
            // What still arrives is passed to nobody.
            debug!(%error, "a room could not be unsubscribed");
        }
    }

    /// Passes nothing on any more, and forgets the room unless somebody waits for their turn with it.
    fn give_up(&self, channel: &str, mine: &Arc<Followed>) {
        mine.on.store(false, Ordering::Release);
        mine.confirmed.store(false, Ordering::Release);
        let mut followed = self.followed();
        // One reference is the map's, one the caller's; others are taken under this lock.
        if Arc::strong_count(mine) == 2 {
            followed.remove(channel);
        }
    }

    /// By what the others tell this instance's words from their own.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    pub fn report_ended(&self, token: TokenHash) {
        self.report(|sink| sink.session_ended(token));
    }

    pub fn report_read(&self, user: UserId, room: &RoomKey, mark: ReadMark) {
        self.report(|sink| sink.read(user, room, mark));
    }

    /// Commits to a room may have been missed.
    pub fn report_doubt(&self, room: &RoomKey) {
        self.report(|sink| sink.doubt(Some(room)));
    }

    /// An entry was written, and nobody could be told. The other instances find it when they compare.
    pub fn report_untold(&self, room: &RoomKey, why: &str) {
        let mut told = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|at| at.elapsed() >= UNTOLD_EVERY) {
            *told = Some(Instant::now());
            warn!(why, "messages are written, but the instances cannot be told of them: they find them by comparing");
        }
        drop(told);
        self.report_doubt(room);
    }

    /// Presence may have changed in any room: an instance died.
    pub fn report_presence_everywhere(&self) {
        for (_, followed) in self.all_followed() {
            self.report(|sink| sink.presence_changed(&followed.room));
        }
    }

    fn report(&self, what: impl FnOnce(&dyn LiveSink)) {
        if let Some(sink) = self.sink.get() {
            what(&**sink);
        }
    }

    /// Closes the connection.
    pub async fn close(&self) -> Result<(), StoreError> {
        Ok(self.client.quit().await?)
    }

    async fn hear(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let mut messages = self.client.message_rx();
            let mut reconnects = self.client.reconnect_rx();
            let mut moves = self.client.cluster_change_rx();
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    message = messages.recv() => match message {
                        Ok(message) => self.pass_on(&message),
                        Err(RecvError::Lagged(missed)) => {
                            warn!(missed, "messages from Redis came faster than they were read; reading the logs");
                            self.report(|sink| sink.doubt(None));
                        }
                        // The client replaces its channels when it is closed.
                        Err(RecvError::Closed) => break,
                    },
                    reconnect = reconnects.recv() => match reconnect {
                        Err(RecvError::Closed) => break,
                        _ => self.resubscribe.notify_one(),
                    },
                    moved = moves.recv() => match moved {
                        Err(RecvError::Closed) => break,
                        _ => self.resubscribe.notify_one(),
                    },
                }
            }
            tokio::time::sleep(RETRY).await;
            self.resubscribe.notify_one();
        }
    }

    fn pass_on(&self, message: &Message) {
        let Some(text) = message.value.as_str() else { return };
        if *message.channel == *self.control {
            match Word::from_elsewhere(&text, &self.origin) {
                Some(Word::Ended(token)) => self.report_ended(token),
                Some(Word::Read(user, room, mark)) => self.report_read(user, &room, mark),
                None => {}
            }
            return;
        }
        let Some(followed) = self.followed().get(&*message.channel).cloned() else { return };
        if !followed.on.load(Ordering::Acquire) {
            return;
        }
        if text == PRESENCE_CHANGED {
            self.report(|sink| sink.presence_changed(&followed.room));
        } else if let Some(person) = text.strip_prefix(TYPING) {
            if let Ok(person) = serde_json::from_str(person) {
                self.report(|sink| sink.typing(&followed.room, person));
            }
        } else if let Some(record) = record(&text) {
            self.report(|sink| sink.committed(&followed.room, record));
        } else {
            // From a later version, or not from Hubbub at all: the log has the truth.
            debug!("a message on a room's channel is not readable");
            self.report(|sink| sink.doubt(Some(&followed.room)));
        }
    }

    /// Makes every subscription again when asked to, until all are confirmed.
    async fn make_again(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let swept = self.client.is_clustered() || !self.counted.load(Ordering::Relaxed);
            let sweep = tokio::select! {
                () = stop.cancelled() => return,
                () = self.resubscribe.notified() => false,
                () = tokio::time::sleep(SWEEP) => true,
            };
            if sweep && !swept {
                continue;
            }
            self.making.store(true, Ordering::Release);
            while !self.subscribe_all().await {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(RETRY) => {}
                }
            }
            self.making.store(false, Ordering::Release);
            if !sweep {
                info!("subscribed again to everything in Redis");
                self.meters.resubscriptions.inc();
                self.made_again.fetch_add(1, Ordering::Release);
            }
            self.report(|sink| sink.doubt(None));
        }
    }

    async fn subscribe_all(&self) -> bool {
        let control = self.subscribe(&self.control).await;
        let rooms = stream::iter(self.all_followed())
            .map(|(channel, followed)| async move { self.subscribe_again(&channel, &followed).await })
            .buffer_unordered(RESUBSCRIBE_AT_ONCE)
            .collect::<Vec<_>>()
            .await;
        let failed = rooms.into_iter().chain([control]).find_map(Result::err);
        if let Some(error) = &failed {
            debug!(%error, "a room could not be subscribed again; trying again");
        }
        failed.is_none()
    }

    /// Keeps the connection from being idle, so that a dead one is noticed.
    async fn ping(self: Arc<Self>, stop: CancellationToken) {
        let mut late = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PING_EVERY) => {}
            }
            let expected = self.confirmed();
            let asked = tokio::time::timeout(PING_LATE, self.count()).await;
            let heard = match &asked {
                Ok(Ok(Some(count))) => *count,
                // The server does not count; then those count that it confirmed, unless they are being made again.
                Ok(Ok(None)) if !self.making.load(Ordering::Acquire) => self.confirmed(),
                _ => 0,
            };
            self.meters.subscribed(self.wanted(), heard);
            match asked {
                Ok(Ok(count)) => {
                    // What was given up in between is not missing.
                    let missing = count.is_some_and(|count| count < expected.min(self.confirmed()));
                    if (late || missing) && !self.making.load(Ordering::Acquire) {
                        self.resubscribe.notify_one();
                    }
                    late = false;
                }
                Ok(Err(_)) => late = true,
                Err(_) => {
                    late = true;
                    make_anew(&self.client).await;
                }
            }
        }
    }

    /// How many subscriptions the server says this connection has; nothing if it only answers.
    async fn count(&self) -> Result<Option<usize>, Error> {
        let mut count = self.counted.load(Ordering::Relaxed).then_some(0);
        for server in self.client.active_connections() {
            let cluster_node = self.client.is_clustered().then_some(server);
            let client = self.client.with_options(&Options { cluster_node, ..Options::default() });
            if let Some(sum) = count {
                let info = CustomCommand::new_static("CLIENT", ClusterHash::Random, false);
                match client.custom::<Str, _>(info, vec!["INFO"]).await {
                    Ok(info) => count = subscriptions_in(&info).map(|here| sum + here),
                    // What a server says that forbids or does not know the question; anything else is its silence.
                    Err(error) if error.details().starts_with("NOPERM") || error.details().starts_with("ERR") => {
                        count = None;
                    }
                    Err(error) => return Err(error),
                }
                if count.is_none() {
                    info!("Redis does not count subscriptions; they are made again from time to time");
                    self.counted.store(false, Ordering::Relaxed);
                }
            } else {
                client.ping::<()>(None).await?;
            }
        }
        Ok(count)
    }

    /// Subscriptions that the server confirmed: of rooms, and of the control channel.
    fn confirmed(&self) -> usize {
        let rooms = self.followed();
        rooms.values().filter(|followed| followed.confirmed.load(Ordering::Acquire)).count() + 1
    }

    /// Channels that there is something to hear on: of rooms, and the control channel.
    fn wanted(&self) -> usize {
        self.followed().values().filter(|followed| followed.on.load(Ordering::Acquire)).count() + 1
    }

    /// Rises when everything that an instance wrote about itself may be gone, because the server was away.
    pub fn times_made_again(&self) -> u64 {
        self.made_again.load(Ordering::Acquire)
    }

    fn all_followed(&self) -> Vec<(String, Arc<Followed>)> {
        let on = |(channel, followed): (&String, &Arc<Followed>)| {
            followed.on.load(Ordering::Acquire).then(|| (channel.clone(), followed.clone()))
        };
        self.followed().iter().filter_map(on).collect()
    }

    fn followed(&self) -> MutexGuard<'_, HashMap<String, Arc<Followed>>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Followed {
    fn new(room: RoomKey) -> Self {
        let (on, confirmed, gate) = (AtomicBool::new(false), AtomicBool::new(false), AsyncMutex::default());
        Self { room, on, confirmed, gate }
    }
}

/// How many channels a `CLIENT INFO` says the connection is subscribed to.
fn subscriptions_in(info: &str) -> Option<usize> {
    info.split_whitespace().find_map(|field| field.strip_prefix("ssub="))?.parse().ok()
}

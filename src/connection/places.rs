//! Which connections that are no sockets may stay open, where not all can.
//!
//! A connection that waits for its next request costs its client nothing to open again, so that it goes first. Those of proxies go
//! last: a proxy that loses one answers for somebody else with an error.

use crate::address::Prefix;
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Above half of the places: how long a connection is left idle.
const IDLE_WHERE_FULL: Duration = Duration::from_secs(10);
/// Places beyond the limit for those that ask at once, as what asks for this server's health does.
const BEYOND: usize = 64;

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub all: usize,
    /// Of one stranger.
    pub of_peer: usize,
    /// Of those, how many that never asked for anything.
    pub unproven: usize,
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// The address, and the network around it, which one customer may have.
    pub prefixes: [Prefix; 2],
    /// A proxy that may speak for many, or may be one.
    pub proxy: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionsFull {
    /// All places are taken by connections that are at work.
    Instance,
    /// This stranger has as many as one may.
    Peer,
}

pub struct Connections {
    bounds: Bounds,
    known: Mutex<Known>,
}

/// By age.
type IdleKey = (Instant, u64);

#[derive(Default)]
struct Known {
    last_id: u64,
    open: HashMap<u64, Open>,
    /// Of strangers, and of proxies.
    idle: [BTreeSet<IdleKey>; 2],
    /// And the networks around them.
    strangers: HashMap<Prefix, Stranger>,
}

struct Open {
    source: Source,
    proven: bool,
    idle: Option<Instant>,
    evicted: CancellationToken,
}

#[derive(Default)]
struct Stranger {
    open: usize,
    unproven: usize,
    idle: BTreeSet<IdleKey>,
}

/// A connection's place. Whoever owns the connection gives it back with [`ConnectionPlace::leave`].
#[derive(Clone)]
pub struct ConnectionPlace {
    id: u64,
    connections: Arc<Connections>,
    /// There are more connections than there should be: one answer, within little time.
    pub hurried: bool,
    /// Another one got its place.
    pub evicted: CancellationToken,
}

impl Connections {
    pub fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self { bounds, known: Mutex::default() })
    }

    /// How many there may be.
    pub fn most(&self) -> usize {
        self.bounds.all
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more, if need be that of one which is idle.
    ///
    /// # Errors
    /// No connection is idle that it could take the place of.
    pub fn admit(self: &Arc<Self>, source: Source, now: Instant) -> Result<ConnectionPlace, ConnectionsFull> {
        let mut known = self.known();
        let hurried = known.make_room(self.bounds, source, now)?;
        let (id, evicted) = known.open(source);
        drop(known);
        Ok(ConnectionPlace { id, connections: self.clone(), hurried, evicted })
    }
}

impl ConnectionPlace {
    /// A whole request was read.
    pub fn busy(&self) {
        self.connections.known().busy(self.id);
    }

    /// The answer was sent.
    pub fn idle(&self, now: Instant) {
        self.connections.known().idle(self.id, now);
    }

    /// Something was read after it had been idle. Whether the place is still its own.
    pub fn wakes(&self) -> bool {
        self.connections.known().wakes(self.id)
    }

    /// The connection has ended, or is a socket.
    pub fn leave(&self) {
        self.connections.known().remove(self.id);
    }
}

impl Bounds {
    /// Of one stranger, and of the network around one: half of all, and no less than one has.
    fn of(self) -> [usize; 2] {
        [self.of_peer, self.of_peer.max(self.all / 2)]
    }
}

impl Known {
    /// What is counted of a connection's source.
    fn strangers(&mut self, source: Source, mut change: impl FnMut(&mut Stranger)) {
        for prefix in source.prefixes.iter().filter(|_| !source.proxy) {
            if let Some(stranger) = self.strangers.get_mut(prefix) {
                change(stranger);
            }
        }
    }

    /// Whether the new one is one too many.
    fn make_room(&mut self, bounds: Bounds, source: Source, now: Instant) -> Result<bool, ConnectionsFull> {
        if !source.proxy {
            if self.strangers.get(&source.prefixes[0]).is_some_and(|stranger| stranger.unproven >= bounds.unproven) {
                return Err(ConnectionsFull::Peer);
            }
            for (prefix, most) in source.prefixes.iter().zip(bounds.of()) {
                if let Some(stranger) = self.strangers.get(prefix).filter(|stranger| stranger.open >= most) {
                    let (_, id) = *stranger.idle.first().ok_or(ConnectionsFull::Peer)?;
                    self.evict(id);
                }
            }
        }
        while self.open.len() >= bounds.all.div_ceil(2) {
            let oldest = self.idle[0].first();
            let Some(&(_, id)) = oldest.filter(|(since, _)| now.saturating_duration_since(*since) >= IDLE_WHERE_FULL)
            else {
                break;
            };
            self.evict(id);
        }
        if self.open.len() < bounds.all {
            return Ok(false);
        }
        let oldest = self.idle.iter().find_map(BTreeSet::first);
        match oldest {
            Some(&(_, id)) => self.evict(id),
            None if self.open.len() >= bounds.all + BEYOND => return Err(ConnectionsFull::Instance),
            None => {}
        }
        Ok(self.open.len() >= bounds.all)
    }

    fn open(&mut self, source: Source) -> (u64, CancellationToken) {
        self.last_id += 1;
        if !source.proxy {
            for prefix in source.prefixes {
                let stranger = self.strangers.entry(prefix).or_default();
                stranger.open += 1;
                stranger.unproven += 1;
            }
        }
        let evicted = CancellationToken::new();
        let open = Open { source, proven: false, idle: None, evicted: evicted.clone() };
        self.open.insert(self.last_id, open);
        (self.last_id, evicted)
    }

    fn busy(&mut self, id: u64) {
        self.wakes(id);
        let Some(open) = self.open.get_mut(&id).filter(|open| !open.proven) else { return };
        open.proven = true;
        let source = open.source;
        self.strangers(source, |stranger| stranger.unproven -= 1);
    }

    fn idle(&mut self, id: u64, now: Instant) {
        let Some(open) = self.open.get_mut(&id) else { return };
        open.idle = Some(now);
        let source = open.source;
        self.idle[usize::from(source.proxy)].insert((now, id));
        self.strangers(source, |stranger| {
            stranger.idle.insert((now, id));
        });
    }

    fn wakes(&mut self, id: u64) -> bool {
        let Some(open) = self.open.get_mut(&id) else { return false };
        let Some(since) = open.idle.take() else { return true };
        let source = open.source;
        self.idle[usize::from(source.proxy)].remove(&(since, id));
        self.strangers(source, |stranger| {
            stranger.idle.remove(&(since, id));
        });
        true
    }

    fn evict(&mut self, id: u64) {
        if let Some(open) = self.remove(id) {
            open.evicted.cancel();
        }
    }

    fn remove(&mut self, id: u64) -> Option<Open> {
        self.wakes(id);
        let open = self.open.remove(&id)?;
        self.strangers(open.source, |stranger| {
            stranger.open -= 1;
            stranger.unproven -= usize::from(!open.proven);
        });
        for prefix in open.source.prefixes {
            if self.strangers.get(&prefix).is_some_and(|stranger| stranger.open == 0) {
                self.strangers.remove(&prefix);
            }
        }
        Some(open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::{AddressHeader, TrustedProxies, Way};
    use axum::http::HeaderMap;

    const BOUNDS: Bounds = Bounds { all: 8, of_peer: 5, unproven: 3 };

    fn source(address: &str, proxy: bool) -> Source {
        let way = Way { proxies: TrustedProxies::Unset, header: AddressHeader::XForwardedFor, cloud_run: false };
        let asker = way.asker(std::net::SocketAddr::new(address.parse().unwrap(), 1), &HeaderMap::new());
        Source { prefixes: [asker.prefix(), asker.wider().0], proxy }
    }

    /// Each of another stranger, in another network.
    fn stranger(n: usize) -> Source {
        source(&format!("203.0.{n}.1"), false)
    }

    fn idle(connections: &Arc<Connections>, source: Source, at: Instant) -> ConnectionPlace {
        let place = connections.admit(source, at).unwrap();
        place.busy();
        place.idle(at);
        place
    }

    fn evicted(places: &[ConnectionPlace]) -> Vec<bool> {
        places.iter().map(|place| place.evicted.is_cancelled()).collect()
    }

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn up_to_half_of_the_places_idle_ones_stay() {
        let (connections, start) = (Connections::new(BOUNDS), Instant::now());
        let places: Vec<_> = (0..4).map(|n| idle(&connections, stranger(n), start)).collect();
        assert_eq!(evicted(&places), [false; 4]);
        // Above it the longest idle go first, after ten seconds.
        places[0].busy();
        places[0].idle(after(start, 1));
        let _one = connections.admit(stranger(10), after(start, 9)).unwrap();
        assert_eq!(evicted(&places), [false; 4]);
        let _another = connections.admit(stranger(11), after(start, 10)).unwrap();
        assert_eq!(evicted(&places), [false, true, true, false]);
    }

    #[test]
    fn where_all_places_are_taken_the_longest_idle_goes_and_proxies_last() {
        let (connections, start) = (Connections::new(BOUNDS), Instant::now());
        let proxy = idle(&connections, source("10.0.0.1", true), start);
        let places: Vec<_> = (0..7).map(|n| idle(&connections, stranger(n), after(start, n as u64))).collect();
        let now = after(start, 7);
        for n in 0..7 {
            assert!(!connections.admit(stranger(100 + n), now).unwrap().hurried);
            assert_eq!(evicted(&places).iter().filter(|evicted| **evicted).count(), n + 1);
            assert!(evicted(&places)[..=n].iter().all(|evicted| *evicted));
        }
        assert!(!proxy.evicted.is_cancelled());
        connections.admit(stranger(200), now).unwrap();
        assert!(proxy.evicted.is_cancelled());
    }

    #[test]
    fn where_none_is_idle_a_few_may_still_ask_at_once() {
        let (connections, now) = (Connections::new(BOUNDS), Instant::now());
        let busy: Vec<_> = (0..8).map(|n| connections.admit(stranger(n), now).unwrap()).collect();
        assert!(busy.iter().all(|place| !place.hurried));
        let beyond: Vec<_> = (0..BEYOND).map(|n| connections.admit(stranger(20 + n), now).unwrap()).collect();
        assert!(beyond.iter().all(|place| place.hurried));
        assert_eq!(connections.admit(stranger(200), now).err(), Some(ConnectionsFull::Instance));
        for place in beyond.iter().chain(&busy) {
            place.leave();
        }
        assert!(!connections.admit(stranger(200), now).unwrap().hurried);
    }

    #[test]
    fn a_stranger_has_so_many_and_fewer_that_never_ask() {
        let (connections, now) = (Connections::new(Bounds { all: 100, ..BOUNDS }), Instant::now());
        let silent: Vec<_> = (0..3).map(|_| connections.admit(stranger(1), now).unwrap()).collect();
        assert_eq!(connections.admit(stranger(1), now).err(), Some(ConnectionsFull::Peer));
        connections.admit(stranger(2), now).unwrap();
        connections.admit(source("203.0.1.1", true), now).unwrap();
        for place in &silent {
            place.busy();
        }
        for _ in 0..2 {
            connections.admit(stranger(1), now).unwrap().busy();
        }
        assert_eq!(connections.admit(stranger(1), now).err(), Some(ConnectionsFull::Peer));
        silent[1].idle(now);
        connections.admit(stranger(1), now).unwrap();
        assert_eq!(evicted(&silent), [false, true, false]);
    }

    #[test]
    fn many_strangers_of_one_network_have_half_of_all() {
        let (connections, now) = (Connections::new(Bounds { all: 20, ..BOUNDS }), Instant::now());
        let near = |n: usize| source(&format!("2001:db8:1:{n:x}::1"), false);
        let busy: Vec<_> = (0..10).map(|n| connections.admit(near(n), now).unwrap()).collect();
        assert_eq!(connections.admit(near(10), now).err(), Some(ConnectionsFull::Peer));
        connections.admit(source("2001:db8:2::1", false), now).unwrap();
        busy[7].busy();
        busy[7].idle(now);
        connections.admit(near(10), now).unwrap();
        assert_eq!(evicted(&busy).iter().position(|evicted| *evicted), Some(7));
    }

    #[test]
    fn one_that_is_evicted_knows_it_and_nothing_is_left_of_those_that_went() {
        let (connections, now) = (Connections::new(BOUNDS), Instant::now());
        let places: Vec<_> = (0..8).map(|n| idle(&connections, stranger(n), now)).collect();
        let new = connections.admit(stranger(10), now).unwrap();
        assert!(!places[0].wakes() && places[1].wakes());
        places[0].idle(now);
        for place in places.iter().chain([&new]) {
            place.leave();
            place.leave();
        }
        let known = connections.known();
        assert!(known.open.is_empty() && known.strangers.is_empty());
        assert!(known.idle.iter().all(BTreeSet::is_empty));
    }
}

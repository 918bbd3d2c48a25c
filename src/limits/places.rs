//! Who may open one more socket on this instance.

use crate::address::{Asker, Prefix};
use crate::{hub::wake::Wake, store::TokenHash};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio::time::Instant;

/// Sockets of one session, and how many more while some of them were told to move: each of those has a successor.
const SESSION_MAX: usize = 20;
const SESSION_MOVING_MAX: usize = 2 * SESSION_MAX;
/// After one of a session's sockets had to go for another one, further ones are refused for so long. A client that does
/// not know that code comes back at once, and would make the next one go.
const EVICTIONS_APART: Duration = Duration::from_secs(15);
/// A socket that was not heard of for so long is one of a machine that crashed or sleeps.
const GHOST: Duration = Duration::from_secs(35);
/// Sockets from one address: 200 people with two tabs each, twice while they move.
const ADDRESS_SHARE: f64 = 0.2;
const ADDRESS_MIN: usize = 200;
/// Sockets from the network around an address, which one customer may have: half of all, or as many as from the address if
/// that is more.
const AROUND_SHARE: f64 = 0.5;
/// The last tenth of the places is for sessions that have none.
const RESERVE: usize = 10;

pub struct Places {
    max: usize,
    /// How many times the usual; 0 means that only `max` counts.
    factor: f64,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    total: usize,
    sessions: HashMap<TokenHash, OfSession>,
    /// Of each address, and of the network around it.
    addresses: HashMap<Prefix, usize>,
}

#[derive(Default)]
struct OfSession {
    sockets: Vec<Arc<Wake>>,
    evicted: Option<Instant>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// All places are taken, or all but those for sessions that have none.
    Instance,
    /// The address has as many sockets as it may.
    Address,
    /// The session has, and one of its sockets went for another one just now.
    Session,
}

/// A place, kept as long as this is.
pub struct Place {
    places: Weak<Places>,
    token: TokenHash,
    prefixes: [Prefix; 2],
    pub wake: Arc<Wake>,
}

impl Places {
    pub fn new(max: usize, factor: f64) -> Self {
        Self { max, factor, taken: Mutex::default() }
    }

    /// How many are taken, and how many there are.
    pub fn used(&self) -> (usize, usize) {
        (self.taken().total, self.max)
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more socket of the session. Where the session has as many as it may, the one of them that is missed
    /// least makes way.
    ///
    /// # Errors
    /// There is none.
    pub fn take(self: &Arc<Self>, token: TokenHash, asker: &Asker) -> Result<Place, Full> {
        self.take_at(token, asker, Instant::now())
    }

    fn take_at(self: &Arc<Self>, token: TokenHash, asker: &Asker, now: Instant) -> Result<Place, Full> {
        let (prefixes, wake) = ([asker.prefix(), asker.wider().0], Arc::<Wake>::default());
        let mut taken = self.taken();
        let Taken { total, sessions, addresses } = &mut *taken;
        if *total >= self.max {
            return Err(Full::Instance);
        }
        if self.factor > 0.0 {
            // What leaves anyhow is no place that the session has: the successor of what was told to move is not one too many.
            let stays = |wake: &Arc<Wake>| !wake.is_moving() && !wake.is_evicted();
            let has_one = sessions.get(&token).is_some_and(|session| session.sockets.iter().any(stays));
            if has_one && *total >= self.max - self.max / RESERVE {
                return Err(Full::Instance);
            }
            let most = prefixes.into_iter().zip(self.of_address(asker.times));
            if most.into_iter().any(|(prefix, most)| addresses.get(&prefix).is_some_and(|&count| count >= most)) {
                return Err(Full::Address);
            }
            if let Some(session) = sessions.get_mut(&token) {
                self.make_way(session, now)?;
            }
        }
        *total += 1;
        for prefix in prefixes {
            *addresses.entry(prefix).or_default() += 1;
        }
        sessions.entry(token).or_default().sockets.push(wake.clone());
        drop(taken);
        Ok(Place { places: Arc::downgrade(self), token, prefixes, wake })
    }

    fn make_way(&self, session: &mut OfSession, now: Instant) -> Result<(), Full> {
        let times = |count: usize| times(count, self.factor);
        let staying: Vec<&Arc<Wake>> = session.sockets.iter().filter(|wake| !wake.is_evicted()).collect();
        let moving = staying.iter().filter(|wake| wake.is_moving()).count();
        if staying.len() < (times(SESSION_MAX) + moving).min(times(SESSION_MOVING_MAX)) {
            return Ok(());
        }
        if session.evicted.is_some_and(|at| now - at < EVICTIONS_APART) {
            return Err(Full::Session);
        }
        // One that was told to move has a successor; a ghost has nobody; else whose person was idle for longest.
        let missed = |wake: &&&Arc<Wake>| match () {
            () if wake.is_moving() => (0, wake.acted()),
            () if wake.silent_for(now) >= GHOST => (1, wake.acted()),
            () => (2, wake.acted()),
        };
        if let Some(least) = staying.iter().min_by_key(missed) {
            least.evict();
            session.evicted = Some(now);
        }
        Ok(())
    }

    /// As many as an address may have, and the network around it.
    fn of_address(&self, asker_times: u32) -> [usize; 2] {
        let share = times(self.max, ADDRESS_SHARE).max(ADDRESS_MIN) * asker_times as usize;
        [share, share.max(times(self.max, AROUND_SHARE))].map(|most| times(most, self.factor))
    }
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counts of sockets
fn times(count: usize, factor: f64) -> usize {
    (count as f64 * factor).ceil() as usize
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(places) = self.places.upgrade() else { return };
        let mut taken = places.taken();
        taken.total -= 1;
        if let Some(session) = taken.sessions.get_mut(&self.token) {
            session.sockets.retain(|wake| !Arc::ptr_eq(wake, &self.wake));
            if session.sockets.is_empty() {
                taken.sessions.remove(&self.token);
            }
        }
        for prefix in self.prefixes {
            if let Some(count) = taken.addresses.get_mut(&prefix) {
                *count -= 1;
                if *count == 0 {
                    taken.addresses.remove(&prefix);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Way;
    use crate::address::{AddressHeader, TrustedProxies};
    use axum::http::HeaderMap;

    fn asker(address: &str) -> Asker {
        let way = Way { proxies: TrustedProxies::Unset, header: AddressHeader::XForwardedFor, cloud_run: false };
        way.asker(format!("{address}:1").parse().unwrap(), &HeaderMap::new())
    }

    fn token(n: usize) -> TokenHash {
        TokenHash::of(&n.to_string())
    }

    fn take(places: &Arc<Places>, session: usize) -> Result<Place, Full> {
        places.take(token(session), &asker("203.0.113.9"))
    }

    #[test]
    fn one_session_does_not_take_what_others_need() {
        let places = Arc::new(Places::new(10_000, 1.0));
        let mut held: Vec<_> = (0..10_000).filter_map(|_| take(&places, 0).ok()).collect();
        assert_eq!(held.len(), 21, "the one that made way is not gone yet");
        held.retain(|place| !place.wake.is_evicted());
        assert_eq!(held.len(), SESSION_MAX);
        take(&places, 1).map(drop).unwrap();
    }

    #[test]
    fn the_last_places_are_for_those_who_have_none() {
        let places = Arc::new(Places::new(100, 1.0));
        let held: Vec<_> = (0..90).map(|n| take(&places, n / 9).unwrap()).collect();
        assert_eq!(take(&places, 0).map(drop), Err(Full::Instance));
        let newcomers: Vec<_> = (100..110).map(|n| take(&places, n).unwrap()).collect();
        assert_eq!(take(&places, 110).map(drop), Err(Full::Instance));
        drop((held, newcomers));
        assert_eq!(places.taken().total, 0);
        assert!(places.taken().sessions.is_empty() && places.taken().addresses.is_empty());
    }

    #[test]
    fn the_successor_of_what_was_told_to_move_has_a_place_among_the_last() {
        let places = Arc::new(Places::new(100, 1.0));
        let held: Vec<_> = (0..90).map(|n| take(&places, n).unwrap()).collect();
        held[3].wake.told_to_move();
        let successor = take(&places, 3).unwrap();
        assert_eq!(take(&places, 3).map(drop), Err(Full::Instance), "it has one that stays");
        assert_eq!(take(&places, 4).map(drop), Err(Full::Instance));
        drop(successor);
    }

    #[test]
    fn an_address_has_room_for_a_school_and_not_for_everything() {
        let places = Arc::new(Places::new(10_000, 1.0));
        let school: Vec<_> = (0..800).map(|n| take(&places, n / 4).unwrap()).collect();
        let more = (1_000..10_000).map(|n| take(&places, n)).take_while(Result::is_ok).collect::<Vec<_>>();
        assert_eq!(school.len() + more.len(), 2_000);
        assert_eq!(take(&places, 20_000).map(drop), Err(Full::Address));
        places.take(token(1), &asker("203.0.113.10")).map(drop).unwrap();
    }

    #[test]
    fn a_network_of_many_addresses_has_half() {
        let places = Arc::new(Places::new(10_000, 1.0));
        let from = |n: usize| asker(&format!("[2001:db8:1:{:x}::7]", n / 1_000));
        let held = (0..10_000).map(|n| places.take(token(n), &from(n))).take_while(Result::is_ok).collect::<Vec<_>>();
        assert_eq!(held.len(), 5_000);
        assert_eq!(places.take(token(20_000), &from(9_000)).map(drop), Err(Full::Address));
        places.take(token(20_000), &asker("[2001:db8:2::7]")).map(drop).unwrap();
        // Where a proxy speaks for everybody it has as much as the proxy.
        let behind = Asker { times: 20, ..asker("127.0.0.1") };
        let more = (30_000..40_000).map(|n| places.take(token(n), &behind)).take_while(Result::is_ok);
        assert_eq!(more.collect::<Vec<_>>().len(), 5_000);
    }

    #[test]
    fn what_was_told_to_move_has_room_for_its_successor() {
        let places = Arc::new(Places::new(10_000, 1.0));
        let old: Vec<_> = (0..SESSION_MAX).map(|_| take(&places, 0).unwrap()).collect();
        for place in &old {
            place.wake.told_to_move();
        }
        let new: Vec<_> = (0..SESSION_MAX).map(|_| take(&places, 0).unwrap()).collect();
        assert!(old.iter().chain(&new).all(|place| !place.wake.is_evicted()));
        take(&places, 0).map(drop).unwrap();
        assert_eq!(old.iter().filter(|place| place.wake.is_evicted()).count(), 1, "one that has a successor");
    }

    #[test]
    fn whose_person_was_idle_for_longest_makes_way_and_not_one_after_the_other() {
        let places = Arc::new(Places::new(10_000, 1.0));
        let old: Vec<_> = (0..SESSION_MAX).map(|_| take(&places, 0).unwrap()).collect();
        for (place, after) in old.iter().zip(1..).filter(|(place, _)| !Arc::ptr_eq(&place.wake, &old[7].wake)) {
            place.wake.hears(Instant::now() + Duration::from_millis(after));
            place.wake.acts();
        }
        let new = take(&places, 0).unwrap();
        assert!(old[7].wake.is_evicted());
        assert_eq!(take(&places, 0).map(drop), Err(Full::Session), "it may be the one that made way");
        drop(new);
    }

    #[test]
    fn twenty_five_tabs_that_know_no_better_do_not_push_each_other_out_for_ever() {
        let (places, start) = (Arc::new(Places::new(10_000, 1.0)), Instant::now());
        let mut tabs: Vec<Option<Place>> = (0..25).map(|_| None).collect();
        let mut evictions = 0;
        // Each tries again after two seconds, be it told to stay away or not.
        for second in (0..120).step_by(2) {
            for tab in &mut tabs {
                if tab.as_ref().is_some_and(|place| place.wake.is_evicted()) {
                    evictions += 1;
                    *tab = None;
                } else if tab.is_none() {
                    let now = start + Duration::from_secs(second);
                    *tab = places.take_at(token(0), &asker("203.0.113.9"), now).ok();
                }
            }
        }
        assert!((1..=10).contains(&evictions), "{evictions} in two minutes");
        assert!(tabs.iter().flatten().count() >= SESSION_MAX);
    }

    #[test]
    fn without_limits_only_the_number_counts() {
        let places = Arc::new(Places::new(500, 0.0));
        let held: Vec<_> = (0..500).map(|_| take(&places, 0).unwrap()).collect();
        assert_eq!(take(&places, 1).map(drop), Err(Full::Instance));
        drop(held);
    }
}

//! How much one person, one session and one address may ask of this server. `docs/security.md` has the table.
//!
//! | module | what it is for |
//! |---|---|
//! | [`address`] | from where a request came |
//! | [`bucket`] | the arithmetic of rates |
//! | [`places`] | who may open one more socket |
//! | [`allowance`] | what a session has left, over all its sockets and requests on this instance |
//!
//! Tries to sign in and pages are counted by address only for those who have no session: a crowd behind one address, or a
//! proxy that nobody declared, costs newcomers time and members nothing. What there is only so much of (sessions, names,
//! rooms, sockets, connections) is counted by address for everybody.

pub mod allowance;
pub mod bucket;
pub mod places;

use crate::address::{Asker, Prefix, Way};
use crate::{
    audit,
    config::Config,
    engine::{Engine, Quota},
    store::TokenHash,
};
use allowance::{Allowance, Allowances};
use axum::http::HeaderMap;
use bucket::{Buckets, Rate};
use places::Places;
use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Sign-ins of one address, refused ones among them: two school classes at the bell, then one each 2 s.
const SIGN_INS: Rate = Rate::new(500.0, 0.5);
/// Pages for one address without a session.
const PAGES: Rate = Rate::new(600.0, 20.0);
/// The same of those that were let in, by all instances and starts.
const SESSIONS: Quota = Quota { burst: 500, every: Duration::from_secs(2) };
/// Names held from one address at a time.
const NAMES: u32 = 2_000;
/// Rooms made by one session, and from one address.
const ROOMS_OF_SESSION: Quota = Quota { burst: 40, every: Duration::from_secs(30) };
const ROOMS_OF_ADDRESS: Quota = Quota { burst: 400, every: Duration::from_secs(5) };

/// After which time it is worth another try where all names are held: somebody may have left.
const FULL_FOR: Duration = Duration::from_mins(1);

/// Buckets kept of each kind.
const KEPT: usize = 65_536;

/// How long a page waits for its turn before it is refused.
const PAGE_PATIENCE: Duration = Duration::from_secs(2);

pub struct Limits {
    way: Way,
    /// How many times the usual; 0 means that there are none.
    factor: f64,
    sign_ins: Buckets<Prefix>,
    pages: Buckets<Prefix>,
    allowances: Allowances,
    pub places: Arc<Places>,
    told_of_proxy: AtomicBool,
    /// Whom peers at public addresses said they forward for.
    named: Mutex<HashMap<Prefix, Named>>,
}

/// Clients that a peer named, and since when they are counted.
struct Named {
    since: Instant,
    clients: HashSet<u64>,
}

/// Clients that a peer names within this time before it is taken for a proxy, and peers of which that is known at a time. A phone
/// that goes from network to network names several as well, but over days.
const NAMED_BY_A_PROXY: usize = 8;
const NAMED_WITHIN: Duration = Duration::from_mins(1);
const NAMING: usize = 64;

impl Limits {
    pub fn new(config: &Config) -> Self {
        let factor = config.limits;
        let rate = |rate: Rate| if factor > 0.0 { rate.times(factor) } else { rate };
        Self {
            way: config.way(),
            factor,
            sign_ins: Buckets::new(rate(SIGN_INS), KEPT),
            pages: Buckets::new(rate(PAGES), KEPT),
            allowances: Allowances::new(factor),
            places: Arc::new(Places::new(config.max_sockets as usize, factor)),
            told_of_proxy: AtomicBool::new(false),
            named: Mutex::default(),
        }
    }

    /// Who sent a request.
    pub fn asker(&self, peer: SocketAddr, headers: &HeaderMap) -> Asker {
        let asker = self.way.asker(peer, headers);
        if asker.undeclared && !self.told_of_proxy.swap(true, Ordering::Relaxed) {
            let address = asker.address;
            tracing::warn!(
                target: "audit", event = "undeclared_proxy", peer = %address,
                "{address} names a client it forwards for: if it is your proxy, set HUBBUB_TRUSTED_PROXIES={address} (or none)"
            );
        }
        asker
    }

    /// Takes note of whom a peer forwards for, and says whether they are many.
    fn names_many(&self, asker: &Asker, now: Instant) -> bool {
        let Some(name) = asker.names else { return false };
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named.len() >= NAMING && !named.contains_key(&asker.prefix()) {
            named.clear();
        }
        let Named { since, clients } =
            named.entry(asker.prefix()).or_insert_with(|| Named { since: now, clients: HashSet::new() });
        if now.saturating_duration_since(*since) >= NAMED_WITHIN {
            *since = now;
            clients.clear();
        }
        if clients.len() < NAMED_BY_A_PROXY {
            clients.insert(name);
        }
        clients.len() >= NAMED_BY_A_PROXY
    }

    /// An address asked for more than it may. If a proxy is there, many people are refused for what each asks little of.
    fn refused(&self, what: &'static str, asker: &Asker) {
        audit::limited(what, asker.prefix());
        if self.names_many(asker, Instant::now()) && !self.told_of_proxy.swap(true, Ordering::Relaxed) {
            let address = asker.address;
            tracing::warn!(
                target: "audit", event = "undeclared_proxy", peer = %address,
                "{address} asked for more {what} than one address may, and names many clients it forwards for: if it is your \
                 proxy, set HUBBUB_TRUSTED_PROXIES={address} (or none)"
            );
        }
    }

    /// Who is at the other end of a connection, before anything was sent: the address, the network around it, and whether it is
    /// a proxy or may be one.
    pub fn peer(&self, peer: SocketAddr) -> ([Prefix; 2], bool) {
        let asker = self.way.asker(peer, &HeaderMap::new());
        ([asker.prefix(), asker.wider().0], self.way.is_proxy(peer))
    }

    /// As many of something as one may have.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a small number, and not negative
    pub fn count(&self, usual: f64) -> usize {
        if self.factor > 0.0 { (usual * self.factor).ceil() as usize } else { usize::MAX }
    }

    /// Whether this address may try to sign in now.
    ///
    /// # Errors
    /// How long until it may.
    pub fn sign_in(&self, asker: &Asker) -> Result<(), Duration> {
        self.by_address(&self.sign_ins, asker).inspect_err(|_| self.refused("sign-ins", asker))
    }

    /// Whether one more session may be opened from this address, to hold one more name.
    ///
    /// # Errors
    /// How long until it may.
    pub async fn session(&self, engine: &dyn Engine, asker: &Asker) -> Result<(), Duration> {
        if self.factor > 0.0 {
            for (place, times) in places(asker) {
                let most = Quota { burst: NAMES, every: Duration::ZERO }.times(self.factor * f64::from(times)).burst;
                if engine.is_full(&place, most).await.unwrap_or(false) {
                    self.refused("names", asker);
                    return Err(FULL_FOR);
                }
            }
        }
        self.of_address(engine, "sessions", SESSIONS, asker).await
    }

    /// Counts the name of a session that was opened from this address.
    pub async fn holds(&self, engine: &dyn Engine, token: TokenHash, asker: &Asker) {
        if self.factor > 0.0
            && let Err(error) = engine.hold(token, &places(asker).map(|(place, _)| place)).await
        {
            tracing::warn!(%error, "a name that is held is not counted");
        }
    }

    /// Waits for a page's turn.
    ///
    /// # Errors
    /// It would be too long: how much too long.
    pub async fn page(&self, session: Option<TokenHash>, asker: &Asker) -> Result<(), Duration> {
        if self.factor == 0.0 {
            return Ok(());
        }
        let wait = if let Some(token) = session {
            let booked = self.allowances.of(token).page(PAGE_PATIENCE);
            booked.inspect_err(|_| audit::limited("pages", asker.prefix()))?
        } else {
            let mut wait = Duration::ZERO;
            for (prefix, times) in networks(asker) {
                let booked = self.pages.book(prefix, f64::from(times), 1.0, PAGE_PATIENCE);
                wait = wait.max(booked.inspect_err(|_| self.refused("pages", asker))?);
            }
            wait
        };
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    /// Waits until a part of a log may be read for a page of this session. What it holds is then to be
    /// [charged](Allowance::charge_history), unless nothing is limited.
    ///
    /// # Errors
    /// It would be too long: how much too long.
    pub async fn history(&self, session: TokenHash, asker: &Asker) -> Result<Option<Arc<Allowance>>, Duration> {
        let Some(allowance) = self.allowance(session) else { return Ok(None) };
        let waited = allowance.history_within(PAGE_PATIENCE).await;
        waited.inspect_err(|_| audit::limited("bytes of logs", asker.prefix()))?;
        Ok(Some(allowance))
    }

    /// Whether a room that there is not may be made.
    ///
    /// # Errors
    /// How long until it may.
    pub async fn room(&self, engine: &dyn Engine, session: Option<TokenHash>, asker: &Asker) -> Result<(), Duration> {
        if let Some(token) = session {
            let bucket = format!("rooms of {}", token.to_hex());
            let taken = self.take(engine, &bucket, ROOMS_OF_SESSION, 1).await;
            taken.inspect_err(|_| audit::limited("rooms", asker.prefix()))?;
        }
        self.of_address(engine, "rooms", ROOMS_OF_ADDRESS, asker).await
    }

    /// Takes from the buckets that the store keeps for an address.
    async fn of_address(
        &self,
        engine: &dyn Engine,
        what: &'static str,
        quota: Quota,
        asker: &Asker,
    ) -> Result<(), Duration> {
        for (prefix, times) in networks(asker) {
            let taken = self.take(engine, &format!("{what} from {prefix}"), quota, times).await;
            taken.inspect_err(|_| self.refused(what, asker))?;
        }
        Ok(())
    }

    async fn take(&self, engine: &dyn Engine, bucket: &str, quota: Quota, times: u32) -> Result<(), Duration> {
        if self.factor == 0.0 {
            return Ok(());
        }
        match engine.take(bucket, quota.times(self.factor * f64::from(times))).await {
            Ok(taken) => taken,
            // What was asked for will fail by itself, or is better done than refused to everybody.
            Err(error) => {
                tracing::debug!(%error, "the store did not answer for a quota");
                Ok(())
            }
        }
    }

    /// What a session has left; `None` where nothing is limited.
    pub fn allowance(&self, token: TokenHash) -> Option<Arc<Allowance>> {
        (self.factor > 0.0).then(|| self.allowances.of(token))
    }

    fn by_address(&self, buckets: &Buckets<Prefix>, asker: &Asker) -> Result<(), Duration> {
        if self.factor == 0.0 {
            return Ok(());
        }
        networks(asker).into_iter().try_for_each(|(prefix, times)| buckets.take(prefix, f64::from(times), 1.0))
    }
}

/// Where an address is counted, and how many times as much may come from there. Its own share comes first: what is refused to
/// one address costs the others around it nothing.
fn networks(asker: &Asker) -> [(Prefix, u32); 2] {
    [(asker.prefix(), asker.times), asker.wider()]
}

/// From where a name is held that is asked for from this address, and how many times as many may be.
fn places(asker: &Asker) -> [(String, u32); 2] {
    networks(asker).map(|(prefix, times)| (format!("names from {prefix}"), times))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Directory, embedded::Embedded};
    use app::domain::{RoomName, UserName};
    use bucket::Bucket;
    use clap::Parser;
    use futures_util::FutureExt;
    use std::collections::BTreeMap;

    fn limits() -> Limits {
        // A hundredth: 5 sign-ins, 6 pages, 4 rooms at once, and eight times as many from the network around an address.
        Limits::new(&Config::parse_from(["hubbub", "--limits", "0.01"]))
    }

    fn asker(limits: &Limits, address: &str) -> Asker {
        limits.asker(format!("{address}:1").parse().unwrap(), &HeaderMap::new())
    }

    /// Who comes from `address` with this line about whom they forward for.
    fn forwarded(limits: &Limits, address: &str, line: &str) -> Asker {
        let headers = [("x-forwarded-for".try_into().unwrap(), line.parse().unwrap())].into_iter().collect();
        limits.asker(format!("{address}:1").parse().unwrap(), &headers)
    }

    /// How long after the bell the last of so many tries behind one address is let in, each repeated when the answer said.
    fn the_last_waits(rate: Rate, tries: usize) -> Duration {
        let bell = Instant::now();
        let mut bucket = Bucket::full(bell);
        let mut due: BTreeMap<Duration, usize> = [(Duration::ZERO, tries)].into();
        let mut last = Duration::ZERO;
        while let Some((after, waiting)) = due.pop_first() {
            for _ in 0..waiting {
                match bucket.take(rate, 1.0, bell + after) {
                    Ok(()) => last = after,
                    // `Retry-After` is in whole seconds.
                    Err(wait) => *due.entry(after + Duration::from_secs(wait.as_secs() + 1)).or_default() += 1,
                }
            }
        }
        last
    }

    #[test]
    fn one_class_behind_an_address_waits_for_nothing_and_two_for_less_than_four_minutes() {
        // 200 pupils, every other of whom has to take another name than the first that came to mind.
        let class = 300;
        assert_eq!(the_last_waits(SIGN_INS, class), Duration::ZERO);
        let two = the_last_waits(SIGN_INS, 2 * class);
        assert!(two > Duration::ZERO && two < Duration::from_mins(4), "{two:?}");
        // What the documents tell schools to set.
        assert_eq!(the_last_waits(SIGN_INS.times(4.0), 2 * class), Duration::ZERO);
        const { assert!(2 * 200 <= SESSIONS.burst, "the store lets all of them in at once") };
    }

    #[test]
    fn a_peer_that_names_many_clients_may_be_a_proxy() {
        let (limits, now) = (limits(), Instant::now());
        let many = |peer: &str, line: String| limits.names_many(&forwarded(&limits, peer, &line), now);
        // What its clients wrote themselves stands before it.
        for n in 0..100 {
            assert!(!many("203.0.113.7", format!("192.0.2.{n}, 198.51.100.1")));
        }
        for n in 0..20 {
            assert_eq!(many("203.0.113.9", format!("192.0.2.1,  198.51.100.{}", n / 2)), n / 2 >= 7, "{n}");
        }
        assert!(!limits.names_many(&asker(&limits, "203.0.113.9"), now));
        for n in 0..1_000 {
            many(&format!("198.18.{}.{}", n / 250, n % 250), "192.0.2.1".to_owned());
        }
        assert!(limits.named.lock().unwrap().len() <= NAMING);
    }

    #[test]
    fn clients_that_a_peer_named_long_ago_are_not_counted() {
        let (limits, start) = (limits(), Instant::now());
        let many = |client: u32, seconds: u64| {
            let asker = forwarded(&limits, "203.0.113.9", &format!("198.51.100.{client}"));
            limits.names_many(&asker, start + Duration::from_secs(seconds))
        };
        for n in 0..100 {
            assert!(!many(n, u64::from(n) * 10), "six in each minute: {n}");
        }
        assert!((0..8).any(|n| many(n, 1_100)));
        assert!(!many(0, 1_160), "nor is who was taken for a proxy for ever");
    }

    #[tokio::test]
    async fn a_proxy_behind_which_all_names_are_held_is_told_of() {
        let dir = tempfile::TempDir::new().unwrap();
        let engine = Embedded::open(dir.path(), Duration::from_mins(1)).unwrap();
        let limits = limits();
        // Twenty names.
        for n in 0..20 {
            let (token, name) = (TokenHash::of(&n.to_string()), UserName::parse(&format!("Name {n}")).unwrap());
            engine.open_session(token, &name).await.unwrap();
            limits.holds(&engine, token, &asker(&limits, "203.0.113.9")).await;
        }
        for n in 0..8 {
            assert!(!limits.told_of_proxy.load(Ordering::Relaxed), "{n}");
            let asker = forwarded(&limits, "203.0.113.9", &format!("198.51.100.{n}"));
            assert_eq!(limits.session(&engine, &asker).await, Err(FULL_FOR));
        }
        assert!(limits.told_of_proxy.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn who_asks_too_often_is_refused_alone_and_not_the_network_around() {
        let dir = tempfile::TempDir::new().unwrap();
        let engine = Embedded::open(dir.path(), Duration::from_mins(1)).unwrap();
        let limits = limits();
        let (greedy, other) = (asker(&limits, "203.0.113.9"), asker(&limits, "203.0.113.10"));
        for n in 0..100 {
            assert_eq!(limits.sign_in(&greedy).is_ok(), n < 5);
            assert_eq!(limits.room(&engine, None, &greedy).await.is_ok(), n < 4);
            // What was taken is committed with what it was taken for.
            engine.create_room(&RoomName::parse(&n.to_string()).unwrap()).await.unwrap();
            // Those that would have to wait take their turns as well; nobody waits here.
            let _ = limits.page(None, &greedy).now_or_never();
        }
        limits.sign_in(&other).unwrap();
        limits.room(&engine, None, &other).await.unwrap();
        assert_eq!(limits.page(None, &other).now_or_never(), Some(Ok(())));
        // All of the network together has a limit of its own.
        let others = (11..111).map(|n| asker(&limits, &format!("203.0.113.{n}")));
        assert_eq!(others.filter(|other| limits.sign_in(other).is_ok()).count(), 40 - 5 - 1);
    }
}

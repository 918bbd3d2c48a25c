//! A Cluster of which a master is away.
//!
//! fred connects to every master that `CLUSTER SLOTS` names, or to none: while one is away it would serve no room at all. So
//! it is given an address of this process as the only one it knows of, and asks there. The answer is what the servers say, but
//! for masters that do not answer: in their place it names a [`stand_in`], also of this process, which refuses every
//! command with [`AWAY`]. A refusal says for certain that nothing was done.
//!
//! Commands go straight to the servers. What goes through here is the question where they are, once for each time that a
//! client connects.
//!
//! With TLS there is none of this: a stand-in has no certificate to show.

mod ask;
mod stand_in;

use super::connect_error::what_is_wrong;
use ask::{Range, ask, unserved};
use fred::{
    prelude::{Config, Error, ErrorKind, Server, ServerConfig},
    types::config::ClusterDiscoveryPolicy,
};
use futures_util::future::join_all;
use stand_in::{StandIn, bulk};
use std::{
    collections::{BTreeSet, HashMap},
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{net::TcpListener, sync::Mutex as AsyncMutex, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// What a stand-in says of every command that only the server could have carried out.
pub const AWAY: &str = "AWAY the server that holds this does not answer";

/// What fred says where a server answered that another one has a slot, or will have it: it is told to follow nowhere.
const ELSEWHERE: &str = "Too many redirections.";
/// How often, and after which pause, a command is sent that a server refused for that.
const REDIRECTED_TRIES: u32 = 4;
const REDIRECTED_PAUSE: Duration = Duration::from_millis(30);

/// Whether an error, or what it became, is about one part of the Cluster alone, and says that nothing was done: the answer of a
/// stand-in, or of a server that is giving a slot away.
pub fn is_away(why: &str) -> bool {
    [AWAY, ELSEWHERE, "TRYAGAIN "].iter().any(|answer| why.contains(answer))
}

/// Asks again where a server said that another one has the slot: by then the client has learnt which. A slot that is being moved
/// has no server for that long, and the error stays.
pub async fn redirected<R, F: Future<Output = Result<R, Error>>>(ask: impl Fn() -> F) -> Result<R, Error> {
    let mut tries = 1;
    loop {
        match ask().await {
            Err(error) if error.details() == ELSEWHERE && tries < REDIRECTED_TRIES => {
                tries += 1;
                tokio::time::sleep(REDIRECTED_PAUSE).await;
            }
            answer => return answer,
        }
    }
}

/// How often a server that is away is tried, and every how many tries the others are asked whether it is a master still.
const TRY_EVERY: Duration = Duration::from_millis(250);
const TRIES_A_LOOK: u32 = 4;
/// For how long an answer is given again. A client asks for each command that a server sent elsewhere, one after the other, and
/// does nothing else until it is answered: without this a failover under load is a minute of asking.
const HOLDS: Duration = Duration::from_millis(100);

/// The masters of a Cluster, as this process knows them.
pub struct Masters {
    config: Config,
    /// Those of the URL.
    seeds: Vec<Server>,
    state: Mutex<State>,
    /// The latest answer, if there was one. One asker at a time.
    told: AsyncMutex<Option<Told>>,
    /// How many stand-ins have ended.
    ended: AtomicU64,
    closed: CancellationToken,
}

#[derive(Default)]
struct State {
    /// Those that the servers named last.
    known: BTreeSet<Server>,
    /// Kept once they were needed: their ports must not become somebody else's while a client may connect to them.
    stand_ins: HashMap<Server, Arc<StandIn>>,
}

/// An answer to `CLUSTER SLOTS`.
struct Told {
    at: Instant,
    /// How many stand-ins had ended before it was asked for.
    ended: u64,
    answer: Result<String, Error>,
}

/// What the servers say.
struct Survey {
    ranges: Vec<Range>,
    /// Masters that do not answer; why, if they were asked just now.
    away: HashMap<Server, Option<Error>>,
}

impl Survey {
    fn names(&self, server: &Server) -> bool {
        self.ranges.iter().any(|range| range.master == *server)
    }
}

/// Makes the clients of `config` ask here which masters there are. All of them have to answer now. Lasts until `closed`.
pub async fn look_after(config: &mut Config, closed: &CancellationToken) -> Result<(), Error> {
    if !config.server.is_clustered() || config.uses_tls() {
        return Ok(());
    }
    let masters = Arc::new(Masters {
        config: config.clone(),
        seeds: config.server.hosts(),
        state: Mutex::default(),
        told: AsyncMutex::default(),
        ended: AtomicU64::new(0),
        closed: closed.clone(),
    });
    let Survey { away, .. } = masters.survey().await?;
    if let Some((server, error)) = away.into_iter().find_map(|(server, error)| Some((server, error?))) {
        return Err(Error::new(error.kind().clone(), format!("{} ({server})", error.details())));
    }
    let (listener, address) = bind()?;
    let hosts = vec![server_at(address)];
    config.server = ServerConfig::Clustered { hosts, policy: ClusterDiscoveryPolicy::ConfigEndpoint };
    tokio::spawn(masters.answer(listener));
    Ok(())
}

impl Masters {
    /// Tells clients where the masters are.
    async fn answer(self: Arc<Self>, listener: TcpListener) {
        let closed = self.closed.clone();
        let each = |socket| {
            let (masters, closed) = (self.clone(), self.closed.clone());
            tokio::spawn(async move { stand_in::serve(socket, &masters, closed).await });
        };
        stand_in::accept(&listener, &closed, each).await;
    }

    /// The answer to `CLUSTER SLOTS`.
    async fn slots(self: &Arc<Self>) -> Result<String, Error> {
        let mut told = self.told.lock().await;
        let ended = self.ended.load(Ordering::Acquire);
        if let Some(told) = &*told
            && told.at.elapsed() < HOLDS
            && told.ended == ended
        {
            return told.answer.clone();
        }
        let answer = self.slots_now().await;
        *told = Some(Told { at: Instant::now(), ended, answer: answer.clone() });
        answer
    }

    async fn slots_now(self: &Arc<Self>) -> Result<String, Error> {
        let survey = self.survey().await?;
        let mut answer = vec![format!("*{}\r\n", survey.ranges.len())];
        for Range { first, last, master } in &survey.ranges {
            let named = match survey.away.get(master) {
                Some(why) => self.stand_in(master, why.as_ref())?.map_or_else(|| master.clone(), server_at),
                None => master.clone(),
            };
            let (host, id) = (bulk(&named.host), bulk(&named.to_string()));
            answer.push(format!("*3\r\n:{first}\r\n:{last}\r\n*3\r\n{host}:{}\r\n{id}", named.port));
        }
        Ok(answer.concat())
    }

    /// Asks all servers that may answer.
    ///
    /// # Errors
    /// None does. Why one of them does not.
    async fn survey(&self) -> Result<Survey, Error> {
        let (known, absent) = {
            let state = self.state();
            let absent: BTreeSet<_> = state.stand_ins.iter().filter(|(_, one)| one.is_needed()).map(first).collect();
            (&state.known - &absent, absent)
        };
        let mut answers = self.ask_all(known).await;
        if answers.values().all(Result::is_err) {
            answers.extend(self.ask_all(self.seeds.iter().cloned()).await);
        }
        let is_absent = |master: &Server| match answers.get(master) {
            Some(answer) => answer.is_err(),
            None => absent.contains(master),
        };
        // They may differ while another server takes over: whoever knows of it names one for each slot, and none that is away.
        let count = |ranges: &[Range]| ranges.iter().filter(|range| is_absent(&range.master)).count();
        let told = answers
            .values()
            .filter_map(|answer| answer.as_ref().ok())
            .min_by_key(|ranges| (unserved(ranges), count(ranges)));
        let Some(ranges) = told.cloned() else {
            let why = answers.into_values().find_map(Result::err);
            return Err(why.unwrap_or_else(|| Error::new(ErrorKind::Cluster, AWAY)));
        };
        let masters: BTreeSet<_> = ranges.iter().map(|range| range.master.clone()).collect();
        let new = masters.iter().filter(|master| !answers.contains_key(master) && !absent.contains(master));
        answers.extend(self.ask_all(new.cloned()).await);
        let mut why = |master: &Server| match answers.remove(master) {
            Some(answer) => answer.err().map(Some),
            None => Some(None),
        };
        let away = masters.iter().filter_map(|master| Some((master.clone(), why(master)?))).collect();
        self.state().known = masters;
        Ok(Survey { ranges, away })
    }

    async fn ask_all(&self, servers: impl IntoIterator<Item = Server>) -> HashMap<Server, Result<Vec<Range>, Error>> {
        let ask = async |server| {
            let answer = ask(&self.config, &server).await;
            (server, answer)
        };
        join_all(servers.into_iter().map(ask)).await.into_iter().collect()
    }

    /// Where the stand-in of a server is that is away; nowhere if it came back while others were asked.
    fn stand_in(self: &Arc<Self>, server: &Server, why: Option<&Error>) -> io::Result<Option<SocketAddr>> {
        let stand_in = {
            let mut state = self.state();
            if let Some(stand_in) = state.stand_ins.get(server) {
                stand_in.clone()
            } else {
                let (listener, address) = bind()?;
                let stand_in = Arc::new(StandIn::new(address));
                state.stand_ins.insert(server.clone(), stand_in.clone());
                tokio::spawn(stand_in.clone().receive(listener, self.clone()));
                stand_in
            }
        };
        // It was not asked, because it was away when the others were.
        if why.is_none() && !stand_in.is_needed() {
            return Ok(None);
        }
        if stand_in.begin() {
            let why = why.map(what_is_wrong);
            warn!(%server, why, "a server of the Cluster does not answer: its rooms wait, the others go on");
            tokio::spawn(self.clone().await_return(server.clone(), stand_in.clone()));
        }
        Ok(Some(stand_in.address()))
    }

    /// Ends what stands in for a server when it is back, or when another one has its slots.
    async fn await_return(self: Arc<Self>, server: Server, stand_in: Arc<StandIn>) {
        for tries in 1_u32.. {
            tokio::select! {
                () = self.closed.cancelled() => return,
                () = tokio::time::sleep(TRY_EVERY) => {}
            }
            if ask(&self.config, &server).await.is_ok() {
                info!(%server, "a server of the Cluster that was away answers again");
                break;
            }
            if tries.is_multiple_of(TRIES_A_LOOK)
                && let Ok(survey) = self.survey().await
                && !survey.names(&server)
            {
                info!(%server, "what a server of the Cluster held that is away is with others now");
                break;
            }
        }
        self.ended.fetch_add(1, Ordering::Release);
        // The clients lose a connection, and ask again where the masters are.
        stand_in.end();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Only what runs on this machine gets there. It learns where the servers are, and can do nothing with that.
fn bind() -> io::Result<(TcpListener, SocketAddr)> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((TcpListener::from_std(listener)?, address))
}

fn server_at(address: SocketAddr) -> Server {
    Server::new(address.ip().to_string(), address.port())
}

fn first<A: Clone, B>((one, _): (&A, B)) -> A {
    one.clone()
}

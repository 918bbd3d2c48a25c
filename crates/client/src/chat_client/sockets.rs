//! Which sockets there should be: one, or two while the next takes over from the one that was told to move.
//!
//! Decides when to open, ping and give up. Moments are milliseconds of any clock that never goes back.

use super::{Command, SocketId};
use crate::state::ConnectionState;
use protocol::frames::{ClientFrame, CloseCode, PONG_WAIT_SECS, SILENCE_CLIENT_SECS};

/// The longest wait before the first try, before the second twice as long, and so on.
const BACKOFF_MS: u64 = 250;
const BACKOFF_MAX_MS: u64 = 15_000;
/// A connection that lasted this long was a good one: the next failure counts as the first.
const STABLE_MS: u64 = 10_000;
/// How long a socket may take to say hello.
const HELLO_WAIT_MS: u64 = 10_000;
/// An opening socket this old is given up when there is reason to hope that another try does better.
const HOPELESS_MS: u64 = 3_000;
/// Shorter interruptions are nobody's business.
const QUIET_MS: u64 = 2_000;
const SILENCE_MS: u64 = SILENCE_CLIENT_SECS * 1_000;
const PONG_WAIT_MS: u64 = PONG_WAIT_SECS * 1_000;
/// While the socket that was told to move still serves, waits grow no longer than those before this try: the other instance is to
/// be found within seconds, and every second try may meet the one that stops.
const HURRIED_TRY: u32 = 2;
/// The try from which a busy or stopping server is asked again, so that not everybody comes back at once.
const PATIENT_TRY: u32 = 3;

#[derive(Debug)]
struct OpenSocket {
    id: SocketId,
    opened: u64,
    /// When it said hello.
    welcomed: Option<u64>,
    heard: u64,
    sent: u64,
    pinged: Option<u64>,
    /// It closes soon.
    told: bool,
}

impl OpenSocket {
    /// When to ping next, or to give up.
    fn deadline(&self) -> u64 {
        match (self.welcomed, self.pinged) {
            (None, _) => self.opened + HELLO_WAIT_MS,
            (Some(_), Some(pinged)) => pinged + PONG_WAIT_MS,
            // Either side alone going silent makes the other one doubt.
            (Some(_), None) => self.heard.min(self.sent) + SILENCE_MS,
        }
    }
}

#[derive(Debug)]
pub(super) struct SocketPair {
    /// The one to send on.
    primary: Option<OpenSocket>,
    /// The one that takes over once it follows every room.
    successor: Option<OpenSocket>,
    /// The primary closes soon.
    moving: bool,
    next_id: SocketId,
    retry_at: Option<u64>,
    /// Tries in a row that failed.
    tries: u32,
    /// Since when nothing can be sent.
    down_since: u64,
    signed_out: bool,
    /// The server closed the socket because others of the session are used more: none is opened until somebody needs one.
    resting: bool,
}

impl SocketPair {
    pub fn new(now: u64) -> Self {
        Self {
            primary: None,
            successor: None,
            moving: false,
            next_id: 1,
            retry_at: Some(now),
            tries: 0,
            down_since: now,
            signed_out: false,
            resting: false,
        }
    }

    /// The socket to send on, once it said hello.
    pub fn primary(&self) -> Option<SocketId> {
        self.primary.as_ref().filter(|socket| socket.welcomed.is_some()).map(|socket| socket.id)
    }

    pub fn successor(&self) -> Option<SocketId> {
        self.successor.as_ref().filter(|socket| socket.welcomed.is_some()).map(|socket| socket.id)
    }

    pub fn connection(&self, now: u64) -> ConnectionState {
        if self.signed_out {
            ConnectionState::SignedOut
        } else if self.resting {
            ConnectionState::Resting
        } else if self.primary().is_some() {
            ConnectionState::Online
        } else if now < self.down_since + QUIET_MS {
            ConnectionState::Connecting
        } else {
            let wait = self.retry_at.map_or(0, |at| at.saturating_sub(now).div_ceil(1_000));
            ConnectionState::Offline { retry_in: u32::try_from(wait).unwrap_or(u32::MAX) }
        }
    }

    /// Something arrived. Says whether the socket is one of ours.
    pub fn heard(&mut self, id: SocketId, now: u64) -> bool {
        let Some(socket) = self.find(id) else { return false };
        (socket.heard, socket.pinged) = (now, None);
        true
    }

    pub fn sent(&mut self, id: SocketId, now: u64) {
        if let Some(socket) = self.find(id) {
            socket.sent = now;
        }
    }

    pub fn welcomed(&mut self, id: SocketId, now: u64) {
        if let Some(socket) = self.find(id) {
            socket.welcomed = Some(now);
        }
    }

    /// The server wants the primary gone.
    pub fn told_to_move(&mut self, id: SocketId, now: u64, out: &mut Vec<Command>) {
        if let Some(socket) = self.find(id) {
            socket.told = true;
        }
        self.move_if_told(now, out);
    }

    fn move_if_told(&mut self, now: u64, out: &mut Vec<Command>) {
        if self.primary.as_ref().is_some_and(|socket| socket.told && socket.welcomed.is_some()) && !self.moving {
            self.moving = true;
            // What failed before was about another instance.
            self.tries = 0;
            self.open(now, out);
        }
    }

    /// Whether `id` is the socket to send on.
    pub fn is_primary(&self, id: SocketId) -> bool {
        self.primary() == Some(id)
    }

    /// The successor becomes the primary, which is closed if it is still there.
    pub fn promote(&mut self, now: u64, out: &mut Vec<Command>) {
        let old = std::mem::replace(&mut self.primary, self.successor.take());
        out.extend(old.map(|old| Command::Close(old.id)));
        self.moving = false;
        // It may have been told to move on while it was taking over.
        self.move_if_told(now, out);
    }

    /// A socket was closed, by whomever. `may_rest`: nothing waits to be sent. `spread` is a random number. Says whether it was
    /// the primary.
    pub fn closed(&mut self, id: SocketId, code: Option<u16>, may_rest: bool, now: u64, spread: u64) -> bool {
        let was_online = self.primary().is_some();
        let was_primary = self.primary.as_ref().is_some_and(|socket| socket.id == id);
        let gone = if was_primary {
            self.moving = false;
            std::mem::replace(&mut self.primary, self.successor.take())
        } else {
            self.successor.take_if(|socket| socket.id == id)
        };
        let Some(gone) = gone else { return false };
        if was_online && self.primary().is_none() {
            self.down_since = now;
        }
        if gone.welcomed.is_some_and(|welcomed| now >= welcomed + STABLE_MS) {
            self.tries = 0;
        }
        // While the old socket still serves there is no crowd to be part of, and little time to find another instance.
        let too_many = code == Some(CloseCode::TooManySockets.code());
        let refused = too_many || [CloseCode::Restarting, CloseCode::Busy].iter().any(|busy| code == Some(busy.code()));
        if refused && self.primary.is_none() {
            self.tries = self.tries.max(PATIENT_TRY);
        }
        self.resting = too_many && may_rest && self.primary.is_none() && !self.signed_out;
        let needed = self.primary.is_none() || (self.moving && self.successor.is_none());
        if needed && !self.signed_out && !self.resting {
            let tries = if self.primary.is_some() { self.tries.min(HURRIED_TRY) } else { self.tries };
            self.retry_at = Some(now + backoff(tries, spread));
            self.tries += 1;
        }
        was_primary
    }

    pub fn is_resting(&self) -> bool {
        self.resting
    }

    /// Opens a socket again if there is none because others of the session were used more.
    pub fn wake_up(&mut self, now: u64, out: &mut Vec<Command>) {
        if std::mem::take(&mut self.resting) {
            (self.down_since, self.tries) = (now, 0);
            self.open(now, out);
        }
    }

    pub fn is_signed_out(&self) -> bool {
        self.signed_out
    }

    /// The session is over: everything is closed for good.
    pub fn sign_out(&mut self, out: &mut Vec<Command>) {
        (self.signed_out, self.resting) = (true, false);
        self.retry_at = None;
        for socket in [self.primary.take(), self.successor.take()].into_iter().flatten() {
            out.push(Command::Close(socket.id));
        }
    }

    /// There is reason to look at once: the page became visible, the network came back, somebody asked. Returns a socket
    /// to give up.
    pub fn nudge(&mut self, now: u64, out: &mut Vec<Command>) -> Option<SocketId> {
        for socket in [&mut self.primary, &mut self.successor].into_iter().flatten() {
            if socket.welcomed.is_some() {
                ping(socket, now, out);
            }
        }
        match &self.primary {
            Some(socket) if socket.welcomed.is_none() && now >= socket.opened + HOPELESS_MS => {
                self.tries = 0;
                Some(socket.id)
            }
            _ => {
                if self.retry_at.is_some() {
                    (self.retry_at, self.tries) = (Some(now), 0);
                    self.retry(now, out);
                }
                None
            }
        }
    }

    /// Does what is due. Returns the sockets to give up.
    pub fn tick(&mut self, now: u64, out: &mut Vec<Command>) -> Vec<SocketId> {
        let mut hopeless = vec![];
        for socket in [&mut self.primary, &mut self.successor].into_iter().flatten() {
            if now >= socket.deadline() {
                if socket.welcomed.is_some() && socket.pinged.is_none() {
                    ping(socket, now, out);
                } else {
                    hopeless.push(socket.id);
                }
            }
        }
        self.retry(now, out);
        self.move_if_told(now, out);
        hopeless
    }

    /// When [`tick`](Self::tick) has something to do, or [`connection`](Self::connection) changes.
    pub fn next_wake(&self, now: u64) -> Option<u64> {
        let deadlines = [&self.primary, &self.successor].into_iter().flatten().map(OpenSocket::deadline);
        let countdown = match self.connection(now) {
            ConnectionState::Connecting => Some(self.down_since + QUIET_MS),
            // Whole seconds before the next try, when the number shown changes.
            ConnectionState::Offline { .. } => {
                self.retry_at.filter(|&at| at > now).map(|at| now + (at - now - 1) % 1_000 + 1)
            }
            ConnectionState::Online | ConnectionState::SignedOut | ConnectionState::Resting => None,
        };
        deadlines.chain(self.retry_at).chain(countdown).min()
    }

    fn retry(&mut self, now: u64, out: &mut Vec<Command>) {
        if self.retry_at.is_some_and(|at| now >= at) && !self.signed_out {
            self.open(now, out);
        }
    }

    fn open(&mut self, now: u64, out: &mut Vec<Command>) {
        self.retry_at = None;
        let id = self.next_id;
        self.next_id += 1;
        let socket = OpenSocket { id, opened: now, welcomed: None, heard: now, sent: now, pinged: None, told: false };
        if self.primary.is_none() {
            self.primary = Some(socket);
        } else if self.successor.is_none() {
            self.successor = Some(socket);
        } else {
            return;
        }
        out.push(Command::Open(id));
    }

    fn find(&mut self, id: SocketId) -> Option<&mut OpenSocket> {
        [&mut self.primary, &mut self.successor].into_iter().flatten().find(|socket| socket.id == id)
    }
}

/// How long to wait after `tries` failures in a row: anything up to a limit that doubles each time, so that many clients
/// that failed together do not come back together.
pub(super) fn backoff(tries: u32, spread: u64) -> u64 {
    spread % (BACKOFF_MS << tries.min(16)).min(BACKOFF_MAX_MS)
}

fn ping(socket: &mut OpenSocket, now: u64, out: &mut Vec<Command>) {
    if socket.pinged.is_none() {
        socket.pinged = Some(now);
        socket.sent = now;
        out.push(Command::Send(socket.id, ClientFrame::Ping));
    }
}

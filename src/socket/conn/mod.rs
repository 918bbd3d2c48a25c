//! The task of one socket.
//!
//! | module | what |
//! |---|---|
//! | here | its life: what wakes it, and what ends it |
//! | `requests` | what the client asks for, and what comes of it |
//! | `writing` | what is written, and in whose turn |

mod requests;
mod writing;

use super::{
    Admitted, HANDSHAKE, SocketContext, WebSocket,
    clock::{Due, Pulse, Stay},
    close,
    end::End,
    reply::{self, Frame},
    request::{self, Done},
    signals::{self, Marks},
    subscription::Subscription,
    throttle::{Throttle, Turn},
    traffic::Traffic,
};
use crate::{
    chat::turns::ReadTurns,
    connection::wire::Wire,
    hub::{
        Hub,
        lease::{Admission, Grant},
        wake::Wake,
    },
    store::{Session, StoreError},
};
use app::{
    domain::RoomKey,
    protocol::{ClientFrame, CloseCode, ErrorCode, FRAME_MAX, IN_FLIGHT_MAX, ServerFrame},
};
use futures_util::{FutureExt, SinkExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{self, Bytes, Message};

/// How long the client's close frame is waited for when the server ends.
const STOP_HANDSHAKE: Duration = Duration::from_millis(500);
/// What is still read, unseen, of a client that broke a rule: the rest of the largest message, and its close frame.
const DISCARDED_MAX: usize = FRAME_MAX + 1024;
/// Requests read before their answers are written.
const READ_BATCH: usize = 64;

struct Conn {
    ws: WebSocket,
    sockets: SocketContext,
    session: Session,
    admission: Admission,
    wake: Arc<Wake>,
    rooms: Vec<Subscription>,
    /// Rooms whose join is under way, with the token of that join.
    joining: Vec<(RoomKey, u64)>,
    next_token: u64,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    /// How much of the work is appends, which a server that stops waits for.
    appends: usize,
    turns: ReadTurns,
    /// Which room is served first, so that a busy one does not starve the others.
    turn: usize,
    marks: Marks,
    pulse: Pulse,
    stay: Stay,
    /// Which version of the notice was told.
    notice: u64,
    throttle: Throttle,
    wire: Wire,
    traffic: Traffic,
}

pub async fn run(ws: WebSocket, sockets: SocketContext, admitted: Admitted) {
    let Admitted { session, asked, place, wire } = admitted;
    let allowance = sockets.chat.limits.allowance(session.token);
    let mut conn = Conn {
        ws,
        wake: place.wake.clone(),
        rooms: Vec::new(),
        joining: Vec::new(),
        next_token: 1,
        work: FuturesUnordered::new(),
        appends: 0,
        turns: ReadTurns::new(allowance.clone()),
        turn: 0,
        marks: Marks::new(),
        pulse: Pulse::new(),
        stay: Stay::new(sockets.lifetime, &sockets.chat.hub),
        // Before `hello` looks at its text.
        notice: sockets.chat.hub.notice.version(),
        throttle: Throttle::new(allowance),
        wire,
        traffic: Traffic::new(&sockets.chat.hub.metrics),
        sockets,
        admission: Admission { token: session.token, asked, registered: asked },
        session,
    };
    let hub = conn.sockets.chat.hub.clone();
    hub.metrics.sockets_opened.inc();
    hub.add_socket(&conn.session, &conn.wake);
    conn.admission.registered = Instant::now();
    // A session that ended just before has told the sockets that were there.
    let ended = conn.sockets.chat.has_ended(conn.session.token).await;
    let end = match still_counts(&ended) {
        Ok(()) => conn.serve().await,
        end => end,
    };
    conn.turns.end();
    hub.metrics.closed(match end {
        Err(End::Close(code, _)) => Some(code.code()),
        Err(End::Closed) => Some(1000),
        Ok(()) | Err(End::Gone) => None,
    });
    // Requests under way hold a place in their rooms: let them finish, unseen, so that it is given back.
    for joined in std::mem::take(&mut conn.rooms) {
        conn.exit(&joined, conn.wake.ended.load(Ordering::Acquire));
    }
    if !matches!(end, Err(End::Gone)) {
        let closing = async {
            if let Err(End::Close(code, reason)) = end {
                conn.ws.send(close(code, reason)).await.ok();
                if code.is_for_bad_input() {
                    conn.wire.discard(DISCARDED_MAX).await;
                    return;
                }
            }
            // Reading on sends or awaits the close frame that ends the handshake.
            while let Some(Ok(_)) = conn.ws.next().await {}
        };
        let patience = if hub.stopped() { STOP_HANDSHAKE } else { HANDSHAKE };
        let _ = timeout(patience, closing).await;
    }
    let (me, wake) = (conn.session.person.id, conn.wake.clone());
    // It was read before the session ended.
    if hub.lease.holds(conn.admission) {
        for (room, mark) in conn.marks.rest() {
            conn.work.push(signals::raise(conn.sockets.chat.clone(), me, room, mark).boxed());
        }
    }
    while let Some(done) = conn.work.next().await {
        if let Done::Joined { joined, .. } = done {
            hub.exit(&joined.room, me, &wake, false);
        }
    }
    hub.remove_socket(&conn.session, &conn.wake);
    drop(place);
}

/// Whether a session counts, as the store says of it. Where it does not answer nobody was signed out: the
/// client comes back.
fn still_counts(ended: &Result<bool, StoreError>) -> Result<(), End> {
    match ended {
        Ok(false) => Ok(()),
        Ok(true) => Err(End::SIGNED_OUT),
        Err(_) => Err(End::Close(CloseCode::Busy, "the store does not answer")),
    }
}

/// The client was not heard of for long: the socket counts for nobody's presence, for the time being.
fn vanish(pulse: &mut Pulse, rooms: &mut [Subscription], hub: &Hub, session: &Session) {
    pulse.absent = true;
    for joined in rooms.iter_mut().filter(|joined| joined.present) {
        joined.present = false;
        hub.away(&joined.room, session.person.id);
    }
}

impl Conn {
    async fn serve(&mut self) -> Result<(), End> {
        let me = self.session.person.clone();
        let notice = self.sockets.chat.hub.notice.text().map(|text| text.to_string());
        self.say(&ServerFrame::Hello { me, build: self.sockets.build.to_string(), notice }).await?;
        loop {
            self.check_stop()?;
            self.tell_notice().await?;
            self.run_errand();
            let more = self.write().await?;
            let wake = self.wake.clone();
            let turn = self.turn();
            if matches!(turn, Turn::Wait(_) | Turn::Busy) && self.wire.is_read_closed() {
                // What lies unread before its end is sent again on the next socket.
                return Err(End::Gone);
            }
            let deadline = self.deadline(turn);
            // The clock first: it is looked at nowhere else, and a client that never stops sending has to move in time as
            // well. Then the client, which is read from nowhere else: what else there is to do is done each time round, and
            // to one that takes little at a time there is always something to write.
            tokio::select! {
                biased;
                () = sleep_until(deadline) => self.on_time().await?,
                message = self.ws.next(), if turn == Turn::Any || turn == Turn::One => {
                    self.read(message).await?;
                    for _ in 1..READ_BATCH {
                        if self.turn() != Turn::Any { break }
                        let Some(message) = self.ws.next().now_or_never() else { break };
                        self.read(message).await?;
                    }
                }
                Some(done) = self.work.next(), if !self.work.is_empty() => self.done(done).await?,
                () = wake.notify.notified() => {}
                // There is more to write; the others get their turn first if they are ready.
                () = std::future::ready(()), if more => {}
            }
            while let Some(Some(done)) = self.work.next().now_or_never() {
                self.done(done).await?;
            }
        }
    }

    /// Tells what everybody is told, if it is something else than before.
    async fn tell_notice(&mut self) -> Result<(), End> {
        let board = &self.sockets.chat.hub.notice;
        let version = board.version();
        if version == self.notice {
            return Ok(());
        }
        self.notice = version;
        let text = board.text().map(|text| text.to_string());
        self.say(&ServerFrame::Notice { text }).await
    }

    /// Whether the client has to wait: nothing more is read until some of the work is done.
    fn is_busy(&self) -> bool {
        self.work.len() >= IN_FLIGHT_MAX
    }

    /// What may be read now.
    fn turn(&self) -> Turn {
        // Work that is done wakes the task by itself.
        if self.is_busy() { Turn::Busy } else { self.throttle.turn() }
    }

    /// When the clock alone makes something happen next.
    fn deadline(&self, turn: Turn) -> Instant {
        let errand = self.marks.next_at(&self.wake);
        let reads = match turn {
            Turn::Wait(at) => Some(at.min(Throttle::next_look())),
            Turn::Busy => Some(Throttle::next_look()),
            Turn::Any | Turn::One => None,
        };
        errand.into_iter().chain(reads).fold(self.pulse.next().min(self.stay.next()), Instant::min)
    }

    async fn on_time(&mut self) -> Result<(), End> {
        if self.pulse.is_faint() {
            if self.is_busy() {
                self.pulse.nobody_listened();
            } else if let Some(message) = self.ws.next().now_or_never() {
                return self.read(message).await;
            } else if self.pulse.is_gone() {
                return Err(End::Close(CloseCode::Silent, "nothing heard for 60 s"));
            } else {
                vanish(&mut self.pulse, &mut self.rooms, &self.sockets.chat.hub, &self.session);
            }
        }
        if self.pulse.asks() {
            self.feed(Message::Ping(Bytes::new())).await?;
        }
        match self.stay.due() {
            Some(Due::Move(within)) => {
                self.wake.told_to_move();
                let hub = &self.sockets.chat.hub;
                hub.metrics.socket_moves.with_label_values(&[if hub.stopping() { "stop" } else { "lifetime" }]).inc();
                let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
                self.say(&ServerFrame::Move { within_ms }).await
            }
            Some(Due::Close) => Err(End::Close(CloseCode::Moved, "told to move")),
            None => Ok(()),
        }
    }

    /// Whether the session has ended, or has another socket in this one's place.
    fn alive(&self) -> Result<(), End> {
        if self.wake.ended.load(Ordering::Acquire) {
            return Err(End::SIGNED_OUT);
        }
        if self.wake.is_evicted() { Err(End::EVICTED) } else { Ok(()) }
    }

    /// Whether the session or the server has ended.
    fn check_stop(&mut self) -> Result<(), End> {
        self.alive()?;
        if self.stay.is_over(&self.sockets.chat.hub, self.appends > 0) { Err(End::STOPPING) } else { Ok(()) }
    }

    async fn read(&mut self, message: Option<tungstenite::Result<Message>>) -> Result<(), End> {
        self.alive()?;
        let message = message.ok_or(End::Gone)??;
        let now = Instant::now();
        self.wake.hears(now);
        if self.pulse.heard(now) {
            for joined in self.rooms.iter_mut().filter(|joined| !joined.present) {
                joined.present = true;
                self.sockets.chat.hub.back(&joined.room, &self.session.person);
            }
        }
        match message {
            Message::Text(text) => {
                let parsed = request::parse(&text);
                self.throttle.charge(parsed.as_ref().ok(), text.len());
                self.traffic.read(text.len());
                match parsed {
                    Ok(frame) => self.request(frame).await,
                    Err(error) => self.bad_frame(&error).await,
                }
            }
            Message::Binary(bytes) => {
                self.throttle.charge(None, bytes.len());
                self.bad_frame(&reply::error(ErrorCode::NotText, "frames are JSON text", None)).await
            }
            Message::Close(_) => Err(End::Closed),
            Message::Ping(_) | Message::Pong(_) => {
                self.throttle.charge(Some(&ClientFrame::Ping), 0);
                Ok(())
            }
            Message::Frame(_) => Ok(()),
        }
    }

    /// Answers a frame that could not be made out, unless there were too many of them.
    async fn bad_frame(&mut self, error: &Frame) -> Result<(), End> {
        // A kind that a later version knows is no fault of the client's.
        let is_bad = !matches!(error, ServerFrame::Error { code: ErrorCode::UnknownFrame, .. });
        if is_bad && self.throttle.is_enough() {
            return Err(End::Close(CloseCode::Policy, "more than 10 bad frames in a minute"));
        }
        self.say(error).await
    }

    /// Takes the socket out of a room.
    fn exit(&self, joined: &Subscription, for_good: bool) {
        if joined.present {
            self.sockets.chat.hub.exit(&joined.room, self.session.person.id, &self.wake, for_good);
        } else {
            joined.room.remove_wake(&self.wake);
        }
    }

    /// What may be done for the session now; if nothing, then not before the store was asked again.
    fn grant(&self) -> Option<Grant> {
        self.sockets.chat.hub.lease.grant(self.admission, &self.wake)
    }

    fn counts(&self) -> bool {
        self.grant().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_does_not_answer_signs_nobody_out() {
        let closed_with = |ended| match still_counts(&ended) {
            Err(End::Close(code, _)) => Some(code),
            _ => None,
        };
        assert_eq!(closed_with(Ok(false)), None);
        assert_eq!(closed_with(Ok(true)), Some(CloseCode::SessionEnded));
        assert_eq!(closed_with(Err(StoreError("it is away".to_owned()))), Some(CloseCode::Busy));
    }
}

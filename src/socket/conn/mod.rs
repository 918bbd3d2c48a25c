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
    Sockets,
    clock::{Due, Pulse, Stay},
    end::End,
    joined::Joined,
    reply,
    request::{self, Done},
    signals::{self, Marks},
};
use crate::{
    engine::Session,
    hub::{Hub, lease::Admission, wake::Wake},
};
use app::{
    domain::RoomKey,
    protocol::{CloseCode, ErrorCode, FRAME_MAX, IN_FLIGHT_MAX, ServerFrame},
};
use axum::{
    body::Bytes,
    extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket},
};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::{Instant, sleep_until, timeout};

/// How long the client's close frame is waited for, and how long when the server ends.
const HANDSHAKE: Duration = Duration::from_secs(2);
const STOP_HANDSHAKE: Duration = Duration::from_millis(500);
/// Requests for pages of entries under way at a time.
const PAGES_MAX: usize = 4;
/// Requests read before their answers are written.
const READ_BATCH: usize = 64;

struct Conn {
    ws: WebSocket,
    sockets: Sockets,
    session: Session,
    admission: Admission,
    wake: Arc<Wake>,
    rooms: Vec<Joined>,
    /// Rooms whose join is under way, with the token of that join.
    joining: Vec<(RoomKey, u64)>,
    next_token: u64,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    /// How much of the work is appends, which a server that stops waits for.
    appends: usize,
    /// How much of it ends in a page of entries, which is memory until it is written.
    pages: usize,
    /// Which room is served first, so that a busy one does not starve the others.
    turn: usize,
    marks: Marks,
    pulse: Pulse,
    stay: Stay,
}

pub async fn run(ws: WebSocket, sockets: Sockets, session: Session, asked: std::time::Instant) {
    let mut conn = Conn {
        ws,
        wake: Arc::default(),
        rooms: Vec::new(),
        joining: Vec::new(),
        next_token: 1,
        work: FuturesUnordered::new(),
        appends: 0,
        pages: 0,
        turn: 0,
        marks: Marks::new(),
        pulse: Pulse::new(),
        stay: Stay::new(sockets.lifetime),
        sockets,
        session,
        admission: Admission { asked, registered: asked },
    };
    let hub = conn.sockets.hub.clone();
    hub.add_socket(&conn.session, &conn.wake);
    conn.admission.registered = std::time::Instant::now();
    // A session that ended just before has told the sockets that were there.
    if !hub.engine.may_miss() {
        match hub.engine.ended_sessions(&[conn.session.token]).await {
            Ok(ended) if ended.is_empty() => {}
            _ => conn.wake.end(),
        }
    }
    let end = conn.serve().await;
    // Requests under way hold a place in their rooms: let them finish, unseen, so that it is given back.
    for joined in std::mem::take(&mut conn.rooms) {
        conn.exit(&joined, conn.wake.ended.load(Ordering::Acquire));
    }
    if !matches!(end, Err(End::Gone)) {
        let closing = async {
            if let Err(End::Close(code, reason)) = end {
                let frame = CloseFrame { code: code.code(), reason: Utf8Bytes::from_static(reason) };
                conn.ws.send(Message::Close(Some(frame))).await.ok();
            }
            // Reading on sends or awaits the close frame that ends the handshake.
            while let Some(Ok(_)) = conn.ws.recv().await {}
        };
        let patience = if hub.stopped() { STOP_HANDSHAKE } else { HANDSHAKE };
        let _ = timeout(patience, closing).await;
    }
    let (me, wake) = (conn.session.person.id, conn.wake.clone());
    if conn.counts() {
        for (room, mark) in conn.marks.rest() {
            conn.work.push(signals::raise(hub.clone(), me, room, mark).boxed());
        }
    }
    while let Some(done) = conn.work.next().await {
        if let Done::Joined { joined, .. } = done {
            hub.exit(&joined.room, me, &wake, false);
        }
    }
    hub.remove_socket(&conn.session, &conn.wake);
}

/// The client was not heard of for long: the socket counts for nobody's presence, for the time being.
fn vanish(pulse: &mut Pulse, rooms: &mut [Joined], hub: &Hub, session: &Session) {
    pulse.absent = true;
    for joined in rooms.iter_mut().filter(|joined| joined.present) {
        joined.present = false;
        hub.away(&joined.room, session.person.id);
    }
}

impl Conn {
    async fn serve(&mut self) -> Result<(), End> {
        let me = self.session.person.clone();
        self.say(&ServerFrame::Hello { me, build: self.sockets.build.to_string() }).await?;
        loop {
            self.check_stop()?;
            self.run_errand();
            let more = self.write().await?;
            let wake = self.wake.clone();
            let (deadline, busy) = (self.deadline(), self.is_busy());
            tokio::select! {
                message = self.ws.next(), if !busy => {
                    self.read(message).await?;
                    for _ in 1..READ_BATCH {
                        if self.is_busy() { break }
                        let Some(message) = self.ws.next().now_or_never() else { break };
                        self.read(message).await?;
                    }
                }
                Some(done) = self.work.next(), if !self.work.is_empty() => self.done(done).await?,
                () = wake.notify.notified() => {}
                () = sleep_until(deadline) => self.on_time().await?,
                // There is more to write; the others get their turn first if they are ready.
                () = std::future::ready(()), if more => {}
            }
            while let Some(Some(done)) = self.work.next().now_or_never() {
                self.done(done).await?;
            }
        }
    }

    /// Whether the client has to wait: nothing more is read until some of the work is done.
    fn is_busy(&self) -> bool {
        self.work.len() >= IN_FLIGHT_MAX || self.pages >= PAGES_MAX
    }

    /// When the clock alone makes something happen next.
    fn deadline(&self) -> Instant {
        let errand = self.marks.next_at(&self.wake);
        errand.into_iter().fold(self.pulse.next().min(self.stay.next()), Instant::min)
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
                vanish(&mut self.pulse, &mut self.rooms, &self.sockets.hub, &self.session);
            }
        }
        if self.pulse.asks() {
            self.feed(Message::Ping(Bytes::new())).await?;
        }
        match self.stay.due() {
            Some(Due::Move(within)) => {
                let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
                self.say(&ServerFrame::Move { within_ms }).await
            }
            Some(Due::Close) => Err(End::Close(CloseCode::Moved, "told to move")),
            None => Ok(()),
        }
    }

    /// Whether the session has ended.
    fn alive(&self) -> Result<(), End> {
        if self.wake.ended.load(Ordering::Acquire) { Err(End::SIGNED_OUT) } else { Ok(()) }
    }

    /// Whether the session or the server has ended.
    fn check_stop(&mut self) -> Result<(), End> {
        self.alive()?;
        if self.stay.is_over(&self.sockets.hub, self.appends > 0) { Err(End::STOPPING) } else { Ok(()) }
    }

    async fn read(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        self.alive()?;
        let message = message.ok_or(End::Gone)??;
        if self.pulse.heard() {
            for joined in self.rooms.iter_mut().filter(|joined| !joined.present) {
                joined.present = true;
                self.sockets.hub.back(&joined.room, &self.session.person);
            }
        }
        match message {
            Message::Text(text) if text.len() > FRAME_MAX => {
                Err(End::Close(CloseCode::TooBig, "frame larger than 64 KiB"))
            }
            Message::Text(text) => match request::parse(&text) {
                Ok(frame) => self.request(frame).await,
                Err(error) => self.say(&error).await,
            },
            Message::Binary(_) => self.say(&reply::error(ErrorCode::NotText, "frames are JSON text", None)).await,
            Message::Close(_) => Err(End::Closed),
            Message::Ping(_) | Message::Pong(_) => Ok(()),
        }
    }

    /// Takes the socket out of a room.
    fn exit(&self, joined: &Joined, for_good: bool) {
        if joined.present {
            self.sockets.hub.exit(&joined.room, self.session.person.id, &self.wake, for_good);
        } else {
            joined.room.remove_wake(&self.wake);
        }
    }

    /// Whether the session counts now; if not, nothing is done for it before the store was asked again.
    fn counts(&self) -> bool {
        self.sockets.hub.lease.holds(self.admission)
    }
}

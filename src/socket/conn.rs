//! The task of one socket.

use super::{
    Sockets,
    clock::{Due, Pulse, Stay},
    end::{End, patiently},
    joined::Joined,
    reply::{self, Frame, Number},
    request::{self, Asked, Done, Found},
    signals::{self, Errand, Marks},
};
use crate::{
    engine::{Draft, Session},
    hub::{Hub, lease::Admission, ring::Take, wake::Wake},
};
use app::{
    domain::RoomKey,
    protocol::{ClientFrame, CloseCode, ErrorCode, FRAME_MAX, IN_FLIGHT_MAX, Page, ROOMS_MAX, ServerFrame},
};
use axum::{
    body::Bytes,
    extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket},
};
use futures_util::{FutureExt, SinkExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::{Instant, sleep_until, timeout};

/// Bytes of entries taken for one write, over all rooms.
const TAKE_BYTES: usize = 32 * 1024;
/// How long the client's close frame is waited for, and how long when the server ends.
const HANDSHAKE: Duration = Duration::from_secs(2);
const STOP_HANDSHAKE: Duration = Duration::from_millis(500);
/// Requests for pages of entries under way at a time.
const PAGES_MAX: usize = 4;
/// Rooms for which the log is read at a time, as what is read is memory until it is written.
const CATCH_UPS_MAX: usize = 4;
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

    async fn request(&mut self, frame: ClientFrame) -> Result<(), End> {
        if !self.counts()
            && let Some(later) = request::later(&frame)
        {
            return self.say(&later).await;
        }
        let hub = self.sockets.hub.clone();
        let me = self.session.person.clone();
        match frame {
            ClientFrame::Ping => self.say(&ServerFrame::Pong).await,
            ClientFrame::Read { room, mark } => {
                if self.joined(&room).is_some() {
                    self.marks.want(room, mark);
                }
                Ok(())
            }
            ClientFrame::Typing { room: key } => {
                let joined = self.rooms.iter_mut().find(|joined| *joined.room.key() == key);
                if joined.is_none_or(|joined| !joined.signals.may_type()) || !self.counts() {
                    return Ok(());
                }
                self.begin(signals::typing(hub, me, key)).await
            }
            ClientFrame::Join { room: key, cursor } => {
                if let Some(reply) = self.cannot_join(&key) {
                    return self.say(&reply).await;
                }
                if let Some(at) = self.rooms.iter().position(|joined| *joined.room.key() == key) {
                    // Joined again: it starts anew, from wherever the client says it is.
                    let joined = self.rooms.swap_remove(at);
                    hub.exit(&joined.room, me.id, &self.wake, false);
                }
                let token = self.next_token;
                self.next_token += 1;
                self.joining.push((key.clone(), token));
                self.pages += 1;
                self.begin(request::join(hub, me, self.wake.clone(), key, cursor, token)).await
            }
            ClientFrame::Leave { room: key } => {
                if let Some(at) = self.rooms.iter().position(|joined| *joined.room.key() == key) {
                    let joined = self.rooms.swap_remove(at);
                    hub.exit(&joined.room, me.id, &self.wake, true);
                }
                // A join still under way finds that it is not wanted any more.
                self.joining.retain(|(other, _)| *other != key);
                self.marks.forget(&key);
                self.begin(request::leave(hub, me, key)).await
            }
            ClientFrame::History { room: key, epoch, before } => match self.joined(&key) {
                Some(_) => {
                    self.pages += 1;
                    self.begin(request::history(hub, key, epoch, before)).await
                }
                None => self.say(&reply::error(ErrorCode::NotJoined, "join the room first", Some(key))).await,
            },
            ClientFrame::Send { room, p, n, text, earlier } => {
                self.append(Number { room, p, n }, Asked { text: Some(text), earlier }).await
            }
            ClientFrame::Void { room, p, n } => self.append(Number { room, p, n }, Asked::void()).await,
        }
    }

    fn cannot_join(&self, key: &RoomKey) -> Option<Frame> {
        let room = Some(key.clone());
        match RoomKey::parse(key.as_str()) {
            Err(problem) => {
                return Some(reply::error(ErrorCode::for_room_name(problem), "that is no name of a room", room));
            }
            Ok(parsed) if parsed != *key => {
                return Some(reply::error(ErrorCode::RoomInvalid, "rooms are joined by their normalised name", room));
            }
            Ok(_) => {}
        }
        if self.is_joining(key) {
            return Some(reply::error(ErrorCode::BadFrame, "a join of this room is under way", room));
        }
        (self.joined(key).is_none() && self.rooms.len() + self.joining.len() >= ROOMS_MAX)
            .then(|| reply::error(ErrorCode::TooManyRooms, "leave a room first", room))
    }

    async fn append(&mut self, number: Number, asked: Asked) -> Result<(), End> {
        let Some(room) = self.joined(&number.room).map(|joined| joined.room.room.clone()) else {
            return self.say(&number.refused(ErrorCode::NotJoined, None)).await;
        };
        match asked.content() {
            Ok(content) => {
                let by = self.session.person.clone();
                let until = self.sockets.hub.lease.until(self.admission);
                let draft = Draft { room, by, p: number.p, n: number.n, earlier: asked.earlier, until, content };
                self.appends += 1;
                self.begin(request::append(self.sockets.hub.clone(), draft)).await
            }
            Err(code) => self.say(&number.refused(code, None)).await,
        }
    }

    /// Starts work on a request at once, so that appends reach the engine in the order they were read in.
    async fn begin(&mut self, work: impl Future<Output = Done> + Send + 'static) -> Result<(), End> {
        let mut work = work.boxed();
        match futures_util::poll!(&mut work) {
            std::task::Poll::Ready(done) => self.done(done).await,
            std::task::Poll::Pending => {
                self.work.push(work);
                Ok(())
            }
        }
    }

    async fn done(&mut self, done: Done) -> Result<(), End> {
        match done {
            Done::Nothing => Ok(()),
            Done::Reply(reply) => self.say(&reply).await,
            Done::Appended(reply) => {
                self.appends -= 1;
                self.say(&reply).await
            }
            Done::History { room, reply } => {
                self.pages -= 1;
                let reply = if self.counts() { reply } else { reply::unavailable(room) };
                self.say(&reply).await
            }
            Done::Joined { joined, reply } => {
                self.pages -= 1;
                let Some(at) = self.joining.iter().position(|(_, token)| *token == joined.token) else {
                    self.unwanted(&joined);
                    return Ok(());
                };
                self.joining.swap_remove(at);
                if !self.counts() {
                    let hub = self.sockets.hub.clone();
                    hub.exit(&joined.room, self.session.person.id, &self.wake, false);
                    return self.say(&reply::unavailable(joined.room.key().clone())).await;
                }
                self.rooms.push(joined);
                self.say(&reply).await
            }
            Done::NotJoined { token, reply } => {
                self.pages -= 1;
                self.joining.retain(|(_, other)| *other != token);
                self.say(&reply).await
            }
            Done::CaughtUp { token, found } => self.caught_up(token, found).await,
            Done::Behind { token } => {
                if let Some(joined) = self.by_token(token) {
                    joined.reading = false;
                    joined.seen_log = 0;
                }
                Ok(())
            }
            Done::Marks(again) => {
                let Self { marks, wake, rooms, .. } = self;
                marks.done(again, Instant::now(), wake, |key| rooms.iter().any(|joined| joined.room.key() == key));
                Ok(())
            }
        }
    }

    /// Begins what is due to be written of the marks, or asked.
    fn run_errand(&mut self) {
        let Self { marks, wake, sockets, admission, .. } = self;
        let Some(errand) = marks.next(Instant::now(), wake, || sockets.hub.lease.holds(*admission)) else { return };
        let (hub, me) = (self.sockets.hub.clone(), self.session.person.id);
        self.work.push(match errand {
            Errand::Raise(room, mark) => signals::raise(hub, me, room, mark).boxed(),
            Errand::Ask => {
                let rooms = self.rooms.iter().map(|joined| joined.room.key().clone()).collect();
                signals::ask(hub, me, self.wake.clone(), rooms).boxed()
            }
        });
    }

    /// A join that was left before it was done.
    fn unwanted(&mut self, joined: &Joined) {
        let (hub, me) = (self.sockets.hub.clone(), self.session.person.clone());
        hub.exit(&joined.room, me.id, &self.wake, true);
        let key = joined.room.key().clone();
        if self.joined(&key).is_some() || self.is_joining(&key) {
            return;
        }
        // It may have put the room back on the list after the leave had taken it off.
        self.work.push(request::forget(hub, me, key).boxed());
    }

    async fn caught_up(&mut self, token: u64, found: Found) -> Result<(), End> {
        let counts = self.counts();
        let Some(joined) = self.by_token(token) else { return Ok(()) };
        joined.reading = false;
        if !counts {
            // To be read again.
            joined.seen_log = 0;
            return Ok(());
        }
        match found {
            Found::Following { records, cursor } => {
                if !records.is_empty() {
                    joined.cursor = cursor;
                    joined.seen_log = 0;
                }
                let room = joined.room.clone();
                for record in &records {
                    self.feed(Message::Text(room.encode(&record.json))).await?;
                }
                Ok(())
            }
            Found::Newest { how, page } => {
                joined.cursor = page.cursor;
                joined.seen_log = 0;
                let room = joined.room.key().clone();
                let page: Page<_> = reply::page(page);
                tracing::info!(?how, "a client was moved to the newest page");
                self.say(&ServerFrame::Reset { room, how, page }).await
            }
        }
    }

    fn is_joining(&self, key: &RoomKey) -> bool {
        self.joining.iter().any(|(other, _)| other == key)
    }

    fn joined(&self, key: &RoomKey) -> Option<&Joined> {
        self.rooms.iter().find(|joined| joined.room.key() == key)
    }

    fn by_token(&mut self, token: u64) -> Option<&mut Joined> {
        self.rooms.iter_mut().find(|joined| joined.token == token)
    }

    async fn say(&mut self, frame: &Frame) -> Result<(), End> {
        self.feed(Message::Text(reply::encode(frame))).await
    }

    async fn feed(&mut self, message: Message) -> Result<(), End> {
        let late = self.pulse.late();
        let Self { ws, wake, rooms, sockets, session, pulse, .. } = self;
        patiently(wake, ws.feed(message), late, || vanish(pulse, rooms, &sockets.hub, session)).await
    }

    async fn flush(&mut self) -> Result<(), End> {
        let late = self.pulse.late();
        let Self { ws, wake, rooms, sockets, session, pulse, .. } = self;
        patiently(wake, ws.flush(), late, || vanish(pulse, rooms, &sockets.hub, session)).await
    }

    /// Writes a share of what follows the cursors and says whether there is more; presence and signals come last.
    async fn write(&mut self) -> Result<bool, End> {
        let more = self.take_round().await?;
        if !more {
            let mut news: Vec<_> = self.rooms.iter_mut().filter_map(Joined::presence_news).collect();
            let Self { rooms, joining, wake, session, .. } = self;
            let is_joining = |key: &RoomKey| joining.iter().any(|(other, _)| other == key);
            news.extend(signals::news(rooms, wake, session.person.id, is_joining));
            for frame in news {
                self.feed(Message::Text(frame)).await?;
            }
        }
        self.flush().await?;
        Ok(more)
    }

    /// One round over the rooms; says whether another may find more.
    async fn take_round(&mut self) -> Result<bool, End> {
        if !self.rooms.is_empty() && !self.counts() {
            return Ok(false);
        }
        let count = self.rooms.len();
        let (mut frames, mut bytes, mut more) = (Vec::new(), 0_usize, false);
        let mut behind = Vec::new();
        let mut reading = self.rooms.iter().filter(|joined| joined.reading).count();
        for step in 0..count {
            let joined = &mut self.rooms[(self.turn + step) % count];
            if bytes >= TAKE_BYTES {
                more = true;
                break;
            }
            match joined.take(TAKE_BYTES - bytes, |frame| {
                bytes += frame.len();
                frames.push(frame);
            }) {
                Some(Take::Upto { more: rest, .. }) => more |= rest,
                Some(found @ (Take::Behind | Take::Diverged)) => {
                    if found == Take::Diverged {
                        // Either this reader or the ring is of another log than the store's.
                        self.sockets.hub.refill(&joined.room);
                    }
                    if reading >= CATCH_UPS_MAX {
                        // Looked at again when one of those is done.
                        joined.seen_log = 0;
                        continue;
                    }
                    reading += 1;
                    joined.reading = true;
                    behind.push((joined.room.key().clone(), joined.cursor, joined.token));
                }
                Some(Take::Nothing | Take::Ahead) | None => {}
            }
        }
        self.turn = self.turn.wrapping_add(1) % count.max(1);
        for frame in frames {
            self.feed(Message::Text(frame)).await?;
        }
        for (key, cursor, token) in behind {
            let hub = self.sockets.hub.clone();
            self.work.push(request::catch_up(hub, key, cursor, token).boxed());
        }
        Ok(more)
    }
}

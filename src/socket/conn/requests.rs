//! What a client asks for, and what comes of it.

use super::Conn;
use crate::{
    chat::messages::{CatchUp, Numbered},
    hub::lease::Grant,
    socket::{
        end::End,
        reply::{self, Frame, Number},
        request::{self, Done},
        signals::{self, Errand},
        subscription::Subscription,
    },
    telemetry,
};
use app::{
    domain::RoomKey,
    protocol::{ClientFrame, ErrorCode, JoinedHow, Page, ROOMS_MAX, ServerFrame},
};
use futures_util::FutureExt;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

impl Conn {
    pub(super) async fn request(&mut self, frame: ClientFrame) -> Result<(), End> {
        if !self.counts()
            && let Some(later) = request::later(&frame)
        {
            return self.say(&later).await;
        }
        if !matches!(frame, ClientFrame::Ping | ClientFrame::Join { .. }) {
            self.wake.acts();
        }
        let chat = self.sockets.chat.clone();
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
                if joined.is_none_or(|joined| !joined.signals.may_type(Instant::now())) || !self.counts() {
                    return Ok(());
                }
                self.begin("typing", signals::typing(chat, me, key)).await
            }
            ClientFrame::Join { room: key, cursor } => {
                if let Some(reply) = self.cannot_join(&key) {
                    return self.say(&reply).await;
                }
                if let Some(at) = self.rooms.iter().position(|joined| *joined.room.key() == key) {
                    // Joined again: it starts anew, from wherever the client says it is.
                    let joined = self.rooms.swap_remove(at);
                    chat.hub.exit(&joined.room, me.id, &self.wake, false);
                }
                let token = self.next_token;
                self.next_token += 1;
                self.joining.push((key.clone(), token));
                let turns = self.turns.clone();
                self.begin("join", request::join(chat, turns, me, self.wake.clone(), key, cursor, token)).await
            }
            ClientFrame::Leave { room: key } => {
                if let Some(reply) = is_no_key(&key) {
                    return self.say(&reply).await;
                }
                if let Some(at) = self.rooms.iter().position(|joined| *joined.room.key() == key) {
                    let joined = self.rooms.swap_remove(at);
                    chat.hub.exit(&joined.room, me.id, &self.wake, true);
                }
                // A join still under way finds that it is not wanted any more.
                self.joining.retain(|(other, _)| *other != key);
                self.marks.forget(&key);
                self.begin("leave", request::leave(chat, me, key)).await
            }
            ClientFrame::History { room: key, epoch, before } => {
                if self.joined(&key).is_none() {
                    let not_joined = |key| reply::error(ErrorCode::NotJoined, "join the room first", Some(key));
                    let reply = is_no_key(&key).unwrap_or_else(|| not_joined(key));
                    return self.say(&reply).await;
                }
                self.begin("history", request::history(chat, self.turns.clone(), key, epoch, before)).await
            }
            ClientFrame::Send { room, p, n, text, earlier } => {
                self.append(room, Numbered { p, n, text: Some(text), earlier }).await
            }
            ClientFrame::Void { room, p, n } => {
                self.append(room, Numbered { p, n, text: None, earlier: Vec::new() }).await
            }
        }
    }

    fn cannot_join(&self, key: &RoomKey) -> Option<Frame> {
        let no_key = is_no_key(key);
        if no_key.is_some() {
            return no_key;
        }
        let room = Some(key.clone());
        if self.is_joining(key) {
            return Some(reply::error(ErrorCode::BadFrame, "a join of this room is under way", room));
        }
        (self.joined(key).is_none() && self.rooms.len() + self.joining.len() >= ROOMS_MAX)
            .then(|| reply::error(ErrorCode::TooManyRooms, "leave a room first", room))
    }

    fn count_start(&self, how: JoinedHow) {
        let label = match how {
            JoinedHow::Newest => "newest",
            JoinedHow::Resumed => "resumed",
            JoinedHow::Jumped => "jumped",
            JoinedHow::Reset => "reset",
        };
        self.sockets.chat.hub.metrics.joins.with_label_values(&[label]).inc();
    }

    async fn append(&mut self, room: RoomKey, numbered: Numbered) -> Result<(), End> {
        let number = Number { room, p: numbered.p, n: numbered.n };
        let Some(access) = self.joined(&number.room).map(|joined| &joined.access) else {
            return self.say(&number.refused(ErrorCode::NotJoined, None)).await;
        };
        // Asked here once: what holds and until when are of the same moment.
        let Some(Grant { until }) = self.grant() else {
            return self.say(&number.refused(ErrorCode::Unavailable, None)).await;
        };
        let name = if numbered.text.is_some() { "send" } else { "void" };
        match self.sockets.chat.append(access.until(until), numbered) {
            Ok(appending) => {
                self.appends += 1;
                self.begin(name, async move { request::appended(number, appending.await) }).await
            }
            Err(code) => self.say(&number.refused(code, None)).await,
        }
    }

    /// Starts work on a request at once, so that appends reach the engine in the order they were read in.
    async fn begin(
        &mut self,
        name: &'static str,
        work: impl Future<Output = Done> + Send + 'static,
    ) -> Result<(), End> {
        let mut work = telemetry::command(name, work).boxed();
        match futures_util::poll!(&mut work) {
            std::task::Poll::Ready(done) => self.done(done).await,
            std::task::Poll::Pending => {
                self.work.push(work);
                Ok(())
            }
        }
    }

    pub(super) async fn done(&mut self, done: Done) -> Result<(), End> {
        match done {
            Done::Nothing => Ok(()),
            Done::Reply(reply) => self.say(&reply).await,
            Done::Appended(reply) => {
                self.appends -= 1;
                self.say(&reply).await
            }
            Done::History { room, reply, turn: _turn } => {
                let reply = if self.counts() { reply } else { reply::unavailable(room) };
                self.say(&reply).await
            }
            Done::Joined { joined, reply, is_anew, turn: _turn } => {
                let Some(at) = self.joining.iter().position(|(_, token)| *token == joined.token) else {
                    self.unwanted(&joined);
                    return Ok(());
                };
                self.joining.swap_remove(at);
                if is_anew {
                    self.throttle.charge_join();
                }
                if !self.counts() {
                    let hub = self.sockets.chat.hub.clone();
                    hub.exit(&joined.room, self.session.person.id, &self.wake, false);
                    return self.say(&reply::unavailable(joined.room.key().clone())).await;
                }
                self.rooms.push(*joined);
                if let ServerFrame::Joined { how, .. } = &reply {
                    self.count_start(*how);
                }
                self.say(&reply).await
            }
            Done::NotJoined { token, reply } => {
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
    pub(super) fn run_errand(&mut self) {
        let Self { marks, wake, sockets, admission, .. } = self;
        let Some(errand) =
            marks.next(Instant::now(), wake, || sockets.chat.hub.lease.grant(*admission, wake).is_some())
        else {
            return;
        };
        let (chat, me) = (self.sockets.chat.clone(), self.session.person.id);
        self.work.push(match errand {
            Errand::Raise(room, mark) => signals::raise(chat, me, room, mark).boxed(),
            Errand::Ask => {
                let rooms = self.rooms.iter().map(|joined| joined.room.key().clone()).collect();
                signals::ask(chat, me, self.wake.clone(), rooms).boxed()
            }
        });
    }

    /// A join that was left before it was done.
    fn unwanted(&mut self, joined: &Subscription) {
        let (chat, me) = (self.sockets.chat.clone(), self.session.person.clone());
        chat.hub.exit(&joined.room, me.id, &self.wake, true);
        let key = joined.room.key().clone();
        if self.joined(&key).is_some() || self.is_joining(&key) {
            return;
        }
        // It may have put the room back on the list after the leave had taken it off.
        self.work.push(request::forget(chat, me, key).boxed());
    }

    async fn caught_up(&mut self, token: u64, found: CatchUp) -> Result<(), End> {
        let counts = self.counts();
        let Some(joined) = self.by_token(token) else { return Ok(()) };
        joined.reading = false;
        if !counts {
            // To be read again.
            joined.seen_log = 0;
            return Ok(());
        }
        match found {
            CatchUp::Following { records, cursor } => {
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
            CatchUp::Newest { how, page } => {
                joined.cursor = page.cursor;
                joined.seen_log = 0;
                if how == JoinedHow::Reset {
                    joined.signals.set_back();
                }
                let room = joined.room.key().clone();
                let page: Page<_> = reply::page(page);
                tracing::info!(?how, "a client was moved to the newest page");
                self.count_start(how);
                self.say(&ServerFrame::Reset { room, how, page }).await
            }
        }
    }

    fn is_joining(&self, key: &RoomKey) -> bool {
        self.joining.iter().any(|(other, _)| other == key)
    }

    fn joined(&self, key: &RoomKey) -> Option<&Subscription> {
        self.rooms.iter().find(|joined| joined.room.key() == key)
    }

    fn by_token(&mut self, token: u64) -> Option<&mut Subscription> {
        self.rooms.iter_mut().find(|joined| joined.token == token)
    }
}

/// What to answer to the key of a room that is none.
fn is_no_key(key: &RoomKey) -> Option<Frame> {
    let (code, detail) = match RoomKey::parse(key.as_str()) {
        Err(problem) => (ErrorCode::for_room_name(problem), "that is no name of a room"),
        Ok(parsed) if parsed != *key => (ErrorCode::RoomInvalid, "a room goes by its normalised name"),
        Ok(_) => return None,
    };
    Some(reply::error(code, detail, Some(key.clone())))
}

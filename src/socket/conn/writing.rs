//! What is written, and in whose turn.

use super::Conn;
use crate::{
    hub::ring::Take,
    socket::{
        conn::vanish,
        end::{End, patiently},
        reply::{self, Frame},
        request, signals,
        subscription::Subscription,
    },
};
use app::domain::RoomKey;
use futures_util::{FutureExt, SinkExt};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

/// Bytes of entries taken for one write, over all rooms.
const TAKE_BYTES: usize = 32 * 1024;
/// Rooms for which the log is read at a time, as what is read is memory until it is written.
const CATCH_UPS_MAX: usize = 4;

/// What came of one look at all rooms.
#[derive(Default)]
struct Round {
    /// Another one may find more.
    more: bool,
    /// When the first of what it took was heard of that is timed.
    heard: Option<Instant>,
}

impl Conn {
    pub(super) async fn say(&mut self, frame: &Frame) -> Result<(), End> {
        let text = reply::encode(frame);
        self.traffic.wrote(text.len());
        self.feed(Message::Text(text)).await
    }

    pub(super) async fn feed(&mut self, message: Message) -> Result<(), End> {
        let late = self.pulse.late();
        let Self { ws, wake, rooms, sockets, session, pulse, wire, .. } = self;
        patiently(wake, || wire.taken(), ws.feed(message), late, || vanish(pulse, rooms, &sockets.chat.hub, session))
            .await
    }

    async fn flush(&mut self) -> Result<(), End> {
        let late = self.pulse.late();
        let Self { ws, wake, rooms, sockets, session, pulse, wire, .. } = self;
        patiently(wake, || wire.taken(), ws.flush(), late, || vanish(pulse, rooms, &sockets.chat.hub, session)).await
    }

    /// Writes a share of what follows the cursors and says whether there is more; presence and signals come last.
    pub(super) async fn write(&mut self) -> Result<bool, End> {
        let Round { more, heard } = self.take_round().await?;
        if !more {
            let mut news: Vec<_> = self.rooms.iter_mut().filter_map(Subscription::presence_news).collect();
            let Self { rooms, joining, wake, session, .. } = self;
            let is_joining = |key: &RoomKey| joining.iter().any(|(other, _)| other == key);
            news.extend(signals::news(rooms, wake, session.person.id, is_joining));
            for frame in news {
                self.traffic.wrote(frame.len());
                self.feed(Message::Text(frame)).await?;
            }
        }
        self.flush().await?;
        if let Some(heard) = heard {
            self.traffic.arrived(heard.elapsed());
        }
        Ok(more)
    }

    /// One round over the rooms.
    async fn take_round(&mut self) -> Result<Round, End> {
        if !self.rooms.is_empty() && !self.counts() {
            return Ok(Round::default());
        }
        let count = self.rooms.len();
        let (mut frames, mut bytes) = (Vec::new(), 0_usize);
        let Round { mut more, mut heard } = Round::default();
        let mut behind = Vec::new();
        let mut reading = self.rooms.iter().filter(|joined| joined.reading).count();
        for step in 0..count {
            let joined = &mut self.rooms[(self.turn + step) % count];
            if bytes >= TAKE_BYTES {
                more = true;
                break;
            }
            match joined.take(TAKE_BYTES - bytes, |frame, at| {
                bytes += frame.len();
                frames.push(frame);
                heard = heard.or(at);
            }) {
                Some(Take::Upto { more: rest, .. }) => more |= rest,
                Some(found @ (Take::Behind | Take::Diverged)) => {
                    if found == Take::Diverged {
                        // Either this reader or the ring is of another log than the store's.
                        self.sockets.chat.hub.refill(&joined.room);
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
        if !frames.is_empty() {
            self.traffic.delivered(frames.len(), bytes);
        }
        for frame in frames {
            self.feed(Message::Text(frame)).await?;
        }
        for (key, cursor, token) in behind {
            let (chat, turns) = (self.sockets.chat.clone(), self.turns.clone());
            self.work.push(request::catch_up(chat, turns, key, cursor, token).boxed());
        }
        Ok(Round { more, heard })
    }
}

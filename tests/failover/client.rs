//! A person who writes in one room without a pause and listens there, as `docs/protocol.md` says.

use super::tale::Tale;
use crate::support::person::{Ended, Person, Socket, key};
use app::{
    domain::ProducerId,
    protocol::{ClientFrame, ErrorCode, JoinedHow, ServerFrame},
};
use futures_util::SinkExt;
use std::{
    collections::BTreeSet,
    convert::Infallible,
    future::pending,
    net::SocketAddr,
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::time::{sleep, sleep_until};
use tokio_tungstenite::tungstenite::Message;

/// Between two new messages.
const PAUSE_MS: RangeInclusive<u64> = 400..=600;
/// Before what was refused is sent again, and before a lost socket is opened again.
const AGAIN_MS: RangeInclusive<u64> = 50..=150;
/// Fewer than the server takes, so that a number is never one of too many.
const UNANSWERED_MAX: usize = 16;

pub struct Client {
    pub person: Person,
    pub server: SocketAddr,
    pub room: String,
    pub own: ProducerId,
    /// Whether it writes something new; what is unanswered is sent again all the same.
    pub writes: Arc<AtomicBool>,
    pub tale: Arc<Tale>,
}

/// What is under way on one socket.
#[derive(Default)]
struct UnderWay {
    numbers: BTreeSet<u64>,
    /// Something was refused: nothing more is sent before all is answered.
    refused: bool,
    /// As the latest refusal said it.
    last: Option<u64>,
    /// When it is tried again, once all is answered.
    again: Option<Instant>,
}

impl UnderWay {
    fn answered(&mut self, n: u64) {
        self.numbers.remove(&n);
        if self.refused && self.numbers.is_empty() {
            self.again = Some(Instant::now() + jitter(AGAIN_MS));
        }
    }
}

impl Client {
    /// Goes on for as long as it is polled.
    pub async fn run(self) {
        loop {
            if let Ok(mut socket) = self.person.try_socket(&self.server, None).await {
                self.tale.told().sockets += 1;
                let Err(ended) = self.talk(&mut socket).await;
                // The store does not answer, or the connection is lost.
                if !matches!(ended.code(), None | Some(1013)) {
                    self.wrong(format!("the socket ended: {ended:?}"));
                }
            }
            sleep(jitter(AGAIN_MS)).await;
        }
    }

    async fn talk(&self, socket: &mut Socket) -> Result<Infallible, Ended> {
        self.join(socket).await?;
        let mut under_way = UnderWay::default();
        self.send_again(socket, &mut under_way).await?;
        let mut next = Instant::now() + jitter(PAUSE_MS);
        loop {
            let due = async {
                match (under_way.refused, under_way.again) {
                    (false, _) => sleep_until(next.into()).await,
                    (true, Some(again)) => sleep_until(again.into()).await,
                    (true, None) => pending().await,
                }
            };
            tokio::select! {
                frame = socket.next() => self.hear(&mut under_way, frame?)?,
                () = due => {
                    if under_way.refused {
                        self.go_on(socket, &mut under_way).await?;
                    } else if let Some(n) = self.next_number() {
                        self.say(socket, &mut under_way, n).await?;
                    }
                    next = Instant::now() + jitter(PAUSE_MS);
                }
            }
        }
    }

    /// Of a new message, if there is one to be written now.
    fn next_number(&self) -> Option<u64> {
        let mut told = self.tale.told();
        if !self.writes.load(Ordering::Relaxed) || told.unanswered().count() >= UNANSWERED_MAX {
            return None;
        }
        told.sent.push(Instant::now());
        Some(told.sent.len() as u64)
    }

    async fn join(&self, socket: &mut Socket) -> Result<(), Ended> {
        let room = key(&self.room);
        loop {
            let cursor = self.tale.told().cursor();
            let has_seen = cursor.is_some();
            send(socket, &ClientFrame::Join { room: room.clone(), cursor }).await?;
            loop {
                match socket.next().await? {
                    ServerFrame::Joined { how, page, .. } => {
                        let mut told = self.tale.told();
                        if how != if has_seen { JoinedHow::Resumed } else { JoinedHow::Newest } {
                            told.wrong.push(format!("joined anew: {how:?}"));
                        }
                        for entry in page.entries {
                            let seq = entry.seq;
                            if !told.hear(entry, self.own) {
                                told.wrong.push(format!("a page with {seq} does not follow"));
                            }
                        }
                        told.has_joined = true;
                        return Ok(());
                    }
                    ServerFrame::Error { retry: true, .. } => break,
                    ServerFrame::Error { code, detail, .. } => {
                        self.wrong(format!("a join was answered with {code:?}: {detail}"));
                        return Err(Ended::Lost);
                    }
                    _ => {}
                }
            }
            sleep(jitter(AGAIN_MS)).await;
        }
    }

    fn hear(&self, under_way: &mut UnderWay, frame: ServerFrame) -> Result<(), Ended> {
        match frame {
            ServerFrame::Entry { entry, .. } => {
                let follows = self.tale.told().hear(entry, self.own);
                if !follows {
                    // The protocol has a client join again; this server is not to need that.
                    self.wrong("an entry did not follow".to_owned());
                    return Err(Ended::Lost);
                }
            }
            ServerFrame::Ack { n, at, .. } => {
                self.tale.told().stands(n, at);
                under_way.answered(n);
            }
            ServerFrame::Refused { n, code: ErrorCode::Unavailable | ErrorCode::OutOfOrder, last, .. } => {
                self.tale.told().refused += 1;
                under_way.refused = true;
                under_way.last = last.or(under_way.last);
                under_way.answered(n);
            }
            ServerFrame::Voided { n, .. } => {
                self.wrong(format!("{n} was acknowledged, and is lost"));
                under_way.answered(n);
            }
            frame @ (ServerFrame::Refused { .. }
            | ServerFrame::Reset { .. }
            | ServerFrame::Error { .. }
            | ServerFrame::Move { .. }) => self.wrong(format!("{frame:?}")),
            _ => {}
        }
        Ok(())
    }

    /// After a refusal, once all is answered.
    async fn go_on(&self, socket: &mut Socket, under_way: &mut UnderWay) -> Result<(), Ended> {
        let UnderWay { last, .. } = std::mem::take(under_way);
        let oldest = self.tale.told().unanswered().next();
        // Of what is known to be committed a log that did not go back says so again.
        if let (Some(last), Some(oldest)) = (last, oldest) {
            for n in last + 1..oldest {
                under_way.numbers.insert(n);
                send(socket, &ClientFrame::Void { room: key(&self.room), p: self.own, n }).await?;
            }
        }
        self.send_again(socket, under_way).await
    }

    async fn send_again(&self, socket: &mut Socket, under_way: &mut UnderWay) -> Result<(), Ended> {
        let unanswered: Vec<_> = self.tale.told().unanswered().collect();
        for n in unanswered {
            self.say(socket, under_way, n).await?;
        }
        Ok(())
    }

    async fn say(&self, socket: &mut Socket, under_way: &mut UnderWay, n: u64) -> Result<(), Ended> {
        under_way.numbers.insert(n);
        let text = text(self.own, n);
        send(socket, &ClientFrame::Send { room: key(&self.room), p: self.own, n, text, earlier: vec![] }).await
    }

    fn wrong(&self, what: String) {
        self.tale.told().wrong.push(what);
    }
}

/// What a producer says under a number, always the same.
pub fn text(p: ProducerId, n: u64) -> String {
    format!("{n} of {p}")
}

async fn send(socket: &mut Socket, frame: &ClientFrame) -> Result<(), Ended> {
    let message = Message::text(serde_json::to_string(frame).expect("a frame is JSON"));
    socket.ws.send(message).await.map_err(|_| Ended::Lost)
}

/// Spread evenly, and the same in each run.
fn jitter(range_ms: RangeInclusive<u64>) -> Duration {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    let drawn = DRAWN.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    Duration::from_millis(range_ms.start() + drawn % (range_ms.end() - range_ms.start() + 1))
}

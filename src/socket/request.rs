//! What the frames of a client ask. Each request is worked on beside the socket's task, which stays free to read and
//! write; its outcome comes back as a [`Done`].

use super::{
    reply::{self, Frame, Number},
    signals::{Errand, Signals},
    subscription::Subscription,
};
use crate::{
    chat::{
        Chat,
        messages::CatchUp,
        rooms::{self, NotJoined},
        turns::ReadTurns,
    },
    hub::wake::Wake,
    store::{AppendError, Appended, StoreError},
    telemetry::Seldom,
};
use app::{
    domain::{Cursor, Epoch, RoomKey},
    protocol::{ClientFrame, ErrorCode, Person, ServerFrame},
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{sync::Arc, time::Duration};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

/// Characters of what is said about a frame that is none.
const DETAIL_MAX: usize = 200;

const CATCH_UP_RETRY: Duration = Duration::from_millis(150);

/// The outcome of a request.
pub enum Done {
    Nothing,
    Reply(Frame),
    /// The answer to a `send` or `void`.
    Appended(Frame),
    /// The answer to a `history`.
    History {
        room: RoomKey,
        reply: Frame,
        /// Its page is memory until it is written.
        turn: OwnedSemaphorePermit,
    },
    /// The answer to a `join`.
    Joined {
        joined: Box<Subscription>,
        reply: Frame,
        /// A cursor was given, and the ring did not hold it.
        is_anew: bool,
        turn: OwnedSemaphorePermit,
    },
    NotJoined {
        token: u64,
        reply: Frame,
    },
    /// What the log holds after a room's cursor, for a socket that fell out of the ring.
    CaughtUp {
        token: u64,
        found: CatchUp,
    },
    /// The log could not be read; try again.
    Behind {
        token: u64,
    },
    /// Marks were written or asked for, or have to be again.
    Marks(Option<Errand>),
}

/// A frame of a client, or what to answer to what is none.
pub fn parse(text: &str) -> Result<ClientFrame, Box<Frame>> {
    const KINDS: [&str; 8] = ["join", "leave", "send", "void", "history", "read", "typing", "ping"];
    // An array of the fields is none, whatever serde says.
    let is_object = text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{');
    let problem = match is_object.then(|| serde_json::from_str(text)) {
        Some(Ok(frame)) => return Ok(frame),
        Some(Err(error)) => error.to_string(),
        None => "a frame is a JSON object".to_owned(),
    };
    let Named { t, room, p, n } = is_object.then(|| serde_json::from_str(text).ok()).flatten().unwrap_or_default();
    let is_unknown = read::<String>(t).is_some_and(|t| !KINDS.contains(&t.as_str()));
    let (code, detail) = if is_unknown {
        (ErrorCode::UnknownFrame, "this server does not know that kind of frame".to_owned())
    } else {
        // Which may quote what was sent.
        (ErrorCode::BadFrame, problem.chars().take(DETAIL_MAX).collect())
    };
    Err(Box::new(ServerFrame::Error { code, detail, room: read(room), p: read(p), n: read(n), retry: false }))
}

/// What a frame is about, as far as it can be read where the rest cannot.
#[derive(Deserialize, Default)]
struct Named<'a> {
    #[serde(borrow, default)]
    t: Option<&'a RawValue>,
    #[serde(borrow, default)]
    room: Option<&'a RawValue>,
    #[serde(borrow, default)]
    p: Option<&'a RawValue>,
    #[serde(borrow, default)]
    n: Option<&'a RawValue>,
}

fn read<'a, T: Deserialize<'a>>(value: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_str(value?.get()).ok()
}

/// What a store that is full or away makes of everybody's requests, told once a minute.
static FAILED: Seldom = Seldom::new(8);

fn unavailable(error: &StoreError, key: &RoomKey) -> Frame {
    if let Some(others) = FAILED.say(&error.to_string()) {
        tracing::warn!(%error, others, "the store did not answer a request");
    }
    reply::unavailable(key.clone())
}

/// The same of a request that reads the log, which is nobody's any more once its socket has ended.
fn unread(turns: &ReadTurns, error: &StoreError, key: &RoomKey) -> Frame {
    if turns.are_over() { reply::unavailable(key.clone()) } else { unavailable(error, key) }
}

/// What a request is answered with that has to be made again, later.
pub fn later(frame: &ClientFrame) -> Option<Frame> {
    Some(match frame.clone() {
        // Not worth a second try: the next one says it all again.
        ClientFrame::Ping | ClientFrame::Read { .. } | ClientFrame::Typing { .. } => return None,
        ClientFrame::Join { room, .. } | ClientFrame::Leave { room } | ClientFrame::History { room, .. } => {
            reply::unavailable(room)
        }
        ClientFrame::Send { room, p, n, .. } | ClientFrame::Void { room, p, n } => {
            Number { room, p, n }.refused(ErrorCode::Unavailable, None)
        }
    })
}

pub async fn join(
    chat: Arc<Chat>,
    turns: ReadTurns,
    me: Person,
    wake: Arc<Wake>,
    key: RoomKey,
    asked: Option<Cursor>,
    token: u64,
) -> Done {
    let entered = match chat.join(&turns, &me, &wake, &key, asked).await {
        Ok(entered) => entered,
        Err(refused) => {
            let reply = match refused {
                NotJoined::Over => reply::unavailable(key),
                NotJoined::Unknown => reply::error(ErrorCode::RoomUnknown, "there is no such room", Some(key)),
                NotJoined::Store(error) => unread(&turns, &error, &key),
            };
            return Done::NotJoined { token, reply };
        }
    };
    let rooms::Joined { access, room, generation, how, page, presence_version, people, count, reading, turn } = entered;
    let (cursor, signals) = (page.cursor, Signals::new(&room, reading.mark));
    let name = room.room.name.clone();
    let reply = ServerFrame::Joined { room: key, name, how, page: reply::page(page), count, people, reading };
    let is_anew = asked.is_some_and(|cursor| !room.holds(cursor));
    let joined = Box::new(Subscription {
        token,
        access,
        room,
        cursor,
        seen_log: 0,
        seen_generation: generation,
        seen_presence: presence_version,
        present: true,
        reading: false,
        since: Instant::now(),
        signals,
    });
    Done::Joined { joined, reply, is_anew, turn }
}

pub async fn catch_up(chat: Arc<Chat>, turns: ReadTurns, key: RoomKey, cursor: Cursor, token: u64) -> Done {
    match chat.catch_up(&turns, &key, cursor).await {
        Ok(found) => Done::CaughtUp { token, found },
        Err(error) => {
            tracing::debug!(%error, "the store did not answer a reader that fell behind; trying again");
            tokio::time::sleep(CATCH_UP_RETRY).await;
            Done::Behind { token }
        }
    }
}

pub async fn leave(chat: Arc<Chat>, me: Person, key: RoomKey) -> Done {
    Done::Reply(match chat.leave(me.id, &key).await {
        Ok(_) => ServerFrame::Left { room: key },
        Err(error) => unavailable(&error, &key),
    })
}

/// Takes the room off the person's list without a word.
pub async fn forget(chat: Arc<Chat>, me: Person, key: RoomKey) -> Done {
    if let Err(error) = chat.leave(me.id, &key).await {
        tracing::warn!(%error, "a room that was left may still be on its member's list");
    }
    Done::Nothing
}

pub async fn history(chat: Arc<Chat>, turns: ReadTurns, key: RoomKey, epoch: Epoch, before: u64) -> Done {
    let Some(turn) = turns.turn_of_history().await else { return Done::Nothing };
    let reply = match chat.history(&turns, &key, epoch, before).await {
        Ok(Some(page)) => ServerFrame::History { room: key.clone(), before, page: reply::page(page) },
        Ok(None) => reply::error(ErrorCode::EpochUnknown, "the room's log has another epoch", Some(key.clone())),
        Err(error) => unread(&turns, &error, &key),
    };
    Done::History { room: key, reply, turn }
}

/// What came of appending under this number.
pub fn appended(number: Number, outcome: Result<Appended, AppendError>) -> Done {
    Done::Appended(match outcome {
        Ok(Appended::Entry(at)) => number.ack(at),
        Ok(Appended::Voided) => number.voided(),
        Err(AppendError::OutOfOrder { last }) => number.refused(ErrorCode::OutOfOrder, Some(last)),
        Err(AppendError::Conflict) => number.refused(ErrorCode::Conflict, None),
        Err(error @ (AppendError::Unavailable(_) | AppendError::Unknown(_))) => {
            if let Some(others) = FAILED.say(&error.to_string()) {
                tracing::warn!(%error, others, "a message was not acknowledged");
            }
            number.refused(ErrorCode::Unavailable, None)
        }
    })
}

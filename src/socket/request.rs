//! What the frames of a client ask. Each request is worked on beside the socket's task, which stays free to read and
//! write; its outcome comes back as a [`Done`].

use super::{
    joined::Joined,
    pages::{Pages, first_of, newest_of},
    reply::{self, Frame, Number},
    signals::{Errand, Signals},
};
use crate::{
    engine::{AppendError, Appended, Content, Draft, Engine},
    hub::{EnterError, Hub, presence, room::Room, wake::Wake},
    store::{After, Record, RecordPage, StoreError},
    telemetry::Seldom,
};
use app::{
    domain::{Cursor, Epoch, MessageText, RoomKey},
    protocol::{
        ClientFrame, EARLIER_MAX, Earlier, ErrorCode, JoinedHow, PAGE_ENTRIES, Person, RESUME_MAX, ServerFrame,
    },
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{sync::Arc, time::Duration};
use tokio::sync::OwnedSemaphorePermit;

/// Entries read from the log at a time for a socket that fell out of the ring.
const CATCH_UP: usize = 32;

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
        joined: Joined,
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
        found: Found,
    },
    /// The log could not be read; try again.
    Behind {
        token: u64,
    },
    /// Marks were written or asked for, or have to be again.
    Marks(Option<Errand>),
}

/// What follows a cursor in the log.
pub enum Found {
    Following { records: Vec<Record>, cursor: Cursor },
    Newest { how: JoinedHow, page: RecordPage },
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
fn unread(pages: &Pages, error: &StoreError, key: &RoomKey) -> Frame {
    if pages.are_over() { reply::unavailable(key.clone()) } else { unavailable(error, key) }
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
    hub: Arc<Hub>,
    pages: Pages,
    me: Person,
    wake: Arc<Wake>,
    key: RoomKey,
    cursor: Option<Cursor>,
    token: u64,
) -> Done {
    let asked = cursor;
    let refuse = |reply| Done::NotJoined { token, reply };
    let Some(turn) = pages.turn().await else { return refuse(reply::unavailable(key)) };
    let room = match hub.enter(&key, &me, &wake).await {
        Ok(room) => room,
        Err(EnterError::Unknown) => {
            return refuse(reply::error(ErrorCode::RoomUnknown, "there is no such room", Some(key.clone())));
        }
        Err(EnterError::Store(error)) => return refuse(unavailable(&error, &key)),
    };
    // Before the log is read: should the ring be started anew meanwhile, the cursor is checked again.
    let seen_generation = room.generation();
    let read = async {
        hub.engine.add_member(me.id, &key).await?;
        let (how, page) = start(&hub, &room, cursor, &pages).await?;
        // What follows the page comes as entries, which the client counts itself.
        let reading = hub.engine.readings(me.id, &[(key.clone(), page.cursor.seq)]).await?.pop().unwrap_or_default();
        Ok((how, page, reading))
    };
    let (how, page, reading) = match read.await {
        Ok(found) => found,
        Err(error) => {
            hub.exit(&room, me.id, &wake, false);
            return refuse(unread(&pages, &error, &key));
        }
    };
    let cursor = page.cursor;
    let (seen_presence, mut people) = (room.presence_version(), room.view().people.clone());
    if people.iter().all(|person| person.id != me.id) {
        // The store is about to be told.
        people.push(me);
    }
    let reply = ServerFrame::Joined {
        room: key,
        name: room.room.name.clone(),
        how,
        page: reply::page(page),
        count: people.len(),
        people: presence::first(&people),
        reading,
    };
    let signals = Signals::new(&room, reading.mark);
    let is_anew = asked.is_some_and(|cursor| !room.holds(cursor));
    let (seen_log, present, reading) = (0, true, false);
    let joined = Joined { token, room, cursor, seen_log, seen_generation, seen_presence, present, reading, signals };
    Done::Joined { joined, reply, is_anew, turn }
}

/// Where a join starts: at the client's cursor if the log still knows it, else at the newest page.
async fn start(
    hub: &Hub,
    room: &Room,
    cursor: Option<Cursor>,
    pages: &Pages,
) -> Result<(JoinedHow, RecordPage), StoreError> {
    let engine = &*hub.engine;
    let Some(cursor) = cursor else {
        return Ok((JoinedHow::Newest, newest_of(pages.paid(newest(engine, room.key())).await?)));
    };
    // What follows comes as entry frames, like everything later; here it is only made sure that the log knows the cursor.
    let resumed = RecordPage { records: Vec::new(), cursor, older: cursor.seq > 0 };
    if room.holds(cursor) {
        return Ok((JoinedHow::Resumed, resumed));
    }
    Ok(match follow(engine, pages, room.key(), cursor, 1).await? {
        Found::Following { .. } => (JoinedHow::Resumed, resumed),
        Found::Newest { how, page } => (how, page),
    })
}

/// At most `limit` entries that follow `cursor` in the log, or the newest page where it is too far behind or of another
/// log.
async fn follow(
    engine: &dyn Engine,
    pages: &Pages,
    key: &RoomKey,
    cursor: Cursor,
    limit: usize,
) -> Result<Found, StoreError> {
    // What is left out of a long page is read again, and paid then.
    let read = async { engine.read_after(key, cursor, limit).await.map(first_of) };
    let how = match pages.paid(read).await? {
        After::Entries { records, top } if top.seq - cursor.seq <= RESUME_MAX => {
            let end = records.last().map_or(cursor, Record::cursor);
            return Ok(Found::Following { records, cursor: end });
        }
        After::Entries { .. } => JoinedHow::Jumped,
        After::Reset => JoinedHow::Reset,
    };
    Ok(Found::Newest { how, page: newest_of(pages.paid(newest(engine, key)).await?) })
}

async fn newest(engine: &dyn Engine, key: &RoomKey) -> Result<RecordPage, StoreError> {
    let page = engine.newest(key, PAGE_ENTRIES).await?;
    page.ok_or_else(|| StoreError("the room is not in the store any more".to_owned()))
}

pub async fn catch_up(hub: Arc<Hub>, pages: Pages, key: RoomKey, cursor: Cursor, token: u64) -> Done {
    match follow(&*hub.engine, &pages, &key, cursor, CATCH_UP).await {
        Ok(found) => Done::CaughtUp { token, found },
        Err(error) => {
            tracing::debug!(%error, "the store did not answer a reader that fell behind; trying again");
            tokio::time::sleep(CATCH_UP_RETRY).await;
            Done::Behind { token }
        }
    }
}

pub async fn leave(hub: Arc<Hub>, me: Person, key: RoomKey) -> Done {
    Done::Reply(match hub.engine.remove_member(me.id, &key).await {
        Ok(_) => ServerFrame::Left { room: key },
        Err(error) => unavailable(&error, &key),
    })
}

/// Takes the room off the person's list without a word.
pub async fn forget(hub: Arc<Hub>, me: Person, key: RoomKey) -> Done {
    if let Err(error) = hub.engine.remove_member(me.id, &key).await {
        tracing::warn!(%error, "a room that was left may still be on its member's list");
    }
    Done::Nothing
}

pub async fn history(hub: Arc<Hub>, pages: Pages, key: RoomKey, epoch: Epoch, before: u64) -> Done {
    let Some(turn) = pages.turn_of_history().await else { return Done::Nothing };
    let reply = match pages.paid(hub.engine.read_before(&key, epoch, before, PAGE_ENTRIES)).await {
        Ok(Some(page)) => ServerFrame::History { room: key.clone(), before, page: reply::page(page) },
        Ok(None) => reply::error(ErrorCode::EpochUnknown, "the room's log has another epoch", Some(key.clone())),
        Err(error) => unread(&pages, &error, &key),
    };
    Done::History { room: key, reply, turn }
}

/// What a `send` or `void` asks to append, and where the message may stand already.
pub struct Asked {
    pub text: Option<String>,
    pub earlier: Vec<Earlier>,
}

impl Asked {
    pub fn void() -> Self {
        Self { text: None, earlier: Vec::new() }
    }

    /// What is to be appended, or why it cannot be.
    pub fn content(&self) -> Result<Content, ErrorCode> {
        if self.earlier.len() > EARLIER_MAX {
            return Err(ErrorCode::BadFrame);
        }
        let message = |text: &String| MessageText::parse(text).map(Content::Message).map_err(ErrorCode::for_text);
        self.text.as_ref().map_or(Ok(Content::Void), message)
    }
}

pub async fn append(hub: Arc<Hub>, draft: Draft) -> Done {
    let number = Number { room: draft.room.key.clone(), p: draft.p, n: draft.n };
    Done::Appended(match hub.engine.append(draft).await {
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

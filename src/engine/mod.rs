//! The port to the store, and its two implementations.
//!
//! | module | store | fan-out |
//! |---|---|---|
//! | [`embedded`] | one SQLite file | in process |
//! | [`redis`] | streams and hashes | sharded pub/sub |
//!
//! An engine keeps rooms' logs, sessions, presence and how far people have read, and reports what happens to them, here or on
//! another instance, to the one [`LiveSink`] attached to it. `tests/engine_contract.rs` says in code what both promise.

pub mod embedded;
mod quotas;
mod reads;
pub mod redis;

pub use crate::store::{
    After, AppendError, Appended, CreateError, Ended, Listed, OpenError, ROOMS_LISTED, Reason, Record, RecordPage,
    Session, StoreError, TokenHash, Unwritable, Vitals,
};
pub use quotas::{Quota, Quotas};
pub use reads::Reads;

pub(crate) use crate::digest::{hex, sha256};

use crate::metrics::StoreMeters;
use app::{
    domain::{
        Body, Cursor, EntryId, Epoch, NameKey, Operation, ProducerId, RoomKey, RoomName, RoomRef, UserId, UserName,
    },
    order::natural,
    page::LastMessage,
    protocol::{Earlier, Person, ReadMark},
};
use async_trait::async_trait;
use serde::Serialize;
use std::{cmp::Ordering, sync::Arc, time::Duration};
use tokio::time::Instant;

/// How far an entry's time may be ahead of the store's clock, so that times never go back while the clocks of servers that
/// take over from each other differ a little. What is further ahead comes from a clock that was wrong.
pub const TIME_AHEAD_MAX: Duration = Duration::from_mins(1);

/// All of a store.
pub trait Engine: RoomLog + Directory + Presence + Reads + Quotas + Live {}
impl<T: RoomLog + Directory + Presence + Reads + Quotas + Live> Engine for T {}

/// A message on its way into the log.
#[derive(Debug, Clone)]
pub struct Draft {
    pub room: RoomRef,
    pub by: Person,
    pub p: ProducerId,
    /// This producer's next number in this room; producers of different people are different, whatever their ids.
    pub n: u64,
    /// Numbers of the same sender in this room. If one of them is an entry with the same content, that is the answer, and
    /// `n` is used up for it.
    pub earlier: Vec<Earlier>,
    /// It must not be committed after this moment, when its sender may have signed out. An engine in which nothing can lie
    /// about on its way may ignore it.
    pub until: Option<Instant>,
    pub operation: Operation,
}

impl Draft {
    /// Distinguishes contents under one number: the first 16 hexadecimal digits of their SHA-256.
    pub fn digest(&self) -> String {
        match &self.operation {
            Operation::Message { text } => hex(&sha256(text.as_str().as_bytes())[..8]),
            Operation::Void => "void".to_owned(),
        }
    }

    /// The part of an entry's JSON that is known before it has a place: everything from `by` on, without the brace that
    /// opens the object. [`entry_json`] puts the place in front. Empty for what makes no entry.
    pub fn json_tail(&self) -> String {
        #[derive(Serialize)]
        struct Tail<'a> {
            by: UserId,
            name: &'a UserName,
            p: ProducerId,
            n: u64,
            body: Body,
        }
        let Operation::Message { text } = &self.operation else { return String::new() };
        let body = Body::Message { text: text.clone() };
        let tail = Tail { by: self.by.id, name: &self.by.name, p: self.p, n: self.n, body };
        let json = serde_json::to_string(&tail).unwrap_or_default();
        json.strip_prefix('{').unwrap_or_default().to_owned()
    }
}

/// An entry's JSON. The Redis script writes the same fields in the same order.
pub fn entry_json(at: Cursor, prev: EntryId, time: u64, tail: &str) -> String {
    let Cursor { epoch, seq, id } = at;
    format!(r#"{{"epoch":"{epoch}","seq":{seq},"id":"{id}","prev":"{prev}","at":{time},{tail}"#)
}

/// A log holds what no engine wrote; somebody has to look at it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the log of room {0} is damaged")]
pub struct Damaged(pub String);

/// Why the end of one log is not told, while those of others are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTop {
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// The part of the store that holds it does not answer.
    #[error("the part of the store that holds it is away")]
    Away,
}

impl From<NoTop> for StoreError {
    fn from(why: NoTop) -> Self {
        Self(why.to_string())
    }
}

impl From<Damaged> for StoreError {
    fn from(damaged: Damaged) -> Self {
        Self(damaged.to_string())
    }
}

/// The rooms' logs.
#[async_trait]
pub trait RoomLog: Send + Sync {
    /// Appends, and answers after the commit. Drafts are taken up in the order in which the futures are first polled,
    /// and nothing is awaited before that, so that one sender's messages stay in order without waiting for each answer.
    /// Creates the log's epoch if the room has none.
    async fn append(&self, draft: Draft) -> Result<Appended, AppendError>;

    /// At most `limit` entries that follow `cursor`, whose own entry is checked by id.
    async fn read_after(&self, room: &RoomKey, cursor: Cursor, limit: usize) -> Result<After, StoreError>;

    /// The newest `limit` entries; `None` if there is no such room.
    async fn newest(&self, room: &RoomKey, limit: usize) -> Result<Option<RecordPage>, StoreError>;

    /// The `limit` entries before seq `before`; `None` if the room's epoch is another one.
    async fn read_before(
        &self,
        room: &RoomKey,
        epoch: Epoch,
        before: u64,
        limit: usize,
    ) -> Result<Option<RecordPage>, StoreError>;

    /// The place of the log's last entry; `None` if there is no such room.
    async fn top(&self, room: &RoomKey) -> Result<Option<Cursor>, StoreError>;

    /// What [`top`](Self::top) says of each of `rooms`, at the cost of about one answer from the store.
    /// What keeps one of them from being told is told apart from a store that does not answer.
    async fn tops(&self, rooms: &[RoomKey]) -> Result<Vec<Result<Option<Cursor>, NoTop>>, StoreError>;
}

/// Bytes of a message that are looked at for the directory.
pub(crate) const EXCERPT_MAX: usize = 240;

/// The beginning of a message on one line.
pub(crate) fn excerpt(name: UserName, text: &str) -> LastMessage {
    let whole = &text[..text.floor_char_boundary(EXCERPT_MAX)];
    let mut line = whole.split_whitespace().collect::<Vec<_>>().join(" ");
    if whole.len() < text.len() {
        // A joiner joins nothing any more.
        line.truncate(line.trim_end_matches('\u{200d}').len());
        line.push('…');
    }
    LastMessage { name, text: line }
}

/// Rooms, sessions, names, and who is a member of what.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Creates the room unless it exists; either way returns it as its creator named it. No two rooms are made whose names
    /// [clash](NameKey::clashes), however many try at once.
    async fn create_room(&self, name: &RoomName) -> Result<RoomRef, CreateError>;
    /// Creates a room again that the store has lost while people are in it, whatever looks like it by now.
    async fn restore_room(&self, room: &RoomRef) -> Result<(), StoreError>;
    async fn room(&self, key: &RoomKey) -> Result<Option<RoomRef>, StoreError>;
    /// The room that [`create_room`](Self::create_room) would lead to without making it: of that name, or one that looks like it.
    async fn find_room(&self, name: &RoomName) -> Result<Option<RoomRef>, StoreError>;
    /// Rooms, the most recently active first. What is read of each is bounded, however long its messages are.
    async fn rooms(&self, limit: usize) -> Result<Vec<Listed>, StoreError>;

    /// Claims the name for a new session with a new [`UserId`]. No two sessions have names that [clash](NameKey::clashes).
    async fn open_session(&self, token: TokenHash, name: &UserName) -> Result<Session, OpenError>;
    /// The session, which counts as used now; `None` after sign-out or once it was not used for its time to live.
    async fn session(&self, token: TokenHash) -> Result<Option<Session>, StoreError>;
    /// Ends the session, frees its name and reports it to every instance's sink. Ending it twice is no error.
    async fn close_session(&self, token: TokenHash) -> Result<(), StoreError>;
    /// Those of `tokens` whose session has ended.
    async fn ended_sessions(&self, tokens: &[TokenHash]) -> Result<Ended, StoreError>;
    async fn name_is_free(&self, key: &NameKey) -> Result<bool, StoreError>;

    /// Puts the room on the person's list, with everything in it so far counted as read, unless it is there.
    async fn add_member(&self, user: UserId, room: &RoomKey) -> Result<(), StoreError>;
    /// Takes the room off the person's list. How far they had read it, if it was there.
    async fn remove_member(&self, user: UserId, room: &RoomKey) -> Result<Option<ReadMark>, StoreError>;
    /// Undoes [`remove_member`](Self::remove_member): as [`add_member`](Self::add_member), but read only up to `read`, if that is
    /// a place in the log as it is now.
    async fn restore_member(&self, user: UserId, room: &RoomKey, read: ReadMark) -> Result<(), StoreError>;
    /// The rooms of a person that were joined last, at most [`ROOMS_LISTED`], in the order in which they were joined.
    async fn rooms_of(&self, user: UserId) -> Result<Vec<RoomRef>, StoreError>;
}

/// Who is where now, over all instances that are alive.
#[async_trait]
pub trait Presence: Send + Sync {
    /// This instance has a socket of `person` in `room`.
    async fn enter(&self, room: &RoomKey, person: &Person) -> Result<(), StoreError>;
    /// This instance has no socket of `user` in `room` any more.
    async fn leave(&self, room: &RoomKey, user: UserId) -> Result<(), StoreError>;
    /// Everyone in the room, each person once, in the [natural order](app::order::natural) of names, then by id; instances whose lease lapsed do not count.
    async fn people(&self, room: &RoomKey) -> Result<Vec<Person>, StoreError>;
}

/// What happens to the store, as it happens.
#[async_trait]
pub trait Live: Send + Sync {
    /// Sets where to report to; to be called once, before anything is followed.
    fn attach(&self, sink: Arc<dyn LiveSink>);
    /// After this returned, every later commit to `room` and change of its presence reaches the sink, unless
    /// [`LiveSink::doubt`] says otherwise.
    async fn follow(&self, room: &RoomKey) -> Result<(), StoreError>;
    async fn unfollow(&self, room: &RoomKey);
    /// Makes sure that a room that is followed is so in the store as well: to be called when a commit was not reported.
    /// Nothing happens to a room that is not followed.
    async fn follow_again(&self, room: &RoomKey) -> Result<(), StoreError>;
    /// Tells whoever follows the room, on every instance, that somebody is typing in it. May be lost.
    async fn typing(&self, room: &RoomKey, person: &Person) -> Result<(), StoreError>;
    /// Whether a commit or the end of a session may go unreported without a [`LiveSink::doubt`], so that logs and sessions
    /// have to be looked at: so it is where other processes share the store.
    fn may_miss(&self) -> bool;
    /// Whether messages can be written.
    async fn writable(&self) -> Result<(), Unwritable>;
    /// What the store says of itself.
    async fn vitals(&self) -> Vitals {
        Vitals::default()
    }
    /// What whoever runs the server tells everybody at present; see [`notice`](crate::notice).
    async fn notice(&self) -> Result<Option<String>, StoreError> {
        Ok(None)
    }
    /// What the store counts while it works.
    fn meters(&self) -> StoreMeters {
        StoreMeters::default()
    }
    /// Releases presence and finishes what was accepted.
    async fn shutdown(&self);
}

/// Receives an engine's reports. Called from the engine's own tasks; must not block.
pub trait LiveSink: Send + Sync {
    /// An entry was committed. For one room the calls come in the order of seq, except after a [`doubt`](Self::doubt).
    /// The embedded engine calls this before it answers the append.
    fn committed(&self, room: &RoomKey, record: Record);
    fn presence_changed(&self, room: &RoomKey);
    fn session_ended(&self, token: TokenHash);
    /// A person has read up to `mark`.
    fn read(&self, user: UserId, room: &RoomKey, mark: ReadMark);
    /// Somebody is typing in a room that is followed.
    fn typing(&self, room: &RoomKey, person: Person);
    /// Commits may have been missed: in one room, or in all; then marks as well.
    fn doubt(&self, room: Option<&RoomKey>);
}

/// The order in which people are listed.
pub(crate) fn in_order(a: &Person, b: &Person) -> Ordering {
    natural(a.name.as_str(), b.name.as_str()).then(a.id.cmp(&b.id))
}

/// Where random numbers come from.
pub type Random = Arc<dyn Fn() -> u64 + Send + Sync>;

/// A random 64-bit number other than 0, for epochs, entries, people and instances.
pub(crate) fn random_id() -> u64 {
    loop {
        let mut bytes = [0; 8];
        // The operating system's generator fails only where nothing else would work either.
        getrandom::fill(&mut bytes).unwrap_or_else(|error| panic!("no randomness from the operating system: {error}"));
        let id = u64::from_ne_bytes(bytes);
        if id != 0 {
            return id;
        }
    }
}

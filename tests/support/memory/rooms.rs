//! Rooms and their members; sessions are in [`super::sessions`].

use super::{
    Memory,
    state::{Member, Room, Turn},
};
use app::{
    domain::{Epoch, NameKey, RoomKey, RoomName, RoomRef, UserId, UserName},
    page::LastMessage,
    protocol::ReadMark,
};
use async_trait::async_trait;
use hubbub::engine::{CreateError, Directory, Ended, Listed, OpenError, ROOMS_LISTED, Session, StoreError, TokenHash};
use std::cmp::Reverse;

/// Bytes of a message that are looked at for the directory.
const EXCERPT_MAX: usize = 240;

#[async_trait]
impl Directory for Memory {
    async fn create_room(&self, name: &RoomName) -> Result<RoomRef, CreateError> {
        let new = RoomRef { key: name.key(), name: name.clone() };
        self.ask(move |turn| turn.find_or_create(new)).await?
    }

    async fn restore_room(&self, room: &RoomRef) -> Result<(), StoreError> {
        let lost = room.clone();
        self.ask(move |turn| {
            if turn.room(&lost.key).is_none() {
                turn.make_room(&lost);
            }
        })
        .await
    }

    async fn room(&self, key: &RoomKey) -> Result<Option<RoomRef>, StoreError> {
        let key = key.clone();
        self.ask(move |turn| turn.room(&key).map(|room| room.at.clone())).await
    }

    async fn find_room(&self, name: &RoomName) -> Result<Option<RoomRef>, StoreError> {
        let (key, looks) = (name.key(), name.looks());
        self.ask(move |turn| turn.room(&key).map(|room| room.at.clone()).or_else(|| turn.look_alike(&looks))).await
    }

    async fn rooms(&self, limit: usize) -> Result<Vec<Listed>, StoreError> {
        self.ask(move |turn| turn.list(limit)).await
    }

    async fn open_session(&self, token: TokenHash, name: &UserName) -> Result<Session, OpenError> {
        let name = name.clone();
        self.ask(move |turn| turn.open(token, name)).await?
    }

    async fn session(&self, token: TokenHash) -> Result<Option<Session>, StoreError> {
        self.ask(move |turn| turn.use_session(token)).await
    }

    async fn close_session(&self, token: TokenHash) -> Result<(), StoreError> {
        self.ask(move |turn| turn.close(token)).await
    }

    async fn ended_sessions(&self, tokens: &[TokenHash]) -> Result<Ended, StoreError> {
        let tokens = tokens.to_vec();
        self.ask(move |turn| {
            let ended = tokens.into_iter().filter(|token| !turn.lives(&token.0)).collect();
            Ended { ended, ..Ended::default() }
        })
        .await
    }

    async fn name_is_free(&self, key: &NameKey) -> Result<bool, StoreError> {
        let key = key.clone();
        self.ask(move |turn| turn.is_free(&key)).await
    }

    async fn add_member(&self, user: UserId, room: &RoomKey) -> Result<(), StoreError> {
        let room = room.clone();
        self.ask(move |turn| turn.add_member(user, &room, None)).await
    }

    async fn remove_member(&self, user: UserId, room: &RoomKey) -> Result<Option<ReadMark>, StoreError> {
        let room = room.clone();
        self.ask(move |turn| {
            let rooms = turn.state.members.get_mut(&user)?;
            let at = rooms.iter().position(|member| member.room == room)?;
            Some(rooms.remove(at).mark)
        })
        .await
    }

    async fn restore_member(&self, user: UserId, room: &RoomKey, read: ReadMark) -> Result<(), StoreError> {
        let room = room.clone();
        self.ask(move |turn| turn.add_member(user, &room, Some(read))).await
    }

    async fn rooms_of(&self, user: UserId) -> Result<Vec<RoomRef>, StoreError> {
        self.ask(move |turn| {
            let rooms = turn.state.members.get(&user).map_or(&[][..], Vec::as_slice);
            let last = &rooms[rooms.len().saturating_sub(ROOMS_LISTED)..];
            last.iter().filter_map(|member| turn.room(&member.room)).map(|room| room.at.clone()).collect()
        })
        .await
    }
}

impl Turn<'_> {
    /// A new room with an empty log.
    pub fn make_room(&mut self, room: &RoomRef) {
        let new = Room {
            at: room.clone(),
            looks: room.name.looks(),
            epoch: Epoch(self.ids.id()),
            active_at: self.now,
            log: Vec::new(),
            producers: std::collections::BTreeMap::new(),
        };
        self.state.rooms.insert(room.key.clone(), new);
    }

    fn find_or_create(&mut self, new: RoomRef) -> Result<RoomRef, CreateError> {
        if let Some(room) = self.room(&new.key) {
            return Ok(room.at.clone());
        }
        if let Some(twin) = self.look_alike(&new.name.looks()) {
            return Err(CreateError::LooksLike(twin));
        }
        if new.name.mixes_scripts() {
            return Err(CreateError::MixedScripts);
        }
        self.make_room(&new);
        Ok(new)
    }

    fn look_alike(&self, looks: &NameKey) -> Option<RoomRef> {
        self.state.rooms.values().find(|room| room.looks.clashes(looks)).map(|room| room.at.clone())
    }

    /// The most recently active first.
    fn list(&self, limit: usize) -> Vec<Listed> {
        let mut rooms: Vec<_> = self.state.rooms.values().collect();
        rooms.sort_by_key(|room| Reverse(room.active_at));
        let listed = |room: &Room| Listed {
            room: room.at.clone(),
            people: self.people_in(&room.at.key),
            active_at: room.active_at,
            last: room.log.last().and_then(|kept| Some(excerpt(&kept.entry.name, kept.entry.text()?))),
        };
        rooms.into_iter().take(limit).map(listed).collect()
    }

    /// Read up to `read` if that is a place in the log, else all of it.
    fn add_member(&mut self, user: UserId, key: &RoomKey, read: Option<ReadMark>) {
        let Some(top) = self.room(key).map(Room::top) else { return };
        let rooms = self.state.members.entry(user).or_default();
        if rooms.iter().all(|member| member.room != *key) {
            let read = read.filter(|read| read.epoch == top.epoch).map_or(top.seq, |read| read.seq.min(top.seq));
            rooms.push(Member { room: key.clone(), mark: ReadMark { epoch: top.epoch, seq: read } });
        }
    }
}

/// The beginning of a message on one line.
fn excerpt(name: &UserName, text: &str) -> LastMessage {
    let whole = &text[..text.floor_char_boundary(EXCERPT_MAX)];
    let mut line = whole.split_whitespace().collect::<Vec<_>>().join(" ");
    if whole.len() < text.len() {
        // A joiner joins nothing any more.
        line = format!("{}…", line.trim_end_matches('\u{200d}'));
    }
    LastMessage { name: name.clone(), text: line }
}

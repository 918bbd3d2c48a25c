//! Entering, leaving and making rooms, and what their pages show.

use super::{
    Chat,
    access::{NoAccess, RoomAccess},
    directory::DirectoryCache,
    messages::{CatchUp, Part},
    turns::ReadTurns,
};
use crate::{
    address::Asker,
    audit,
    hub::{EnterError, presence, room::Room, wake::Wake},
    store::{CreateError, Listed, ROOMS_LISTED, RecordPage, Session, StoreError, TokenHash},
};
use app::{
    client::{
        decisions::letters::Wanted,
        opening::{MyRoom, Opening},
    },
    domain::{Cursor, Entry, RoomKey, RoomName, RoomRef, UserId},
    page::RoomLine,
    platform::Platform,
    protocol::{ErrorCode, JoinedHow, Page, Person, ReadMark, Reading},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::OwnedSemaphorePermit;

/// People of a room that are listed with it in the directory.
const HERE_MAX: usize = 3;

/// A socket's way into a room.
pub struct Joined {
    pub access: RoomAccess,
    pub room: Arc<Room>,
    /// Of the room's ring, from before its log was read: should it be started anew meanwhile, the cursor is checked again.
    pub generation: u64,
    pub how: JoinedHow,
    pub page: RecordPage,
    pub presence_version: u64,
    /// The first of those who are here, and how many there are.
    pub people: Vec<Person>,
    pub count: usize,
    pub reading: Reading,
    /// The page is memory until it is written.
    pub turn: OwnedSemaphorePermit,
}

/// Why a socket did not get into a room.
pub enum NotJoined {
    /// Its socket has ended.
    Over,
    Unknown,
    Store(StoreError),
}

/// Why somebody with a session did not get into a room by its name.
pub enum NoRoom {
    Store(StoreError),
    Mixed,
    Later(Duration),
}

impl From<StoreError> for NoRoom {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Why a room is not shown.
pub enum NoScreen {
    Missing(ErrorCode),
    /// So much was read for this session that the log may not be read for it now.
    Later,
    Store(StoreError),
}

impl From<StoreError> for NoScreen {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<NoAccess> for NoScreen {
    fn from(refused: NoAccess) -> Self {
        match refused {
            NoAccess::Unknown => Self::Missing(ErrorCode::RoomUnknown),
            NoAccess::Store(error) => Self::Store(error),
        }
    }
}

/// What the directory shows to one person.
pub struct Listing {
    pub rooms: Vec<RoomLine>,
    /// There are rooms that were active less lately and are not listed.
    pub cut: bool,
    /// This person's own, in the order in which they were joined.
    pub mine: Vec<RoomRef>,
}

impl Chat {
    /// Enters a room by a socket, at the client's cursor if the log still knows it, else at the newest page.
    ///
    /// # Errors
    /// The room is as if nothing had been.
    pub async fn join(
        &self,
        turns: &ReadTurns,
        me: &Person,
        wake: &Arc<Wake>,
        key: &RoomKey,
        cursor: Option<Cursor>,
    ) -> Result<Joined, NotJoined> {
        let turn = turns.turn().await.ok_or(NotJoined::Over)?;
        let room = self.hub.enter(key, me, wake).await.map_err(|error| match error {
            EnterError::Unknown => NotJoined::Unknown,
            EnterError::Store(error) => NotJoined::Store(error),
        })?;
        let generation = room.generation();
        let read = async {
            self.engine.add_member(me.id, key).await?;
            let (how, page) = self.start_of(turns, &room, cursor).await?;
            // What follows the page comes as entries, which the client counts itself.
            self.hub.metrics.log_read("unread");
            let reading = self.engine.readings(me.id, &[(key.clone(), page.cursor.seq)]).await?.pop();
            Ok((how, page, reading.unwrap_or_default()))
        };
        let (how, page, reading) = match read.await {
            Ok(found) => found,
            Err(error) => {
                self.hub.exit(&room, me.id, wake, false);
                return Err(NotJoined::Store(error));
            }
        };
        let (presence_version, mut people) = (room.presence_version(), room.view().people.clone());
        if people.iter().all(|person| person.id != me.id) {
            // The store is about to be told.
            people.push(me.clone());
        }
        let access = RoomAccess::entered(me.clone(), room.room.clone());
        let (count, people) = (people.len(), presence::first(&people));
        Ok(Joined { access, room, generation, how, page, presence_version, people, count, reading, turn })
    }

    async fn start_of(
        &self,
        turns: &ReadTurns,
        room: &Room,
        cursor: Option<Cursor>,
    ) -> Result<(JoinedHow, RecordPage), StoreError> {
        let Some(cursor) = cursor else {
            return Ok((JoinedHow::Newest, self.newest("join", turns, room.key()).await?));
        };
        // What follows comes as entry frames, like everything later; here it is only made sure that the log knows the cursor.
        let resumed = RecordPage { records: Vec::new(), cursor, older: cursor.seq > 0 };
        if room.holds(cursor) {
            return Ok((JoinedHow::Resumed, resumed));
        }
        Ok(match self.follow("join", turns, room.key(), cursor, 1).await? {
            CatchUp::Following { .. } => (JoinedHow::Resumed, resumed),
            CatchUp::Newest { how, page } => (how, page),
        })
    }

    /// Enters a room by its name, which is made if there is none and this person may.
    ///
    /// # Errors
    /// Says why not.
    pub async fn enter(&self, asker: &Asker, session: &Session, room: &RoomName) -> Result<RoomRef, NoRoom> {
        let is_new = self.may_make(asker, Some(session.token), room).await?;
        self.put_in(asker, session, room, is_new).await
    }

    /// Whether there is no room yet to which this name leads; then one may be made, for which it is paid.
    pub(super) async fn may_make(
        &self,
        asker: &Asker,
        session: Option<TokenHash>,
        room: &RoomName,
    ) -> Result<bool, NoRoom> {
        if self.engine.find_room(room).await?.is_some() {
            return Ok(false);
        }
        if room.mixes_scripts() {
            return Err(NoRoom::Mixed);
        }
        self.limits.room(&*self.engine, session, asker).await.map_err(NoRoom::Later)?;
        Ok(true)
    }

    /// A name that looks like an existing room's leads there: readers, the one who typed it among them, could not tell the two
    /// apart.
    pub(super) async fn put_in(
        &self,
        asker: &Asker,
        session: &Session,
        room: &RoomName,
        is_new: bool,
    ) -> Result<RoomRef, NoRoom> {
        let (room, is_made) = match self.engine.create_room(room).await {
            Ok(room) => (room, is_new),
            // Somebody else may just have made it.
            Err(CreateError::LooksLike(room)) => (room, false),
            Err(CreateError::MixedScripts) => return Err(NoRoom::Mixed),
            Err(CreateError::Store(error)) => return Err(error.into()),
        };
        if is_made {
            self.directory.changed();
            audit::room_made(asker, session.person.id);
            self.hub.metrics.rooms_made.inc();
        }
        self.engine.add_member(session.person.id, &room.key).await?;
        Ok(room)
    }

    /// Takes a room off this person's list; says how far they had read it.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn leave(&self, me: UserId, key: &RoomKey) -> Result<Option<ReadMark>, StoreError> {
        self.engine.remove_member(me, key).await
    }

    /// Undoes that.
    ///
    /// # Errors
    /// There is no such room, or the store did not answer.
    pub async fn come_back(&self, me: &Person, key: &RoomKey, read: Option<ReadMark>) -> Result<(), NoAccess> {
        self.access(me, key, None).await?;
        match read {
            Some(read) => self.engine.restore_member(me.id, key, read).await?,
            None => self.engine.add_member(me.id, key).await?,
        }
        Ok(())
    }

    /// The room as the directory has it; `None` if there is none, or that is not known.
    pub async fn known(&self, key: &RoomKey) -> Option<RoomRef> {
        self.engine.room(key).await.ok().flatten()
    }

    /// The room that a person joined last.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn latest_of(&self, me: UserId) -> Result<Option<RoomRef>, StoreError> {
        Ok(self.engine.rooms_of(me).await?.pop())
    }

    /// Everyone in a room.
    ///
    /// # Errors
    /// There is no such room, or the store did not answer.
    pub async fn people(&self, me: &Person, key: &RoomKey) -> Result<(RoomRef, Vec<Person>), NoAccess> {
        let access = self.access(me, key, None).await?;
        Ok((access.room().clone(), self.engine.people(key).await?))
    }

    /// Tells whoever follows the room that somebody is typing in it. May be lost.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn typing(&self, me: &Person, key: &RoomKey) -> Result<(), StoreError> {
        self.engine.typing(key, me).await
    }

    /// What the page of a room begins with.
    ///
    /// # Errors
    /// Says why it is not shown.
    pub async fn opening(
        &self,
        asker: &Asker,
        session: &Session,
        key: &RoomKey,
        part: Part,
    ) -> Result<Opening, NoScreen> {
        let me = &session.person;
        let room = self.access(me, key, None).await?.room().clone();
        let allowance = self.limits.history(session.token, asker).await.map_err(|_| NoScreen::Later)?;
        let found = self.part(key, part).await?;
        let (page, newest) = found.ok_or(NoScreen::Missing(ErrorCode::RoomUnknown))?;
        if let Some(allowance) = allowance {
            allowance.charge_history(page.bytes());
        }
        let page = typed(&page)?;
        let target = match part {
            Part::Around(seq) => Some(seq),
            _ => None,
        };
        let is_target = |entry: &Entry| Some(entry.seq) == target && entry.text().is_some();
        if target.is_some() && !page.entries.iter().any(is_target) {
            return Err(NoScreen::Missing(ErrorCode::NotFound));
        }
        let people = self.engine.people(key).await?;
        let mut rooms = self.engine.rooms_of(me.id).await?;
        if rooms.iter().all(|other| other.key != *key) {
            // As many are shown as before.
            rooms.drain(..(rooms.len() + 1).saturating_sub(ROOMS_LISTED));
            rooms.push(room.clone());
        }
        // Of this room up to the page, which the client goes on from; of the others all.
        let end = |room: &RoomRef| if room.key == *key && newest { page.cursor.seq } else { u64::MAX };
        let places: Vec<_> = rooms.iter().map(|room| (room.key.clone(), end(room))).collect();
        self.hub.metrics.log_read("unread");
        let readings = self.engine.readings(me.id, &places).await?;
        let rooms = rooms.into_iter().zip(readings).map(|(room, reading)| MyRoom { room, reading }).collect();
        // Whoever reads the page is here, be it said already or not.
        let count = people.len() + usize::from(people.iter().all(|person| person.id != me.id));
        Ok(Opening { room, page, newest, rooms, target, count, people: presence::first(&people) })
    }

    /// The rooms in the directory whose names `find` may mean.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn listing(&self, me: &Person, find: &str) -> Result<Listing, StoreError> {
        let mine = self.engine.rooms_of(me.id).await?;
        let is_mine = |key: &RoomKey| mine.iter().any(|room| room.key == *key);
        let listed = self.listed().await?;
        let wanted = Wanted::new(find, Platform::SERVER.decompose);
        let shown: Vec<&Listed> = listed.iter().filter(|listed| wanted.fits(listed.room.name.as_str())).collect();
        let keys = shown.iter().map(|listed| &listed.room.key).filter(|key| is_mine(key));
        let marked: Vec<_> = keys.map(|key| (key.clone(), u64::MAX)).collect();
        self.hub.metrics.log_read("unread");
        let mut readings = self.engine.readings(me.id, &marked).await?.into_iter();
        let line = |listed: &Listed| {
            let here = || listed.people.iter().filter(|person| person.id != me.id);
            RoomLine {
                room: listed.room.clone(),
                mine: is_mine(&listed.room.key).then(|| readings.next().map_or(0, |reading| reading.unread)),
                people: here().count(),
                here: here().take(HERE_MAX).cloned().collect(),
                active_at: Some(listed.active_at),
                last: listed.last.clone(),
            }
        };
        let mut rooms: Vec<_> = shown.into_iter().map(line).collect();
        let cut = DirectoryCache::is_full(&listed);
        // A room that nobody was in lately is found by its whole name.
        if cut
            && let Ok(name) = RoomName::parse(find)
            && rooms.iter().all(|line| line.room.key != name.key())
            && let Some(room) = self.engine.room(&name.key()).await?
        {
            let mine = is_mine(&room.key).then_some(0);
            rooms.push(RoomLine { room, mine, people: 0, here: Vec::new(), active_at: None, last: None });
        }
        Ok(Listing { rooms, cut, mine })
    }

    /// The rooms that were active last.
    ///
    /// # Errors
    /// The store did not answer, within the last second.
    pub async fn listed(&self) -> Result<Arc<[Listed]>, StoreError> {
        self.directory.rooms(&*self.engine).await
    }

    /// Rooms with the most people in them, for those who know none, each with how many. Nobody waits for it long.
    pub async fn lively(&self, most: usize) -> Vec<(RoomRef, usize)> {
        self.directory.lively(&*self.engine, most).await
    }
}

fn typed(page: &RecordPage) -> Result<Page, StoreError> {
    let entries = page.records.iter().map(|record| serde_json::from_str::<Entry>(&record.json));
    let entries =
        entries.collect::<Result<_, _>>().map_err(|error| StoreError(format!("an entry is no entry: {error}")))?;
    Ok(Page { entries, cursor: page.cursor, older: page.older })
}

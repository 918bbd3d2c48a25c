//! What is rendered for a GET. None of it changes anything.

use super::{
    AppState, busy,
    form::Fields,
    render,
    visitor::{Reader, Visitor},
};
use crate::{
    engine::Engine,
    store::{ROOMS_LISTED, RecordPage, Session, StoreError},
};
use app::{
    client::opening::{MyRoom, Opening},
    density::Density,
    domain::{Entry, NameProblem, ProducerId, RoomKey, RoomName, RoomRef},
    i18n::Lang,
    page::{Door, Post, RoomScreen, Screen},
    protocol::{ErrorCode, PAGE_ENTRIES, Page},
    theme::Theme,
};
use axum::{
    extract::State,
    http::{StatusCode, Uri, header},
    response::Response,
};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// Entries shown before and after a message that is shown by its address.
const AROUND: u64 = 25;

/// What a query says; what in it is no text says nothing.
pub fn queried(uri: &Uri, name: &str) -> Option<String> {
    Fields::parse(uri.query().unwrap_or_default().as_bytes()).some(name)
}

/// The door, or for those inside the room they joined last.
pub async fn home(State(state): State<AppState>, Reader(visitor): Reader, uri: Uri) -> Response {
    match &visitor.session {
        Ok(Some(session)) => match state.hub.engine.rooms_of(session.person.id).await {
            Ok(rooms) => {
                let path = rooms.last().map_or_else(|| "/rooms".to_owned(), |room| room.key.path());
                render::see_other(&path)
            }
            Err(error) => render::unavailable(&state, &visitor, &error).await,
        },
        Ok(None) => {
            let door = Door { room: queried(&uri, "room").unwrap_or_default(), ..Door::default() };
            render::screen(&state, &visitor, StatusCode::OK, Screen::Door(door)).await
        }
        Err(error) => render::unavailable(&state, &visitor, error).await,
    }
}

/// What a path names as a room.
pub enum Named {
    Room(RoomName),
    /// No name: what to say about it.
    Wrong(NameProblem),
}

/// What stands after the `n`th slash of a path, decoded. A `%` that encodes nothing stands for itself.
fn segment(uri: &Uri, n: usize) -> Option<Cow<'_, str>> {
    percent_decode_str(uri.path().split('/').nth(n).unwrap_or_default()).decode_utf8().ok()
}

/// The room that the segment after `/r/` names.
pub fn named(uri: &Uri) -> Named {
    match segment(uri, 2) {
        Some(typed) => RoomName::parse(&typed).map_or_else(Named::Wrong, Named::Room),
        None => Named::Wrong(NameProblem::Invisible),
    }
}

/// Which part of a room's log a page shows.
#[derive(Clone, Copy)]
pub enum Part {
    Newest,
    /// What ends before this seq.
    Before(u64),
    /// What stands around the message with this seq.
    Around(u64),
}

pub async fn room(State(state): State<AppState>, Reader(visitor): Reader, uri: Uri) -> Response {
    // A `before` that is no number is as good as none: the newest page.
    let before = queried(&uri, "before").and_then(|before| before.parse().ok());
    part_of_room(&state, &visitor, &uri, before.map_or(Part::Newest, Part::Before)).await
}

/// A message by its address.
pub async fn message(State(state): State<AppState>, Reader(visitor): Reader, uri: Uri) -> Response {
    match segment(&uri, 3).and_then(|seq| seq.parse().ok()) {
        Some(seq) => part_of_room(&state, &visitor, &uri, Part::Around(seq)).await,
        None => not_found(State(state), Reader(visitor)).await,
    }
}

async fn part_of_room(state: &AppState, visitor: &Visitor, uri: &Uri, part: Part) -> Response {
    let name = match named(uri) {
        Named::Room(name) => name,
        Named::Wrong(problem) => {
            let code = ErrorCode::for_room_name(problem);
            return render::problem_for(state, visitor, StatusCode::UNPROCESSABLE_ENTITY, code, None).await;
        }
    };
    let key = name.key();
    let (path, seq) = match part {
        Part::Around(seq) => (format!("{}/{seq}", key.path()), Some(seq.to_string())),
        _ => (key.path(), None),
    };
    // Proxies spell an address in their own way: what decodes to the same is the same, or they and this server would send
    // the browser to and fro.
    let is_the_address = segment(uri, 2).is_some_and(|typed| typed == key.as_str())
        && seq
            .as_deref()
            .map_or_else(|| uri.path().matches('/').count() == 2, |seq| segment(uri, 3).as_deref() == Some(seq));
    if !is_the_address {
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        return render::elsewhere(path + &query);
    }
    let just_in = queried(uri, "in");
    let session = match &visitor.session {
        Ok(Some(session)) => {
            if let Some(number) = just_in {
                // Its browser kept the cookie: nothing is to be watched, and the address is as people pass it on.
                state.unkept.back(&number);
                return render::see_other(&path);
            }
            session
        }
        Ok(None) => {
            // Someone with a link: the room is filled in, in its creator's spelling if it exists.
            let known = state.hub.engine.room(&name.key()).await.ok().flatten();
            let room = known.map_or_else(|| name.as_str().to_owned(), |room| room.name.as_str().to_owned());
            let at = if matches!(part, Part::Around(_)) { path } else { String::new() };
            let mut door = Door { room, at, ..Door::default() };
            if let Some(number) = just_in {
                door.error = Some(ErrorCode::NoCookie);
                if let Some((token, name)) = state.unkept.back(&number) {
                    door.name = name;
                    // Nobody has its cookie, so that nobody else could give the name back. Should this fail, it lapses.
                    state.hub.engine.close_session(token).await.ok();
                }
            }
            return render::screen(state, visitor, StatusCode::OK, Screen::Door(door)).await;
        }
        Err(error) => return render::unavailable(state, visitor, error).await,
    };
    let post = Post { p: ProducerId(state.hub.random()), text: String::new(), error: None };
    show_room(state, visitor, session, &name, part, StatusCode::OK, post).await
}

/// The page of a room, for a GET or for a form that was refused.
pub async fn show_room(
    state: &AppState,
    visitor: &Visitor,
    session: &Session,
    name: &RoomName,
    part: Part,
    status: StatusCode,
    post: Post,
) -> Response {
    match load_room(state, visitor, session, name, part, post).await {
        Ok(screen) => render::screen(state, visitor, status, Screen::Room(Box::new(screen))).await,
        Err(NoScreen::Missing(what)) => {
            let room = Some(name.as_str().to_owned());
            render::problem_for(state, visitor, StatusCode::NOT_FOUND, what, room).await
        }
        Err(NoScreen::Later) => busy::page(visitor),
        Err(NoScreen::Store(error)) => render::unavailable(state, visitor, &error).await,
    }
}

/// Why a room is not shown.
enum NoScreen {
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

async fn load_room(
    state: &AppState,
    visitor: &Visitor,
    session: &Session,
    name: &RoomName,
    part: Part,
    post: Post,
) -> Result<RoomScreen, NoScreen> {
    let (engine, me) = (&*state.hub.engine, &session.person);
    let key = name.key();
    let unknown = NoScreen::Missing(ErrorCode::RoomUnknown);
    let Some(room) = engine.room(&key).await? else { return Err(unknown) };
    let waited = state.limits.history(session.token, &visitor.asker).await;
    let allowance = waited.map_err(|_| NoScreen::Later)?;
    let Some((page, is_newest)) = read(engine, &key, part).await? else { return Err(unknown) };
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
    let people = engine.people(&key).await?;
    let mut rooms = engine.rooms_of(me.id).await?;
    if rooms.iter().all(|other| other.key != key) {
        // As many are shown as before.
        rooms.drain(..(rooms.len() + 1).saturating_sub(ROOMS_LISTED));
        rooms.push(room.clone());
    }
    // Of this room up to the page, which the client goes on from; of the others all.
    let end = |room: &RoomRef| if room.key == key && is_newest { page.cursor.seq } else { u64::MAX };
    let places: Vec<_> = rooms.iter().map(|room| (room.key.clone(), end(room))).collect();
    let readings = engine.readings(me.id, &places).await?;
    let rooms = rooms.into_iter().zip(readings).map(|(room, reading)| MyRoom { room, reading }).collect();
    let opening = Opening {
        room,
        page,
        newest: is_newest,
        rooms,
        target,
        // Whoever reads the page is here, be it said already or not.
        count: people.len() + usize::from(people.iter().all(|person| person.id != me.id)),
        people: crate::hub::presence::first(&people),
    };
    Ok(RoomScreen { opening, post })
}

/// The part of a room's log that is asked for, or the newest where there is no such part, and whether it is that; `None` if there
/// is no such room.
async fn read(engine: &dyn Engine, key: &RoomKey, part: Part) -> Result<Option<(RecordPage, bool)>, StoreError> {
    let end = match part {
        Part::Newest => None,
        Part::Before(before) => Some((before, PAGE_ENTRIES)),
        Part::Around(seq) => Some((seq.saturating_add(AROUND + 1), PAGE_ENTRIES + 1)),
    };
    if let Some((end, limit)) = end {
        let Some(top) = engine.top(key).await? else { return Ok(None) };
        if end <= top.seq
            && let Some(older) = engine.read_before(key, top.epoch, end, limit).await?
            && !older.records.is_empty()
        {
            return Ok(Some((older, false)));
        }
    }
    Ok(engine.newest(key, PAGE_ENTRIES).await?.map(|newest| (newest, true)))
}

fn typed(page: &RecordPage) -> Result<Page, StoreError> {
    let entries = page.records.iter().map(|record| serde_json::from_str::<Entry>(&record.json));
    let entries =
        entries.collect::<Result<_, _>>().map_err(|error| StoreError(format!("an entry is no entry: {error}")))?;
    Ok(Page { entries, cursor: page.cursor, older: page.older })
}

/// Remembers a language and leads back.
pub async fn choose_language(state: State<AppState>, Reader(visitor): Reader, uri: Uri) -> Response {
    match segment(&uri, 2).and_then(|tag| Lang::from_tag(&tag)) {
        Some(lang) => chosen(&visitor, "lang", lang.tag(), &uri),
        None => not_found(state, Reader(visitor)).await,
    }
}

/// Remembers a theme and leads back.
pub async fn choose_theme(state: State<AppState>, Reader(visitor): Reader, uri: Uri) -> Response {
    match segment(&uri, 2).and_then(|tag| Theme::from_tag(&tag)) {
        Some(theme) => chosen(&visitor, "theme", theme.tag(), &uri),
        None => not_found(state, Reader(visitor)).await,
    }
}

/// Remembers how much room a message takes and leads back.
pub async fn choose_density(state: State<AppState>, Reader(visitor): Reader, uri: Uri) -> Response {
    match segment(&uri, 2).and_then(|tag| Density::from_tag(&tag)) {
        Some(density) => chosen(&visitor, "density", density.tag(), &uri),
        None => not_found(state, Reader(visitor)).await,
    }
}

fn chosen(visitor: &Visitor, what: &'static str, tag: &'static str, uri: &Uri) -> Response {
    let next = queried(uri, "next").filter(|next| is_local(next)).unwrap_or_else(|| "/".to_owned());
    let mut response = render::see_other(&next);
    response.headers_mut().append(header::SET_COOKIE, visitor.jar.remember(what, tag));
    response
}

/// Whether this is a path of this server: to lead to anything else would make an open redirect. Browsers skip tabs when
/// they read it.
fn is_local(next: &str) -> bool {
    next.starts_with('/') && !next[1..].starts_with(['/', '\\']) && !next.contains(|c: char| c.is_control())
}

pub async fn not_found(State(state): State<AppState>, Reader(visitor): Reader) -> Response {
    render::problem_for(&state, &visitor, StatusCode::NOT_FOUND, ErrorCode::NotFound, None).await
}

/// A page that is there, but not for this method. `Allow` is added by the router, which knows the others.
pub async fn method_not_allowed(State(state): State<AppState>, Reader(visitor): Reader) -> Response {
    render::problem_for(&state, &visitor, StatusCode::METHOD_NOT_ALLOWED, ErrorCode::NotFound, None).await
}

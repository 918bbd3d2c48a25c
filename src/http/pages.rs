//! What is rendered for a GET. None of it changes anything.

use super::{
    AppState, render,
    visitor::{self, Visitor},
};
use crate::engine::{RecordPage, StoreError};
use app::{
    domain::{Entry, NameProblem, ProducerId, RoomName},
    i18n::Lang,
    page::{Door, MyRoom, Post, RoomRef, RoomScreen, RoomsScreen, Screen},
    protocol::{ErrorCode, PAGE_ENTRIES, Page, Person},
    theme::Theme,
};
use axum::{
    extract::{Path, Query, RawQuery, State},
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use percent_encoding::percent_decode_str;
use serde::Deserialize;

/// Entries shown before and after a message that is shown by its address.
const AROUND: u64 = 25;

/// Rooms listed in the directory.
const DIRECTORY_MAX: usize = 200;

#[derive(Deserialize)]
pub struct HomeQuery {
    room: Option<String>,
}

/// The door, or for those inside the room they joined last.
pub async fn home(State(state): State<AppState>, visitor: Visitor, Query(query): Query<HomeQuery>) -> Response {
    match &visitor.session {
        Ok(Some(session)) => match state.hub.engine.rooms_of(session.person.id).await {
            Ok(rooms) => {
                let path = rooms.last().map_or_else(|| "/rooms".to_owned(), |room| room.key.path());
                render::see_other(&path)
            }
            Err(error) => render::unavailable(&state, &visitor, &error).await,
        },
        Ok(None) => {
            let door = Door { room: query.room.unwrap_or_default(), ..Door::default() };
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

/// The room that the segment after `/r/` names, as it stands in the request: percent-encoded, or not quite.
pub fn named(uri: &Uri) -> Named {
    let segment = uri.path().split('/').nth(2).unwrap_or_default();
    match percent_decode_str(segment).decode_utf8() {
        Ok(typed) => RoomName::parse(&typed).map_or_else(Named::Wrong, Named::Room),
        Err(_) => Named::Wrong(NameProblem::Invisible),
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

#[derive(Deserialize)]
pub struct RoomQuery {
    before: Option<u64>,
}

pub async fn room(
    State(state): State<AppState>,
    visitor: Visitor,
    uri: Uri,
    RawQuery(raw): RawQuery,
    query: Result<Query<RoomQuery>, axum::extract::rejection::QueryRejection>,
) -> Response {
    // A `before` that is no number is as good as none: the newest page.
    let before = query.ok().and_then(|Query(query)| query.before);
    part_of_room(&state, &visitor, &uri, raw, before.map_or(Part::Newest, Part::Before)).await
}

/// A message by its address.
pub async fn message(
    State(state): State<AppState>,
    visitor: Visitor,
    uri: Uri,
    Path((_, seq)): Path<(String, String)>,
    RawQuery(raw): RawQuery,
) -> Response {
    match seq.parse() {
        Ok(seq) => part_of_room(&state, &visitor, &uri, raw, Part::Around(seq)).await,
        Err(_) => not_found(State(state), visitor).await,
    }
}

async fn part_of_room(state: &AppState, visitor: &Visitor, uri: &Uri, raw: Option<String>, part: Part) -> Response {
    let name = match named(uri) {
        Named::Room(name) => name,
        Named::Wrong(problem) => {
            let code = ErrorCode::for_room_name(problem);
            return render::problem_for(state, visitor, StatusCode::UNPROCESSABLE_ENTITY, code, None).await;
        }
    };
    let mut path = name.key().path();
    if let Part::Around(seq) = part {
        path = format!("{path}/{seq}");
    }
    if uri.path() != path {
        let query = raw.map(|raw| format!("?{raw}")).unwrap_or_default();
        return match HeaderValue::try_from(path + &query) {
            Ok(location) => (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, location)]).into_response(),
            Err(_) => StatusCode::BAD_REQUEST.into_response(),
        };
    }
    let me = match &visitor.session {
        Ok(Some(session)) => session.person.clone(),
        Ok(None) => {
            // Someone with a link: the room is filled in, in its creator's spelling if it exists.
            let known = state.hub.engine.room(&name.key()).await.ok().flatten();
            let room = known.map_or_else(|| name.as_str().to_owned(), |room| room.name.as_str().to_owned());
            let at = if matches!(part, Part::Around(_)) { path } else { String::new() };
            let door = Door { room, at, ..Door::default() };
            return render::screen(state, visitor, StatusCode::OK, Screen::Door(door)).await;
        }
        Err(error) => return render::unavailable(state, visitor, error).await,
    };
    let post = Post { p: ProducerId(crate::engine::random_id()), text: String::new(), error: None };
    show_room(state, visitor, &me, &name, part, StatusCode::OK, post).await
}

/// The page of a room, for a GET or for a form that was refused.
pub async fn show_room(
    state: &AppState,
    visitor: &Visitor,
    me: &Person,
    name: &RoomName,
    part: Part,
    status: StatusCode,
    post: Post,
) -> Response {
    match load_room(state, me, name, part, post).await {
        Ok(Ok(screen)) => render::screen(state, visitor, status, Screen::Room(Box::new(screen))).await,
        Ok(Err(missing)) => {
            let room = Some(name.as_str().to_owned());
            render::problem_for(state, visitor, StatusCode::NOT_FOUND, missing, room).await
        }
        Err(error) => render::unavailable(state, visitor, &error).await,
    }
}

async fn load_room(
    state: &AppState,
    me: &Person,
    name: &RoomName,
    part: Part,
    post: Post,
) -> Result<Result<RoomScreen, ErrorCode>, StoreError> {
    let engine = &state.hub.engine;
    let key = name.key();
    let Some(room) = engine.room(&key).await? else { return Ok(Err(ErrorCode::RoomUnknown)) };
    let Some(newest) = engine.newest(&key, PAGE_ENTRIES).await? else { return Ok(Err(ErrorCode::RoomUnknown)) };
    let top = newest.cursor;
    let end = match part {
        Part::Newest => None,
        Part::Before(before) => Some((before, PAGE_ENTRIES)),
        Part::Around(seq) => Some((seq.saturating_add(AROUND + 1), PAGE_ENTRIES + 1)),
    };
    let mut page = newest;
    if let Some((end, limit)) = end.filter(|(end, _)| *end <= top.seq) {
        let older = engine.read_before(&key, top.epoch, end, limit).await?;
        if let Some(older) = older.filter(|older| !older.records.is_empty()) {
            page = older;
        }
    }
    let is_newest = page.cursor.seq >= top.seq;
    let page = typed(&page)?;
    let target = match part {
        Part::Around(seq) => Some(seq),
        _ => None,
    };
    let is_target = |entry: &Entry| Some(entry.seq) == target && entry.text().is_some();
    if target.is_some() && !page.entries.iter().any(is_target) {
        return Ok(Err(ErrorCode::NotFound));
    }
    let people = engine.people(&key).await?;
    let mut rooms = engine.rooms_of(me.id).await?;
    if rooms.iter().all(|other| other.key != key) {
        rooms.push(room.clone());
    }
    // Of this room up to the page, which the client goes on from; of the others all.
    let end = |room: &RoomRef| if room.key == key && is_newest { page.cursor.seq } else { u64::MAX };
    let places: Vec<_> = rooms.iter().map(|room| (room.key.clone(), end(room))).collect();
    let readings = engine.readings(me.id, &places).await?;
    let rooms = rooms.into_iter().zip(readings).map(|(room, reading)| MyRoom { room, reading }).collect();
    Ok(Ok(RoomScreen {
        room,
        page,
        newest: is_newest,
        rooms,
        target,
        count: people.len(),
        people: crate::hub::presence::first(&people),
        post,
    }))
}

fn typed(page: &RecordPage) -> Result<Page, StoreError> {
    let entries = page.records.iter().map(|record| serde_json::from_str::<Entry>(&record.json));
    let entries =
        entries.collect::<Result<_, _>>().map_err(|error| StoreError(format!("an entry is no entry: {error}")))?;
    Ok(Page { entries, cursor: page.cursor, older: page.older })
}

pub async fn rooms(State(state): State<AppState>, visitor: Visitor) -> Response {
    show_rooms(&state, &visitor, StatusCode::OK, String::new(), None).await
}

/// The directory, for a GET or for a form that was refused.
pub async fn show_rooms(
    state: &AppState,
    visitor: &Visitor,
    status: StatusCode,
    create: String,
    error: Option<ErrorCode>,
) -> Response {
    let me = match &visitor.session {
        Ok(Some(session)) => session.person.id,
        Ok(None) => return render::screen(state, visitor, StatusCode::OK, Screen::Door(Door::default())).await,
        Err(error) => return render::unavailable(state, visitor, error).await,
    };
    let load = async {
        let mine: Vec<RoomRef> = state.hub.engine.rooms_of(me).await?;
        Ok::<_, StoreError>(RoomsScreen { rooms: state.hub.engine.rooms(DIRECTORY_MAX).await?, mine, create, error })
    };
    match load.await {
        Ok(screen) => render::screen(state, visitor, status, Screen::Rooms(screen)).await,
        Err(error) => render::unavailable(state, visitor, &error).await,
    }
}

#[derive(Deserialize)]
pub struct ChoiceQuery {
    next: Option<String>,
}

/// Remembers a language and leads back.
pub async fn choose_language(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(tag): Path<String>,
    Query(query): Query<ChoiceQuery>,
) -> Response {
    let Some(lang) = Lang::from_tag(&tag) else {
        return render::problem_for(&state, &visitor, StatusCode::NOT_FOUND, ErrorCode::NotFound, None).await;
    };
    chosen(&state, "lang", lang.tag(), query)
}

/// Remembers a theme and leads back.
pub async fn choose_theme(
    State(state): State<AppState>,
    visitor: Visitor,
    Path(tag): Path<String>,
    Query(query): Query<ChoiceQuery>,
) -> Response {
    match Theme::from_tag(&tag) {
        Some(theme) => chosen(&state, "theme", theme.tag(), query),
        None => not_found(State(state), visitor).await,
    }
}

fn chosen(state: &AppState, what: &'static str, tag: &'static str, query: ChoiceQuery) -> Response {
    let next = query.next.filter(|next| is_local(next)).unwrap_or_else(|| "/".to_owned());
    let mut response = render::see_other(&next);
    let cookie = visitor::remember(what, tag, state.config.secure_cookies());
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}

/// Whether this is a path of this server: to lead to anything else would make an open redirect. Browsers skip tabs when
/// they read it.
fn is_local(next: &str) -> bool {
    next.starts_with('/') && !next[1..].starts_with(['/', '\\']) && !next.contains(|c: char| c.is_control())
}

pub async fn not_found(State(state): State<AppState>, visitor: Visitor) -> Response {
    render::problem_for(&state, &visitor, StatusCode::NOT_FOUND, ErrorCode::NotFound, None).await
}

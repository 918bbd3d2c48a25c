//! What is rendered for a GET. None of it changes anything.

use super::{
    AppState,
    error::HttpError,
    form::Fields,
    render,
    visitor::{Reader, RoomPath, Visitor},
};
use crate::{chat::messages::Part, store::Session};
use app::{
    density::Density,
    domain::{NameProblem, ProducerId, RoomName},
    i18n::Lang,
    page::{Door, Post, RoomScreen, Screen},
    protocol::ErrorCode,
    theme::Theme,
};
use axum::{
    extract::State,
    http::{StatusCode, Uri, header},
    response::Response,
};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// What a query says; what in it is no text says nothing.
pub fn queried(uri: &Uri, name: &str) -> Option<String> {
    Fields::parse(uri.query().unwrap_or_default().as_bytes()).some(name)
}

/// The door, or for those inside the room they joined last.
pub async fn home(State(state): State<AppState>, Reader(visitor): Reader, uri: Uri) -> Result<Response, HttpError> {
    if let Some(session) = visitor.session.clone()? {
        let room = state.chat.latest_of(session.person.id).await?;
        return Ok(render::see_other(&room.map_or_else(|| "/rooms".to_owned(), |room| room.key.path())));
    }
    let door = Door { room: queried(&uri, "room").unwrap_or_default(), ..Door::default() };
    Ok(render::screen(&state, &visitor, StatusCode::OK, Screen::Door(door)).await)
}

/// What stands after the `n`th slash of a path, decoded. A `%` that encodes nothing stands for itself.
fn segment(uri: &Uri, n: usize) -> Option<Cow<'_, str>> {
    percent_decode_str(uri.path().split('/').nth(n).unwrap_or_default()).decode_utf8().ok()
}

/// The room that the segment after `/r/` names.
pub fn named(uri: &Uri) -> Result<RoomName, NameProblem> {
    RoomName::parse(&segment(uri, 2).ok_or(NameProblem::Invisible)?)
}

/// The same, as whoever asks for it is told.
///
/// # Errors
/// It names none.
pub fn room_of(uri: &Uri) -> Result<RoomName, HttpError> {
    named(uri).map_err(|problem| HttpError::Invalid(ErrorCode::for_room_name(problem)))
}

pub async fn room(
    State(state): State<AppState>,
    Reader(visitor): Reader,
    RoomPath(name): RoomPath,
    uri: Uri,
) -> Result<Response, HttpError> {
    // A `before` that is no number is as good as none: the newest page.
    let before = queried(&uri, "before").and_then(|before| before.parse().ok());
    part_of_room(&state, &visitor, &name, &uri, before.map_or(Part::Newest, Part::Before)).await
}

/// A message by its address.
pub async fn message(
    State(state): State<AppState>,
    Reader(visitor): Reader,
    RoomPath(name): RoomPath,
    uri: Uri,
) -> Result<Response, HttpError> {
    let seq = segment(&uri, 3).and_then(|seq| seq.parse().ok()).ok_or(HttpError::NotFound)?;
    part_of_room(&state, &visitor, &name, &uri, Part::Around(seq)).await
}

async fn part_of_room(
    state: &AppState,
    visitor: &Visitor,
    name: &RoomName,
    uri: &Uri,
    part: Part,
) -> Result<Response, HttpError> {
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
        return Ok(render::elsewhere(path + &query));
    }
    let just_in = queried(uri, "in");
    let Some(session) = visitor.session.clone()? else {
        // Someone with a link: the room is filled in, in its creator's spelling if it exists.
        let known = state.chat.known(&key).await;
        let room = known.map_or_else(|| name.as_str().to_owned(), |room| room.name.as_str().to_owned());
        let at = if matches!(part, Part::Around(_)) { path } else { String::new() };
        let mut door = Door { room, at, ..Door::default() };
        if let Some(number) = just_in {
            door.error = Some(ErrorCode::NoCookie);
            if let Some((token, name)) = state.unkept.back(&number) {
                door.name = name;
                // Nobody has its cookie, so that nobody else could give the name back. Should this fail, it lapses.
                state.chat.give_up(token).await;
            }
        }
        return Ok(render::screen(state, visitor, StatusCode::OK, Screen::Door(door)).await);
    };
    if let Some(number) = just_in {
        // Its browser kept the cookie: nothing is to be watched, and the address is as people pass it on.
        state.unkept.back(&number);
        return Ok(render::see_other(&path));
    }
    let post = Post { p: ProducerId(state.hub.random()), text: String::new(), error: None };
    show_room(state, visitor, &session, name, part, StatusCode::OK, post).await
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
) -> Result<Response, HttpError> {
    let opening = state.chat.opening(&visitor.asker, session, &name.key(), part).await;
    let opening = opening.map_err(|error| HttpError::of_screen(error, name))?;
    let screen = Screen::Room(Box::new(RoomScreen { opening, post }));
    Ok(render::screen(state, visitor, status, screen).await)
}

/// Remembers a language and leads back.
pub async fn choose_language(Reader(visitor): Reader, uri: Uri) -> Result<Response, HttpError> {
    choose(&visitor, "lang", &uri, |tag| Lang::from_tag(tag).map(Lang::tag))
}

/// Remembers a theme and leads back.
pub async fn choose_theme(Reader(visitor): Reader, uri: Uri) -> Result<Response, HttpError> {
    choose(&visitor, "theme", &uri, |tag| Theme::from_tag(tag).map(Theme::tag))
}

/// Remembers how much room a message takes and leads back.
pub async fn choose_density(Reader(visitor): Reader, uri: Uri) -> Result<Response, HttpError> {
    choose(&visitor, "density", &uri, |tag| Density::from_tag(tag).map(Density::tag))
}

fn choose(
    visitor: &Visitor,
    what: &'static str,
    uri: &Uri,
    known: impl FnOnce(&str) -> Option<&'static str>,
) -> Result<Response, HttpError> {
    let tag = segment(uri, 2).and_then(|tag| known(&tag)).ok_or(HttpError::NotFound)?;
    let next = queried(uri, "next").filter(|next| is_local(next)).unwrap_or_else(|| "/".to_owned());
    let mut response = render::see_other(&next);
    response.headers_mut().append(header::SET_COOKIE, visitor.jar.remember(what, tag));
    Ok(response)
}

/// Whether this is a path of this server: to lead to anything else would make an open redirect. Browsers skip tabs when
/// they read it.
fn is_local(next: &str) -> bool {
    next.starts_with('/') && !next[1..].starts_with(['/', '\\']) && !next.contains(|c: char| c.is_control())
}

pub async fn not_found(_: Reader) -> HttpError {
    HttpError::NotFound
}

/// `Allow` is added by the router, which knows the other methods.
pub async fn method_not_allowed(_: Reader) -> HttpError {
    HttpError::MethodNotAllowed
}

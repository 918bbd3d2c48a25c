//! What is rendered for a GET. None of it changes anything.

use super::{
    AppState, busy,
    form::Fields,
    render,
    visitor::{Reader, Visitor},
};
use crate::{
    chat::{messages::Part, rooms::NoScreen},
    store::Session,
};
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
pub async fn home(State(state): State<AppState>, Reader(visitor): Reader, uri: Uri) -> Response {
    match &visitor.session {
        Ok(Some(session)) => match state.chat.latest_of(session.person.id).await {
            Ok(room) => {
                let path = room.map_or_else(|| "/rooms".to_owned(), |room| room.key.path());
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
            let known = state.chat.known(&name.key()).await;
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
    match state.chat.opening(&visitor.asker, session, &name.key(), part).await {
        Ok(opening) => {
            let screen = RoomScreen { opening, post };
            render::screen(state, visitor, status, Screen::Room(Box::new(screen))).await
        }
        Err(NoScreen::Missing(what)) => {
            let room = Some(name.as_str().to_owned());
            render::problem_for(state, visitor, StatusCode::NOT_FOUND, what, room).await
        }
        Err(NoScreen::Later) => busy::page(visitor),
        Err(NoScreen::Store(error)) => render::unavailable(state, visitor, &error).await,
    }
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

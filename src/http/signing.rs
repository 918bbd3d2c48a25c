//! The door: signing in and out. Like every form it works without JavaScript, and is shown again with what was typed.

use super::{
    AppState,
    error::HttpError,
    form::{Garbled, Posted, SMALL_FORM_MAX},
    forms::{field, join, room_name},
    render,
    visitor::Visitor,
};
use crate::{
    chat::sessions::NoEntry,
    store::{OpenError, TokenHash},
};
use app::{
    domain::{RoomName, RoomRef, UserName},
    page::{Door, SIGNED_OUT, Screen},
    protocol::ErrorCode,
};
use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use std::time::Duration;

fn user_name(typed: Result<String, Garbled>) -> (String, Result<UserName, ErrorCode>) {
    field(typed, |text| UserName::parse(text).map_err(ErrorCode::for_user_name), ErrorCode::NameInvalid)
}

/// The door with `name`, which may be one of the suggested names whose button was pressed (`pick`), and `room`.
/// `at` says where to go inside the room, if that is the room which is entered.
pub async fn sign_in(
    State(state): State<AppState>,
    visitor: Visitor,
    headers: HeaderMap,
    Posted(form): Posted<SMALL_FORM_MAX>,
) -> Response {
    let picked = form.text("pick");
    let (name, parsed_name) = user_name(if picked == Ok(String::new()) { form.text("name") } else { picked });
    // One press on a room that is offered instead of one that is typed.
    let lively = form.text("lively");
    let (room, parsed_room) = room_name(if lively == Ok(String::new()) { form.text("room") } else { lively });
    let mut door = Door { name, room, at: form.some("at").unwrap_or_default(), ..Door::default() };
    // Who has a session is bound by that.
    if visitor.me().is_none()
        && let Err(wait) = state.limits.sign_in(&visitor.asker)
    {
        return later(&state, &visitor, door, wait).await;
    }
    let (name, room) = match (parsed_name, parsed_room) {
        (Ok(name), Ok(room)) => (name, room),
        (name, room) => {
            (door.name_error, door.room_error) = (name.err(), room.err());
            return again(&state, &visitor, StatusCode::UNPROCESSABLE_ENTITY, door).await;
        }
    };
    let kept = Kept::guess(&visitor, &headers);
    let (entered, opened) = enter(&state, &visitor, &name, &room, kept).await;
    let mut response = match entered {
        Ok(path) => {
            let to = inside_of(&path, &door.at).unwrap_or(&path);
            match &opened {
                Some((token, _)) if kept == Kept::Unsure => render::see_other(&format!(
                    "{to}?{}",
                    state.unkept.watch(state.hub.random(), *token, name.as_str())
                )),
                _ => render::see_other(to),
            }
        }
        Err(Refused::NoCookie) => {
            door.error = Some(ErrorCode::NoCookie);
            again(&state, &visitor, StatusCode::UNPROCESSABLE_ENTITY, door).await
        }
        Err(Refused::Entry(NoEntry::Later(wait))) => later(&state, &visitor, door, wait).await,
        Err(Refused::Entry(NoEntry::Open(OpenError::Taken))) => {
            door.name_error = Some(ErrorCode::NameTaken);
            door.suggestions = state.chat.suggestions(&name).await;
            again(&state, &visitor, StatusCode::UNPROCESSABLE_ENTITY, door).await
        }
        Err(Refused::Entry(NoEntry::Open(OpenError::MixedScripts))) => {
            door.name_error = Some(ErrorCode::NameMixed);
            again(&state, &visitor, StatusCode::UNPROCESSABLE_ENTITY, door).await
        }
        Err(Refused::Entry(NoEntry::RoomMixed)) => {
            door.room_error = Some(ErrorCode::RoomMixed);
            again(&state, &visitor, StatusCode::UNPROCESSABLE_ENTITY, door).await
        }
        Err(Refused::Entry(NoEntry::Open(OpenError::Store(error)))) => {
            render::log_failed("the store did not answer a sign-in", &error);
            door.error = Some(ErrorCode::Unavailable);
            again(&state, &visitor, StatusCode::SERVICE_UNAVAILABLE, door).await
        }
    };
    if let Some((_, cookie)) = opened {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Whether the visitor's browser will keep a session's cookie, as far as the request tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    Yes,
    /// A Secure one, on a page that came over plain HTTP.
    No,
    Unsure,
}

impl Kept {
    fn guess(visitor: &Visitor, headers: &HeaderMap) -> Self {
        let is = |name: &str, value: &str| {
            headers.get(name).is_some_and(|sent| sent.as_bytes().eq_ignore_ascii_case(value.as_bytes()))
        };
        match headers.get(header::ORIGIN).map(HeaderValue::as_bytes) {
            _ if !visitor.jar.secure => Self::Yes,
            Some([b'h' | b'H', b't' | b'T', b't' | b'T', b'p' | b'P', b':', ..]) => Self::No,
            Some(_) => Self::Yes,
            None if is("x-forwarded-proto", "https") => Self::Yes,
            None => Self::Unsure,
        }
    }
}

/// Why nobody was let in.
enum Refused {
    /// The browser would not keep the session's cookie, and the name would be nobody's.
    NoCookie,
    Entry(NoEntry),
}

impl<E: Into<NoEntry>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Entry(error.into())
    }
}

/// `at`, if it is the address of a message in the room at `path`.
fn inside_of<'a>(path: &str, at: &'a str) -> Option<&'a str> {
    at.strip_prefix(path)?.strip_prefix('/')?.parse::<u64>().is_ok().then_some(at)
}

async fn again(state: &AppState, visitor: &Visitor, status: StatusCode, door: Door) -> Response {
    render::screen(state, visitor, status, Screen::Door(door)).await
}

async fn later(state: &AppState, visitor: &Visitor, mut door: Door, wait: Duration) -> Response {
    door.error = Some(ErrorCode::TooMany);
    render::come_back(again(state, visitor, StatusCode::TOO_MANY_REQUESTS, door).await, wait)
}

/// Opens a session, unless this browser has one under that name, and the room. Returns where to go, and what was opened
/// with the cookie to set: also when only the room failed, so that trying again does not find the name taken by oneself.
async fn enter(
    state: &AppState,
    visitor: &Visitor,
    name: &UserName,
    room: &RoomName,
    kept: Kept,
) -> (Result<String, Refused>, Option<(TokenHash, HeaderValue)>) {
    let path = |room: RoomRef| room.key.path();
    let current = match &visitor.session {
        Ok(current) => current.as_ref(),
        Err(error) => return (Err(NoEntry::Open(error.clone().into()).into()), None),
    };
    if let Some(session) = current.filter(|session| session.person.name == *name) {
        return (join(state, visitor, session, room).await.map(path).map_err(Refused::from), None);
    }
    if kept == Kept::No {
        return (Err(Refused::NoCookie), None);
    }
    let (token, cookie) = visitor.jar.new_token(|| state.hub.random());
    let (entered, opened) = state.chat.sign_in(&visitor.asker, current, name, room, TokenHash::of(&token)).await;
    (entered.map(path).map_err(Refused::from), opened.map(|session| (session.token, cookie)))
}

pub async fn sign_out(State(state): State<AppState>, visitor: Visitor) -> Result<Response, HttpError> {
    if let Some(session) = visitor.session.clone()? {
        state.chat.sign_out(&visitor.asker, &session).await?;
    }
    let mut response = render::see_other(SIGNED_OUT);
    for cookie in visitor.jar.forget(visitor.came_in.as_deref()) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

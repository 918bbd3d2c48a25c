//! What a POST does. Every form works without JavaScript; one that is refused is shown again (422) with what was typed.

use super::{
    AppState,
    pages::{self, Named, Part},
    render,
    visitor::{self, Visitor},
};
use crate::{
    engine::{AppendError, Appended, Content, Draft, OpenError, Session, StoreError, TokenHash},
    hub::lease::commit_until,
};
use app::{
    domain::{Cursor, MessageText, ProducerId, RoomName, USER_NAME_MAX, UserName},
    page::{Door, Post, RoomRef, SIGNED_OUT, Screen},
    protocol::{ErrorCode, Person, ReadMark},
};
use axum::{
    Form,
    extract::State,
    http::{StatusCode, Uri, header},
    response::Response,
};
use serde::Deserialize;
use std::time::Instant;

/// Free names to offer instead of one that is taken.
const SUGGESTIONS: usize = 3;

#[derive(Deserialize)]
pub struct SignIn {
    #[serde(default)]
    name: String,
    #[serde(default)]
    room: String,
    /// Where to go inside the room, if that is the room which is entered.
    #[serde(default)]
    at: String,
    /// One of the suggested names, if its button was pressed.
    pick: Option<String>,
}

pub async fn sign_in(State(state): State<AppState>, visitor: Visitor, Form(form): Form<SignIn>) -> Response {
    let typed = form.pick.filter(|pick| !pick.is_empty()).unwrap_or(form.name);
    let mut door = Door { name: typed, room: form.room, at: form.at, ..Door::default() };
    let name = UserName::parse(&door.name).map_err(|problem| door.name_error = Some(ErrorCode::for_user_name(problem)));
    let room = RoomName::parse(&door.room).map_err(|problem| door.room_error = Some(ErrorCode::for_room_name(problem)));
    let (Ok(name), Ok(room)) = (name, room) else {
        return again(&state, &visitor, StatusCode::UNPROCESSABLE_ENTITY, door).await;
    };
    let (entered, cookie) = enter(&state, &visitor, &name, &room).await;
    let mut response = match entered {
        Ok(path) => render::see_other(inside_of(&path, &door.at).unwrap_or(&path)),
        Err(OpenError::Taken) => {
            door.name_error = Some(ErrorCode::NameTaken);
            door.suggestions = suggestions(&state, &name).await;
            again(&state, &visitor, StatusCode::UNPROCESSABLE_ENTITY, door).await
        }
        Err(OpenError::Store(error)) => {
            tracing::warn!(%error, "the store did not answer a sign-in");
            door.error = Some(ErrorCode::Unavailable);
            again(&state, &visitor, StatusCode::SERVICE_UNAVAILABLE, door).await
        }
    };
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// `at`, if it is the address of a message in the room at `path`.
fn inside_of<'a>(path: &str, at: &'a str) -> Option<&'a str> {
    at.strip_prefix(path)?.strip_prefix('/')?.parse::<u64>().is_ok().then_some(at)
}

async fn again(state: &AppState, visitor: &Visitor, status: StatusCode, door: Door) -> Response {
    render::screen(state, visitor, status, Screen::Door(door)).await
}

/// Opens a session, unless this browser has one under that name, and the room. Returns where to go, and the cookie to set:
/// also when only the room failed, so that trying again does not find the name taken by oneself.
async fn enter(
    state: &AppState,
    visitor: &Visitor,
    name: &UserName,
    room: &RoomName,
) -> (Result<String, OpenError>, Option<header::HeaderValue>) {
    let engine = &state.hub.engine;
    let current = match &visitor.session {
        Ok(current) => current.as_ref(),
        Err(error) => return (Err(error.clone().into()), None),
    };
    if let Some(session) = current.filter(|session| session.person.name == *name) {
        let joined = join(state, session, room).await;
        return (joined.map(|room| room.key.path()).map_err(OpenError::from), None);
    }
    let (token, cookie) = visitor::new_token(state.config.secure_cookies());
    let session = match engine.open_session(TokenHash::of(&token), name).await {
        Ok(session) => session,
        Err(error) => return (Err(error), None),
    };
    if let Some(old) = current {
        // One browser, one name: the other is free again. Should this fail, it lapses by itself.
        engine.close_session(old.token).await.ok();
    }
    let joined = join(state, &session, room).await;
    (joined.map(|room| room.key.path()).map_err(OpenError::from), Some(cookie))
}

async fn join(state: &AppState, session: &Session, room: &RoomName) -> Result<RoomRef, StoreError> {
    let room = state.hub.engine.create_room(room).await?;
    state.hub.engine.add_member(session.person.id, &room.key).await?;
    Ok(room)
}

/// Names like the one that is taken and free.
async fn suggestions(state: &AppState, taken: &UserName) -> Vec<String> {
    let mut free = Vec::new();
    let digits = 10 + crate::engine::random_id() % 90;
    let endings = ["2", "3", "4", "5", "7"].map(str::to_owned).into_iter().chain([digits.to_string()]);
    for ending in endings {
        let room_left = USER_NAME_MAX - ending.chars().count() - 1;
        let stem: String = taken.as_str().chars().take(room_left).collect();
        let Ok(name) = UserName::parse(&format!("{} {ending}", stem.trim_end())) else { continue };
        if state.hub.engine.name_is_free(&name.key()).await.unwrap_or(false) {
            free.push(name.as_str().to_owned());
        }
        if free.len() == SUGGESTIONS {
            break;
        }
    }
    free
}

pub async fn sign_out(State(state): State<AppState>, mut visitor: Visitor) -> Response {
    visitor.posts([]);
    let mut response = match &visitor.session {
        Ok(Some(session)) => match state.hub.engine.close_session(session.token).await {
            Ok(()) => render::see_other(SIGNED_OUT),
            Err(error) => return render::unavailable(&state, &visitor, &error).await,
        },
        Ok(None) => render::see_other(SIGNED_OUT),
        Err(error) => return render::unavailable(&state, &visitor, error).await,
    };
    response.headers_mut().append(header::SET_COOKIE, visitor::no_token(state.config.secure_cookies()));
    response
}

/// The session and the room a form is about, or the answer if one is missing.
async fn inside(state: &AppState, visitor: &Visitor, uri: &Uri) -> Result<(Session, RoomName), Response> {
    let session = match &visitor.session {
        Ok(Some(session)) => session.clone(),
        Ok(None) => {
            let code = ErrorCode::SessionExpired;
            return Err(render::problem_for(state, visitor, StatusCode::UNAUTHORIZED, code, None).await);
        }
        Err(error) => return Err(render::unavailable(state, visitor, error).await),
    };
    match pages::named(uri) {
        Named::Room(name) => Ok((session, name)),
        Named::Wrong(problem) => {
            let code = ErrorCode::for_room_name(problem);
            Err(render::problem_for(state, visitor, StatusCode::UNPROCESSABLE_ENTITY, code, None).await)
        }
    }
}

#[derive(Deserialize)]
pub struct Message {
    #[serde(default)]
    text: String,
    /// The producer rendered into this form, so that sending it twice counts once.
    p: Option<String>,
}

pub async fn post_message(
    State(state): State<AppState>,
    mut visitor: Visitor,
    uri: Uri,
    Form(form): Form<Message>,
) -> Response {
    visitor.posts([("text", form.text.clone()), ("p", form.p.clone().unwrap_or_default())]);
    let (session, name) = match inside(&state, &visitor, &uri).await {
        Ok(inside) => inside,
        Err(response) => return response,
    };
    let fresh = || ProducerId(crate::engine::random_id());
    let p = form.p.and_then(|p| p.parse().ok()).unwrap_or_else(fresh);
    let me = &session.person;
    let refuse = async |status, code| {
        let post = Post { p, text: form.text.clone(), error: Some(code) };
        pages::show_room(&state, &visitor, me, &name, Part::Newest, status, post).await
    };
    let text = match MessageText::parse(&form.text) {
        Ok(text) => text,
        Err(problem) => return refuse(StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::for_text(problem)).await,
    };
    let room = match state.hub.engine.room(&name.key()).await {
        Ok(Some(room)) => room,
        Ok(None) => {
            let room = Some(name.as_str().to_owned());
            return render::problem_for(&state, &visitor, StatusCode::NOT_FOUND, ErrorCode::RoomUnknown, room).await;
        }
        Err(error) => return render::unavailable(&state, &visitor, &error).await,
    };
    let until = commit_until(visitor.asked);
    match append(&state, me, &room, [p, fresh()], until, text).await {
        Ok(at) => {
            if let Err(error) = state.hub.engine.add_member(me.id, &room.key).await {
                // The message is in; the room is only missing from a list until it is opened again.
                tracing::warn!(%error, "a room was not put on its member's list");
            }
            // Whoever answers by a form has read what stands above it: no script is there to say so.
            if let Some(Cursor { epoch, seq, .. }) = at
                && let Err(error) = state.hub.engine.raise_mark(me.id, &room.key, ReadMark { epoch, seq }).await
            {
                tracing::warn!(%error, "how far somebody has read was not kept");
            }
            render::see_other(&room.key.path())
        }
        Err(error) => {
            tracing::warn!(%error, "a posted message was not acknowledged");
            refuse(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable).await
        }
    }
}

/// Appends under the form's producer. A form that was changed and sent again, from the browser's history, is another
/// message: it goes under a producer of its own.
async fn append(
    state: &AppState,
    me: &Person,
    room: &RoomRef,
    [p, other]: [ProducerId; 2],
    until: Instant,
    text: MessageText,
) -> Result<Option<Cursor>, AppendError> {
    // Its body took so long to arrive that the session may have ended meanwhile.
    if Instant::now() > until {
        return Err(AppendError::Unavailable("the request was too slow".to_owned()));
    }
    let content = Content::Message(text);
    let draft = |p| {
        let (room, by, content) = (room.clone(), me.clone(), content.clone());
        Draft { room, by, p, n: 1, earlier: Vec::new(), until: Some(until), content }
    };
    match state.hub.engine.append(draft(p)).await {
        Err(AppendError::Conflict | AppendError::OutOfOrder { .. }) => state.hub.engine.append(draft(other)).await,
        outcome => outcome,
    }
    .map(|appended| match appended {
        Appended::Entry(at) => Some(at),
        Appended::Voided => None,
    })
}

pub async fn leave_room(State(state): State<AppState>, mut visitor: Visitor, uri: Uri) -> Response {
    visitor.posts([]);
    let (session, name) = match inside(&state, &visitor, &uri).await {
        Ok(inside) => inside,
        Err(response) => return response,
    };
    match state.hub.engine.remove_member(session.person.id, &name.key()).await {
        Ok(()) => render::see_other("/rooms"),
        Err(error) => render::unavailable(&state, &visitor, &error).await,
    }
}

#[derive(Deserialize)]
pub struct CreateRoom {
    #[serde(default)]
    room: String,
}

pub async fn create_room(
    State(state): State<AppState>,
    mut visitor: Visitor,
    Form(form): Form<CreateRoom>,
) -> Response {
    visitor.posts([("room", form.room.clone())]);
    let session = match &visitor.session {
        Ok(Some(session)) => session,
        Ok(None) => {
            let code = ErrorCode::SessionExpired;
            return render::problem_for(&state, &visitor, StatusCode::UNAUTHORIZED, code, None).await;
        }
        Err(error) => return render::unavailable(&state, &visitor, error).await,
    };
    match RoomName::parse(&form.room) {
        Ok(name) => match join(&state, session, &name).await {
            Ok(room) => render::see_other(&room.key.path()),
            Err(error) => render::unavailable(&state, &visitor, &error).await,
        },
        Err(problem) => {
            let code = ErrorCode::for_room_name(problem);
            pages::show_rooms(&state, &visitor, StatusCode::UNPROCESSABLE_ENTITY, form.room, Some(code)).await
        }
    }
}

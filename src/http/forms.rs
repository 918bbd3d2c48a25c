//! What a POST does inside: rooms and messages. Every form works without JavaScript; one that is refused is shown again (422) with what was typed.

use super::{
    AppState,
    form::{Garbled, MESSAGE_FORM_MAX, Posted, SMALL_FORM_MAX},
    pages::{self, Named, Part},
    render,
    rooms::{self, Asked},
    visitor::Visitor,
};
use crate::{
    audit,
    engine::{AppendError, Appended, Content, CreateError, Draft},
    hub::lease::commit_until,
    limits::allowance::Cost,
    store::{Session, StoreError, TokenHash},
};
use app::{
    domain::{Cursor, MessageText, ProducerId, RoomName, RoomRef},
    page::Post,
    protocol::{ErrorCode, Person, ReadMark},
};
use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use std::time::Duration;
use tokio::time::Instant;

/// A field as it was typed, and as what it was meant for.
pub(super) fn field<T>(
    typed: Result<String, Garbled>,
    parse: impl FnOnce(&str) -> Result<T, ErrorCode>,
    garbled: ErrorCode,
) -> (String, Result<T, ErrorCode>) {
    match typed {
        Ok(text) => {
            let parsed = parse(&text);
            (text, parsed)
        }
        Err(Garbled(text)) => (text, Err(garbled)),
    }
}

pub(super) fn room_name(typed: Result<String, Garbled>) -> (String, Result<RoomName, ErrorCode>) {
    field(typed, |text| RoomName::parse(text).map_err(ErrorCode::for_room_name), ErrorCode::RoomInvalid)
}

/// Why somebody with a session did not get into a room.
pub(super) enum NoRoom {
    Store(StoreError),
    Mixed,
    Later(Duration),
}

impl From<StoreError> for NoRoom {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Enters a room, which is made if there is none and the visitor may.
pub(super) async fn join(
    state: &AppState,
    visitor: &Visitor,
    session: &Session,
    room: &RoomName,
) -> Result<RoomRef, NoRoom> {
    // Two writes to the store, be the room there or not.
    if let Err(wait) = turn(state, session, Cost::message(0)).await {
        audit::limited("joins", visitor.asker.prefix());
        return Err(NoRoom::Later(wait));
    }
    let is_new = may_make(state, visitor, Some(session.token), room).await?;
    put_in(state, visitor, session, room, is_new).await
}

/// Whether there is no room yet to which this name leads; then one may be made, for which it is paid.
pub(super) async fn may_make(
    state: &AppState,
    visitor: &Visitor,
    session: Option<TokenHash>,
    room: &RoomName,
) -> Result<bool, NoRoom> {
    let engine = &*state.hub.engine;
    if engine.find_room(room).await?.is_some() {
        return Ok(false);
    }
    if room.mixes_scripts() {
        return Err(NoRoom::Mixed);
    }
    state.limits.room(engine, session, &visitor.asker).await.map_err(NoRoom::Later)?;
    Ok(true)
}

/// A name that looks like an existing room's leads there: readers, the one who typed it among them, could not tell the two apart.
pub(super) async fn put_in(
    state: &AppState,
    visitor: &Visitor,
    session: &Session,
    room: &RoomName,
    is_new: bool,
) -> Result<RoomRef, NoRoom> {
    let (room, is_made) = match state.hub.engine.create_room(room).await {
        Ok(room) => (room, is_new),
        // Somebody else may just have made it.
        Err(CreateError::LooksLike(room)) => (room, false),
        Err(CreateError::MixedScripts) => return Err(NoRoom::Mixed),
        Err(CreateError::Store(error)) => return Err(error.into()),
    };
    if is_made {
        state.directory.changed();
        audit::room_made(&visitor.asker, session.person.id);
    }
    state.hub.engine.add_member(session.person.id, &room.key).await?;
    Ok(room)
}

/// The session and the room a form is about, or the answer if one is missing.
pub async fn inside(state: &AppState, visitor: &Visitor, uri: &Uri) -> Result<(Session, RoomName), Response> {
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

/// A message: its `text`, and `p`, the producer rendered into this form, so that sending it twice counts once.
pub async fn post_message(
    State(state): State<AppState>,
    mut visitor: Visitor,
    uri: Uri,
    Posted(form): Posted<MESSAGE_FORM_MAX>,
) -> Response {
    let parse = |text: &str| MessageText::parse(text).map_err(ErrorCode::for_text);
    let (typed, text) = field(form.text("text"), parse, ErrorCode::TextInvalid);
    let p = form.some("p");
    visitor.posts([("text", typed.clone()), ("p", p.clone().unwrap_or_default())]);
    let (session, name) = match inside(&state, &visitor, &uri).await {
        Ok(inside) => inside,
        Err(response) => return response,
    };
    let fresh = || ProducerId(state.hub.random());
    let p = p.and_then(|p| p.parse().ok()).unwrap_or_else(fresh);
    let me = &session.person;
    let refuse = async |status, code| {
        let post = Post { p, text: typed.clone(), error: Some(code) };
        pages::show_room(&state, &visitor, &session, &name, Part::Newest, status, post).await
    };
    let text = match text {
        Ok(text) => text,
        Err(code) => return refuse(StatusCode::UNPROCESSABLE_ENTITY, code).await,
    };
    let room = match state.hub.engine.room(&name.key()).await {
        Ok(Some(room)) => room,
        Ok(None) => {
            let room = Some(name.as_str().to_owned());
            return render::problem_for(&state, &visitor, StatusCode::NOT_FOUND, ErrorCode::RoomUnknown, room).await;
        }
        Err(error) => return render::unavailable(&state, &visitor, &error).await,
    };
    let mut asked = visitor.asked;
    match turn(&state, &session, Cost::message(typed.len())).await {
        Ok(false) => {}
        // The session may have ended meanwhile.
        Ok(true) => {
            asked = Instant::now();
            match state.hub.engine.session(session.token).await {
                Ok(Some(_)) => {}
                Ok(None) => {
                    let (status, code) = (StatusCode::UNAUTHORIZED, ErrorCode::SessionExpired);
                    return render::problem_for(&state, &visitor, status, code, None).await;
                }
                Err(error) => return render::unavailable(&state, &visitor, &error).await,
            }
        }
        Err(wait) => {
            audit::limited("messages", visitor.asker.prefix());
            return render::come_back(refuse(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooMany).await, wait);
        }
    }
    let until = commit_until(asked);
    match append(&state, me, &room, [p, fresh()], until, text).await {
        Ok(at) => {
            if let Err(error) = state.hub.engine.add_member(me.id, &room.key).await {
                // The message is in; the room is only missing from a list until it is opened again.
                render::log_failed("a room was not put on its member's list", &error);
            }
            // Whoever answers by a form has read what stands above it: no script is there to say so.
            if let Some(Cursor { epoch, seq, .. }) = at
                && let Err(error) = state.hub.engine.raise_mark(me.id, &room.key, ReadMark { epoch, seq }).await
            {
                render::log_failed("how far somebody has read was not kept", &error);
            }
            render::see_other(&room.key.path())
        }
        Err(error) => {
            render::log_failed("a posted message was not acknowledged", &error);
            refuse(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable).await
        }
    }
}

/// Waits for the turn of a form of this session. Says whether it had to wait, or how long it would.
pub async fn turn(state: &AppState, session: &Session, cost: Cost) -> Result<bool, Duration> {
    match state.limits.allowance(session.token) {
        Some(allowance) => allowance.form(cost).await,
        None => Ok(false),
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

pub async fn create_room(
    State(state): State<AppState>,
    mut visitor: Visitor,
    Posted(form): Posted<SMALL_FORM_MAX>,
) -> Response {
    let (typed, name) = room_name(form.text("room"));
    visitor.posts([("room", typed.clone())]);
    let session = match &visitor.session {
        Ok(Some(session)) => session,
        Ok(None) => {
            let code = ErrorCode::SessionExpired;
            return render::problem_for(&state, &visitor, StatusCode::UNAUTHORIZED, code, None).await;
        }
        Err(error) => return render::unavailable(&state, &visitor, error).await,
    };
    match name {
        Ok(name) => match join(&state, &visitor, session, &name).await {
            Ok(room) => render::see_other(&room.key.path()),
            Err(NoRoom::Store(error)) => render::unavailable(&state, &visitor, &error).await,
            Err(NoRoom::Mixed) => {
                let (status, error) = (StatusCode::UNPROCESSABLE_ENTITY, Some(ErrorCode::RoomMixed));
                rooms::show(&state, &visitor, status, refused(typed, error)).await
            }
            Err(NoRoom::Later(wait)) => {
                let (status, error) = (StatusCode::TOO_MANY_REQUESTS, Some(ErrorCode::TooMany));
                render::come_back(rooms::show(&state, &visitor, status, refused(typed, error)).await, wait)
            }
        },
        Err(code) => rooms::show(&state, &visitor, StatusCode::UNPROCESSABLE_ENTITY, refused(typed, Some(code))).await,
    }
}

/// The directory with a form that was not taken.
fn refused(create: String, error: Option<ErrorCode>) -> Asked {
    Asked { create, error, ..Asked::default() }
}

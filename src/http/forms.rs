//! What a POST does inside: rooms and messages. Every form works without JavaScript; one that is refused is shown again (422) with what was typed.

use super::{
    AppState,
    form::{Garbled, MESSAGE_FORM_MAX, Posted, SMALL_FORM_MAX},
    pages::{self, Named},
    render,
    rooms::{self, Asked},
    visitor::Visitor,
};
use crate::{
    audit,
    chat::{access::NoAccess, messages::Part, rooms::NoRoom},
    hub::lease::commit_until,
    limits::allowance::Cost,
    store::Session,
};
use app::{
    domain::{MessageText, ProducerId, RoomName, RoomRef},
    page::Post,
    protocol::ErrorCode,
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

/// Enters a room, which is made if there is none and the visitor may, when it is the turn of a form of theirs.
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
    state.chat.enter(&visitor.asker, session, room).await
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
    let access = match state.chat.access(me, &name.key(), None).await {
        Ok(access) => access,
        Err(NoAccess::Unknown) => {
            let room = Some(name.as_str().to_owned());
            return render::problem_for(&state, &visitor, StatusCode::NOT_FOUND, ErrorCode::RoomUnknown, room).await;
        }
        Err(NoAccess::Store(error)) => return render::unavailable(&state, &visitor, &error).await,
    };
    let mut asked = visitor.asked;
    match turn(&state, &session, Cost::message(typed.len())).await {
        Ok(false) => {}
        // The session may have ended meanwhile.
        Ok(true) => {
            asked = Instant::now();
            match state.chat.session(session.token).await {
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
    match state.chat.post(&access.until(Some(commit_until(asked))), [p, fresh()], text).await {
        Ok(()) => render::see_other(&access.room().key.path()),
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

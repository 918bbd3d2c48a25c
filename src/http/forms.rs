//! What a POST does inside: rooms and messages. Every form works without JavaScript; one that is refused is shown again (422) with what was typed.

use super::{
    AppState,
    error::HttpError,
    form::{Garbled, MESSAGE_FORM_MAX, SMALL_FORM_MAX},
    pages, render,
    rooms::{self, Asked},
    visitor::{CurrentUser, Submitted, Visitor},
};
use crate::{
    audit,
    chat::{messages::Part, rooms::NoRoom},
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

/// A message: its `text`, and `p`, the producer rendered into this form, so that sending it twice counts once.
pub async fn post_message(
    State(state): State<AppState>,
    uri: Uri,
    Submitted { user, form }: Submitted<MESSAGE_FORM_MAX>,
) -> Result<Response, HttpError> {
    let name = pages::room_of(&uri)?;
    let CurrentUser { visitor, session } = user;
    let parse = |text: &str| MessageText::parse(text).map_err(ErrorCode::for_text);
    let (typed, text) = field(form.text("text"), parse, ErrorCode::TextInvalid);
    let fresh = || ProducerId(state.hub.random());
    let p = form.some("p").and_then(|p| p.parse().ok()).unwrap_or_else(fresh);
    let refuse = async |status, code| {
        let post = Post { p, text: typed.clone(), error: Some(code) };
        pages::show_room(&state, &visitor, &session, &name, Part::Newest, status, post).await
    };
    let text = match text {
        Ok(text) => text,
        Err(code) => return refuse(StatusCode::UNPROCESSABLE_ENTITY, code).await,
    };
    let access = state.chat.access(&session.person, &name.key(), None).await;
    let access = access.map_err(|error| HttpError::of_access(error, &name))?;
    let mut asked = visitor.asked;
    match turn(&state, &session, Cost::message(typed.len())).await {
        Ok(false) => {}
        // The session may have ended meanwhile.
        Ok(true) => {
            asked = Instant::now();
            state.chat.session(session.token).await?.ok_or(HttpError::SessionExpired)?;
        }
        Err(wait) => {
            audit::limited("messages", visitor.asker.prefix());
            return Ok(render::come_back(refuse(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooMany).await?, wait));
        }
    }
    match state.chat.post(&access.until(Some(commit_until(asked))), [p, fresh()], text).await {
        Ok(()) => Ok(render::see_other(&access.room().key.path())),
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
    Submitted { user, form }: Submitted<SMALL_FORM_MAX>,
) -> Result<Response, HttpError> {
    let (typed, name) = room_name(form.text("room"));
    let refuse = async |status, code| rooms::show(&state, &user, status, refused(typed.clone(), code)).await;
    let name = match name {
        Ok(name) => name,
        Err(code) => return refuse(StatusCode::UNPROCESSABLE_ENTITY, code).await,
    };
    match join(&state, &user.visitor, &user.session, &name).await {
        Ok(room) => Ok(render::see_other(&room.key.path())),
        Err(NoRoom::Store(error)) => Err(error.into()),
        Err(NoRoom::Mixed) => refuse(StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::RoomMixed).await,
        Err(NoRoom::Later(wait)) => {
            Ok(render::come_back(refuse(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooMany).await?, wait))
        }
    }
}

/// The directory with a form that was not taken.
fn refused(create: String, code: ErrorCode) -> Asked {
    Asked { create, error: Some(code), ..Asked::default() }
}

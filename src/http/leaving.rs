//! Leaving a room, and coming back as if nothing had been.

use super::{
    AppState,
    form::{Posted, SMALL_FORM_MAX},
    forms::{inside, turn},
    render, rooms,
    visitor::Visitor,
};
use crate::{audit, chat::access::NoAccess, limits::allowance::Cost, store::Session};
use app::protocol::ErrorCode;
use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};

pub async fn leave_room(State(state): State<AppState>, mut visitor: Visitor, uri: Uri) -> Response {
    visitor.posts([]);
    let (session, name) = match inside(&state, &visitor, &uri).await {
        Ok(inside) => inside,
        Err(response) => return response,
    };
    if let Err(response) = may(&state, &visitor, &session).await {
        return response;
    }
    match state.chat.leave(session.person.id, &name.key()).await {
        // The name as the directory has it, if that is known.
        Ok(read) => match state.chat.known(&name.key()).await {
            Some(room) => render::see_other(&rooms::having_left(&room.name, read)),
            None => render::see_other("/rooms"),
        },
        Err(error) => render::unavailable(&state, &visitor, &error).await,
    }
}

/// Undoes [`leave_room`]: `epoch` and `seq` say how far the room had been read.
pub async fn come_back(
    State(state): State<AppState>,
    mut visitor: Visitor,
    uri: Uri,
    Posted(form): Posted<SMALL_FORM_MAX>,
) -> Response {
    let fields = ["epoch", "seq"].map(|name| (name, form.some(name).unwrap_or_default()));
    visitor.posts(fields);
    let (session, name) = match inside(&state, &visitor, &uri).await {
        Ok(inside) => inside,
        Err(response) => return response,
    };
    if let Err(response) = may(&state, &visitor, &session).await {
        return response;
    }
    let (key, read) = (name.key(), rooms::read_mark(|field| form.some(field)));
    match state.chat.come_back(&session.person, &key, read).await {
        Ok(()) => render::see_other(&key.path()),
        Err(NoAccess::Unknown) => {
            let room = Some(name.as_str().to_owned());
            render::problem_for(&state, &visitor, StatusCode::NOT_FOUND, ErrorCode::RoomUnknown, room).await
        }
        Err(NoAccess::Store(error)) => render::unavailable(&state, &visitor, &error).await,
    }
}

/// Waits until somebody may leave one more room, or come back to one; or the answer if that takes too long.
async fn may(state: &AppState, visitor: &Visitor, session: &Session) -> Result<(), Response> {
    let Err(wait) = turn(state, session, Cost::leave()).await else { return Ok(()) };
    audit::limited("leaves", visitor.asker.prefix());
    let page = render::problem_for(state, visitor, StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooMany, None);
    Err(render::come_back(page.await, wait))
}

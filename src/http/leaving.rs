//! Leaving a room, and coming back as if nothing had been.

use super::{
    AppState,
    error::HttpError,
    form::SMALL_FORM_MAX,
    forms::turn,
    pages, render, rooms,
    visitor::{CurrentUser, RoomPath, Submitted},
};
use crate::{audit, limits::allowance::Cost};
use axum::{extract::State, http::Uri, response::Response};

pub async fn leave_room(
    State(state): State<AppState>,
    user: CurrentUser,
    RoomPath(name): RoomPath,
) -> Result<Response, HttpError> {
    await_turn(&state, &user).await?;
    let read = state.chat.leave(user.session.person.id, &name.key()).await?;
    // The name as the directory has it, if that is known.
    let known = state.chat.known(&name.key()).await;
    let to = known.map_or_else(|| "/rooms".to_owned(), |room| rooms::having_left(&room.name, read));
    Ok(render::see_other(&to))
}

/// Undoes [`leave_room`]: `epoch` and `seq` say how far the room had been read.
pub async fn come_back(
    State(state): State<AppState>,
    uri: Uri,
    Submitted { user, form }: Submitted<SMALL_FORM_MAX>,
) -> Result<Response, HttpError> {
    let name = pages::room_of(&uri)?;
    await_turn(&state, &user).await?;
    let (key, read) = (name.key(), rooms::read_mark(|field| form.some(field)));
    let back = state.chat.come_back(&user.session.person, &key, read).await;
    back.map_err(|error| HttpError::of_access(error, &name))?;
    Ok(render::see_other(&key.path()))
}

/// Waits until somebody may leave one more room, or come back to one, unless that takes too long.
async fn await_turn(state: &AppState, user: &CurrentUser) -> Result<(), HttpError> {
    match turn(state, &user.session, Cost::leave()).await {
        Ok(_) => Ok(()),
        Err(wait) => {
            audit::limited("leaves", user.visitor.asker.prefix());
            Err(HttpError::Later(wait))
        }
    }
}

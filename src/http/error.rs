//! Why a request is not answered with what it asks for.

use super::{
    AppState, busy,
    render::{self, come_back},
    visitor::Visitor,
};
use crate::{
    chat::{access::NoAccess, rooms::NoScreen},
    store::StoreError,
};
use app::{
    domain::RoomName,
    page::{Door, Screen},
    protocol::ErrorCode,
};
use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use std::time::Duration;

/// When a store that did not answer is worth another try.
const STORE_AGAIN: Duration = Duration::from_secs(2);

/// What handlers and extractors return in place of an answer. As a response it is a status and a code; the page that people
/// see is made of it by [`render::failures_as_pages`], in their language and with what they typed.
#[derive(Debug, Clone)]
pub enum HttpError {
    /// A page for somebody who is signed in was asked for by nobody: they get the door.
    SignedOut,
    /// A form of somebody who is signed in was posted by nobody.
    SessionExpired,
    OriginRefused,
    NotFound,
    /// The page is there, but not for this method.
    MethodNotAllowed,
    /// The room is not there, or something in it, as the code says.
    Missing(ErrorCode, RoomName),
    /// The address names no room.
    Invalid(ErrorCode),
    /// Too much was asked for; the same is worth a try after this time.
    Later(Duration),
    /// There is no time for a page.
    Busy,
    Store(StoreError),
}

impl HttpError {
    /// Why the room of that name is not entered.
    pub fn of_access(error: NoAccess, room: &RoomName) -> Self {
        match error {
            NoAccess::Unknown => Self::Missing(ErrorCode::RoomUnknown, room.clone()),
            NoAccess::Store(error) => Self::Store(error),
        }
    }

    /// Why the room of that name is not shown.
    pub fn of_screen(error: NoScreen, room: &RoomName) -> Self {
        match error {
            NoScreen::Missing(what) => Self::Missing(what, room.clone()),
            NoScreen::Later => Self::Busy,
            NoScreen::Store(error) => Self::Store(error),
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::SignedOut | Self::SessionExpired => StatusCode::UNAUTHORIZED,
            Self::OriginRefused => StatusCode::FORBIDDEN,
            Self::NotFound | Self::Missing(..) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Later(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(&self) -> ErrorCode {
        match self {
            Self::SignedOut | Self::SessionExpired => ErrorCode::SessionExpired,
            Self::OriginRefused => ErrorCode::OriginRefused,
            Self::NotFound | Self::MethodNotAllowed => ErrorCode::NotFound,
            Self::Missing(code, _) | Self::Invalid(code) => *code,
            Self::Later(_) => ErrorCode::TooMany,
            Self::Busy | Self::Store(_) => ErrorCode::Unavailable,
        }
    }

    /// The page that says so.
    pub async fn page(self, state: &AppState, visitor: &Visitor) -> Response {
        let again = match &self {
            Self::SignedOut => {
                return render::screen(state, visitor, StatusCode::OK, Screen::Door(Door::default())).await;
            }
            Self::Busy => return busy::page(visitor),
            Self::Later(wait) => Some(*wait),
            Self::Store(error) => {
                render::log_failed("the store did not answer a page", error);
                Some(STORE_AGAIN)
            }
            _ => None,
        };
        let (status, code) = (self.status(), self.code());
        let room = if let Self::Missing(_, room) = self { Some(room.as_str().to_owned()) } else { None };
        let page = render::problem(state, visitor, status, code, room).await;
        again.into_iter().fold(page, come_back)
    }
}

impl From<StoreError> for HttpError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let mut response = (self.status(), self.code().as_str()).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

//! The directory of rooms, and everyone in one of them.

use super::{
    AppState,
    error::HttpError,
    pages::{self, queried},
    render,
    visitor::{CurrentUser, Reader, RoomPath},
};
use crate::chat::rooms::Listing;
use app::{
    domain::{RoomKey, RoomName, RoomRef},
    page::{LeftRoom, PeopleScreen, RoomsScreen, Screen},
    protocol::{ErrorCode, ReadMark},
};
use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};

/// People that a page of its own lists.
const PEOPLE_MAX: usize = 1_000;

/// What somebody asks of the directory.
#[derive(Default)]
pub struct Asked {
    /// Letters of the names that are wanted.
    pub find: String,
    /// The room they come from.
    pub from: Option<RoomKey>,
    pub left: Option<LeftRoom>,
    /// What was typed into the "create" form, and why it was refused.
    pub create: String,
    pub error: Option<ErrorCode>,
}

/// Where leaving a room leads: to the directory, which offers to undo it.
pub fn having_left(room: &RoomName, read: Option<ReadMark>) -> String {
    let name = percent_encoding::utf8_percent_encode(room.as_str(), percent_encoding::NON_ALPHANUMERIC);
    let read = read.map(|ReadMark { epoch, seq }| format!("&epoch={epoch}&seq={seq}")).unwrap_or_default();
    format!("/rooms?left={name}{read}")
}

/// How far a room had been read, as [`having_left`] and the form that undoes it say.
pub fn read_mark(field: impl Fn(&str) -> Option<String>) -> Option<ReadMark> {
    Some(ReadMark { epoch: field("epoch")?.parse().ok()?, seq: field("seq")?.parse().ok()? })
}

pub async fn rooms(
    State(state): State<AppState>,
    user: CurrentUser,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, HttpError> {
    let named = |name: &str| queried(&uri, name).and_then(|name| RoomName::parse(&name).ok());
    let left = named("left").map(|name| LeftRoom {
        room: RoomRef { key: name.key(), name },
        read: read_mark(|field| queried(&uri, field)),
    });
    let asked = Asked {
        find: queried(&uri, "q").unwrap_or_default(),
        from: named("from").map(|name| name.key()).or_else(|| came_from(&headers)),
        left,
        ..Asked::default()
    };
    show(&state, &user, StatusCode::OK, asked).await
}

/// The room whose page led here.
fn came_from(headers: &HeaderMap) -> Option<RoomKey> {
    let uri: Uri = headers.get(header::REFERER)?.to_str().ok()?.parse().ok()?;
    pages::named(&uri).ok().filter(|_| uri.path().starts_with("/r/")).map(|name| name.key())
}

/// The directory, for a GET or for a form that was refused.
pub async fn show(
    state: &AppState,
    user: &CurrentUser,
    status: StatusCode,
    asked: Asked,
) -> Result<Response, HttpError> {
    let Asked { find, from, left, create, error } = asked;
    let Listing { rooms, cut, mine } = state.chat.listing(&user.session.person, &find).await?;
    // Whoever is in it again has undone it.
    let left = left.filter(|left| mine.iter().all(|room| room.key != left.room.key));
    let back = from.and_then(|from| mine.iter().find(|room| room.key == from)).or_else(|| mine.last()).cloned();
    let screen = Screen::Rooms(RoomsScreen { rooms, find, cut, back, left, create, error });
    Ok(render::screen(state, &user.visitor, status, screen).await)
}

/// The rooms that are listed, for a page that looks for one by its name: `[{"key": …, "name": …}, …]`.
pub async fn names(State(state): State<AppState>, Reader(visitor): Reader) -> Response {
    let code = match &visitor.session {
        Ok(Some(_)) => match state.chat.listed().await {
            Ok(listed) => {
                let rooms: Vec<&RoomRef> = listed.iter().map(|listed| &listed.room).collect();
                return ([(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"))], axum::Json(rooms))
                    .into_response();
            }
            Err(_) => StatusCode::SERVICE_UNAVAILABLE,
        },
        Ok(None) => StatusCode::UNAUTHORIZED,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    code.into_response()
}

/// Everyone in a room.
pub async fn people(
    State(state): State<AppState>,
    user: CurrentUser,
    RoomPath(name): RoomPath,
) -> Result<Response, HttpError> {
    let found = state.chat.people(&user.session.person, &name.key()).await;
    let (room, mut people) = found.map_err(|error| HttpError::of_access(error, &name))?;
    let count = people.len();
    people.truncate(PEOPLE_MAX);
    let screen = Screen::People(PeopleScreen { room, people, count });
    Ok(render::screen(&state, &user.visitor, StatusCode::OK, screen).await)
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::domain::Epoch;

    #[test]
    fn the_room_that_led_here_is_read_from_its_address() {
        let from = |referer: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::REFERER, HeaderValue::from_str(referer).unwrap());
            came_from(&headers).map(|key| key.as_str().to_owned())
        };
        assert_eq!(from("http://127.0.0.1:3000/r/%EC%A0%90%EC%8B%AC"), Some("점심".to_owned()));
        assert_eq!(from("https://chat.example/r/Lunch%20Talk/5?before=3"), Some("lunch talk".to_owned()));
        for other in ["https://chat.example/rooms", "https://chat.example/r/", "https://chat.example/x/lunch", "/", "%"]
        {
            assert_eq!(from(other), None, "{other}");
        }
        assert_eq!(came_from(&HeaderMap::new()), None);
    }

    #[test]
    fn what_was_left_is_told_in_the_address_to_the_letter() {
        let name = RoomName::parse("Q&A #1 점심").unwrap();
        let read = ReadMark { epoch: Epoch(0xAB), seq: 7 };
        let uri: Uri = having_left(&name, Some(read)).parse().unwrap();
        assert_eq!(queried(&uri, "left").as_deref(), Some(name.as_str()));
        assert_eq!(read_mark(|field| queried(&uri, field)), Some(read));
        let uri: Uri = having_left(&name, None).parse().unwrap();
        assert_eq!(read_mark(|field| queried(&uri, field)), None);
    }
}

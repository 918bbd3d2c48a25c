//! How a tab stands, as far as a person cares.

use protocol::domain::RoomRef;

/// One of this person's rooms.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SidebarRoom {
    pub room: RoomRef,
    /// Others' messages that this person has not read, counted up to [`UNREAD_MAX`](protocol::frames::UNREAD_MAX).
    pub unread: usize,
    /// This tab's messages that were refused there, until their author has decided about them.
    pub refused: usize,
}

/// Whether there is more above the first row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Older {
    No,
    Yes,
    Loading,
}

/// The state of the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionState {
    /// Not there yet, for less than two seconds.
    Connecting,
    Online,
    /// Without a socket; the next try is in so many seconds.
    Offline {
        retry_in: u32,
    },
    /// Without a socket, because the person uses others more, until they come back to this page.
    Resting,
    /// The session ended: signing in again is the way on.
    SignedOut,
}

//! The words of the product, each a type that cannot hold a wrong value once it was parsed.

mod entry;
mod ids;
mod names;
mod operation;
mod room;
mod text;

pub use entry::{Body, Cursor, Entry};
pub use ids::{EntryId, Epoch, ProducerId, UserId};
#[cfg(feature = "server")]
pub use names::NameKey;
pub use names::{NameProblem, ROOM_NAME_MAX, RoomKey, RoomName, USER_NAME_MAX, UserName};
pub use operation::Operation;
pub use room::RoomRef;
pub use text::{MESSAGE_MAX, MessageText, TextProblem, shows_nothing};

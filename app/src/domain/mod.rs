//! The words of the product, each a type that cannot hold a wrong value once it was parsed.

mod entry;
mod ids;
mod names;
mod text;

pub use entry::{Body, Cursor, Entry};
pub use ids::{EntryId, Epoch, ProducerId, UserId};
#[cfg(feature = "ssr")]
pub use names::NameKey;
pub use names::{NameProblem, ROOM_NAME_MAX, RoomKey, RoomName, USER_NAME_MAX, UserName};
pub(crate) use text::shows_nothing;
pub use text::{MESSAGE_MAX, MessageText, TextProblem};

use super::{RoomKey, RoomName};
use serde::{Deserialize, Serialize};

/// A room as it is named to people, and the key by which it is found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RoomRef {
    pub key: RoomKey,
    pub name: RoomName,
}

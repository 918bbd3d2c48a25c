//! What the rooms' logs hold, read from a server itself, past every proxy.

use super::{
    node::Node,
    redis::{LOOK_EVERY, Redis},
};
use crate::Result;
use app::domain::{Cursor, RoomKey};
use sha2::{Digest, Sha256};
use std::{collections::HashSet, fmt::Write as _};
use testkit::redis::{self, Value};
use tokio::time::sleep;

/// Entries by their room, as its place among those that were asked for, and their place in its log.
type Entries = HashSet<(usize, Cursor)>;

/// What logs held before the store was set back and do not hold after it; or why that cannot be known.
pub type Loss = std::result::Result<Entries, String>;

/// How often it is tried to read a log: Sentinel ends connections to a server whose role it changes.
const TRIES: u32 = 10;

/// Where logs end at some moment.
#[derive(Debug, Default)]
pub struct Ends(Vec<(Keys, u64)>);

/// What Redis calls a room's log, and what is known of its end.
#[derive(Debug)]
pub struct Keys {
    pub log: String,
    pub meta: String,
}

impl Keys {
    pub fn of(room: &RoomKey) -> Self {
        let mut tag = String::new();
        for byte in &Sha256::digest(room.as_str().as_bytes())[..16] {
            // A String takes everything.
            let _ = write!(tag, "{byte:02x}");
        }
        Self { log: format!("hubbub:{{{tag}}}:log"), meta: format!("hubbub:{{{tag}}}:meta") }
    }
}

impl Redis {
    /// Where these rooms' logs end now; what they hold up to there is everywhere, or will be before anything else.
    pub async fn ends(&self, rooms: &[RoomKey]) -> Result<Ends> {
        let mut ends = Vec::new();
        for room in rooms {
            ends.push((Keys::of(room), self.top(room).await?.unwrap_or(0)));
        }
        Ok(Ends(ends))
    }

    /// The seq at the end of a room's log as Redis has it; none before the first entry was tried.
    pub async fn top(&self, room: &RoomKey) -> Result<Option<u64>> {
        let answer = self.command(&["HGET", &Keys::of(room).meta, "seq"]).await?;
        Ok(answer.text().map(str::parse).transpose()?)
    }
}

/// What a server's logs hold beyond `ends`. For one that takes nothing meanwhile.
pub async fn beyond(ends: &Ends, node: &Node) -> Loss {
    let mut tries = 0;
    loop {
        match read(ends, node).await {
            Ok(entries) => return Ok(entries),
            Err(error) if tries == TRIES => return Err(error.to_string()),
            Err(_) => tries += 1,
        }
        sleep(LOOK_EVERY * 4).await;
    }
}

/// What `before` has, and the logs of a server beyond `ends` have not. What that server takes meanwhile is nothing that
/// was there before.
pub async fn lost(before: Loss, ends: &Ends, after: &Node) -> Loss {
    let (mut lost, after) = (before?, beyond(ends, after).await?);
    lost.retain(|entry| !after.contains(entry));
    Ok(lost)
}

async fn read(ends: &Ends, node: &Node) -> Result<Entries> {
    let mut entries = Entries::new();
    for (room, (keys, end)) in ends.0.iter().enumerate() {
        let answer = redis::command(node.address, &["XRANGE", &keys.log, &format!("({end}-0"), "+"]).await?;
        for entry in answer.list() {
            let [_, fields] = entry.list() else { return Err(format!("{} holds {entry:?}", keys.log).into()) };
            let json = fields.list().get(1).and_then(Value::text).ok_or("an entry without its JSON")?;
            entries.insert((room, serde_json::from_str(json)?));
        }
    }
    Ok(entries)
}

//! Appending: the rule of a producer's numbers, and an entry's place in its log.

use super::{
    live::Event,
    millis,
    state::{Kept, Room, Turn},
};
use app::{
    domain::{Cursor, EntryId, Operation, ProducerId, UserId},
    protocol::REPEAT_WINDOW,
};
use hubbub::engine::{AppendError, Appended, Draft, Record, entry_json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::Instant;

/// How long a producer is remembered after its last message: longer than clients go on trying.
const KEPT_FOR: Duration = Duration::from_hours(30 * 24);
/// And one that has only voided numbers: longer than what was sent under them may lie on its way.
const VOIDS_KEPT_FOR: Duration = Duration::from_mins(15);

#[derive(Clone, Default)]
pub struct Producer {
    last: u64,
    /// What became of its latest numbers.
    used: BTreeMap<u64, Used>,
    /// Whether one of them was a message.
    sent: bool,
    /// When it is forgotten.
    until: u64,
}

#[derive(Clone)]
struct Used {
    digest: String,
    /// `None` if it was voided.
    at: Option<Cursor>,
}

impl Turn<'_> {
    pub fn append(&mut self, draft: &Draft) -> Result<Appended, AppendError> {
        let digest = draft.digest();
        let is_void = matches!(draft.operation, Operation::Void);
        let id = (draft.by.id, draft.p);
        let known = self.room(&draft.room.key).and_then(|room| room.producer(id, self.now));
        let mut producer = known.cloned().unwrap_or_default();
        if producer.last.checked_add(1) != Some(draft.n) {
            let used = producer.used.get(&draft.n).ok_or(AppendError::OutOfOrder { last: producer.last })?;
            return used.answer(&digest, is_void);
        }
        if draft.until.is_some_and(|until| Instant::now() > until) {
            return Err(AppendError::Unavailable("it reached the store too late".to_owned()));
        }
        if self.room(&draft.room.key).is_none() {
            self.make_room(&draft.room);
        }
        let at = if is_void { None } else { self.stands(draft, &digest).or_else(|| self.insert(draft)) };
        producer.sent |= at.is_some();
        producer.until = self.now + millis(if producer.sent { KEPT_FOR } else { VOIDS_KEPT_FOR });
        producer.last = draft.n;
        producer.used.insert(draft.n, Used { digest, at });
        producer.used.retain(|n, _| n + REPEAT_WINDOW > draft.n);
        if let Some(room) = self.state.rooms.get_mut(&draft.room.key) {
            room.producers.insert(id, producer);
        }
        Ok(at.map_or(Appended::Voided, Appended::Entry))
    }

    /// The entry that the same message already is under one of its earlier numbers.
    fn stands(&self, draft: &Draft, digest: &str) -> Option<Cursor> {
        let room = self.room(&draft.room.key)?;
        draft.earlier.iter().find_map(|earlier| {
            let used = room.producer((draft.by.id, earlier.p), self.now)?.used.get(&earlier.n)?;
            used.at.filter(|_| used.digest == digest)
        })
    }

    fn insert(&mut self, draft: &Draft) -> Option<Cursor> {
        let id = EntryId(self.ids.id());
        let room = self.state.rooms.get_mut(&draft.room.key)?;
        let Cursor { epoch, seq, id: prev } = room.top();
        let at = Cursor { epoch, seq: seq + 1, id };
        let json: Arc<str> = entry_json(at, prev, self.now, &draft.json_tail()).into();
        let entry = Arc::new(serde_json::from_str(&json).unwrap());
        let record = Record { epoch, seq: at.seq, id, prev, json };
        room.log.push(Kept { record: record.clone(), entry });
        room.active_at = self.now;
        self.tell(Event::Committed(draft.room.key.clone(), record));
        Some(at)
    }
}

impl Room {
    fn producer(&self, id: (UserId, ProducerId), now: u64) -> Option<&Producer> {
        self.producers.get(&id).filter(|producer| producer.until > now)
    }
}

impl Used {
    /// What a number that was used already is answered by.
    fn answer(&self, digest: &str, is_void: bool) -> Result<Appended, AppendError> {
        match self.at {
            // Too late to void what was sent.
            Some(at) if is_void || self.digest == digest => Ok(Appended::Entry(at)),
            None if is_void => Ok(Appended::Voided),
            _ => Err(AppendError::Conflict),
        }
    }
}

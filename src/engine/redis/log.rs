//! The rooms' logs.

use super::{
    Redis,
    keys::RoomKeys,
    script::{APPEND, READ},
};
use crate::engine::{After, AppendError, Appended, Content, Draft, Record, RecordPage, RoomLog, StoreError, random_id};
use app::{
    domain::{Cursor, EntryId, Epoch, RoomKey},
    protocol::REPEAT_WINDOW,
};
use async_trait::async_trait;
use fred::{
    bytes_utils::Str,
    prelude::{ClientLike, Error, ErrorKind, HashesInterface},
};
use futures_util::future::try_join_all;
use serde::Deserialize;
use std::{str::FromStr, sync::Arc, time::Duration};

/// Producers' records outlive the seven days for which clients are told to retry.
const PRODUCER_KEPT: Duration = Duration::from_hours(30 * 24);
/// How often, and how long apart, an append is tried again that was overtaken while the server was given its scripts.
const OVERTAKEN_TRIES: u32 = 20;
const OVERTAKEN_PAUSE: Duration = Duration::from_millis(10);

#[async_trait]
impl RoomLog for Redis {
    async fn append(&self, draft: Draft) -> Result<Appended, AppendError> {
        // Nothing is awaited before the command is queued: the order of first polls is the order of commits.
        let _one = self
            .under_way
            .try_acquire()
            .map_err(|_| AppendError::Unavailable("too many messages are waiting for Redis".to_owned()))?;
        // Not queued for a server that is away: this way it is certain that nothing was sent.
        if !self.appends.is_connected() {
            return Err(AppendError::Unavailable("not connected to Redis".to_owned()));
        }
        let mut tries = 0;
        loop {
            let answer = self.append_once(&draft).await.map_err(|error| append_error(&error))?;
            match answer {
                Answer::Done { appended, at } => {
                    if let Some(at) = at {
                        self.touch(&draft.room, at);
                    }
                    return Ok(appended);
                }
                Answer::Conflict => return Err(AppendError::Conflict),
                // Its predecessors are on their way again, because the server had lost the script when they arrived.
                Answer::Gap { last }
                    if draft.n > last
                        && draft.n - last <= REPEAT_WINDOW
                        && tries < OVERTAKEN_TRIES
                        && self.reloading.is_going_on() =>
                {
                    tries += 1;
                    tokio::time::sleep(OVERTAKEN_PAUSE).await;
                }
                Answer::Gap { last } => return Err(AppendError::OutOfOrder { last }),
                Answer::Late { now } => {
                    // Or the server's clock is another one than was thought.
                    self.clock.told(now);
                    return Err(AppendError::Unavailable("it reached Redis too late".to_owned()));
                }
            }
        }
    }

    async fn read_after(&self, room: &RoomKey, cursor: Cursor, limit: usize) -> Result<After, StoreError> {
        let from = format!("{}-0", cursor.seq.max(1));
        // With the cursor's own entry; before the first entry there is none.
        let count = limit + usize::from(cursor.seq > 0);
        let Some((top, mut records)) = self.read(room, "XRANGE", &from, "+", count).await? else {
            return Ok(After::Reset);
        };
        if cursor.epoch != top.epoch || cursor.seq > top.seq {
            return Ok(After::Reset);
        }
        if cursor.seq == 0 {
            if cursor.id != EntryId(0) {
                return Ok(After::Reset);
            }
        } else if count > 0 {
            if records.first().is_none_or(|own| own.cursor() != cursor) {
                return Ok(After::Reset);
            }
            records.remove(0);
        }
        // An operator may have trimmed or repaired the stream: what does not follow must not be shown as if it did.
        if records.first().is_some_and(|next| next.seq != cursor.seq + 1 || next.prev != cursor.id) {
            return Ok(After::Reset);
        }
        if records.len() < limit && records.last().map_or(cursor, Record::cursor) != top {
            return Ok(After::Reset);
        }
        Ok(After::Entries { records, top })
    }

    async fn newest(&self, room: &RoomKey, limit: usize) -> Result<Option<RecordPage>, StoreError> {
        let read = self.read(room, "XREVRANGE", "+", "-", limit + 1).await?;
        let Some((top, records)) = read else { return Ok(None) };
        if records.last().map_or(Cursor::origin(top.epoch), Record::cursor) != top {
            return Err(unreadable(room));
        }
        Ok(Some(page(top.epoch, records, limit)))
    }

    async fn read_before(
        &self,
        room: &RoomKey,
        epoch: Epoch,
        before: u64,
        limit: usize,
    ) -> Result<Option<RecordPage>, StoreError> {
        let to = format!("{}-0", before.saturating_sub(1));
        let read = self.read(room, "XREVRANGE", &to, "-", limit + 1).await?;
        Ok(read.filter(|(top, _)| top.epoch == epoch).map(|(top, records)| page(top.epoch, records, limit)))
    }

    async fn top(&self, room: &RoomKey) -> Result<Option<Cursor>, StoreError> {
        Ok(self.read(room, "XRANGE", "-", "+", 0).await?.map(|(top, _)| top))
    }

    async fn tops(&self, rooms: &[RoomKey]) -> Result<Vec<Option<Cursor>>, StoreError> {
        // Queued together, they travel together; in a Cluster to several nodes.
        let read = |room| async move {
            let fields: Vec<Option<Str>> =
                self.client.hmget(RoomKeys::of(room).meta(), vec!["epoch", "seq", "id"]).await?;
            Ok(match fields.as_slice() {
                // One damaged room is for whoever reads it, and does not keep the others from being looked at.
                [Some(epoch), Some(seq), Some(id)] => cursor(epoch, seq, id),
                _ => None,
            })
        };
        try_join_all(rooms.iter().map(read)).await
    }
}

enum Answer {
    /// `at` is the entry's time, if it is new.
    Done {
        appended: Appended,
        at: Option<u64>,
    },
    Conflict,
    Gap {
        last: u64,
    },
    Late {
        now: i64,
    },
}

impl Redis {
    async fn append_once(&self, draft: &Draft) -> Result<Answer, Error> {
        let keys = RoomKeys::of(&draft.room.key);
        let tail = match draft.content {
            Content::Message(_) => draft.json_tail(),
            Content::Void => String::new(),
        };
        let mut names = vec![keys.meta(), keys.log(), keys.producer(draft.by.id, draft.p), keys.channel()];
        names.extend(draft.earlier.iter().map(|earlier| keys.producer(draft.by.id, earlier.p)));
        let mut args = vec![
            draft.n.to_string().into(),
            draft.digest().into(),
            Epoch(random_id()).to_string().into(),
            EntryId(random_id()).to_string().into(),
            tail.into(),
            draft.room.key.as_str().into(),
            draft.room.name.as_str().into(),
            PRODUCER_KEPT.as_secs().to_string().into(),
            draft.until.and_then(|until| self.clock.at(until)).map_or_else(String::new, |at| at.to_string()).into(),
        ];
        args.extend(draft.earlier.iter().map(|earlier| earlier.n.to_string().into()));
        let answer: Vec<Str> = APPEND.run_or_reload(&self.appends, names, args, || self.reloading.begin()).await?;
        let words: Vec<&str> = answer.iter().map(|word| &**word).collect();
        parse_answer(&words).ok_or_else(|| Error::new(ErrorKind::Parse, format!("unexpected answer: {words:?}")))
    }

    /// The place of the log's last entry and a run of entries, oldest first, as of one moment.
    async fn read(
        &self,
        room: &RoomKey,
        how: &'static str,
        from: &str,
        to: &str,
        count: usize,
    ) -> Result<Option<(Cursor, Vec<Record>)>, StoreError> {
        let keys = RoomKeys::of(room);
        let args = vec![how.into(), from.into(), to.into(), count.to_string().into()];
        let answer: Vec<Str> = READ.run(&self.client, vec![keys.meta(), keys.log()], args).await?;
        let [epoch, seq, id, entries @ ..] = answer.as_slice() else { return Ok(None) };
        let broken = || unreadable(room);
        let top = cursor(epoch, seq, id).ok_or_else(broken)?;
        let mut records = entries.iter().map(|json| record(json)).collect::<Option<Vec<_>>>().ok_or_else(broken)?;
        if how == "XREVRANGE" {
            records.reverse();
        }
        // Each names its predecessor, so a hole or a foreign entry shows.
        let joined = records.windows(2).all(|two| two[0].seq + 1 == two[1].seq && two[0].id == two[1].prev);
        if !joined || records.iter().any(|record| record.epoch != top.epoch) {
            return Err(broken());
        }
        Ok(Some((top, records)))
    }
}

/// The log is not what this engine writes.
fn unreadable(room: &RoomKey) -> StoreError {
    StoreError(format!("the log of room {} is damaged", RoomKeys::of(room).tag()))
}

/// From one record more than the page may hold, which tells whether there are older ones.
fn page(epoch: Epoch, mut records: Vec<Record>, limit: usize) -> RecordPage {
    let older = records.len() > limit;
    if older {
        records.remove(0);
    }
    let cursor = records.last().map_or(Cursor::origin(epoch), Record::cursor);
    RecordPage { records, cursor, older }
}

fn cursor(epoch: &str, seq: &str, id: &str) -> Option<Cursor> {
    Some(Cursor { epoch: epoch.parse().ok()?, seq: seq.parse().ok()?, id: id.parse().ok()? })
}

fn parse_answer(words: &[&str]) -> Option<Answer> {
    Some(match words {
        ["entry", epoch, seq, id, at @ ..] => Answer::Done {
            appended: Appended::Entry(cursor(epoch, seq, id)?),
            at: at.first().map(|at| u64::from_str(at)).transpose().ok()?,
        },
        ["void"] => Answer::Done { appended: Appended::Voided, at: None },
        ["conflict"] => Answer::Conflict,
        ["gap", last] => Answer::Gap { last: last.parse().ok()? },
        ["late", now] => Answer::Late { now: now.parse().ok()? },
        _ => return None,
    })
}

/// Reads only an entry's place out of its JSON, without copying anything.
pub(super) fn record(json: &str) -> Option<Record> {
    #[derive(Deserialize)]
    struct Place<'a> {
        epoch: &'a str,
        seq: u64,
        id: &'a str,
        prev: &'a str,
    }
    let place: Place<'_> = serde_json::from_str(json).ok()?;
    Some(Record {
        epoch: place.epoch.parse().ok()?,
        seq: place.seq,
        id: place.id.parse().ok()?,
        prev: place.prev.parse().ok()?,
        json: Arc::from(json),
    })
}

/// Sorts errors by the one thing that matters: whether it is certain that nothing was written.
fn append_error(error: &Error) -> AppendError {
    /// Refused by the server before the script ran. Not `CLUSTERDOWN`: fred drops the connection on that answer and
    /// gives it to every command under way, of which some may have run.
    const REFUSED: [&str; 12] = [
        "OOM",
        "LOADING",
        "MISCONF",
        "READONLY",
        "MASTERDOWN",
        "NOREPLICAS",
        "TRYAGAIN",
        "BUSY",
        "NOPERM",
        "NOAUTH",
        "WRONGPASS",
        "NOSCRIPT",
    ];
    /// What fred says of a command that it never wrote, or that was only ever answered with a redirection. Not "Too many
    /// failed write attempts.": so end those that were written to a connection that is made anew by force.
    const NOT_SENT: [&str; 4] = [
        "Failed to route command.",
        "Client is not initialized.",
        "Failed to send command to router.",
        "Too many redirections.",
    ];
    let details = error.details();
    let refused = REFUSED.iter().any(|code| details.strip_prefix(code).is_some_and(|rest| rest.starts_with(' ')));
    let no_node = *error.kind() == ErrorKind::Cluster && details.starts_with("Missing server");
    if refused || no_node || NOT_SENT.contains(&details) || *error.kind() == ErrorKind::Backpressure {
        AppendError::Unavailable(details.to_owned())
    } else {
        AppendError::Unknown(error.to_string())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_what_surely_wrote_nothing_is_unavailable() {
        let error = |text: &'static str| append_error(&Error::new(ErrorKind::Unknown, text));
        for text in ["OOM command not allowed", "LOADING Redis is loading", "READONLY no", "Failed to route command."] {
            assert!(matches!(error(text), AppendError::Unavailable(_)), "{text}");
        }
        for text in ["Connection closed.", "CLUSTERDOWN The cluster is down", "ERR something, script: x", "OOMPH"] {
            assert!(matches!(error(text), AppendError::Unknown(_)), "{text}");
        }
        let late = append_error(&Error::new(ErrorKind::Timeout, "Request timed out."));
        assert!(matches!(late, AppendError::Unknown(_)));
    }

    #[test]
    fn an_entry_s_place_is_read_without_the_rest() {
        let json = r#"{"epoch":"00000000000000aa","seq":3,"id":"0000000000000003","prev":"0000000000000002","at":5,
            "by":"0000000000000009","name":"지우","p":"0000000000000007","n":1,"body":{"kind":"poll","q":"?"}}"#;
        let read = record(json).unwrap();
        assert_eq!(read.cursor(), Cursor { epoch: Epoch(0xaa), seq: 3, id: EntryId(3) });
        assert_eq!((read.prev, &*read.json), (EntryId(2), json));
        assert_eq!(record("presence"), None);
    }
}

//! Appending to a room's log.

use super::{
    Redis,
    condition::{ENTRIES_BELOW, VOIDS_BELOW, reason},
    script::APPEND,
};
use crate::engine::{AppendError, Appended, Draft, Reason, StoreError, random_id};
use app::{
    domain::{Cursor, EntryId, Operation},
    protocol::REPEAT_WINDOW,
};
use fred::{
    bytes_utils::Str,
    prelude::{ClientLike, Error, ErrorKind, Value},
};
use std::{str::FromStr, time::Duration};

/// How often, and how long apart, an append is tried again that was overtaken while the server was given its scripts.
const OVERTAKEN_TRIES: u32 = 20;
const OVERTAKEN_PAUSE: Duration = Duration::from_millis(10);

enum Answer {
    Entry {
        at: Cursor,
        /// If it is new: its time, and why nobody could be told of it.
        new: Option<(u64, Option<String>)>,
    },
    Voided,
    Conflict,
    Gap {
        last: u64,
    },
    Late {
        now: i64,
    },
    Refused {
        why: String,
    },
    Misfit,
    /// It was not asked.
    Full {
        why: String,
    },
}

impl Redis {
    pub(super) async fn append_in_turn(&self, draft: Draft) -> Result<Appended, AppendError> {
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
            let answer = match self.append_once(&draft).await {
                Ok(answer) => answer,
                Err(error) => return Err(self.not_appended(&error)),
            };
            match answer {
                Answer::Entry { at, new } => {
                    if let Some((time, untold)) = new {
                        self.appends.condition().wrote();
                        self.touch(&draft.room, time);
                        if let Some(why) = untold {
                            self.subscriptions.report_untold(&draft.room.key, &why);
                        }
                    }
                    return Ok(Appended::Entry(at));
                }
                Answer::Voided => return Ok(Appended::Voided),
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
                Answer::Refused { why } => {
                    self.appends.condition().refused(&why);
                    return Err(AppendError::Unavailable(why));
                }
                Answer::Full { why } => return Err(AppendError::Unavailable(why)),
                Answer::Late { now } => {
                    // Or the server's clock is another one than was thought.
                    self.clock.told(now);
                    return Err(AppendError::Unavailable("it reached Redis too late".to_owned()));
                }
                Answer::Misfit => {
                    // Those behind it are refused for the same reason, and come again in their order.
                    let mended = self.mend(&draft.room.key, Some(&draft.room.name)).await;
                    let why = mended
                        .err()
                        .map_or_else(|| "the room's log was mended".to_owned(), |error| StoreError::from(error).0);
                    return Err(AppendError::Unavailable(why));
                }
            }
        }
    }

    fn not_appended(&self, error: &Error) -> AppendError {
        // What a server says of itself was noted already.
        if reason(error.details()).is_none() {
            self.appends.condition().failed(Reason::Unreachable, error.details());
        }
        append_error(error)
    }

    async fn append_once(&self, draft: &Draft) -> Result<Answer, Error> {
        let keys = self.keys.room(&draft.room.key);
        let is_void = matches!(draft.operation, Operation::Void);
        if !is_void && let Some(why) = self.appends.too_full(ENTRIES_BELOW, || keys.meta()) {
            return Ok(Answer::Full { why });
        }
        let no_record = if is_void { self.appends.too_full(VOIDS_BELOW, || keys.meta()) } else { None };
        let n = |n: u64| Value::from(n.to_string());
        let until = draft.until.and_then(|until| self.clock.at(until)).map_or_else(String::new, |at| at.to_string());
        // Made twice where the server lost the script, rather than copied each time.
        let call = || {
            let mut names = vec![keys.meta(), keys.log(), keys.producer(draft.by.id, draft.p), keys.channel()];
            names.extend(draft.earlier.iter().map(|earlier| keys.producer(draft.by.id, earlier.p)));
            let mut args = vec![
                n(draft.n),
                draft.digest().into(),
                EntryId(random_id()).to_string().into(),
                draft.json_tail().into(),
                draft.room.key.as_str().into(),
                draft.room.name.as_str().into(),
                until.clone().into(),
                no_record.clone().unwrap_or_default().into(),
            ];
            args.extend(draft.earlier.iter().map(|earlier| n(earlier.n)));
            (names, args)
        };
        let answer: Vec<Str> = APPEND.run_or_reload(&self.appends, call, || self.reloading.begin()).await?;
        let words: Vec<&str> = answer.iter().map(|word| &**word).collect();
        parse_answer(&words).ok_or_else(|| Error::new(ErrorKind::Parse, format!("unexpected answer: {words:?}")))
    }
}

fn parse_answer(words: &[&str]) -> Option<Answer> {
    let at = |epoch: &&str, seq: &&str, id: &&str| {
        Some(Cursor { epoch: epoch.parse().ok()?, seq: seq.parse().ok()?, id: id.parse().ok()? })
    };
    Some(match words {
        ["entry", epoch, seq, id, new @ ..] => {
            let new = match new {
                [] => None,
                [time] => Some((u64::from_str(time).ok()?, None)),
                [time, untold] => Some((u64::from_str(time).ok()?, Some((*untold).to_owned()))),
                _ => return None,
            };
            Answer::Entry { at: at(epoch, seq, id)?, new }
        }
        ["void"] => Answer::Voided,
        ["conflict"] => Answer::Conflict,
        ["gap", last] => Answer::Gap { last: last.parse().ok()? },
        ["late", now] => Answer::Late { now: now.parse().ok()? },
        ["refused", why] => Answer::Refused { why: (*why).to_owned() },
        ["misfit"] => Answer::Misfit,
        _ => return None,
    })
}

/// Sorts errors by the one thing that matters: whether it is certain that nothing was written.
fn append_error(error: &Error) -> AppendError {
    /// Refused by the server before the script ran. Not `CLUSTERDOWN`: fred drops the connection on that answer and
    /// gives it to every command under way, of which some may have run. Not `NOPERM`: a right may be missing for a command
    /// within the script.
    const REFUSED: [&str; 12] = [
        "AWAY",
        "OOM",
        "LOADING",
        "MISCONF",
        "READONLY",
        "MASTERDOWN",
        "NOREPLICAS",
        "TRYAGAIN",
        "BUSY",
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
mod tests {
    use super::{super::cluster::AWAY, *};

    #[test]
    fn the_script_holds_the_same_clock_for_wrong_as_the_rest() {
        let ahead = format!("\nlocal ahead_max = {}\n", crate::engine::TIME_AHEAD_MAX.as_millis());
        assert!(include_str!("append.lua").contains(&ahead));
    }

    #[test]
    fn only_what_surely_wrote_nothing_is_unavailable() {
        let error = |text: &'static str| append_error(&Error::new(ErrorKind::Unknown, text));
        for text in
            [AWAY, "OOM command not allowed", "LOADING Redis is loading", "READONLY no", "Failed to route command."]
        {
            assert!(matches!(error(text), AppendError::Unavailable(_)), "{text}");
        }
        for text in ["Connection closed.", "CLUSTERDOWN The cluster is down", "ERR something, script: x", "OOMPH"] {
            assert!(matches!(error(text), AppendError::Unknown(_)), "{text}");
        }
        let late = append_error(&Error::new(ErrorKind::Timeout, "Request timed out."));
        assert!(matches!(late, AppendError::Unknown(_)));
    }
}

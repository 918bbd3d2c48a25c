//! Appending to a room's log, and reading it.

use super::{
    Chat,
    access::RoomAccess,
    turns::{ReadTurns, first_of, newest_of},
};
use crate::{
    engine::Draft,
    metrics::Metrics,
    store::{After, AppendError, Appended, Record, RecordPage, StoreError},
};
use app::{
    domain::{Cursor, Epoch, MessageText, Operation, ProducerId, RoomKey},
    protocol::{EARLIER_MAX, Earlier, ErrorCode, JoinedHow, PAGE_ENTRIES, RESUME_MAX, ReadMark},
};
use prometheus::IntGauge;
use std::future::Future;
use tokio::time::Instant;

/// Entries read from the log at a time for a socket that fell out of the ring.
const CATCH_UP: usize = 32;

/// Entries shown before and after a message that is shown by its address.
const AROUND: u64 = 25;

/// What a client asks to append, under the number it gave it.
pub struct Numbered {
    pub p: ProducerId,
    pub n: u64,
    /// `None` uses up the number without an entry.
    pub text: Option<String>,
    /// Numbers under which the message may stand already.
    pub earlier: Vec<Earlier>,
}

impl Numbered {
    fn operation(&self) -> Result<Operation, ErrorCode> {
        if self.earlier.len() > EARLIER_MAX {
            return Err(ErrorCode::BadFrame);
        }
        let message = |text: &String| {
            MessageText::parse(text).map(|text| Operation::Message { text }).map_err(ErrorCode::for_text)
        };
        self.text.as_ref().map_or(Ok(Operation::Void), message)
    }
}

/// What follows a cursor in the log.
pub enum CatchUp {
    Following { records: Vec<Record>, cursor: Cursor },
    Newest { how: JoinedHow, page: RecordPage },
}

/// Which part of a room's log a page shows.
#[derive(Clone, Copy)]
pub enum Part {
    Newest,
    /// What ends before this seq.
    Before(u64),
    /// What stands around the message with this seq.
    Around(u64),
}

/// Counts as an append under way for as long as it is there: whoever waits for one may be gone before its answer.
struct InFlight<'a>(&'a IntGauge);

impl<'a> InFlight<'a> {
    fn new(metrics: &'a Metrics) -> Self {
        metrics.appends_in_flight.inc();
        Self(&metrics.appends_in_flight)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What comes of appending, counted.
async fn timed(
    metrics: &Metrics,
    appending: impl Future<Output = Result<Appended, AppendError>>,
) -> Result<Appended, AppendError> {
    let began = Instant::now();
    let in_flight = InFlight::new(metrics);
    let outcome = appending.await;
    drop(in_flight);
    metrics.append_seconds.observe(began.elapsed().as_secs_f64());
    let label = match &outcome {
        Ok(Appended::Entry(_)) => "entry",
        Ok(Appended::Voided) => "voided",
        Err(AppendError::Conflict) => "conflict",
        Err(AppendError::OutOfOrder { .. }) => "out_of_order",
        Err(AppendError::Unavailable(_)) => "unavailable",
        Err(AppendError::Unknown(_)) => "unknown",
    };
    metrics.appends.with_label_values(&[label]).inc();
    outcome
}

impl Chat {
    /// Begins to append. The store takes drafts up in the order in which these futures are first polled, and nothing is waited for
    /// before that.
    ///
    /// # Errors
    /// Says what keeps it from being appended at all.
    pub fn append(
        &self,
        access: RoomAccess,
        numbered: Numbered,
    ) -> Result<impl Future<Output = Result<Appended, AppendError>> + Send + use<>, ErrorCode> {
        let operation = numbered.operation()?;
        let (by, room, until) = access.into_parts();
        let Numbered { p, n, earlier, .. } = numbered;
        let (engine, draft) = (self.engine.clone(), Draft { room, by, p, n, earlier, until, operation });
        let metrics = self.hub.metrics.clone();
        Ok(async move { timed(&metrics, engine.append(draft)).await })
    }

    /// Appends what was posted by a form, whose own producer makes one that is sent twice count once. A form that was changed and
    /// sent again, from the browser's history, is another message: it goes under `other`.
    ///
    /// # Errors
    /// The store did not acknowledge it. What comes after is only told to the log: the message is in.
    pub async fn post(
        &self,
        access: &RoomAccess,
        [p, other]: [ProducerId; 2],
        text: MessageText,
    ) -> Result<(), AppendError> {
        let until = access.ends();
        // Its body took so long to arrive that the session may have ended meanwhile.
        if until.is_some_and(|until| Instant::now() > until) {
            return Err(AppendError::Unavailable("the request was too slow".to_owned()));
        }
        let operation = Operation::Message { text };
        let draft = |p| {
            let (room, by, operation) = (access.room().clone(), access.person().clone(), operation.clone());
            Draft { room, by, p, n: 1, earlier: Vec::new(), until, operation }
        };
        let append = |p| timed(&self.hub.metrics, self.engine.append(draft(p)));
        let appended = match append(p).await {
            Err(AppendError::Conflict | AppendError::OutOfOrder { .. }) => append(other).await?,
            outcome => outcome?,
        };
        let (me, key) = (access.person().id, &access.room().key);
        if let Err(error) = self.engine.add_member(me, key).await {
            tracing::warn!(%error, "a room is not on its member's list until it is opened again");
        }
        // Whoever answers by a form has read what stands above it: no script is there to say so.
        if let Appended::Entry(Cursor { epoch, seq, .. }) = appended
            && let Err(error) = self.engine.raise_mark(me, key, ReadMark { epoch, seq }).await
        {
            tracing::warn!(%error, "how far somebody has read was not kept");
        }
        Ok(())
    }

    /// A page of what is older; `None` if the room's epoch is another one.
    ///
    /// # Errors
    /// The store did not answer, or the socket ended before.
    pub async fn history(
        &self,
        turns: &ReadTurns,
        key: &RoomKey,
        epoch: Epoch,
        before: u64,
    ) -> Result<Option<RecordPage>, StoreError> {
        self.hub.metrics.log_read("history");
        turns.paid(self.engine.read_before(key, epoch, before, PAGE_ENTRIES)).await
    }

    /// What follows a cursor that the ring does not hold.
    ///
    /// # Errors
    /// The store did not answer, or the socket ended before.
    pub async fn catch_up(&self, turns: &ReadTurns, key: &RoomKey, cursor: Cursor) -> Result<CatchUp, StoreError> {
        self.follow("behind", turns, key, cursor, CATCH_UP).await
    }

    /// At most `limit` entries that follow `cursor` in the log, or the newest page where it is too far behind or of another log.
    /// `why`: as what it is counted.
    pub(super) async fn follow(
        &self,
        why: &str,
        turns: &ReadTurns,
        key: &RoomKey,
        cursor: Cursor,
        limit: usize,
    ) -> Result<CatchUp, StoreError> {
        self.hub.metrics.log_read(why);
        // What is left out of a long page is read again, and paid then.
        let read = async { self.engine.read_after(key, cursor, limit).await.map(first_of) };
        let how = match turns.paid(read).await? {
            After::Entries { records, top } if top.seq - cursor.seq <= RESUME_MAX => {
                let end = records.last().map_or(cursor, Record::cursor);
                return Ok(CatchUp::Following { records, cursor: end });
            }
            After::Entries { .. } => JoinedHow::Jumped,
            After::Reset => JoinedHow::Reset,
        };
        Ok(CatchUp::Newest { how, page: self.newest(why, turns, key).await? })
    }

    pub(super) async fn newest(&self, why: &str, turns: &ReadTurns, key: &RoomKey) -> Result<RecordPage, StoreError> {
        self.hub.metrics.log_read(why);
        let read = async {
            let page = self.engine.newest(key, PAGE_ENTRIES).await?;
            page.ok_or_else(|| StoreError("the room is not in the store any more".to_owned()))
        };
        turns.paid(read).await.map(newest_of)
    }

    /// The part of a room's log that is asked for, or the newest where there is no such part, and whether it is that; `None` if
    /// there is no such room.
    pub(super) async fn part(&self, key: &RoomKey, part: Part) -> Result<Option<(RecordPage, bool)>, StoreError> {
        let end = match part {
            Part::Newest => None,
            Part::Before(before) => Some((before, PAGE_ENTRIES)),
            Part::Around(seq) => Some((seq.saturating_add(AROUND + 1), PAGE_ENTRIES + 1)),
        };
        if let Some((end, limit)) = end {
            self.hub.metrics.log_read("page");
            let Some(top) = self.engine.top(key).await? else { return Ok(None) };
            if end <= top.seq
                && let Some(older) = self.engine.read_before(key, top.epoch, end, limit).await?
                && !older.records.is_empty()
            {
                return Ok(Some((older, false)));
            }
        }
        self.hub.metrics.log_read("page");
        Ok(self.engine.newest(key, PAGE_ENTRIES).await?.map(|newest| (newest, true)))
    }
}

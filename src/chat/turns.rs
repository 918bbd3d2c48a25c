//! What a socket may read of logs, and when.

use crate::{
    limits::allowance::Allowance,
    store::{After, Record, RecordPage, StoreError},
};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Requests of one socket that read a page at a time. A page is memory until it is written.
const AT_A_TIME: u32 = 4;
/// Bytes of a join's page, and of what follows a cursor, at most, unless the only entry is longer. A page of history has its
/// fifty entries however long they are, since clients ask for what lies in it; it takes the place of all the others.
const PAGE_BYTES: usize = 128 * 1024;

/// Whose turn it is to read a page. Those that wait keep nobody from being read from.
#[derive(Clone)]
pub struct ReadTurns {
    places: Arc<Semaphore>,
    /// `None` where nothing is limited.
    allowance: Option<Arc<Allowance>>,
    over: CancellationToken,
}

impl ReadTurns {
    pub fn new(allowance: Option<Arc<Allowance>>) -> Self {
        Self { places: Arc::new(Semaphore::new(AT_A_TIME as usize)), allowance, over: CancellationToken::new() }
    }

    /// Waits for a turn, which is over when what this returns is dropped. `None` if the socket has ended.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().acquire_owned().await.ok()
    }

    /// The same where the page may be of any size: it is the only one.
    pub async fn turn_of_history(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().acquire_many_owned(AT_A_TIME).await.ok()
    }

    /// Reads a part of the log once the session may have one more.
    ///
    /// # Errors
    /// The store did not answer, or the socket ended before.
    pub async fn paid<P: Bytes>(&self, read: impl Future<Output = Result<P, StoreError>>) -> Result<P, StoreError> {
        let Some(allowance) = &self.allowance else { return read.await };
        tokio::select! {
            biased;
            () = self.over.cancelled() => return Err(StoreError("its socket has ended".to_owned())),
            () = allowance.history() => {}
        }
        let page = read.await?;
        allowance.charge_history(page.bytes());
        Ok(page)
    }

    /// The socket has ended: nobody waits any more.
    pub fn end(&self) {
        self.places.close();
        self.over.cancel();
    }

    pub fn are_over(&self) -> bool {
        self.over.is_cancelled()
    }
}

/// Of a page the newest entries, as many as it may hold.
pub fn newest_of(mut page: RecordPage) -> RecordPage {
    let cut = page.records.len() - held(page.records.iter().rev());
    page.records.drain(..cut);
    page.older |= cut > 0;
    page
}

/// Of what follows a cursor the first entries, as many as a page may hold.
pub fn first_of(mut after: After) -> After {
    if let After::Entries { records, .. } = &mut after {
        records.truncate(held(records.iter()));
    }
    after
}

fn held<'a>(records: impl Iterator<Item = &'a Record>) -> usize {
    let mut bytes = 0;
    let fits = |(n, record): &(usize, &Record)| {
        bytes += record.json.len();
        *n == 0 || bytes <= PAGE_BYTES
    };
    records.enumerate().take_while(fits).count()
}

/// How much of the log is paid for.
pub trait Bytes {
    fn bytes(&self) -> usize;
}

impl Bytes for [Record] {
    fn bytes(&self) -> usize {
        self.iter().map(|record| record.json.len()).sum()
    }
}

impl Bytes for RecordPage {
    fn bytes(&self) -> usize {
        self.bytes()
    }
}

impl Bytes for After {
    fn bytes(&self) -> usize {
        match self {
            Self::Entries { records, .. } => records.bytes(),
            Self::Reset => 0,
        }
    }
}

impl<T: Bytes> Bytes for Option<T> {
    fn bytes(&self) -> usize {
        self.as_ref().map_or(0, T::bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{limits::allowance::Allowances, store::TokenHash};
    use app::domain::{Cursor, EntryId, Epoch};
    use futures_util::FutureExt;

    fn records(sizes: &[usize]) -> Vec<Record> {
        let record = |(seq, size): (u64, &usize)| Record {
            epoch: Epoch(7),
            seq,
            id: EntryId(seq),
            prev: EntryId(seq - 1),
            json: "x".repeat(*size).into(),
        };
        (1..).zip(sizes).map(record).collect()
    }

    #[test]
    fn a_page_has_as_many_entries_as_fit() {
        const THIRD: usize = PAGE_BYTES / 3;
        for (sizes, newest, first) in [
            (&[][..], &[][..], &[][..]),
            (&[10, 20, 30], &[1, 2, 3], &[1, 2, 3]),
            (&[THIRD, THIRD, THIRD], &[1, 2, 3], &[1, 2, 3]),
            (&[10, THIRD, THIRD, THIRD, 10], &[3, 4, 5], &[1, 2, 3]),
            (&[10, PAGE_BYTES + 1], &[2], &[1]),
            (&[PAGE_BYTES + 1, 10], &[2], &[1]),
        ] {
            let seqs = |records: Vec<Record>| records.iter().map(|record| record.seq).collect::<Vec<_>>();
            let origin = Cursor::origin(Epoch(7));
            let page = newest_of(RecordPage { records: records(sizes), cursor: origin, older: false });
            let After::Entries { records: begun, .. } =
                first_of(After::Entries { records: records(sizes), top: origin })
            else {
                panic!("a reset")
            };
            assert_eq!(page.older, newest.len() < sizes.len(), "{sizes:?}");
            assert_eq!((seqs(page.records), seqs(begun)), (newest.to_vec(), first.to_vec()), "{sizes:?}");
        }
    }

    #[tokio::test]
    async fn when_the_socket_ends_nobody_waits_for_a_page_any_more() {
        let allowance = Allowances::new(1.0).of(TokenHash::of("a"));
        allowance.charge_history(1 << 30);
        let pages = ReadTurns::new(Some(allowance));
        let turns: Vec<_> = (0..AT_A_TIME).map(|_| pages.turn().now_or_never().unwrap().unwrap()).collect();
        let mut waits = Box::pin(pages.turn());
        assert!((&mut waits).now_or_never().is_none());
        let mut owes = Box::pin(pages.paid(async { Ok(After::Reset) }));
        assert!((&mut owes).now_or_never().is_none());
        pages.end();
        assert!(waits.await.is_none());
        assert!(owes.await.is_err() && pages.are_over());
        drop(turns);
    }
}

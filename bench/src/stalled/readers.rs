//! The people of the busy room: one who writes at a steady pace, and those who read everything.

use crate::{Result, client::Client};
use app::{
    domain::{Cursor, ProducerId, RoomKey},
    protocol::{ClientFrame, IN_FLIGHT_MAX, ServerFrame},
};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::interval};

/// What a message is for; its text starts with this letter and the time it was sent at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To fill the buffers of whoever does not read.
    Fill = b'f' as isize,
    /// To be timed at every reader.
    Timed = b't' as isize,
}

/// Bytes of messages under way: so few that the kernel takes them at once, whatever the server does. A writer that waits to
/// send does not read, and a server whose writes are not read does not read either.
const UNDER_WAY_BYTES: usize = 48 * 1024;
/// Digits of the microseconds since the start, after the letter.
const DIGITS: usize = 12;

/// Writes one producer's messages.
pub struct Writer {
    client: Client,
    room: RoomKey,
    n: u64,
    start: Instant,
}

impl Writer {
    pub fn new(client: Client, room: RoomKey, start: Instant) -> Self {
        Self { client, room, n: 0, start }
    }

    /// Sends `count` messages of `bytes` each, one in each `pace`, and returns where the log ends once all are acknowledged.
    pub async fn write(
        &mut self,
        purpose: Purpose,
        count: u32,
        bytes: usize,
        pace: Duration,
    ) -> Result<Option<Cursor>> {
        let mut tick = interval(pace);
        let (mut sent, mut acked, mut end) = (0, 0, None);
        let under_way = u32::try_from(IN_FLIGHT_MAX.min(UNDER_WAY_BYTES / bytes.max(1)).max(1))?;
        while acked < count {
            tokio::select! {
                _ = tick.tick(), if sent < count && sent - acked < under_way => {
                    sent += 1;
                    self.n += 1;
                    let letter = char::from(purpose as u8);
                    let mut text = format!("{letter}{:0DIGITS$}", self.start.elapsed().as_micros());
                    text.extend(std::iter::repeat_n('x', bytes.saturating_sub(text.len())));
                    let frame = ClientFrame::Send { room: self.room.clone(), p: ProducerId(1), n: self.n, text, earlier: Vec::new() };
                    self.client.send(&frame).await?;
                }
                frame = self.client.frame() => match frame? {
                    ServerFrame::Ack { at, .. } => {
                        acked += 1;
                        end = end.filter(|end: &Cursor| end.seq > at.seq).or(Some(at));
                    }
                    ServerFrame::Refused { n, code, .. } => return Err(format!("{n} refused: {code:?}").into()),
                    _ => {}
                }
            }
        }
        Ok(end)
    }
}

/// Those who read, each in a task that does as little as possible, since it shares the machine with the server.
pub struct Readers {
    seen: Arc<Seen>,
    /// Ends with this.
    tasks: JoinSet<()>,
}

#[derive(Default)]
struct Seen {
    entries: AtomicU64,
    /// Microseconds from sending to reading, of each timed message at each reader.
    latencies: Mutex<Vec<u32>>,
}

impl Readers {
    /// Lets `clients`, who have joined the room, read.
    pub fn start(clients: Vec<Client>, start: Instant) -> Self {
        let seen = Arc::<Seen>::default();
        let mut tasks = JoinSet::new();
        for mut client in clients {
            let seen = seen.clone();
            tasks.spawn(async move {
                while let Some(frame) = client.text().await {
                    seen.note(&frame, start);
                }
            });
        }
        Self { seen, tasks }
    }

    /// Waits until every reader has seen `entries` in all.
    ///
    /// # Errors
    /// It takes longer than 20 s, or they saw more.
    pub async fn all_seen(&self, entries: u32) -> Result<()> {
        let expected = u64::from(entries) * self.tasks.len() as u64;
        let start = Instant::now();
        loop {
            let seen = self.seen.entries.load(Ordering::Relaxed);
            if seen == expected {
                return Ok(());
            }
            if seen > expected || start.elapsed() > Duration::from_secs(20) {
                return Err(format!("the readers saw {seen} entries, expected {expected}").into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The times from sending to reading so far, sorted.
    pub fn latencies(&self) -> Vec<Duration> {
        let mut latencies = self.seen.latencies.lock().unwrap_or_else(PoisonError::into_inner).clone();
        latencies.sort_unstable();
        latencies.into_iter().map(|micros| Duration::from_micros(micros.into())).collect()
    }
}

impl Seen {
    fn note(&self, frame: &str, start: Instant) {
        const TEXT: &str = r#""text":""#;
        // Searched, not parsed: parsing would cost more than the server's part.
        let Some(at) = frame.find(TEXT) else { return };
        let text = &frame.as_bytes()[at + TEXT.len()..];
        if text.first() == Some(&(Purpose::Timed as u8)) {
            let digits = text.get(1..=DIGITS).and_then(|digits| str::from_utf8(digits).ok());
            let sent = digits.and_then(|digits| digits.parse().ok()).map_or(Duration::ZERO, Duration::from_micros);
            let latency = u32::try_from(start.elapsed().saturating_sub(sent).as_micros()).unwrap_or(u32::MAX);
            self.latencies.lock().unwrap_or_else(PoisonError::into_inner).push(latency);
        }
        self.entries.fetch_add(1, Ordering::Relaxed);
    }
}

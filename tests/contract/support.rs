//! Short ways to say what a promise is about.

use super::Fixture;
use app::{
    domain::{
        Cursor, Entry, EntryId, MessageText, Operation, ProducerId, RoomKey, RoomName, RoomRef, UserId, UserName,
    },
    protocol::{Person, ReadMark},
};
use hubbub::engine::{AppendError, Appended, Draft, Engine, LiveSink, Record, TokenHash};
use std::{
    future::poll_fn,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::Poll,
    time::{Duration, Instant},
};

pub const DAY: Duration = Duration::from_hours(24);
/// Long enough for a machine that does many other things.
const DEADLINE: Duration = Duration::from_secs(20);

/// An engine with a store of its own, whose reports are recorded.
pub struct Opened<F> {
    pub engine: Arc<dyn Engine>,
    pub reports: Arc<Recorder>,
    /// Last, so that the store outlives its instance.
    _store: F,
}

pub async fn open<F: Fixture>() -> Opened<F> {
    open_with_ttl(DAY).await
}

pub async fn open_with_ttl<F: Fixture>(session_ttl: Duration) -> Opened<F> {
    let store = F::start(session_ttl).await;
    let (engine, reports) = instance(&store).await;
    Opened { engine, reports, _store: store }
}

pub async fn instance<F: Fixture>(store: &F) -> (Arc<dyn Engine>, Arc<Recorder>) {
    let engine = store.engine().await;
    let reports = Arc::new(Recorder::default());
    engine.attach(Arc::clone(&reports) as Arc<dyn LiveSink>);
    (engine, reports)
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    Committed(RoomKey, Record),
    Presence(RoomKey),
    Ended(TokenHash),
    Read(UserId, RoomKey, ReadMark),
    Typing(RoomKey, Person),
    Doubt,
}

#[derive(Default)]
pub struct Recorder(Mutex<Vec<Report>>);

impl Recorder {
    pub fn all(&self) -> Vec<Report> {
        self.0.lock().unwrap().clone()
    }

    pub fn count(&self, report: &Report) -> usize {
        self.0.lock().unwrap().iter().filter(|seen| *seen == report).count()
    }

    pub fn commits(&self, room: &RoomKey) -> Vec<Record> {
        let of_room = |report| match report {
            Report::Committed(key, record) if key == *room => Some(record),
            _ => None,
        };
        self.all().into_iter().filter_map(of_room).collect()
    }
}

impl LiveSink for Recorder {
    fn committed(&self, room: &RoomKey, record: Record) {
        self.0.lock().unwrap().push(Report::Committed(room.clone(), record));
    }

    fn presence_changed(&self, room: &RoomKey) {
        self.0.lock().unwrap().push(Report::Presence(room.clone()));
    }

    fn session_ended(&self, token: TokenHash) {
        self.0.lock().unwrap().push(Report::Ended(token));
    }

    fn read(&self, user: UserId, room: &RoomKey, mark: ReadMark) {
        self.0.lock().unwrap().push(Report::Read(user, room.clone(), mark));
    }

    fn typing(&self, room: &RoomKey, person: Person) {
        self.0.lock().unwrap().push(Report::Typing(room.clone(), person));
    }

    fn doubt(&self, _room: Option<&RoomKey>) {
        self.0.lock().unwrap().push(Report::Doubt);
    }
}

/// Waits until it is so, and fails if that takes unreasonably long.
pub async fn eventually<Fut: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> Fut) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "still not so: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub fn room(name: &str) -> RoomRef {
    let name = RoomName::parse(name).unwrap();
    RoomRef { key: name.key(), name }
}

/// A number nobody else of this process has.
fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    // High bits, so that ids also cover what a signed number would call negative.
    NEXT.fetch_add(1, Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

pub fn person(name: &str) -> Person {
    Person { id: UserId(unique()), name: UserName::parse(name).unwrap() }
}

/// A tab of somebody in a room.
#[derive(Debug, Clone)]
pub struct Tab {
    pub room: RoomRef,
    pub by: Person,
    pub p: ProducerId,
}

impl Tab {
    pub fn new(room: &RoomRef) -> Self {
        Self { room: room.clone(), by: person("지우"), p: ProducerId(unique()) }
    }

    pub fn draft(&self, n: u64, text: &str) -> Draft {
        self.operation(n, Operation::Message { text: MessageText::parse(text).unwrap() })
    }

    pub fn void(&self, n: u64) -> Draft {
        self.operation(n, Operation::Void)
    }

    fn operation(&self, n: u64, operation: Operation) -> Draft {
        Draft {
            room: self.room.clone(),
            by: self.by.clone(),
            p: self.p,
            n,
            earlier: Vec::new(),
            until: None,
            operation,
        }
    }

    /// `m<n>` for each of these numbers.
    pub fn drafts(&self, numbers: impl IntoIterator<Item = u64>) -> Vec<Draft> {
        numbers.into_iter().map(|n| self.draft(n, &format!("m{n}"))).collect()
    }
}

pub type Answer = Result<Appended, AppendError>;

/// Appends all of them at once: each is polled for the first time right after the one before it.
pub async fn append_all(engine: &dyn Engine, drafts: impl IntoIterator<Item = Draft>) -> Vec<Answer> {
    let mut appends: Vec<_> = drafts.into_iter().map(|draft| (engine.append(draft), None)).collect();
    poll_fn(|cx| {
        let mut pending = false;
        for (append, answer) in appends.iter_mut().filter(|(_, answer)| answer.is_none()) {
            match append.as_mut().poll(cx) {
                Poll::Ready(ready) => *answer = Some(ready),
                Poll::Pending => pending = true,
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    appends.into_iter().filter_map(|(_, answer)| answer).collect()
}

/// Appends `m1` … `m<count>`, 32 at a time; returns their places.
pub async fn fill(engine: &dyn Engine, tab: &Tab, count: u64) -> Vec<Cursor> {
    fill_from(engine, tab, 1, count).await
}

/// Appends `m<first>` … `m<last>`, 32 at a time; returns their places.
pub async fn fill_from(engine: &dyn Engine, tab: &Tab, first: u64, last: u64) -> Vec<Cursor> {
    let mut places = Vec::new();
    for start in (first..=last).step_by(32) {
        for answer in append_all(engine, tab.drafts(start..=last.min(start + 31))).await {
            places.push(entry(answer));
        }
    }
    places
}

pub fn entry(answer: Answer) -> Cursor {
    match answer {
        Ok(Appended::Entry(cursor)) => cursor,
        other => panic!("expected an entry: {other:?}"),
    }
}

/// The whole log, checked to be one: numbered without a hole, chained by id, with times that never go back.
pub async fn log(engine: &dyn Engine, room: &RoomKey) -> Vec<Entry> {
    let page = engine.newest(room, 1_000_000).await.unwrap().expect("the room exists");
    assert!(!page.older);
    check_run(&page.records, Cursor::origin(page.cursor.epoch))
}

/// The entries of records that follow `cursor` without a hole.
pub fn check_run(records: &[Record], mut cursor: Cursor) -> Vec<Entry> {
    let mut at = 0;
    let entries = records.iter().map(|record| {
        let entry: Entry = serde_json::from_str(&record.json).unwrap();
        assert_eq!((record.epoch, record.seq, record.id, record.prev), (entry.epoch, entry.seq, entry.id, entry.prev));
        assert!(cursor.precedes(&entry), "{entry:?} does not follow {cursor:?}");
        assert_ne!(entry.id, EntryId(0));
        assert!(entry.at >= at, "time went back");
        (cursor, at) = (entry.cursor(), entry.at);
        entry
    });
    entries.collect()
}

pub fn texts(entries: &[Entry]) -> Vec<&str> {
    entries.iter().filter_map(Entry::text).collect()
}

pub fn token() -> TokenHash {
    TokenHash::of(&format!("token {}", unique()))
}

pub fn user_name(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

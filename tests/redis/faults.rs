//! What the engine promises while Redis, the connection to it or another instance fails.

use crate::{contract::support::*, support::redis::RedisServer};
use app::{
    domain::{Cursor, Entry, RoomKey},
    protocol::{ReadMark, Reading},
};
use hubbub::engine::{
    After, AppendError, Appended, CreateError, Directory, Draft, Engine, Live, LiveSink, Presence, Reads, RoomLog,
    redis::{ConnectError, Redis, Times},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

pub(super) async fn connect(server: &RedisServer) -> (Arc<Redis>, Arc<Recorder>) {
    connect_with_lease(server, Duration::from_secs(15)).await
}

async fn connect_with_lease(server: &RedisServer, lease: Duration) -> (Arc<Redis>, Arc<Recorder>) {
    let engine = Redis::connect_with(&server.url(), Times { session_ttl: DAY, lease }).await.unwrap();
    let reports = Arc::new(Recorder::default());
    engine.attach(Arc::clone(&reports) as Arc<dyn LiveSink>);
    (engine, reports)
}

/// As a client does: the same again until its fate is known.
pub(super) async fn append_until_known(engine: &dyn Engine, draft: &Draft) -> Cursor {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match engine.append(draft.clone()).await {
            Err(AppendError::Unknown(_) | AppendError::Unavailable(_)) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            answer => return entry(answer),
        }
    }
}

async fn cut_connections_are_doubted_and_made_again(kind: &str) {
    let server = RedisServer::start(&[]);
    let (engine, reports) = connect(&server).await;
    let tabs: Vec<Tab> = (0..40).map(|i| Tab::new(&room(&format!("room {i}")))).collect();
    for tab in &tabs {
        engine.follow(&tab.room.key).await.unwrap();
    }
    for round in 1..=3 {
        let doubts = reports.count(&Report::Doubt);
        server.cli(&["CLIENT", "KILL", "TYPE", kind]);
        for tab in &tabs {
            append_until_known(&*engine, &tab.draft(round, "while it may be cut")).await;
        }
        if kind == "pubsub" {
            eventually("doubted", async || reports.count(&Report::Doubt) > doubts).await;
        }
    }
    for tab in &tabs {
        append_until_known(&*engine, &tab.draft(4, "after it was made again")).await;
        eventually("reported", async || reports.commits(&tab.room.key).last().is_some_and(|last| last.seq == 4)).await;
        assert_eq!(log(&*engine, &tab.room.key).await.len(), 4);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_subscription_is_doubted_and_made_again() {
    cut_connections_are_doubted_and_made_again("pubsub").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_connections_lose_and_double_nothing() {
    cut_connections_are_doubted_and_made_again("normal").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_forgets_the_scripts_gets_them_again() {
    let server = RedisServer::start(&[]);
    let (engine, _) = connect(&server).await;
    let tab = Tab::new(&room("Design"));
    for round in 0..10 {
        server.cli(&["SCRIPT", "FLUSH"]);
        for answer in append_all(&*engine, tab.drafts(round * 32 + 1..=round * 32 + 32)).await {
            entry(answer);
        }
    }
    let entries = log(&*engine, &tab.room.key).await;
    assert!(entries.iter().map(|entry| entry.n).eq(1..=320));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_died_leaves_nobody_waiting_and_keeps_what_was_acknowledged() {
    let mut server = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let (engine, reports) = connect(&server).await;
    let tab = Tab::new(&room("Design"));
    engine.follow(&tab.room.key).await.unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let first = round * 20 + 1;
        for n in first..first + 10 {
            acknowledged.push(append_until_known(&*engine, &tab.draft(n, &format!("m{n}"))).await);
        }
        // Some are under way when it dies.
        let dying = append_all(&*engine, tab.drafts(first + 10..first + 15));
        let (answers, ()) = tokio::join!(dying, async { server.kill() });
        let told = answers.iter().all(|answer| {
            matches!(
                answer,
                Ok(_) | Err(AppendError::Unknown(_) | AppendError::Unavailable(_) | AppendError::OutOfOrder { .. })
            )
        });
        assert!(told, "{answers:?}");
        let asked = Instant::now();
        let down = engine.append(tab.draft(first + 15, "while it is down")).await;
        assert!(matches!(down, Err(AppendError::Unknown(_) | AppendError::Unavailable(_))), "{down:?}");
        assert!(asked.elapsed() < Duration::from_secs(6), "after {:?}", asked.elapsed());
        let doubts = reports.count(&Report::Doubt);
        server.restart();
        for n in first + 10..first + 15 {
            acknowledged.push(append_until_known(&*engine, &tab.draft(n, &format!("m{n}"))).await);
        }
        for n in first + 15..first + 20 {
            acknowledged.push(append_until_known(&*engine, &tab.draft(n, "while it is down")).await);
        }
        eventually("doubted", async || reports.count(&Report::Doubt) > doubts).await;
    }
    let entries = log(&*engine, &tab.room.key).await;
    assert!(entries.iter().map(|entry| entry.n).eq(1..=60), "each exactly once, in order");
    assert_eq!(entries.iter().map(Entry::cursor).collect::<Vec<_>>(), acknowledged);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_full_or_read_only_surely_wrote_nothing() {
    let server = RedisServer::start(&[]);
    let (engine, _) = connect(&server).await;
    let tab = Tab::new(&room("Design"));
    fill(&*engine, &tab, 1).await;
    let states = [
        (["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"]),
        // A replica of nobody who answers.
        (["REPLICAOF", "127.0.0.1", "1", ""], ["REPLICAOF", "NO", "ONE", ""]),
    ];
    let given = |command: [&'static str; 4]| command.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>();
    for (n, (broken, repaired)) in (2..).zip(states) {
        assert_eq!(server.cli(&given(broken)), "OK");
        let refused = engine.append(tab.draft(n, "m")).await;
        assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{broken:?}: {refused:?}");
        assert_eq!(server.cli(&given(repaired)), "OK");
        assert_eq!(append_until_known(&*engine, &tab.draft(n, "m")).await.seq, n);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_lost_everything_begins_another_log() {
    let server = RedisServer::start(&[]);
    let (engine, _) = connect(&server).await;
    let tab = Tab::new(&room("Design"));
    let gone = fill(&*engine, &tab, 3).await[2];
    server.cli(&["FLUSHALL"]);
    let read = async |cursor: Cursor| engine.read_after(&tab.room.key, cursor, 10).await.unwrap();
    assert_eq!(read(gone).await, After::Reset);
    assert_eq!(engine.append(tab.draft(4, "m4")).await, Err(AppendError::OutOfOrder { last: 0 }));
    let first = entry(engine.append(tab.draft(1, "m1")).await);
    assert!(first.seq == 1 && first.epoch != gone.epoch);
    assert_eq!(read(gone).await, After::Reset);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hole_in_the_log_is_never_shown_as_if_it_were_none() {
    let server = RedisServer::start(&[]);
    let (engine, _) = connect(&server).await;
    let tab = Tab::new(&room("Design"));
    let places = fill(&*engine, &tab, 6).await;
    let key = server.cli(&["KEYS", "hubbub:{*}:log"]);
    server.cli(&["XDEL", &key, "3-0"]);
    let read = async |cursor: Cursor| engine.read_after(&tab.room.key, cursor, 10).await;
    assert_eq!(read(places[2]).await.unwrap(), After::Reset, "the cursor's own entry");
    for before in &places[..2] {
        assert_eq!(read(*before).await.unwrap(), After::Reset, "it is told");
    }
    assert!(matches!(read(places[3]).await.unwrap(), After::Entries { records, .. } if records.len() == 2));
    // What is behind it can be read and written to.
    let newest = engine.newest(&tab.room.key, 10).await.unwrap().unwrap();
    assert!(newest.records.iter().map(|record| record.seq).eq(4..=6) && !newest.older);
    let older = engine.read_before(&tab.room.key, places[0].epoch, 4, 10).await.unwrap().unwrap();
    assert!(older.records.is_empty() && !older.older);
    let older = engine.read_before(&tab.room.key, places[0].epoch, 3, 10).await.unwrap().unwrap();
    assert_eq!(older.records.len(), 2);
    assert_eq!(entry(engine.append(tab.draft(7, "m7")).await).seq, 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_people_of_an_instance_that_died_are_gone_after_its_lease() {
    let server = RedisServer::start(&[]);
    let lease = Duration::from_millis(600);
    let (dying, _) = connect_with_lease(&server, lease).await;
    let (other, reports) = connect_with_lease(&server, lease).await;
    let design = room("Design").key;
    let [ann, ben] = ["Ann", "Ben"].map(person);
    other.follow(&design).await.unwrap();
    other.enter(&design, &ben).await.unwrap();
    dying.enter(&design, &ann).await.unwrap();
    assert_eq!(other.people(&design).await.unwrap(), [ann, ben.clone()]);
    let changes = || reports.count(&Report::Presence(design.clone()));
    eventually("both reported", async || changes() >= 2).await;
    let (before, died) = (changes(), Instant::now());
    // Not a shutdown: nothing is released.
    drop(dying);
    eventually("reported", async || changes() > before).await;
    assert_eq!(other.people(&design).await.unwrap(), [ben]);
    assert!(died.elapsed() < Duration::from_secs(10), "after {:?}", died.elapsed());
    let kept = server.cli(&["HLEN", &server.cli(&["KEYS", "hubbub:{*}:people"])]);
    assert_eq!(kept, "1", "what the dead one wrote is removed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_whose_lease_lapsed_enters_everyone_again() {
    let server = RedisServer::start(&[]);
    let lease = Duration::from_millis(900);
    let (frozen, _) = connect_with_lease(&server, lease).await;
    let (other, reports) = connect_with_lease(&server, lease).await;
    let rooms: Vec<RoomKey> = ["Design", "Lunch"].map(|name| room(name).key).into();
    let [ann, ben] = ["Ann", "Ben"].map(person);
    for room in &rooms {
        other.follow(room).await.unwrap();
        frozen.enter(room, &ann).await.unwrap();
        frozen.enter(room, &ben).await.unwrap();
    }
    frozen.leave(&rooms[0], ben.id).await.unwrap();
    // As after a pause of the whole machine, or a failover that lost the latest seconds.
    server.cli(&["FLUSHALL"]);
    assert_eq!(other.people(&rooms[0]).await.unwrap(), []);
    let changes = reports.all().len();
    let listed = async |room| other.people(room).await.unwrap();
    eventually("there again", async || listed(&rooms[0]).await == [ann.clone()]).await;
    eventually("there again", async || listed(&rooms[1]).await == [ann.clone(), ben.clone()]).await;
    eventually("reported", async || reports.all().len() > changes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_of_follow_and_unfollow_holds() {
    let server = RedisServer::start(&[]);
    let (engine, reports) = connect(&server).await;
    let tab = Tab::new(&room("Design"));
    for n in 1..=50 {
        let key = &tab.room.key;
        let (first, (), last) = tokio::join!(biased; engine.follow(key), engine.unfollow(key), engine.follow(key));
        first.unwrap();
        last.unwrap();
        entry(engine.append(tab.draft(n, "heard")).await);
        eventually("heard", async || reports.commits(key).last().is_some_and(|last| last.seq == n)).await;
    }
    let channels = || server.cli(&["PUBSUB", "SHARDCHANNELS", "*:live"]);
    assert!(!channels().is_empty());
    let key = &tab.room.key;
    tokio::join!(biased; engine.unfollow(key), async { engine.follow(key).await.unwrap() }, engine.unfollow(key));
    eventually("not subscribed any more", async || channels().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_lay_on_its_way_for_too_long_is_not_taken() {
    let server = RedisServer::start(&[]);
    let (engine, _) = connect(&server).await;
    let tab = Tab::new(&room("Design"));
    let place = entry(engine.append(tab.draft(1, "m1")).await);
    let now = tokio::time::Instant::now();
    let over = now.checked_sub(Duration::from_secs(1)).unwrap();
    let late = |draft| Draft { until: Some(over), ..draft };
    assert!(matches!(engine.append(late(tab.draft(2, "m2"))).await, Err(AppendError::Unavailable(_))));
    // What was taken in time is answered at any time.
    assert_eq!(entry(engine.append(late(tab.draft(1, "m1"))).await), place);
    let soon = Some(now + Duration::from_mins(1));
    assert_eq!(entry(engine.append(Draft { until: soon, ..tab.draft(2, "m2") }).await).seq, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_log_that_was_started_anew_nothing_counts_as_read() {
    let server = RedisServer::start(&[]);
    let (engine, _) = connect(&server).await;
    let (design, me) = (room("Design"), person("Ann").id);
    engine.create_room(&design.name).await.unwrap();
    engine.add_member(me, &design.key).await.unwrap();
    let old = fill(&*engine, &Tab::new(&design), 5).await[4];
    let old = ReadMark { epoch: old.epoch, seq: old.seq };
    assert_eq!(engine.raise_mark(me, &design.key, old).await.unwrap(), Some(old));
    for kind in ["meta", "log"] {
        for key in server.cli(&["KEYS", &format!("hubbub:*:{kind}")]).lines() {
            server.cli(&["DEL", key]);
        }
    }
    let new = fill(&*engine, &Tab::new(&design), 3).await[1];
    let new = ReadMark { epoch: new.epoch, seq: new.seq };
    let reading = async || engine.readings(me, &[(design.key.clone(), u64::MAX)]).await.unwrap()[0];
    assert_eq!(reading().await, Reading { mark: Some(ReadMark { seq: 0, ..new }), unread: 3 });
    assert_eq!(engine.raise_mark(me, &design.key, old).await.unwrap(), None);
    assert_eq!(engine.raise_mark(me, &design.key, new).await.unwrap(), Some(new));
    assert_eq!(reading().await, Reading { mark: Some(new), unread: 1 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_the_store_has_lost_does_not_keep_its_look_alikes_out() {
    let server = RedisServer::start(&[]);
    let (engine, _) = connect(&server).await;
    let (lost, twin) = (room("lan"), room("Ian"));
    engine.create_room(&lost.name).await.unwrap();
    assert!(matches!(engine.create_room(&twin.name).await, Err(CreateError::LooksLike(found)) if found == lost));
    for key in server.cli(&["KEYS", "hubbub:*:meta"]).lines() {
        server.cli(&["DEL", key]);
    }
    assert_eq!(engine.create_room(&twin.name).await.unwrap(), twin);
    assert!(matches!(engine.create_room(&lost.name).await, Err(CreateError::LooksLike(found)) if found == twin));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_name_or_a_room_had_of_a_claim_that_broke_off_ends_by_itself() {
    let server = RedisServer::start(&[]);
    let (engine, _) = connect(&server).await;
    engine.open_session(token(), &user_name("lan")).await.unwrap();
    engine.create_room(&room("lan").name).await.unwrap();
    let held = || {
        let mut keys: Vec<String> = ["hubbub:name:*", "hubbub:drawn:*", "hubbub:look:*"]
            .iter()
            .flat_map(|keys| server.cli(&["KEYS", keys]).lines().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        keys.sort();
        keys
    };
    let before = held();
    assert_eq!(before.len(), 4, "two halves of each: {before:?}");
    engine.open_session(token(), &user_name("Ian")).await.unwrap_err();
    engine.create_room(&room("Ian").name).await.unwrap_err();
    engine.create_room(&room("\u{430}bc").name).await.unwrap_err();
    assert_eq!(held(), before, "nothing is left of what was refused");
    for key in &before {
        let left: i64 = server.cli(&["PTTL", key]).trim().parse().unwrap();
        assert_eq!(left < 0, key.starts_with("hubbub:look:"), "a room is for good, a name is not: {key} {left}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_holds_what_somebody_typed() {
    let server = RedisServer::start(&[]);
    let (engine, _) = connect(&server).await;
    let session = engine.open_session(token(), &user_name("Typed")).await.unwrap();
    let tab = Tab { by: session.person.clone(), ..Tab::new(&room("typed room")) };
    engine.follow(&tab.room.key).await.unwrap();
    assert!(matches!(engine.append(tab.draft(1, "typed text")).await, Ok(Appended::Entry(_))));
    engine.create_room(&room("typed too").name).await.unwrap();
    engine.add_member(session.person.id, &tab.room.key).await.unwrap();
    engine.enter(&tab.room.key, &session.person).await.unwrap();
    let keys = server.cli(&["KEYS", "*"]) + "\n" + &server.cli(&["PUBSUB", "SHARDCHANNELS"]);
    assert!(keys.lines().count() >= 13, "{keys}");
    for key in keys.lines() {
        assert!(key.starts_with("hubbub:") && !key.contains("typed"), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_cannot_be_opened_is_named_without_the_password() {
    let refused = async |url: &str| {
        let Err(error) = Redis::connect(url, DAY).await else { panic!("{url} was opened") };
        let text = error.to_string();
        assert!(!text.contains('\n') && !text.contains("s3cret"), "{text}");
        error
    };
    assert!(matches!(refused("not a URL s3cret").await, ConnectError::Url(_)));
    assert!(matches!(refused("redis://:s3cret@127.0.0.1:port").await, ConnectError::Url(_)));

    let mut server = RedisServer::start(&["--requirepass", "s3cret-right"]);
    let address = server.tcp_url().replace("redis://", "");
    assert!(matches!(refused(&format!("redis://:s3cret-wrong@{address}")).await, ConnectError::Refused { .. }));
    let error = refused(&server.tcp_url()).await;
    assert!(matches!(error, ConnectError::Refused { .. }) && error.to_string().contains(&address), "{error}");
    let engine = Redis::connect(&format!("redis://:s3cret-right@{address}"), DAY).await.unwrap();
    engine.writable().await.unwrap();

    server.kill();
    let error = refused(&format!("redis://:s3cret-right@{address}")).await;
    assert_eq!(error.to_string(), format!("cannot reach Redis at {address}: Connection refused"));
    eventually("not writable", async || engine.writable().await.is_err()).await;
}

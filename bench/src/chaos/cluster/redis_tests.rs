//! Each fault against real servers; this process is the instance.

use super::{
    logs::Keys,
    redis::{Clients, Redis},
    *,
};
use app::domain::{Cursor, EntryId, Epoch, RoomName};
use std::{
    collections::HashSet,
    io::ErrorKind,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use testkit::{
    faults::Then,
    process::Peer,
    redis::{Value, rights},
    resp,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(10);

struct Fixture {
    redis: Redis,
    _dir: TempDir,
}

impl Fixture {
    async fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let peers = Arc::new(Peers::default());
        peers.add_id(std::process::id(), Peer::Instance(7));
        Self { redis: Redis::start(dir.path(), &peers).await.unwrap(), _dir: dir }
    }

    async fn instance(&self) -> TcpStream {
        TcpStream::connect(self.redis.proxied_master()).await.unwrap()
    }

    async fn get(&self, key: &str) -> Value {
        self.redis.command(&["GET", key]).await.unwrap()
    }

    async fn set(&self, key: &str) {
        self.redis.command(&["SET", key, "1"]).await.unwrap();
    }
}

fn one() -> Value {
    Value::Text("1".to_owned())
}

/// A script that writes, with the keys by which an append is known.
fn append(key: &str) -> Vec<u8> {
    resp::encode(&["EVAL", "return redis.call('INCR', KEYS[1])", "2", key, "x:producer:1:2"])
}

async fn answer(stream: &mut TcpStream) -> std::result::Result<String, ErrorKind> {
    let mut buffer = [0; 1024];
    let length = timeout(PATIENCE, stream.read(&mut buffer)).await.expect("an answer").map_err(|error| error.kind())?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

#[tokio::test]
async fn a_failover_loses_what_the_replica_was_not_told_and_can_be_repeated() {
    let cluster = Fixture::start().await;
    for round in ["a", "b"] {
        let before = cluster.redis.proxied_master();
        let (kept, lost, after) = (format!("kept-{round}"), format!("lost-{round}"), format!("after-{round}"));
        cluster.set(&kept).await;
        cluster.redis.hold_replication().await.unwrap();
        cluster.set(&lost).await;
        cluster.redis.failover(&Ends::default()).await.unwrap().unwrap();
        assert_ne!(cluster.redis.proxied_master(), before);
        assert_eq!(cluster.get(&kept).await, one());
        assert_eq!(cluster.get(&lost).await, Value::Nil);
        cluster.set(&after).await;
        cluster.redis.settle().await.unwrap();
    }
    assert_eq!(cluster.get("kept-a").await, one());
    assert_eq!(cluster.get("after-a").await, one());
    cluster.redis.kill().await;
    assert!(cluster.redis.failover(&Ends::default()).await.is_err(), "nothing to fail over to");
}

#[tokio::test]
async fn a_demoted_master_keeps_its_connections_and_its_address_leads_to_another() {
    let cluster = Fixture::start().await;
    let front = cluster.redis.proxied_master();
    for round in ["a", "b"] {
        let (kept, lost, after) = (format!("kept-{round}"), format!("lost-{round}"), format!("after-{round}"));
        let mut instance = cluster.instance().await;
        instance.write_all(format!("SET {kept} 1\r\n").as_bytes()).await.unwrap();
        assert_eq!(answer(&mut instance).await.unwrap(), "+OK\r\n");
        cluster.redis.hold_replication().await.unwrap();
        instance.write_all(format!("SET {lost} 1\r\n").as_bytes()).await.unwrap();
        assert_eq!(answer(&mut instance).await.unwrap(), "+OK\r\n");
        cluster.redis.demote(&Ends::default()).await.unwrap().unwrap();
        instance.write_all(format!("SET {after} 1\r\n").as_bytes()).await.unwrap();
        assert!(answer(&mut instance).await.unwrap().starts_with("-READONLY "));
        assert_eq!(cluster.redis.proxied_master(), front);
        let mut anew = cluster.instance().await;
        anew.write_all(format!("SET {after} 1\r\n").as_bytes()).await.unwrap();
        assert_eq!(answer(&mut anew).await.unwrap(), "+OK\r\n");
        assert_eq!(
            [cluster.get(&kept).await, cluster.get(&lost).await, cluster.get(&after).await],
            [one(), Value::Nil, one()]
        );
        cluster.redis.settle().await.unwrap();
    }
    // Sentinel takes it for what it is, and a server that starts again is the master at the same address.
    cluster.redis.failover(&Ends::default()).await.unwrap().unwrap();
    assert_ne!(cluster.redis.proxied_master(), front);
    cluster.redis.settle().await.unwrap();
    cluster.redis.kill().await;
    cluster.redis.restart().await.unwrap();
    assert_eq!(cluster.get("after-b").await, one());
    cluster.redis.settle().await.unwrap();
    // The failover wrote into the other's settings that it is a replica, which it is not any more.
    cluster.redis.demote(&Ends::default()).await.unwrap().unwrap();
    cluster.redis.settle().await.unwrap();
    cluster.redis.kill().await;
    cluster.redis.restart().await.unwrap();
    cluster.redis.settle().await.unwrap();
    assert_eq!(cluster.get("after-b").await, one());
}

/// What three ways of setting the store back lose, by ids: also what an old master takes after its successor was made.
#[tokio::test]
async fn what_is_lost_is_read_before_and_after() {
    let cluster = Fixture::start().await;
    let room = RoomName::parse("lunch").unwrap().key();
    let rooms = [room.clone(), RoomName::parse("elsewhere").unwrap().key()];
    let write = async |seq: u64, id: u64| {
        let at = Cursor { epoch: Epoch(1), seq, id: EntryId(id) };
        let (keys, json) = (Keys::of(&room), serde_json::to_string(&at).unwrap());
        cluster.redis.command(&["XADD", &keys.log, &format!("{seq}-0"), "e", &json]).await.unwrap();
        cluster.redis.command(&["HSET", &keys.meta, "seq", &seq.to_string()]).await.unwrap();
        (0, at)
    };
    write(1, 1).await;
    let ends = cluster.redis.ends(&rooms).await.unwrap();
    let snapshot = cluster.redis.snapshot().await.unwrap();
    let expected = HashSet::from([write(2, 20).await, write(3, 30).await]);
    assert_eq!(cluster.redis.restore(&snapshot, &ends).await.unwrap(), Ok(expected));

    write(2, 21).await;
    for (failover, seq) in [(true, 3), (false, 5)] {
        let ends = cluster.redis.ends(&rooms).await.unwrap();
        write(seq, 1).await;
        cluster.redis.hold_replication().await.unwrap();
        let lost = HashSet::from([write(seq + 1, 2).await]);
        let loss = if failover { cluster.redis.failover(&ends).await } else { cluster.redis.demote(&ends).await };
        assert_eq!(loss.unwrap(), Ok(lost), "failover: {failover}");
        // Written again, under another id.
        write(seq + 1, 3).await;
        cluster.redis.settle().await.unwrap();
    }
}

#[tokio::test]
async fn a_right_is_taken_away_and_given_back() {
    let cluster = Fixture::start().await;
    let mut instance = cluster.instance().await;
    let login = format!("AUTH {} {}\r\n", rights::NAME, rights::PASSWORD);
    instance.write_all(login.as_bytes()).await.unwrap();
    assert_eq!(answer(&mut instance).await.unwrap(), "+OK\r\n");
    let mut may = async |rule: &str| {
        cluster.redis.change_rights(rule).await.unwrap();
        instance.write_all(b"SET hubbub:x 1\r\n").await.unwrap();
        answer(&mut instance).await.unwrap()
    };
    assert_eq!(may("on").await, "+OK\r\n");
    for (take, give_back) in [("-set", "+set"), ("resetkeys", "~hubbub:*")] {
        assert!(may(take).await.starts_with("-NOPERM "), "{take}");
        assert_eq!(may(give_back).await, "+OK\r\n");
    }
    cluster.redis.change_rights("-set").await.unwrap();
    cluster.redis.kill().await;
    cluster.redis.restart().await.unwrap();
    assert!(cluster.redis.command(&["ACL", "GETUSER", rights::NAME]).await.is_ok());
}

#[tokio::test]
async fn a_master_that_was_killed_frozen_or_restored_is_the_master_again() {
    let cluster = Fixture::start().await;
    cluster.set("old").await;
    let snapshot = cluster.redis.snapshot().await.unwrap();
    cluster.set("new").await;
    cluster.redis.kill().await;
    assert!(cluster.redis.command(&["PING"]).await.is_err());
    let begin = Instant::now();
    assert!(cluster.redis.restart().await.unwrap() >= begin);
    assert_eq!(cluster.get("new").await, one());

    cluster.redis.freeze().await.unwrap();
    let mut instance = cluster.instance().await;
    instance.write_all(b"PING\r\n").await.unwrap();
    assert!(timeout(Duration::from_millis(50), instance.peek(&mut [0; 1])).await.is_err(), "a frozen server answers");
    cluster.redis.thaw().await.unwrap();
    assert_eq!(answer(&mut instance).await.unwrap(), "+PONG\r\n");

    cluster.redis.restore(&snapshot, &Ends::default()).await.unwrap().unwrap();
    assert_eq!((cluster.get("old").await, cluster.get("new").await), (one(), Value::Nil));
    cluster.redis.settle().await.unwrap();
    assert_eq!(cluster.redis.command(&["ROLE"]).await.unwrap().list()[0].text(), Some("master"));
}

#[tokio::test]
async fn a_dropped_reply_leaves_the_append_committed() {
    let cluster = Fixture::start().await;
    let mut instance = cluster.instance().await;
    let dropping = cluster.redis.drop_reply_after_commit(7, PATIENCE);
    let client = async {
        // Other requests are no appends.
        instance.write_all(&resp::encode(&["PING"])).await.unwrap();
        assert_eq!(answer(&mut instance).await.unwrap(), "+PONG\r\n");
        instance.write_all(&append("count")).await.unwrap();
        answer(&mut instance).await
    };
    let (dropped, answered) = tokio::join!(biased; dropping, client);
    dropped.unwrap();
    assert_eq!(answered, Err(ErrorKind::ConnectionReset));
    assert_eq!(cluster.get("count").await, one());
    // It is over, and another instance's would not have counted.
    let mut instance = cluster.instance().await;
    instance.write_all(&append("count")).await.unwrap();
    assert_eq!(answer(&mut instance).await.unwrap(), ":2\r\n");
    assert!(cluster.redis.drop_reply_after_commit(7, Duration::from_millis(20)).await.is_err());
    assert!(cluster.redis.drop_reply_after_commit(8, Duration::from_millis(20)).await.is_err());
}

#[tokio::test]
async fn held_appends_never_arrive_or_arrive_late() {
    let cluster = Fixture::start().await;
    let hold = Duration::from_millis(150);
    for (then, expected) in [(Then::Reset, Value::Nil), (Then::Forward, one())] {
        let mut instance = cluster.instance().await;
        let mut other = cluster.instance().await;
        let client = async {
            instance.write_all(&append("count")).await.unwrap();
            other.write_all(b"PING\r\n").await.unwrap();
            assert_eq!(answer(&mut other).await.unwrap(), "+PONG\r\n");
            assert_eq!(cluster.get("count").await, Value::Nil);
            answer(&mut instance).await
        };
        let (held, answered) = tokio::join!(biased; cluster.redis.hold_requests(7, hold, then), client);
        assert_eq!(held, 1);
        let late = (then == Then::Forward).then(|| ":1\r\n".to_owned());
        assert_eq!(answered, late.ok_or(ErrorKind::ConnectionReset));
        assert_eq!(cluster.get("count").await, expected);
    }
}

#[tokio::test]
async fn a_subscription_can_be_ended_or_its_connection_killed() {
    let cluster = Fixture::start().await;
    assert!(cluster.redis.force_sunsubscribe(7).is_err());
    let mut instance = cluster.instance().await;
    instance.write_all(&resp::encode(&["SSUBSCRIBE", "room"])).await.unwrap();
    assert!(answer(&mut instance).await.unwrap().contains("ssubscribe"));
    // In the middle of a request.
    instance.write_all(b"*2\r\n$10\r\nSSUBSC").await.unwrap();
    assert!(cluster.redis.force_sunsubscribe(8).is_err());
    cluster.redis.force_sunsubscribe(7).unwrap();
    assert!(answer(&mut instance).await.unwrap().contains("sunsubscribe"));
    instance.write_all(b"RIBE\r\n$4\r\nroom\r\n").await.unwrap();
    assert!(answer(&mut instance).await.unwrap().contains("$10\r\nssubscribe"));
    // Sentinel has one of its own.
    assert!(cluster.redis.client_kill(Clients::Subscribers).await.unwrap() >= 1);
    assert_eq!(answer(&mut instance).await.unwrap_or_default(), "");
}

#[tokio::test]
async fn a_cut_swallows_everything_and_ends_in_a_reset() {
    let cluster = Fixture::start().await;
    let mut instance = cluster.instance().await;
    instance.write_all(b"PING\r\n").await.unwrap();
    assert_eq!(answer(&mut instance).await.unwrap(), "+PONG\r\n");
    let time = Duration::from_millis(150);
    let client = async {
        let begin = Instant::now();
        instance.write_all(b"SET cut 1\r\n").await.unwrap();
        let mut another = cluster.instance().await;
        another.write_all(b"SET cut 1\r\n").await.unwrap();
        assert_eq!(answer(&mut instance).await, Err(ErrorKind::ConnectionReset));
        assert_eq!(answer(&mut another).await, Err(ErrorKind::ConnectionReset));
        assert!(begin.elapsed() > time / 2);
    };
    tokio::join!(biased; cluster.redis.cut(7, time), client);
    assert_eq!(cluster.get("cut").await, Value::Nil);
    let mut instance = cluster.instance().await;
    instance.write_all(b"PING\r\n").await.unwrap();
    assert_eq!(answer(&mut instance).await.unwrap(), "+PONG\r\n");
    assert_eq!(cluster.redis.reset(7), 1);
    assert_eq!(answer(&mut instance).await, Err(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn a_full_master_refuses_writes_until_it_is_not() {
    let cluster = Fixture::start().await;
    cluster.redis.set_full(true).await.unwrap();
    let refused = cluster.redis.command(&["SET", "full", "1"]).await.unwrap_err();
    assert!(refused.to_string().contains("OOM"), "{refused}");
    cluster.redis.set_full(false).await.unwrap();
    cluster.set("full").await;
    cluster.redis.command(&["EVAL", "return 1", "0"]).await.unwrap();
    cluster.redis.script_flush().await.unwrap();
    let known = cluster.redis.command(&["SCRIPT", "EXISTS", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"]).await.unwrap();
    assert_eq!(known.list(), [Value::Number(0)]);
}

//! Each fault against real servers; this process is the instance.

use super::{
    redis::{Clients, Redis},
    *,
};
use std::{
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

pub struct Fixture {
    pub redis: Redis,
    _dir: TempDir,
}

impl Fixture {
    pub async fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let peers = Arc::new(Peers::default());
        peers.add_id(std::process::id(), Peer::Instance(7));
        Self { redis: Redis::start(dir.path(), &peers).await.unwrap(), _dir: dir }
    }

    pub async fn instance(&self) -> TcpStream {
        TcpStream::connect(self.redis.proxied_master()).await.unwrap()
    }

    pub async fn get(&self, key: &str) -> Value {
        self.redis.command(&["GET", key]).await.unwrap()
    }

    pub async fn set(&self, key: &str) {
        self.redis.command(&["SET", key, "1"]).await.unwrap();
    }
}

pub fn one() -> Value {
    Value::Text("1".to_owned())
}

/// A script that writes, with the keys by which an append is known.
fn append(key: &str) -> Vec<u8> {
    resp::encode(&["EVAL", "return redis.call('INCR', KEYS[1])", "2", key, "x:producer:1:2"])
}

pub async fn answer(stream: &mut TcpStream) -> std::result::Result<String, ErrorKind> {
    let mut buffer = [0; 1024];
    let length = timeout(PATIENCE, stream.read(&mut buffer)).await.expect("an answer").map_err(|error| error.kind())?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
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

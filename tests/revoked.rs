//! A session that ended is without effect on every instance five seconds later, whatever kept the word from arriving.
#![allow(clippy::unwrap_used)]

mod support;

use app::{domain::ProducerId, protocol::ServerFrame};
use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use support::{
    person::Person,
    proxy::Proxy,
    redis::RedisServer,
    server::{Server, free_address, site, until_it_listens},
};

const P: ProducerId = ProducerId(1);
const PROMISED: Duration = Duration::from_secs(5);

struct Process(Child);

impl Process {
    fn signal(&self, signal: &str) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_to_which_the_word_was_lost_ends_the_session_all_the_same() {
    let redis = RedisServer::start(&[]);
    let proxy = Proxy::to(redis.address()).await.unwrap();
    let (a, b) = (Server::redis(&redis.url(), &[]).await, Server::redis(&proxy.url(), &[]).await);
    let person = Person::signed_in(&a, "지우", "a").await;
    // In no room: the only message there is will be the sign-out.
    let mut socket = person.socket(&b).await;
    proxy.faults.swallow_a_message();
    person.post(&a, "/signout", &[]).await;
    let ended = Instant::now();
    assert_eq!(socket.closed().await.code(), Some(4001));
    assert!(proxy.faults.has_swallowed() && ended.elapsed() < PROMISED, "after {:?}", ended.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_stood_still_neither_takes_nor_gives_anything_for_a_session_that_ended() {
    let redis = RedisServer::start(&[]);
    let a = Server::redis(&redis.url(), &[]).await;
    let (site, address) = (site(), free_address());
    let mut program = Command::new(env!("CARGO_BIN_EXE_hubbub"));
    program.env_clear().args(["--redis-url", &redis.url(), "--port", &address.port().to_string(), "--log", "off"]);
    program.args(["--site-dir", site.path().to_str().unwrap()]).stdin(Stdio::null());
    let b = Process(program.spawn().unwrap());
    until_it_listens(address).await;

    let (jiwoo, megan) = (Person::signed_in(&a, "지우", "a").await, Person::signed_in(&a, "Megan", "a").await);
    let (mut at_a, mut at_b) = (jiwoo.socket(&a).await, megan.socket(&address).await);
    at_a.join("a", None).await;
    at_b.join("a", None).await;
    at_a.say("a", P, 1, "before").await;
    at_b.entry().await;

    b.signal("STOP");
    megan.post(&a, "/signout", &[]).await;
    // The word of it does not wait for the instance either.
    redis.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    tokio::time::sleep(PROMISED).await;
    at_a.say("a", P, 2, "for those who are signed in").await;
    at_a.ack(2).await;
    for n in 1..20 {
        at_b.say("a", P, n, "after").await;
    }
    b.signal("CONT");
    let ended = loop {
        match at_b.next().await {
            Ok(ServerFrame::Entry { entry, .. }) => panic!("was given {entry:?}"),
            Ok(ServerFrame::Ack { n, .. }) => panic!("{n} was taken"),
            Ok(_) => {}
            Err(ended) => break ended,
        }
    };
    assert_eq!(ended.code(), Some(4001));
    let (_, page) = jiwoo.socket(&a).await.join("a", None).await;
    let texts: Vec<_> = page.entries.iter().filter_map(|entry| entry.text()).collect();
    assert_eq!(texts, ["before", "for those who are signed in"]);
}

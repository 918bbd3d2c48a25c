//! The client in `examples/`, written from `docs/protocol.md` alone, against the real server: what the document says is
//! enough to talk.
#![allow(clippy::unwrap_used)]

mod support;

use app::domain::ProducerId;
use std::process::{Command, Output, Stdio};
use support::{
    person::Person,
    server::{At, Server},
};

async fn client(server: &Server, args: &[&str]) -> Output {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/client.py");
    let mut command = Command::new("python3");
    command.arg(program).args(["--url", &server.url(""), "--timeout", "30"]).args(args).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
    output.expect("python3 is needed: scripts/setup.sh test installs it")
}

fn lines(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_in_another_language_talks_pages_back_and_hears_others() {
    let server = Server::embedded(&[]).await;
    let megan = Person::signed_in(&server, "Megan", "디자인 리뷰").await;
    let mut socket = megan.socket(&server).await;
    socket.join("디자인 리뷰", None).await;
    for n in 1..=120 {
        socket.say("디자인 리뷰", ProducerId(1), n, &format!("before {n}")).await;
    }
    socket.ack(120).await;

    let args =
        ["--name", "지우", "--room", "디자인 리뷰", "--history", "--send", "안녕하세요 👋", "two", "--expect", "122"];
    let printed = lines(&client(&server, &args).await);
    assert_eq!(printed.len(), 122);
    assert_eq!(printed[0], "1\tMegan\tbefore 1");
    assert_eq!(printed[120..], ["121\t지우\t안녕하세요 👋", "122\t지우\ttwo"]);
    let heard = socket.until(|frame| match frame {
        app::protocol::ServerFrame::Entry { entry, .. } if entry.seq == 122 => Some(entry),
        _ => None,
    });
    assert_eq!(heard.await.name.as_str(), "지우");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_what_the_server_refused() {
    let server = Server::embedded(&[]).await;
    let _holder = Person::signed_in(&server, "Paul", "a").await;
    let output = client(&server, &["--name", "paul", "--room", "a", "--send", "x"]).await;
    assert!(!output.status.success() && !output.stderr.is_empty());
}

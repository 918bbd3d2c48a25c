//! A crowd behind one address, with the limits as they are by default: it never meets them. By itself, since it takes all there is
//! of a small machine.
#![allow(clippy::unwrap_used)]

mod support;

use app::protocol::{ClientFrame, ErrorCode, ServerFrame};
use futures_util::{StreamExt, stream};
use std::time::Duration;
use support::{
    person::{Person, Socket, key},
    redis::RedisServer,
    server::Server,
};

const TOO_MANY_SOCKETS: u16 = 4006;
const COME_BACK: u16 = 1013;

fn retry_after(response: &reqwest::Response) -> u64 {
    response.headers()["retry-after"].to_str().unwrap().parse().unwrap()
}

/// Whether the room was joined; else the store was too busy for that.
async fn joins(tab: &mut Socket, room: &str) -> bool {
    tab.send(&ClientFrame::Join { room: key(room), cursor: None }).await;
    tab.until(|frame| match frame {
        ServerFrame::Joined { .. } => Some(true),
        ServerFrame::Error { code: ErrorCode::Unavailable, .. } => Some(false),
        ServerFrame::Error { code, detail, .. } => panic!("{code:?}: {detail}"),
        _ => None,
    })
    .await
}

/// Asks for a page until it comes. A slow machine says now and then that it has too many to show, never that these are too many.
async fn sees(person: &Person, server: &Server, path: &str) {
    loop {
        let answer = person.get(server, path).await;
        match answer.status().as_u16() {
            200 => return,
            503 => tokio::time::sleep(Duration::from_secs(retry_after(&answer))).await,
            status => panic!("{path}: {status}"),
        }
    }
}

/// A school behind one address, two tabs each, on two instances that are restarted under it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_people_behind_one_address_come_back_after_a_restart_of_everything() {
    const PEOPLE: usize = 200;
    let redis = RedisServer::start(&[]);
    let url = redis.url();
    let start = async || Server::redis(&url, &["--limits", "1"]).await;
    let mut instances = [start().await, start().await];
    let sign_in = |n: usize| {
        let instance = &instances[n % 2];
        async move { Person::signed_in(instance, &format!("Pupil {n}"), "class").await }
    };
    let people = stream::iter(0..PEOPLE).map(sign_in).buffered(32).collect::<Vec<_>>().await;
    for _ in 0..2 {
        let tabs = stream::iter(0..2 * PEOPLE)
            .map(|n| {
                let (person, instance) = (&people[n / 2], &instances[(n + n / 2) % 2]);
                async move {
                    sees(person, instance, "/r/class").await;
                    let mut tab = person.socket(instance).await;
                    while !joins(&mut tab, "class").await {}
                    tab
                }
            })
            .buffered(64);
        let mut tabs = tabs.collect::<Vec<_>>().await;
        assert_eq!(tabs.len(), 2 * PEOPLE);
        for tab in &mut tabs {
            // On a slow machine those that were opened first are given up because nobody reads from them here.
            if let Err(code) = tab.is_open().await {
                assert!(![Some(COME_BACK), Some(TOO_MANY_SOCKETS)].contains(&code), "{code:?}");
            }
        }
        drop(tabs);
        let [a, b] = instances;
        tokio::join!(a.stop(), b.stop());
        instances = [start().await, start().await];
    }
}

//! Who is here, as clients see it.
#![allow(clippy::unwrap_used)]

mod support;

use app::protocol::{ClientFrame, PEOPLE_MAX, ServerFrame};
use std::time::{Duration, Instant};
use support::{
    person::{Person, Socket, key},
    server::Server,
};

async fn here(server: &Server, name: &str) -> (Person, Socket) {
    let person = Person::signed_in(server, name, "a").await;
    let mut socket = person.socket(server).await;
    socket.join("a", None).await;
    (person, socket)
}

/// The changes of presence that come until `count` people are here.
async fn until_count(socket: &mut Socket, wanted: usize) -> (Vec<String>, Vec<String>) {
    let (mut came, mut went) = (Vec::new(), Vec::new());
    let names = |people: Vec<app::protocol::Person>| people.into_iter().map(|p| p.name.as_str().to_owned());
    socket
        .until(|frame| match frame {
            ServerFrame::Presence { count, entered, left, .. } => {
                came.extend(names(entered));
                went.extend(names(left));
                (count == wanted).then_some(())
            }
            _ => None,
        })
        .await;
    (came, went)
}

#[tokio::test]
async fn whoever_joins_is_told_of_everyone_and_of_themselves() {
    let server = Server::embedded(&[]).await;
    let (_jiwoo, mut first) = here(&server, "지우").await;
    until_count(&mut first, 1).await;
    let megan = Person::signed_in(&server, "Megan", "a").await;
    let mut second = megan.socket(&server).await;
    second.send(&ClientFrame::Join { room: key("a"), cursor: None }).await;
    let joined = |frame| match frame {
        ServerFrame::Joined { count, people, .. } => Some((count, people)),
        _ => None,
    };
    let (count, people) = second.until(joined).await;
    let names: Vec<_> = people.iter().map(|person| person.name.as_str()).collect();
    assert_eq!((count, names), (2, vec!["지우", "Megan"]));
    assert_eq!(until_count(&mut first, 2).await, (vec!["Megan".to_owned()], vec![]));
}

#[tokio::test]
async fn a_reload_is_no_departure_and_a_second_tab_no_arrival() {
    let server = Server::embedded(&[]).await;
    let (_jiwoo, mut watching) = here(&server, "지우").await;
    let (megan, first_tab) = here(&server, "Megan").await;
    until_count(&mut watching, 2).await;
    drop(first_tab);
    let mut again = megan.socket(&server).await;
    again.join("a", None).await;
    let mut second_tab = megan.socket(&server).await;
    second_tab.join("a", None).await;
    drop(again);
    // The next change that anyone is told of is a real one.
    let (_chris, _socket) = here(&server, "Chris").await;
    assert_eq!(until_count(&mut watching, 3).await, (vec!["Chris".to_owned()], vec![]));
}

#[tokio::test]
async fn someone_who_vanishes_is_gone_within_45_seconds_and_one_who_leaves_at_once() {
    let server = Server::embedded(&[]).await;
    let (_jiwoo, mut watching) = here(&server, "지우").await;
    let (_megan, mut leaving) = here(&server, "Megan").await;
    let (_chris, vanishing) = here(&server, "Chris").await;
    until_count(&mut watching, 3).await;
    leaving.send(&ClientFrame::Leave { room: key("a") }).await;
    assert_eq!(until_count(&mut watching, 2).await, (vec![], vec!["Megan".to_owned()]));
    let start = Instant::now();
    drop(vanishing);
    assert_eq!(until_count(&mut watching, 1).await, (vec![], vec!["Chris".to_owned()]));
    assert!(start.elapsed() < Duration::from_secs(45));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_costs_each_of_them_a_few_frames_not_one_per_arrival() {
    const CROWD: usize = 120;
    let server = Server::embedded(&[]).await;
    let (_jiwoo, mut watching) = here(&server, "지우").await;
    let mut arriving = Vec::new();
    for i in 0..CROWD {
        arriving.push(Person::signed_in(&server, &format!("person {i}"), "a").await.socket(&server).await);
    }
    let start = Instant::now();
    for socket in &mut arriving {
        socket.send(&ClientFrame::Join { room: key("a"), cursor: None }).await;
    }
    let mut frames = 0_u128;
    watching
        .until(|frame| match frame {
            ServerFrame::Presence { count, people, .. } => {
                frames += 1;
                assert!(people.len() <= PEOPLE_MAX);
                (count == CROWD + 1).then_some(())
            }
            _ => None,
        })
        .await;
    // At most ten a second, however fast they come.
    assert!(frames <= start.elapsed().as_millis() / 100 + 2, "{frames} frames in {:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn someone_who_vanished_without_a_close_is_gone_within_45_s_and_back_when_heard_of() {
    let server = Server::embedded(&[]).await;
    let (_jiwoo, mut watching) = here(&server, "지우").await;
    let (_megan, mut vanishing) = here(&server, "Megan").await;
    until_count(&mut watching, 2).await;
    // Nobody reads there, so that nothing is answered: protocol pings are not either.
    let start = Instant::now();
    let left = async {
        loop {
            // Whoever watches is heard of.
            watching.send(&ClientFrame::Ping).await;
            let gone = until_count(&mut watching, 1);
            if let Ok(changed) = tokio::time::timeout(Duration::from_secs(10), gone).await {
                return changed;
            }
        }
    };
    let left = tokio::time::timeout(Duration::from_secs(45), left).await.expect("still counted after 45 s");
    assert_eq!(left, (vec![], vec!["Megan".to_owned()]));
    assert!(start.elapsed() > Duration::from_secs(30), "after {:?}", start.elapsed());
    vanishing.send(&ClientFrame::Ping).await;
    assert_eq!(until_count(&mut watching, 2).await, (vec!["Megan".to_owned()], vec![]));
}

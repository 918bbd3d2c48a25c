//! The directory, leaving and coming back, and what strangers are shown of it, as a browser without JavaScript sees them.
#![allow(clippy::unwrap_used)]

mod support;

use app::{
    domain::ProducerId,
    protocol::{ClientFrame, ReadMark},
};
use reqwest::{StatusCode, header};
use std::time::{Duration, Instant};
use support::{
    person::{PATIENCE, Person, Socket},
    redis::RedisServer,
    server::{At, Server},
};

/// A page without what nobody sees: markers between nodes, and the marks that isolate names.
async fn seen(person: &Person, server: &Server, path: &str) -> String {
    person.page(server, path).await.replace("<!>", "").replace(['\u{2068}', '\u{2069}'], "")
}

/// The rows of the directory that a page lists.
fn rows(html: &str) -> Vec<String> {
    html.split("class=\"line-link\"").skip(1).map(|row| row.split("</li>").next().unwrap().to_owned()).collect()
}

/// The row of a room.
fn row(html: &str, name: &str) -> String {
    rows(html).into_iter().find(|row| row.contains(&format!("<bdi>{name}</bdi></b>"))).unwrap()
}

/// The value of the hidden field of that name.
fn hidden(html: &str, name: &str) -> Option<String> {
    let rest = html.split(&format!("name=\"{name}\" value=\"")).nth(1)?;
    Some(rest.split('"').next()?.to_owned())
}

/// In a room, with a socket.
async fn inside(server: &Server, name: &str, room: &str) -> (Person, Socket) {
    let person = Person::signed_in(server, name, room).await;
    let mut socket = person.socket(server).await;
    socket.join(room, None).await;
    (person, socket)
}

/// Waits until a page shows it: what it is rendered from may be a second old, the door's ten.
async fn until_shown(person: &Person, server: &Server, path: &str, shows: impl Fn(&str) -> bool) -> String {
    let start = Instant::now();
    loop {
        let html = seen(person, server, path).await;
        if shows(&html) {
            return html;
        }
        assert!(start.elapsed() < PATIENCE, "{html}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn the_directory_shows_the_last_message_and_others_but_not_the_one_who_asks() {
    let server = Server::embedded(&[]).await;
    let (jiwoo, mut socket) = inside(&server, "지우", "점심").await;
    let (megan, _her_socket) = inside(&server, "Megan", "점심").await;
    jiwoo.post(&server, "/rooms", &[("room", "empty")]).await;
    socket.say("점심", ProducerId(1), 1, "오늘은\n<국수>?").await;
    socket.ack(1).await;
    let html = until_shown(&megan, &server, "/rooms", |html| html.contains("1 unread")).await;
    let lunch = row(&html, "점심");
    assert!(lunch.contains("<bdi translate=\"no\">지우</bdi>: <bdi>오늘은 &lt;국수&gt;?</bdi>"), "{lunch}");
    assert!(lunch.contains("지우 here now") && !lunch.contains("Megan"), "{lunch}");
    assert!(lunch.contains("Last message") && lunch.contains("Joined"), "{lunch}");
    let empty = row(&html, "empty");
    assert!(empty.contains("Created") && !empty.contains("here now") && !empty.contains("Joined"), "{empty}");
    let html = seen(&jiwoo, &server, "/rooms").await;
    assert!(
        row(&html, "점심").contains("Megan here now") && !html.contains("unread"),
        "one has read one's own message"
    );
}

#[tokio::test]
async fn rooms_are_found_by_letters_that_are_still_being_written() {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "디자인 리뷰").await;
    for room in ["점심", "닭갈비", "Random 2"] {
        person.post(&server, "/rooms", &[("room", room)]).await;
    }
    for (typed, room) in [("딪", "디자인 리뷰"), ("다", "닭갈비"), ("RAN", "Random 2"), (" ㅈㅅ ", "점심")]
    {
        let response = person.http.get(server.url("/rooms")).query(&[("q", typed)]).send().await.unwrap();
        let html = response.text().await.unwrap().replace("<!>", "");
        let found = rows(&html);
        assert!(found.len() == 1 && found[0].contains(room), "{typed}: {found:?}");
        assert!(html.contains("1 room") && html.contains(&format!("name=\"q\" value=\"{typed}\"")), "{typed}");
    }
    let html = person.page(&server, "/rooms?q=%22x%22").await;
    assert!(rows(&html).is_empty() && html.contains("There is no room called"));
    assert!(html.contains("name=\"room\" value=\"&quot;x&quot;\""), "it can be made");
    let html = person.page(&server, "/rooms?q=..").await;
    assert!(
        html.contains("There is no room called") && !html.contains("value=\"..\">Create"),
        "what is no name cannot"
    );
}

#[tokio::test]
async fn the_directory_leads_back_to_the_room_one_comes_from() {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "점심").await;
    person.post(&server, "/rooms", &[("room", "last")]).await;
    let back = async |path: &str, referer: &str| {
        let request = person.http.get(server.url(path)).header(header::REFERER, server.url(referer));
        let html = request.send().await.unwrap().text().await.unwrap();
        let from = html.find("class=\"back\"").map(|at| html[..at].rsplit("href=\"").next().unwrap());
        from.map(|href| href.split('"').next().unwrap().to_owned())
    };
    let lunch = Some("/r/%EC%A0%90%EC%8B%AC".to_owned());
    assert_eq!(back("/rooms", "/r/%EC%A0%90%EC%8B%AC/5").await, lunch);
    assert_eq!(back("/rooms?q=x&from=%EC%A0%90%EC%8B%AC", "/rooms").await, lunch, "after searching");
    for elsewhere in ["/rooms", "/r/not%20mine", "/"] {
        assert_eq!(back("/rooms", elsewhere).await.as_deref(), Some("/r/last"), "the room that was joined last");
    }
    for room in ["last", "%EC%A0%90%EC%8B%AC"] {
        person.post(&server, &format!("/r/{room}/leave"), &[]).await;
    }
    assert_eq!(back("/rooms", "/r/last").await, None);
}

/// Leaves `room` and comes back by the form on the page where that led; what the page of the room says then.
async fn leave_and_undo(person: &Person, server: &Server, room: &str) -> String {
    let left = person.post(server, &format!("/r/{room}/leave"), &[]).await;
    assert_eq!(left.status(), StatusCode::SEE_OTHER);
    let landed = left.headers()[header::LOCATION].to_str().unwrap().to_owned();
    let html = seen(person, server, &landed).await;
    assert!(html.contains(&format!("You left {room}")), "{landed}: {html}");
    assert!(!row(&html, room).contains("Joined"));
    let fields = ["epoch", "seq"].map(|name| (name, hidden(&html, name).unwrap()));
    let form = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    let back = person.post(server, &format!("/r/{room}/back"), &form).await;
    assert_eq!(back.headers()[header::LOCATION], format!("/r/{room}"));
    assert!(!person.page(server, &landed).await.contains("You left"), "that is undone");
    person.page(server, &format!("/r/{room}")).await
}

async fn leaving_can_be_undone_as_if_nothing_had_been(server: &Server) {
    let (_writer, mut socket) = inside(server, "Megan", "lunch").await;
    let reader = Person::signed_in(server, "지우", "lunch").await;
    for n in 1..=3 {
        socket.say("lunch", ProducerId(1), n, &format!("message {n}")).await;
        socket.ack(n).await;
    }
    assert!(leave_and_undo(&reader, server, "lunch").await.contains("3 unread"));
    let mut reading = reader.socket(server).await;
    let (_, page) = reading.join("lunch", None).await;
    let mark = ReadMark { epoch: page.cursor.epoch, seq: 2 };
    reading.send(&ClientFrame::Read { room: support::person::key("lunch"), mark }).await;
    until_shown(&reader, server, "/rooms", |html| html.contains("1 unread")).await;
    drop(reading);
    assert!(leave_and_undo(&reader, server, "lunch").await.contains("1 unread"), "as far as it was read");
    let odd = [("epoch", "x"), ("seq", "-1")];
    assert_eq!(reader.post(server, "/r/lunch/back", &odd).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(reader.post(server, "/r/nowhere/back", &[]).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(Person::new().post(server, "/r/lunch/back", &[]).await.status(), StatusCode::UNAUTHORIZED);
    let html = reader.page(server, "/rooms?left=lunch&epoch=x&seq=1").await;
    assert!(!html.contains("You left"), "who is there has not left: {html}");
}

#[tokio::test]
async fn leaving_can_be_undone_embedded() {
    leaving_can_be_undone_as_if_nothing_had_been(&Server::embedded(&[]).await).await;
}

#[tokio::test]
async fn leaving_can_be_undone_with_redis() {
    let redis = RedisServer::start(&[]);
    leaving_can_be_undone_as_if_nothing_had_been(&Server::redis(&redis.url(), &[]).await).await;
}

async fn strangers_enter_a_lively_room_by_one_press(server: &Server) {
    let mut there = Vec::new();
    for (name, room) in [("A", "점심"), ("B", "점심"), ("C", "점심"), ("D", "two"), ("E", "two"), ("F", "alone")]
    {
        there.push(inside(server, name, room).await);
    }
    let stranger = Person::new();
    let html = until_shown(&stranger, server, "/", |html| html.contains("2 here")).await;
    let [lunch, two] = ["점심", "two"].map(|room| html.find(&format!("name=\"lively\" value=\"{room}\"")).unwrap());
    assert!(lunch < two && html.contains("3 here") && !html.contains("value=\"alone\""), "{html}");
    let door = stranger.page(server, "/r/alone").await;
    assert!(!door.contains("name=\"lively\""), "who has a link knows where to go");
    let press = [("name", "지우"), ("room", ""), ("lively", "점심")];
    let entered = stranger.post(server, "/signin", &press).await;
    assert_eq!(entered.headers()[header::LOCATION], "/r/%EC%A0%90%EC%8B%AC");
}

#[tokio::test]
async fn strangers_enter_a_lively_room_by_one_press_embedded() {
    strangers_enter_a_lively_room_by_one_press(&Server::embedded(&[]).await).await;
}

#[tokio::test]
async fn strangers_enter_a_lively_room_by_one_press_with_redis() {
    let redis = RedisServer::start(&[]);
    strangers_enter_a_lively_room_by_one_press(&Server::redis(&redis.url(), &[]).await).await;
}

#[tokio::test]
async fn the_door_keeps_rooms_to_itself_where_it_is_told_to() {
    let server = Server::embedded(&["--lively-rooms", "0"]).await;
    let (member, _one) = inside(&server, "A", "secret plans").await;
    let _two = inside(&server, "B", "secret plans").await;
    until_shown(&member, &server, "/rooms", |html| html.contains("B here now")).await;
    assert!(!Person::new().page(&server, "/").await.contains("secret"));
}

#[tokio::test]
async fn the_door_does_not_wait_for_a_store_that_hangs() {
    let redis = RedisServer::start(&[]);
    let server = Server::redis(&redis.url(), &[]).await;
    let stranger = Person::new();
    redis.signal("STOP");
    let start = Instant::now();
    let door = stranger.get(&server, "/").await;
    let took = start.elapsed();
    redis.signal("CONT");
    assert_eq!(door.status(), StatusCode::OK);
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn everyone_in_a_room_is_listed_on_a_page_of_its_own() {
    let server = Server::embedded(&[]).await;
    let (person, _socket) = inside(&server, "Guest10", "lunch").await;
    let _other = inside(&server, "Guest2", "lunch").await;
    let html = seen(&person, &server, "/r/lunch/people").await;
    let [two, ten] = ["<bdi>Guest2</bdi>", "<bdi>Guest10</bdi>"].map(|name| html.find(name).unwrap());
    assert!(two < ten && html.contains("2 people") && html[ten..].contains("(you)"), "{html}");
    assert_eq!(person.get(&server, "/r/nowhere/people").await.status(), StatusCode::NOT_FOUND);
    assert!(!Person::new().page(&server, "/r/lunch/people").await.contains("Guest2"));
}

#[tokio::test]
async fn the_names_of_rooms_are_told_to_pages_of_those_who_are_signed_in() {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "Lunch <Talk>").await;
    let answer = person.get(&server, "/rooms.json").await;
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "private, no-store");
    assert_eq!(answer.text().await.unwrap(), r#"[{"key":"lunch <talk>","name":"Lunch <Talk>"}]"#);
    assert_eq!(Person::new().get(&server, "/rooms.json").await.status(), StatusCode::UNAUTHORIZED);
}

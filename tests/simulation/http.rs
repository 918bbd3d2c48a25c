//! Requests: signing in and out, and loading a page.
//!
//! An answer may be made on a thread of the runtime's, for which the clock waits, but no order of tasks does. So it is looked for at
//! moments that were fixed before the request was made.

use super::world::World;
use crate::memory_store::chance::Chance;
use app::{client::opening::Opening, protocol::Person};
use serde::Deserialize;
use std::{cell::RefCell, rc::Rc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::spawn_local,
    time::interval,
};

const LOOK: Duration = Duration::from_millis(7);
/// Looks after which a request is given up.
const LOOKS: u32 = 600;

/// What a load came to.
pub enum Load {
    Page(Person, Box<Opening>),
    SignedOut,
    Failed,
}

/// Asks and returns the answer, if there is one.
async fn ask(world: &Rc<World>, mut chance: Chance, request: String) -> Option<String> {
    let mut looks = interval(LOOK);
    for _ in 0..=chance.below(6) {
        looks.tick().await;
    }
    let mut stream = world.connect_at_once(chance.fork())?;
    let answer = Rc::new(RefCell::new(None));
    let asking = spawn_local({
        let answer = answer.clone();
        async move {
            let (mut bytes, _) = (Vec::new(), stream.write_all(request.as_bytes()).await);
            let _ = stream.read_to_end(&mut bytes).await;
            *answer.borrow_mut() = Some(String::from_utf8_lossy(&bytes).into_owned());
        }
    });
    for _ in 0..LOOKS {
        looks.tick().await;
        if let Some(answer) = answer.take() {
            for _ in 0..chance.below(6) {
                looks.tick().await;
            }
            return Some(answer);
        }
    }
    asking.abort();
    None
}

fn post(path: &str, cookie: &str, form: &str) -> String {
    let length = form.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost:3000\r\nConnection: close\r\nCookie: {cookie}\r\nContent-Length: {length}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}"
    )
}

/// Signs in and returns the cookie, if the answer came.
pub async fn sign_in(world: &Rc<World>, chance: Chance, name: &str, room: &str) -> Option<String> {
    let answer = ask(world, chance, post("/signin", "a=b", &format!("name={name}&room={room}"))).await?;
    let head = answer.strip_prefix("HTTP/1.1 303 ")?;
    head.lines().find_map(|line| Some(line.strip_prefix("set-cookie: ")?.split(';').next()?.to_owned()))
}

/// Whether it was confirmed.
pub async fn sign_out(world: &Rc<World>, chance: Chance, cookie: &str) -> bool {
    let answer = ask(world, chance, post("/signout", cookie, "")).await;
    answer.is_some_and(|answer| answer.starts_with("HTTP/1.1 303 "))
}

/// What the page of a room is rendered from.
pub async fn load(world: &Rc<World>, chance: Chance, cookie: &str, path: &str) -> Load {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost:3000\r\nConnection: close\r\nCookie: {cookie}\r\nAccept: application/json\r\n\r\n"
    );
    let Some(answer) = ask(world, chance, request).await else { return Load::Failed };
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return Load::Failed };
    if head.starts_with("HTTP/1.1 303 ") {
        return Load::SignedOut;
    }
    match serde_json::from_str::<Data>(body) {
        Ok(Data { me: Some(me), screen: Screen { opening: Some(opening) } }) => Load::Page(me, Box::new(opening)),
        Ok(Data { me: None, .. }) if head.starts_with("HTTP/1.1 2") => Load::SignedOut,
        _ => Load::Failed,
    }
}

#[derive(Deserialize)]
struct Data {
    me: Option<Person>,
    screen: Screen,
}

#[derive(Deserialize)]
struct Screen {
    #[serde(default)]
    opening: Option<Opening>,
}

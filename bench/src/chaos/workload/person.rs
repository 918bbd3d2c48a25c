//! A person: comes, talks in a few tabs, signs out, and comes back as somebody else.

use super::{Login, Shared, TabState, ghost::Ghost, http, tab::Tab};
use crate::chaos::checker::{RoomId, TabId};
use std::{cell::Cell, rc::Rc, time::Duration};
use tokio::{task::spawn_local, time::sleep};

/// Who lives, in how many tabs, and for how long under one name.
pub struct Person {
    pub name: String,
    pub tabs: usize,
    /// How long one identity lasts, on average; `None`: for the whole run.
    pub stays: Option<Duration>,
    pub seed: u64,
}

/// One person's life, under changing names.
pub async fn live(person: Person, shared: Rc<Shared>) {
    let mut random = fastrand::Rng::with_seed(person.seed);
    let rooms = shared.history.borrow().rooms.len();
    for life in 0.. {
        let first = random.usize(0..rooms);
        let room = shared.history.borrow().rooms[first].name.as_str().to_owned();
        let name = format!("{}-{life}", person.name);
        let Ok(cookie) = http::sign_in(&shared.http, shared.front, &name, &room).await else {
            eprintln!("  {name} could not sign in");
            continue;
        };
        let login = Login { cookie, over: Rc::new(Cell::new(false)) };
        for tab in 0..person.tabs {
            let room = if tab == 0 { first } else { random.usize(0..rooms) };
            let id = seat(&shared);
            let (shared, login, seed) = (shared.clone(), login.clone(), random.u64(..));
            spawn_local(async move {
                if let Some(tab) = Tab::open(id, shared, login, room, seed).await {
                    tab.live().await;
                }
            });
        }
        let Some(stays) = person.stays else { return };
        sleep(stays.mul_f64(0.5 + random.f64())).await;
        if !shared.busy.get() {
            return;
        }
        leave(&shared, &login, random.usize(0..rooms), random.u64(..)).await;
    }
}

/// A place for a tab's state.
pub fn seat(shared: &Shared) -> TabId {
    let mut states = shared.states.borrow_mut();
    states.push(TabState::default());
    states.len() - 1
}

/// Signs out, while somebody holds on to one more socket of the session.
async fn leave(shared: &Rc<Shared>, login: &Login, room: RoomId, seed: u64) {
    let ghost = Ghost::appear(shared.clone(), login, room, seed).await;
    if http::sign_out(&shared.http, shared.front, &login.cookie).await.is_ok()
        && let Some(ghost) = ghost
    {
        let mut history = shared.history.borrow_mut();
        let now = history.now();
        history.signed_out.insert(ghost.me, now);
        drop(history);
        spawn_local(ghost.haunt());
    }
    // Long enough for each tab to be told, short enough for the next life.
    sleep(Duration::from_secs(6)).await;
    login.over.set(true);
}

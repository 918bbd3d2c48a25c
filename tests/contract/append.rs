//! What an append leaves in the log.

use super::{Fixture, support::*};
use app::domain::{Cursor, Entry};
use std::time::{SystemTime, UNIX_EPOCH};

pub async fn entries_are_numbered_without_a_hole_and_chained_by_id<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&room("Design"));
    let places = fill(&**engine, &tab, 40).await;
    let entries = log(&**engine, &tab.room.key).await;
    assert_eq!(entries.iter().map(Entry::cursor).collect::<Vec<_>>(), places);
    assert_eq!(places.iter().map(|place| place.seq).collect::<Vec<_>>(), (1..=40).collect::<Vec<_>>());
}

pub async fn an_entry_says_what_was_sent_by_whom_and_when<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&room("Design"));
    let text = "\"안녕\" \\ <b>x</b>\n\t👩‍💻 \u{FEFF}\u{200F}{}";
    let at = entry(engine.append(tab.draft(1, text)).await);
    let entries = log(&**engine, &tab.room.key).await;
    let [entry] = entries.as_slice() else { panic!("one entry") };
    assert_eq!(entry.text(), Some(text));
    assert_eq!((entry.cursor(), entry.by, &entry.name, entry.p, entry.n), (at, tab.by.id, &tab.by.name, tab.p, 1));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    assert!(now.abs_diff(entry.at.into()) < 60_000, "milliseconds by the engine's clock: {}", entry.at);
}

pub async fn concurrent_senders_keep_their_own_order<F: Fixture>() {
    const EACH: u64 = 512;
    let Opened { engine, .. } = &open::<F>().await;
    let design = room("Design");
    let tabs: Vec<Tab> = (0..4).map(|_| Tab::new(&design)).collect();
    let senders: Vec<_> = tabs
        .iter()
        .map(|tab| {
            let (engine, tab) = (engine.clone(), tab.clone());
            tokio::spawn(async move { fill(&*engine, &tab, EACH).await })
        })
        .collect();
    let mut places = Vec::new();
    for sender in senders {
        places.push(sender.await.unwrap());
    }
    let entries = log(&**engine, &design.key).await;
    assert_eq!(entries.len() as u64, 4 * EACH);
    for (tab, places) in tabs.iter().zip(places) {
        let own: Vec<_> = entries.iter().filter(|entry| entry.p == tab.p).collect();
        assert!(own.iter().map(|entry| entry.n).eq(1..=EACH), "in the order in which they were sent");
        assert_eq!(own.iter().map(|entry| entry.cursor()).collect::<Vec<Cursor>>(), places);
    }
}

pub async fn an_append_creates_the_room_it_names<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&room("Design Review"));
    entry(engine.append(tab.draft(1, "a")).await);
    assert_eq!(engine.room(&tab.room.key).await.unwrap(), Some(tab.room.clone()));
    assert_eq!(engine.rooms(10).await.unwrap().len(), 1);
}

pub async fn one_room_does_not_number_another<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let (a, b) = (Tab::new(&room("a")), Tab::new(&room("b")));
    fill(&**engine, &a, 3).await;
    let first = entry(engine.append(b.draft(1, "a")).await);
    assert_eq!(first.seq, 1);
    assert_ne!(engine.top(&a.room.key).await.unwrap().unwrap().epoch, first.epoch);
}

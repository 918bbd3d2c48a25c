//! What holds between two instances on one store.
#![allow(dead_code, reason = "only for engines that share their store")]

use super::{Fixture, support::*};
use app::{
    domain::Cursor,
    protocol::{ReadMark, Reading},
};
use hubbub::engine::{Appended, CreateError, Engine, OpenError, Quota};
use std::{sync::Arc, time::Duration};

pub async fn a_commit_is_reported_to_every_instance_that_follows_the_room<F: Fixture>() {
    let store = F::start(DAY).await;
    let ((a, seen_by_a), (b, seen_by_b)) = (instance(&store).await, instance(&store).await);
    let tab = Tab::new(&room("Design"));
    for engine in [&a, &b] {
        engine.follow(&tab.room.key).await.unwrap();
    }
    fill(&*a, &tab, 200).await;
    let log = a.newest(&tab.room.key, 1_000).await.unwrap().unwrap().records;
    for reports in [seen_by_a, seen_by_b] {
        eventually("all reported", async || reports.commits(&tab.room.key).len() >= 200).await;
        assert_eq!(reports.commits(&tab.room.key), log);
    }
}

pub async fn what_one_instance_acknowledged_another_can_read<F: Fixture>() {
    let store = F::start(DAY).await;
    let ((a, _), (b, _)) = (instance(&store).await, instance(&store).await);
    let tab = Tab::new(&room("Design"));
    for n in 1..=50 {
        let place = entry(a.append(tab.draft(n, "m")).await);
        assert_eq!(b.top(&tab.room.key).await.unwrap(), Some(place));
    }
}

pub async fn a_repeat_through_another_instance_gets_the_first_answer<F: Fixture>() {
    let store = F::start(DAY).await;
    let ((a, _), (b, _)) = (instance(&store).await, instance(&store).await);
    let tab = Tab::new(&room("Design"));
    let places = fill(&*a, &tab, 32).await;
    let again = append_all(&*b, tab.drafts(1..=32)).await;
    assert_eq!(again, places.into_iter().map(|place| Ok(Appended::Entry(place))).collect::<Vec<_>>());
    assert_eq!(log(&*b, &tab.room.key).await.len(), 32);
}

pub async fn instances_appending_at_once_make_one_log<F: Fixture>() {
    let store = F::start(DAY).await;
    let ((a, seen_by_a), (b, seen_by_b)) = (instance(&store).await, instance(&store).await);
    let design = room("Design");
    for engine in [&a, &b] {
        engine.follow(&design.key).await.unwrap();
    }
    let (left, right) = (Tab::new(&design), Tab::new(&design));
    let other = tokio::spawn({
        let (b, right) = (b.clone(), right.clone());
        async move { fill(&*b, &right, 300).await }
    });
    fill(&*a, &left, 300).await;
    other.await.unwrap();
    let entries = log(&*a, &design.key).await;
    for tab in [left, right] {
        assert!(entries.iter().filter(|entry| entry.p == tab.p).map(|entry| entry.n).eq(1..=300));
    }
    for reports in [seen_by_a, seen_by_b] {
        eventually("all reported", async || reports.commits(&design.key).len() >= 600).await;
        assert_eq!(check_run(&reports.commits(&design.key), Cursor::origin(entries[0].epoch)), entries);
    }
}

pub async fn people_of_all_instances_are_listed_once<F: Fixture>() {
    let store = F::start(DAY).await;
    let ((a, _), (b, seen_by_b)) = (instance(&store).await, instance(&store).await);
    let design = room("Design").key;
    b.follow(&design).await.unwrap();
    let [ann, ben] = ["Ann", "Ben"].map(person);
    a.enter(&design, &ann).await.unwrap();
    a.enter(&design, &ben).await.unwrap();
    b.enter(&design, &ann).await.unwrap();
    eventually("reported", async || seen_by_b.count(&Report::Presence(design.clone())) > 0).await;
    for engine in [&a, &b] {
        eventually("both listed", async || engine.people(&design).await.unwrap() == [ann.clone(), ben.clone()]).await;
    }
    a.leave(&design, ann.id).await.unwrap();
    a.leave(&design, ben.id).await.unwrap();
    for engine in [&a, &b] {
        eventually("still here elsewhere", async || engine.people(&design).await.unwrap() == [ann.clone()]).await;
    }
}

pub async fn a_session_and_its_name_hold_on_every_instance<F: Fixture>() {
    let store = F::start(DAY).await;
    let ((a, _), (b, _)) = (instance(&store).await, instance(&store).await);
    let mine = token();
    let session = a.open_session(mine, &user_name("Paul")).await.unwrap();
    assert_eq!(b.session(mine).await.unwrap(), Some(session));
    assert!(matches!(b.open_session(token(), &user_name("p\u{430}ul")).await, Err(OpenError::Taken)));
    b.close_session(mine).await.unwrap();
    assert_eq!(a.session(mine).await.unwrap(), None);
    a.open_session(token(), &user_name("Paul")).await.unwrap();
}

pub async fn look_alikes_are_refused_by_every_instance<F: Fixture>() {
    let store = F::start(DAY).await;
    let ((a, _), (b, _)) = (instance(&store).await, instance(&store).await);
    let (ian, lan) = (user_name("Ian"), user_name("lan"));
    let opened = tokio::join!(a.open_session(token(), &ian), b.open_session(token(), &lan));
    assert!(opened.0.is_ok() != opened.1.is_ok(), "{opened:?}");
    let (team, twin) = (room("Team I"), room("team l"));
    let made = tokio::join!(a.create_room(&team.name), b.create_room(&twin.name));
    let (Ok(kept) | Err(CreateError::LooksLike(kept)), Ok(found) | Err(CreateError::LooksLike(found))) = made else {
        panic!("{made:?}")
    };
    assert_eq!(kept, found);
    assert_eq!(a.rooms(9).await.unwrap().len(), 1);
}

pub async fn a_sign_out_is_reported_to_every_instance<F: Fixture>() {
    let store = F::start(DAY).await;
    let ((a, seen_by_a), (_b, seen_by_b)) = (instance(&store).await, instance(&store).await);
    let mine = token();
    a.open_session(mine, &user_name("지우")).await.unwrap();
    a.close_session(mine).await.unwrap();
    for reports in [seen_by_a, seen_by_b] {
        eventually("reported", async || reports.count(&Report::Ended(mine)) > 0).await;
    }
}

pub async fn the_people_of_an_instance_that_shut_down_are_gone<F: Fixture>() {
    let store = F::start(DAY).await;
    let ((a, _), (b, _)) = (instance(&store).await, instance(&store).await);
    let design = room("Design").key;
    a.enter(&design, &person("Ann")).await.unwrap();
    eventually("listed", async || b.people(&design).await.unwrap().len() == 1).await;
    a.shutdown().await;
    eventually("gone", async || b.people(&design).await.unwrap().is_empty()).await;
}

pub async fn a_mark_is_reported_to_every_instance_once<F: Fixture>() {
    let store = F::start(DAY).await;
    let ((a, seen_by_a), (b, seen_by_b)) = (instance(&store).await, instance(&store).await);
    let (tab, me) = (Tab::new(&room("Design  Review")), person("Ann").id);
    a.create_room(&tab.room.name).await.unwrap();
    a.add_member(me, &tab.room.key).await.unwrap();
    let mut reports = Vec::new();
    for (n, engine) in [(1, &a), (2, &b)] {
        let at = entry(a.append(tab.draft(n, "m")).await);
        let mark = ReadMark { epoch: at.epoch, seq: at.seq };
        assert_eq!(engine.raise_mark(me, &tab.room.key, mark).await.unwrap(), Some(mark));
        reports.push(Report::Read(me, tab.room.key.clone(), mark));
    }
    // What is said on one channel comes in order: a second word of the first would come before this one's.
    for seen in [seen_by_a, seen_by_b] {
        eventually("both reported", async || reports.iter().all(|report| seen.count(report) > 0)).await;
        assert_eq!(reports.iter().map(|report| seen.count(report)).collect::<Vec<_>>(), [1, 1]);
    }
}

pub async fn tabs_on_two_instances_raise_one_mark<F: Fixture>() {
    let store = F::start(DAY).await;
    let ((a, _), (b, _)) = (instance(&store).await, instance(&store).await);
    let (tab, me) = (Tab::new(&room("Design")), person("Ann").id);
    a.create_room(&tab.room.name).await.unwrap();
    a.add_member(me, &tab.room.key).await.unwrap();
    let places = fill(&*a, &tab, 200).await;
    let raise = |engine: Arc<dyn Engine>, seqs: Vec<u64>| {
        let (key, epoch) = (tab.room.key.clone(), places[0].epoch);
        tokio::spawn(async move {
            let mut rose = Vec::new();
            for seq in seqs {
                rose.extend(engine.raise_mark(me, &key, ReadMark { epoch, seq }).await.unwrap());
            }
            assert!(rose.is_sorted_by_key(|mark| mark.seq), "{rose:?}");
        })
    };
    // Each goes back and forth, and both at once.
    let seqs = |step: u64| (1..=100).map(|i| i * step % 191).collect::<Vec<_>>();
    let (one, other) = (raise(a.clone(), seqs(7)), raise(b.clone(), seqs(11)));
    one.await.unwrap();
    other.await.unwrap();
    let furthest = seqs(7).into_iter().chain(seqs(11)).max().unwrap();
    for engine in [a, b] {
        let readings = engine.readings(me, &[(tab.room.key.clone(), u64::MAX)]).await.unwrap();
        let unread = usize::try_from(200 - furthest).unwrap();
        let mark = Some(ReadMark { epoch: places[0].epoch, seq: furthest });
        assert_eq!(readings, [Reading { mark, unread }]);
    }
}

pub async fn typing_is_reported_to_every_instance_that_follows_the_room<F: Fixture>() {
    let store = F::start(DAY).await;
    let ((a, seen_by_a), (b, seen_by_b)) = (instance(&store).await, instance(&store).await);
    let (design, ann) = (room("Design").key, person("Ann"));
    b.follow(&design).await.unwrap();
    a.typing(&design, &ann).await.unwrap();
    let typing = Report::Typing(design, ann);
    eventually("reported elsewhere", async || seen_by_b.count(&typing) == 1).await;
    assert_eq!((seen_by_a.count(&typing), seen_by_b.count(&Report::Doubt)), (0, 0));
}

pub async fn a_bucket_is_one_for_all_instances<F: Fixture>() {
    let store = F::start(DAY).await;
    let ((a, _), (b, _)) = (instance(&store).await, instance(&store).await);
    let quota = Quota { burst: 2, every: Duration::from_mins(1) };
    a.take("a", quota).await.unwrap().unwrap();
    b.take("a", quota).await.unwrap().unwrap();
    for engine in [a, b] {
        engine.take("a", quota).await.unwrap().unwrap_err();
    }
}

//! The rule of a producer's numbers, on which sending again without harm depends.

use super::{Fixture, support::*};
use app::{
    domain::ProducerId,
    protocol::{Earlier, REPEAT_WINDOW},
};
use hubbub::engine::{AppendError, Appended, Draft};
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any},
    prop_oneof,
    test_runner::{Config, TestRunner},
};
use std::collections::HashMap;
use tokio::{runtime::Handle, task::block_in_place};

fn out_of_order(last: u64) -> Answer {
    Err(AppendError::OutOfOrder { last })
}

pub async fn a_repeated_number_gets_its_first_answer<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&room("Design"));
    let places = fill(&**engine, &tab, REPEAT_WINDOW).await;
    for (n, place) in (1..).zip(&places) {
        assert_eq!(engine.append(tab.draft(n, &format!("m{n}"))).await, Ok(Appended::Entry(*place)));
    }
    assert_eq!(log(&**engine, &tab.room.key).await.len(), places.len());
}

pub async fn a_repeat_under_way_at_the_same_time_is_one_entry<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&room("Design"));
    let answers = append_all(&**engine, tab.drafts([1, 1, 2, 1, 2])).await;
    let first: Vec<_> = [0, 0, 2, 0, 2].map(|i: usize| answers[i].clone()).into();
    assert_eq!(answers, first);
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(texts(&log(&**engine, &tab.room.key).await), ["m1", "m2"]);
}

pub async fn a_number_with_other_content_is_a_conflict<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&room("Design"));
    fill(&**engine, &tab, 2).await;
    for n in 1..=2 {
        assert_eq!(engine.append(tab.draft(n, "other")).await, Err(AppendError::Conflict));
    }
    assert_eq!(texts(&log(&**engine, &tab.room.key).await), ["m1", "m2"]);
}

pub async fn what_stands_under_an_earlier_number_is_not_appended_again<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let before = Tab::new(&room("Design"));
    let place = fill(&**engine, &before, 2).await[0];
    // The same person, in another tab.
    let tab = Tab { p: ProducerId(7), ..before.clone() };
    let numbers = |numbers: &[u64]| numbers.iter().map(|&n| Earlier { p: before.p, n }).collect();
    let again = |n, text, earlier: &[u64]| Draft { earlier: numbers(earlier), ..tab.draft(n, text) };
    for _ in 0..2 {
        assert_eq!(engine.append(again(1, "m1", &[9, 1])).await, Ok(Appended::Entry(place)));
    }
    // Under a number of other content, of nobody, and without one.
    let news = [again(2, "m1", &[2]), again(3, "m1", &[0, 9, u64::MAX]), tab.draft(4, "m1")];
    for (seq, draft) in (3..).zip(news) {
        assert_eq!(entry(engine.append(draft).await).seq, seq);
    }
    // Another person's number is no earlier one.
    let other = Tab { by: person("하은"), ..before.clone() };
    let theirs = Draft { earlier: numbers(&[1]), ..other.draft(1, "m1") };
    assert_eq!(entry(engine.append(theirs).await).seq, 6);
    assert_eq!(texts(&log(&**engine, &tab.room.key).await), ["m1", "m2", "m1", "m1", "m1", "m1"]);
}

pub async fn a_skipped_number_is_out_of_order<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&room("Design"));
    fill(&**engine, &tab, 2).await;
    for n in [0, 4, 5, 66, u64::MAX] {
        assert_eq!(engine.append(tab.draft(n, "m")).await, out_of_order(2), "{n}");
        assert_eq!(engine.append(tab.void(n)).await, out_of_order(2), "{n}");
    }
    assert_eq!(texts(&log(&**engine, &tab.room.key).await), ["m1", "m2"]);
}

pub async fn the_first_number_is_one<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&engine.create_room(&room("Design").name).await.unwrap());
    for n in [0, 2, 65, u64::MAX] {
        assert_eq!(engine.append(tab.draft(n, "m")).await, out_of_order(0), "{n}");
        assert_eq!(engine.append(tab.void(n)).await, out_of_order(0), "{n}");
    }
    assert_eq!(log(&**engine, &tab.room.key).await, []);
    assert_eq!(entry(engine.append(tab.draft(1, "m")).await).seq, 1);
}

pub async fn a_repeat_beyond_the_window_is_out_of_order<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&room("Design"));
    let last = REPEAT_WINDOW + 6;
    let places = fill(&**engine, &tab, last).await;
    for n in [1, 5, 6] {
        assert_eq!(engine.append(tab.draft(n, &format!("m{n}"))).await, out_of_order(last), "{n}");
        assert_eq!(engine.append(tab.void(n)).await, out_of_order(last), "{n}");
    }
    assert_eq!(engine.append(tab.draft(7, "m7")).await, Ok(Appended::Entry(places[6])));
}

pub async fn nothing_is_taken_after_a_gap_until_it_is_filled<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&room("Design"));
    let answers = append_all(&**engine, tab.drafts([1, 3, 4, 5])).await;
    assert_eq!(answers[1..], [out_of_order(1), out_of_order(1), out_of_order(1)]);
    let answers = append_all(&**engine, tab.drafts([2, 3, 4, 5])).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(texts(&log(&**engine, &tab.room.key).await), ["m1", "m2", "m3", "m4", "m5"]);
}

pub async fn a_void_uses_its_number_up_without_an_entry<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&room("Design"));
    assert_eq!(engine.append(tab.void(1)).await, Ok(Appended::Voided));
    assert_eq!(entry(engine.append(tab.draft(2, "m2")).await).seq, 1);
    assert_eq!(engine.append(tab.void(3)).await, Ok(Appended::Voided));
    assert_eq!(engine.append(tab.void(1)).await, Ok(Appended::Voided), "again");
    assert_eq!(entry(engine.append(tab.draft(4, "m4")).await).seq, 2);
    assert_eq!(texts(&log(&**engine, &tab.room.key).await), ["m2", "m4"]);
}

pub async fn a_void_comes_too_late_for_a_message_that_was_sent<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&room("Design"));
    let place = entry(engine.append(tab.draft(1, "m1")).await);
    assert_eq!(engine.append(tab.void(1)).await, Ok(Appended::Entry(place)));
    assert_eq!(engine.append(tab.draft(1, "m1")).await, Ok(Appended::Entry(place)));
    assert_eq!(texts(&log(&**engine, &tab.room.key).await), ["m1"]);
}

pub async fn a_message_comes_too_late_for_a_number_that_was_voided<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&room("Design"));
    assert_eq!(engine.append(tab.void(1)).await, Ok(Appended::Voided));
    assert_eq!(engine.append(tab.draft(1, "m1")).await, Err(AppendError::Conflict));
    // The one text that could be taken for the void itself.
    assert_eq!(engine.append(tab.draft(1, "void")).await, Err(AppendError::Conflict));
    assert_eq!(log(&**engine, &tab.room.key).await, []);
}

pub async fn producers_of_different_people_and_rooms_are_different<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let tab = Tab::new(&room("Design"));
    fill(&**engine, &tab, 2).await;
    let other_person = Tab { by: person("하은"), ..tab.clone() };
    let other_room = Tab { room: room("Lunch"), ..tab.clone() };
    let other_tab = Tab { p: ProducerId(7), ..tab.clone() };
    for other in [other_person, other_room, other_tab] {
        assert_eq!(engine.append(other.draft(3, "m3")).await, out_of_order(0));
        entry(engine.append(other.draft(1, "first")).await);
    }
    assert_eq!(texts(&log(&**engine, &tab.room.key).await), ["m1", "m2", "first", "first"]);
}

/// What a producer does to one number; `back` counts from the one that would be next.
#[derive(Debug, Clone, Copy)]
struct Step {
    back: i64,
    content: Option<u8>,
}

/// The rule, said as simply as it can be.
#[derive(Default)]
struct Model {
    /// The seq and content of each number; `None` was voided.
    used: Vec<Option<(u64, u8)>>,
    seq: u64,
}

#[derive(Debug, PartialEq)]
enum Expected {
    Seq(u64),
    Voided,
    Conflict,
    OutOfOrder(u64),
}

impl Model {
    fn append(&mut self, n: u64, content: Option<u8>) -> Expected {
        let last = self.used.len() as u64;
        if n == last + 1 {
            self.used.push(content.map(|content| {
                self.seq += 1;
                (self.seq, content)
            }));
        } else if n == 0 || n > last || n + REPEAT_WINDOW <= last {
            return Expected::OutOfOrder(last);
        }
        match (self.used[usize::try_from(n).unwrap() - 1], content) {
            (Some((seq, _)), None) => Expected::Seq(seq),
            (Some((seq, was)), Some(content)) if was == content => Expected::Seq(seq),
            (None, None) => Expected::Voided,
            _ => Expected::Conflict,
        }
    }
}

pub async fn any_sequence_of_sends_and_voids_is_answered_by_the_rule<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let back = prop_oneof![6 => Just(0_i64), 2 => -3..4_i64, 1 => 0..80_i64];
    let content = prop_oneof![4 => (0..2_u8).prop_map(Some), 1 => Just(None)];
    let steps = vec((back, content).prop_map(|(back, content)| Step { back, content }), 1..120);
    let lives = AtomicRooms::default();
    let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    let check = |(steps, in_flight): (Vec<Step>, bool)| {
        // A room and a producer of its own for each case.
        let tab = Tab::new(&room(&lives.next()));
        let mut model = Model::default();
        let mut drafts: Vec<Draft> = Vec::new();
        let mut expected = Vec::new();
        for Step { back, content } in steps {
            let n = (model.used.len() as u64 + 1).saturating_add_signed(-back);
            expected.push(model.append(n, content));
            drafts.push(content.map_or_else(|| tab.void(n), |content| tab.draft(n, &content.to_string())));
        }
        let answers = block_in_place(|| {
            Handle::current().block_on(async {
                if in_flight {
                    return append_all(&**engine, drafts).await;
                }
                let mut answers = Vec::new();
                for draft in drafts {
                    answers.push(engine.append(draft).await);
                }
                answers
            })
        });
        let mut ids = HashMap::new();
        let answers: Vec<Expected> = answers
            .into_iter()
            .map(|answer| match answer {
                Ok(Appended::Entry(at)) => {
                    assert_eq!(*ids.entry(at.seq).or_insert(at.id), at.id, "one entry for one seq");
                    Expected::Seq(at.seq)
                }
                Ok(Appended::Voided) => Expected::Voided,
                Err(AppendError::Conflict) => Expected::Conflict,
                Err(AppendError::OutOfOrder { last }) => Expected::OutOfOrder(last),
                Err(error) => panic!("{error}"),
            })
            .collect();
        assert_eq!(answers, expected);
        Ok(())
    };
    runner.run(&(steps, any::<bool>()), check).unwrap();
}

#[derive(Default)]
struct AtomicRooms(std::sync::atomic::AtomicU64);

impl AtomicRooms {
    fn next(&self) -> String {
        format!("case {}", self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
    }
}

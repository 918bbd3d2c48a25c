//! What was written survives the tab.

use super::*;

fn say(tab: &mut Tab, message: &str) {
    tab.act(|chat| chat.send(text(message)));
}

/// The messages sent, with their producers and numbers, in order.
fn messages(tab: &mut Tab) -> Vec<(u64, u64, String)> {
    let message = |(_, frame)| match frame {
        ClientFrame::Send { p, n, text, .. } => Some((p.0, n, text)),
        _ => None,
    };
    tab.take_sent().into_iter().filter_map(message).collect()
}

fn connect(tab: &mut Tab) {
    tab.hello(1);
    tab.joined(1, "a", JoinedHow::Resumed, resumed(3));
    tab.joined(1, "b", JoinedHow::Newest, page(&log(7, 2)));
}

#[test]
fn a_reload_sends_again_under_the_same_numbers_and_goes_on_behind_them() {
    let mut tab = Tab::online();
    for message in ["하나", "둘", "셋"] {
        say(&mut tab, message);
    }
    tab.receive(1, ack(1, 4));
    let mut tab = tab.reloaded();
    say(&mut tab, "넷");
    assert_eq!(tab.pending().len(), 4, "the acknowledged one is not on the page yet");
    connect(&mut tab);
    let expected = [(101, 2, "둘"), (101, 3, "셋"), (101, 4, "넷")];
    assert_eq!(messages(&mut tab), expected.map(|(p, n, text)| (p, n, text.to_owned())));
}

#[test]
fn a_message_is_saved_before_it_is_sent() {
    let mut tab = Tab::online();
    tab.chat.send(text("하나"));
    assert!(tab.chat.take_saved().is_some_and(|saved| !saved.is_empty()));
    assert!(matches!(tab.chat.commands()[..], [Command::Send(1, ClientFrame::Send { .. })]));
    assert!(tab.chat.take_saved().is_none(), "nothing changed since");
}

#[test]
fn numbers_that_nobody_waits_for_are_not_continued() {
    let mut tab = Tab::online();
    say(&mut tab, "하나");
    tab.receive(1, ack(1, 3));
    let mut tab = tab.reloaded();
    say(&mut tab, "둘");
    connect(&mut tab);
    assert_eq!(messages(&mut tab), [(1_101, 1, "둘".to_owned())]);
}

#[test]
fn another_tabs_messages_go_out_beside_ones_own_and_failed_ones_stay() {
    let mut gone = Tab::new();
    for message in ["하나", "둘"] {
        say(&mut gone, message);
    }
    let mut json = serde_json::to_value(gone.saved()).unwrap();
    json["rooms"][0]["outboxes"][0]["p"] = "00000000000000ff".into();
    let mut tab = Tab::online();
    say(&mut tab, "여기");
    tab.take_sent();
    tab.act(|chat| chat.adopt(serde_json::from_value(json).unwrap()));
    assert_eq!(messages(&mut tab), [(255, 1, "하나".to_owned()), (255, 2, "둘".to_owned())]);
    let refused = |n, code| ServerFrame::Refused {
        room: room("a").key,
        p: ProducerId(255),
        n,
        code,
        retry: false,
        last: Some(0),
    };
    tab.receive(1, refused(1, ErrorCode::TextInvalid));
    tab.receive(1, refused(2, ErrorCode::OutOfOrder));
    let p = ProducerId(255);
    tab.receive(1, ServerFrame::Voided { room: room("a").key, p, n: 1 });
    tab.receive(1, ServerFrame::Ack { room: room("a").key, p, n: 2, at: cursor(3) });
    tab.receive(1, ack(1, 2));
    assert_eq!(tab.pending(), [Pending::Failed(ErrorCode::TextInvalid)]);
    // It needs no producer any more, and is in the own outbox.
    let mut tab = tab.reloaded();
    let rows = tab.chat.rows(&utc);
    let Some(Row::Pending { n, .. }) = rows.last() else { panic!("{rows:?}") };
    tab.act(|chat| chat.discard(*n));
    assert!(tab.pending().is_empty());
}

#[test]
fn what_another_person_left_is_nobodys() {
    let mut tab = Tab::new();
    say(&mut tab, "하나");
    let mut json = serde_json::to_value(tab.saved()).unwrap();
    json["user"] = serde_json::to_value(haeun().id).unwrap();
    let mut tab = Tab::new();
    tab.act(|chat| chat.adopt(serde_json::from_value(json).unwrap()));
    connect(&mut tab);
    assert!(tab.pending().is_empty() && messages(&mut tab).is_empty());
}

#[test]
fn nothing_is_saved_once_the_session_ended() {
    let mut tab = Tab::online();
    say(&mut tab, "하나");
    tab.stored = None;
    tab.closed(1, CloseCode::SessionEnded.code());
    say(&mut tab, "둘");
    assert_eq!((tab.stored.as_deref(), tab.pending().len()), (None, 2));
}

#[test]
fn a_room_that_was_left_meanwhile_is_followed_for_what_is_unsent_there() {
    let mut tab = Tab::new();
    say(&mut tab, "하나");
    let mut json = serde_json::to_value(tab.saved()).unwrap();
    json["rooms"][0]["room"] = serde_json::to_value(room("c")).unwrap();
    let mut tab = Tab::new();
    tab.act(|chat| chat.adopt(serde_json::from_value(json).unwrap()));
    connect(&mut tab);
    assert!(tab.take_sent().contains(&(1, join("c", None))));
    tab.joined(1, "c", JoinedHow::Newest, page(&log(8, 2)));
    assert_eq!(messages(&mut tab), [(101, 1, "하나".to_owned())]);
}

#[test]
fn a_room_left_on_purpose_takes_its_messages_along() {
    let mut tab = Tab::new();
    say(&mut tab, "하나");
    tab.act(|chat| chat.leave(&room("a").key));
    assert!(tab.saved().is_empty());
}

#[test]
fn what_was_acknowledged_before_a_reload_and_lost_by_the_log_is_marked_after_it() {
    for epoch in [EPOCH, 9] {
        let mut tab = Tab::online();
        say(&mut tab, "하나");
        let at = if epoch == EPOCH { forked(&log(EPOCH, 3), 2)[2].cursor() } else { log(epoch, 3)[2].cursor() };
        tab.receive(1, ServerFrame::Ack { room: room("a").key, p: ProducerId(101), n: 1, at });
        let mut tab = tab.reloaded();
        connect(&mut tab);
        let (room, p) = (room("a").key, ProducerId(101));
        assert!(tab.take_sent().contains(&(1, ClientFrame::Void { room: room.clone(), p, n: 1 })));
        tab.receive(1, ServerFrame::Voided { room, p, n: 1 });
        assert_eq!(tab.pending(), [Pending::Failed(ErrorCode::EpochUnknown)]);
    }
}

#[test]
fn what_is_stored_stays_small_and_lets_go_of_what_was_answered_long_ago() {
    let mut tab = Tab::online();
    for n in 1..=40 {
        say(&mut tab, &"가".repeat(1_000));
        tab.receive(1, ack(n, 3));
    }
    assert!(tab.stored.as_ref().is_some_and(|stored| stored.chars().count() < 20_000));
}

#[test]
fn what_another_build_stored_is_refused_and_what_it_added_is_ignored() {
    let mut tab = Tab::new();
    say(&mut tab, "하나");
    let mut json = serde_json::to_value(tab.saved()).unwrap();
    json["rooms"][0]["outboxes"][0]["colour"] = "red".into();
    assert!(serde_json::from_value::<Saved>(json.clone()).is_ok());
    json["rooms"][0]["outboxes"] = 5.into();
    assert!(serde_json::from_value::<Saved>(json).is_err());
}

/// What lies in people's browsers is read by the builds that come after it, or messages are lost.
#[test]
fn what_browsers_hold_is_read_and_written_as_it_is() {
    let stored = include_str!("../stored.json");
    let saved: Saved = serde_json::from_str(stored).unwrap();
    let expected: serde_json::Value = serde_json::from_str(stored).unwrap();
    assert_eq!(serde_json::to_value(saved).unwrap(), expected);
}

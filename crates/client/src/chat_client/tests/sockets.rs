//! There is one socket, or two while the next takes over.

use super::*;

#[test]
fn the_next_socket_takes_over_before_the_old_one_goes() {
    let mut tab = Tab::online();
    let log = log(EPOCH, 6);
    tab.act(|chat| chat.send(text("하나")));
    tab.receive(1, ServerFrame::Move { within_ms: 5_000 });
    assert_eq!(tab.open, [1, 2]);
    tab.hello(2);
    // The old one still delivers.
    tab.entry(1, "a", &log[3]);
    tab.joined(2, "a", JoinedHow::Resumed, page(&log[3..5]));
    tab.entry(1, "a", &log[4]);
    assert_eq!(tab.open, [1, 2], "not before every room is followed");
    tab.sent.clear();
    tab.joined(
        2,
        "b",
        JoinedHow::Resumed,
        Page { entries: vec![], cursor: crate::testing::log(7, 2)[1].cursor(), older: true },
    );
    assert_eq!(tab.open, [2]);
    assert_eq!(tab.take_sent(), [(2, send(1, "하나"))], "what is unanswered is sent again");
    assert_eq!(tab.chat.connection(), ConnectionState::Online);
    tab.entry(2, "a", &log[5]);
    assert_eq!(tab.seqs("a"), [1, 2, 3, 4, 5, 6]);
    assert!(tab.sent.is_empty());
}

#[test]
fn a_successor_that_fails_is_replaced_and_an_old_socket_that_goes_first_is_no_loss() {
    let mut tab = Tab::online();
    tab.receive(1, ServerFrame::Move { within_ms: 5_000 });
    tab.closed(2, 1006);
    tab.pass(250);
    assert_eq!(tab.open, [1, 3]);
    tab.hello(3);
    tab.closed(1, 4004);
    tab.pass(5_000);
    assert_eq!(tab.open, [3]);
    assert_eq!(tab.chat.connection(), ConnectionState::Online);
    tab.joined(3, "a", JoinedHow::Resumed, resumed(3));
    tab.act(|chat| chat.send(text("하나")));
    assert_eq!(tab.sent.last(), Some(&(3, send(1, "하나"))));
}

#[test]
fn silence_is_broken_by_a_ping_and_then_by_a_new_socket() {
    let mut tab = Tab::online();
    tab.pass(39_000);
    assert!(tab.sent.is_empty());
    tab.pass(1_000);
    assert_eq!(tab.take_sent(), [(1, ClientFrame::Ping)]);
    tab.receive(1, ServerFrame::Pong);
    tab.pass(39_000);
    assert!(tab.sent.is_empty());
    tab.act(ChatClient::nudge);
    assert_eq!(tab.take_sent(), [(1, ClientFrame::Ping)]);
    tab.pass(5_000);
    assert!(!tab.open.contains(&1));
    tab.pass(250);
    assert_eq!(tab.open, [2]);
}

#[test]
fn a_busy_room_does_not_make_the_tab_look_silent_to_the_server() {
    let mut tab = Tab::online();
    for entry in &log(EPOCH, 60)[3..] {
        tab.pass(1_000);
        tab.entry(1, "a", entry);
    }
    assert_eq!(tab.take_sent(), [(1, ClientFrame::Ping)]);
}

#[test]
fn an_interruption_shows_after_two_seconds_and_counts_down() {
    let mut tab = Tab::online();
    tab.pass(20_000);
    tab.closed(1, 1006);
    assert_eq!(tab.chat.connection(), ConnectionState::Connecting);
    for socket in 2..8 {
        tab.pass(4_000);
        if tab.open.contains(&socket) {
            tab.closed(socket, 1006);
        }
    }
    assert!(
        matches!(tab.chat.connection(), ConnectionState::Offline { retry_in: 0..=15 }),
        "{:?}",
        tab.chat.connection()
    );
    tab.act(ChatClient::nudge);
    let socket = *tab.open.last().unwrap();
    tab.hello(socket);
    assert_eq!(tab.chat.connection(), ConnectionState::Online);
}

#[test]
fn the_end_of_the_session_ends_all_tries() {
    for end in 0..3 {
        let mut tab = Tab::online();
        match end {
            0 => tab.closed(1, 4001),
            1 => tab.receive(1, error("a", ErrorCode::SessionExpired, false)),
            // Signed in as somebody else meanwhile: their session is not to send our messages.
            _ => tab.receive(1, ServerFrame::Hello { me: haeun(), build: String::new(), notice: None }),
        }
        tab.act(|chat| chat.send(text("하나")));
        tab.pass(60_000);
        tab.act(ChatClient::nudge);
        assert_eq!((tab.chat.connection(), tab.open.len()), (ConnectionState::SignedOut, 0));
        assert!(tab.sent.is_empty());
    }
}

const TOO_MANY: u16 = CloseCode::TooManySockets as u16;

#[test]
fn a_tab_whose_socket_went_for_a_busier_one_rests_until_somebody_comes_back_to_it() {
    let wake_ups: [fn(&mut ChatClient); 4] = [
        ChatClient::come_back,
        |chat| {
            chat.set_visible(true);
            chat.come_back();
        },
        ChatClient::typing,
        |chat| chat.send(text("하나")),
    ];
    for wake_up in wake_ups {
        let mut tab = Tab::online();
        tab.pass(20_000);
        tab.closed(1, TOO_MANY);
        assert_eq!(tab.chat.connection(), ConnectionState::Resting);
        tab.pass(60 * 60 * 1_000);
        // The network came back.
        tab.act(ChatClient::nudge);
        assert_eq!(
            (tab.open.len(), tab.chat.connection()),
            (0, ConnectionState::Resting),
            "by itself it never comes back"
        );
        tab.act(wake_up);
        assert_eq!(tab.open, [2]);
        tab.hello(2);
        assert_eq!(tab.chat.connection(), ConnectionState::Online);
    }
}

#[test]
fn a_tab_with_something_unsent_does_not_rest() {
    let mut tab = Tab::online();
    tab.act(|chat| chat.send(text("하나")));
    tab.closed(1, TOO_MANY);
    tab.pass(250);
    assert_eq!(tab.open, [2]);
    // It is refused: then it waits longer and longer, and goes on.
    tab.closed(2, CloseCode::Busy.code());
    tab.pass(250);
    assert_eq!(tab.open, [3]);

    let mut other = Tab::online();
    other.closed(1, TOO_MANY);
    assert_eq!(other.chat.connection(), ConnectionState::Resting);
    let saved = tab.saved();
    other.act(|chat| chat.adopt(saved));
    other.pass(250);
    assert_eq!(other.open, [2], "it took over what another tab had not sent");
}

#[test]
fn a_tab_that_rests_and_is_signed_out_meanwhile_says_so_when_it_comes_back() {
    let mut tab = Tab::online();
    tab.closed(1, TOO_MANY);
    tab.act(ChatClient::come_back);
    tab.closed(2, 4001);
    tab.pass(60_000);
    tab.act(ChatClient::come_back);
    assert_eq!((tab.chat.connection(), tab.open.len()), (ConnectionState::SignedOut, 0));
}

#[test]
fn a_successor_that_is_one_too_many_does_not_stop_the_tab() {
    let mut tab = Tab::online();
    tab.receive(1, ServerFrame::Move { within_ms: 5_000 });
    tab.hello(2);
    tab.closed(2, TOO_MANY);
    assert_eq!(tab.chat.connection(), ConnectionState::Online);
    tab.closed(1, 4004);
    tab.pass(5_000);
    assert_eq!(tab.open.len(), 1);
}

#[test]
fn while_the_old_socket_serves_the_next_instance_is_looked_for_without_long_waits() {
    // Numbers that lead to nearly the longest waits.
    let mut tab = Tab::with_numbers_after(999_999_900);
    tab.hello(1);
    tab.joined(1, "a", JoinedHow::Resumed, resumed(3));
    tab.joined(1, "b", JoinedHow::Newest, page(&log(7, 2)));
    let mut primary = 1;
    for round in 0..2 {
        tab.receive(primary, ServerFrame::Move { within_ms: 5_000 });
        let mut successor = primary + 1;
        for (n, wait) in [250, 500, 1_000, 1_000, 1_000, 1_000].into_iter().enumerate() {
            assert_eq!(tab.open, [primary, successor], "round {round}, {n} refusals");
            tab.hello(successor);
            tab.closed(successor, CloseCode::Restarting as u16);
            tab.pass(wait);
            successor += 1;
        }
        tab.hello(successor);
        tab.joined(successor, "a", JoinedHow::Resumed, resumed(3));
        tab.joined(successor, "b", JoinedHow::Resumed, Page { entries: vec![], ..page(&log(7, 2)) });
        assert_eq!((&tab.open[..], tab.chat.connection()), (&[successor][..], ConnectionState::Online));
        primary = successor;
    }
}

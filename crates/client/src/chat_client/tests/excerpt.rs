//! A part of a room shown apart from its end.

use super::*;
use proptest::prelude::*;

/// Jiwoo's tab at the address of message `target` of a room with `len`, of which `from..to` were rendered.
fn at_message(len: u64, from: usize, to: usize, target: u64) -> Tab {
    let screen = Opening {
        page: page(&log(EPOCH, len)[from..to]),
        newest: false,
        rooms: [room("b"), room("a")].map(|room| MyRoom { room, reading: Reading::default() }).into(),
        target: Some(target),
        ..Tab::screen()
    };
    let mut tab = Tab::of(&screen, 100);
    tab.hello(1);
    tab
}

fn shown(tab: &Tab) -> Vec<u64> {
    let seq = |row| if let Row::Message { entry, .. } = row { Some(entry.seq) } else { None };
    tab.chat.rows(&utc).into_iter().filter_map(seq).collect()
}

fn history(before: u64) -> ClientFrame {
    ClientFrame::History { room: room("a").key, epoch: Epoch(EPOCH), before }
}

fn answer(len: u64, from: usize, before: u64) -> ServerFrame {
    let to = usize::try_from(before - 1).unwrap();
    ServerFrame::History { room: room("a").key, before, page: page(&log(EPOCH, len)[from..to]) }
}

#[test]
fn a_page_further_back_stays_as_it_was_rendered_while_the_room_goes_on() {
    let mut tab = at_message(200, 20, 70, 45);
    assert_eq!((shown(&tab), tab.chat.target()), ((21..=70).collect(), Some(45)));
    tab.joined(1, "a", JoinedHow::Newest, page(&log(EPOCH, 200)[150..]));
    tab.entry(1, "a", &log(EPOCH, 201)[200]);
    assert_eq!((shown(&tab), tab.chat.newer()), ((21..=70).collect(), true));
    assert_eq!(tab.chat.older(), Older::Yes);
    tab.act(ChatClient::to_newest);
    assert_eq!((shown(&tab), tab.chat.newer(), tab.chat.target()), ((151..=201).collect(), false, None));
}

#[test]
fn a_page_that_reaches_what_is_live_becomes_one_with_it_and_loses_no_row() {
    for (from, to) in [(20, 50), (20, 60), (70, 80)] {
        let mut tab = at_message(100, from, to, 75);
        tab.joined(1, "a", JoinedHow::Newest, page(&log(EPOCH, 100)[50..]));
        let first = from.min(50) as u64 + 1;
        assert_eq!((shown(&tab), tab.chat.newer()), ((first..=100).collect(), false));
        assert_eq!(tab.chat.target(), Some(75));
    }
    let mut tab = at_message(100, 20, 49, 30);
    tab.joined(1, "a", JoinedHow::Newest, page(&log(EPOCH, 100)[50..]));
    assert!(tab.chat.newer());
    // Of a log that is not this one any more.
    let mut tab = at_message(100, 20, 60, 30);
    tab.joined(1, "a", JoinedHow::Newest, page(&forked(&log(EPOCH, 100), 30)[50..]));
    assert_eq!((shown(&tab), tab.chat.newer()), ((51..=100).collect(), false));
}

#[test]
fn a_page_that_knows_more_than_came_live_waits_for_it() {
    let mut tab = at_message(100, 20, 60, 30);
    tab.joined(1, "a", JoinedHow::Newest, page(&log(EPOCH, 55)[5..]));
    assert_eq!((shown(&tab), tab.chat.newer()), ((21..=60).collect(), true));
    for entry in &log(EPOCH, 61)[55..] {
        tab.entry(1, "a", entry);
    }
    assert_eq!((shown(&tab), tab.chat.newer()), ((6..=61).collect(), false));
}

#[test]
fn reading_on_from_there_leads_to_the_end_of_the_room() {
    let mut tab = at_message(200, 20, 70, 45);
    tab.act(ChatClient::load_newer);
    tab.joined(1, "a", JoinedHow::Newest, page(&log(EPOCH, 200)[150..]));
    tab.take_sent();
    tab.act(ChatClient::load_newer);
    tab.act(ChatClient::load_newer);
    assert_eq!(tab.take_sent(), [(1, history(121))]);
    tab.receive(1, answer(200, 70, 121));
    assert_eq!((shown(&tab), tab.chat.newer()), ((21..=120).collect(), true));
    tab.act(ChatClient::load_older);
    assert_eq!((tab.take_sent(), tab.chat.older()), (vec![(1, history(21))], Older::Loading));
    tab.receive(1, answer(200, 0, 21));
    assert_eq!((shown(&tab), tab.chat.older()), ((1..=120).collect(), Older::No));
    tab.act(ChatClient::load_newer);
    assert_eq!(tab.take_sent(), [(1, history(151))], "no further than to what is here");
    tab.receive(1, answer(200, 101, 151));
    assert_eq!((shown(&tab), tab.chat.newer()), ((1..=200).collect(), false));
    assert_eq!(tab.chat.target(), Some(45), "it is still on the page");
    tab.entry(1, "a", &log(EPOCH, 201)[200]);
    assert_eq!(shown(&tab).last(), Some(&201));
}

#[test]
fn what_one_sends_is_at_the_end_and_so_is_one() {
    let mut tab = at_message(200, 20, 70, 45);
    tab.joined(1, "a", JoinedHow::Newest, page(&log(EPOCH, 200)[150..]));
    tab.act(|chat| chat.send(text("안녕")));
    assert_eq!((shown(&tab), tab.chat.newer()), ((151..=200).collect(), false));
    assert_eq!(tab.pending(), [Pending::Waiting]);
}

#[test]
fn a_message_is_shown_where_it_is_or_fetched_with_those_around_it() {
    let mut tab = at_message(200, 20, 70, 45);
    tab.act(|chat| assert!(!chat.show(100), "nobody can be asked yet"));
    tab.joined(1, "a", JoinedHow::Newest, page(&log(EPOCH, 200)[150..]));
    tab.take_sent();
    tab.act(|chat| assert!(chat.show(60)));
    assert_eq!((tab.chat.target(), tab.take_sent()), (Some(60), vec![]));
    tab.act(|chat| assert!(chat.show(170)));
    assert_eq!((shown(&tab), tab.chat.target()), ((151..=200).collect(), Some(170)));
    tab.act(|chat| assert!(chat.show(100)));
    assert_eq!(tab.take_sent(), [(1, history(126))]);
    assert_eq!(tab.chat.target(), Some(170), "until it is there");
    tab.receive(1, answer(200, 75, 126));
    assert_eq!((shown(&tab), tab.chat.target()), ((76..=125).collect(), Some(100)));
    tab.act(|chat| assert!(chat.open(&room("b").key)));
    tab.act(|chat| assert!(chat.open(&room("a").key)));
    assert_eq!((shown(&tab), tab.chat.target()), ((151..=200).collect(), None));
}

#[test]
fn what_is_read_further_back_is_read_and_what_is_unread_goes_on_being_counted() {
    let mut tab = at_message(90, 20, 39, 30);
    let mark = |seq| protocol::frames::ReadMark { epoch: Epoch(EPOCH), seq };
    let reading = Reading { mark: Some(mark(24)), unread: 66 };
    tab.joined_at(1, "a", JoinedHow::Newest, page(&log(EPOCH, 90)[40..]), reading);
    assert_eq!(tab.unread(), [0, 66]);
    // For the true number; which makes excerpt and timeline meet.
    assert!(tab.sent.contains(&(1, history(41))));
    tab.act(|chat| chat.read_to(39));
    assert_eq!(tab.unread(), [0, 51]);
    tab.receive(1, answer(90, 0, 41));
    assert_eq!((tab.unread(), tab.chat.newer(), shown(&tab).len()), (vec![0, 51], false, 90));
}

#[test]
fn a_log_that_went_back_takes_the_excerpt_with_it() {
    let mut tab = at_message(200, 20, 70, 45);
    tab.joined(1, "a", JoinedHow::Newest, page(&log(EPOCH, 200)[150..]));
    tab.act(ChatClient::load_newer);
    let (how, other) = (JoinedHow::Reset, log(4, 5));
    tab.receive(1, ServerFrame::Reset { room: room("a").key, how, page: page(&other) });
    assert_eq!((shown(&tab), tab.chat.newer(), tab.chat.target()), ((1..=5).collect(), false, None));
    tab.receive(1, answer(200, 70, 121));
    assert_eq!(shown(&tab), (1..=5).collect::<Vec<_>>());
}

#[derive(Debug, Clone)]
enum Step {
    Live(u64),
    Older,
    Newer,
    Show(u64),
    ToNewest,
    Bottom(bool),
    /// The server answers what it was asked.
    Serve,
    Reconnect,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..200u64).prop_map(Step::Live),
        3 => Just(Step::Older),
        5 => Just(Step::Newer),
        1 => (1..600u64).prop_map(Step::Show),
        1 => Just(Step::ToNewest),
        1 => any::<bool>().prop_map(Step::Bottom),
        8 => Just(Step::Serve),
        1 => Just(Step::Reconnect),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    /// Whatever is loaded, shown and trimmed: what is on screen is one run of the log, and reading on ends where the room
    /// does.
    #[test]
    fn what_is_shown_has_no_hole_and_ends_with_the_room(
        from in 0..350usize, steps in prop::collection::vec(step(), 0..60),
    ) {
        let whole = log(EPOCH, 20_000);
        let mut top = 400;
        let mut tab = at_message(top, from, from + 50, from as u64 + 25);
        let mut socket = 1;
        tab.joined(socket, "a", JoinedHow::Newest, page(&whole[350..400]));
        let serve = |tab: &mut Tab, socket, top: u64| {
            for (to, frame) in tab.take_sent() {
                if let ClientFrame::History { before, .. } = frame && to == socket {
                    let end = usize::try_from(before.saturating_sub(1).min(top)).unwrap();
                    let page = page(&whole[end.saturating_sub(50)..end]);
                    tab.receive(socket, ServerFrame::History { room: room("a").key, before, page });
                }
            }
        };
        for step in steps {
            let before = (shown(&tab), tab.chat.newer());
            let stays = matches!(step, Step::Older | Step::Newer | Step::Reconnect);
            match step {
                Step::Live(n) => for _ in 0..n {
                    tab.entry(socket, "a", &whole[usize::try_from(top).unwrap()]);
                    top += 1;
                },
                Step::Older => tab.act(ChatClient::load_older),
                Step::Newer => tab.act(ChatClient::load_newer),
                Step::Show(seq) => tab.act(|chat| _ = chat.show(seq)),
                Step::ToNewest => tab.act(ChatClient::to_newest),
                Step::Bottom(yes) => tab.act(|chat| chat.set_at_bottom(yes)),
                Step::Serve => serve(&mut tab, socket, top),
                Step::Reconnect => {
                    tab.closed(socket, 1006);
                    tab.pass(16_000);
                    socket = *tab.open.last().unwrap();
                    tab.hello(socket);
                    let end = Page { entries: vec![], cursor: whole[usize::try_from(top - 1).unwrap()].cursor(), older: true };
                    tab.joined(socket, "a", JoinedHow::Resumed, end);
                }
            }
            let run = shown(&tab);
            prop_assert!(!run.is_empty() && run.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{run:?}");
            prop_assert!(!before.1 || !stays || before.0.iter().all(|seq| run.contains(seq)), "a row vanished");
            prop_assert!(tab.chat.newer() || run.last() == Some(&top));
        }
        for _ in 0..top / 40 {
            serve(&mut tab, socket, top);
            tab.act(ChatClient::load_newer);
        }
        prop_assert!(!tab.chat.newer());
        prop_assert_eq!(shown(&tab).last().copied(), Some(top));
    }
}

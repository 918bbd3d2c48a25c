use super::*;
use crate::{
    domain::{Cursor, Entry, Epoch, UserId},
    page::Post,
    protocol::{JoinedHow, Page, ServerFrame},
    rows::Pending,
    testing::{forked, haeun, jiwoo, log, page, person, room, text},
};

const EPOCH: u64 = 1;

/// A session and what a server would see of it.
struct Tab {
    session: Session,
    now: u64,
    /// Sockets opened and not closed since.
    open: Vec<SocketId>,
    sent: Vec<(SocketId, ClientFrame)>,
}

impl Tab {
    /// Jiwoo's, with the room "a" on screen, its first 3 entries rendered, and the room "b" beside it.
    fn new() -> Self {
        let screen = RoomScreen {
            room: room("a"),
            page: page(&log(EPOCH, 3)),
            newest: true,
            rooms: vec![room("b"), room("a")],
            count: 1,
            people: vec![jiwoo()],
            post: Post { p: ProducerId(9), text: String::new(), error: None },
        };
        let mut next = 100;
        let random = Box::new(move || {
            next += 1;
            next
        });
        let mut tab = Self { session: Session::new(jiwoo(), &screen, 0, random), now: 0, open: vec![], sent: vec![] };
        tab.collect();
        tab
    }

    /// As [`new`](Self::new), with both rooms joined on socket 1.
    fn online() -> Self {
        let mut tab = Self::new();
        tab.hello(1);
        tab.joined(1, "a", JoinedHow::Resumed, resumed(3));
        tab.joined(1, "b", JoinedHow::Newest, page(&log(7, 2)));
        tab.sent.clear();
        tab
    }

    fn collect(&mut self) {
        for command in self.session.commands() {
            match command {
                Command::Open(id) => self.open.push(id),
                Command::Close(id) => self.open.retain(|open| *open != id),
                Command::Send(id, frame) => {
                    assert!(self.open.contains(&id), "sent on a socket that is not there: {frame:?}");
                    self.sent.push((id, frame));
                }
            }
        }
    }

    fn act(&mut self, act: impl FnOnce(&mut Session)) {
        act(&mut self.session);
        self.collect();
    }

    fn receive(&mut self, socket: SocketId, frame: ServerFrame) {
        self.act(|session| session.received(socket, frame));
    }

    fn hello(&mut self, socket: SocketId) {
        self.receive(socket, ServerFrame::Hello { me: jiwoo(), build: "1".to_owned() });
    }

    fn joined(&mut self, socket: SocketId, key: &str, how: JoinedHow, page: Page) {
        let RoomRef { key: room, name } = room(key);
        self.receive(socket, ServerFrame::Joined { room, name, how, page, count: 2, people: vec![jiwoo(), haeun()] });
    }

    fn entry(&mut self, socket: SocketId, key: &str, entry: &Entry) {
        self.receive(socket, ServerFrame::Entry { room: room(key).key, entry: entry.clone() });
    }

    fn closed(&mut self, socket: SocketId, code: u16) {
        self.open.retain(|open| *open != socket);
        self.act(|session| session.closed(socket, Some(code)));
    }

    /// Lets `ms` pass, waking the session whenever it wants to be woken.
    fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        while let Some(at) = self.session.next_wake().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.act(|session| session.tick(at));
            assert!(self.session.next_wake().is_none_or(|next| next > at), "woken again at once");
        }
        self.now = end;
        self.act(|session| session.tick(end));
    }

    fn take_sent(&mut self) -> Vec<(SocketId, ClientFrame)> {
        std::mem::take(&mut self.sent)
    }

    fn seqs(&self, key: &str) -> Vec<u64> {
        self.session.timeline(&room(key).key).into_iter().flat_map(Timeline::entries).map(|entry| entry.seq).collect()
    }

    fn pending(&self) -> Vec<Pending> {
        let state = |row| if let Row::Pending { state, .. } = row { Some(state) } else { None };
        self.session.rows("UTC").into_iter().filter_map(state).collect()
    }

    fn unread(&self) -> Vec<usize> {
        self.session.rooms().iter().map(|line| line.unread).collect()
    }
}

fn cursor(seq: u64) -> Cursor {
    log(EPOCH, seq).last().map_or(Cursor::origin(Epoch(EPOCH)), Entry::cursor)
}

/// Nothing new after `seq`.
fn resumed(seq: u64) -> Page {
    Page { entries: vec![], cursor: cursor(seq), older: true }
}

fn join(key: &str, cursor: Option<Cursor>) -> ClientFrame {
    ClientFrame::Join { room: room(key).key, cursor }
}

fn send(n: u64, message: &str) -> ClientFrame {
    ClientFrame::Send { room: room("a").key, p: ProducerId(101), n, text: message.to_owned() }
}

fn ack(n: u64, seq: u64) -> ServerFrame {
    ServerFrame::Ack { room: room("a").key, p: ProducerId(101), n, at: cursor(seq) }
}

fn refused(n: u64, code: ErrorCode, retry: bool, last: Option<u64>) -> ServerFrame {
    ServerFrame::Refused { room: room("a").key, p: ProducerId(101), n, code, retry, last }
}

fn error(key: &str, code: ErrorCode, retry: bool) -> ServerFrame {
    ServerFrame::Error { code, detail: String::new(), room: Some(room(key).key), retry }
}

#[test]
fn the_rendered_page_is_continued_and_not_fetched_again() {
    let mut tab = Tab::new();
    assert_eq!(tab.open, [1]);
    assert!(tab.sent.is_empty());
    tab.hello(1);
    assert_eq!(tab.take_sent(), [(1, join("a", Some(cursor(3)))), (1, join("b", None))]);
    tab.joined(1, "a", JoinedHow::Resumed, page(&log(EPOCH, 5)[3..]));
    assert_eq!(tab.seqs("a"), [1, 2, 3, 4, 5]);
    assert_eq!((tab.session.count(), tab.session.people().len()), (2, 2));
}

#[test]
fn a_reconnect_resumes_every_room_at_its_cursor() {
    let mut tab = Tab::online();
    tab.entry(1, "a", &log(EPOCH, 4)[3]);
    tab.closed(1, 1006);
    tab.pass(250);
    assert_eq!(tab.open, [2]);
    tab.hello(2);
    assert_eq!(tab.sent, [(2, join("a", Some(cursor(4)))), (2, join("b", log(7, 2).last().map(Entry::cursor)))]);
}

#[test]
fn many_rooms_are_joined_a_few_at_a_time() {
    let mut tab = Tab::new();
    for i in 0..30 {
        tab.session.rooms.push(Room::new(room(&format!("r{i}")), ProducerId(1)));
    }
    tab.hello(1);
    assert_eq!(tab.sent.len(), 8);
    tab.joined(1, "a", JoinedHow::Resumed, resumed(3));
    assert_eq!(tab.sent.len(), 9);
}

#[test]
fn a_gap_is_closed_by_joining_again_once() {
    let mut tab = Tab::online();
    let log = log(EPOCH, 7);
    tab.entry(1, "a", &log[4]);
    tab.entry(1, "a", &log[5]);
    assert_eq!(tab.take_sent(), [(1, join("a", Some(cursor(3))))]);
    tab.joined(1, "a", JoinedHow::Resumed, page(&log[3..6]));
    tab.entry(1, "a", &log[6]);
    assert_eq!(tab.seqs("a"), [1, 2, 3, 4, 5, 6, 7]);
    assert!(tab.sent.is_empty());
}

#[test]
fn a_cursor_that_never_helps_is_given_up_slowly() {
    let mut tab = Tab::online();
    let far = &log(EPOCH, 9)[8];
    tab.entry(1, "a", far);
    tab.joined(1, "a", JoinedHow::Resumed, resumed(3));
    tab.entry(1, "a", far);
    assert_eq!(tab.take_sent(), [(1, join("a", Some(cursor(3)))), (1, join("a", None))]);
    tab.joined(1, "a", JoinedHow::Newest, resumed(3));
    tab.entry(1, "a", far);
    assert!(tab.sent.is_empty(), "not in a loop as fast as the network");
    tab.pass(2_000);
    assert_eq!(tab.take_sent(), [(1, join("a", None))]);
    tab.joined(1, "a", JoinedHow::Newest, page(&log(EPOCH, 9)[6..]));
    assert_eq!(tab.seqs("a"), [7, 8, 9]);
}

#[test]
fn a_reset_starts_over_and_says_so() {
    let mut tab = Tab::online();
    let rolled_back = forked(&log(EPOCH, 3), 2);
    tab.receive(1, ServerFrame::Reset { room: room("a").key, how: JoinedHow::Reset, page: page(&rolled_back) });
    let rows = tab.session.rows("UTC");
    assert!(matches!(rows[0], Row::Gap { reset: true, .. }), "{rows:?}");
    assert_eq!(tab.seqs("a"), [1, 2, 3]);
    // The same reset told by the other socket, or a page that only continues, is none.
    tab.receive(1, ServerFrame::Reset { room: room("a").key, how: JoinedHow::Reset, page: page(&rolled_back) });
    assert_eq!(tab.session.rows("UTC"), rows);
}

#[test]
fn a_jump_leaves_a_gap_that_history_fills() {
    let mut tab = Tab::online();
    let log = log(EPOCH, 2_000);
    tab.closed(1, 1006);
    tab.pass(250);
    tab.hello(2);
    tab.joined(2, "a", JoinedHow::Jumped, page(&log[1_950..]));
    assert!(matches!(tab.session.rows("UTC")[0], Row::Gap { reset: false, .. }));
    tab.sent.clear();
    tab.act(Session::load_older);
    tab.act(Session::load_older);
    let ask = ClientFrame::History { room: room("a").key, epoch: Epoch(EPOCH), before: 1_951 };
    assert_eq!(tab.take_sent(), [(2, ask)]);
    assert_eq!(tab.session.older(), Older::Loading);
    tab.receive(2, ServerFrame::History { room: room("a").key, before: 1_951, page: page(&log[1_900..1_950]) });
    assert_eq!(tab.session.older(), Older::Yes);
    assert_eq!(tab.seqs("a").len(), 100);
    assert!(!tab.session.rows("UTC").iter().any(|row| matches!(row, Row::Gap { .. })));
    assert_eq!(tab.session.timeline(&room("a").key).map(Timeline::cursor), Some(cursor(2_000)));
}

#[test]
fn messages_wait_for_the_socket_and_go_out_in_order() {
    let mut tab = Tab::new();
    tab.act(|session| session.send(text("하나")));
    tab.act(|session| session.send(text("둘")));
    assert_eq!(tab.pending(), [Pending::Waiting; 2]);
    tab.hello(1);
    tab.sent.clear();
    tab.joined(1, "a", JoinedHow::Resumed, resumed(3));
    assert_eq!(tab.take_sent(), [(1, send(1, "하나")), (1, send(2, "둘"))]);

    tab.receive(1, ack(1, 4));
    assert_eq!(tab.pending().len(), 2, "no flicker: the row stays until the log has it");
    let mut own = log(EPOCH, 5);
    for (i, n) in [(3, 1), (4, 2)] {
        (own[i].by, own[i].p, own[i].n) = (UserId(1), ProducerId(101), n);
    }
    tab.entry(1, "a", &own[3]);
    assert_eq!(tab.pending().len(), 1);
    tab.entry(1, "a", &own[4]);
    assert!(tab.pending().is_empty());
    tab.closed(1, 1006);
    tab.pass(250);
    tab.hello(2);
    tab.joined(2, "a", JoinedHow::Resumed, resumed(5));
    assert!(!tab.sent.iter().any(|(_, frame)| matches!(frame, ClientFrame::Send { .. })), "seen is answered");
}

#[test]
fn somebody_elses_entry_under_our_number_is_no_answer() {
    let mut tab = Tab::online();
    tab.act(|session| session.send(text("하나")));
    let mut forged = log(EPOCH, 4);
    (forged[3].p, forged[3].n) = (ProducerId(101), 1);
    tab.entry(1, "a", &forged[3]);
    assert_eq!(tab.pending(), [Pending::Waiting]);
}

#[test]
fn a_store_that_does_not_answer_is_told_and_asked_again_later() {
    let mut tab = Tab::online();
    tab.act(|session| session.send(text("하나")));
    tab.sent.clear();
    tab.receive(1, refused(1, ErrorCode::Unavailable, true, None));
    assert_eq!(tab.session.trouble(), Some(ErrorCode::Unavailable));
    assert!(tab.sent.is_empty());
    tab.pass(500);
    assert_eq!(tab.take_sent(), [(1, send(1, "하나"))]);
    tab.receive(1, ack(1, 4));
    assert_eq!(tab.session.trouble(), None);
}

#[test]
fn a_lost_producer_starts_again_under_a_new_id() {
    let mut tab = Tab::online();
    tab.act(|session| session.send(text("하나")));
    tab.receive(1, ack(1, 4));
    tab.act(|session| session.send(text("둘")));
    tab.sent.clear();
    tab.receive(1, refused(2, ErrorCode::OutOfOrder, false, Some(0)));
    let [(1, ClientFrame::Send { p, n: 1, text, .. })] = &tab.sent[..] else { panic!("{:?}", tab.sent) };
    assert_eq!((*p != ProducerId(101), text.as_str()), (true, "둘"));
}

#[test]
fn a_message_nobody_answers_costs_the_socket_its_place() {
    let mut tab = Tab::online();
    tab.act(|session| session.send(text("하나")));
    for _ in 0..40 {
        tab.pass(1_000);
        tab.receive(1, ServerFrame::Pong);
    }
    assert!(!tab.open.contains(&1));
}

#[test]
fn the_next_socket_takes_over_before_the_old_one_goes() {
    let mut tab = Tab::online();
    let log = log(EPOCH, 6);
    tab.act(|session| session.send(text("하나")));
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
    assert_eq!(tab.session.link(), Link::Online);
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
    assert_eq!(tab.session.link(), Link::Online);
    tab.joined(3, "a", JoinedHow::Resumed, resumed(3));
    tab.act(|session| session.send(text("하나")));
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
    tab.act(Session::nudge);
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
    assert_eq!(tab.session.link(), Link::Connecting);
    for socket in 2..8 {
        tab.pass(4_000);
        if tab.open.contains(&socket) {
            tab.closed(socket, 1006);
        }
    }
    assert!(matches!(tab.session.link(), Link::Offline { retry_in: 0..=15 }), "{:?}", tab.session.link());
    tab.act(Session::nudge);
    let socket = *tab.open.last().unwrap();
    tab.hello(socket);
    assert_eq!(tab.session.link(), Link::Online);
}

#[test]
fn the_end_of_the_session_ends_all_tries() {
    for end in 0..3 {
        let mut tab = Tab::online();
        match end {
            0 => tab.closed(1, 4001),
            1 => tab.receive(1, error("a", ErrorCode::SessionExpired, false)),
            // Signed in as somebody else meanwhile: their session is not to send our messages.
            _ => tab.receive(1, ServerFrame::Hello { me: haeun(), build: String::new() }),
        }
        tab.act(|session| session.send(text("하나")));
        tab.pass(60_000);
        tab.act(Session::nudge);
        assert_eq!((tab.session.link(), tab.open.len()), (Link::SignedOut, 0));
        assert!(tab.sent.is_empty());
    }
}

#[test]
fn unread_counts_what_others_wrote_out_of_sight() {
    let mut tab = Tab::online();
    let (here, there) = (log(EPOCH, 9), log(7, 9));
    tab.entry(1, "a", &here[3]);
    tab.entry(1, "b", &there[2]);
    assert_eq!(tab.unread(), [1, 0]);
    tab.act(|session| session.set_visible(false));
    tab.entry(1, "a", &here[4]);
    let mut own = there[3].clone();
    own.by = UserId(1);
    tab.entry(1, "b", &own);
    assert_eq!(tab.unread(), [1, 1]);
    tab.act(|session| session.set_visible(true));
    assert_eq!(tab.unread(), [1, 0]);
    tab.act(|session| session.set_at_bottom(false));
    tab.entry(1, "a", &here[5]);
    assert_eq!(tab.session.unread(), 2);
    tab.act(|session| assert!(session.open(&room("b").key)));
    assert_eq!(tab.unread(), [0, 1]);
}

#[test]
fn another_room_shows_at_once_and_an_unknown_one_not_at_all() {
    let mut tab = Tab::online();
    tab.session.take_rows_changed();
    tab.act(|session| assert!(session.open(&room("b").key)));
    assert!(tab.session.take_rows_changed());
    assert_eq!(tab.session.rows("UTC").iter().filter(|row| matches!(row, Row::Message { .. })).count(), 2);
    assert!(tab.sent.is_empty());
    tab.act(|session| assert!(!session.open(&room("nowhere").key)));
    assert_eq!(tab.session.open_room(), Some(&room("b")));
}

#[test]
fn a_room_that_cannot_be_joined_now_is_tried_again_and_one_that_never_can_is_not() {
    let mut tab = Tab::new();
    tab.hello(1);
    tab.sent.clear();
    tab.receive(1, error("a", ErrorCode::Unavailable, true));
    tab.receive(1, error("b", ErrorCode::RoomUnknown, false));
    assert_eq!(tab.session.trouble(), Some(ErrorCode::Unavailable));
    tab.pass(500);
    assert_eq!(tab.take_sent(), [(1, join("a", Some(cursor(3))))]);
    tab.joined(1, "a", JoinedHow::Resumed, resumed(3));
    assert_eq!(tab.session.trouble(), None);
    tab.pass(30_000);
    assert!(tab.sent.is_empty());
    tab.act(|session| assert!(!session.open(&room("b").key)));
}

#[test]
fn a_room_that_was_left_is_gone_once_the_server_says_so() {
    let mut tab = Tab::online();
    tab.act(|session| session.leave(&room("b").key));
    assert_eq!(tab.take_sent(), [(1, ClientFrame::Leave { room: room("b").key })]);
    // The answer is lost: leaving is not forgotten.
    tab.closed(1, 1006);
    tab.pass(250);
    tab.hello(2);
    assert_eq!(tab.take_sent(), [(2, join("a", Some(cursor(3)))), (2, ClientFrame::Leave { room: room("b").key })]);
    tab.receive(2, ServerFrame::Left { room: room("b").key });
    assert_eq!(tab.session.rooms().len(), 1);
    tab.entry(2, "b", &log(7, 3)[2]);
}

#[test]
fn who_came_and_went_is_folded_and_a_quick_return_is_no_news() {
    let mut tab = Tab::online();
    let mut presence = |entered: &[u64], left: &[u64]| {
        let people = |ids: &[u64]| ids.iter().map(|id| person(*id, &format!("p{id}"))).collect();
        tab.receive(
            1,
            ServerFrame::Presence {
                room: room("a").key,
                count: 5,
                people: vec![],
                entered: people(entered),
                left: people(left),
            },
        );
        let notice = |row| match row {
            Row::Notice { entered, people, .. } => Some((entered, people.iter().map(|p| p.id.0).collect::<Vec<_>>())),
            _ => None,
        };
        tab.session.rows("UTC").into_iter().filter_map(notice).collect::<Vec<_>>()
    };
    assert_eq!(presence(&[1], &[]), []);
    assert_eq!(presence(&[3], &[]), [(true, vec![3])]);
    assert_eq!(presence(&[4, 5], &[]), [(true, vec![3, 4, 5])]);
    assert_eq!(presence(&[], &[4, 5]), [(true, vec![3, 4, 5]), (false, vec![4, 5])]);
    assert_eq!(presence(&[4], &[]), [(true, vec![3, 4, 5]), (false, vec![5])]);
    assert_eq!(presence(&[5], &[]), [(true, vec![3, 4, 5])]);
}

#[test]
fn whoever_was_here_before_an_interruption_does_not_arrive_after_it() {
    let mut tab = Tab::online();
    tab.closed(1, 1012);
    tab.pass(2_000);
    tab.hello(2);
    let RoomRef { key, name } = room("a");
    let (how, page) = (JoinedHow::Resumed, resumed(3));
    tab.receive(2, ServerFrame::Joined { room: key.clone(), name, how, page, count: 0, people: vec![] });
    let entered = vec![haeun(), person(3, "새사람")];
    tab.receive(2, ServerFrame::Presence { room: key, count: 3, people: vec![], entered, left: vec![] });
    let rows = tab.session.rows("UTC");
    let Some(Row::Notice { people, .. }) = rows.last() else { panic!("{rows:?}") };
    assert_eq!(*people, [person(3, "새사람")]);
}

#[test]
fn a_room_whose_end_is_in_view_keeps_a_bounded_window() {
    let mut tab = Tab::online();
    for entry in &log(EPOCH, 1_000)[3..] {
        tab.entry(1, "a", entry);
    }
    assert!(tab.seqs("a").len() <= 400);
    assert_eq!(tab.session.older(), Older::Yes);
    assert_eq!(tab.session.timeline(&room("a").key).map(Timeline::cursor), Some(cursor(1_000)));
}

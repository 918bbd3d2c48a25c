//! What the rendered pages promise.

use super::{Assets, document};
use crate::{
    client::opening::{MyRoom, Opening},
    density::Density,
    domain::{Body, Entry, EntryId, Epoch, MESSAGE_MAX, MessageText, ProducerId, RoomName, RoomRef, UserId, UserName},
    i18n::Lang,
    page::{
        Door, LastMessage, LeftRoom, PAGE_DATA_ID, PageData, PeopleScreen, Post, Problem, RoomLine, RoomScreen,
        RoomsScreen, SIGNED_OUT, Screen,
    },
    protocol::{ErrorCode, PAGE_ENTRIES, Page, Person, ReadMark, Reading},
    steps,
    theme::Theme,
};
use leptos::{nonce::Nonce, prelude::*};

/// 2026-11-22T14:12Z
const NOW: u64 = 1_795_356_720_000;

fn person(id: u64, name: &str) -> Person {
    Person { id: UserId(id), name: UserName::parse(name).unwrap() }
}

fn room(name: &str) -> RoomRef {
    let name = RoomName::parse(name).unwrap();
    RoomRef { key: name.key(), name }
}

fn entries(texts: &[&str]) -> Vec<Entry> {
    let mut seq = 10;
    let one = |text: &&str| {
        seq += 1;
        Entry {
            epoch: Epoch(9),
            seq,
            id: EntryId(seq * 16),
            prev: EntryId((seq - 1) * 16),
            at: NOW,
            by: UserId(5),
            name: UserName::parse("\"R&D\" <하은>").unwrap(),
            p: ProducerId(1),
            n: 1,
            body: Body::Message { text: MessageText::parse(text).unwrap() },
        }
    };
    texts.iter().map(one).collect()
}

fn room_screen(texts: &[&str]) -> RoomScreen {
    let entries = entries(texts);
    let cursor = entries.last().map_or_else(|| crate::domain::Cursor::origin(Epoch(9)), Entry::cursor);
    let opening = Opening {
        room: room("디자인 리뷰"),
        page: Page { entries, cursor, older: true },
        newest: true,
        rooms: ["디자인 리뷰", "random"].map(|name| MyRoom { room: room(name), reading: Reading::default() }).into(),
        target: None,
        count: 70,
        people: vec![person(1, "지우")],
    };
    RoomScreen { opening, post: Post { p: ProducerId(0xabc), text: String::new(), error: None } }
}

fn page(screen: Screen) -> PageData {
    PageData {
        lang: Lang::Ko,
        theme: Theme::Dark,
        density: Density::Compact,
        zone: "Asia/Seoul".to_owned(),
        halves: true,
        notice: None,
        now: NOW,
        build: "b1".to_owned(),
        me: Some(person(1, "지우")),
        origin: String::new(),
        here: "/r/a?before=3".to_owned(),
        screen,
    }
}

fn html(page: PageData) -> String {
    let assets = Assets {
        css: "/pkg/hubbub.css".to_owned(),
        style: "html{}".into(),
        js: "/pkg/hubbub.js".to_owned(),
        wasm: "/pkg/hubbub.wasm".to_owned(),
        reload: None,
    };
    let html = Owner::new_root(None).with(|| document(page, &assets, Nonce::new()).to_html());
    for element in ["title", "textarea"] {
        for content in html.split(&format!("<{element}")).skip(1) {
            assert!(!content.split("</").next().unwrap().contains("<!"), "comments are text there: {content}");
        }
    }
    // Elsewhere the markers between nodes are nothing that anyone sees.
    html.replace("<!>", "")
}

fn in_room(screen: RoomScreen) -> String {
    html(page(Screen::Room(Box::new(screen))))
}

fn every_screen() -> Vec<String> {
    let mut refused = room_screen(&["see https://example.com"]);
    refused.post = Post { p: ProducerId(1), text: "\n<x>".to_owned(), error: Some(ErrorCode::TextTooLong) };
    let screens = [
        Screen::Door(Door {
            name: "<지우>".to_owned(),
            room: "\"방\"".to_owned(),
            at: String::new(),
            name_error: Some(ErrorCode::NameTaken),
            room_error: Some(ErrorCode::RoomInvalid),
            suggestions: vec!["지우 2".to_owned()],
            error: Some(ErrorCode::Unavailable),
            lively: vec![(room("<i>점심"), 4)],
        }),
        Screen::Room(Box::new(refused)),
        Screen::Rooms(RoomsScreen {
            rooms: vec![
                RoomLine {
                    room: room("a&b"),
                    mine: Some(2),
                    people: 4,
                    here: ["하은", "Megan", "<i>"].map(|name| person(2, name)).into(),
                    active_at: Some(NOW),
                    last: Some(LastMessage {
                        name: UserName::parse("<i>").unwrap(),
                        text: "<script>said last".to_owned(),
                    }),
                },
                RoomLine { room: room("quiet"), mine: None, people: 0, here: vec![], active_at: Some(NOW), last: None },
            ],
            find: "\"a".to_owned(),
            cut: true,
            back: Some(room("<i>점심")),
            left: Some(LeftRoom { room: room("<i>left"), read: Some(ReadMark { epoch: Epoch(9), seq: 5 }) }),
            create: "x/y".to_owned(),
            error: Some(ErrorCode::RoomInvalid),
        }),
        Screen::Problem(Problem {
            status: 404,
            code: ErrorCode::RoomUnknown,
            room: Some("<b>".to_owned()),
            form: None,
            address: None,
        }),
        Screen::People(PeopleScreen {
            room: room("<i>점심"),
            people: vec![person(1, "지우"), person(2, "<i>")],
            count: 5,
        }),
    ];
    screens.into_iter().map(|screen| html(page(screen))).collect()
}

/// The value of `name` on the first element whose tag contains `of`.
fn attribute<'a>(html: &'a str, of: &str, name: &str) -> Option<&'a str> {
    let tag = html.split('<').find(|tag| tag.contains(of))?;
    let value = &tag[tag.find(&format!(" {name}=\""))? + name.len() + 3..];
    Some(&value[..value.find('"')?])
}

#[test]
fn a_strict_content_security_policy_finds_nothing_to_refuse() {
    for html in every_screen() {
        assert!(html.starts_with("<!DOCTYPE html>"), "{html}");
        assert!(!html.contains(" style="), "{html}");
        assert!(!html.contains(" onclick") && !html.contains(" onload") && !html.contains("javascript:"), "{html}");
        for inline in html.split("<script").skip(1).chain(html.split("<style").skip(1)) {
            let tag = &inline[..inline.find('>').unwrap()];
            assert!(tag.contains(" nonce=\"") || tag.contains("application/json"), "{tag}");
        }
    }
}

#[test]
fn nothing_that_was_typed_becomes_html() {
    let html = in_room(room_screen(&["<img src=x onerror=alert(1)>", "</script><b>x</b>"]));
    assert!(!html.contains("<img") && !html.contains("<b>x"), "{html}");
    assert!(html.contains("&lt;img src=x"));
    let [door, _, rooms, problem, people] = &every_screen()[..] else { panic!("all screens") };
    assert!(!door.contains("<지우>") && !problem.contains("<b>"), "{problem}");
    for html in [door, rooms, people] {
        assert!(!html.contains("<i>") && !html.contains("<script>said"), "{html}");
    }
}

#[test]
fn messages_are_rows_in_log_order() {
    let html = in_room(room_screen(&["첫째 말", "둘째 말", "셋째 말"]));
    let list = html.split_once("id=\"live\"").unwrap().1;
    let places = ["\"11\"", "첫째 말", "\"12\"", "둘째 말", "\"13\"", "셋째 말"].map(|what| {
        let what = if what.starts_with('"') { format!("data-seq={what}") } else { format!(">{what}<") };
        assert_eq!(list.matches(&what).count(), 1, "{what}");
        list.find(&what).unwrap()
    });
    assert!(places.is_sorted());
    assert!(
        html.contains("오늘 · 11월 22일 일요일") && html.contains(">오후\u{a0}11:12</time>"),
        "in the reader's zone"
    );
    assert!(html.contains("href=\"/r/%EB%94%94%EC%9E%90%EC%9D%B8%20%EB%A6%AC%EB%B7%B0?before=11\""));
}

#[test]
fn the_page_data_is_what_the_page_was_rendered_from() {
    let screen = room_screen(&["하나", "</script>"]);
    let html = in_room(screen.clone());
    let start = html.find(PAGE_DATA_ID).unwrap();
    let json = &html[start..];
    let json = &json[json.find('>').unwrap() + 1..json.find("</script>").unwrap()];
    assert!(!json.contains('<'));
    let mut expected = page(Screen::Room(Box::new(screen)));
    // The document's own element says it, and no code.
    expected.density = Density::default();
    assert_eq!(serde_json::from_str::<PageData>(json).unwrap(), expected);
}

#[test]
fn a_refused_form_keeps_what_was_typed_and_says_what_is_wrong() {
    let [door, room, rooms, problem, _] = &every_screen()[..] else { panic!("all screens") };
    assert_eq!(attribute(door, "id=\"name\"", "value"), Some("&lt;지우&gt;"));
    assert_eq!(attribute(door, "id=\"room\"", "value"), Some("&quot;방&quot;"));
    assert_eq!(attribute(door, "id=\"name\"", "aria-invalid"), Some("true"));
    assert_eq!(attribute(door, "id=\"name\"", "aria-describedby"), Some("name-problem"));
    assert_eq!(attribute(door, "name=\"pick\"", "value"), Some("지우 2"));
    assert!(door.find("class=\"default\"") < door.find("name=\"pick\""), "Enter must not pick a suggestion");
    assert!(room.contains(">\n\n&lt;x></textarea>"), "{room}");
    assert_eq!(attribute(room, "<textarea".trim_start_matches('<'), "aria-invalid"), Some("true"));
    assert_eq!(attribute(room, "name=\"p\"", "value"), Some("0000000000000001"));
    assert_eq!(attribute(rooms, "id=\"room\"", "value"), Some("x/y"));
    assert_eq!(attribute(problem, "name=\"room\"", "value"), Some("&lt;b&gt;"));
}

#[test]
fn the_directory_says_what_is_going_on_where() {
    let rooms = &every_screen()[2];
    let [busy, quiet] = ["/r/a%26b", "/r/quiet"].map(|path| {
        let at = rooms.find(&format!("href=\"{path}\" class=\"line-link\"")).unwrap();
        rooms[at..].split("</li>").next().unwrap().replace(['\u{2068}', '\u{2069}'], "")
    });
    assert!(
        busy.contains("&lt;script&gt;said last")
            && busy.contains("마지막 메시지")
            && busy.contains("안 읽은 메시지 2개")
    );
    assert!(busy.contains("하은 님, Megan 님, &lt;i&gt; 님 외 1명이 접속 중") && busy.contains("참여 중"), "{busy}");
    assert!(quiet.contains("개설") && !quiet.contains("명") && !quiet.contains("참여 중"), "{quiet}");
    assert_eq!(attribute(rooms, "class=\"back\"", "href"), Some("/r/%3Ci%3E%EC%A0%90%EC%8B%AC"));
    assert_eq!(attribute(rooms, "class=\"toast\"", "action"), Some("/r/%3Ci%3Eleft/back"));
    assert_eq!(attribute(rooms, "name=\"epoch\"", "value"), Some("0000000000000009"));
    assert_eq!(attribute(rooms, "id=\"q\"", "value"), Some("&quot;a"));
}

#[test]
fn names_are_no_words_to_translate_and_proxies_leave_addresses_alone() {
    for html in every_screen() {
        let (before, rest) = html.split_once("<!--email_off--><div id=\"live\"").unwrap();
        let (live, _) = rest.split_once("</div><!--/email_off-->").unwrap();
        assert!(!before.contains("<main") && live.contains("<main"));
    }
    let directory = every_screen().remove(2);
    for name in ["<b translate=\"no\"><bdi>a&amp;b</bdi></b>", "<bdi translate=\"no\">&lt;i&gt;</bdi>"] {
        assert!(directory.contains(name), "{name} in {directory}");
    }
}

#[test]
fn whoever_is_not_listed_is_on_a_page_of_everyone() {
    let html = in_room(room_screen(&[]));
    let (before, after) = html.split_once("class=\"more\"").unwrap();
    assert!(before.ends_with("/people\" "), "{before}");
    assert!(after.starts_with(">외 69명</a>"), "{after}");
}

#[test]
fn an_untouched_composer_is_empty() {
    let html = in_room(room_screen(&["a"]));
    assert!(html.contains("></textarea>"), "{html}");
    assert_eq!(attribute(&html, "textarea", "aria-invalid"), None);
}

#[test]
fn links_open_elsewhere_and_tell_nothing() {
    let html = in_room(room_screen(&["https://example.com/x에서"]));
    assert!(
        html.contains(
            "<a href=\"https://example.com/x\" dir=\"ltr\" target=\"_blank\" rel=\"noopener noreferrer\">https://example.com/x</a>"
        ),
        "{html}"
    );
}

#[test]
fn a_link_in_letters_that_look_like_others_says_where_it_leads() {
    let html = in_room(room_screen(&["https://аррӏе.com/x https://apple.com/аррӏе"]));
    assert_eq!(attribute(&html, "a href=\"https://аррӏе.com/x\"", "title"), Some("xn--80ak6aa92e.com"));
    assert_eq!(attribute(&html, "a href=\"https://apple.com/аррӏе\"", "title"), None);
}

#[test]
fn an_entry_of_an_unknown_kind_keeps_its_place_unseen() {
    let mut screen = room_screen(&["a", "b"]);
    screen.opening.page.entries[0].body = Body::Unknown;
    let html = in_room(screen);
    assert!(html.split('<').any(|tag| tag.contains("data-seq=\"11\"") && tag.contains(" hidden")));
    assert!(!html.split('<').any(|tag| tag.contains("data-seq=\"12\"") && tag.contains(" hidden")));
}

#[test]
fn search_engines_find_the_door_but_no_room() {
    let [door, room, rooms, problem, people] = &every_screen()[..] else { panic!("all screens") };
    assert!([room, problem, people].iter().all(|html| html.contains("noindex")));
    let shown = door.split("data-nosnippet").nth(1).unwrap();
    assert!(shown.contains("&lt;i&gt;점심") && shown.contains("4명"), "rooms are shown, but not to be quoted: {door}");
    assert_eq!(door.matches("점심").count(), 3, "its place, its value, and an example of a name");
    assert!(!door.contains("noindex") && !rooms.contains("noindex"));
}

#[test]
fn a_language_or_theme_link_leads_back_to_the_page() {
    let html = in_room(room_screen(&["a"]));
    assert_eq!(attribute(&html, "hreflang=\"en\"", "href"), Some("/lang/en?next=/r/a%3Fbefore%3D3"));
    assert!(html.contains("<html lang=\"ko\" dir=\"ltr\" data-theme=\"dark\" data-density=\"compact\">"));
    assert_eq!(attribute(&html, "data-choose=\"light\"", "href"), Some("/theme/light?next=/r/a%3Fbefore%3D3"));
    assert_eq!(attribute(&html, "data-choose=\"dark\"", "aria-current"), Some("true"));
    assert_eq!(attribute(&html, "name=\"color-scheme\"", "content"), Some("dark"));
}

#[test]
fn a_message_that_was_asked_for_is_the_one_the_browser_goes_to() {
    let mut screen = room_screen(&["one", "two", "three"]);
    screen.opening.target = Some(12);
    screen.opening.newest = false;
    let html = in_room(screen);
    let tag = html.split('<').find(|tag| tag.contains("data-seq=\"12\"")).unwrap();
    assert!(tag.contains(" autofocus") && tag.contains("tabindex=\"-1\"") && tag.contains("target"), "{tag}");
    assert_eq!(html.matches(" autofocus").count(), 1);
    let address = "/r/%EB%94%94%EC%9E%90%EC%9D%B8%20%EB%A6%AC%EB%B7%B0";
    assert!(html.contains(&format!("href=\"{address}/12\"")), "the time leads to the message");
    assert!(html.contains(&format!("href=\"{address}?before=64\"")), "the page below");
}

#[test]
fn what_is_new_stands_below_a_divider() {
    let mut screen = room_screen(&["read", "new"]);
    screen.opening.rooms[0].reading.mark = Some(ReadMark { epoch: Epoch(9), seq: 11 });
    screen.opening.rooms[0].reading.unread = 1;
    let html = in_room(screen);
    let divider = html.find("class=\"day new\"").unwrap();
    assert!(html.find("data-seq=\"11\"").unwrap() < divider && divider < html.find("data-seq=\"12\"").unwrap());
}

#[test]
fn a_stranger_is_shown_the_door_instead_of_a_room() {
    let mut page = page(Screen::Room(Box::new(room_screen(&["secret"]))));
    page.me = None;
    let html = html(page);
    assert!(html.contains("action=\"/signin\"") && !html.contains("secret"));
}

#[test]
fn the_door_forgets_what_was_written_only_after_a_sign_out() {
    let door = |me: Option<Person>, here: &str| {
        let page = PageData { me, here: here.to_owned(), ..page(Screen::Door(Door::default())) };
        html(page).contains("localStorage.removeItem")
    };
    assert!(door(None, SIGNED_OUT));
    assert!(!door(None, "/"), "the session may merely have ended");
    assert!(!door(Some(person(1, "지우")), SIGNED_OUT));
    assert!(every_screen().iter().all(|html| !html.contains("Object.keys(localStorage)")));
}

#[test]
fn a_message_says_to_its_author_alone_whose_it_is() {
    let mut screen = room_screen(&["theirs", "mine"]);
    screen.opening.page.entries[1].by = UserId(1);
    let html = in_room(screen);
    let is_own = |seq| attribute(&html, seq, "class").unwrap().split(' ').any(|class| class == "own");
    assert!(!is_own("data-seq=\"11\"") && is_own("data-seq=\"12\""));
}

#[test]
fn no_page_costs_many_times_what_one_of_plain_text_does() {
    // The longest messages of such parts: bytes that were typed, bytes of the page, and steps of what reads texts.
    let page_of = |part: &str| {
        let text: String = part.chars().cycle().take(MESSAGE_MAX).collect();
        let screen = room_screen(&vec![text.trim(); PAGE_ENTRIES]);
        let mut sent = 0;
        let steps = steps::of(|| sent = in_room(screen).len());
        (text.len(), sent, steps)
    };
    let plain = page_of("plain text ");
    for part in [
        "http://a.b/?(c) ",
        "a.com ",
        "www.http://www.",
        "https://",
        "((a.b.c.d))에서",
        "&",
        "<b>\"'",
        "a\n",
        "a\u{301}\u{302}\u{303} ",
        "👩🏽‍💻",
        "a\u{5d0}\u{2067}b",
    ] {
        let (typed, sent, steps) = page_of(part);
        assert!(
            sent * plain.0 <= 5 * plain.1 * typed,
            "{part:?}: {sent} bytes of {typed}, and {plain:?} of plain text"
        );
        assert!(steps <= 3 * plain.2, "{part:?}: {steps} steps, and {plain:?} of plain text");
    }
}

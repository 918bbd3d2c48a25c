//! Pages and forms as a browser without JavaScript sees them.
#![allow(clippy::unwrap_used)]

#[path = "pages/health.rs"]
mod health;
mod support;

use app::domain::{MESSAGE_MAX, ProducerId, ROOM_NAME_MAX, USER_NAME_MAX};
use reqwest::{Response, StatusCode, header};
use support::{
    person::Person,
    server::{At, Server},
};

fn location(response: &Response) -> &str {
    response.headers()[header::LOCATION].to_str().unwrap()
}

/// The status of a GET whose path is sent as it is, without a client's own idea of how it should be spelt.
async fn raw_status(server: &Server, person: &Person, path: &str) -> u16 {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nConnection: close\r\n\r\n",
        server.address,
        person.cookie(server)
    );
    let answer = support::raw::ask(server.address, request.as_bytes()).await;
    answer.status
}

fn coded(html: &str, code: &str) -> bool {
    html.contains(&format!("data-code=\"{code}\""))
}

#[tokio::test]
async fn signing_in_leads_to_the_room_and_posting_to_the_message() {
    let server = Server::embedded(&[]).await;
    let person = Person::new();
    let response = person.post(&server, "/signin", &[("name", "지우"), ("room", "디자인 리뷰")]).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let path = "/r/%EB%94%94%EC%9E%90%EC%9D%B8%20%EB%A6%AC%EB%B7%B0";
    assert_eq!(location(&response), path);
    let response = person.post(&server, path, &[("text", "<b>안녕</b> & hello\n둘째 줄")]).await;
    assert_eq!((response.status(), location(&response)), (StatusCode::SEE_OTHER, path));
    let html = person.page(&server, path).await;
    assert!(html.contains("&lt;b&gt;안녕&lt;/b&gt; &amp; hello\n둘째 줄"), "text stays text");
    assert!(!html.contains("<b>안녕"));
    assert_eq!(person.get(&server, "/").await.headers()[header::LOCATION], path);
}

#[tokio::test]
async fn a_form_sent_twice_counts_once_and_an_edited_one_is_another_message() {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    for text in ["only-once", "only-once", "edited-after-back"] {
        let form = [("text", text), ("p", "00000000000000aa")];
        assert_eq!(person.post(&server, "/r/a", &form).await.status(), StatusCode::SEE_OTHER);
    }
    let (_, page) = person.socket(&server).await.join("a", None).await;
    let texts: Vec<_> = page.entries.iter().filter_map(|entry| entry.text()).collect();
    assert_eq!(texts, ["only-once", "edited-after-back"]);
}

#[tokio::test]
async fn wrong_names_and_rooms_are_shown_beside_their_field_with_the_text_kept() {
    let server = Server::embedded(&[]).await;
    let long_name = "가".repeat(USER_NAME_MAX + 1);
    let long_room = "가".repeat(ROOM_NAME_MAX + 1);
    for (name, room, codes) in [
        ("", "", vec!["name_empty", "room_empty"]),
        ("   ", "a", vec!["name_empty"]),
        (long_name.as_str(), long_room.as_str(), vec!["name_too_long", "room_too_long"]),
        (".", "..", vec!["name_invalid", "room_invalid"]),
        ("a\u{0}b", "a", vec!["name_invalid"]),
        ("a\u{202E}b", "x\u{2066}y", vec!["name_invalid", "room_invalid"]),
        ("a\u{200B}b", "x\u{200D}y", vec!["name_invalid", "room_invalid"]),
        ("ok", "a/b", vec!["room_invalid"]),
        ("\"><script>alert(1)</script>", "..", vec!["room_invalid"]),
    ] {
        let response = Person::new().post(&server, "/signin", &[("name", name), ("room", room)]).await;
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY, "{name:?} {room:?}");
        let html = response.text().await.unwrap();
        for code in codes {
            assert!(coded(&html, code), "{name:?} {room:?}: {code}");
        }
        if !name.contains(['\u{0}', '<']) {
            assert!(html.contains(&format!("value=\"{name}\"")), "{name:?} is kept");
        }
        assert!(!html.contains("<script>alert"), "{name:?} is text");
    }
}

#[tokio::test]
async fn a_taken_name_or_its_look_alike_is_refused_with_three_free_ones() {
    let server = Server::embedded(&[]).await;
    let _holder = Person::signed_in(&server, "Paul", "a").await;
    for name in ["Paul", "PAUL", "  paul ", "Ｐａｕｌ", "P\u{430}ul", "\u{420}aul"] {
        let response = Person::new().post(&server, "/signin", &[("name", name), ("room", "a")]).await;
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY, "{name}");
        let html = response.text().await.unwrap();
        assert!(coded(&html, "name_taken"));
        assert_eq!(html.matches("name=\"pick\"").count(), 3, "three suggestions");
        assert!(!html.contains("name=\"pick\" value=\"P\u{430}"), "{name}: none that could not be had either");
    }
    let response = Person::new().post(&server, "/signin", &[("name", "Paul"), ("pick", "Paul 2"), ("room", "a")]).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_name_that_mixes_scripts_is_refused_with_a_word_of_its_own() {
    let server = Server::embedded(&[]).await;
    for (name, room, code) in
        [("M\u{430}ria", "a", "name_mixed"), ("Maria", "d\u{435}sign", "room_mixed"), ("안нет", "a", "name_mixed")]
    {
        let response = Person::new().post(&server, "/signin", &[("name", name), ("room", room)]).await;
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY, "{name} {room}");
        let html = response.text().await.unwrap();
        assert!(coded(&html, code) && html.contains(name) && html.contains(room), "{name} {room}");
    }
    let person = Person::signed_in(&server, "Анна", "a").await;
    let response = person.post(&server, "/rooms", &[("room", "d\u{435}sign")]).await;
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(coded(&response.text().await.unwrap(), "room_mixed"));
}

#[tokio::test]
async fn a_room_that_looks_like_another_is_that_room() {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "❤\u{FE0F}").await;
    for (first, path, twins) in [
        ("❤\u{FE0F}", "/r/%E2%9D%A4%EF%B8%8F", vec!["❤", "❤\u{FE0E}"]),
        ("1", "/r/1", vec!["1\u{FE0F}", "l", "I"]),
        ("general", "/r/general", vec!["g\u{435}neral", "genera1", "ｇｅｎｅｒａｌ"]),
        ("\u{441}\u{43E}\u{441}\u{430}", "/r/%D1%81%D0%BE%D1%81%D0%B0", vec!["coca", "C0CA"]),
    ] {
        for room in [vec![first], twins].concat() {
            let response = person.post(&server, "/rooms", &[("room", room)]).await;
            assert_eq!((response.status(), location(&response)), (StatusCode::SEE_OTHER, path), "{room:?}");
        }
    }
    let newcomer = Person::new();
    let response = newcomer.post(&server, "/signin", &[("name", "하은"), ("room", "❤")]).await;
    assert_eq!((response.status(), location(&response)), (StatusCode::SEE_OTHER, "/r/%E2%9D%A4%EF%B8%8F"));
}

#[tokio::test]
async fn a_room_has_one_key_however_its_address_is_spelt_and_what_is_no_name_gets_a_page_that_says_so() {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    for (path, to) in [
        ("/r/%41", "/r/a"),
        ("/r/A", "/r/a"),
        ("/r/a/", "/r/a"),
        ("/r/Q%26A", "/r/q%26a"),
        ("/r/A?before=3", "/r/a?before=3"),
        ("/r/%20a", "/r/a"),
        ("/r/A/007?x=1", "/r/a/7?x=1"),
        ("/r/a/+7", "/r/a/7"),
    ] {
        let response = person.get(&server, path).await;
        assert_eq!((response.status(), location(&response)), (StatusCode::TEMPORARY_REDIRECT, to), "{path}");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store", "no browser keeps where it was led: {path}");
    }
    // Proxies that decode an address and encode it in their own way lead to the room and not in circles.
    for (room, spelt) in [
        ("q&a", &["/r/q%26a", "/r/q&a", "/r/%71%26%61"][..]),
        ("회의(주간)", &["/r/%ED%9A%8C%EC%9D%98%28%EC%A3%BC%EA%B0%84%29", "/r/%ed%9a%8c%ec%9d%98(%ec%a3%bc%ea%b0%84)"]),
        ("what's up", &["/r/what%27s%20up", "/r/what's%20up"]),
        ("a+b", &["/r/a%2Bb", "/r/a+b"]),
        ("8:30", &["/r/8%3A30", "/r/8:30"]),
        ("@a,b;c=d!$*", &["/r/@a,b;c=d!$*", "/r/%40a%2Cb%3Bc%3Dd%21%24%2A"]),
        ("a~b", &["/r/a~b", "/r/a%7Eb"]),
        ("100%", &["/r/100%25", "/r/100%"]),
    ] {
        assert_eq!(person.post(&server, "/rooms", &[("room", room)]).await.status(), StatusCode::SEE_OTHER);
        for path in spelt {
            assert_eq!(raw_status(&server, &person, path).await, 200, "{path}");
        }
    }
    for path in ["/r/a%2Fb", "/r/%FF", "/r/%00", "/r/%E2%80%AE", &format!("/r/{}", "x".repeat(65))] {
        let response = person.get(&server, path).await;
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        let html = response.text().await.unwrap();
        assert!(coded(&html, "room_invalid") || coded(&html, "room_too_long"), "{path}");
    }
}

#[tokio::test]
async fn a_get_never_creates_a_room_but_offers_to() {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let response = person.get(&server, "/r/100%25").await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let html = response.text().await.unwrap();
    assert!(coded(&html, "room_unknown") && html.contains("action=\"/rooms\"") && html.contains("value=\"100%\""));
    assert!(!person.page(&server, "/rooms").await.contains("100%"));
    let response = person.post(&server, "/rooms", &[("room", "100%")]).await;
    assert_eq!((response.status(), location(&response)), (StatusCode::SEE_OTHER, "/r/100%25"));
    assert_eq!(person.get(&server, "/r/100%25").await.status(), StatusCode::OK);
    assert!(person.page(&server, "/rooms").await.contains("100%"));
    let response = person.post(&server, "/rooms", &[("room", "..")]).await;
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(coded(&response.text().await.unwrap(), "room_invalid"));
}

#[tokio::test]
async fn a_message_that_is_none_is_shown_again_with_what_was_typed() {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let long = "한".repeat(MESSAGE_MAX + 1);
    for (text, code) in [(" \n ", "text_empty"), (long.as_str(), "text_too_long"), ("\u{3164}\u{200B}", "text_empty")] {
        let response = person.post(&server, "/r/a", &[("text", text)]).await;
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY, "{code}");
        let html = response.text().await.unwrap();
        assert!(coded(&html, code) && html.contains(text), "{code}");
    }
    let response = person.post(&server, "/r/nowhere", &[("text", "x")]).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_an_input_method_left_in_a_text_does_not_keep_it_from_being_sent() {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    for (typed, meant) in [("안녕\u{8}하세요", "안녕하세요"), ("\u{1B}[31merror\u{1B}[0m", "error")] {
        assert_eq!(person.post(&server, "/r/a", &[("text", typed)]).await.status(), StatusCode::SEE_OTHER);
        let html = person.page(&server, "/r/a").await;
        assert!(html.contains(meant) && !html.contains(typed), "{meant}");
    }
}

#[tokio::test]
async fn the_history_can_be_paged_without_a_script() {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let mut socket = person.socket(&server).await;
    socket.join("a", None).await;
    for n in 1..=60 {
        socket.say("a", ProducerId(1), n, &format!("message-{n:03}")).await;
    }
    socket.ack(60).await;
    let newest = person.page(&server, "/r/a").await;
    assert!(newest.contains("message-060") && newest.contains("message-011") && !newest.contains("message-010"));
    assert!(newest.contains("?before=11"), "a link to the page before");
    let older = person.page(&server, "/r/a?before=11").await;
    assert!(older.contains("message-010") && older.contains("message-001") && !older.contains("message-011"));
    for odd in ["?before=0", "?before=x", "?before=-1", "?before=99999999999999999999", "?before=9999"] {
        assert!(person.page(&server, &format!("/r/a{odd}")).await.contains("message-060"), "{odd}");
    }
}

#[tokio::test]
async fn signing_out_ends_the_session_and_a_link_fills_the_room_in() {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "디자인 리뷰").await;
    assert_eq!(person.post(&server, "/r/x/leave", &[]).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(person.post(&server, "/signout", &[]).await.status(), StatusCode::SEE_OTHER);
    let html = person.page(&server, "/r/%EB%94%94%EC%9E%90%EC%9D%B8%20%EB%A6%AC%EB%B7%B0").await;
    assert!(html.contains("value=\"디자인 리뷰\"") && html.contains("action=\"/signin\""));
    let response = person.post(&server, "/r/a", &[("text", "x")]).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    let html = response.text().await.unwrap();
    assert!(coded(&html, "session_expired"));
    assert!(html.contains("action=\"/r/a\"") && html.contains(">x</textarea>"), "kept, to be sent after signing in");
    let html = person.page(&server, "/rooms").await;
    assert!(html.contains("action=\"/signin\""));
}

#[tokio::test]
async fn forms_of_other_sites_do_nothing() {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    for origin in ["https://evil.example", "null"] {
        let request = person.http.post(server.url("/signout")).header(header::ORIGIN, origin);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert!(coded(&response.text().await.unwrap(), "origin_refused"));
    }
    assert_eq!(person.get(&server, "/r/a").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn every_page_has_a_policy_with_its_own_nonce_and_no_inline_style() {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let mut nonces = Vec::new();
    for path in ["/r/a", "/r/nowhere", "/rooms", "/nothing"] {
        let response = person.get(&server, path).await;
        let csp = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        assert_eq!(response.headers()[header::REFERRER_POLICY], "same-origin");
        let nonce = csp.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
        assert!(nonce.len() >= 16 && !csp.contains("unsafe-inline") && !csp.contains("'unsafe-eval'"));
        let html = response.text().await.unwrap();
        assert!(!html.contains(" style=") && !html.contains("onclick="), "{path}");
        let allowed = format!("nonce=\"{nonce}\"");
        for script in html.split("<script").skip(1) {
            let tag = script.split('>').next().unwrap();
            assert!(tag.contains(&allowed) || tag.contains("application/json"), "{path}: <script{tag}>: {csp}");
        }
        nonces.push(nonce);
    }
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 4, "a nonce is used once");
}

#[tokio::test]
async fn a_first_view_of_a_room_is_small() {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let mut socket = person.socket(&server).await;
    socket.join("a", None).await;
    // Words as people use them compress; random letters would not, so each message differs only here and there.
    for n in 1..=50_u64 {
        let text = format!(
            "{n:03} The tunnel ate the line for two minutes and still every word arrived in order, number {} of them all.",
            n * 7919
        );
        let text: String = text.chars().chain(" ok".chars().cycle()).take(120).collect();
        socket.say("a", ProducerId(1), n, &text).await;
    }
    socket.ack(50).await;
    let request = person.http.get(server.url("/r/a")).header(header::ACCEPT_ENCODING, "br");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_ENCODING], "br");
    let bytes = response.bytes().await.unwrap().len();
    assert!(bytes <= 15_000, "{bytes} bytes");
}

#[tokio::test]
async fn the_language_is_the_browsers_until_one_is_chosen() {
    let server = Server::embedded(&[]).await;
    let person = Person::new();
    let korean = person.http.get(server.url("/")).header(header::ACCEPT_LANGUAGE, "ko-KR,ko;q=0.9,en;q=0.5");
    assert!(korean.send().await.unwrap().text().await.unwrap().contains("<html lang=\"ko\""));
    assert!(person.page(&server, "/").await.contains("<html lang=\"en\""));
    let response = person.get(&server, "/lang/ko?next=/r/a").await;
    assert_eq!((response.status(), location(&response)), (StatusCode::SEE_OTHER, "/r/a"));
    assert!(person.page(&server, "/").await.contains("<html lang=\"ko\""));
    for next in
        ["//evil.example", "/%5Cevil.example", "/%09/evil.example", "/%0A/evil.example", "https://evil.example", ""]
    {
        let response = person.get(&server, &format!("/lang/en?next={next}")).await;
        assert_eq!(location(&response), "/", "{next}");
    }
    assert_eq!(person.get(&server, "/lang/xx").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_theme_is_the_systems_until_one_is_chosen() {
    let server = Server::embedded(&[]).await;
    let person = Person::new();
    assert!(person.page(&server, "/").await.contains("data-theme=\"system\""));
    for theme in ["dark", "light", "system"] {
        let response = person.get(&server, &format!("/theme/{theme}?next=/r/a")).await;
        assert_eq!((response.status(), location(&response)), (StatusCode::SEE_OTHER, "/r/a"));
        assert!(person.page(&server, "/").await.contains(&format!("data-theme=\"{theme}\"")));
    }
    let response = person.get(&server, "/theme/dark?next=//evil.example").await;
    assert_eq!(location(&response), "/");
    assert_eq!(person.get(&server, "/theme/pink").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn how_much_room_a_message_takes_is_known_before_the_page_is_painted() {
    let server = Server::embedded(&[]).await;
    let person = Person::new();
    assert!(person.page(&server, "/").await.contains("data-density=\"comfortable\""));
    for density in ["compact", "comfortable"] {
        let response = person.get(&server, &format!("/density/{density}?next=/r/a")).await;
        assert_eq!((response.status(), location(&response)), (StatusCode::SEE_OTHER, "/r/a"));
        assert!(person.page(&server, "/").await.contains(&format!("data-density=\"{density}\"")));
    }
    assert_eq!(person.get(&server, "/density/dense").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_message_has_an_address_and_what_is_none_gets_a_page_that_says_so() {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let mut socket = person.socket(&server).await;
    socket.join("a", None).await;
    for n in 1..=120 {
        socket.say("a", ProducerId(1), n, &format!("message-{n:03}")).await;
    }
    socket.ack(120).await;
    for (seq, first, last) in [(1, 1, 26), (40, 15, 65), (94, 69, 119), (95, 71, 120), (120, 71, 120)] {
        let html = person.page(&server, &format!("/r/a/{seq}")).await;
        let has = |n: u64| html.contains(&format!("message-{n:03}"));
        assert!(has(first) && has(last) && (first == 1 || !has(first - 1)) && !has(last + 1), "{seq}");
        let target = html.split('<').find(|tag| tag.contains(&format!("data-seq=\"{seq}\""))).unwrap();
        assert!(target.contains(" autofocus") && target.contains("target"), "{target}");
        assert_eq!(html.matches(" autofocus").count(), 1);
        assert_eq!(html.contains("class=\"unscripted\""), last < 120, "{seq}");
    }
    for odd in ["0", "121", "x", "-1", "1.5", "18446744073709551615", "99999999999999999999"] {
        let response = person.get(&server, &format!("/r/a/{odd}")).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{odd}");
        assert!(coded(&response.text().await.unwrap(), "not_found"));
    }
    assert_eq!(location(&person.get(&server, "/r/A/007").await), "/r/a/7");
    assert!(coded(&person.page(&server, "/r/nowhere/1").await, "room_unknown"));
}

#[tokio::test]
async fn signing_in_leads_to_the_message_that_was_asked_for_and_nowhere_else() {
    let server = Server::embedded(&[]).await;
    Person::signed_in(&server, "지우", "a").await.post(&server, "/r/a", &[("text", "hello")]).await;
    let person = Person::new();
    let html = person.page(&server, "/r/a/1").await;
    assert!(html.contains("name=\"at\" value=\"/r/a/1\"") && !html.contains("hello"));
    for (at, leads) in [
        ("/r/a/1", "/r/a/1"),
        ("//evil.example", "/r/a"),
        ("/r/b/1", "/r/a"),
        ("/r/a/x", "/r/a"),
        ("/r/a//evil", "/r/a"),
    ] {
        let form = [("name", "Megan"), ("room", "a"), ("at", at)];
        assert_eq!(location(&person.post(&server, "/signin", &form).await), leads, "{at}");
    }
}

#[tokio::test]
async fn files_are_cached_for_good_and_what_is_missing_is_a_page() {
    let server = Server::embedded(&[]).await;
    let person = Person::new();
    let script = person.get(&server, "/pkg/hubbub.a1b2.js").await;
    assert_eq!(script.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
    let robots = person.get(&server, "/robots.txt").await;
    assert_eq!(
        (robots.status(), robots.headers()[header::CACHE_CONTROL].to_str().unwrap()),
        (StatusCode::OK, "no-cache")
    );
    for path in ["/pkg/gone.js", "/nothing", "/../Cargo.toml", "/pkg/%2e%2e/%2e%2e/Cargo.toml"] {
        let response = person.get(&server, path).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(!response.headers().contains_key("x-powered-by"));
        assert!(coded(&response.text().await.unwrap(), "not_found"), "{path}");
    }
}

#[tokio::test]
async fn a_page_of_the_release_before_finds_its_files_where_that_one_is_named() {
    let previous = tempfile::TempDir::new().unwrap();
    let pkg = previous.path().join("pkg");
    std::fs::create_dir(&pkg).unwrap();
    std::fs::write(pkg.join("hubbub.0f0f.js"), "old").unwrap();
    std::fs::write(pkg.join("hubbub.a1b2.js"), "not this one").unwrap();
    let server = Server::embedded(&["--previous-site", previous.path().to_str().unwrap()]).await;
    let person = Person::new();
    let old = person.get(&server, "/pkg/hubbub.0f0f.js").await;
    assert_eq!(old.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
    assert_eq!(old.text().await.unwrap(), "old");
    assert_eq!(person.page(&server, "/pkg/hubbub.a1b2.js").await, "js", "its own come first");
    let gone = person.get(&server, "/pkg/hubbub.dead.js").await;
    assert_eq!(gone.status(), StatusCode::NOT_FOUND);
    let kept = gone.headers()[header::CACHE_CONTROL].to_str().unwrap().to_owned();
    assert!(kept.contains("private") && !kept.contains("immutable"), "no cache on the way keeps it: {kept}");
    let alone = Server::embedded(&[]).await;
    assert_eq!(person.get(&alone, "/pkg/hubbub.0f0f.js").await.status(), StatusCode::NOT_FOUND);
}

/// What a health check is answered: status and body.
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_names_the_request_and_never_as_the_client_does() {
    let server = Server::embedded(&[]).await;
    let mut seen = std::collections::HashSet::new();
    for path in ["/", "/health/live", "/nowhere", "/robots.txt", "/r/a"] {
        let sent = Person::new().http.get(server.url(path)).header("x-request-id", "mine").send().await.unwrap();
        let id = sent.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert!(id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{path}: {id}");
        assert!(seen.insert(id), "{path}: given twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn search_engines_are_asked_not_to_list_rooms() {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    for (path, is_of_a_room) in
        [("/r/a", true), ("/r/a/people", true), ("/r/none", true), ("/", false), ("/rooms", false)]
    {
        for visitor in [&person, &Person::new()] {
            let robots = visitor.get(&server, path).await.headers().get("x-robots-tag").cloned();
            assert_eq!(robots.is_some_and(|robots| robots == "noindex"), is_of_a_room, "{path}");
        }
    }
}

//! Signing in, making rooms and posting, and what else comes and goes by the number.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_too_often_is_told_when_to_come_back_and_members_go_on() {
    // A fiftieth of the usual: ten at once, then one in 100 s.
    let server = Server::embedded(&["--limits", "0.02"]).await;
    let (member, mut socket) = inside(&server, "Megan", "a").await;
    for n in 1..10 {
        Person::signed_in(&server, &format!("Somebody {n}"), "a").await;
    }
    let newcomer = Person::new();
    let refused = newcomer.post(&server, "/signin", &[("name", "Min <3"), ("room", "Design & more")]).await;
    assert_eq!(refused.status(), 429);
    assert!((50..=100).contains(&retry_after(&refused)), "{}", retry_after(&refused));
    let page = refused.text().await.unwrap();
    assert!(page.contains("Min &lt;3") && page.contains("Design &amp; more"), "what was typed is there: {page}");
    assert!(server.engine.name_is_free(&UserName::parse("Min <3").unwrap().key()).await.unwrap());
    // Refused ones count as well, and cost nobody who is in anything.
    for _ in 0..50 {
        let refused = newcomer.post(&server, "/signin", &[("name", ""), ("room", "a")]).await;
        // In the end there is not even a page for it.
        assert!([429, 503].contains(&refused.status().as_u16()), "{}", refused.status());
    }
    socket.say("a", P, 1, "still here").await;
    socket.ack(1).await;
    assert_eq!(member.post(&server, "/r/a", &[("text", "by a form")]).await.status(), 303);
    assert_eq!(member.get(&server, "/rooms").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_addresses_of_one_network_are_not_many_strangers() {
    // A hundredth of the usual: 5 sign-ins at once, then one in 200 s.
    let server = Server::embedded(&["--limits", "0.01", "--trusted-proxies", "127.0.0.1"]).await;
    let from = |address: String| {
        let headers = [("x-forwarded-for".try_into().unwrap(), address.parse().unwrap())].into_iter().collect();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).default_headers(headers);
        http.build().unwrap()
    };
    let sign_in = async |http: &reqwest::Client, name: &str| {
        let form = [("name", name), ("room", "a")];
        http.post(server.url("/signin")).form(&form).send().await.unwrap().status().as_u16()
    };
    // The network around them has eight times as many: 40 at once.
    let mut codes = Vec::new();
    for n in 0..44 {
        codes.push(sign_in(&from(format!("203.0.113.{n}")), &format!("Name {n}")).await);
    }
    assert_eq!((codes[..40].iter().all(|code| *code == 303), &codes[40..]), (true, &[429; 4][..]), "{codes:?}");
    assert_eq!(sign_in(&from("198.51.100.7".to_owned()), "Somebody else").await, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_does_not_hold_every_name() {
    // A hundredth of the usual: 20 names.
    let server = Server::embedded(&["--limits", "0.01"]).await;
    let tokens: Vec<_> = (0..20).map(|n| TokenHash::of(&n.to_string())).collect();
    for (n, token) in tokens.iter().enumerate() {
        let name = UserName::parse(&format!("Name {n}")).unwrap();
        server.engine.open_session(*token, &name).await.unwrap();
        server.engine.hold(*token, &["names from 127.0.0.1/32".to_owned()]).await.unwrap();
    }
    let newcomer = Person::new();
    let form = [("name", "Min <3"), ("room", "a")];
    let refused = newcomer.post(&server, "/signin", &form).await;
    assert_eq!((refused.status().as_u16(), retry_after(&refused)), (429, 60));
    assert!(refused.text().await.unwrap().contains("Min &lt;3"));
    server.engine.close_session(tokens[7]).await.unwrap();
    assert_eq!(newcomer.post(&server, "/signin", &form).await.status(), 303);
    // That was the last one again.
    assert_eq!(Person::new().post(&server, "/signin", &[("name", "Megan"), ("room", "a")]).await.status(), 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_rooms_than_one_makes_are_refused_and_those_there_are_stay_open() {
    // A tenth: four at once, then one in 300 s.
    let server = Server::embedded(&["--limits", "0.1"]).await;
    let person = Person::signed_in(&server, "지우", "first").await;
    let make = async |room: &str| person.post(&server, "/rooms", &[("room", room)]).await;
    for n in 0..4 {
        assert_eq!(make(&format!("room {n}")).await.status(), 303);
    }
    let refused = make("One <more>").await;
    assert_eq!(refused.status(), 429);
    assert!(retry_after(&refused) > 200);
    assert!(refused.text().await.unwrap().contains("One &lt;more&gt;"));
    for room in ["ROOM 0", "room 3", "first"] {
        assert_eq!(make(room).await.status(), 303, "{room} is there");
    }
    // The same by the door, as the same person.
    assert_eq!(person.post(&server, "/signin", &[("name", "지우"), ("room", "One more")]).await.status(), 429);
    assert_eq!(person.get(&server, "/r/one%20more").await.status(), 404);
    // Somebody else may.
    let other = Person::signed_in(&server, "Megan", "first").await;
    assert_eq!(other.post(&server, "/rooms", &[("room", "One more")]).await.status(), 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_does_not_make_every_room() {
    // A fiftieth: eight rooms, and ten sign-ins.
    let server = Server::embedded(&["--limits", "0.02"]).await;
    let sign_in = async |name: &str, room: &str| {
        Person::new().post(&server, "/signin", &[("name", name), ("room", room)]).await.status().as_u16()
    };
    for n in 0..8 {
        assert_eq!(sign_in(&format!("Name {n}"), &format!("room {n}")).await, 303, "{n}");
    }
    assert_eq!(sign_in("Somebody", "one more").await, 429);
    assert_eq!(sign_in("Somebody", "room 3").await, 303, "one that is there");
}

async fn only_a_room_that_is_made_is_counted(server: &Server) {
    // A fiftieth: one room of a session, four entered at once.
    let person = Person::signed_in(server, "지우", "general").await;
    let enter = async |room: &str| {
        let answer = person.post(server, "/rooms", &[("room", room)]).await;
        let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        (answer.status().as_u16(), to.unwrap_or_default())
    };
    assert_eq!(enter("genera1").await, (303, "/r/general".to_owned()), "it is there");
    assert_eq!(enter("d\u{435}sign").await, (422, String::new()), "it is never made");
    assert_eq!(enter("design").await, (303, "/r/design".to_owned()), "the first that is");
    assert_eq!(enter("lunch").await, (429, String::new()));
    // Nor does a look-alike cost one whose rooms are used up anything.
    assert_eq!(enter("genera1").await, (303, "/r/general".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_room_that_is_made_is_counted_embedded() {
    only_a_room_that_is_made_is_counted(&Server::embedded(&["--limits", "0.02"]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_room_that_is_made_is_counted_with_redis() {
    let redis = RedisServer::start(&[]);
    only_a_room_that_is_made_is_counted(&Server::redis(&redis.url(), &["--limits", "0.02"]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_store_cannot_count_nobody_is_refused() {
    let data = tempfile::TempDir::new().unwrap();
    // A fiftieth: one room of a session.
    let args = ["--limits", "0.02", "--data-dir", data.path().to_str().unwrap()];
    let server = Server::embedded(&args).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let make = async |room: &str| person.post(&server, "/rooms", &[("room", room)]).await.status().as_u16();
    assert_eq!([make("b").await, make("c").await], [303, 429]);
    let store = rusqlite::Connection::open(data.path().join("hubbub.sqlite3")).unwrap();
    store.execute_batch("ALTER TABLE quotas RENAME TO lost").unwrap();
    assert_eq!(make("c").await, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_posted_too_soon_is_still_in_its_form() {
    // Four at once, then one in 5 s.
    let server = Server::embedded(&["--limits", "0.02"]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let post = |n: usize| {
        let text = format!("message <{n}>");
        let p = format!("{n:016x}");
        let person = &person;
        let server = &server;
        async move { (n, person.post(server, "/r/a", &[("text", &text), ("p", &p)]).await) }
    };
    let answers = join_all((1..=20).map(post)).await;
    let (posted, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(_, answer)| answer.status() == 303);
    assert!(posted.len() >= 4 && !refused.is_empty(), "{} posted, {} refused", posted.len(), refused.len());
    for (n, answer) in refused {
        let status = answer.status().as_u16();
        assert!(retry_after(&answer) >= 1);
        let page = answer.text().await.unwrap();
        let kept = match status {
            429 => format!("message &lt;{n}></textarea>"),
            // Nor is there time for so many pages.
            503 => format!("name=\"text\" value=\"message &lt;{n}&gt;\""),
            status => panic!("{status}"),
        };
        assert!(page.contains(&kept), "{page}");
        assert!(page.contains(&format!(r#"value="{n:016x}""#)), "sent again, it counts once: {page}");
    }
    assert_eq!(server.engine.newest(&key("a"), 50).await.unwrap().unwrap().records.len(), posted.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_refused_costs_a_page() {
    // A fiftieth: 12 pages of a stranger and 2 of a session at once, then one in 2.5 s and in 17 s.
    let server = Server::embedded(&["--limits", "0.02"]).await;
    let member = Person::signed_in(&server, "지우", "a").await;
    for n in 0..4 {
        let (text, p) = ("\u{200b}", "0000000000000001");
        let answer = member.post(&server, "/r/a", &[("text", text), ("p", p)]).await;
        assert_eq!(answer.status(), if n < 2 { 422 } else { 503 });
        let page = answer.text().await.unwrap();
        assert!(page.contains(text) && page.contains(p), "{page}");
    }
    assert_eq!(member.get(&server, "/r/a").await.status(), 503, "they are counted together");
    let stranger = Person::new();
    let garbled = || stranger.http.post(server.url("/signin")).header("accept", "text/html").body("name=a");
    let forged = || garbled().header("origin", "null");
    let (mut pages, mut busy) = (0, 0);
    for n in 0..20 {
        let answer = match n % 3 {
            0 => stranger.http.post(server.url("/rooms")).form(&[("room", "a")]),
            1 => garbled(),
            _ => forged(),
        };
        match (n % 3, answer.send().await.unwrap().status().as_u16()) {
            (0, 401) | (1, 415) | (2, 403) => pages += 1,
            (_, 503) => busy += 1,
            (which, status) => panic!("{which}: {status}"),
        }
    }
    // Those that wait for their turn are served as well.
    assert!((12..20).contains(&pages) && busy > 0, "{pages} pages");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_enters_a_room_again_and_again_waits() {
    // Four at once, then one in 5 s.
    let server = Server::embedded(&["--limits", "0.02"]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let codes = join_all((0..12).map(|_| person.post(&server, "/rooms", &[("room", "a")]))).await;
    let codes: Vec<_> = codes.iter().map(|answer| answer.status().as_u16()).collect();
    assert!(codes.iter().filter(|&&code| code == 303).count() >= 4, "{codes:?}");
    assert!(codes.contains(&429), "{codes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_again_and_again_waits() {
    let server = Server::embedded(&["--limits", "0.02"]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(person.post(&server, "/r/a/leave", &[]).await.status().as_u16());
    }
    assert_eq!(codes.first(), Some(&303));
    assert_eq!(codes.last(), Some(&429));
}

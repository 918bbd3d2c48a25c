//! Sessions and their cookies.

use super::*;

#[tokio::test]
async fn a_browser_that_would_keep_no_cookie_takes_no_name() {
    let server = Server::embedded(&NETWORK).await;
    let host = "192.168.0.5:3000";
    let origin = format!("Origin: http://{host}");
    for _ in 0..2 {
        let answer = post(&server, "/signin", host, &[&origin], "name=Kim&room=Lobby").await;
        assert_eq!((answer.status, session(&answer)), (422, None));
        assert!(coded(&answer, "no_cookie") && answer.body.contains("HUBBUB_ALLOW_PLAIN_HTTP"));
        assert!(answer.body.contains("value=\"Kim\"") && answer.body.contains("value=\"Lobby\""), "kept");
    }
    // On the machine itself a plain cookie does, which Safari keeps too.
    for at in ["localhost:3000", "127.0.0.1:3000"] {
        let origin = format!("Origin: http://{at}");
        let answer = post(&server, "/signin", at, &[&origin], "name=Kim&room=Lobby").await;
        assert_eq!(answer.status, 303);
        let cookie = session(&answer).unwrap();
        assert!(cookie.starts_with("hubbub="), "{cookie}");
        assert!(!answer.header("set-cookie").unwrap().contains("Secure"));
        let cookie = format!("Cookie: {cookie}");
        assert_eq!(post(&server, "/signout", at, &[&origin, &cookie], "").await.status, 303);
    }
}

#[tokio::test]
async fn a_browser_that_kept_no_cookie_is_told_so_and_the_name_is_free_again() {
    let server = Server::embedded(&NETWORK).await;
    let host = "192.168.0.5:3000";
    let entered = post(&server, "/signin", host, &[], "name=Kim&room=Lobby").await;
    assert_eq!(entered.status, 303);
    let led = entered.header("location").unwrap().to_owned();
    assert!(led.starts_with("/r/lobby?in="), "{led}");
    let door = get(&server, &led, host, &[]).await;
    assert!(door.status == 200 && coded(&door, "no_cookie") && door.body.contains("value=\"Kim\""), "{}", door.body);
    // It is free: whoever keeps cookies gets it, and is led to the address that people pass on.
    let entered = post(&server, "/signin", host, &[], "name=Kim&room=Lobby").await;
    assert_eq!(entered.status, 303);
    let cookie = format!("Cookie: {}", session(&entered).unwrap());
    let led = entered.header("location").unwrap().to_owned();
    let known = get(&server, &led, host, &[&cookie]).await;
    assert_eq!((known.status, known.header("location")), (303, Some("/r/lobby")));
    // From then on nobody who has that address can end the session.
    assert!(coded(&get(&server, &led, host, &[]).await, "no_cookie"));
    assert_eq!(get(&server, "/r/lobby", host, &[&cookie]).await.status, 200);
    // Behind a proxy that says that it ended TLS there is nothing to doubt.
    let entered = post(&server, "/signin", host, &["X-Forwarded-Proto: https"], "name=Lee&room=Lobby").await;
    assert_eq!(entered.header("location"), Some("/r/lobby"));
}

#[tokio::test]
async fn two_servers_on_one_machine_leave_each_others_people_alone() {
    let (one, other) = (Server::embedded(&[]).await, Server::embedded(&[]).await);
    let person = Person::signed_in(&one, "Kim", "a").await;
    assert_eq!(person.post(&other, "/signin", &[("name", "Kim"), ("room", "a")]).await.status(), 303);
    for server in [&one, &other] {
        assert!(person.page(server, "/r/a").await.contains("id=\"page-data\""), "signed in at {}", server.address);
    }
    assert_eq!(person.post(&other, "/signout", &[]).await.status(), 303);
    assert!(person.page(&one, "/r/a").await.contains("id=\"page-data\""));
    // Nothing of this server's is left, and the other's stays where it is.
    assert_eq!(person.post(&other, "/signout", &[]).await.status(), 303);
    assert!(person.page(&one, "/r/a").await.contains("id=\"page-data\""));
}

#[tokio::test]
async fn a_session_from_before_cookies_had_ports_goes_on_and_ends_with_its_cookie() {
    let server = Server::embedded(&[]).await;
    let entered = post(&server, "/signin", "localhost", &[], "name=Kim&room=a").await;
    let cookie = session(&entered).unwrap();
    assert!(cookie.starts_with("hubbub="));
    let sent = format!("Cookie: {cookie}");
    let host = format!("localhost:{}", server.address.port());
    assert!(get(&server, "/r/a", &host, &[&sent]).await.body.contains("id=\"page-data\""));
    let out = post(&server, "/signout", &host, &[&sent], "").await;
    let cleared: Vec<&str> =
        out.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| &**value).collect();
    assert!(cleared.iter().any(|cookie| cookie.starts_with("hubbub=;") && cookie.contains("Max-Age=0")), "{cleared:?}");
}

#[tokio::test]
async fn a_session_ends_thirty_days_after_its_sign_in_however_much_it_is_used() {
    let server = Server::embedded(&[]).await;
    let token = |days: u64| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        format!("{:010x}{}", now - days * 24 * 60 * 60, "ab".repeat(32))
    };
    // Each was used a moment ago.
    let open = async |name: &str, token: &str| {
        let name = UserName::parse(name).unwrap();
        server.engine.open_session(TokenHash::of(token), &name).await.unwrap();
    };
    let is_in = async |token: &str| {
        let page = get(&server, "/rooms", "localhost", &[&format!("Cookie: hubbub={token}")]).await;
        page.body.contains("action=\"/signout\"")
    };
    let enters = async |name: &str| {
        post(&server, "/signin", "localhost", &[], &format!("name={name}&room=a")).await.status == 303
    };
    open("Young", &token(29)).await;
    assert!(is_in(&token(29)).await && !enters("Young").await);
    open("Old", &token(31)).await;
    assert!(!enters("Old").await, "nobody came with it");
    assert!(!is_in(&token(31)).await);
    assert!(enters("Old").await, "its name is free");
    // Signed in when the clock was right, asked about when it is more than a year ahead: it lives once that is mended.
    open("Ahead", &token(400)).await;
    assert!(!is_in(&token(400)).await && !enters("Ahead").await);
    // Another time makes another token, which nobody was given.
    let since_then = format!("{}{}", &token(0)[..10], &token(31)[10..]);
    assert!(!is_in(&since_then).await);
    // A sign-in gives such tokens.
    let given = session(&post(&server, "/signin", "localhost", &[], "name=New&room=a").await).unwrap();
    let value = given.strip_prefix("hubbub=").unwrap();
    let opened = UNIX_EPOCH + Duration::from_secs(u64::from_str_radix(&value[..10], 16).unwrap());
    assert!(opened.elapsed().unwrap() < Duration::from_mins(1));
}

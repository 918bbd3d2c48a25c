//! What whoever runs the server tells everybody.

use super::*;
use support::person::Socket;

fn says(store: &[&str], args: &[&str]) -> String {
    let output = program(&[store, &["notice"], args].concat()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn hears(socket: &mut Socket) -> Option<String> {
    socket
        .until(|frame| match frame {
            ServerFrame::Notice { text } => Some(text),
            _ => None,
        })
        .await
}

/// On `servers`, which share the store that `store` names.
async fn is_told_to_everybody(servers: &[SocketAddr], store: &[&str]) {
    const TEXT: &str = "15시에 <다시 시작합니다 & we restart";
    const SHOWN: &str = "15시에 &lt;다시 시작합니다 &amp; we restart";
    let first = servers[0];
    let person = Person::signed_in(&first, "지우", "a").await;
    let mut sockets = Vec::new();
    for server in servers {
        sockets.push(person.socket(server).await);
    }
    assert_eq!(says(store, &[]), "there is no notice");
    assert!(!person.page(&first, "/rooms").await.contains("class=\"notice"));
    assert_eq!(says(store, &[TEXT]), format!("everybody is told: {TEXT}"));
    for socket in &mut sockets {
        assert_eq!(hears(socket).await.as_deref(), Some(TEXT));
    }
    for path in ["/r/a", "/rooms", "/r/a/people", "/r/nowhere"] {
        assert!(person.page(&first, path).await.contains(SHOWN), "{path}");
    }
    assert!(Person::new().page(&first, "/").await.contains(SHOWN));
    let mut late = person.try_socket(&first, None).await.unwrap();
    let hello = late.frame().await;
    assert!(matches!(&hello, ServerFrame::Hello { notice: Some(notice), .. } if notice == TEXT), "{hello:?}");

    // Another in its place, which ends by itself.
    assert_eq!(says(store, &["--for", "5s", "another"]), "everybody is told: another");
    for socket in &mut sockets {
        assert_eq!(hears(socket).await.as_deref(), Some("another"));
        assert_eq!(hears(socket).await, None);
    }
    assert_eq!(says(store, &[]), "there is no notice");

    says(store, &["again"]);
    for socket in &mut sockets {
        assert_eq!(hears(socket).await.as_deref(), Some("again"));
    }
    assert_eq!(says(store, &["--clear"]), "there is no notice");
    assert_eq!(says(store, &["--clear"]), "there is no notice");
    for socket in &mut sockets {
        assert_eq!(hears(socket).await, None);
    }
    let hello = person.try_socket(&first, None).await.unwrap().frame().await;
    assert!(matches!(hello, ServerFrame::Hello { notice: None, .. }), "{hello:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_reaches_everybody_beside_the_embedded_store() {
    let server = Process::start().await;
    is_told_to_everybody(&[server.address], &["--data-dir", server.dirs[0].path().to_str().unwrap()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_reaches_everybody_on_every_instance() {
    let redis = RedisServer::start(&[]);
    let (one, two) = (Server::redis(&redis.url(), &[]).await, Server::redis(&redis.url(), &[]).await);
    is_told_to_everybody(&[one.address, two.address], &["--redis-url", &redis.url()]).await;
}

#[test]
fn what_is_no_notice_is_refused_with_what_to_do() {
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("nowhere");
    let store = ["--data-dir", data.to_str().unwrap()];
    let long = "x".repeat(281);
    for (args, what) in [
        (vec![""], "--clear takes a notice back"),
        (vec!["a\u{1b}[31m"], "nobody sees"),
        (vec![long.as_str()], "281 characters"),
        (vec!["--for", "soon", "a"], "expected a duration"),
        (vec!["--clear", "a"], "cannot be used with"),
        (vec!["a"], "--data-dir"),
    ] {
        let (output, error) = fails(&[&store[..], &["notice"], &args[..]].concat());
        assert!(!output.status.success() && error.contains(what), "{args:?}: {error}");
    }
}

//! What a server says of itself, and what it still does while no message can be written.

use crate::support::{person::Person, server::Server};
use app::{
    domain::ProducerId,
    protocol::{ErrorCode, ServerFrame},
};
use reqwest::StatusCode;

async fn health(server: &Server, what: &str) -> (u16, String) {
    let response = Person::new().get(server, &format!("/health/{what}")).await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn health_says_whether_the_process_lives_and_whether_the_store_takes_messages() {
    let server = Server::embedded(&[]).await;
    for what in ["live", "ready", "serve"] {
        assert_eq!(health(&server, what).await, (200, "ok".to_owned()), "{what}");
    }
    assert_eq!(Person::new().get(&server, "/health/other").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_server_that_takes_no_messages_says_why_and_still_shows_its_pages() {
    // More than any disk has.
    let server = Server::embedded(&["--keep-free-mib", &u32::MAX.to_string()]).await;
    assert_eq!(health(&server, "ready").await, (503, "the store cannot be written to: full".to_owned()));
    for what in ["live", "serve"] {
        assert_eq!(health(&server, what).await, (200, "ok".to_owned()), "{what}");
    }
    let person = Person::signed_in(&server, "지우", "a").await;
    let refused = person.post(&server, "/r/a", &[("text", "kept to be sent again")]).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.text().await.unwrap().contains("kept to be sent again"));
    assert_eq!(person.get(&server, "/r/a").await.status(), StatusCode::OK);
    // What the rest of the disk is left for.
    let mut socket = person.socket(&server).await;
    socket.join("a", None).await;
    socket.say("a", ProducerId(1), 1, "refused as well").await;
    let refused = |frame| match frame {
        ServerFrame::Refused { code, retry, .. } => Some((code, retry)),
        ServerFrame::Ack { .. } => panic!("taken"),
        _ => None,
    };
    assert_eq!(socket.until(refused).await, (ErrorCode::Unavailable, true));
    assert_eq!(person.post(&server, "/signout", &[]).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(socket.closed().await.code(), Some(4001));
    Person::signed_in(&server, "지우", "another").await;
}

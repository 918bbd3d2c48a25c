//! Forms that are not to the letter.

use super::*;

#[tokio::test]
async fn what_is_no_text_is_no_name_no_room_and_no_message() {
    let server = Server::embedded(&[]).await;
    let here = server.address.to_string();
    for (form, code) in [
        ("name=%ff&room=a", "name_invalid"),
        ("name=%zz&room=a", "name_invalid"),
        ("name=a%&room=a", "name_invalid"),
        ("name=%ED%A0%80&room=a", "name_invalid"),
        ("name=x&pick=%ff&room=a", "name_invalid"),
        ("name=Kim&room=%ff", "room_invalid"),
        ("name=Kim&room=%C3%28", "room_invalid"),
    ] {
        let answer = post(&server, "/signin", &here, &[], form).await;
        assert_eq!((answer.status, session(&answer)), (422, None), "{form}");
        assert!(coded(&answer, code), "{form}");
    }
    let person = Person::signed_in(&server, "지우", "a").await;
    let cookie = format!("Cookie: {}", person.cookie(&server));
    for (path, form, code) in [
        ("/r/a", "text=x%ff", "text_invalid"),
        ("/r/a", "text=x%zz", "text_invalid"),
        ("/rooms", "room=%80", "room_invalid"),
    ] {
        let answer = post(&server, path, &here, &[&cookie], form).await;
        assert!(answer.status == 422 && coded(&answer, code), "{path} {form}");
    }
    // A percent sign that was typed comes encoded.
    assert_eq!(post(&server, "/r/a", &here, &[&cookie], "text=100%25").await.status, 303);
    // In addresses, what is no text says nothing.
    for path in ["/?room=%ff", "/?room=a&room=b", "/lang/ko?next=%ff", "/r/a?before=%ff"] {
        assert!(matches!(get(&server, path, &here, &[&cookie]).await.status, 200 | 303), "{path}");
    }
    for path in ["/lang/%ff", "/theme/%ff", "/density/%ff", "/r/a/%ff"] {
        assert_eq!(get(&server, path, &here, &[&cookie]).await.status, 404, "{path}");
    }
    assert_eq!(get(&server, "/r/%ff/1", &here, &[&cookie]).await.status, 422);
}

#[tokio::test]
async fn a_form_that_cannot_be_taken_is_answered_with_a_page_that_holds_its_text() {
    let server = Server::embedded(&[]).await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let (here, cookie) = (server.address.to_string(), format!("Cookie: {}", person.cookie(&server)));
    let html = "Accept: text/html";
    // The longest message fits, each of its characters encoded.
    let longest = format!("p=00000000000000aa&text={}", "%F0%9F%91%8B".repeat(MESSAGE_MAX));
    assert_eq!(post(&server, "/r/a", &here, &[&cookie], &longest).await.status, 303);
    let beyond = format!("p=00000000000000ab&text=begin+{}", "%EA%B0%80".repeat(30_000));
    let answer = post(&server, "/r/a", &here, &[&cookie, html], &beyond).await;
    assert!(answer.status == 413 && coded(&answer, "too_large"), "{}", answer.status);
    assert!(answer.body.contains("begin 가가가") && answer.body.contains("action=\"/r/a\""), "what was read is kept");
    assert!(!answer.body.contains(char::REPLACEMENT_CHARACTER));
    assert!(answer.body.contains("name=\"p\" value=\"00000000000000ab\""), "so that it counts once");
    for (path, form) in [("/signin", "name=a&room="), ("/rooms", "room=")] {
        let form = format!("{form}{}", "x".repeat(5_000));
        let answer = post(&server, path, &here, &[&cookie, html], &form).await;
        assert!(answer.status == 413 && coded(&answer, "too_large"), "{path}");
    }
    let host = format!("Host: {here}");
    let lines = ["POST /signin HTTP/1.1", &host, html, "Content-Type: application/json", "Content-Length: 0"];
    let json = head(&server, &lines).await;
    assert!(json.status == 415 && coded(&json, "bad_request"));
    // Without a wish for a page it is a line.
    let bare = post(&server, "/signin", &here, &["Accept: */*"], &"x".repeat(5_000)).await;
    assert!(bare.status == 413 && !bare.body.contains('<'));
}

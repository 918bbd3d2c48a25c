//! Passwords of Redis that change: why there is none, and that people do not notice.

use super::*;
use std::fs;
use support::{metadata::Metadata, redis::rights::NAME};

fn host(server: &RedisServer) -> String {
    format!("redis://{NAME}@{}", server.address())
}

/// How a start ends that waits for nothing, and its only line.
async fn ends_with(variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let data = TempDir::new().unwrap();
    let mut program = program(&["--store-wait", "0s", "--port", "0"]);
    program.current_dir(data.path()).envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_a_password_or_with_a_wrong_one_says_why_and_never_what_it_is() {
    let redis = RedisServer::start_with_rights();
    let url = host(&redis);
    let metadata = Metadata::start().await;
    let at = metadata.address.to_string();
    let nobody = free_address().to_string();
    let with_iam = async |at: &str| {
        ends_with(&[("REDIS_URL", &url), ("HUBBUB_REDIS_IAM", "google"), ("GCE_METADATA_HOST", at)]).await
    };
    let mut said = vec![
        (with_iam(&nobody).await, format!("no metadata server answers at {nobody}")),
        (with_iam(&at).await, "knows of no service account: give this instance one (404)".to_owned()),
    ];
    metadata.say("200 OK", "ya29.s3cret");
    said.push((with_iam(&at).await, "is not readable as a token".to_owned()));
    metadata.say("503 Service Unavailable", "ya29.s3cret");
    said.push((with_iam(&at).await, "answers \"HTTP/1.1 503 Service Unavailable\"".to_owned()));
    metadata.give("ya29.s3cret", 3_600);
    said.push((with_iam(&at).await, format!("refused the password from the metadata server at {at}: WRONGPASS")));

    let dir = TempDir::new().unwrap();
    let file = dir.path().join("password");
    let path = file.to_str().unwrap();
    let with_file = async |url: &str| ends_with(&[("REDIS_URL", url), ("HUBBUB_REDIS_PASSWORD_FILE", path)]).await;
    said.push((with_file(&url).await, format!("cannot read --redis-password-file {path}")));
    fs::write(&file, "\n").unwrap();
    said.push((with_file(&url).await, format!("--redis-password-file {path} is empty")));
    fs::write(&file, "ya29.s3cret\n").unwrap();
    said.push((with_file(&url).await, format!("refused the password from {path}: WRONGPASS")));
    let twice = format!("redis://{NAME}:ya29.s3cret@{}", redis.address());
    said.push((with_file(&twice).await, format!("it has a password, and another one comes from {path}")));
    let sentinel = format!("redis-sentinel://{}?sentinelServiceName=mymaster", redis.address());
    said.push((with_file(&sentinel).await, "behind Sentinels".to_owned()));
    for ((status, line), expected) in said {
        assert_eq!((status, line.lines().count()), (Some(1), 1), "{line}");
        assert!(line.starts_with("hubbub: ") && line.contains(&expected) && !line.contains("s3cret"), "{line}");
    }
    let both = [("HUBBUB_REDIS_IAM", "google"), ("HUBBUB_REDIS_PASSWORD_FILE", path)];
    let (status, line) = ends_with(&both).await;
    assert!(status == Some(2) && line.contains("cannot be used with"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_talk_on_while_tokens_change_and_no_log_shows_one() {
    let redis = RedisServer::start_with_rights();
    let allow = |tokens: &[&str]| redis.allow(&[&["resetpass"], tokens].concat());
    let metadata = Metadata::start().await;
    allow(&[">s3cret-1"]);
    metadata.give("s3cret-1", 2);
    let (dir, at, url) = (TempDir::new().unwrap(), metadata.address.to_string(), host(&redis));
    let log = dir.path().join("log");
    let said = || fs::read_to_string(&log).unwrap();
    let server = Process::start_by(|args: &[&str]| {
        // The last of each counts.
        let own = ["--log", "trace", "--redis-url", &url, "--redis-iam", "google"];
        let mut program = program(&[args, &own].concat());
        program.env("GCE_METADATA_HOST", &at).stderr(fs::File::create(&log).unwrap());
        program
    })
    .await;
    let (writer, reader) =
        (Person::signed_in(&server, "지우", "a").await, Person::signed_in(&server, "Megan", "a").await);
    let (mut writing, mut reading) = (writer.socket(&server).await, reader.socket(&server).await);
    writing.join("a", None).await;
    reading.join("a", None).await;
    let mut number = 0;
    let mut talk = async || {
        number += 1;
        let at = loop {
            writing.say("a", ProducerId(1), number, &format!("message {number}")).await;
            let answer = |frame| match frame {
                ServerFrame::Ack { n, at, .. } if n == number => Some(Some(at)),
                ServerFrame::Refused { n, code: ErrorCode::Unavailable, .. } if n == number => Some(None),
                _ => None,
            };
            if let Some(at) = writing.until(answer).await {
                break at;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let seen = reading.entry().await;
        assert_eq!((seen.n, seen.cursor()), (number, at));
    };
    talk().await;
    for round in 2..5 {
        let token = format!("s3cret-{round}");
        allow(&[&format!(">{token}")]);
        redis.cli(&["CLIENT", "KILL", "USER", NAME]);
        // Refused with the one before, of which there is a word.
        let refusals = || said().matches("Redis refused the password from the metadata server").count();
        until("refused", async || refusals() >= round - 1).await;
        metadata.give(&token, 2);
        talk().await;
        until("accepted", async || said().matches("Redis accepts the password").count() >= round - 1).await;
        talk().await;
    }
    assert!(said().contains("trying again with a fresh one"));
    assert!(!said().contains("s3cret"), "a token is in the log");
}

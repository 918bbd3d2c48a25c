//! Redis over TLS, with a certificate that an authority of one's own has signed, as managed services have them.

use super::*;
use support::{certificates::certificates, redis::RedisServer};

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_of_ones_own_is_believed_where_it_is_named() {
    let dir = TempDir::new().unwrap();
    certificates(dir.path());
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (tls, [key, certificate, ca]) = (free_address(), ["redis.key", "redis.pem", "ca.pem"].map(path));
    let port = tls.port().to_string();
    let own = ["--tls-port", &port, "--tls-key-file", &key, "--tls-cert-file", &certificate, "--tls-ca-cert-file", &ca];
    let _redis = RedisServer::start(&[&own[..], &["--tls-auth-clients", "no"]].concat());
    until_it_listens(tls).await;
    let url = format!("rediss://{tls}");

    let server = Process::start_by(|args: &[&str]| {
        let mut program = program(&[args, &["--redis-url", &url]].concat());
        program.env("SSL_CERT_FILE", &ca);
        program
    })
    .await;
    let person = Person::signed_in(&server, "지우", "a").await;
    let mut socket = person.socket(&server).await;
    socket.join("a", None).await;
    socket.say("a", ProducerId(1), 1, "hello").await;
    socket.ack(1).await;

    // Nobody else is believed: not the system's authorities, nor another one.
    let other = TempDir::new().unwrap();
    certificates(other.path());
    let wrong = other.path().join("ca.pem");
    let site = site();
    for trusted in [None, Some(wrong)] {
        let port = free_address().port().to_string();
        let data = other.path().join("data");
        let dirs = ["--site-dir", site.path().to_str().unwrap(), "--data-dir", data.to_str().unwrap()];
        let mut program = program(&[&dirs[..], &["--port", &port, "--redis-url", &url]].concat());
        let output = program.envs(trusted.map(|file| ("SSL_CERT_FILE", file))).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(1) && error.contains("is not accepted") && error.contains("SSL_CERT_FILE"),
            "{error}"
        );
    }
}

//! The common promises over TLS, with an authority of one's own. Which authorities count is read from the environment of a process,
//! so they run in one of their own.

use crate::support::{certificates::certificates, server::free_address};
use std::{
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Stdio},
};
use tempfile::TempDir;

/// Where that process finds the certificates.
const CERTIFICATES: &str = "HUBBUB_TEST_CERTIFICATES";
/// The modules with the common promises.
const PROMISES: [&str; 9] = ["append", "directory", "live", "looks", "producer", "quotas", "read", "reads", "shared"];

/// In that process: what Redis is told, and where it listens.
pub fn settings() -> Option<(Vec<String>, SocketAddr)> {
    let dir = PathBuf::from(std::env::var_os(CERTIFICATES)?);
    let (address, file) = (free_address(), |name: &str| dir.join(name).to_str().unwrap().to_owned());
    let told = [
        ("--tls-port", address.port().to_string()),
        ("--tls-key-file", file("redis.key")),
        ("--tls-cert-file", file("redis.pem")),
        ("--tls-ca-cert-file", file("ca.pem")),
        ("--tls-auth-clients", "no".to_owned()),
    ];
    Some((told.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect(), address))
}

#[test]
fn what_every_engine_promises_holds_over_tls() {
    let dir = TempDir::new().unwrap();
    certificates(dir.path());
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(PROMISES.map(|about| format!("redis::{about}::")));
    again.env(CERTIFICATES, dir.path()).env("SSL_CERT_FILE", dir.path().join("ca.pem")).stdin(Stdio::null());
    let output = again.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let passed = told.split("test result: ok. ").nth(1).and_then(|told| told.split(' ').next()?.parse::<usize>().ok());
    assert!(passed.is_some_and(|passed| passed > 80), "{told}");
}

//! An authority of a test's own, and what it has signed.

use std::{
    path::Path,
    process::{Command, Stdio},
};

/// Makes an authority and a certificate for this machine.
pub fn certificates(dir: &Path) {
    let openssl = |args: &[&str]| {
        let output = Command::new("openssl").args(args).current_dir(dir).stdin(Stdio::null()).output();
        let output = output.expect("openssl is needed: scripts/setup.sh test installs it");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    openssl(
        &[&["req", "-x509"], &key[..], &["-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=An authority"]].concat(),
    );
    let name = [
        "-subj",
        "/CN=redis",
        "-addext",
        "subjectAltName=IP:127.0.0.1,DNS:localhost",
        "-addext",
        "basicConstraints=CA:FALSE",
    ];
    openssl(
        &[
            &["req", "-x509", "-CA", "ca.pem", "-CAkey", "ca.key"],
            &key[..],
            &["-keyout", "redis.key", "-out", "redis.pem"],
            &name,
        ]
        .concat(),
    );
}

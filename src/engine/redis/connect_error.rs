//! Why the engine could not be opened, and whether waiting helps.

use super::credentials::{NoPassword, PasswordFrom};
use crate::engine::StoreError;
use fred::prelude::{Error, ErrorKind};

/// Why the engine could not be opened; says what to do, never the password.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConnectError {
    #[error("the Redis URL is not usable: {0}")]
    Url(String),
    #[error("cannot reach Redis at {server}: {why}")]
    Unreachable { server: String, why: String },
    #[error(
        "the certificate of Redis at {server} is not accepted: {why}; name the file with the certificate of who signed it in \
         SSL_CERT_FILE, and reach it under a name that it is for"
    )]
    Certificate { server: String, why: String },
    #[error("Redis at {server} refused the user name or password: {why}")]
    Refused { server: String, why: String },
    #[error("Redis at {server} refused the password from {from}: {why}")]
    RefusedForNow { server: String, from: String, why: String },
    #[error("there is no password for Redis: {0}")]
    Password(#[from] NoPassword),
    #[error("Redis at {server} is version {version}; Hubbub needs 7.0 or later")]
    TooOld { server: String, version: String },
    #[error("the user at {server} lacks a right in Redis that Hubbub needs: {missing}")]
    Rights { server: String, missing: String },
    #[error(
        "what is kept in Redis at {server} has format {found}, of a later Hubbub; this one knows {known}: run that one"
    )]
    Newer { server: String, found: String, known: u64 },
    #[error("Redis does not do what Hubbub needs: {0}")]
    Unusable(StoreError),
}

impl ConnectError {
    /// Whether it stays so until somebody changes something here or there. Anything else may pass: a server that starts,
    /// loads its data, fails over or is not found yet.
    pub fn is_lasting(&self) -> bool {
        let passes = |why: &str| {
            [
                "LOADING",
                "BUSY",
                "READONLY",
                "CLUSTERDOWN",
                "MASTERDOWN",
                "TRYAGAIN",
                "MISCONF",
                "OOM",
                "NOREPLICAS",
                "AWAY",
                "redirections",
            ]
            .iter()
            .any(|code| why.contains(code))
        };
        match self {
            Self::Url(_)
            | Self::Certificate { .. }
            | Self::Refused { .. }
            | Self::TooOld { .. }
            | Self::Rights { .. }
            | Self::Newer { .. } => true,
            // The next one may be right.
            Self::RefusedForNow { .. } => false,
            Self::Password(error) => error.is_lasting,
            // A server that speaks another language than Redis 7, or has no such database.
            Self::Unreachable { why, .. } => {
                why.to_ascii_lowercase().contains("certificate")
                    || why.starts_with("ERR ")
                    || why.starts_with("NOPROTO")
            }
            Self::Unusable(StoreError(why)) => {
                !passes(why) && !why.contains("timed out") && !why.contains("closed") && !why.contains("IO Error")
            }
        }
    }
}

pub(super) fn connect_error(server: &str, password: Option<&PasswordFrom>, error: &Error) -> ConnectError {
    let (server, why) = (server.to_owned(), what_is_wrong(error));
    // As rustls says it: `… error: InvalidCertificate(UnknownIssuer) …`, or what is wrong besides.
    if let Some((_, reason)) = why.split_once("InvalidCertificate(") {
        let end = reason.rfind(')').unwrap_or(reason.len());
        return ConnectError::Certificate { server, why: reason[..end].trim_end_matches([')', '}', ' ']).to_owned() };
    }
    // HELLO is what older servers and ones without the user refuse.
    if *error.kind() == ErrorKind::Auth || why.starts_with("NOPERM") {
        match password {
            Some(from) => ConnectError::RefusedForNow { server, from: from.to_string(), why },
            None => ConnectError::Refused { server, why },
        }
    } else {
        ConnectError::Unreachable { server, why }
    }
}

/// What an error says, on one line.
pub(super) fn what_is_wrong(error: &Error) -> String {
    let text = error.details().split_whitespace().collect::<Vec<_>>().join(" ");
    // fred shows I/O errors as `Os { code: 111, kind: ConnectionRefused, message: "Connection refused" }`.
    match text.split('"').collect::<Vec<_>>().as_slice() {
        [before, message, _] if before.contains(" { ") => (*message).to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_somebody_has_to_mend_is_lasting() {
        let server = || "r:6379".to_owned();
        let unreachable = |why: &str| ConnectError::Unreachable { server: server(), why: why.to_owned() };
        let unusable = |why: &str| ConnectError::Unusable(StoreError(why.to_owned()));
        for passing in [
            unreachable("Connection refused"),
            unreachable("Request timed out."),
            unreachable("failed to lookup address information: Temporary failure in name resolution"),
            unreachable("LOADING Redis is loading the dataset in memory"),
            unreachable("CLUSTERDOWN Hash slot not served"),
            unusable("Unknown Error: READONLY You can't write against a read only replica."),
            unusable("Unknown Error: BUSY Redis is busy running a script."),
            unusable("Unknown Error: MISCONF Errors writing to the AOF file"),
            unusable("IO Error: Connection closed."),
            ConnectError::RefusedForNow {
                server: server(),
                from: "a file".to_owned(),
                why: "WRONGPASS invalid username-password pair".to_owned(),
            },
            unusable("Timeout Error: Request timed out."),
        ] {
            assert!(!passing.is_lasting(), "{passing}");
        }
        for lasting in [
            ConnectError::Url("EmptyHost".to_owned()),
            ConnectError::Refused { server: server(), why: "WRONGPASS invalid username-password pair".to_owned() },
            ConnectError::TooOld { server: server(), version: "6.2.0".to_owned() },
            ConnectError::Rights { server: server(), missing: "XADD".to_owned() },
            unreachable("invalid peer certificate: UnknownIssuer"),
            unreachable("ERR unknown command `HELLO`"),
            unreachable("ERR DB index is out of range"),
        ] {
            assert!(lasting.is_lasting(), "{lasting}");
        }
    }
}

//! A password that changes: it stands in a file that somebody else writes, or is an access token of the platform.
//!
//! Each new connection takes the one of that moment; [`renewal`] has the open ones follow. One that the server refused is not tried
//! again at once, while another one is. None is ever shown.

mod google;
mod renewal;

use fred::{
    prelude::{Error, ErrorKind, Server},
    types::config::CredentialProvider,
};
use google::{AccessToken, access_token};
use std::{
    fmt, fs,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};
use tracing::{info, warn};

/// How long a password that was refused is not tried: the first time, and at the most.
const SPARED: Duration = Duration::from_millis(500);
const SPARED_MAX: Duration = Duration::from_secs(10);
/// How often it is said what is wrong.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// Where the password of Redis comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordFrom {
    /// From its URL, if one stands there.
    Url,
    File(PathBuf),
    /// From Google's metadata server at this host, as an access token.
    Google {
        metadata_host: String,
    },
}

impl fmt::Display for PasswordFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => f.write_str("the URL"),
            Self::File(file) => write!(f, "{}", file.display()),
            Self::Google { metadata_host } => write!(f, "the metadata server at {metadata_host}"),
        }
    }
}

/// Why there is no password: one line, which says what to do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{why}")]
pub struct NoPassword {
    why: String,
    /// It stays so until somebody changes something.
    pub is_lasting: bool,
}

impl NoPassword {
    fn lasting(why: String) -> Self {
        Self { why, is_lasting: true }
    }

    fn passing(why: String) -> Self {
        Self { why, is_lasting: false }
    }
}

/// The password as it is now, for all connections of an instance.
pub struct Credentials {
    from: PasswordFrom,
    /// Of the URL; without one it is the server's own `default`.
    user: Option<String>,
    state: Mutex<PasswordState>,
    /// The server refused a password that was not refused before.
    was_refused: Notify,
}

#[derive(Default)]
struct PasswordState {
    token: Option<AccessToken>,
    /// What a connection was last made with.
    used: Option<String>,
    refused: Option<RefusedPassword>,
    said: Option<Instant>,
}

struct RefusedPassword {
    password: String,
    /// For how long it is not tried, and until when.
    spared: Duration,
    until: Instant,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("from", &self.from).finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl CredentialProvider for Credentials {
    /// fred could have open connections follow by itself, but not those of a Cluster: it sends them a `HELLO` without the password.
    async fn fetch(&self, _: Option<&Server>) -> Result<(Option<String>, Option<String>), Error> {
        let password = self.password().map_err(|error| Error::new(ErrorKind::IO, error.to_string()))?;
        let mut state = self.state();
        if let Some(refused) = &state.refused
            && refused.password == password
            && Instant::now() < refused.until
        {
            return Err(Error::new(ErrorKind::IO, "Redis refused the password, which is tried again later"));
        }
        state.used = Some(password.clone());
        Ok((self.user.clone(), Some(password)))
    }
}

impl Credentials {
    pub fn new(from: PasswordFrom, user: Option<String>) -> Self {
        Self { from, user, state: Mutex::default(), was_refused: Notify::new() }
    }

    pub fn from(&self) -> &PasswordFrom {
        &self.from
    }

    /// The password of this moment.
    fn password(&self) -> Result<String, NoPassword> {
        match &self.from {
            PasswordFrom::Url => Err(NoPassword::lasting("it stands in the URL".to_owned())),
            PasswordFrom::File(file) => {
                let text = fs::read_to_string(file).map_err(|error| {
                    NoPassword::passing(format!("cannot read --redis-password-file {}: {error}", file.display()))
                })?;
                let password = text.trim_end_matches(['\r', '\n']);
                if password.is_empty() {
                    return Err(NoPassword::passing(format!("--redis-password-file {} is empty", file.display())));
                }
                Ok(password.to_owned())
            }
            PasswordFrom::Google { metadata_host } => {
                let state = self.state();
                let token = state.token.as_ref().filter(|token| Instant::now() < token.ends_at);
                token
                    .map(|token| token.text.clone())
                    .ok_or_else(|| NoPassword::passing(format!("the last access token of {metadata_host} has expired")))
            }
        }
    }

    /// Gets a fresh password, where one has to be asked for.
    ///
    /// # Errors
    /// There is none. The one before goes on to be used until its end.
    pub async fn renew(&self) -> Result<(), NoPassword> {
        if let PasswordFrom::Google { metadata_host } = &self.from {
            let token = access_token(metadata_host).await?;
            self.state().token = Some(token);
        }
        self.password().map(drop)
    }

    /// The server refused what was last used.
    fn refused(&self, why: &str) {
        let (now, mut state) = (Instant::now(), self.state());
        let Some(password) = state.used.clone() else { return };
        let again = state.refused.as_ref().filter(|refused| refused.password == password);
        let spared = match again {
            // Another connection, which used it at the same time.
            Some(refused) if now < refused.until => return,
            Some(refused) => (refused.spared * 2).min(SPARED_MAX),
            None => SPARED,
        };
        state.refused = Some(RefusedPassword { password, spared, until: now + spared });
        drop(state);
        self.say(&format!("Redis refused the password from {}: {why}", self.from));
        self.was_refused.notify_one();
    }

    /// A connection was made.
    fn accepted(&self) {
        let mut state = self.state();
        if state.refused.take().is_some() {
            state.said = None;
            info!("Redis accepts the password from {} again", self.from);
        }
    }

    fn say(&self, what: &str) {
        let (now, mut state) = (Instant::now(), self.state());
        if state.said.is_none_or(|said| now.saturating_duration_since(said) >= SAY_EVERY) {
            state.said = Some(now);
            warn!("{what}; trying again with a fresh one");
        }
    }

    fn state(&self) -> MutexGuard<'_, PasswordState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_refused_password_is_spared_for_longer_each_time_and_another_one_is_not() {
        let dir = tempfile::TempDir::new().unwrap();
        let file = dir.path().join("password");
        let credentials = Credentials::new(PasswordFrom::File(file.clone()), Some("ann".to_owned()));
        assert!(credentials.fetch(None).await.unwrap_err().details().contains("cannot read"));
        fs::write(&file, "one\n").unwrap();
        let fetched = |password: &str| Ok((Some("ann".to_owned()), Some(password.to_owned())));
        for spared in [SPARED, SPARED * 2, SPARED * 4] {
            assert_eq!(credentials.fetch(None).await, fetched("one"));
            for _ in 0..3 {
                credentials.refused("WRONGPASS");
            }
            tokio::time::advance(spared.saturating_sub(Duration::from_millis(1))).await;
            let error = credentials.fetch(None).await.unwrap_err();
            assert!(!error.to_string().contains("one"), "{error}");
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        credentials.refused("WRONGPASS");
        fs::write(&file, "two").unwrap();
        assert_eq!(credentials.fetch(None).await, fetched("two"));
        credentials.accepted();
        assert!(!format!("{credentials:?}").contains("two"));
    }
}

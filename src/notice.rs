//! What whoever runs the server tells everybody: "We restart at 15:00." One at a time, for a while, on every page and in every
//! room that is open. It is in the store beside everything else, so that every instance tells it.

use crate::{
    config::Config,
    engine::{
        Live, embedded,
        redis::{Redis, Times},
    },
    store::NoticeText,
};
use std::{fmt, time::Duration};

/// What to do about the notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeChange {
    /// Nothing: show it.
    Show,
    Set {
        text: NoticeText,
        lasts: Duration,
    },
    Clear,
}

/// What everybody is told now, or that nobody is told anything.
pub struct NoticeNow(Option<String>);

impl fmt::Display for NoticeNow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(text) => write!(f, "everybody is told: {text}"),
            None => f.write_str("there is no notice"),
        }
    }
}

/// Does it in the store that the settings name, which running servers look at every other second.
///
/// # Errors
/// The store cannot be reached or written: one line that says what to do.
pub async fn change(config: &Config, change: &NoticeChange) -> Result<NoticeNow, String> {
    let to = match change {
        NoticeChange::Show => None,
        NoticeChange::Set { text, lasts } => Some(Some((text.as_str(), *lasts))),
        NoticeChange::Clear => Some(None),
    };
    let Some(url) = config.redis() else {
        let dir = &config.data_dir;
        if let Some(to) = to {
            embedded::set_notice(dir, to).map_err(|error| error.to_string())?;
        }
        return embedded::notice(dir).map(NoticeNow).map_err(|error| error.to_string());
    };
    let times = Times::with_session_ttl(config.session_ttl);
    let redis = Redis::connect_by(&url, &config.redis_password(), &config.redis_prefix, times)
        .await
        .map_err(|error| error.to_string())?;
    let told = match to {
        Some(to) => redis.set_notice(to).await,
        None => Ok(()),
    };
    let told = match told {
        Ok(()) => redis.notice().await.map(NoticeNow),
        Err(error) => Err(error),
    };
    redis.shutdown().await;
    told.map_err(|error| error.to_string())
}

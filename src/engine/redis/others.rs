//! What the instances of one deployment tell each other of how they were started, so that whoever looks finds out where they
//! differ. It stands beside an instance's lease, and for no longer.

use super::{Redis, health::FORMAT, script::LIVE_INSTANCES};
use crate::engine::StoreError;
use fred::prelude::KeysInterface;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How an instance was started. It can be read by whoever can read the store: nothing secret belongs here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// As `hubbub --version` says it, without the page.
    pub version: String,
    /// Of what is kept in the store.
    pub format: u64,
    /// Values of settings that have to be the same on all instances, by their arguments' names.
    pub settings: BTreeMap<String, String>,
}

/// In what another instance was started otherwise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// An argument's name, `version` or `format`.
    pub what: String,
    pub theirs: String,
    pub ours: String,
}

impl Announcement {
    pub fn new(version: String, settings: BTreeMap<String, String>) -> Self {
        Self { version, format: FORMAT, settings }
    }

    /// Where `other` differs. What only one of them knows, as where it is of a later version, is no difference.
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let own = [("version", &other.version, &self.version)];
        let formats = [other.format, self.format].map(|format| format.to_string());
        let formats = [("format", &formats[0], &formats[1])];
        let settings = self.settings.iter().filter_map(|(what, ours)| Some((&**what, other.settings.get(what)?, ours)));
        let all = own.into_iter().chain(formats).chain(settings).filter(|(_, theirs, ours)| theirs != ours);
        all.map(|(what, theirs, ours)| {
            let [what, theirs, ours] = [what, theirs, ours].map(str::to_owned);
            Difference { what, theirs, ours }
        })
        .collect()
    }
}

impl Redis {
    /// Tells the others from now on, with every renewal of the lease.
    pub async fn announce(&self, announcement: &Announcement) {
        if let Ok(json) = serde_json::to_string(announcement) {
            self.here.announce(json).await;
        }
    }

    /// What the other instances that are alive tell; `None` for one that tells nothing, or not yet.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn others(&self) -> Result<Vec<Option<Announcement>>, StoreError> {
        let own = self.here.id().await;
        let alive: Vec<String> = LIVE_INSTANCES.run(&self.client, vec![self.keys.instances()], vec![]).await?;
        let mut others = Vec::new();
        for id in alive.iter().filter(|id| **id != own) {
            let told: Option<String> = self.client.get(self.keys.instance(id)).await?;
            others.push(told.and_then(|told| serde_json::from_str(&told).ok()));
        }
        Ok(others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named_and_what_only_one_knows_is_not() {
        let of = |version: &str, settings: &[(&str, &str)]| {
            let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            Announcement::new(version.to_owned(), settings.collect())
        };
        let ours = of("1", &[("--session-ttl", "24h"), ("--limits", "1"), ("--old", "a")]);
        let theirs =
            Announcement { format: 9, ..of("2", &[("--session-ttl", "48h"), ("--limits", "1"), ("--new", "b")]) };
        let found: Vec<_> = ours.differences(&theirs).into_iter().map(|it| (it.what, it.theirs, it.ours)).collect();
        let three = |all: [&str; 3]| (all[0].to_owned(), all[1].to_owned(), all[2].to_owned());
        let expected = [["version", "2", "1"], ["format", "9", "1"], ["--session-ttl", "48h", "24h"]];
        assert_eq!(found, expected.map(three));
        assert_eq!(ours.differences(&ours.clone()), []);
    }
}

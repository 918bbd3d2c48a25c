//! `hubbub doctor`: what the settings come to, and what is wrong with them or around them. It changes nothing, but that Redis is
//! greeted as by an instance that starts: a new one is marked with its format, and a lease is taken and given back.
//!
//! | module | what it looks at |
//! |---|---|
//! | [`settings`] | where each setting comes from, names that are none, values that do not go together |
//! | [`machine`] | open files, the port, the page's files |
//! | [`data`] | the embedded store's directory |
//! | [`redis`] | Redis: version, rights, memory, persistence, its clock, how fast it answers, whether instances hear each other and are alike |
//! | [`outside`] | the public URL: its name, certificate and proxy |

mod data;
mod machine;
mod outside;
mod redis;
mod settings;

pub use settings::Told;

use crate::config::Config;
use serde::Serialize;
use std::fmt::{self, Display, Formatter};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Ok,
    /// It works, and somebody will be sorry for it.
    Warning,
    /// It does not work.
    Error,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub level: Level,
    /// A short name of what was looked at, the same whatever was found.
    pub check: &'static str,
    /// What was found and, unless it is well, what to do.
    pub says: String,
}

/// All that was found, in the order in which it was looked at.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub settings: Vec<Told>,
    pub findings: Vec<Finding>,
}

impl Report {
    fn ok(&mut self, check: &'static str, says: impl Into<String>) {
        self.findings.push(Finding { level: Level::Ok, check, says: says.into() });
    }

    fn warn(&mut self, check: &'static str, says: impl Into<String>) {
        self.findings.push(Finding { level: Level::Warning, check, says: says.into() });
    }

    fn fail(&mut self, check: &'static str, says: impl Into<String>) {
        self.findings.push(Finding { level: Level::Error, check, says: says.into() });
    }

    /// The worst that was found.
    pub fn level(&self) -> Level {
        self.findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok)
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let width = self.settings.iter().map(|told| told.name.len() + told.value.len() + 1).max().unwrap_or(0).min(60);
        for Told { name, value, from } in &self.settings {
            writeln!(f, "  {:width$}  {from}", format!("{name} {value}"))?;
        }
        for Finding { level, check, says } in &self.findings {
            let mark = match level {
                Level::Ok => "ok     ",
                Level::Warning => "WARNING",
                Level::Error => "ERROR  ",
            };
            writeln!(f, "{mark} {check}: {says}")?;
        }
        let count = |level| self.findings.iter().filter(|finding| finding.level == level).count();
        write!(f, "{} errors, {} warnings", count(Level::Error), count(Level::Warning))
    }
}

/// Looks at everything. `told`: where the settings come from.
pub async fn examine(config: &Config, told: Vec<Told>) -> Report {
    let mut report = Report { settings: told, ..Report::default() };
    settings::look(config, &mut report);
    machine::look(config, &mut report).await;
    match config.redis() {
        Some(url) => redis::look(config, &url, &mut report).await,
        None => data::look(config, &mut report),
    }
    outside::look(config, &mut report).await;
    report
}

//! What was set, and what does not go together.

use super::Report;
use crate::{
    address::{TrustedProxies, is_private},
    config::Config,
};
use clap::{ArgMatches, Command, parser::ValueSource};
use serde::Serialize;
use std::{collections::BTreeSet, time::Duration};

/// A setting as it is understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Of its argument.
    pub name: String,
    pub value: String,
    /// `argument`, `default`, or the variable.
    pub from: String,
}

impl Told {
    /// Every setting that `command` has, with what `found` says of it. Secrets are left out of values.
    pub fn all(command: &Command, found: &ArgMatches) -> Vec<Self> {
        let own = command.get_arguments().filter(|arg| arg.get_env().is_some() && !arg.is_hide_set());
        let told = own.filter_map(|arg| {
            let source = found.value_source(arg.get_id().as_str())?;
            let values = found.get_raw(arg.get_id().as_str())?;
            let value = values.map(|value| value.to_string_lossy()).collect::<Vec<_>>().join(",");
            let variable = arg.get_env().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let from = match source {
                ValueSource::CommandLine => "argument".to_owned(),
                ValueSource::EnvVariable => variable,
                _ => "default".to_owned(),
            };
            Some(Self { name: format!("--{}", arg.get_long()?), value: without_secret(&value), from })
        });
        told.collect()
    }
}

/// A URL without its password.
fn without_secret(value: &str) -> String {
    let (scheme, rest) = match value.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => return value.to_owned(),
    };
    match rest.rsplit_once('@') {
        Some((_, place)) => format!("{scheme}…@{place}"),
        None => format!("{scheme}{rest}"),
    }
}

/// Those of the variables that begin as ours do and are none.
fn unknown_variables(known: &BTreeSet<String>, set: impl Iterator<Item = String>) -> Vec<(String, Option<String>)> {
    let ours = set.filter(|name| name.starts_with("HUBBUB_") && !known.contains(name));
    let nearest = |name: &String| {
        let near = known.iter().map(|other| (distance(name, other), other)).min()?;
        (near.0 <= 3).then(|| near.1.clone())
    };
    ours.map(|name| (name.clone(), nearest(&name))).collect()
}

/// How many letters have to be changed, added or left out (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut before = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.iter().enumerate() {
            let cost = (before + usize::from(a != *b)).min(row[j] + 1).min(row[j + 1] + 1);
            before = std::mem::replace(&mut row[j + 1], cost);
        }
    }
    row[other.len()]
}

/// Read by scripts and images, not by the program.
const OTHERS: [&str; 3] = ["HUBBUB_COMMIT", "HUBBUB_TOOLS", "HUBBUB_BIN"];

pub(super) fn look(config: &Config, report: &mut Report) {
    let mut known: BTreeSet<String> = Config::variables().collect();
    known.extend(OTHERS.map(str::to_owned));
    let set = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
    let unknown = unknown_variables(&known, set);
    for (name, nearest) in &unknown {
        let hint = nearest.as_ref().map(|near| format!("; is {near} meant?")).unwrap_or_default();
        report.warn("names", format!("{name} is set, and no setting has that name{hint}"));
    }
    if unknown.is_empty() {
        report.ok("names", "no variable is set that begins with HUBBUB_ and is no setting");
    }
    for warning in config.warnings() {
        report.warn("settings", warning);
    }
    reached(config, report);
    store(config, report);
    times(config, report);
    if let Some(metrics) = config.metrics
        && !metrics.ip().is_loopback()
        && !is_private(metrics.ip())
    {
        report.warn(
            "metrics",
            format!("--metrics {metrics} can be read from other machines: name an address of a private network"),
        );
    }
}

/// How people come here.
fn reached(config: &Config, report: &mut Report) {
    let beyond = !config.host.is_loopback();
    match &config.public_url {
        None if config.cloud_run_service.is_some() => report.ok("address", "the service's run.app names are answered to"),
        None if beyond => report.warn(
            "address",
            "--public-url is not set: only localhost, addresses and names of the own network are answered to. Set it to the address that people use",
        ),
        None => report.ok("address", "for this machine alone; behind a proxy --public-url is needed"),
        Some(url) => report.ok("address", format!("people use {url}")),
    }
    if config.public_url.as_ref().is_some_and(|url| config.allowed_origins.0.contains(url)) {
        report.warn("origins", "--allowed-origins names the public URL again: it is allowed without");
    }
    if config.allowed_origins.0.iter().any(|origin| origin.starts_with("http://"))
        && config.public_url.as_ref().is_some_and(|url| url.starts_with("https://"))
    {
        report.warn("origins", "--allowed-origins has an http address beside an https public URL: whoever is on the way to it can act as people here");
    }
    let proxied = config.public_url.as_ref().is_some_and(|url| url.starts_with("https://"));
    let undeclared = matches!(config.way().proxies, TrustedProxies::Unset);
    if proxied && undeclared && config.cloud_run_service.is_none() {
        report.warn(
            "proxies",
            "the public URL is https, so a proxy ends TLS, and --trusted-proxies is not set: say its address there, or all people count as one address; none, if there is no proxy",
        );
    }
}

/// Which store is meant.
fn store(config: &Config, report: &mut Report) {
    let is_set = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
    if is_set(&config.redis_url) && is_set(&config.redis_host) {
        report.warn("store", "REDIS_URL and REDISHOST are both set: REDIS_URL is used; leave the other one out");
    }
    if config.redis().is_some() && config.keep_free_mib.is_some() {
        report.warn("store", "--keep-free-mib says nothing with Redis: its maxmemory does");
    }
    if config.ephemeral && config.cloud_run_service.is_some() {
        report.warn("store", "--ephemeral: each instance is a chat of its own, and what it holds is gone with it");
    }
}

fn times(config: &Config, report: &mut Report) {
    const HOUR: Duration = Duration::from_hours(1);
    const MINUTE: Duration = Duration::from_mins(1);
    if config.socket_lifetime >= HOUR && config.cloud_run_service.is_some() {
        report.warn(
            "times",
            "--socket-lifetime is an hour or more, and Cloud Run cuts sockets after an hour: 55m moves them before",
        );
    }
    if config.socket_lifetime < MINUTE {
        report.warn("times", "--socket-lifetime is so short that sockets do little but move: 55m is usual");
    }
    if config.session_ttl < config.socket_lifetime {
        report.warn("times", "--session-ttl is shorter than --socket-lifetime: whoever closes the page for a moment may find the name gone");
    }
    if config.keep_alive < MINUTE {
        report.warn("times", "--keep-alive is under a minute: proxies keep connections for a minute or more, and now and then a form meets one that ends");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_nearly_one_is_told_from_one_that_is_not() {
        let known = ["HUBBUB_PUBLIC_URL", "HUBBUB_HOST", "PORT"].map(str::to_owned).into();
        let set = ["HUBBUB_PUBLC_URL", "HUBBUB_HOST", "HUBBUB_COLOUR", "PATH"].map(str::to_owned);
        let found = unknown_variables(&known, set.into_iter());
        let near = |name: &str, near: Option<&str>| (name.to_owned(), near.map(str::to_owned));
        assert_eq!(found, [near("HUBBUB_PUBLC_URL", Some("HUBBUB_PUBLIC_URL")), near("HUBBUB_COLOUR", None)]);
        assert_eq!(
            (distance("abc", "abc"), distance("abc", "axc"), distance("", "ab"), distance("abc", "bc")),
            (0, 1, 2, 1)
        );
    }

    #[test]
    fn no_password_is_told() {
        for (value, told) in [
            ("redis://user:pass@host:6379", "redis://…@host:6379"),
            ("redis://:p@ss@host", "redis://…@host"),
            ("redis://host", "redis://host"),
            ("https://chat.example", "https://chat.example"),
            ("127.0.0.1", "127.0.0.1"),
        ] {
            assert_eq!(without_secret(value), told);
        }
    }
}

//! Redis, as this instance would use it.

use super::Report;
use crate::{
    config::Config,
    engine::{
        Live,
        redis::{Difference, Redis, ServerReport, Times},
    },
    start::announcement,
};
use std::{collections::BTreeMap, time::Duration};

/// A clock that differs by more makes times of messages jump when another server takes over.
const CLOCK_MAX: Duration = Duration::from_secs(5);
const SLOW: Duration = Duration::from_millis(10);
/// How full memory may be before it is worth a word, in hundredths.
const FULL: u64 = 80;

pub(super) async fn look(config: &Config, url: &str, report: &mut Report) {
    let times = Times::with_session_ttl(config.session_ttl);
    let redis = match Redis::connect_by(url, &config.redis_password(), &config.redis_prefix, times).await {
        Ok(redis) => redis,
        // Its line says what to do, as at a start.
        Err(error) => return report.fail("redis", error.to_string()),
    };
    report.ok("redis", "it answers, with a version, rights and a format that are right");
    match redis.writable().await {
        Ok(()) => report.ok("writes", "messages can be stored"),
        Err(why) => report.fail("writes", format!("messages cannot be stored: {why}")),
    }
    memory(&redis, report).await;
    persistence(&redis.examine().await, report);
    match redis.echo().await {
        Ok(took) => report.ok("echo", format!("{took:.1?} from telling the instances of something to hearing it")),
        Err(error) => report.fail(
            "echo",
            format!(
                "instances do not hear each other, and messages come late: {}; allow Redis' user all channels that begin with {}: (&{}:*), and look whether a proxy before Redis passes SSUBSCRIBE on",
                error.0, config.redis_prefix, config.redis_prefix
            ),
        ),
    }
    others(&redis, config, report).await;
    redis.shutdown().await;
}

async fn memory(redis: &Redis, report: &mut Report) {
    let vitals = redis.vitals().await;
    match vitals.redis_noeviction {
        Some(true) => report.ok("eviction", "nothing is deleted for want of memory"),
        Some(false) => {
            report
                .fail("eviction", "Redis deletes messages when its memory is full: set maxmemory-policy to noeviction");
        }
        None => report.warn(
            "eviction",
            "Redis does not say what it does when its memory is full: maxmemory-policy has to be noeviction",
        ),
    }
    if vitals.redis_evicted_keys.is_some_and(|keys| keys > 0) {
        report.warn(
            "eviction",
            "Redis has deleted keys for want of memory: sessions and records of what was sent may be gone",
        );
    }
    match (vitals.redis_used_bytes, vitals.redis_max_bytes) {
        (_, Some(0)) => report.warn(
            "memory",
            "maxmemory is not set: the machine's memory is the limit, and the system ends Redis there; set it",
        ),
        (Some(used), Some(max)) if used * 100 / max >= FULL => {
            report.warn("memory", format!("{} of {} MiB are used: raise maxmemory", used >> 20, max >> 20));
        }
        (Some(used), Some(max)) => report.ok("memory", format!("{} of {} MiB are used", used >> 20, max >> 20)),
        _ => report.warn("memory", "Redis does not say how full it is"),
    }
}

fn persistence(found: &ServerReport, report: &mut Report) {
    match (found.appends_to_file, found.syncs_always) {
        (Some(false), _) => report.warn("durability", "appendonly is off: a restart of Redis loses what came after its last snapshot. Set appendonly yes and appendfsync always"),
        (Some(true), Some(false)) => report.warn("durability", "appendfsync is not always: a power cut loses up to a second that was acknowledged"),
        (Some(true), Some(true)) => report.ok("durability", "what is acknowledged is on the disk"),
        (Some(true), None) => report.ok("durability", "there is an append-only file; how often it is synced Redis does not say"),
        (None, _) => report.warn("durability", "Redis does not say how it keeps what is stored"),
    }
    if let Some(off) = found.clock_off {
        if off > CLOCK_MAX {
            report.warn(
                "clock",
                format!("the clocks of Redis and of this machine differ by {} s: have both set by NTP", off.as_secs()),
            );
        } else {
            report.ok("clock", format!("as this machine's, within {} ms", off.as_millis().max(1)));
        }
    }
    match found.round_trip {
        Some((p50, p99)) if p50 > SLOW => report.warn(
            "round trip",
            format!("{p50:.1?} in the middle, {p99:.1?} at the most: put Redis nearer, every message waits for it"),
        ),
        Some((p50, p99)) => report.ok("round trip", format!("{p50:.1?} in the middle, {p99:.1?} at the most")),
        None => report.fail("round trip", "Redis stopped answering"),
    }
}

/// The instances of this deployment that are alive, and whether they are alike.
async fn others(redis: &Redis, config: &Config, report: &mut Report) {
    let Ok(others) = redis.others().await else { return report.fail("instances", "Redis stopped answering") };
    let ours = announcement(config);
    let told: Vec<_> = others.iter().flatten().collect();
    let mut versions = BTreeMap::<_, usize>::new();
    for theirs in &told {
        *versions.entry(&*theirs.version).or_default() += 1;
    }
    let versions: Vec<_> = versions.iter().map(|(version, count)| format!("{count} of version {version}")).collect();
    let silent = others.len() - told.len();
    let mut said = versions;
    if silent > 0 {
        said.push(format!("{silent} that do not say how they were started"));
    }
    let said = if said.is_empty() { String::new() } else { format!(": {}", said.join(", ")) };
    report.ok("instances", format!("{} use this deployment's names now{said}", others.len()));
    let mut found = BTreeMap::<_, usize>::new();
    for difference in told.iter().flat_map(|theirs| ours.differences(theirs)) {
        *found.entry(difference).or_default() += 1;
    }
    for (Difference { what, theirs, ours }, count) in found {
        report.warn(
            "instances",
            if what == "version" || what == "format" {
                format!("{count} of them have {what} {theirs} and this is {ours}: finish the roll-out, or go back")
            } else {
                format!(
                    "{count} of them have {what} {theirs:?} and these settings {ours:?}: give all instances the same"
                )
            },
        );
    }
}

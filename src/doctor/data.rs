//! The embedded store's directory.

use super::Report;
use crate::{config::Config, engine::embedded};
use std::{fs, os::unix::fs::MetadataExt};

pub(super) fn look(config: &Config, report: &mut Report) {
    let dir = &config.data_dir;
    let shown = dir.display();
    let Ok(found) = fs::metadata(dir) else {
        match dir.ancestors().skip(1).find(|dir| dir.as_os_str().is_empty() || dir.exists()) {
            Some(parent)
                if fs::metadata(if parent.as_os_str().is_empty() { ".".as_ref() } else { parent })
                    .is_ok_and(|it| it.is_dir()) =>
            {
                report.ok("data", format!("{shown} is not there yet and will be made"));
            }
            _ => report.fail(
                "data",
                format!("{shown} cannot be made: what is above it is no directory; choose another --data-dir"),
            ),
        }
        return;
    };
    if !found.is_dir() {
        return report.fail("data", format!("{shown} is no directory: choose another --data-dir"));
    }
    if found.mode() & 0o077 != 0 {
        report.warn("data", format!("{shown} can be read by other users of this machine: chmod 700 {shown}"));
    }
    match embedded::examine(dir) {
        Ok(embedded::DirectoryState { in_use, stored: None }) => {
            report.ok("data", format!("{shown} has no store yet{}", if in_use { ", and is in use" } else { "" }));
        }
        Ok(embedded::DirectoryState { in_use, stored: Some((rooms, messages)) }) => {
            let used = if in_use { "; a server uses it" } else { "" };
            report.ok("data", format!("{shown} has {messages} messages in {rooms} rooms{used}"));
        }
        Err(error) => report.fail("data", error.to_string()),
    }
    match embedded::free_and_wanted(dir, config.keep_free()) {
        Some((free, wanted)) if free < wanted => report.fail(
            "disk",
            format!(
                "{} MiB are free and messages leave {} MiB: make room, or lower --keep-free-mib",
                free >> 20,
                wanted >> 20
            ),
        ),
        Some((free, wanted)) if free < wanted.saturating_mul(3) => {
            report.warn("disk", format!("{} MiB are free; below {} MiB no message is taken", free >> 20, wanted >> 20));
        }
        Some((free, _)) => report.ok("disk", format!("{} MiB are free", free >> 20)),
        None => report.warn("disk", "it does not say how much of it is free"),
    }
}

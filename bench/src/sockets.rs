//! What the kernel holds for the server's ends of its connections, as `ss` of iproute2 tells it (Linux).

use crate::Result;
use std::{collections::HashMap, process::Command};

/// One open connection at the server's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Bytes that the server wrote to it so far, whether or not the client's end has received them.
    pub written: u64,
    /// Bytes of memory that the kernel charges to the socket: receive queue, send queue, memory reserved for them, options
    /// and backlog. The socket's own structures, which every connection has alike, are not in it, nor is what the client's
    /// end has received.
    pub memory: u64,
}

/// The open connections at `port`, by the port of their other end.
pub fn held(port: u16) -> Result<HashMap<u16, Held>> {
    let output = Command::new("ss")
        .args(["-timnOH", "state", "established", "sport", "=", &format!(":{port}")])
        .output()
        .map_err(|error| format!("cannot run ss, which is part of iproute2: {error}"))?;
    if !output.status.success() {
        return Err(format!("ss: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let listing = String::from_utf8(output.stdout)?;
    listing.lines().map(|line| parse(line).ok_or_else(|| format!("ss wrote {line:?}").into())).collect()
}

/// A line such as `0 3644 127.0.0.1:3000 127.0.0.1:47428 skmem:(r0,rb131072,t0,tb87040,f928,w4832,o0,bl0,d0) cubic
/// bytes_acked:9120 …`, where the second number is what was written and not acknowledged.
fn parse(line: &str) -> Option<(u16, Held)> {
    let mut fields = line.split_whitespace().skip(1);
    let unacknowledged = fields.next()?.parse::<u64>().ok()?;
    let peer = fields.nth(1)?.rsplit(':').next()?.parse().ok()?;
    let memory = fields.find_map(|field| field.strip_prefix("skmem:("))?.strip_suffix(')')?;
    let amount = |name: &str| {
        let digits = |item: &str| item.strip_prefix(name).and_then(|rest| rest.parse::<u64>().ok());
        memory.split(',').find_map(digits)
    };
    // `rb` and `tb` are limits, `t` counts packets that `w` counts already, `d` is a number of drops.
    let memory = ["r", "w", "f", "o", "bl"].into_iter().map(amount).sum::<Option<u64>>()?;
    // Left out while it is zero.
    let acknowledged = fields.find_map(|field| field.strip_prefix("bytes_acked:")?.parse().ok()).unwrap_or(0);
    Some((peer, Held { written: acknowledged + unacknowledged, memory }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_what_is_used_not_what_is_allowed() {
        let queues = "7      3644 127.0.0.1:3000 127.0.0.1:47428";
        let line =
            format!("{queues} skmem:(r5,rb131072,t9,tb87040,f928,w4832,o1,bl2,d8) cubic bytes_acked:20 segs_out:3");
        assert_eq!(parse(&line), Some((47428, Held { written: 3664, memory: 5 + 928 + 4832 + 1 + 2 })));
        assert_eq!(parse(queues), None);
    }
}

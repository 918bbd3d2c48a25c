//! Cold joins: each by a server that was just started, into a room of which it has nothing in memory.

use crate::{
    Result,
    client::{Client, key, sign_in},
    server::Server,
};
use app::domain::RoomKey;
use std::{path::Path, time::Duration};

pub async fn measure(program: &Path, runs: usize, short: u64, long: u64) -> Result<()> {
    let data = tempfile::TempDir::new()?;
    let rooms = [(key("short")?, short), (key("long")?, long)];
    let server = Server::start(program, data.path()).await?;
    let cookie = sign_in(server.address, "bench", "short").await?;
    let filler = sign_in(server.address, "filler", "long").await?;
    for (room, entries) in &rooms {
        let mut client = Client::connect(server.address, &filler).await?;
        client.join(room).await?;
        client.fill(room, 1..=*entries).await?;
    }
    drop(server);

    let mut costs = [Vec::new(), Vec::new()];
    for _ in 0..runs {
        for ((room, entries), costs) in rooms.iter().zip(&mut costs) {
            costs.push(one(program, data.path(), &cookie, room, *entries).await?);
        }
    }
    for ((_, entries), costs) in rooms.iter().zip(&mut costs) {
        costs.sort();
        let (low, high) = (costs[costs.len() / 10], costs[costs.len() * 9 / 10]);
        println!(
            "join of {entries} entries: median {:?} of server CPU (10 % {low:?}, 90 % {high:?}, {runs} runs)",
            median(costs)
        );
    }
    println!("ratio of medians: {:.2}", median(&costs[1]).as_secs_f64() / median(&costs[0]).as_secs_f64());
    Ok(())
}

async fn one(program: &Path, data: &Path, cookie: &str, room: &RoomKey, entries: u64) -> Result<Duration> {
    let server = Server::start(program, data).await?;
    let mut client = Client::connect(server.address, cookie).await?;
    let before = server.settled_cpu().await?;
    let (came, top) = client.join(room).await?;
    let after = server.settled_cpu().await?;
    if came != 50 || top.seq != entries {
        return Err(format!("joined with {came} entries at {}, expected 50 at {entries}", top.seq).into());
    }
    Ok(after.saturating_sub(before))
}

fn median(sorted: &[Duration]) -> Duration {
    sorted[sorted.len() / 2]
}

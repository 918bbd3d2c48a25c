//! What it costs the server to be asked for its metrics, with as many sockets open as an instance takes: CPU time while it is
//! scraped, less that of as long a time in which it is not.

use crate::{
    Result,
    client::{Client, key, sign_in},
    server::Server,
};
use app::domain::RoomKey;
use clap::Args;
use futures_util::{StreamExt, TryStreamExt, stream};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

/// Sockets of one person, and in one room.
const SOCKETS_OF_ONE: usize = 50;
/// How many people sign in and join at a time.
const ARRIVING: usize = 32;
/// Files that are open besides the sockets, at either end.
const OTHER_FILES: usize = 500;

#[derive(Args)]
pub struct Options {
    #[arg(long, default_value_t = 10_000)]
    sockets: usize,
    /// Scrapes in a span
    #[arg(long, default_value_t = 50)]
    scrapes: u32,
    /// Milliseconds from one scrape to the next: few, or what ten thousand sockets cost at rest hides what a scrape does
    #[arg(long, default_value_t = 20)]
    pace: u64,
    /// Spans with scrapes, and as many without, in turn
    #[arg(long, default_value_t = 15)]
    spans: u32,
    /// More of the server's arguments, such as --redis-url=redis://127.0.0.1
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub async fn measure(program: &Path, options: &Options) -> Result<()> {
    allow_files(options.sockets + OTHER_FILES)?;
    let data = tempfile::TempDir::new()?;
    let metrics = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let (metrics_at, sockets) = (metrics.to_string(), options.sockets.to_string());
    let own = ["--metrics", &metrics_at, "--max-sockets", &sockets, "--data-dir"].map(AsRef::as_ref);
    let more = options.arguments.iter().map(AsRef::as_ref);
    let arguments: Vec<_> = own.into_iter().chain([data.path().as_os_str()]).chain(more).collect();
    let server = Server::start_with(program, &arguments, "0").await?;

    let people = options.sockets.div_ceil(SOCKETS_OF_ONE);
    let mut idle = JoinSet::new();
    let mut arriving = stream::iter(0..people)
        .map(|person| arrive(server.address, person, SOCKETS_OF_ONE.min(options.sockets - person * SOCKETS_OF_ONE)))
        .buffer_unordered(ARRIVING);
    while let Some(clients) = arriving.try_next().await? {
        for mut client in clients {
            // Reading answers the server's pings.
            idle.spawn(async move { while client.text().await.is_some() {} });
        }
    }
    server.settled_cpu().await?;

    let http = reqwest::Client::new();
    let (mut scraped, mut rested, mut bytes) = (Vec::new(), Vec::new(), 0);
    for _ in 0..options.spans {
        rested.push(span(&server, options, async || Ok(())).await?);
        let spent = span(&server, options, async || {
            let text = http.get(format!("http://{metrics}/metrics")).send().await?.error_for_status()?.text().await?;
            let open = text.lines().find_map(|line| line.strip_prefix("hubbub_sockets ")).unwrap_or("none");
            if open != sockets {
                return Err(format!("{open} sockets are open, not {sockets}").into());
            }
            bytes = text.len();
            Ok(())
        });
        scraped.push(spent.await?);
    }
    let each = |span: Duration| span.as_secs_f64() * 1e3 / f64::from(options.scrapes);
    let mut costs: Vec<_> =
        scraped.iter().zip(&rested).map(|(scraped, rested)| each(*scraped) - each(*rested)).collect();
    costs.sort_by(f64::total_cmp);
    let (median, low, high) = (costs[costs.len() / 2], costs[costs.len() / 10], costs[costs.len() * 9 / 10]);
    rested.sort();
    println!(
        "a scrape of {bytes} bytes with {sockets} sockets: median {median:.3} ms of server CPU (10 % {low:.3}, 90 % {high:.3}; \
         {} spans of {} scrapes), besides {:.3} ms at rest in the same time",
        options.spans,
        options.scrapes,
        each(rested[rested.len() / 2]),
    );
    Ok(())
}

/// The server's CPU time while `act` happens so often, at the pace.
async fn span(server: &Server, options: &Options, mut act: impl AsyncFnMut() -> Result<()>) -> Result<Duration> {
    let before = server.cpu()?;
    let began = Instant::now();
    for turn in 1..=options.scrapes {
        act().await?;
        sleep_until(began + Duration::from_millis(options.pace) * turn).await;
    }
    Ok(server.cpu()?.saturating_sub(before))
}

/// So many sockets of one person, in a room of their own.
async fn arrive(address: SocketAddr, person: usize, sockets: usize) -> Result<Vec<Client>> {
    let name = format!("room {person}");
    let cookie = sign_in(address, &format!("person {person}"), &name).await?;
    let room: RoomKey = key(&name)?;
    let mut clients = Vec::with_capacity(sockets);
    for _ in 0..sockets {
        let mut client = Client::connect(address, &cookie).await?;
        client.join(&room).await?;
        clients.push(client);
    }
    Ok(clients)
}

/// Has this process, and with it the server, open as many files.
fn allow_files(files: usize) -> Result<()> {
    let wanted = u64::try_from(files)?;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_some_and(|most| most < wanted) {
        return Err(format!("{wanted} open files are needed: raise the limit (ulimit -Hn)").into());
    }
    if limit.current.is_some_and(|now| now < wanted) {
        limit.current = Some(wanted);
        setrlimit(Resource::Nofile, limit)?;
    }
    Ok(())
}

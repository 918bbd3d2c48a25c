//! What rendering a room's page costs the server, for texts that are worth nothing but the trouble they make.

use crate::{
    Result,
    client::{Client, key, sign_in},
    server::Server,
};
use app::{
    domain::{MESSAGE_MAX, ProducerId},
    protocol::{ClientFrame, ServerFrame},
};
use reqwest::header;
use std::{path::Path, time::Duration};

/// Messages on a page, and rooms in its list.
const MESSAGES: u64 = 50;
const ROOMS: usize = 200;

/// A name for the room, and what each of its messages repeats.
const TEXTS: [(&str, &str); 7] = [
    ("plain", "plain text "),
    ("links", "http://a.b/?(c) "),
    ("almost-links", "www.http://www."),
    ("lines", "a\n"),
    ("marks", "a\u{301}\u{302}\u{303} "),
    ("emoji", "👩🏽‍💻"),
    ("both-ways", "a\u{5d0}\u{2067}b"),
];

pub async fn measure(program: &Path, runs: u32) -> Result<()> {
    let data = tempfile::TempDir::new()?;
    let server = Server::start(program, data.path()).await?;
    let cookie = sign_in(server.address, "bench", TEXTS[0].0).await?;
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let others = (TEXTS.len()..ROOMS).map(|n| format!("room {n}"));
    for room in TEXTS[1..].iter().map(|(room, _)| (*room).to_owned()).chain(others) {
        let made = http.post(format!("http://{}/rooms", server.address)).header(header::COOKIE, &cookie);
        made.form(&[("room", &room)]).send().await?.error_for_status()?;
    }
    for (room, text) in TEXTS {
        let text: String = text.chars().cycle().take(MESSAGE_MAX).collect();
        write(&server, &cookie, room, text.trim()).await?;
    }
    let mut plain = None;
    for (room, _) in TEXTS {
        let page = http.get(format!("http://{}/r/{room}", server.address)).header(header::COOKIE, &cookie);
        let page = page.build()?;
        let get = async || {
            let answer = http.execute(page.try_clone().ok_or("a request with a stream")?).await?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(answer.error_for_status()?.bytes().await?.len())
        };
        let bytes = get().await?;
        let before = server.settled_cpu().await?;
        for _ in 0..runs {
            get().await?;
        }
        let cost = server.settled_cpu().await?.saturating_sub(before) / runs;
        let plain: Duration = *plain.get_or_insert(cost);
        let ratio = cost.as_secs_f64() / plain.as_secs_f64();
        println!("{room}: {cost:?} of CPU a page, {ratio:.2} times the plain one ({bytes} bytes, {runs} runs)");
    }
    Ok(())
}

async fn write(server: &Server, cookie: &str, room: &str, text: &str) -> Result<()> {
    let room = key(room)?;
    let mut client = Client::connect(server.address, cookie).await?;
    client.join(&room).await?;
    for n in 1..=MESSAGES {
        let (room, text) = (room.clone(), text.to_owned());
        client.send(&ClientFrame::Send { room, p: ProducerId(1), n, text, earlier: Vec::new() }).await?;
        loop {
            match client.frame().await? {
                ServerFrame::Ack { .. } => break,
                ServerFrame::Refused { code, .. } => return Err(format!("refused: {code:?}").into()),
                _ => {}
            }
        }
    }
    Ok(())
}

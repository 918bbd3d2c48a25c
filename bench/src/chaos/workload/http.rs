//! Sessions and pages over HTTP, through the load balancer like everything else.

use crate::Result;
use app::{
    page::{PAGE_DATA_ID, PageData, RoomScreen, Screen},
    protocol::Person,
};
use reqwest::{Client, header, redirect};
use std::{net::SocketAddr, time::Duration};
use tokio::time::{Instant, sleep};

/// How long a request may take before it is tried again: longer than an instance stays frozen would hide the others.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long something is tried again, over all the faults.
const PERSISTENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(150);

pub fn client() -> Result<Client> {
    // A connection kept open would stay with one instance.
    let builder = Client::builder().redirect(redirect::Policy::none()).timeout(PATIENCE).pool_max_idle_per_host(0);
    Ok(builder.build()?)
}

/// Signs in until it works; returns the cookie.
pub async fn sign_in(http: &Client, front: SocketAddr, name: &str, room: &str) -> Result<String> {
    let deadline = Instant::now() + PERSISTENCE;
    // An answer that was lost leaves the name taken by a session nobody has.
    for turn in 0.. {
        let name = if turn == 0 { name.to_owned() } else { format!("{name}~{turn}") };
        let sent = http.post(format!("http://{front}/signin")).form(&[("name", name.as_str()), ("room", room)]).send();
        if let Ok(response) = sent.await
            && response.status() == 303
            && let Some(cookie) = response.headers().get(header::SET_COOKIE)
        {
            return Ok(cookie.to_str()?.split(';').next().unwrap_or_default().to_owned());
        }
        if Instant::now() > deadline {
            break;
        }
        sleep(PAUSE).await;
    }
    Err(format!("{name} cannot sign in").into())
}

/// Signs out until it is confirmed.
pub async fn sign_out(http: &Client, front: SocketAddr, cookie: &str) -> Result<()> {
    let deadline = Instant::now() + PERSISTENCE;
    while Instant::now() < deadline {
        let sent = http.post(format!("http://{front}/signout")).header(header::COOKIE, cookie).send();
        if sent.await.is_ok_and(|response| response.status() == 303) {
            return Ok(());
        }
        sleep(PAUSE).await;
    }
    Err("cannot sign out".into())
}

/// What the page of a room was rendered from.
#[derive(Debug)]
pub struct Loaded {
    pub me: Person,
    pub screen: RoomScreen,
}

/// What a load came to.
#[derive(Debug)]
pub enum Load {
    Page(Box<Loaded>),
    SignedOut,
    Failed,
}

pub async fn load(http: &Client, front: SocketAddr, cookie: &str, path: &str) -> Load {
    let sent = http.get(format!("http://{front}{path}")).header(header::COOKIE, cookie).send();
    let Ok(response) = sent.await else { return Load::Failed };
    let status = response.status();
    if status.is_redirection() {
        return Load::SignedOut;
    }
    let Ok(html) = response.text().await else { return Load::Failed };
    if status.is_server_error() {
        return Load::Failed;
    }
    // The door, which somebody without a session is shown in place of a room, needs no data.
    let Some(page) = page_data(&html) else { return Load::SignedOut };
    match (page.me, page.screen) {
        (Some(me), Screen::Room(screen)) => Load::Page(Box::new(Loaded { me, screen: *screen })),
        (None, _) => Load::SignedOut,
        _ => Load::Failed,
    }
}

fn page_data(html: &str) -> Option<PageData> {
    let script = &html[html.find(&format!("id=\"{PAGE_DATA_ID}\""))?..];
    let json = &script[script.find('>')? + 1..];
    serde_json::from_str(&json[..json.find("</script>")?]).ok()
}

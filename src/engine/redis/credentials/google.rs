//! Access tokens of the service account that this instance has on Google Cloud, from the platform's metadata server.

use super::NoPassword;
use crate::http_get::http_get;
use serde::Deserialize;
use std::time::Duration;
use tokio::time::Instant;

const PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/token";
/// Without it the server refuses: no page in a browser can send it.
const FLAVOR: (&str, &str) = ("Metadata-Flavor", "Google");
const WITHIN: Duration = Duration::from_secs(5);
/// Before its end a token is renewed, as far ahead as the metadata server has a new one.
const AHEAD: Duration = Duration::from_mins(4);
/// No token is relied on for longer, whatever is said of it.
const LASTS_MAX: Duration = Duration::from_hours(24);
/// The least time between two questions, also where tokens are told to last no time at all.
const AGAIN: Duration = Duration::from_secs(1);

pub struct AccessToken {
    pub text: String,
    pub renew_at: Instant,
    pub ends_at: Instant,
}

#[derive(Deserialize)]
struct Told {
    access_token: String,
    /// Seconds.
    expires_in: u64,
}

/// Asks the metadata server at `host`, which may have a port.
///
/// # Errors
/// There is none, or it gives no token: a line that says what to do.
pub async fn access_token(host: &str) -> Result<AccessToken, NoPassword> {
    let asked_at = Instant::now();
    let address = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let answer = http_get(&address, PATH, &[("Host", host), FLAVOR], WITHIN).await.map_err(|error| {
        NoPassword::passing(format!(
            "no metadata server answers at {address} ({error}): --redis-iam google is for instances on Google Cloud"
        ))
    })?;
    match answer.status() {
        200 => {}
        404 => {
            return Err(NoPassword::lasting(format!(
                "the metadata server at {address} knows of no service account: give this instance one (404)"
            )));
        }
        _ => {
            return Err(NoPassword::passing(format!("the metadata server at {address} answers {:?}", answer.line)));
        }
    }
    // What is wrong with it could quote it.
    let told: Told = serde_json::from_str(&answer.body).map_err(|_| {
        NoPassword::passing(format!("what the metadata server at {address} answers is not readable as a token"))
    })?;
    let lasts = Duration::from_secs(told.expires_in).min(LASTS_MAX);
    let renew_at = asked_at + lasts.saturating_sub(AHEAD.min(lasts / 4)).max(AGAIN);
    Ok(AccessToken { text: told.access_token, renew_at, ends_at: asked_at + lasts })
}

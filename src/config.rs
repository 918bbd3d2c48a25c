//! The settings: parsed once at the start, from arguments or the environment.

// What documents a setting is printed by `--help`, where there is no Markdown.
#![allow(clippy::doc_markdown)]

use clap::{Parser, ValueEnum};
use std::{net::IpAddr, path::PathBuf, time::Duration};

/// Multi-room chat in which no acknowledged message is lost, doubled or reordered.
///
/// Without any setting it serves http://127.0.0.1:3000 and keeps everything in one SQLite file. Each setting is an
/// argument or an environment variable; the argument wins.
#[derive(Debug, Clone, Parser)]
#[command(name = "hubbub", version, max_term_width = 110)]
pub struct Config {
    /// Address to listen on. Anything but a loopback address is reachable from the network
    #[arg(long, env = "HUBBUB_HOST", default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub host: IpAddr,

    /// Port to listen on
    #[arg(long, env = "PORT", default_value_t = 3000)]
    pub port: u16,

    /// Where people reach this server, such as https://chat.example.com. Its scheme decides whether cookies are Secure
    /// and its host is an allowed origin. Without it: plain HTTP on a loopback address, HTTPS (by a proxy) elsewhere
    #[arg(long, env = "HUBBUB_PUBLIC_URL", value_name = "URL", value_parser = parse_origin)]
    pub public_url: Option<String>,

    /// Lets people sign in over plain HTTP from other machines, as in a home network. Whoever can listen in on that
    /// network can then act as them
    #[arg(long, env = "HUBBUB_ALLOW_PLAIN_HTTP", value_name = "BOOL", num_args = 0..=1, default_value_t = false,
          default_missing_value = "true")]
    pub allow_plain_http: bool,

    /// Further origins whose pages may use this server, separated by commas. A page's own host is always allowed
    #[arg(long, env = "HUBBUB_ALLOWED_ORIGINS", value_name = "URLS", value_delimiter = ',', value_parser = parse_origin)]
    pub allowed_origins: Vec<String>,

    /// Where the embedded engine keeps its file. Not used with Redis
    #[arg(long, env = "HUBBUB_DATA_DIR", default_value = "data", value_name = "DIR")]
    pub data_dir: PathBuf,

    /// Redis to use instead of the embedded engine: redis://, rediss://, redis-sentinel:// or redis-cluster://
    #[arg(long, env = "REDIS_URL", value_name = "URL", hide_env_values = true)]
    pub redis_url: Option<String>,

    /// Host of that Redis, where REDIS_URL is not set
    #[arg(long, env = "REDISHOST", value_name = "HOST")]
    pub redis_host: Option<String>,

    /// Port of that Redis
    #[arg(long, env = "REDISPORT", default_value_t = 6379, value_name = "PORT")]
    pub redis_port: u16,

    /// How long a name stays with its session without use
    #[arg(long, env = "HUBBUB_SESSION_TTL", default_value = "24h", value_name = "DURATION", value_parser = parse_duration)]
    pub session_ttl: Duration,

    /// When a socket is told to move, before the platform cuts it. Spread by a tenth
    #[arg(long, env = "HUBBUB_SOCKET_LIFETIME", default_value = "55m", value_name = "DURATION",
          value_parser = parse_duration)]
    pub socket_lifetime: Duration,

    /// Most memory for recent messages kept at hand for all rooms together, in MiB
    #[arg(long, env = "HUBBUB_RING_MIB", default_value_t = 64, value_name = "MIB",
          value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub ring_mib: u32,

    /// Most sockets open at a time; further ones are told to come back later
    #[arg(long, env = "HUBBUB_MAX_SOCKETS", default_value_t = 10_000, value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_sockets: u32,

    /// Folder with the page's files. By default `site` beside the executable, else `target/site`
    #[arg(long, env = "LEPTOS_SITE_ROOT", value_name = "DIR")]
    pub site_dir: Option<PathBuf>,

    /// Port of cargo-leptos' live reload; set by `cargo leptos watch`
    #[arg(long, env = "LEPTOS_RELOAD_PORT", hide = true)]
    pub reload_port: Option<u16>,

    /// Set by `cargo leptos watch`, which turns live reload on
    #[arg(long, env = "LEPTOS_WATCH", hide = true, num_args = 0..=1, default_value_t = false,
          default_missing_value = "true", value_parser = parse_switch)]
    pub watch: bool,

    /// What to log, as a tracing filter
    #[arg(long, env = "HUBBUB_LOG", default_value = "info", value_name = "FILTER", value_parser = parse_filter)]
    pub log: String,

    /// How to log
    #[arg(long, env = "HUBBUB_LOG_FORMAT", default_value = "text", value_enum)]
    pub log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration =
        humantime::parse_duration(text).map_err(|_| "expected a duration such as 90s, 55m or 24h".to_owned())?;
    if duration < Duration::from_secs(1) { Err("expected at least 1s".to_owned()) } else { Ok(duration) }
}

/// `cargo leptos watch` writes `ON`.
#[allow(clippy::unnecessary_wraps)] // clap's signature
fn parse_switch(text: &str) -> Result<bool, String> {
    Ok(matches!(text.to_ascii_lowercase().as_str(), "on" | "true" | "1"))
}

fn parse_filter(text: &str) -> Result<String, String> {
    match tracing_subscriber::EnvFilter::builder().parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("expected a filter such as info or hubbub=debug,warn".to_owned()),
    }
}

/// An origin: scheme, host and, if it is not the scheme's own, port, in lower case, without a slash at its end.
fn parse_origin(text: &str) -> Result<String, String> {
    let wrong = || "expected an origin such as https://chat.example.com, without a path".to_owned();
    let uri: axum::http::Uri = text.trim().trim_end_matches('/').parse().map_err(|_| wrong())?;
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https")).ok_or_else(wrong)?;
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(wrong)?;
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(wrong());
    }
    let host = authority.as_str().to_ascii_lowercase();
    let host = host.strip_suffix(if scheme == "https" { ":443" } else { ":80" }).unwrap_or(&host);
    Ok(format!("{scheme}://{host}"))
}

impl Config {
    /// The settings of this process. On a setting that does not parse: one line that says which and why.
    ///
    /// # Errors
    /// The line to print, and the exit status: 0 for `--help` and `--version`.
    pub fn from_process() -> Result<Self, (String, u8)> {
        Self::from_args(std::env::args_os())
    }

    fn from_args(args: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Self, (String, u8)> {
        Self::try_parse_from(args).map_err(|error| {
            if !error.use_stderr() {
                return (error.render().to_string(), 0);
            }
            let rendered = error.render().to_string();
            let line = rendered.lines().next().unwrap_or_default().trim_start_matches("error: ");
            (format!("hubbub: {line} (see hubbub --help)\n"), 2)
        })
    }

    /// The Redis to use, if one was set.
    pub fn redis(&self) -> Option<String> {
        let from_host = || self.redis_host.as_ref().map(|host| format!("redis://{host}:{}", self.redis_port));
        self.redis_url.clone().filter(|url| !url.is_empty()).or_else(from_host)
    }

    /// Whether browsers may send the session's cookie over HTTPS only.
    pub fn secure_cookies(&self) -> bool {
        match &self.public_url {
            Some(url) => url.starts_with("https:"),
            None => !self.host.is_loopback() && !self.allow_plain_http,
        }
    }

    /// What about these settings is worth a warning.
    pub fn warnings(&self) -> Vec<&'static str> {
        let mut warnings = Vec::new();
        if !self.secure_cookies() && !self.host.is_loopback() {
            warnings.push("serving plain HTTP beyond this machine: whoever can listen in on the network can act as the people signed in");
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(args: &[&str]) -> Result<Config, (String, u8)> {
        Config::from_args(["hubbub"].iter().chain(args).map(Into::into))
    }

    #[test]
    fn a_setting_that_does_not_parse_is_named_in_one_line() {
        for args in [
            ["--port", "eighty"],
            ["--public-url", "chat.example.com/x"],
            ["--socket-lifetime", "soon"],
            ["--ring-mib", "0"],
            ["--log", "hubbub=loud"],
            ["--host", "localhost:80"],
        ] {
            let (line, status) = config(&args).unwrap_err();
            assert_eq!(status, 2);
            assert!(line.contains(args[0]) && line.contains(args[1]), "{line}");
            assert_eq!(line.trim_end().lines().count(), 1, "{line}");
        }
    }

    #[test]
    fn cookies_are_secure_unless_the_page_is_known_to_be_plain() {
        assert!(!config(&[]).unwrap().secure_cookies());
        assert!(config(&["--host", "0.0.0.0"]).unwrap().secure_cookies());
        assert!(!config(&["--host", "0.0.0.0", "--allow-plain-http"]).unwrap().secure_cookies());
        assert!(config(&["--public-url", "https://chat.example.com"]).unwrap().secure_cookies());
        let lan = config(&["--host", "0.0.0.0", "--public-url", "http://chat.lan"]).unwrap();
        assert!(!lan.secure_cookies());
        assert_eq!(lan.warnings().len(), 1);
    }

    #[test]
    fn origins_are_compared_in_one_spelling() {
        assert_eq!(parse_origin("HTTPS://Chat.Example.com:443/").unwrap(), "https://chat.example.com");
        assert_eq!(parse_origin("http://[::1]:3000").unwrap(), "http://[::1]:3000");
        assert!(parse_origin("ftp://a").is_err());
        assert!(parse_origin("https://user@a").is_err());
    }

    #[test]
    fn redis_is_chosen_by_url_or_by_host_and_port() {
        assert_eq!(config(&[]).unwrap().redis(), None);
        assert_eq!(config(&["--redis-host", "10.0.0.3"]).unwrap().redis().unwrap(), "redis://10.0.0.3:6379");
        let both = config(&["--redis-host", "10.0.0.3", "--redis-url", "rediss://r"]).unwrap();
        assert_eq!(both.redis().unwrap(), "rediss://r");
    }
}

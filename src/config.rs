//! The settings: parsed once at the start, from arguments or the environment.

// What documents a setting is printed by `--help`, where there is no Markdown.
#![allow(clippy::doc_markdown)]

mod command;
mod parse;

use crate::{
    address::{AddressHeader, TrustedProxies, Way},
    authority::{self, Authority, Name},
    engine::{
        embedded::KeepFree,
        redis::{self, PasswordFrom},
    },
    telemetry::LogFormat,
};
use clap::{Arg, ArgMatches, CommandFactory, FromArgMatches, Parser, ValueEnum};
pub use command::Command;
use parse::{
    parse_duration, parse_factor, parse_filter, parse_hsts, parse_origin, parse_origins, parse_proxies, parse_switch,
    parse_wait,
};
use std::{
    ffi::{OsStr, OsString},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

/// Multi-room chat in which no acknowledged message is lost, doubled or reordered.
///
/// Without any setting it serves http://127.0.0.1:3000 and keeps everything in one SQLite file. Each setting is an
/// argument or an environment variable; the argument wins, and an empty variable is as good as none.
#[derive(Debug, Clone, Parser)]
#[command(name = "hubbub", version, max_term_width = 110, args_override_self = true)]
pub struct Config {
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Address to listen on. Anything but a loopback address is reachable from the network
    #[arg(long, env = "HUBBUB_HOST", default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub host: IpAddr,

    /// Port to listen on
    #[arg(long, env = "PORT", default_value_t = 3000)]
    pub port: u16,

    /// Where people reach this server, such as https://chat.example.com. Needed behind a proxy and for any name of the
    /// DNS: without it only localhost, addresses and names of the own network are answered to. Its scheme decides whether
    /// cookies are Secure, and forms and sockets are taken from its pages alone
    #[arg(long, env = "HUBBUB_PUBLIC_URL", value_name = "URL", value_parser = parse_origin)]
    pub public_url: Option<String>,

    /// Lets people sign in over plain HTTP from other machines, as in a home network. Whoever can listen in on that
    /// network can then act as them
    #[arg(long, env = "HUBBUB_ALLOW_PLAIN_HTTP", value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value_t = false, default_missing_value = "true")]
    pub allow_plain_http: bool,

    /// Further origins whose pages may use this server, separated by commas. Their hosts are answered to as well
    #[arg(long, env = "HUBBUB_ALLOWED_ORIGINS", value_name = "URLS", default_value = "", value_parser = parse_origins,
          hide_default_value = true)]
    pub allowed_origins: Origins,

    /// Seconds for which browsers are told to use nothing but HTTPS here, or off. Only told where the public URL is https
    /// on its usual port, with a name of the DNS
    #[arg(long, env = "HUBBUB_HSTS", default_value = "15552000", value_name = "SECONDS", value_parser = parse_hsts)]
    pub hsts: Hsts,

    /// How many rooms that people are in the door shows to everybody who opens it; 0 for none. Whoever signs in sees all rooms
    #[arg(long, env = "HUBBUB_LIVELY_ROOMS", default_value_t = 3, value_name = "COUNT",
          value_parser = clap::value_parser!(u8).range(0..=12))]
    pub lively_rooms: u8,

    /// Where the embedded engine keeps its file. Not used with Redis
    #[arg(long, env = "HUBBUB_DATA_DIR", default_value = "data", value_name = "DIR", global = true)]
    pub data_dir: PathBuf,

    /// Free space on that disk below which messages are refused, in MiB; 0 takes them until the disk is full [default: 256, or
    /// a hundredth of the disk if that is more, but no more than an eighth of it]
    #[arg(long, env = "HUBBUB_KEEP_FREE_MIB", value_name = "MIB")]
    pub keep_free_mib: Option<u32>,

    /// Redis to use instead of the embedded engine: redis://, rediss://, redis-sentinel:// or redis-cluster://
    #[arg(long, env = "REDIS_URL", value_name = "URL", hide_env_values = true)]
    pub redis_url: Option<String>,

    /// File that holds that URL, as platforms give a secret. Used where REDIS_URL is not set
    #[arg(long, env = "HUBBUB_REDIS_URL_FILE", value_name = "FILE")]
    pub redis_url_file: Option<PathBuf>,

    /// Host of that Redis, where REDIS_URL is not set
    #[arg(long, env = "REDISHOST", value_name = "HOST")]
    pub redis_host: Option<String>,

    /// Port of that Redis
    #[arg(long, env = "REDISPORT", default_value_t = 6379, value_name = "PORT")]
    pub redis_port: u16,

    /// File that holds the password of Redis, which may change: it is read anew for each connection, and open ones are given
    /// what is new in it. The user name stands in the URL
    #[arg(long, env = "HUBBUB_REDIS_PASSWORD_FILE", value_name = "FILE", conflicts_with = "redis_iam")]
    pub redis_password_file: Option<PathBuf>,

    /// Whose access tokens are the password of Redis: google for those of the service account that this instance has on
    /// Google Cloud, as Memorystore takes them
    #[arg(long, env = "HUBBUB_REDIS_IAM", value_enum, value_name = "PLATFORM")]
    pub redis_iam: Option<Iam>,

    /// Where Google's metadata server is, as its own libraries are told
    #[arg(long, env = "GCE_METADATA_HOST", default_value = "metadata.google.internal", hide = true)]
    pub metadata_host: String,

    /// What all names in Redis begin with, so that several deployments can share one server
    #[arg(long, env = "HUBBUB_REDIS_PREFIX", default_value = redis::PREFIX, value_name = "PREFIX",
          value_parser = redis::parse_prefix)]
    pub redis_prefix: String,

    /// How long the start waits for a Redis that is not there yet, loads its data or fails over
    #[arg(long, env = "HUBBUB_STORE_WAIT", default_value = "2m", value_name = "DURATION", value_parser = parse_wait)]
    pub store_wait: Duration,

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

    /// How long a connection is kept for a next request. Longer than a proxy in front of this server keeps it, or now and then
    /// a request meets a connection that ends
    #[arg(long, env = "HUBBUB_KEEP_ALIVE", default_value = "620s", value_name = "DURATION", value_parser = parse_duration)]
    pub keep_alive: Duration,

    /// Most connections open at a time that are no sockets. By default as many as the limit of open files leaves, up to 8192
    #[arg(long, env = "HUBBUB_MAX_CONNECTIONS", value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: Option<u32>,

    /// Times as much as usual that one person or address may ask: 4 for a school, 0 for no limits, as for a benchmark
    #[arg(long, env = "HUBBUB_LIMITS", default_value_t = 1.0, value_name = "FACTOR", value_parser = parse_factor)]
    pub limits: f64,

    /// Proxies in front of this server, as networks or addresses separated by commas, or none. What they say about where a
    /// request comes from is believed
    #[arg(long, env = "HUBBUB_TRUSTED_PROXIES", value_name = "NETWORKS", value_parser = parse_proxies)]
    pub trusted_proxies: Option<TrustedProxies>,

    /// The header in which they say it
    #[arg(long, env = "HUBBUB_CLIENT_ADDRESS", default_value = "x-forwarded-for", value_enum, value_name = "HEADER")]
    pub client_address: AddressHeader,

    /// Set by Cloud Run, which names the client in X-Forwarded-For, and whose own names (*.run.app) are answered to
    #[arg(long, env = "K_SERVICE", hide = true)]
    pub cloud_run_service: Option<String>,

    /// Starts on Cloud Run without Redis, where each instance is a chat of its own and what it holds is gone with it
    #[arg(long, env = "HUBBUB_EPHEMERAL", value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value_t = false, default_missing_value = "true")]
    pub ephemeral: bool,

    /// Folder with the page's files. By default `site` beside the executable, else `target/site`
    #[arg(long, env = "LEPTOS_SITE_ROOT", value_name = "DIR")]
    pub site_dir: Option<PathBuf>,

    /// The same folder of the release before. While instances of both serve, a page of one asks the other for its files
    #[arg(long, env = "HUBBUB_PREVIOUS_SITE", value_name = "DIR")]
    pub previous_site: Option<PathBuf>,

    /// Port of cargo-leptos' live reload; set by `cargo leptos watch`
    #[arg(long, env = "LEPTOS_RELOAD_PORT", hide = true)]
    pub reload_port: Option<u16>,

    /// Set by `cargo leptos watch`, which turns live reload on
    #[arg(long, env = "LEPTOS_WATCH", hide = true, num_args = 0..=1, default_value_t = false,
          default_missing_value = "true", value_parser = parse_switch)]
    pub watch: bool,

    /// Address and port on which monitoring reads this instance's metrics, such as 127.0.0.1:9091. They name no person and no room, but
    /// are nobody's business on the internet
    #[arg(long, env = "HUBBUB_METRICS", value_name = "ADDRESS")]
    pub metrics: Option<SocketAddr>,

    /// What to log, as a tracing filter
    #[arg(long, env = "HUBBUB_LOG", default_value = "info", value_name = "FILTER", value_parser = parse_filter)]
    pub log: String,

    /// How to log
    #[arg(long, env = "HUBBUB_LOG_FORMAT", default_value = "text", value_enum)]
    pub log_format: LogFormat,

    /// Where each comes from, for whoever is asked that.
    #[arg(skip)]
    pub found: Option<(clap::Command, ArgMatches)>,
}

/// Platforms whose access tokens Redis takes for passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Iam {
    Google,
}

/// Origins in the spelling of [`Config::public_url`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(pub Vec<String>);

/// For how many seconds browsers use nothing but HTTPS for the public host; `None`: they are told nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hsts(pub Option<u32>);

/// A variable that is set to nothing is not set: what hands it over, such as `${VAR:-}` in a Compose file, cannot leave it
/// out.
fn without_blank_variable(arg: Arg) -> Arg {
    let blank = arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.to_string_lossy().trim().is_empty());
    if blank { arg.env(None::<&'static str>) } else { arg }
}

/// `--ephemeral true` as `--ephemeral=true`. A switch takes no word behind it for its value unless that is one, so that
/// `--ephemeral doctor` is a switch and a command.
fn with_joined_switches(args: Vec<OsString>) -> Vec<OsString> {
    let command = Config::command();
    let switches = command.get_arguments().filter(|arg| arg.is_require_equals_set()).filter_map(Arg::get_long);
    let switches: Vec<_> = switches.map(|long| format!("--{long}")).collect();
    let mut joined: Vec<OsString> = Vec::with_capacity(args.len());
    for arg in args {
        match joined.last_mut() {
            Some(last) if (arg == "true" || arg == "false") && switches.iter().any(|switch| *last == **switch) => {
                last.push("=");
                last.push(arg);
            }
            _ => joined.push(arg),
        }
    }
    joined
}

impl Config {
    /// The settings of this process, whose `version` is only asked for when it is to be printed. On a setting that does not parse:
    /// one line that says which and why.
    ///
    /// # Errors
    /// The line to print, and the exit status: 0 for `--help` and `--version`.
    pub fn from_process(version: impl FnOnce() -> String) -> Result<Self, (String, u8)> {
        Self::from_args(std::env::args_os(), version)
    }

    /// The variables that settings are read from.
    pub fn variables() -> impl Iterator<Item = String> {
        let command = Self::command();
        let names: Vec<_> = command.get_arguments().filter_map(Arg::get_env).map(OsStr::to_os_string).collect();
        names.into_iter().map(|name| name.to_string_lossy().into_owned())
    }

    fn from_args(
        args: impl IntoIterator<Item = OsString>,
        version: impl FnOnce() -> String,
    ) -> Result<Self, (String, u8)> {
        let args = with_joined_switches(args.into_iter().collect());
        let is_asked = args.iter().any(|arg| arg == "--version" || arg == "-V");
        let version = if is_asked { version() } else { String::new() };
        let command = Self::command().mut_args(without_blank_variable).version(version);
        let parsed = command.clone().try_get_matches_from(args).and_then(|found| {
            let mut config = Self::from_arg_matches(&found)?;
            if matches!(config.command, Some(Command::Doctor { .. })) {
                config.found = Some((command, found));
            }
            Ok(config)
        });
        let parsed = parsed.map_err(|error| {
            if !error.use_stderr() {
                return (error.render().to_string(), 0);
            }
            let rendered = error.render().to_string();
            let line = rendered.lines().next().unwrap_or_default().trim_start_matches("error: ");
            (format!("hubbub: {line} (see hubbub --help)\n"), 2)
        });
        parsed?.with_files().and_then(Self::durable).map_err(|line| (format!("hubbub: {line}\n"), 2))
    }

    /// With what stands in files instead of the environment.
    fn with_files(mut self) -> Result<Self, String> {
        if self.redis_url.as_ref().is_none_or(|url| url.trim().is_empty())
            && let Some(file) = self.redis_url_file.as_ref().filter(|file| !file.as_os_str().is_empty())
        {
            let url = std::fs::read_to_string(file)
                .map_err(|error| format!("cannot read --redis-url-file {}: {error}", file.display()))?;
            if url.trim().is_empty() {
                return Err(format!("--redis-url-file {} is empty", file.display()));
            }
            self.redis_url = Some(url.trim().to_owned());
        }
        Ok(self)
    }

    /// These settings, unless messages would be lost by them without anybody's having asked for that: a variable with the
    /// store's address that turned out empty looks like none.
    fn durable(self) -> Result<Self, String> {
        if self.cloud_run_service.is_some() && self.redis().is_none() && !self.ephemeral {
            return Err(
                "on Cloud Run (K_SERVICE) an instance keeps nothing: set REDIS_URL or REDISHOST, or --ephemeral for a trial"
                    .to_owned(),
            );
        }
        Ok(self)
    }

    /// How much of the data directory's disk messages leave free.
    pub fn keep_free(&self) -> KeepFree {
        self.keep_free_mib.map_or(KeepFree::BySize, |mib| KeepFree::Bytes(u64::from(mib) << 20))
    }

    /// The Redis to use, if one was set.
    pub fn redis(&self) -> Option<String> {
        let is_set = |text: &&String| !text.trim().is_empty();
        let host = self.redis_host.as_ref().filter(is_set);
        let from_host = || host.map(|host| format!("redis://{host}:{}", self.redis_port));
        self.redis_url.as_ref().filter(is_set).cloned().or_else(from_host)
    }

    /// Where the password of that Redis comes from.
    pub fn redis_password(&self) -> PasswordFrom {
        let file = self.redis_password_file.clone().filter(|file| !file.as_os_str().is_empty());
        match (self.redis_iam, file) {
            (Some(Iam::Google), _) => PasswordFrom::Google { metadata_host: self.metadata_host.clone() },
            (None, Some(file)) => PasswordFrom::File(file),
            (None, None) => PasswordFrom::Url,
        }
    }

    /// Whether browsers may send cookies over HTTPS only, for those who reach this server as `at`.
    pub fn secure_cookies(&self, at: Option<&Authority>) -> bool {
        let of_platform = |at: &Authority| matches!(at.name(), Name::Dns(name) if name.ends_with(".run.app"));
        match &self.public_url {
            Some(url) => url.starts_with("https:"),
            None if self.cloud_run_service.is_some() && at.is_some_and(of_platform) => true,
            // No certificate is for this name, and not every browser keeps a Secure cookie without one.
            None if at.is_some_and(Authority::is_loopback) => false,
            None => self.secure_by_default(),
        }
    }

    /// How requests reach this server.
    pub fn way(&self) -> Way {
        Way {
            proxies: self.trusted_proxies.clone().unwrap_or(TrustedProxies::Unset),
            header: self.client_address,
            cloud_run: self.cloud_run_service.is_some(),
        }
    }

    fn secure_by_default(&self) -> bool {
        !self.host.is_loopback() && !self.allow_plain_http
    }

    /// The value of `Strict-Transport-Security` on answers to those who reach this server as `at`.
    pub fn strict_transport_security(&self, at: &Authority) -> Option<String> {
        let public = self.public_url.as_ref().filter(|url| authority::may_be_https_only(url))?;
        let is_public = authority::of_origin(public).is_some_and(|public| public.name() == at.name());
        self.hsts.0.filter(|_| is_public).map(|seconds| format!("max-age={seconds}"))
    }

    /// What about these settings is worth a warning.
    pub fn warnings(&self) -> Vec<&'static str> {
        let mut warnings = Vec::new();
        let plain = match &self.public_url {
            Some(url) => !url.starts_with("https:"),
            None => !self.secure_by_default(),
        };
        if plain && !self.host.is_loopback() {
            warnings.push("serving plain HTTP beyond this machine: whoever can listen in on the network can act as the people signed in");
        }
        // What stands in the environment as nothing was taken for not set.
        let url = self.redis_url.clone().or_else(|| std::env::var("REDIS_URL").ok());
        if self.redis().is_none() && url.is_some_and(|url| url.trim().is_empty()) {
            warnings.push(
                "REDIS_URL is set, but empty: this instance keeps its messages for itself, in its data directory",
            );
        }
        if self.redis().is_none() && self.redis_password() != PasswordFrom::Url {
            warnings.push(
                "a password of Redis is set, but no Redis: set REDIS_URL or REDISHOST, or leave the password out",
            );
        }
        if self.limits == 0.0 {
            warnings.push("there are no limits for one person or address (--limits 0): for tests and benchmarks only");
        }
        warnings
    }
}

#[cfg(test)]
mod tests;

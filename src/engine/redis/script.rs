//! Lua scripts, called by hash and sent whole when the server does not have them.

use super::{cluster::redirected, condition::MonitoredClient};
use fred::{
    bytes_utils::Str,
    prelude::{Client, Error, FromValue, LuaInterface, Value},
    util::sha1_hash,
};
use std::{
    sync::{LazyLock, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

pub struct Script {
    source: Str,
    sha1: Str,
    writes: bool,
}

impl Script {
    fn new(source: &'static str) -> Self {
        let writes = !source.starts_with("#!lua flags=no-writes");
        Self { source: Str::from_static(source), sha1: sha1_hash(source).into(), writes }
    }

    /// Runs the script. The command is queued when the future is first polled.
    pub async fn run<R: FromValue>(
        &self,
        client: &MonitoredClient,
        keys: Vec<String>,
        args: Vec<Value>,
    ) -> Result<R, Error> {
        redirected(|| self.run_or_reload(client, || (keys.clone(), args.clone()), || ())).await
    }

    /// Runs the script as where the server does not have it.
    pub async fn run_whole(&self, client: &MonitoredClient, key: String) -> Result<(), Error> {
        client.eval(self.source.clone(), vec![key], Vec::<Value>::new()).await
    }

    /// Runs the script with the keys and arguments of `call`, and says so first if the server turned out not to have it: then it is
    /// queued anew, behind others that were made after it.
    pub async fn run_or_reload<R: FromValue>(
        &self,
        client: &MonitoredClient,
        call: impl Fn() -> (Vec<String>, Vec<Value>) + Send,
        reloading: impl FnOnce() + Send,
    ) -> Result<R, Error> {
        let (keys, args) = call();
        let result = match client.evalsha(self.sha1.clone(), keys, args).await {
            // EVAL, unlike SCRIPT LOAD and EVALSHA, is one command: nothing can come between and flush again.
            Err(error) if error.details().starts_with("NOSCRIPT") => {
                reloading();
                let (keys, args) = call();
                client.eval(self.source.clone(), keys, args).await
            }
            result => result,
        };
        if self.writes
            && let Err(error) = &result
        {
            client.condition().refused(error.details());
        }
        result
    }
}

/// Whether calls made in order may have run out of order, because the server lately lacked the script.
#[derive(Default)]
pub struct Reloading(Mutex<Option<Instant>>);

impl Reloading {
    /// How long commands may still overtake each other.
    const LASTS: Duration = Duration::from_secs(2);

    pub fn begin(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    pub fn is_going_on(&self) -> bool {
        let began = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        began.is_some_and(|at| at.elapsed() < Self::LASTS)
    }
}

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)*) => {
        $($(#[$doc])* pub static $name: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!($file)));)*

        /// Gives the server (every node of a Cluster) all scripts, so that the first calls need not.
        pub async fn load_all(client: &Client) -> Result<(), Error> {
            $(client.script_load_cluster::<(), _>($name.source.clone()).await?;)*
            Ok(())
        }
    };
}

scripts! {
    APPEND = "append.lua";
    READ = "read.lua";
    CREATE_ROOM = "create_room.lua";
    TOUCH_ROOM = "touch_room.lua";
    LIST_ROOMS = "list_rooms.lua";
    GLANCE = "glance.lua";
    OPEN_SESSION = "open_session.lua";
    CLAIM_LOOK = "claim_look.lua";
    KEEP_LOOK = "keep_look.lua";
    FREE_LOOK = "free_look.lua";
    EXTEND_NAME = "extend_name.lua";
    RELEASE_NAME = "release_name.lua";
    ADD_MEMBER = "add_member.lua";
    REMOVE_MEMBER = "remove_member.lua";
    RAISE_MARK = "raise_mark.lua";
    RENEW_LEASE = "renew_lease.lua";
    LIVE_INSTANCES = "live_instances.lua";
    ENTER = "enter.lua";
    LEAVE = "leave.lua";
    TAKE = "quota.lua";
    HELD = "held.lua";
    HOLD = "hold.lua";
    MEND = "mend.lua";
    PROBE = "probe.lua";
    RIGHTS = "rights.lua";
}

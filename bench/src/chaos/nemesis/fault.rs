//! The kinds of fault, by the names that the command line and the report have for them.

use crate::{Result, chaos::EngineKind};

macro_rules! faults {
    ($($(#[$doc:meta])* $kind:ident = $name:literal $engine:ident;)*) => {
        /// What can be done to the cluster.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Fault { $($(#[$doc])* $kind,)* }

        impl Fault {
            const ALL: &[Self] = &[$(Self::$kind),*];

            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),* }
            }

            /// Whether it applies to an instance with a file of its own, too.
            fn applies(self, engine: EngineKind) -> bool {
                match self { $(Self::$kind => engine == EngineKind::Redis || faults!(@ $engine)),* }
            }
        }
    };
    (@ any) => { true };
    (@ redis) => { false };
}

faults! {
    InstanceKill = "instance_kill" any;
    /// For 5 to 20 seconds.
    InstanceFreeze = "instance_freeze" any;
    /// One instance after the other.
    RollingSigterm = "rolling_sigterm" any;
    KillSubscribers = "client_kill_subscribers" redis;
    KillClients = "client_kill_normal" redis;
    /// Redis ends an instance's subscriptions by itself.
    Unsubscribe = "forced_sunsubscribe" redis;
    RedisKill = "redis_kill" redis;
    RedisFreeze = "redis_freeze" redis;
    /// A message is committed and its answer lost on the way from Redis.
    LostReply = "lost_reply" redis;
    /// Messages on their way to Redis get there late, or not at all.
    HeldAppends = "held_appends" redis;
    /// Nothing passes between one instance and Redis.
    RedisCut = "redis_cut" redis;
    /// An instance's connections to Redis are reset.
    RedisReset = "redis_connections_reset" redis;
    /// A client and its instance hear nothing of each other any more, not even that the other is gone; for good, or for
    /// some seconds.
    HalfOpen = "half_open_client" any;
    /// A client that reads a byte a second.
    Trickle = "slow_reader" any;
    ResetMidFrame = "reset_mid_frame" any;
    ConnectionReset = "connection_reset" any;
    /// The store is set back to an older state of the same epoch.
    Restore = "redis_restored" redis;
    FullMemory = "redis_maxmemory" redis;
    ScriptFlush = "script_flush" redis;
    /// Sentinel promotes a replica that lacks the last writes.
    Failover = "sentinel_failover" redis;
    /// The master becomes the replica with its connections open, and a new one without the last writes is at its address.
    Demoted = "demoted" redis;
    /// Instances may not do something any more, for a while.
    Rights = "rights" redis;
}

impl Fault {
    pub fn parse(list: &str, engine: EngineKind) -> Result<Vec<Self>> {
        let apply = || Self::ALL.iter().copied().filter(|fault| fault.applies(engine));
        match list {
            "all" => return Ok(apply().collect()),
            "none" | "" => return Ok(Vec::new()),
            _ => {}
        }
        let one = |name: &str| {
            let known = || Self::ALL.iter().map(|fault| fault.name()).collect::<Vec<_>>().join(", ");
            let fault = Self::ALL.iter().copied().find(|fault| fault.name() == name);
            let fault = fault.ok_or_else(|| format!("{name:?} is no kind of fault; there are {}", known()))?;
            if fault.applies(engine) { Ok(fault) } else { Err(format!("{name} needs ENGINE=redis").into()) }
        };
        list.split(',').map(|name| one(name.trim())).collect()
    }

    pub fn list(faults: &[Self]) -> String {
        if faults.is_empty() {
            "none".to_owned()
        } else {
            faults.iter().map(|fault| fault.name()).collect::<Vec<_>>().join(", ")
        }
    }

    /// Whether it takes every instance to run before.
    pub fn wants_all_instances(self) -> bool {
        self.is_measured() || self == Self::InstanceFreeze
    }

    /// Whether it is measured how long clients take to recover: then nothing else is wrong meanwhile.
    pub fn is_measured(self) -> bool {
        matches!(self, Self::RedisKill | Self::InstanceKill | Self::RollingSigterm)
    }
}

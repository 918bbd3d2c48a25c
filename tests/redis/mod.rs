//! The engine on Redis: the common promises on one server and on a Cluster, those between instances, and what holds
//! while something fails. On the one server the engine has the rights that `deploy/redis.conf` gives it, so that a command that
//! is new in the engine has to be allowed there, and there is neither `CONFIG` nor `CLIENT`, as with managed services; all of that
//! once more over TLS. On the Cluster its names begin with another prefix.

mod ahead;
mod cluster_faults;
mod credentials;
mod damage;
mod failover;
mod faults;
mod full;
mod moving;
mod rights;
mod stored;
mod tls;
mod two_deployments;

use crate::{
    contract::{Fixture, promises, promises_between_instances},
    support::redis::RedisServer,
};
use hubbub::engine::{
    Engine,
    redis::{Redis, Times},
};
use std::{sync::Arc, time::Duration};

pub struct Store {
    server: RedisServer,
    /// Its URL, where it is reached over TLS.
    tls: Option<String>,
    session_ttl: Duration,
}

impl Fixture for Store {
    async fn start(session_ttl: Duration) -> Self {
        let without = ["--rename-command", "CONFIG", "", "--rename-command", "CLIENT", ""];
        if let Some((args, address)) = tls::settings() {
            let args: Vec<_> = without.into_iter().chain(args.iter().map(String::as_str)).collect();
            let server = RedisServer::start_with_rights_and(&args);
            let plain = server.tcp_url();
            let url =
                plain.replace("redis://", "rediss://").replace(&server.address().to_string(), &address.to_string());
            return Self { server, tls: Some(url), session_ttl };
        }
        Self { server: RedisServer::start_with_rights_and(&without), tls: None, session_ttl }
    }

    async fn engine(&self) -> Arc<dyn Engine> {
        let url = self.tls.clone().unwrap_or_else(|| self.server.tcp_url());
        Redis::connect(&url, self.session_ttl).await.unwrap()
    }
}

promises!(Store);
promises_between_instances!(Store);

/// A Cluster of one node refuses scripts that touch several slots as one of many nodes does. It needs two seconds to
/// start, so here are only the promises that touch each script and channel.
mod cluster {
    use super::{Arc, Duration, Engine, Fixture, Redis, RedisServer, Times};
    use crate::contract::each_promise;

    pub struct Cluster {
        server: RedisServer,
        session_ttl: Duration,
    }

    impl Fixture for Cluster {
        async fn start(session_ttl: Duration) -> Self {
            Self { server: RedisServer::start_cluster(), session_ttl }
        }

        async fn engine(&self) -> Arc<dyn Engine> {
            let url = self.server.tcp_url().replace("redis://", "redis-cluster://");
            let times = Times::with_session_ttl(self.session_ttl);
            Redis::connect_as(&url, "some.where-else", times).await.unwrap()
        }
    }

    each_promise! { Cluster, append: concurrent_senders_keep_their_own_order }
    each_promise! { Cluster, read: a_read_in_steps_sees_everything_once, paging_back_reaches_the_first_entry }
    each_promise! { Cluster, live: every_commit_to_a_followed_room_is_reported_once_in_order }
    each_promise! { Cluster, reads:
        a_mark_only_rises,
        leaving_a_room_forgets_its_mark,
        many_rooms_are_read_at_once,
    }
    each_promise! { Cluster, quotas: a_bucket_fills_again }
    each_promise! { Cluster, directory:
        rooms_are_listed_by_their_last_activity,
        a_room_is_listed_with_its_people,
        a_session_in_use_lives_on,
        ended_sessions_are_told_from_living_ones,
        rooms_of_a_person_are_in_the_order_of_joining,
    }
    each_promise! { Cluster, shared:
        instances_appending_at_once_make_one_log,
        people_of_all_instances_are_listed_once,
        a_session_and_its_name_hold_on_every_instance,
        a_sign_out_is_reported_to_every_instance,
        a_mark_is_reported_to_every_instance_once,
        typing_is_reported_to_every_instance_that_follows_the_room,
        the_people_of_an_instance_that_shut_down_are_gone,
    }
}

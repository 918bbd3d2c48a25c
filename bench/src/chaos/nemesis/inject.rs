//! How each fault is done.

use super::{Fault, Nemesis};
use crate::{
    Result,
    chaos::{
        checker::{Whom, until_recovered},
        cluster::{Clients, Ends, Loss},
    },
};
use std::time::Duration;
use testkit::{faults::Then, redis::rights::TAKEN};
use tokio::{
    task::spawn_local,
    time::{Instant, sleep},
};

/// Between a snapshot of the store and its return to it: what is committed in between is lost.
const LOST_MS: std::ops::Range<u64> = 300..2_000;
/// For so long answers from before the store was set back may still be on their way.
const LATE_ANSWERS_MS: u64 = 2_000;

impl Nemesis {
    pub(super) async fn inject(&mut self, fault: Fault) -> Result<()> {
        let instance = self.instance();
        let mut some = |range: std::ops::Range<u64>| Duration::from_millis(self.random.u64(range));
        match fault {
            Fault::InstanceKill => {
                let down = some(100..2_000);
                let tops = self.tops().await;
                let start = Instant::now();
                self.cluster.instances[instance].kill9().await;
                let again = async {
                    // With a single one there is nowhere else to go until it is back.
                    if self.cluster.instances.len() > 1 {
                        sleep(down).await;
                    }
                    self.cluster.restart(instance).await
                };
                let watched = until_recovered(&self.shared, start, &tops, Whom::WhoLoseASocket);
                let (started, took) = tokio::join!(again, watched);
                started?;
                self.recoveries.entry(fault.name()).or_default().extend(took);
            }
            Fault::InstanceFreeze => {
                let time = some(5_000..20_000);
                self.cluster.instances[instance].freeze().await?;
                // Thawed in time for who waits for it.
                self.frozen = Instant::now() + time + Duration::from_millis(50);
                let cluster = self.cluster.clone();
                spawn_local(async move {
                    sleep(time).await;
                    if let Err(error) = cluster.instances[instance].thaw().await {
                        eprintln!("  instance {instance} cannot be thawed: {error}");
                    }
                });
            }
            Fault::RollingSigterm => {
                for instance in 0..self.cluster.instances.len() {
                    let exit = self.cluster.sigterm(instance).await?;
                    if !exit.status.success() {
                        return Err(format!("instance {instance} ended with {} on SIGTERM", exit.status).into());
                    }
                    let took = u64::try_from(exit.took.as_millis()).unwrap_or(u64::MAX);
                    self.recoveries.entry("sigterm_exit").or_default().push(took);
                    self.cluster.restart(instance).await?;
                }
            }
            Fault::KillSubscribers => drop(self.redis()?.client_kill(Clients::Subscribers).await?),
            Fault::KillClients => drop(self.redis()?.client_kill(Clients::Normal).await?),
            Fault::Unsubscribe => {
                // Without a connection at the moment, it is made and subscribed on soon.
                let _ = self.redis()?.force_sunsubscribe(instance);
            }
            Fault::RedisKill => {
                let down = some(50..3_000);
                let redis = self.redis()?;
                redis.kill().await;
                sleep(down).await;
                let pong = redis.restart().await?;
                let tops = self.tops().await;
                let took = until_recovered(&self.shared, pong.into(), &tops, Whom::Everybody).await;
                self.recoveries.entry(fault.name()).or_default().extend(took);
            }
            Fault::RedisFreeze => {
                let time = some(200..8_000);
                let redis = self.redis()?;
                redis.freeze().await?;
                sleep(time).await;
                redis.thaw().await?;
            }
            Fault::LostReply => {
                // Within some seconds somebody writes something.
                let _ = self.redis()?.drop_reply_after_commit(instance, Duration::from_secs(3)).await;
            }
            Fault::HeldAppends => {
                let time = some(200..3_000);
                let then = if self.random.bool() { Then::Forward } else { Then::Reset };
                self.redis()?.hold_requests(instance, time, then).await;
            }
            Fault::RedisCut => {
                let time = some(500..8_000);
                self.redis()?.cut(instance, time).await;
            }
            Fault::RedisReset => {
                self.redis()?.reset(instance);
            }
            Fault::HalfOpen | Fault::Trickle | Fault::ResetMidFrame | Fault::ConnectionReset => {
                self.hurt_connections(fault).await;
            }
            Fault::Restore => {
                let lost = some(LOST_MS);
                let (from_ms, ends) = self.before_a_rollback().await?;
                let snapshot = self.redis()?.snapshot().await?;
                sleep(lost).await;
                self.set_back_begins(from_ms);
                let loss = self.redis()?.restore(&snapshot, &ends).await?;
                self.set_back_ends(loss);
            }
            Fault::FullMemory => {
                let time = some(300..3_000);
                let redis = self.redis()?;
                redis.set_full(true).await?;
                sleep(time).await;
                redis.set_full(false).await?;
            }
            Fault::ScriptFlush => self.redis()?.script_flush().await?,
            Fault::Failover | Fault::Demoted => {
                let lost = some(LOST_MS);
                let (from_ms, ends) = self.before_a_rollback().await?;
                self.redis()?.hold_replication().await?;
                sleep(lost).await;
                self.set_back_begins(from_ms);
                let redis = self.redis()?;
                let loss =
                    if fault == Fault::Failover { redis.failover(&ends).await? } else { redis.demote(&ends).await? };
                self.set_back_ends(loss);
            }
            Fault::Rights => {
                let time = some(300..5_000);
                let (take, give_back) = TAKEN[self.random.usize(0..TAKEN.len())];
                let redis = self.redis()?;
                redis.change_rights(take).await?;
                sleep(time).await;
                redis.change_rights(give_back).await?;
                eprintln!("           without {take}");
            }
        }
        Ok(())
    }

    /// What is in the logs now stays in them.
    async fn before_a_rollback(&self) -> Result<(u64, Ends)> {
        let now = self.shared.history.borrow().now();
        let ends = self.redis()?.ends(&self.rooms()).await?;
        Ok((now, ends))
    }

    /// From now on what was committed after `from_ms` may vanish.
    fn set_back_begins(&self, from_ms: u64) {
        let mut history = self.shared.history.borrow_mut();
        let now = history.now();
        history.rollbacks.begin(from_ms, now);
    }

    /// What is committed from now on is there to stay. Answers on their way may still be about what was before.
    fn set_back_ends(&self, loss: Loss) {
        let mut history = self.shared.history.borrow_mut();
        let until_ms = history.now() + LATE_ANSWERS_MS;
        match loss {
            Ok(lost) => {
                eprintln!("           {} entries lost", lost.len());
                history.rollbacks.end(until_ms, Some(lost));
            }
            Err(why) => {
                eprintln!("           what was lost cannot be read, and is excused by time: {why}");
                history.rollbacks.end(until_ms, None);
            }
        }
    }

    /// Some connections of clients at once.
    async fn hurt_connections(&mut self, fault: Fault) {
        let balancer = &self.cluster.balancer;
        let mut connections = balancer.connections();
        self.random.shuffle(&mut connections);
        connections.truncate(self.random.usize(1..=3));
        for connection in &connections {
            match fault {
                Fault::HalfOpen => balancer.half_open(connection.id),
                Fault::Trickle => balancer.trickle(connection.id, Duration::from_secs(self.random.u64(2..15))),
                Fault::ConnectionReset => balancer.kill(connection.id),
                _ => balancer.reset_mid_frame(connection.id),
            };
        }
        if fault == Fault::HalfOpen && self.random.bool() {
            sleep(Duration::from_millis(self.random.u64(500..6_000))).await;
            for connection in connections {
                balancer.heal(connection.id);
            }
        }
    }
}

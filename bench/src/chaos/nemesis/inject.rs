//! How each fault is done.

use super::{Fault, Nemesis};
use crate::{
    Result,
    chaos::{
        checker::{Rollback, Whom, until_recovered},
        cluster::{Clients, TAKEN, Then},
    },
};
use std::time::Duration;
use tokio::{
    task::spawn_local,
    time::{Instant, sleep},
};

/// Between a snapshot of the store and its return to it: what is committed in between is lost.
const LOST_MS: std::ops::Range<u64> = 300..2_000;

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
                let from_ms = self.shared.history.borrow().now();
                let snapshot = self.redis()?.snapshot().await?;
                sleep(lost).await;
                self.set_back_from(from_ms);
                self.redis()?.restore(&snapshot).await?;
                self.set_back_until();
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
                let from_ms = self.shared.history.borrow().now();
                self.redis()?.hold_replication().await?;
                self.set_back_from(from_ms);
                sleep(lost).await;
                if fault == Fault::Failover {
                    self.redis()?.failover().await?;
                } else {
                    self.redis()?.demote().await?;
                }
                self.set_back_until();
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

    /// From now on what was committed after `from_ms` may vanish.
    fn set_back_from(&self, from_ms: u64) {
        self.shared.history.borrow_mut().rollbacks.push(Rollback { from_ms, until_ms: u64::MAX });
    }

    /// What is committed from now on is there to stay. Answers on their way may still be about what was before.
    fn set_back_until(&self) {
        let mut history = self.shared.history.borrow_mut();
        let now = history.now();
        if let Some(rollback) = history.rollbacks.last_mut() {
            rollback.until_ms = now + 2_000;
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

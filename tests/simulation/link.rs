//! What connects a tab with an instance: a pipe that takes its time, stands still, and is cut.

use crate::memory_store::chance::Chance;
use std::{cell::Cell, future::pending, rc::Rc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex, split},
    sync::Notify,
    task::spawn_local,
    time::sleep,
};

/// How one connection is doing, to be changed at any time.
pub struct Link {
    /// The instance it leads to.
    pub to: usize,
    /// What is on its way takes so long at most, and overtakes nothing.
    pub delay: Cell<Duration>,
    stalled: Cell<bool>,
    cut: Cell<bool>,
    over: Cell<bool>,
    changed: Notify,
}

/// The two ends of a new connection that hold so many bytes each way, and what is between them.
pub fn link(to: usize, bytes: usize, delay: Duration, mut chance: Chance) -> (DuplexStream, DuplexStream, Rc<Link>) {
    let ((near, left), (right, far)) = (duplex(bytes), duplex(bytes));
    let link = Rc::new(Link {
        to,
        delay: Cell::new(delay),
        stalled: Cell::new(false),
        cut: Cell::new(false),
        over: Cell::new(false),
        changed: Notify::new(),
    });
    let carried = link.clone();
    spawn_local(async move {
        let ((from_left, to_left), (from_right, to_right)) = (split(left), split(right));
        let there = carry(&carried, from_left, to_right, chance.fork());
        let back = carry(&carried, from_right, to_left, chance);
        tokio::select! {
            biased;
            () = carried.until(|link| link.cut.get()) => {}
            _ = async { tokio::join!(biased; there, back) } => {}
        }
        carried.over.set(true);
    });
    (near, far, link)
}

async fn carry(link: &Link, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut chance: Chance) {
    let mut piece = vec![0; 4 * 1024];
    loop {
        let Ok(read) = from.read(&mut piece).await else { return };
        let way = chance.within(link.delay.get());
        if !way.is_zero() {
            sleep(way).await;
        }
        link.until(|link| !link.stalled.get()).await;
        if read == 0 || to.write_all(&piece[..read]).await.is_err() {
            let _ = to.shutdown().await;
            return;
        }
    }
}

impl Link {
    pub fn is_over(&self) -> bool {
        self.over.get()
    }

    /// Nothing gets through until further notice, in either direction.
    pub fn stall(&self, stalled: bool) {
        self.stalled.set(stalled);
        self.changed.notify_waiters();
    }

    /// Both ends see that the other one is gone.
    pub fn cut(&self) {
        self.cut.set(true);
        self.changed.notify_waiters();
    }

    async fn until(&self, met: impl Fn(&Self) -> bool) {
        while !met(self) {
            self.changed.notified().await;
        }
        if self.over.get() {
            pending::<()>().await;
        }
    }
}

//! What everybody is told, as this instance knows it.

use super::{Hub, upkeep::every, work::lock};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// How often the store is asked for it. Who runs the server is used to wait a moment.
const LOOK_EVERY: Duration = Duration::from_secs(2);

#[derive(Default)]
pub struct NoticeBoard {
    text: Mutex<Option<Arc<str>>>,
    /// How often it changed.
    version: AtomicU64,
}

impl NoticeBoard {
    pub fn text(&self) -> Option<Arc<str>> {
        lock(&self.text).clone()
    }

    /// Another number whenever the text is another one. It is raised after the text changed: who reads it first may get a text
    /// twice, and misses none.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Whether that is something else.
    fn set(&self, text: Option<&str>) -> bool {
        let mut old = lock(&self.text);
        let changes = old.as_deref() != text;
        if changes {
            *old = text.map(Arc::from);
            self.version.fetch_add(1, Ordering::Release);
        }
        changes
    }
}

/// Has every socket say what the store says.
pub(super) async fn follow(hub: Arc<Hub>) {
    let mut ticks = every(LOOK_EVERY);
    loop {
        ticks.tick().await;
        match hub.engine.notice().await {
            Ok(text) => {
                if hub.notice.set(text.as_deref()) {
                    hub.sockets.each(super::Wake::news);
                }
            }
            // It stays as it was.
            Err(error) => tracing::debug!(%error, "cannot read what everybody is to be told"),
        }
    }
}

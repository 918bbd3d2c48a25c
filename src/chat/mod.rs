//! What the product does, and who may do it. The page's forms and the socket's frames come down to the same operations here;
//! neither reaches the store by another way.
//!
//! | module | what it is for |
//! |---|---|
//! | [`access`] | who may act in a room |
//! | [`messages`] | appending, and reading logs |
//! | [`rooms`] | entering, leaving, making rooms; what the pages of rooms show |
//! | [`sessions`] | signing in and out |
//! | [`read_markers`] | how far people have read |
//! | [`directory`] | the rooms there are, as of a second ago |
//! | [`turns`] | what a socket may read of logs, and when |
//!
//! Outcomes are what happened, in the words of the domain: whoever asked makes a frame or a page of it. Rings, presence and typing
//! that sockets only watch are the [`hub`](crate::hub)'s.

pub mod access;
pub mod directory;
pub mod messages;
pub mod read_markers;
pub mod rooms;
pub mod sessions;
pub mod turns;

use crate::{
    config::Config,
    engine::{Engine, Random},
    hub::Hub,
    limits::Limits,
    store::Unwritable,
};
use directory::DirectoryCache;
use std::sync::Arc;

/// The service that transports call. One for each instance; it owns the hub.
pub struct Chat {
    engine: Arc<dyn Engine>,
    pub hub: Arc<Hub>,
    pub limits: Arc<Limits>,
    directory: DirectoryCache,
}

impl Chat {
    /// Attached to `engine`, with the hub's background tasks started.
    pub fn start(engine: Arc<dyn Engine>, config: &Config) -> Arc<Self> {
        let hub = Hub::start(engine.clone(), config);
        Self::with(engine, hub, config)
    }

    /// The same with numbers from `random`.
    pub fn start_with(engine: Arc<dyn Engine>, config: &Config, random: Random) -> Arc<Self> {
        let hub = Hub::start_with(engine.clone(), config, random);
        Self::with(engine, hub, config)
    }

    fn with(engine: Arc<dyn Engine>, hub: Arc<Hub>, config: &Config) -> Arc<Self> {
        let limits = Arc::new(Limits::new(config));
        Arc::new(Self { engine, hub, limits, directory: DirectoryCache::default() })
    }

    /// Whether messages can be written.
    ///
    /// # Errors
    /// Says why not.
    pub async fn writable(&self) -> Result<(), Unwritable> {
        self.engine.writable().await
    }
}

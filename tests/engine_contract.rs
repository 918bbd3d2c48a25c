//! What every engine promises, and what each promises besides.
//!
//! `contract` holds the list that all run; an engine's own module provides its [`contract::Fixture`].
#![allow(clippy::unwrap_used)]

mod contract;
mod embedded;
#[path = "support/memory/mod.rs"]
mod memory_store;
mod redis;
mod support;

/// The store that simulations run on: one that tells its instances of everything, and one of which they may miss something.
mod memory {
    use crate::{
        contract::{Fixture, promises, promises_between_instances},
        memory_store,
    };
    use hubbub::engine::Engine;
    use std::{
        sync::Arc,
        time::{Duration, SystemTime, UNIX_EPOCH},
    };

    pub struct Store<const MAY_MISS: bool>(memory_store::Store);

    impl<const MAY_MISS: bool> Fixture for Store<MAY_MISS> {
        async fn start(session_ttl: Duration) -> Self {
            let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap();
            Self(memory_store::Store::new(memory_store::Options { seed: 1, start, session_ttl, may_miss: MAY_MISS }))
        }

        async fn engine(&self) -> Arc<dyn Engine> {
            self.0.instance()
        }
    }

    mod sure {
        use super::{promises, promises_between_instances};
        type Store = super::Store<false>;
        promises!(Store);
        promises_between_instances!(Store);
    }

    mod unsure {
        use super::{promises, promises_between_instances};
        type Store = super::Store<true>;
        promises!(Store);
        promises_between_instances!(Store);
    }
}

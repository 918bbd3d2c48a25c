//! A cluster: a store, the instances on it, and what leads to them.

use super::{
    link::{Link, link},
    record::Record,
    server::Server,
    trace::Trace,
};
use crate::memory_store::{Memory, Options, Store, chance::Chance};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use tokio::io::{DuplexStream, duplex};

/// What the store's clock shows when a run begins.
pub const START: u64 = 1_700_000_000_000;

/// How a run is made, which its seed decides.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    pub instances: usize,
    pub may_miss: bool,
    /// Whether the store is set back now and then.
    pub goes_back: bool,
    pub socket_lifetime: Duration,
    /// The longest way of a piece between a tab and its instance.
    pub delay: Duration,
}

pub struct World {
    pub setup: Setup,
    pub store: Store,
    /// By which the checker asks it.
    pub observer: Arc<Memory>,
    pub trace: Trace,
    pub record: RefCell<Record>,
    pub chance: RefCell<Chance>,
    /// Whether anybody still does anything.
    pub busy: Cell<bool>,
    /// How many messages each tab was asked for since nobody does anything by themselves.
    pub asked: Cell<u32>,
    /// Whether each tab has to read all there is, once.
    pub read_all: Cell<bool>,
    /// `None`: it is not there.
    servers: RefCell<Vec<Option<Server>>>,
    links: RefCell<Vec<Rc<Link>>>,
}

impl World {
    pub fn new(seed: u64, setup: Setup) -> Rc<Self> {
        let session_ttl = Duration::from_hours(24);
        let store = Store::new(Options { seed, start: START, session_ttl, may_miss: setup.may_miss });
        let world = Rc::new(Self {
            setup,
            observer: store.instance(),
            store,
            trace: Trace::begin(),
            record: RefCell::default(),
            chance: RefCell::new(Chance::new(seed.rotate_left(32))),
            busy: Cell::new(true),
            asked: Cell::new(0),
            read_all: Cell::new(false),
            servers: RefCell::default(),
            links: RefCell::default(),
        });
        for slot in 0..setup.instances {
            world.servers.borrow_mut().push(None);
            world.start(slot);
        }
        world
    }

    pub fn fork(&self) -> Chance {
        self.chance.borrow_mut().fork()
    }

    /// Starts an instance in the place of one that is gone.
    pub fn start(&self, slot: usize) {
        let server = Server::start(self.store.instance(), self.setup.socket_lifetime, self.fork());
        self.trace.line(format_args!("instance {slot} starts as {}", server.engine.number()));
        self.servers.borrow_mut()[slot] = Some(server);
    }

    /// As which number the store knows an instance that is there.
    pub fn number(&self, slot: usize) -> Option<usize> {
        self.servers.borrow()[slot].as_ref().map(|server| server.engine.number())
    }

    /// The numbers of all instances that are there.
    pub fn numbers(&self) -> Vec<usize> {
        (0..self.setup.instances).filter_map(|slot| self.number(slot)).collect()
    }

    /// An instance is gone from one moment to the next: nothing reaches the store or a tab any more.
    pub fn crash(&self, slot: usize) {
        let Some(server) = self.servers.borrow_mut()[slot].take() else { return };
        self.store.faults().cut(server.engine.number());
        for link in self.links_to(slot) {
            link.cut();
        }
        server.end();
    }

    /// An instance is asked to end; it takes nothing new meanwhile.
    pub async fn drain(&self, slot: usize) {
        let server = self.servers.borrow_mut()[slot].take();
        if let Some(server) = server {
            server.draining().await;
            server.end();
        }
    }

    fn links_to(&self, slot: usize) -> Vec<Rc<Link>> {
        self.links().into_iter().filter(|link| link.to == slot).collect()
    }

    pub fn links(&self) -> Vec<Rc<Link>> {
        self.links.borrow_mut().retain(|link| !link.is_over());
        self.links.borrow().clone()
    }

    /// An instance that takes connections.
    fn choose(&self, chance: &mut Chance) -> Option<usize> {
        let there: Vec<_> = (0..self.setup.instances).filter(|slot| self.servers.borrow()[*slot].is_some()).collect();
        chance.pick(&there).copied()
    }

    /// A connection for a socket, as through a load balancer.
    pub fn connect(&self, mut chance: Chance) -> Option<DuplexStream> {
        let slot = self.choose(&mut chance)?;
        let bytes = *chance.pick(&[1024, 16 * 1024, 64 * 1024])?;
        let (near, far, link) = link(slot, bytes, self.setup.delay, chance);
        self.serve(slot, far);
        self.links.borrow_mut().push(link);
        Some(near)
    }

    /// A connection for one request, which takes no time.
    pub fn connect_at_once(&self, mut chance: Chance) -> Option<DuplexStream> {
        let slot = self.choose(&mut chance)?;
        let (near, far) = duplex(64 * 1024);
        self.serve(slot, far);
        Some(near)
    }

    fn serve(&self, slot: usize, stream: DuplexStream) {
        if let Some(server) = &self.servers.borrow()[slot] {
            server.serve(stream);
        }
    }
}

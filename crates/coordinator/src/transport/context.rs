//! What the tasks of a mesh have in common.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use quinn::{Connection, Endpoint, TransportConfig};
use tetrarch_client::tls::Identity;
use tetrarch_wire::{NodeId, frame::Hello};

use super::{
    complaint::Complaints,
    config::{Limits, LocalNode, MonotonicClock},
    duel::Claim,
    error::Refusal,
    gate::Gate,
    inbound::{Inbound, Peer},
    introduction::Control,
    link::{Leave, Link},
    outbox::LinkNumber,
    seat::Seat,
    stop::StopSource,
    tasks::TaskGroup,
    traffic::Traffic,
};

/// What exists once in a mesh, whoever is told of what happens.
pub(super) struct Shared {
    pub(super) endpoint: Endpoint,
    pub(super) local: LocalNode,
    pub(super) clock: MonotonicClock,
    pub(super) limits: Limits,
    pub(super) tuning: Arc<TransportConfig>,
    pub(super) tasks: TaskGroup,
    pub(super) stop: StopSource,
    /// Connections that are not authenticated yet.
    pub(super) half_open: Gate,
    /// Connections of clients.
    pub(super) clients: Gate,
    pub(super) complaints: Complaints,
    pub(super) identity: RwLock<Identity>,
    pub(super) seats: RwLock<HashMap<NodeId, Arc<Seat>>>,
    pub(super) links: AtomicU64,
}

impl Shared {
    /// The identity for connections from now on.
    pub(super) fn identity(&self) -> Identity {
        let identity = self.identity.read();
        identity.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The place of a node, if it is known.
    pub(super) fn seat(&self, node: NodeId) -> Option<Arc<Seat>> {
        let seats = self.seats.read().unwrap_or_else(PoisonError::into_inner);
        seats.get(&node).cloned()
    }

    /// Every place.
    pub(super) fn all_seats(&self) -> Vec<Arc<Seat>> {
        let seats = self.seats.read().unwrap_or_else(PoisonError::into_inner);
        seats.values().cloned().collect()
    }

    /// How this node introduces itself now.
    pub(super) fn hello(&self) -> Hello {
        self.local.hello((self.clock)())
    }

    /// A connection to `peer` that `dialler` dialled.
    pub(super) fn link(&self, connection: Connection, peer: Peer, dialler: NodeId) -> Arc<Link> {
        let number = LinkNumber(self.links.fetch_add(1, Ordering::Relaxed));
        let claim = Claim {
            store: peer.store,
            boot: peer.boot,
            dialler,
            lower: self.local.node.min(peer.node),
        };
        Arc::new(Link::new(number, connection, Arc::new(peer), claim))
    }
}

/// A mesh and the node that it belongs to.
pub(super) struct Context<I> {
    pub(super) mesh: Arc<Shared>,
    pub(super) inbound: Arc<I>,
}

impl<I> Clone for Context<I> {
    fn clone(&self) -> Self {
        Self {
            mesh: Arc::clone(&self.mesh),
            inbound: Arc::clone(&self.inbound),
        }
    }
}

impl<I: Inbound> Context<I> {
    /// Starts to carry frames on a connection that has the seat.
    pub(super) fn carry(&self, seat: Arc<Seat>, link: Arc<Link>, control: Control) {
        let traffic = Traffic {
            seat: Arc::clone(&seat),
            link: Arc::clone(&link),
            inbound: Arc::clone(&self.inbound),
            limits: self.mesh.limits.clone(),
            stop: self.mesh.stop.watcher(),
        };
        if !self.mesh.tasks.spawn(traffic.run(control)) {
            seat.leave(&link, &*self.inbound);
        }
    }

    /// Takes in what a peer sent on a connection that did not get the seat, then closes it.
    pub(super) fn carry_out(&self, seat: Arc<Seat>, link: Arc<Link>, control: Control) {
        link.leave(Leave::Replaced);
        self.carry(seat, link, control);
    }

    /// Logs and counts a connection that did not come about. None does while the mesh stops.
    pub(super) fn complain(&self, remote: SocketAddr, refusal: Refusal) {
        if self.mesh.stop.is_stopped() {
            return;
        }
        if let Some(event) = self.mesh.complaints.file(remote, refusal) {
            self.inbound.observe(event);
        }
    }
}

//! The node's handle on its connections.

use std::{
    collections::{HashMap, hash_map::Entry},
    future::Future,
    net::{SocketAddr, UdpSocket},
    sync::{Arc, PoisonError, RwLock, Weak, atomic::AtomicU64},
    time::Duration,
};

use quinn::{ServerConfig, TransportConfig, VarInt};
use tetrarch_client::{
    tls::{Identity, Protocol, server_config},
    transport::{Tuning, bind, transport_config},
};
use tetrarch_replica::Lane;
use tetrarch_wire::{
    Frame, NodeId,
    frame::{ChannelFrame, CloseCode},
};
use tokio::time::timeout;

use super::{
    accept::keep_accepting,
    complaint::Complaints,
    config::{Limits, LocalNode, MeshConfig, PeerAddress},
    context::{Context, Shared},
    dial::keep_dialling,
    error::TransportError,
    gate::Gate,
    inbound::{Inbound, Peer, TransportEvent},
    lane::{Track, carries},
    link::Link,
    outbox::DropReason,
    seat::Seat,
    stop::StopSource,
    tasks::TaskGroup,
};

/// How long tasks may take to end once they are told to.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the last packets may take to leave.
const LAST_PACKETS: Duration = Duration::from_millis(500);
/// Bytes that a peer may send on one stream before this node has read them.
const STREAM_WINDOW: u32 = 2 * 1024 * 1024;

/// The connections of a node: one to each peer, and those of clients. A cheap handle; when the
/// last one is dropped, everything that the mesh started ends.
#[derive(Clone)]
pub(crate) struct Mesh(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    local_addr: SocketAddr,
    /// Tells the node of an event.
    observe: Box<dyn Fn(TransportEvent) + Send + Sync>,
    /// Starts to dial a peer.
    dial: Box<dyn Fn(Arc<Seat>) + Send + Sync>,
}

impl Mesh {
    /// Listens, and begins to dial the peers. Everything that happens is told to `inbound`. Must
    /// be called on a tokio runtime, which then runs the mesh.
    ///
    /// # Errors
    /// If the address cannot be listened on, or the identity is not this node's.
    pub(crate) fn start<I: Inbound>(
        config: MeshConfig,
        inbound: Arc<I>,
    ) -> Result<Self, TransportError> {
        let shared = Arc::new(listen(&config)?);
        let local_addr = shared
            .endpoint
            .local_addr()
            .map_err(|source| TransportError::listen(config.listen, source))?;
        let context = Context {
            mesh: Arc::clone(&shared),
            inbound,
        };
        let mesh = Self(Arc::new(Handle {
            local_addr,
            observe: observer(&context.inbound),
            dial: dialler(&shared, &context.inbound),
            shared: Arc::clone(&shared),
        }));
        // A peer that dials at once is to be known already.
        for peer in config.peers {
            mesh.add_peer(peer);
        }
        shared.spawn(keep_accepting(context));
        Ok(mesh)
    }

    /// Where the mesh listens.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.0.local_addr
    }

    /// The peers that are connected now.
    pub(crate) fn peers(&self) -> Vec<Arc<Peer>> {
        let seats = self.0.shared.all_seats();
        seats.iter().filter_map(|seat| seat.peer()).collect()
    }

    /// Makes another node known, or a known one known under another address.
    pub(crate) fn add_peer(&self, peer: PeerAddress) {
        if peer.node == self.0.shared.local.node {
            return;
        }
        let seat = {
            let mut seats = self
                .0
                .shared
                .seats
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            match seats.entry(peer.node) {
                Entry::Occupied(known) => return known.get().readdress(peer),
                Entry::Vacant(place) => {
                    let seat = Arc::new(Seat::new(peer, &self.0.shared.limits));
                    Arc::clone(place.insert(seat))
                }
            }
        };
        (self.0.dial)(seat);
    }

    /// Queues a frame for a peer. Never waits: a frame that cannot be queued is dropped and
    /// counted.
    pub(crate) fn send(&self, to: NodeId, lane: Lane, frame: ChannelFrame) {
        let track = Track::of(lane, &frame.channel);
        self.queue(to, track, &Frame::Channel(frame));
    }

    /// Sends a sign of life: as a datagram if it fits into one, else on the control lane.
    pub(crate) fn beat(&self, to: NodeId, frame: Frame, via_control: bool) {
        let link = match self.0.shared.seat(to) {
            Some(seat) if !via_control => seat.link(),
            Some(_) | None => None,
        };
        if !link.is_some_and(|link| self.sent_as_datagram(&link, &frame)) {
            self.queue(to, Track::CONTROL, &frame);
        }
    }

    /// Takes a new certificate, key and trust bundle into use for connections from now on.
    ///
    /// # Errors
    /// If they cannot be used or are another node's; the old ones stay in use then.
    pub(crate) fn reload(&self, identity: Identity) -> Result<(), TransportError> {
        let shared = &self.0.shared;
        check_identity(&shared.local, &identity)?;
        let config = accepting(&identity, &shared.tuning)?;
        let mut current = shared
            .identity
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        shared.endpoint.set_server_config(Some(config));
        *current = identity;
        Ok(())
    }

    /// Says goodbye to the peers, closes every connection, and waits until all tasks have ended,
    /// which takes bounded time. Doing so again changes nothing.
    pub(crate) async fn shutdown(&self) {
        let shared = &self.0.shared;
        shared.stop.stop();
        shared.tasks.stop(PATIENCE).await;
        shared.close_all();
        let left = shared.endpoint.wait_idle();
        if timeout(LAST_PACKETS, left).await.is_err() {
            tracing::debug!("the last packets were not confirmed");
        }
        self.release_address();
    }

    /// QUIC keeps its socket for as long as there is a handle on it, and one socket more after a
    /// change, so that nothing gets lost. Two changes let go of the address that others may want.
    fn release_address(&self) {
        let any = SocketAddr::new(self.0.local_addr.ip(), 0);
        for _ in 0..2 {
            let moved =
                UdpSocket::bind(any).and_then(|socket| self.0.shared.endpoint.rebind(socket));
            if let Err(error) = moved {
                tracing::debug!(%error, "the address stays in use as long as the mesh is held");
                return;
            }
        }
    }

    /// Closes every connection at once and lets the tasks end by themselves.
    pub(crate) fn abandon(&self) {
        self.0.shared.abandon();
    }

    fn queue(&self, to: NodeId, track: Track, frame: &Frame) {
        let queued = if !carries(track.lane(), frame.frame_type()) {
            Err(DropReason::WrongLane)
        } else if let Some(seat) = self.0.shared.seat(to) {
            seat.push(track, frame)
        } else {
            Err(DropReason::UnknownPeer)
        };
        if let Err(reason) = queued {
            (self.0.observe)(TransportEvent::FrameDropped {
                lane: track.lane(),
                frame: frame.frame_type(),
                reason: reason.name(),
            });
        }
    }

    fn sent_as_datagram(&self, link: &Link, frame: &Frame) -> bool {
        let Ok(bytes) = frame.to_bytes() else {
            return false;
        };
        let size = bytes.len();
        let fits = link.connection.max_datagram_size().unwrap_or(0) >= size;
        let sent = fits && link.connection.send_datagram(bytes).is_ok();
        if sent {
            (self.0.observe)(TransportEvent::Sent {
                lane: Lane::Control,
                bytes: size as u64,
            });
        }
        sent
    }

    #[cfg(test)]
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.abandon();
    }
}

impl Shared {
    fn abandon(&self) {
        self.stop.stop();
        self.close_all();
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if !self.tasks.spawn(task) {
            tracing::debug!("the mesh has stopped");
        }
    }

    fn close_all(&self) {
        let code = VarInt::from_u32(CloseCode::Shutdown as u32);
        self.endpoint.close(code, b"the node stops");
    }
}

/// The handle must not keep the node alive, because the node has the handle.
fn observer<I: Inbound>(inbound: &Arc<I>) -> Box<dyn Fn(TransportEvent) + Send + Sync> {
    let inbound = Arc::downgrade(inbound);
    Box::new(move |event| {
        if let Some(inbound) = inbound.upgrade() {
            inbound.observe(event);
        }
    })
}

fn dialler<I: Inbound>(
    shared: &Arc<Shared>,
    inbound: &Arc<I>,
) -> Box<dyn Fn(Arc<Seat>) + Send + Sync> {
    let (shared, inbound): (_, Weak<I>) = (Arc::clone(shared), Arc::downgrade(inbound));
    Box::new(move |seat| {
        if let Some(inbound) = inbound.upgrade() {
            let mesh = Arc::clone(&shared);
            let context = Context { mesh, inbound };
            shared.spawn(keep_dialling(context, seat));
        }
    })
}

fn listen(config: &MeshConfig) -> Result<Shared, TransportError> {
    check_identity(&config.local, &config.identity)?;
    let tuning = Arc::new(tuning(&config.limits));
    let server = accepting(&config.identity, &tuning)?;
    let endpoint = bind(config.listen, Some(server))
        .map_err(|source| TransportError::listen(config.listen, source))?;
    Ok(Shared {
        endpoint,
        local: config.local.clone(),
        clock: Arc::clone(&config.clock),
        limits: config.limits.clone(),
        tuning,
        tasks: TaskGroup::new(),
        stop: StopSource::new(),
        half_open: Gate::default(),
        clients: Gate::default(),
        complaints: Complaints::default(),
        identity: RwLock::new(config.identity.clone()),
        seats: RwLock::new(HashMap::new()),
        links: AtomicU64::new(0),
    })
}

fn check_identity(local: &LocalNode, identity: &Identity) -> Result<(), TransportError> {
    let principal = identity.principal();
    if principal.check_node(None).is_ok() && principal.node_id() == local.node {
        return Ok(());
    }
    Err(TransportError::NotThisNode {
        found: principal.uri(),
        expected: format!("{} ({})", local.name, local.node),
    })
}

fn accepting(
    identity: &Identity,
    tuning: &Arc<TransportConfig>,
) -> Result<ServerConfig, TransportError> {
    let mut config = server_config(identity, &Protocol::ALL)?;
    config.transport_config(Arc::clone(tuning));
    Ok(config)
}

/// The connection window holds a full window of every stream, so that no stream that the node is
/// slow to read can keep the control lane waiting.
fn tuning(limits: &Limits) -> TransportConfig {
    let streams = u32::from(Track::UNIDIRECTIONAL);
    transport_config(&Tuning {
        max_bidi_streams: limits.streams,
        max_uni_streams: streams,
        stream_window: STREAM_WINDOW,
        connection_window: STREAM_WINDOW * (streams + 2),
        ..Tuning::mesh()
    })
}

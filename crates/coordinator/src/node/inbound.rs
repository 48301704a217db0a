//! Where the transport hands over what arrives.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tetrarch_client::{
    tls::Principal,
    transport::{FrameReceiver, FrameSender},
};
use tetrarch_replica::Lane;
use tetrarch_wire::{
    Frame, NodeId,
    frame::{ChannelFrame, ChannelMessage},
};

use crate::{
    beats::BeatHandle,
    catalog::ReportHandle,
    channel::{Command, PeerInput, Workers},
    session::{self, SessionContext},
    telemetry::{ConnectionKind, Direction, Held},
    transport::{Inbound, Peer, TransportEvent},
};

/// The node's end of the transport.
pub(super) struct NodeInbound {
    pub(super) workers: Workers,
    pub(super) beats: BeatHandle,
    pub(super) sessions: Arc<SessionContext>,
    pub(super) reports: ReportHandle,
    /// The connected peers, as they are counted.
    pub(super) connected: Mutex<BTreeMap<NodeId, Held>>,
}

impl NodeInbound {
    fn connected(&self) -> MutexGuard<'_, BTreeMap<NodeId, Held>> {
        self.connected
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn tell_workers(&self, command: impl Fn() -> Command) {
        for worker in self.workers.all() {
            // The transport must not wait here, so what does not fit is told by a task.
            if let Err(full) = worker.commands.try_send(command()) {
                let commands = worker.commands.clone();
                tokio::spawn(async move {
                    if commands.send(full.into_inner()).await.is_err() {
                        tracing::debug!("the node is stopping");
                    }
                });
            }
        }
    }
}

impl Inbound for NodeInbound {
    fn peer_up(&self, peer: &Arc<Peer>) {
        tracing::info!(peer = %peer.name, boot = peer.boot.get(), "connected");
        self.beats.peer_up(peer);
        let held = self
            .sessions
            .telemetry
            .transport()
            .connection(ConnectionKind::Peer);
        self.connected().insert(peer.node, held);
        self.tell_workers(|| Command::PeerFound(peer.voter));
    }

    fn peer_down(&self, peer: &Arc<Peer>) {
        tracing::info!(peer = %peer.name, boot = peer.boot.get(), "disconnected");
        self.beats.peer_down(peer);
        self.connected().remove(&peer.node);
        self.sessions.telemetry.transport().peer_down(&peer.name);
        self.tell_workers(|| Command::PeerLost(peer.voter));
    }

    async fn channel_frame(&self, from: &Arc<Peer>, lane: Lane, frame: ChannelFrame) {
        if let ChannelMessage::Placed(report) = frame.message {
            self.reports.offer(from.voter, report);
            return;
        }
        let worker = self.workers.of(frame.channel);
        let inbox = match lane {
            Lane::Control => &worker.control,
            Lane::Data => &worker.data,
            Lane::Bulk => &worker.bulk,
        };
        if inbox
            .send(PeerInput {
                from: from.voter,
                frame,
            })
            .await
            .is_err()
        {
            tracing::debug!("the node is stopping");
        }
    }

    fn beat_frame(&self, from: &Arc<Peer>, frame: Frame) {
        self.beats.frame(from, frame);
    }

    async fn client_stream(
        &self,
        client: Arc<Principal>,
        sender: FrameSender,
        receiver: FrameReceiver,
    ) {
        session::serve(Arc::clone(&self.sessions), client, sender, receiver).await;
    }

    fn observe(&self, event: TransportEvent) {
        let transport = self.sessions.telemetry.transport();
        match event {
            TransportEvent::HandshakeRefused {
                remote,
                reason,
                detail,
            } => {
                transport.handshake_refused(reason);
                tracing::warn!(%remote, reason, detail, "a connection is refused");
            }
            TransportEvent::Closed { peer, code, detail } => {
                transport.closed(code);
                tracing::warn!(peer, code = code.name(), detail, "a connection is closed");
            }
            TransportEvent::FrameDropped {
                lane,
                frame,
                reason,
            } => {
                transport.frame_dropped(lane.into(), frame, reason);
            }
            TransportEvent::Sent { lane, bytes } => {
                transport.bytes(lane.into(), Direction::Sent, bytes);
            }
            TransportEvent::Received { lane, bytes } => {
                transport.bytes(lane.into(), Direction::Received, bytes);
            }
            TransportEvent::RoundTrip { peer, time } => transport.round_trip(&peer, time),
        }
    }
}

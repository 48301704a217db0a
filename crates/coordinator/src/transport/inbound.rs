//! What the transport hands to the node. The transport knows connections, streams and frames; the
//! node knows channels. Neither knows the other's types.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use tetrarch_client::{
    tls::Principal,
    transport::{FrameReceiver, FrameSender},
};
use tetrarch_replica::Lane;
use tetrarch_wire::{
    Boot, Frame, NodeId, StoreId, VoterId,
    frame::{ChannelFrame, CloseCode, FrameType},
};

/// A node at the other end of a connection, as it introduced itself and as its certificate proves.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// The node.
    pub(crate) node: NodeId,
    /// Its store.
    pub(crate) store: StoreId,
    /// The vote that node and store have together.
    pub(crate) voter: VoterId,
    /// The current start of its store.
    pub(crate) boot: Boot,
    /// Its name.
    pub(crate) name: String,
    /// Where it is reached, as `host:port`.
    pub(crate) address: String,
    /// What it is labelled with.
    pub(crate) labels: Vec<(String, String)>,
}

/// The node, as the transport sees it.
pub(crate) trait Inbound: Send + Sync + 'static {
    /// A connection to a peer is ready for frames.
    fn peer_up(&self, peer: &Arc<Peer>);

    /// The connection to a peer is gone. A connection that was replaced by another one of the same
    /// boot is not reported.
    fn peer_down(&self, peer: &Arc<Peer>);

    /// A replica said something. Waiting here holds the stream back, and with it the sender.
    fn channel_frame(
        &self,
        from: &Arc<Peer>,
        lane: Lane,
        frame: ChannelFrame,
    ) -> impl Future<Output = ()> + Send;

    /// A beat, its acknowledgement, or a part of a leadership table. Never waits.
    fn beat_frame(&self, from: &Arc<Peer>, frame: Frame);

    /// A client opened a stream. Runs until the stream ends.
    fn client_stream(
        &self,
        client: Arc<Principal>,
        sender: FrameSender,
        receiver: FrameReceiver,
    ) -> impl Future<Output = ()> + Send;

    /// Something that an operator wants counted or logged.
    fn observe(&self, event: TransportEvent);
}

/// What the transport reports for metrics and logs.
#[derive(Clone, Debug)]
pub(crate) enum TransportEvent {
    /// A connection was refused before it could carry frames.
    HandshakeRefused {
        /// The other end.
        remote: SocketAddr,
        /// A fixed word for the counter.
        reason: &'static str,
        /// For people: what was seen and what was expected.
        detail: String,
    },
    /// A connection that carried frames was closed for cause, by this side.
    Closed {
        /// Who was at the other end.
        peer: String,
        /// Why.
        code: CloseCode,
        /// For people.
        detail: String,
    },
    /// A frame was dropped on its way out, because its queue was full or there was no connection.
    FrameDropped {
        /// The lane.
        lane: Lane,
        /// The frame.
        frame: FrameType,
        /// A fixed word for the counter.
        reason: &'static str,
    },
    /// Bytes left.
    Sent {
        /// The lane.
        lane: Lane,
        /// How many.
        bytes: u64,
    },
    /// Bytes arrived.
    Received {
        /// The lane.
        lane: Lane,
        /// How many.
        bytes: u64,
    },
    /// A round trip to a peer was measured.
    RoundTrip {
        /// The peer's name.
        peer: String,
        /// How long it took.
        time: Duration,
    },
}

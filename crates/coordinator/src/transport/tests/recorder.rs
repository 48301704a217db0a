//! A node that only remembers what the transport told it.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tetrarch_client::{
    tls::Principal,
    transport::{FrameReceiver, FrameSender},
};
use tetrarch_replica::Lane;
use tetrarch_wire::{Frame, NodeId, frame::ChannelFrame};
use tokio::time::{Instant, sleep};

use crate::transport::{Inbound, Peer, TransportEvent};

/// What a node was told.
#[derive(Default)]
pub(super) struct Recorder {
    pub(super) ups: Mutex<Vec<(NodeId, u64)>>,
    pub(super) downs: Mutex<Vec<(NodeId, u64)>>,
    pub(super) frames: Mutex<Vec<(NodeId, Lane, ChannelFrame)>>,
    pub(super) bytes: AtomicUsize,
    pub(super) count_only: AtomicBool,
    pub(super) stuck: AtomicBool,
    pub(super) beats: Mutex<Vec<(NodeId, Frame)>>,
    pub(super) events: Mutex<Vec<TransportEvent>>,
    pub(super) clients: Mutex<Vec<String>>,
}

impl Recorder {
    /// The words and texts of refused connections.
    pub(super) fn refusals(&self) -> Vec<(&'static str, String)> {
        let events = self.events.lock().unwrap();
        let refusals = events.iter().filter_map(|event| match event {
            TransportEvent::HandshakeRefused { reason, detail, .. } => {
                Some((*reason, detail.clone()))
            }
            TransportEvent::Closed { .. }
            | TransportEvent::FrameDropped { .. }
            | TransportEvent::Sent { .. }
            | TransportEvent::Received { .. }
            | TransportEvent::RoundTrip { .. } => None,
        });
        refusals.collect()
    }

    /// The codes and texts of connections closed for cause.
    pub(super) fn closed(&self) -> Vec<(&'static str, String)> {
        let events = self.events.lock().unwrap();
        let closed = events.iter().filter_map(|event| match event {
            TransportEvent::Closed { code, detail, .. } => Some((code.name(), detail.clone())),
            TransportEvent::HandshakeRefused { .. }
            | TransportEvent::FrameDropped { .. }
            | TransportEvent::Sent { .. }
            | TransportEvent::Received { .. }
            | TransportEvent::RoundTrip { .. } => None,
        });
        closed.collect()
    }

    /// Why frames were dropped.
    pub(super) fn dropped(&self) -> Vec<(Lane, &'static str)> {
        let events = self.events.lock().unwrap();
        let dropped = events.iter().filter_map(|event| match event {
            TransportEvent::FrameDropped { lane, reason, .. } => Some((*lane, *reason)),
            TransportEvent::HandshakeRefused { .. }
            | TransportEvent::Closed { .. }
            | TransportEvent::Sent { .. }
            | TransportEvent::Received { .. }
            | TransportEvent::RoundTrip { .. } => None,
        });
        dropped.collect()
    }

    pub(super) fn ups(&self) -> Vec<(NodeId, u64)> {
        self.ups.lock().unwrap().clone()
    }

    pub(super) fn downs(&self) -> Vec<(NodeId, u64)> {
        self.downs.lock().unwrap().clone()
    }

    pub(super) fn frame_count(&self) -> usize {
        self.frames.lock().unwrap().len()
    }
}

impl Inbound for Recorder {
    fn peer_up(&self, peer: &Arc<Peer>) {
        self.ups.lock().unwrap().push((peer.node, peer.boot.get()));
    }

    fn peer_down(&self, peer: &Arc<Peer>) {
        self.downs
            .lock()
            .unwrap()
            .push((peer.node, peer.boot.get()));
    }

    async fn channel_frame(&self, from: &Arc<Peer>, lane: Lane, frame: ChannelFrame) {
        while lane != Lane::Control && self.stuck.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(5)).await;
        }
        if self.count_only.load(Ordering::Relaxed) {
            self.bytes
                .fetch_add(super::frames::payload(&frame), Ordering::Relaxed);
            return;
        }
        self.frames.lock().unwrap().push((from.node, lane, frame));
    }

    fn beat_frame(&self, from: &Arc<Peer>, frame: Frame) {
        self.beats.lock().unwrap().push((from.node, frame));
    }

    async fn client_stream(
        &self,
        client: Arc<Principal>,
        mut sender: FrameSender,
        mut receiver: FrameReceiver,
    ) {
        self.clients.lock().unwrap().push(client.uri());
        // Everything comes back, until the client has said enough.
        while let Ok(Some(frame)) = receiver.next().await {
            sender.send(&frame).await.unwrap();
        }
        sender.finish();
    }

    fn observe(&self, event: TransportEvent) {
        match event {
            TransportEvent::Sent { .. } | TransportEvent::Received { .. } => {}
            TransportEvent::HandshakeRefused { .. }
            | TransportEvent::Closed { .. }
            | TransportEvent::FrameDropped { .. }
            | TransportEvent::RoundTrip { .. } => self.events.lock().unwrap().push(event),
        }
    }
}

/// Waits until something is so; fails after ten seconds.
pub(super) async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(Instant::now() < deadline, "still not so: {what}");
        sleep(Duration::from_millis(2)).await;
    }
}

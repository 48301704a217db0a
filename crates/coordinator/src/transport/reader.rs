//! What arrives from a peer. Each stream has a task that hands its frames to the node one by one
//! and reads on only when the node has taken them, so a node that is behind holds back exactly the
//! streams that it is behind on.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use quinn::RecvStream;
use tetrarch_client::transport::{FrameReceiver, ReceiveTimeouts};
use tetrarch_replica::Lane;
use tetrarch_wire::{
    Frame,
    frame::{Close, CloseCode, Goodbye},
};
use tokio::time::timeout;

use super::{
    inbound::{Inbound, TransportEvent},
    lane::{Purpose, Track, carries, purpose},
    link::{Leave, Link, code_of},
};

/// Hands what arrives on one connection to the node.
pub(super) struct Reader<I> {
    pub(super) link: Arc<Link>,
    pub(super) inbound: Arc<I>,
}

impl<I> Clone for Reader<I> {
    fn clone(&self) -> Self {
        Self {
            link: Arc::clone(&self.link),
            inbound: Arc::clone(&self.inbound),
        }
    }
}

impl<I: Inbound> Reader<I> {
    /// Reads the control stream to its end, which announces the end of the connection.
    pub(super) async fn control(self, receiver: FrameReceiver) {
        if self.frames(Lane::Control, receiver).await {
            self.link.control_ended();
        }
    }

    /// Reads a unidirectional stream: the number of its track, then frames.
    pub(super) async fn stream(self, mut stream: RecvStream, timeouts: ReceiveTimeouts) {
        let patience = timeouts.first.unwrap_or(Duration::MAX);
        let mut tag = [0];
        match timeout(patience, stream.read_exact(&mut tag)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(peer = %self.link.peer.name, %error, "a stream ended unused");
                return;
            }
            Err(_) => {
                let detail = format!("a stream was silent for {} ms", patience.as_millis());
                return self.end(CloseCode::Timeout, detail);
            }
        }
        let Some(track) = Track::from_tag(tag[0]) else {
            let last = Track::UNIDIRECTIONAL - 1;
            let detail = format!("a stream begins with {}, expected 0 to {last}", tag[0]);
            return self.end(CloseCode::Malformed, detail);
        };
        self.frames(track.lane(), FrameReceiver::new(stream, timeouts))
            .await;
    }

    /// Takes in a datagram: a sign of life, whole. Never waits.
    pub(super) fn datagram(&self, bytes: Bytes) {
        self.received(Lane::Control, bytes.len());
        match Frame::from_bytes(bytes) {
            Ok(frame) if purpose(frame.frame_type()) == Purpose::Beat => {
                self.inbound.beat_frame(&self.link.peer, frame);
            }
            Ok(frame) => {
                let seen = frame.frame_type().name();
                let detail = format!("a {seen} arrived as a datagram, expected signs of life");
                self.link.strike(CloseCode::Malformed, detail);
            }
            Err(error) => {
                let detail = format!("a datagram is no frame: {error}");
                self.link.strike(CloseCode::Malformed, detail);
            }
        }
    }

    /// Whether the stream ended in order.
    async fn frames(&self, lane: Lane, mut receiver: FrameReceiver) -> bool {
        loop {
            match receiver.next().await {
                Ok(Some(frame)) => self.frame(lane, frame).await,
                Ok(None) => return true,
                Err(error) => {
                    if let Some(code) = code_of(&error) {
                        self.end(code, error.to_string());
                    }
                    return false;
                }
            }
        }
    }

    async fn frame(&self, lane: Lane, frame: Frame) {
        let frame_type = frame.frame_type();
        if !carries(lane, frame_type) {
            let seen = frame_type.name();
            let detail = format!("a {seen} arrived on the {} lane", lane_name(lane));
            return self.link.strike(CloseCode::Malformed, detail);
        }
        let peer = &self.link.peer;
        match frame {
            Frame::Channel(frame) => self.inbound.channel_frame(peer, lane, frame).await,
            Frame::Close(Close { code, detail }) => {
                tracing::info!(peer = %peer.name, code = code.name(), detail, "the peer closes");
            }
            Frame::Goodbye(Goodbye { reason, .. }) => {
                tracing::info!(peer = %peer.name, reason, "the peer stops");
                self.link.note_goodbye();
            }
            beat @ (Frame::NodeBeat(_)
            | Frame::BeatAck(_)
            | Frame::TableRequest(_)
            | Frame::TablePage(_)) => self.inbound.beat_frame(peer, beat),
            Frame::Hello(_)
            | Frame::HelloAck(_)
            | Frame::Refused(_)
            | Frame::Credit(_)
            | Frame::Produce(_)
            | Frame::ProduceAck(_)
            | Frame::Fetch(_)
            | Frame::FetchResponse(_)
            | Frame::ReadIndex(_)
            | Frame::ReadIndexResponse(_)
            | Frame::Metadata(_)
            | Frame::MetadataResponse(_)
            | Frame::Subscribe(_)
            | Frame::Deliver(_)
            | Frame::SubscribeCredit(_)
            | Frame::Forward(_)
            | Frame::Admin(_)
            | Frame::AdminResponse(_) => {} // No lane carries them, see above.
        }
    }

    fn received(&self, lane: Lane, bytes: usize) {
        self.inbound.observe(TransportEvent::Received {
            lane,
            bytes: bytes as u64,
        });
    }

    fn end(&self, code: CloseCode, detail: String) {
        self.link.leave(Leave::Cause { code, detail });
    }
}

const fn lane_name(lane: Lane) -> &'static str {
    match lane {
        Lane::Control => "control",
        Lane::Data => "data",
        Lane::Bulk => "bulk",
    }
}

//! Connections, and the frames on them.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tetrarch_wire::frame::{CloseCode, FrameType};

use super::{
    cell::{Count, Each, Held, Level, Words},
    labels::{ConnectionKind, Direction, Label as _, TrafficLane},
    page::{Page, Show},
    table,
};

/// The measurements of the transport. Reasons are fixed words that the transport chooses.
#[derive(Debug, Default)]
pub struct TransportTelemetry {
    connections: Each<ConnectionKind, Level>,
    closed: Each<CloseCode, Count>,
    handshakes_refused: Words<&'static str>,
    bytes: Each<TrafficLane, Each<Direction, Count>>,
    frames_refused: Words<&'static str>,
    frames_dropped: Words<(&'static str, &'static str, &'static str)>,
    round_trips: Mutex<BTreeMap<String, Duration>>,
}

impl TransportTelemetry {
    /// A connection can carry frames. It is counted until what is returned is dropped.
    #[must_use = "it is counted only until this is dropped"]
    pub fn connection(&self, kind: ConnectionKind) -> Held {
        self.connections.of(kind).hold()
    }

    /// This node closed a connection for cause.
    pub fn closed(&self, code: CloseCode) {
        self.closed.of(code).add(1);
    }

    /// A connection was refused before it could carry frames.
    pub fn handshake_refused(&self, reason: &'static str) {
        self.handshakes_refused.count(reason);
    }

    /// Frames left or arrived.
    pub fn bytes(&self, lane: TrafficLane, direction: Direction, bytes: u64) {
        self.bytes.of(lane).of(direction).add(bytes);
    }

    /// A frame arrived and was not accepted.
    pub fn frame_refused(&self, reason: &'static str) {
        self.frames_refused.count(reason);
    }

    /// A frame was dropped on its way out.
    pub fn frame_dropped(&self, lane: TrafficLane, frame: FrameType, reason: &'static str) {
        self.frames_dropped
            .count((lane.name(), frame.name(), reason));
    }

    /// A round trip to a peer was measured.
    pub fn round_trip(&self, peer: &str, time: Duration) {
        let mut known = self
            .round_trips
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match known.get_mut(peer) {
            Some(last) => *last = time,
            None => {
                known.insert(peer.to_owned(), time);
            }
        }
    }

    /// There is no connection to a peer any more.
    pub fn peer_down(&self, peer: &str) {
        self.round_trips
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(peer);
    }

    fn show_frames(&self, page: &mut Page<'_>) -> fmt::Result {
        page.metric(&table::TRANSPORT_BYTES, |series| {
            self.bytes.iter().try_for_each(|(lane, directions)| {
                directions.iter().try_for_each(|(direction, count)| {
                    series.counter(&[lane.name(), direction.name()], count.get())
                })
            })
        })?;
        page.metric(&table::FRAMES_REFUSED, |series| {
            let reasons = self.frames_refused.snapshot();
            reasons
                .into_iter()
                .try_for_each(|(reason, count)| series.counter(&[reason], count))
        })?;
        page.metric(&table::FRAMES_DROPPED, |series| {
            let dropped = self.frames_dropped.snapshot();
            dropped
                .into_iter()
                .try_for_each(|((lane, frame, reason), count)| {
                    series.counter(&[lane, frame, reason], count)
                })
        })
    }

    fn show_connections(&self, page: &mut Page<'_>) -> fmt::Result {
        page.metric(&table::CONNECTIONS, |series| {
            let mut kinds = self.connections.iter();
            kinds.try_for_each(|(kind, level)| series.gauge(&[kind.name()], level.get()))
        })?;
        page.metric(&table::CONNECTIONS_CLOSED, |series| {
            let mut codes = self.closed.iter();
            codes.try_for_each(|(code, count)| series.counter(&[code.name()], count.get()))
        })?;
        page.metric(&table::HANDSHAKES_REFUSED, |series| {
            let reasons = self.handshakes_refused.snapshot();
            reasons
                .into_iter()
                .try_for_each(|(reason, count)| series.counter(&[reason], count))
        })?;
        page.metric(&table::ROUND_TRIP, |series| {
            let known = self
                .round_trips
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            known
                .iter()
                .try_for_each(|(peer, time)| series.gauge(&[peer], time.as_secs_f64()))
        })
    }
}

impl Show for TransportTelemetry {
    fn show(&self, page: &mut Page<'_>) -> fmt::Result {
        self.show_connections(page)?;
        self.show_frames(page)
    }
}
